"""移交 (CM-05): nobody leaves while they still hold something; customers pass on in guarded steps, all at once.

草拟 → 审核 → 分配 → 共同拜访 → 监交 → 完成. The reviewer is another person than who drafted, the supervisor neither
gives nor receives. What has changed since the supervision makes the completion fail with the names, and nothing moves.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.parties.models import Customer, Handover, HandoverItem, Ownership
from shouxin.parties.ownership import lock_customers, replace_main_owner
from shouxin.policy import load_book

DutySource = Callable[[int], list["Duty"]]
_duty_sources: list[DutySource] = []
Mover = Callable[[Collection[int], int, int], None]
_movers: list[Mover] = []
State = Handover.State


class HandoverError(ValueError):
    """A step that cannot be taken: what is missing, and by whom."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that a person still holds: its kind in words, how many, and the first few by name."""

    label: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = (
            f"（{'、'.join(self.examples)}{'…' if self.count > len(self.examples) else ''}）" if self.examples else ""
        )
        return f"{self.label} {self.count} 项{named}"


class StillHoldsError(HandoverError):
    """Somebody who cannot be let go yet; ``duties`` says why."""

    def __init__(self, staff: Staff, duties: list[Duty]) -> None:
        super().__init__(f"{staff.name} 名下还有：{'；'.join(map(str, duties))}。请先移交。")
        self.duties = duties


def register_duty_source(source: DutySource) -> None:
    """Add a reader of what a person holds in another room; called once when that room starts."""
    if source not in _duty_sources:
        _duty_sources.append(source)


def register_mover(mover: Mover) -> None:
    """Add what moves other rooms' open matters: customers, from whom, to whom; called inside the transaction."""
    if mover not in _movers:
        _movers.append(mover)


def duties_of(staff: Staff) -> list[Duty]:
    """Everything that keeps a person from leaving: customers as 主办 or 协办, and what other rooms add."""
    found = []
    for kind in (Ownership.Kind.MAIN, Ownership.Kind.ASSISTANT):
        ties = Ownership.objects.filter(staff=staff, kind=kind, valid_to__isnull=True).order_by("customer")
        if count := ties.count():
            names = tuple(ties.values_list("customer__party__name", flat=True)[:3])
            found.append(Duty(f"{kind.label}客户", count, names))
    for source in _duty_sources:
        found += source(staff.pk)
    return found


@transaction.atomic
def disable_staff(*, actor: Staff, staff: Staff, business_date: dt.date) -> None:
    """Take a person out of service. Raises StillHoldsError, with the list, while anything is in their hands."""
    staff = Staff.objects.select_for_update(of=("self",)).get(pk=staff.pk)
    if duties := duties_of(staff):
        raise StillHoldsError(staff, duties)
    staff.is_active = False
    staff.save(update_fields=["is_active"])
    _record(actor, ("staff", staff.pk), "bank.staff.disabled", f"停用 {staff.name}", business_date)


# --- the steps -------------------------------------------------------------------------------------------------------


@transaction.atomic
def draft(
    *,
    actor: Staff,
    from_staff: Staff,
    reason: str,
    business_date: dt.date,
    customer_ids: Collection[int] | None = None,
    is_leaving: bool = False,
) -> Handover:
    """Begin a handover of everything somebody is 主办 of, or of some of it."""
    ties = Ownership.objects.filter(staff=from_staff, kind=Ownership.Kind.MAIN, valid_to__isnull=True)
    if customer_ids is not None:
        ties = ties.filter(customer__in=customer_ids)
    customers = lock_customers(ties.values_list("customer", flat=True))
    if not customers:
        raise HandoverError(f"{from_staff.name} 名下没有可移交的客户。")
    if not reason.strip():
        raise HandoverError("请写明移交原因。")
    try:
        with transaction.atomic():
            handover = Handover.objects.create(
                from_staff=from_staff, reason=reason.strip()[:200], drafted_by=actor, is_leaving=is_leaving
            )
    except IntegrityError as error:
        raise HandoverError(f"{from_staff.name} 已有一份未完成的移交，请先完成或撤销。") from error
    HandoverItem.objects.bulk_create(
        HandoverItem(handover=handover, customer=c, customer_version=c.updated_at) for c in customers
    )
    _note(actor, handover, f"草拟移交 {len(customers)} 户：{reason}", business_date)
    return handover


@transaction.atomic
def review(*, actor: Staff, handover: Handover, business_date: dt.date) -> Handover:
    """A second person says that the list is right."""
    handover = _locked(handover, State.DRAFT)
    if actor.pk in {handover.drafted_by_id, handover.from_staff_id}:
        raise HandoverError("草拟人和移交人不能审核，请由另一位主管审核（四眼原则）。")
    handover.state, handover.reviewed_by = State.REVIEWED, actor
    handover.save(update_fields=["state", "reviewed_by"])
    _note(actor, handover, "审核移交清单", business_date)
    return handover


