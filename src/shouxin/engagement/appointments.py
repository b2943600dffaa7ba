"""Calls and visits ahead: what to have ready, when somebody is best reached, and whether the pace is right."""

import datetime as dt
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from shouxin.bank.models import Staff
from shouxin.engagement.models import Activity, Appointment, Contact
from shouxin.parties.handover import Duty
from shouxin.parties.models import Customer
from shouxin.policy import load_book


@transaction.atomic
def plan(
    *,
    actor: Staff,
    customer: Customer,
    contact: Contact | None,
    way: str,
    planned_at: dt.datetime,
    outline: str = "",
    is_ready: bool = False,
) -> Appointment:
    """Plan a call or a visit. What is not ready yet is said by ``preparation_gaps``, it does not stop the plan."""
    return Appointment.objects.create(
        customer=customer, contact=contact, staff=actor, way=way, planned_at=planned_at, outline=outline,
        is_ready=is_ready,
    )  # fmt: skip


def preparation_gaps(appointment: Appointment) -> list[str]:
    """Which of the four preparations of a call are missing (NS-03): name, fitting time, outline, confidence."""
    contact, gaps = appointment.contact, []
    if contact is None or not contact.name:
        gate = gatekeeper_of(appointment.customer)
        hint = (
            f"可先致电{gate.get_gatekeeper_display()} {gate.phone} 询问（NS-05）"
            if gate
            else "可先问总机或秘书（NS-05）"
        )
        gaps.append(f"不知道对方姓名：{hint}")
    elif (best := best_times(contact)) and not any(b.covers(timezone.localtime(appointment.planned_at)) for b in best):
        gaps.append(f"不在合适的时间：{'、'.join(map(str, best))}")
    if not appointment.outline.strip():
        gaps.append("没有沟通提纲")
    if not appointment.is_ready:
        gaps.append("尚未确认准备就绪")
    return gaps


def gatekeeper_of(customer: Customer) -> Contact | None:
    """Who passes one on when the name is not known: the switchboard, or a secretary (NS-05)."""
    known = [contact for contact in customer.contacts.all() if contact.gatekeeper and contact.phone]
    return min(known, key=lambda c: (c.gatekeeper != Contact.Gatekeeper.SWITCHBOARD, c.pk), default=None)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of a weekday; answered of tried calls where it was learned from calls, else as somebody noted it."""

    weekday: int
    from_hour: int
    to_hour: int
    answered: int | None = None
    tried: int | None = None

    def covers(self, at: dt.datetime) -> bool:
        return at.weekday() == self.weekday and self.from_hour <= at.hour < self.to_hour

    def __str__(self) -> str:
        learned = f"（{self.tried} 次接通 {self.answered} 次）" if self.tried else ""
        return f"周{'一二三四五六日'[self.weekday]} {self.from_hour}–{self.to_hour} 时{learned}"


def best_times(contact: Contact) -> list[Window]:
    """When somebody is best reached: the hours noted, then the hour that most calls were answered in (NS-06)."""
    noted = [Window(t.weekday, t.from_hour, t.to_hour) for t in contact.best_times.all()]
    tried: Counter[tuple[int, int]] = Counter()
    answered: Counter[tuple[int, int]] = Counter()
    calls = contact.activities.filter(kind=Activity.Kind.CALL, is_practice=False).exclude(result="")
    for at, result in calls.values_list("happened_at", "result"):
        local = timezone.localtime(at)
        tried[local.weekday(), local.hour] += 1
        answered[local.weekday(), local.hour] += result == Activity.Result.ANSWERED
    least = load_book().whole("crm.best_time_answers_min", timezone.localdate())
    learned = [
        Window(day, hour, hour + 1, answered[day, hour], tried[day, hour])
        for day, hour in sorted(tried, key=lambda slot: (-answered[slot] / tried[slot], -answered[slot]))
        if answered[day, hour] >= least and answered[day, hour] * 2 > tried[day, hour]
    ]
    return noted + learned[:3]


def pace_hints(customer: Customer, *, now: dt.datetime) -> list[str]:
    """Too many calls in a short time, or a prospect left alone too long (NS-01)."""
    book, today = load_book(), timezone.localdate(now)
    days = book.whole("crm.pace_window_days", today)
    calls = customer.activities.filter(
        kind=Activity.Kind.CALL, is_practice=False, happened_at__gt=now - dt.timedelta(days=days), happened_at__lte=now
    ).count()
    if calls >= book.whole("crm.pace_calls_max", today):
        return [f"急于求成：{days} 天内通话 {calls} 次，请放缓（NS-01）。"]
    gap = book.whole("crm.pace_gap_days_max", today)
    since = customer.last_contact_date or timezone.localdate(customer.created_at)
    if customer.stage == Customer.Stage.PROSPECT and (today - since).days >= gap:
        return [f"松散：已 {(today - since).days} 天没有联系，请安排（NS-01）。"]
    return []


@dataclass(frozen=True, slots=True)
class CallFigures:
    """How calls of a time ended, of one person and of the team, in shares of all; nobody is ranked (NS-08)."""

    counts: dict[str, int]
    practice: int
    refused_percent: int | None
    team_refused_percent: int | None


def call_figures(staff: Staff, *, since: dt.datetime) -> CallFigures:
    calls = Activity.objects.filter(kind=Activity.Kind.CALL, happened_at__gte=since)
    own = Counter(calls.filter(author=staff, is_practice=False).exclude(result="").values_list("result", flat=True))
    team = Counter(
        calls.filter(author__unit=staff.unit_id, is_practice=False).exclude(result="").values_list("result", flat=True)
    )
    return CallFigures(
        counts=dict(own),
        practice=calls.filter(author=staff, is_practice=True).count(),
        refused_percent=_share(own),
        team_refused_percent=_share(team),
    )


def _share(results: "Counter[str]") -> int | None:
    total = sum(results.values())
    return round(results[Activity.Result.REFUSED] * 100 / total) if total else None


# --- handover --------------------------------------------------------------------------------------------------------


def duties_of_staff(staff_id: int) -> list[Duty]:
    """Appointments ahead keep somebody from leaving."""
    open_ones = Appointment.objects.filter(staff=staff_id, done_as__isnull=True)
    count = open_ones.count()
    names = tuple(open_ones.values_list("customer__party__name", flat=True)[:3])
    return [Duty("未完成的约访", count, names)] if count else []


def move_appointments(customer_ids: Collection[int], from_staff: int, to_staff: int) -> None:
    """Open appointments go with the customer; their time and outline stay as they are."""
    Appointment.objects.filter(customer__in=customer_ids, staff=from_staff, done_as__isnull=True).update(staff=to_staff)
