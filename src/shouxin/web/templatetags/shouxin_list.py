"""One row of the customer list, drawn in Python: ``{% load shouxin_list %}{% customer_row customer %}``.

A page has twenty rows of eight cells; drawn by the template language they cost more than everything else on the page.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Final
from urllib.parse import quote

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from shouxin.reporting.list_rows import ListRow
from shouxin.web.templatetags.shouxin_components import badge, usage_bar
from shouxin.web.templatetags.shouxin_format import NOTHING, day, icon, mask_phone, wan

register = template.Library()


@dataclass(frozen=True, slots=True)
class RowPage:
    """What all rows of a page share."""

    columns: tuple[str, ...]
    labels: Mapping[str, str]
    can_edit: bool
    sees_full_phones: bool
    as_of: dt.date
    query: str


@register.simple_tag(takes_context=True)
def customer_row(context: Context, row: ListRow) -> SafeString:
    """A row with its cells in the order of the page's columns."""
    page = RowPage(
        context["columns"], context["labels"], bool(context.get("can_edit")), context["visit"].sees_full_phones,
        context["as_of"], str(context.get("query") or ""),
    )  # fmt: skip
    cells = [_name(row, page), *[_cell(column, row, page) for column in page.columns]]
    if page.can_edit:
        cells.insert(0, _tick(row))
    return mark_safe(f"<tr data-row-link>{''.join(cells)}</tr>")  # noqa: S308 - every part is escaped where it is made


@cache
def _address(name: str) -> str:
    return reverse(name, args=["NUMBER"])


def _url(name: str, row: ListRow) -> str:
    return _address(name).replace("NUMBER", quote(row.number, safe=""))


def _cell(column: str, row: ListRow, page: RowPage) -> str:
    css = ' class="cell-number"' if column in NUMBERS else ""
    return f'<td data-label="{escape(page.labels[column])}"{css}>{_CELLS[column](row, page)}</td>'


def _tick(row: ListRow) -> str:
    return (
        '<td class="cell-check"><input type="checkbox" name="selected" form="bulk"'
        f' value="{escape(row.number)}" aria-label="{escape(row.name)}"></td>'
    )


def _name(row: ListRow, page: RowPage) -> str:
    repair = "" if row.is_valid else f" {badge(_('待补全'), 'amber')}"
    code = f" · {escape(row.uscc)}" if row.uscc else ""
    return (
        f'<td data-label="{escape(page.labels["name"])}"><a class="row-link" href="{_url("customer_detail", row)}">'
        f'{escape(row.name)}</a>{repair}<span class="cell-sub">{escape(row.number)}{code}</span></td>'
    )


def _stage(row: ListRow, page: RowPage) -> str:  # noqa: ARG001
    return badge(row.stage_name, "green" if row.stage == "customer" else "plain")


def _used(row: ListRow, page: RowPage) -> str:  # noqa: ARG001
    return usage_bar(row.used_fen, row.cap_fen, label=row.name) if row.cap_fen else NOTHING


def _owner(row: ListRow, page: RowPage) -> str:  # noqa: ARG001
    return f'{escape(row.owner_name) or NOTHING}<span class="cell-sub">{escape(row.unit_name)}</span>'


def _next(row: ListRow, page: RowPage) -> str:
    edit = _edit_link(row, page) if page.can_edit else ""
    if not row.next_step:
        return f'<span class="text-red">{escape(page.labels["no_step"])}</span>{edit}'
    late = " text-red" if row.next_step_date and row.next_step_date < page.as_of else ""
    return f'{escape(row.next_step)}{edit}<span class="cell-sub{late}">{day(row.next_step_date)}</span>'


def _edit_link(row: ListRow, page: RowPage) -> str:
    return (
        f' <a class="cell-edit" href="{_url("customer_detail", row)}#step"'
        f' hx-get="{_url("customer_row", row)}?{escape(page.query)}" hx-target="closest tr" hx-swap="outerHTML"'
        f' aria-label="{escape(page.labels["edit"])}">{icon("pencil")}</a>'
    )


def _phone(row: ListRow, page: RowPage) -> str:
    if not row.phone:
        return NOTHING
    return escape(row.phone if page.sees_full_phones else mask_phone(row.phone))


def _tags(row: ListRow, page: RowPage) -> str:  # noqa: ARG001
    return " ".join(badge(tag, "blue") for tag in row.tags) or NOTHING


def _pool(row: ListRow, page: RowPage) -> str:  # noqa: ARG001
    """Days until a prospect goes back to the pool: red when it is due, amber inside a week's warning."""
    if row.pool_days is None:
        return NOTHING
    tone = "text-red" if row.pool_days < 0 else "text-amber" if row.pool_days <= 7 else ""
    return f'<span class="{tone}">{row.pool_days}</span>'


NUMBERS: Final = frozenset({"limit", "pool"})
_CELLS: Final[dict[str, Callable[[ListRow, RowPage], str]]] = {
    "stage": _stage,
    "class": lambda row, _page: escape(row.class_name) or NOTHING,
    "group": lambda row, _page: escape(row.group_name or NOTHING),
    "limit": lambda row, _page: wan(row.cap_fen),
    "used": _used,
    "owner": _owner,
    "next": _next,
    "contact": lambda row, _page: day(row.last_contact_date),
    "phone": _phone,
    "tags": _tags,
    "pool": _pool,
}
