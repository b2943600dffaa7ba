"""The customer list: what narrows it, in which order it stands, one page at a time, and how many there are.

A page is found from the place where the last one ended, never by counting rows from the start; a count stops at a
thousand until somebody asks for it. So a page costs the same at ten thousand customers and at a million.
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet

from shouxin.bank.models import OrgUnit
from shouxin.parties.models import Customer, CustomerClass
from shouxin.parties.selectors import search_filter
from shouxin.policy import load_book

ROWS_PER_PAGE = 20
COUNT_MAX = 1000
EXPORT_ROWS_MAX = 50_000
QUICK = ("no-next-step", "overdue", "repair", "group", "silent", "pool", "mine", "pool-soon")


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the list; its column and the id are one index of the database. Empty dates stand at the end."""

    column: str
    descends: bool


ORDERS: Mapping[str, Order] = {
    "updated": Order("updated_at", True),
    "next-step": Order("next_step_date", False),
    "last-contact": Order("last_contact_date", False),
}
COLUMNS = ("stage", "class", "group", "limit", "used", "owner", "next", "contact", "phone", "tags", "pool")
COLUMNS_AT_FIRST = ("stage", "class", "group", "limit", "used", "owner", "next", "contact")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, its columns and its order; all of it lives in the address."""

    text: str = ""
    stage: str = ""
    customer_class: str = ""
    unit: str = ""
    owner: str = ""
    tag: str = ""
    quick: str = ""
    order: str = "updated"
    columns: tuple[str, ...] = COLUMNS_AT_FIRST
    only_whole_phones: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str], *, only_whole_phones: bool = False) -> "Filters":
        get = query.get
        chosen = tuple(c for c in (get("columns") or "").split(",") if c in COLUMNS)
        order = get("order") or "updated"
        return cls(
            text=(get("q") or "").strip()[:200],
            stage=get("stage") or "",
            customer_class=get("class") or "",
            unit=get("unit") or "",
            owner=get("owner") or "",
            tag=get("tag") or "",
            quick=get("quick") or "",
            order=order if order in ORDERS else "updated",
            columns=chosen or COLUMNS_AT_FIRST,
            only_whole_phones=only_whole_phones,
        )

    @property
    def is_any(self) -> bool:
        return any((self.text, self.stage, self.customer_class, self.unit, self.owner, self.tag, self.quick))

    def query(self) -> str:
        """The part of an address that gives these filters again, in one form, for saved views."""
        names = {"text": "q", "customer_class": "class"}
        values = {
            names.get(f.name, f.name): ",".join(value) if isinstance(value, tuple) else value
            for f in fields(self)
            if f.name != "only_whole_phones" and (value := getattr(self, f.name)) and value != f.default
        }
        return urlencode(values)

    def apply(
        self,
        customers: QuerySet[Customer],
        *,
        as_of: dt.date,
        staff_id: int | None = None,
        hits_are_many: bool = False,
    ) -> QuerySet[Customer]:
        """The customers that are left; ``staff_id`` is whose the quick filter “mine” asks for."""
        if self.text:
            finds = {"finds_part_of_phone": not self.only_whole_phones, "hits_are_many": hits_are_many}
            customers = customers.filter(search_filter(self.text, **finds))
        if self.stage in Customer.Stage.values:
            customers = customers.filter(stage=self.stage)
        if _is_id(self.customer_class):
            customers = _of_class(customers, int(self.customer_class))
        if self.unit:
            # By its number, which the database knows the share of.
            found = OrgUnit.objects.filter(code=self.unit).values_list("pk", flat=True).first()
            customers = customers.filter(unit=found) if found else customers.none()
        if _is_id(self.owner):
            customers = customers.filter(main_owner=int(self.owner))
        if _is_id(self.tag):
            customers = customers.filter(tags__tag=int(self.tag))
        return self._quickly(customers, as_of, staff_id)

    def _quickly(self, customers: QuerySet[Customer], as_of: dt.date, staff_id: int | None) -> QuerySet[Customer]:
        match self.quick:
            case "no-next-step":
                return customers.filter(next_step="")
            case "overdue":
                return customers.filter(next_step_date__lt=as_of)
            case "repair":
                return customers.filter(is_valid=False)
            case "group":
                return customers.filter(memberships__valid__contains=as_of, memberships__recorded__upper_inf=True)
            case "silent":
                days = load_book().whole("crm.silence_days", as_of)
                return customers.filter(last_contact_date__lt=as_of - dt.timedelta(days=days))
            case "pool":
                return customers.filter(pooled_date__isnull=False)
            case "mine":
                return customers.filter(main_owner=staff_id)
        return customers


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _of_class(customers: QuerySet[Customer], pk: int) -> QuerySet[Customer]:
    """By the repeated column for the main scheme, whose index carries the order; by the history for others."""
    if CustomerClass.objects.filter(pk=pk, scheme__is_main=True).exists():
        return customers.filter(main_class=pk)
    return customers.filter(classifications__customer_class=pk, classifications__valid_to__isnull=True)


# --- one page ------------------------------------------------------------------------------------------------------

Place = tuple[Any, int]
"""Where a customer stands in an order: the value of the order's column and the id."""


