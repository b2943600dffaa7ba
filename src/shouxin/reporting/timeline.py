"""One list of everything that happened with a customer: notes, calls, visits, who looked after it, limits, acts."""

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from shouxin.audit.models import Entry
from shouxin.engagement.models import Activity
from shouxin.engagement.services import is_locked
from shouxin.facilities.models import Drawing
from shouxin.parties.models import Customer, Ownership

KINDS = ("note", "call", "visit", "message", "ownership", "limit", "act")
EVENTS_MAX = 60
_SHOWN_OTHERWISE = ("parties.customer.claimed", "facilities.drawing")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline. ``activity`` is set where the reader may still edit what they wrote."""

    kind: str
    at: dt.datetime
    title: str
    line: str
    activity: Activity | None = None


def timeline(customer: Customer, *, kind: str = "", reader_id: int, now: dt.datetime) -> list[Event]:
    """Newest first, of one kind or of all; the caller has checked that its user may see the customer."""
    events: list[Event] = []
    if kind in {"", "note", "call", "visit", "message"}:
        events += _activities(customer, kind, reader_id, now)
    if kind in {"", "ownership"}:
        events += _ownerships(customer)
    if kind in {"", "limit"}:
        events += _drawings(customer)
    if kind in {"", "act"}:
        events += _acts(customer)
    return sorted(events, key=lambda event: event.at, reverse=True)[:EVENTS_MAX]


def _activities(customer: Customer, kind: str, reader_id: int, now: dt.datetime) -> list[Event]:
    rows = customer.activities.select_related("contact")
    if kind:
        rows = rows.filter(kind=kind)
    return [
        Event(
            row.kind, row.happened_at, row.text,
            " · ".join(filter(None, [
                row.get_kind_display(), row.get_result_display() if row.result else "", str(row.contact or ""),
                row.author_name, "导入" if row.is_imported else "",
            ])),
            row if row.author_id == reader_id and not is_locked(row, now=now) else None,
        )
        for row in rows[:EVENTS_MAX]
    ]  # fmt: skip


def _ownerships(customer: Customer) -> list[Event]:
    rows: list[Event] = []
    for tie in Ownership.objects.filter(customer=customer).select_related("staff")[:EVENTS_MAX]:
        until = f" 至 {tie.valid_to}（不含）" if tie.valid_to else ""
        title = f"{tie.get_kind_display()} {tie.staff.name}，自 {tie.valid_from}{until}"
        rows.append(Event("ownership", _midnight(tie.valid_from), title, tie.get_origin_display()))
    return rows


def _drawings(customer: Customer) -> list[Event]:
    rows = Drawing.objects.filter(facility__customer=customer).select_related("requested_by").order_by("-requested_at")
    return [
        Event("limit", row.requested_at, f"支用申请：{row.get_state_display()}", row.requested_by.name)
        for row in rows[:EVENTS_MAX]
    ]


def _acts(customer: Customer) -> list[Event]:
    rows = Entry.objects.filter(subject_kind="customer", subject_id=str(customer.pk))[:EVENTS_MAX]
    return [
        Event("act", row.recorded_at, row.summary, row.actor_name)
        for row in rows
        if not row.action.startswith(_SHOWN_OTHERWISE)
    ]


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))
