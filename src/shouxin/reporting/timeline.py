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
    ties = Ownership.objects.filter(customer=customer)
    rows = ties.values_list("kind", "staff__name", "valid_from", "valid_to", "origin")[:EVENTS_MAX]
    found: list[Event] = []
    for kind, name, valid_from, valid_to, origin in rows:
        until = f" 至 {valid_to}（不含）" if valid_to else ""
        title = f"{Ownership.Kind(kind).label} {name}，自 {valid_from}{until}"
        found.append(Event("ownership", _midnight(valid_from), title, str(Ownership.Origin(origin).label)))
    return found


def _drawings(customer: Customer) -> list[Event]:
    drawings = Drawing.objects.filter(facility__customer=customer).order_by("-requested_at")
    rows = drawings.values_list("requested_at", "state", "requested_by__name")[:EVENTS_MAX]
    return [Event("limit", at, f"支用申请：{Drawing.State(state).label}", name) for at, state, name in rows]


def _acts(customer: Customer) -> list[Event]:
    entries = Entry.objects.filter(subject_kind="customer", subject_id=str(customer.pk))
    rows = entries.values_list("action", "recorded_at", "summary", "actor_name")[:EVENTS_MAX]
    return [
        Event("act", at, summary, name) for action, at, summary, name in rows if not action.startswith(_SHOWN_OTHERWISE)
    ]


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))