def page_of(
    customers: QuerySet[Customer], query: Mapping[str, str], *, order: str, size: int = ROWS_PER_PAGE
) -> tuple[list[int], dict[str, str]]:
    """Ids of one page after or before the place that a cursor names, and the cursors of its neighbours."""
    before = read_cursor(query.get("before"), order)
    after = None if before is not None else read_cursor(query.get("after"), order)
    backwards = before is not None
    places = _places_from(customers, before or after, order, backwards=backwards, count=size + 1)
    has_more, places = len(places) > size, places[:size]
    if backwards:
        places.reverse()
    has_newer = has_more if backwards else after is not None
    has_older = backwards or has_more
    return [pk for _, pk in places], {
        "before": cursor_of(places[0], order) if places and has_newer else "",
        "after": cursor_of(places[-1], order) if places and has_older else "",
    }


@dataclass(frozen=True, slots=True)
class ListPage:
    """Ids of one page in their order, the cursors of its neighbours, and how many match in all."""

    ids: list[int]
    pager: dict[str, str]
    count: int


def find_page(
    filters: Filters, customers: QuerySet[Customer], query: Mapping[str, str], *, as_of: dt.date, staff_id: int
) -> ListPage:
    """The page that an address asks for, with a count that stops one over a thousand.

    What was searched is counted first: few hits are found by the text index and sorted; with a thousand and more the
    order's own index meets a pageful of them sooner.
    """
    found = filters.apply(customers, as_of=as_of, staff_id=staff_id)
    count = capped_count(found) if filters.text else None
    if count == 0:
        return ListPage([], {"before": "", "after": ""}, 0)
    if count is not None and count > COUNT_MAX:
        found = filters.apply(customers, as_of=as_of, staff_id=staff_id, hits_are_many=True)
    ids, pager = page_of(found, query, order=filters.order)
    if count is None:
        is_whole = not pager["after"] and not pager["before"]
        count = len(ids) if is_whole else capped_count(found)
    return ListPage(ids, pager, count)


def _places_from(
    customers: QuerySet[Customer], at: Place | None, order: str, *, backwards: bool, count: int
) -> list[Place]:
    """Places of a direction from one on. Those without a date stand at the end of the order and are a walk of their
    own: one condition for both would keep the database from its index."""
    chosen = ORDERS[order]
    column, descends = chosen.column, chosen.descends != backwards
    parts = [False] if order == "updated" else [True, False] if backwards else [False, True]
    if at is not None and order != "updated":
        parts = parts[parts.index(at[0] is None) :]
    places: list[Place] = []
    for is_empty in parts:
        part = customers if order == "updated" else customers.filter(**{f"{column}__isnull": is_empty})
        if at is not None and is_empty == (at[0] is None):
            part = part.filter(_beyond(at, column, descends))
        by = (f"-{column}", "-pk") if descends else (column, "pk")
        places += part.order_by(*by).values_list(column, "pk")[: count - len(places)]
        if len(places) >= count:
            break
    return places


def _beyond(at: Place, column: str, descends: bool) -> Q:
    """Strictly after a place; the first condition alone bounds the walk of the index, the second breaks the tie."""
    value, pk = at
    side = "lt" if descends else "gt"
    if value is None:
        return Q(**{f"pk__{side}": pk})
    tie = Q(**{f"{column}__{side}": value}) | Q(**{f"pk__{side}": pk})
    return Q(**{f"{column}__{side}e": value}) & tie


def cursor_of(place: Place, order: str) -> str:
    value, pk = place
    text = json.dumps([order, value.isoformat() if value else None, pk])
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_cursor(text: str | None, order: str) -> Place | None:
    """The place that a cursor of this order names; a broken or foreign one starts from the first page."""
    if not text:
        return None
    try:
        made_for, value, pk = json.loads(base64.urlsafe_b64decode(text.encode()))
        if made_for != order or not isinstance(pk, int):
            return None
        if value is None:
            return (None, pk) if order != "updated" else None
        return (dt.datetime if order == "updated" else dt.date).fromisoformat(value), pk
    except (ValueError, TypeError, UnicodeDecodeError):
        return None


# --- how many ------------------------------------------------------------------------------------------------------


def capped_count(customers: QuerySet[Customer]) -> int:
    """How many there are, counting no further than one over a thousand."""
    return customers.order_by()[: COUNT_MAX + 1].count()


def class_counts(customers: QuerySet[Customer], classes: Sequence[CustomerClass]) -> list[tuple[CustomerClass, int]]:
    """Each class with the customers in view, counted no further than one over a thousand; one statement for all."""
    if not classes:
        return []
    mark = -1
    try:
        one, values = customers.filter(main_class=mark).order_by().values("pk")[: COUNT_MAX + 1].query.sql_with_params()
    except EmptyResultSet:
        return [(c, 0) for c in classes]
    parameters = [c.pk if value == mark else value for c in classes for value in values]
    counts = ", ".join([f"(SELECT count(*) FROM ({one}) n)"] * len(classes))  # noqa: S608 - the ORM's own text
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", parameters)
        found = cursor.fetchone()
    return list(zip(classes, found, strict=True))