@transaction.atomic
def assign(*, actor: Staff, handover: Handover, receivers: Mapping[int, Staff], business_date: dt.date) -> Handover:
    """Name who receives each customer, by customer id; no customer is left without one."""
    handover = _locked(handover, State.REVIEWED, State.ASSIGNED)
    items = list(handover.items.all())
    for item in items:
        item.to_staff = receivers.get(item.customer_id, item.to_staff)
        if item.to_staff is not None and (not item.to_staff.is_active or item.to_staff_id == handover.from_staff_id):
            raise HandoverError("接收人须为另一位在岗人员。")
    missing = sum(item.to_staff is None for item in items)
    if missing:
        raise HandoverError(f"还有 {missing} 户没有接收人；每一户都须指定（CM-05）。")
    HandoverItem.objects.bulk_update(items, ["to_staff"])
    handover.state = State.ASSIGNED
    handover.save(update_fields=["state"])
    _note(actor, handover, f"分配 {len(items)} 户", business_date)
    return handover


@transaction.atomic
def record_visit(
    *, actor: Staff, item: HandoverItem, visited_date: dt.date, notice_date: dt.date, notice_way: str,
    business_date: dt.date,
) -> None:  # fmt: skip
    """Both were at the customer, and the customer was told; when all were visited the next step is open."""
    handover = _locked(item.handover, State.ASSIGNED)
    _write_visits(handover, [item.pk], visited_date, notice_date, notice_way, business_date)
    _note(actor, handover, f"共同拜访并告知 {item.customer.party.name}（{notice_way}）", business_date)


@transaction.atomic
def record_rest_of_visits(
    *, actor: Staff, handover: Handover, visited_date: dt.date, notice_date: dt.date, notice_way: str,
    business_date: dt.date,
) -> int:  # fmt: skip
    """The same of every customer of whom it is not recorded yet; gives how many."""
    handover = _locked(handover, State.ASSIGNED)
    rest = list(handover.items.filter(visited_date__isnull=True).values_list("pk", flat=True))
    _write_visits(handover, rest, visited_date, notice_date, notice_way, business_date)
    _note(actor, handover, f"共同拜访并告知其余 {len(rest)} 户（{notice_way}）", business_date)
    return len(rest)


def _write_visits(
    handover: Handover, ids: list[int], visited_date: dt.date, notice_date: dt.date, notice_way: str, day: dt.date
) -> None:
    if not notice_way.strip():
        raise HandoverError("请填写告知客户的方式。")
    if max(visited_date, notice_date) > day:
        raise HandoverError(f"拜访和告知日期不能晚于营业日 {day}。")
    HandoverItem.objects.filter(pk__in=ids).update(
        visited_date=visited_date, notice_date=notice_date, notice_way=notice_way.strip()[:40]
    )
    if not handover.items.filter(visited_date__isnull=True).exists():
        handover.state = State.VISITED
        handover.save(update_fields=["state"])


@transaction.atomic
def supervise(*, actor: Staff, handover: Handover, business_date: dt.date) -> Handover:
    """监交: somebody who neither gives nor receives has seen everything as it stands now."""
    handover = _locked(handover, State.VISITED)
    if actor.pk == handover.from_staff_id or handover.items.filter(to_staff=actor).exists():
        raise HandoverError("监交人不能是移交人或接收人。")
    for item in handover.items.select_related("customer"):
        HandoverItem.objects.filter(pk=item.pk).update(customer_version=item.customer.updated_at)
    handover.state, handover.supervised_by = State.SUPERVISED, actor
    handover.save(update_fields=["state", "supervised_by"])
    _note(actor, handover, "监交", business_date)
    return handover


@transaction.atomic
def accept(*, actor: Staff, handover: Handover, business_date: dt.date) -> int:
    """The receiver takes their customers over; gives how many."""
    handover = _locked(handover, State.SUPERVISED)
    count = handover.items.filter(to_staff=actor, accepted_at__isnull=True).update(accepted_at=timezone.now())
    if not count:
        raise HandoverError("这份移交中没有待您接收的客户。")
    _note(actor, handover, f"接收 {count} 户", business_date)
    return count


