"""Rows of the customer list: one written statement for a page, so that its plan never depends on what narrows it.

Which customers stand on the page was found before, by an index of the list alone.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from shouxin.parties.models import Customer, CustomerTag
from shouxin.parties.pool import due_for_pool

_AT_ONCE = 2000

_CORE = """
SELECT c.id, c.number, c.stage, c.is_valid, c.next_step, c.next_step_date, c.last_contact_date,
       p.name, p.uscc, u.name, coalesce(k.name, ''), coalesce(s.name, '')"""
_LIMIT = """,
       (SELECT n.cap_fen FROM limits_node n WHERE n.customer_id = c.id AND n.kind = 'customer'),
       (SELECT n.used_fen FROM limits_node n WHERE n.customer_id = c.id AND n.kind = 'customer')"""
_GROUP = """,
       (SELECT g.name FROM groups_membership m JOIN groups_customergroup g ON g.id = m.group_id
         WHERE m.customer_id = c.id AND m.valid @> %(day)s::date AND m.recorded @> %(now)s::timestamptz LIMIT 1)"""
_PHONE = """,
       (SELECT t.value FROM parties_contactpoint t
         WHERE t.customer_id = c.id AND t.kind = 'phone' AND t.is_working ORDER BY t.id LIMIT 1)"""
_FROM = """
  FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS page(id, place)
  JOIN parties_customer c ON c.id = page.id
  JOIN parties_party p ON p.id = c.party_id
  JOIN bank_orgunit u ON u.id = c.unit_id
  LEFT JOIN parties_customerclass k ON k.id = c.main_class_id
  LEFT JOIN bank_staff s ON s.id = c.main_owner_id
 ORDER BY page.place"""


@dataclass(frozen=True, slots=True)
class ListRow:
    """What the list shows of one customer; amounts in 分, None where there is no limit or it was not asked for."""

    pk: int
    number: str
    stage: str
    is_valid: bool
    next_step: str
    next_step_date: dt.date | None
    last_contact_date: dt.date | None
    name: str
    uscc: str | None
    unit_name: str
    class_name: str
    owner_name: str
    cap_fen: int | None
    used_fen: int | None
    group_name: str | None
    phone: str | None
    tags: tuple[str, ...] = ()
    pool_days: int | None = None

    @property
    def stage_name(self) -> str:
        return str(Customer.Stage(self.stage).label)


def list_rows(ids: Sequence[int], *, as_of: dt.date, columns: Collection[str] | None = None) -> list[ListRow]:
    """The rows of these customers in this order. What a column does not ask for is not looked up; None asks for all
    but tags and the pool's clock."""
    if not ids:
        return []
    wants = {name: columns is None or name in columns for name in ("limit", "used", "group", "phone")}
    text = "".join([
        _CORE,
        _LIMIT if wants["limit"] or wants["used"] else ", NULL, NULL",
        _GROUP if wants["group"] else ", NULL",
        _PHONE if wants["phone"] else ", NULL",
        _FROM,
    ])  # fmt: skip
    values: dict[str, Any] = {"ids": list(ids), "day": as_of, "now": timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        found = cursor.fetchall()
    tags = _tags_of(ids) if columns is not None and "tags" in columns else {}
    pool = _pool_days(ids, as_of) if columns is not None and "pool" in columns else {}
    return [ListRow(*(*row, tuple(tags.get(row[0], ())), pool.get(row[0]))) for row in found]


def _tags_of(ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    ties = CustomerTag.objects.filter(customer__in=ids).order_by("tag__name")
    for customer, name in ties.values_list("customer", "tag__name"):
        found.setdefault(customer, []).append(name)
    return found


def _pool_days(ids: Sequence[int], day: dt.date) -> dict[int, int]:
    customers = Customer.objects.filter(pk__in=ids).select_related("main_class")
    return {due.customer.pk: due.remaining_days for due in due_for_pool(customers, day=day)}


def rows_in_parts(ids: Iterable[int], *, as_of: dt.date) -> Iterator[ListRow]:
    """Rows of any number of customers, for files and paper."""
    rest = iter(ids)
    while part := list(islice(rest, _AT_ONCE)):
        yield from list_rows(part, as_of=as_of)


def newest_ids(customers: QuerySet[Customer], *, most: int) -> list[int]:
    """Ids in the order of files and paper, the latest change first."""
    return list(customers.order_by("-updated_at", "-pk").values_list("pk", flat=True)[:most])
