"""Find customers through the client's data scope, a page at a time."""

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from shouxin.parties.selectors import search_filter
from shouxin.web.api.common import READ_ERRORS, Key, client_of, customers_of, page_of

router = Router(tags=["customers"])
PAGE = 50


class CustomerOut(Schema):
    """A customer; personal data is not given out here."""

    number: str
    name: str
    kind: str
    unit: str
    stage: str


class CustomerPage(Schema):
    """One page; ``next_cursor`` is empty on the last."""

    customers: list[CustomerOut]
    next_cursor: str


class CustomerQuery(Schema):
    """What to look for, and where the page before ended."""

    q: str = Field("", max_length=80, pattern=r"^[^\x00]*$")
    cursor: str = Field("", max_length=40, pattern=r"^[^\x00]*$")


@router.get("/customers", auth=Key("read"), response={200: CustomerPage, **READ_ERRORS}, summary="客户查询")
def customers(request: HttpRequest, query: Query[CustomerQuery]) -> dict[str, Any]:
    """Customers by name, credit code, number or pinyin initials, in the order of their numbers."""
    found = customers_of(client_of(request)).filter(search_filter(query.q)).select_related("party", "unit")
    rows, after = page_of(found, by="number", after=query.cursor or None, most=PAGE)
    return {
        "customers": [
            {"number": c.number, "name": c.party.name, "kind": c.party.kind, "unit": c.unit.name, "stage": c.stage}
            for c in rows
        ],
        "next_cursor": after,
    }