@transaction.atomic
def complete(*, actor: Staff, handover: Handover, business_date: dt.date) -> Handover:
    """Everything moves now, or nothing does.

    Raises:
        HandoverError: not accepted by all, or a customer was changed since the supervision; the names are said.
    """
    handover = _locked(handover, State.SUPERVISED)
    items = list(handover.items.select_related("customer__party", "to_staff"))
    waiting = sorted({item.to_staff.name for item in items if item.accepted_at is None and item.to_staff})
    if waiting:
        raise HandoverError(f"尚待接收：{'、'.join(waiting)}。")
    now_there = {c.pk: c for c in lock_customers([item.customer_id for item in items])}
    stale = [i.customer.party.name for i in items if now_there[i.customer_id].updated_at != i.customer_version]
    stale += [i.customer.party.name for i in items if now_there[i.customer_id].main_owner_id != handover.from_staff_id]
    if stale:
        raise HandoverError(f"监交后有变动，请重新监交：{'、'.join(dict.fromkeys(stale))}。没有移交任何一户。")
    book = load_book()
    handover.view_ends_date = business_date + dt.timedelta(days=book.whole("crm.handover_view_days", business_date))
    handover.watch_until_date = business_date + dt.timedelta(days=book.whole("crm.handover_watch_days", business_date))
    for to_staff in {item.to_staff for item in items if item.to_staff}:
        ids = [item.customer_id for item in items if item.to_staff == to_staff]
        replace_main_owner(ids, to_staff=to_staff, day=business_date, origin=Ownership.Origin.HANDED_OVER)
        for move in _movers:
            move(ids, handover.from_staff_id, to_staff.pk)
    _let_look_on(handover, items, business_date)
    handover.state, handover.done_date = State.DONE, business_date
    handover.save(update_fields=["state", "done_date", "view_ends_date", "watch_until_date"])
    _note(actor, handover, f"完成移交 {len(items)} 户，观察至 {handover.watch_until_date}", business_date)
    return handover


def _let_look_on(handover: Handover, items: list[HandoverItem], day: dt.date) -> None:
    """The former owner sees the customers until a day; someone who leaves gives up what they assist with, too."""
    assert handover.view_ends_date is not None  # noqa: S101 - set just before
    Ownership.objects.bulk_create(
        Ownership(
            customer_id=item.customer_id, staff_id=handover.from_staff_id, kind=Ownership.Kind.FORMER,
            valid_from=day, valid_to=handover.view_ends_date, origin=Ownership.Origin.HANDED_OVER,
        )
        for item in items
    )  # fmt: skip
    if handover.is_leaving:
        ties = Ownership.objects.filter(
            staff=handover.from_staff_id, kind=Ownership.Kind.ASSISTANT, valid_to__isnull=True
        )
        ties.filter(valid_from__gt=day).update(valid_to=F("valid_from"))
        ties.update(valid_to=day)


@transaction.atomic
def reopen_supervision(*, actor: Staff, handover: Handover, business_date: dt.date) -> Handover:
    """Back to before the supervision, after something has changed."""
    handover = _locked(handover, State.SUPERVISED)
    handover.state, handover.supervised_by = State.VISITED, None
    handover.save(update_fields=["state", "supervised_by"])
    handover.items.update(accepted_at=None)
    _note(actor, handover, "退回重新监交", business_date)
    return handover


@transaction.atomic
def cancel(*, actor: Staff, handover: Handover, reason: str, business_date: dt.date) -> None:
    """Give a handover up before it is done; nothing has moved."""
    handover = _locked(handover, *(s for s in State if s not in {State.DONE, State.CANCELLED}))
    handover.state = State.CANCELLED
    handover.save(update_fields=["state"])
    _note(actor, handover, f"撤销移交：{reason}", business_date)


# --- reading ---------------------------------------------------------------------------------------------------------


def watched_customers(*, day: dt.date) -> QuerySet[HandoverItem]:
    """Customers inside the watch after a handover, the next to end first."""
    return (
        HandoverItem.objects.filter(handover__state=State.DONE, handover__watch_until_date__gte=day)
        .select_related("customer__party", "to_staff", "handover__from_staff")
        .order_by("handover__watch_until_date", "pk")
    )


def handovers_of(staff: Staff, unit_ids: Collection[int]) -> QuerySet[Handover]:
    """Handovers that a person takes part in, or that concern the units of a branch head."""
    own = Handover.objects.filter(from_staff=staff) | Handover.objects.filter(items__to_staff=staff)
    own |= Handover.objects.filter(from_staff__unit__in=list(unit_ids))
    return own.distinct().select_related("from_staff__unit")


def owner_on(customer: Customer, *, day: dt.date) -> Staff | None:
    """Who was 主办 on a day; closed intervals answer as well as the open one."""
    tie = (
        customer.ownerships.filter(kind=Ownership.Kind.MAIN, valid_from__lte=day)
        .exclude(valid_to__lte=day)
        .select_related("staff")
        .first()
    )
    return tie.staff if tie else None


def _locked(handover: Handover, *states: str) -> Handover:
    found = Handover.objects.select_for_update(of=("self",)).select_related("from_staff").get(pk=handover.pk)
    if found.state not in states:
        allowed = "、".join(str(State(state).label) for state in states)
        raise HandoverError(f"移交{found.get_state_display()}，此步骤须在“{allowed}”时办理。")
    return found


def _note(actor: Staff, handover: Handover, summary: str, day: dt.date) -> None:
    _record(actor, ("handover", handover.pk), f"parties.handover.{handover.state}", summary, day)


def _record(actor: Staff, subject: tuple[str, object], action: str, summary: str, day: dt.date) -> None:
    audit.record(actor=actor, action=action, subject=subject, summary=summary, business_date=day)
