"""What people decide about groups (BR-03, UC-12, UC-13, A-02): one 认定 officer proposes, another decides.

A proposal holds the whole membership that the group would have, frozen when it is made; deciding re-reads what has
changed since. Membership is written with both time axes: a row is never changed but for the end of its recorded period,
and a new row says what is known from then on. Every approval makes a version, and until one is approved the old version
rules the limits.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from psycopg.types.range import DateRange, TimestamptzRange

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.groups.models import (
    Candidate,
    CustomerGroup,
    GroupChange,
    GroupVersion,
    Membership,
    MergeTask,
)
from shouxin.groups.selectors import list_members, memberships_on
from shouxin.parties.models import Customer
from shouxin.policy import load_book

OTHER_RELATION = "四"
"""The basis of a member that people add for another relation (UC-12)."""

Target = dict[str, Any]


class DecisionError(Exception):
    """A decision that may not be taken so; the text says why and by whom it may."""


# --- propose ------------------------------------------------------------------------------------------------------


@transaction.atomic
def propose_confirmation(
    *,
    actor: Staff,
    candidate: Candidate,
    name: str,
    responsible: Staff | None,
    reason: str,
    business_date: dt.date,
    left_out: Iterable[int] = (),
) -> GroupChange:
    """Propose to make a candidate a group, or the new version of the group that it updates.

    ``left_out`` are customers of the candidate that are not to become members. Members that people added under (四)
    stay in an updated group.

    Raises:
        DecisionError: not a 认定 officer of head office, no reason, no responsible person (BR-11), or already decided.
    """
    _require_officer(actor, business_date)
    candidate = Candidate.objects.select_for_update().get(pk=candidate.pk)
    if candidate.status != Candidate.Status.PROPOSED:
        raise DecisionError(f"该提案为“{candidate.get_status_display()}”，不能再认定。")
    group = candidate.updates
    if responsible is None and group is None:
        raise DecisionError("请指定集团负责人，没有负责人不能生效（BR-11）。")
    excluded = set(left_out) | _left_to_others(candidate)
    members = [member for member in members_of(candidate) if member["customer"] not in excluded]
    if group is not None:
        known = {member["customer"] for member in members}
        members += [
            member for member in current_members(group, as_of=business_date)
            if member["basis"] == OTHER_RELATION and member["customer"] not in known
        ]  # fmt: skip
    if not members:
        raise DecisionError("至少保留一家成员。")
    return _propose(
        GroupChange(
            kind=GroupChange.Kind.UPDATE if group else GroupChange.Kind.CONFIRM,
            group=group,
            candidate=candidate,
            name=name or (group.name if group else candidate.name),
            responsible=responsible,
            members=members,
            reason=reason,
        ),
        actor,
        business_date,
    )


@transaction.atomic
def propose_addition(
    *, actor: Staff, group: CustomerGroup, customer: Customer, reason: str, evidence: str, business_date: dt.date
) -> GroupChange:
    """Propose a member for another relation that may move assets or profits at unfair prices (UC-12, basis 四).

    Raises:
        DecisionError: no role, no reason, no evidence, or the customer belongs to a group.
    """
    _require_officer(actor, business_date)
    if not evidence.strip():
        raise DecisionError("请写明证据：转移资产或利润的事实、文件或来源（UC-12）。")
    members = current_members(group, as_of=business_date)
    if any(member["customer"] == customer.pk for member in members):
        raise DecisionError(f"{customer} 已是 {group.name} 的成员。")
    members.append({"customer": customer.pk, "basis": OTHER_RELATION, "proof": _stated(customer, reason, evidence)})
    return _propose(
        GroupChange(
            kind=GroupChange.Kind.ADD, group=group, name=group.name, members=members, reason=reason, evidence=evidence
        ),
        actor,
        business_date,
    )


def _stated(customer: Customer, reason: str, evidence: str) -> list[dict[str, Any]]:
    """A proof by statement: no votes, but the reason and the evidence that people decided on."""
    sentence = f"{customer.party.name}：{reason.strip()}（证据：{evidence.strip()}）→ 按其他关联关系纳入"
    return [{"company": customer.party_id, "total": "0", "via": [], "sentence": sentence}]


@transaction.atomic
def propose_exclusion(
    *, actor: Staff, group: CustomerGroup, customer: Customer, reason: str, business_date: dt.date
) -> GroupChange:
    """Propose to take a member out, whatever its basis; the group keeps at least one member."""
    _require_officer(actor, business_date)
    members = current_members(group, as_of=business_date)
    kept = [member for member in members if member["customer"] != customer.pk]
    if len(kept) == len(members):
        raise DecisionError(f"{customer} 不是 {group.name} 的成员。")
    if not kept:
        raise DecisionError("剔除后没有成员，请改为撤销集团。")
    change = GroupChange(kind=GroupChange.Kind.EXCLUDE, group=group, name=group.name, members=kept, reason=reason)
    return _propose(change, actor, business_date)


@transaction.atomic
def propose_closing(*, actor: Staff, group: CustomerGroup, reason: str, business_date: dt.date) -> GroupChange:
    """Propose to end a group: its members are single customers from then on."""
    _require_officer(actor, business_date)
    change = GroupChange(kind=GroupChange.Kind.CLOSE, group=group, name=group.name, members=[], reason=reason)
    return _propose(change, actor, business_date)


@transaction.atomic
def propose_merge_decision(
    *,
    actor: Staff,
    task: MergeTask,
    choice: str,
    reason: str,
    business_date: dt.date,
    name: str = "",
    responsible: Staff | None = None,
) -> GroupChange:
    """Propose what two overlapping proposals are (A-02): ``merge`` one group, ``first`` or ``second`` keeps the shared.

    Raises:
        DecisionError: the task is decided, or a new group has no responsible person.
    """
    _require_officer(actor, business_date)
    task = MergeTask.objects.select_for_update().get(pk=task.pk)
    if task.status != MergeTask.Status.OPEN:
        raise DecisionError(f"该任务为“{task.get_status_display()}”，不能再认定。")
    if choice not in ("merge", "first", "second"):
        raise DecisionError("请选择合并，或共有成员归哪一方。")
    if choice != "merge":
        keeper = task.first if choice == "first" else task.second
        change = GroupChange(kind=GroupChange.Kind.SEPARATE, task=task, candidate=keeper, reason=reason)
        return _propose(change, actor, business_date)
    groups = [group for group in (_group_of(task.first), _group_of(task.second)) if group is not None]
    group = groups[0] if groups else None
    if group is None and responsible is None:
        raise DecisionError("请指定集团负责人，没有负责人不能生效（BR-11）。")
    members = {member["customer"]: member for member in [*members_of(task.second), *members_of(task.first)]}
    for known in groups:
        for member in current_members(known, as_of=business_date):
            members.setdefault(member["customer"], member)
    change = GroupChange(
        kind=GroupChange.Kind.MERGE,
        task=task,
        group=group,
        name=name or (group.name if group else task.first.name),
        responsible=responsible,
        members=sorted(members.values(), key=lambda member: member["customer"]),
        reason=reason,
    )
    return _propose(change, actor, business_date)


def _group_of(candidate: Candidate) -> CustomerGroup | None:
    """The group that a candidate is, or would update."""
    return candidate.group or candidate.updates


def _propose(change: GroupChange, actor: Staff, business_date: dt.date) -> GroupChange:
    if not change.reason.strip():
        raise DecisionError("请填写理由。")
    if change.group is not None:
        CustomerGroup.objects.select_for_update().get(pk=change.group.pk)
        if change.group.changes.filter(status=GroupChange.Status.PROPOSED).exists():
            raise DecisionError(f"{change.group.name} 已有待认定的提议，请先认定或撤回。")
    if change.candidate is not None and change.candidate.changes.filter(status=GroupChange.Status.PROPOSED).exists():
        raise DecisionError("该提案已有待认定的提议，请先认定或撤回。")
    if change.kind not in (GroupChange.Kind.MERGE, GroupChange.Kind.SEPARATE):
        _require_free((member["customer"] for member in change.members), change.group, business_date)
        if change.group is None and _is_single(change.members, business_date):
            raise DecisionError("集团须至少两家授信成员；只有一家的是单一客户，无需认定。")
    change.proposed_by = actor
    change.save()
    audit.record(
        actor=actor,
        action="groups.change.proposed",
        subject=_subject(change),
        summary=f"提议{change.get_kind_display()}：{change.name or change.candidate}。{change.reason}",
        business_date=business_date,
        details={"change": change.pk},
    )
    return change


# --- decide -------------------------------------------------------------------------------------------------------


@transaction.atomic
def decide(
    *, actor: Staff, change: GroupChange, is_approved: bool, decision: str, business_date: dt.date
) -> GroupChange:
    """Approve or refuse what another officer proposed. An approval writes membership and a new version.

    Raises:
        DecisionError: the same person, no role, no words, or the facts changed since it was proposed.
    """
    change = (
        GroupChange.objects.select_for_update(of=("self",))
        .select_related("group", "candidate", "task")
        .get(pk=change.pk)
    )
    _require_two_officers(actor, change.proposed_by, business_date)
    if not decision.strip():
        raise DecisionError("请填写认定意见。")
    if change.status != GroupChange.Status.PROPOSED:
        raise DecisionError(f"该提议为“{change.get_status_display()}”，不能再认定。")
    change.status = GroupChange.Status.APPROVED if is_approved else GroupChange.Status.REFUSED
    change.decided_by, change.decided_at, change.decision = actor, timezone.now(), decision
    if is_approved:
        _APPLY[GroupChange.Kind(change.kind)](change, business_date)
    change.save()
    audit.record(
        actor=actor,
        action=f"groups.change.{change.status}",
        subject=_subject(change),
        summary=f"{change.get_kind_display()}：{change.get_status_display()}。{_title(change)}，{decision}",
        business_date=business_date,
        details={"change": change.pk, "proposed_by": change.proposed_by.username},
    )
    return change


@transaction.atomic
def withdraw(*, actor: Staff, change: GroupChange, business_date: dt.date) -> GroupChange:
    """The proposer takes a proposal back before it is decided."""
    change = GroupChange.objects.select_for_update().get(pk=change.pk)
    if change.status != GroupChange.Status.PROPOSED:
        raise DecisionError(f"该提议为“{change.get_status_display()}”，不能撤回。")
    if change.proposed_by_id != actor.pk:
        raise DecisionError("只有提议人可以撤回。")
    change.status, change.decided_at = GroupChange.Status.WITHDRAWN, timezone.now()
    change.save(update_fields=["status", "decided_at"])
    audit.record(
        actor=actor,
        action="groups.change.withdrawn",
        subject=_subject(change),
        summary=f"撤回提议：{change.get_kind_display()}",
        business_date=business_date,
        details={"change": change.pk},
    )
    return change


def _title(change: GroupChange) -> str:
    return change.name or str(change.candidate)


def _subject(change: GroupChange) -> tuple[str, object]:
    return ("group", change.group_id) if change.group_id else ("group_change", change.pk)


def _apply_confirmation(change: GroupChange, business_date: dt.date) -> None:
    assert change.candidate is not None  # noqa: S101 - proposed on a candidate
    candidate = Candidate.objects.select_for_update().get(pk=change.candidate.pk)
    if candidate.status != Candidate.Status.PROPOSED:
        raise DecisionError("该提案已被新的识别结果取代，请按新提案重新提议。")
    change.group = _group_for(change)
    _write(change, business_date)
    Candidate.objects.filter(pk=candidate.pk).update(
        status=Candidate.Status.CONFIRMED,
        group=change.group,
        reason=change.decision,
        decided_by=change.decided_by,
        decided_at=change.decided_at,
    )


def _apply_members(change: GroupChange, business_date: dt.date) -> None:
    _write(change, business_date)


def _apply_merge(change: GroupChange, business_date: dt.date) -> None:
    task = _close_task(change)
    for candidate in (task.first, task.second):
        other = _group_of(candidate)
        if other is not None and other.pk != change.group_id:
            _rewrite(other, [], change, business_date)
            CustomerGroup.objects.filter(pk=other.pk).update(status=CustomerGroup.Status.CLOSED)
    change.group = _group_for(change)
    _write(change, business_date)
    Candidate.objects.filter(pk__in=[task.first_id, task.second_id]).update(
        status=Candidate.Status.CONFIRMED,
        group=change.group,
        reason=change.decision,
        decided_by=change.decided_by,
        decided_at=change.decided_at,
    )


def _apply_separation(change: GroupChange, _business_date: dt.date) -> None:
    _close_task(change)


def _close_task(change: GroupChange) -> MergeTask:
    assert change.task is not None  # noqa: S101 - proposed on a task
    task = MergeTask.objects.select_for_update(of=("self",)).select_related("first", "second").get(pk=change.task.pk)
    if task.status != MergeTask.Status.OPEN:
        raise DecisionError("该任务已被新的识别结果取代，请按新提案重新提议。")
    task.status, task.decision = MergeTask.Status.DECIDED, f"{change.get_kind_display()}：{change.reason}"
    task.decided_by, task.decided_at = change.decided_by, change.decided_at
    task.save(update_fields=["status", "decision", "decided_by", "decided_at"])
    return task


_APPLY = {
    GroupChange.Kind.CONFIRM: _apply_confirmation,
    GroupChange.Kind.UPDATE: _apply_confirmation,
    GroupChange.Kind.ADD: _apply_members,
    GroupChange.Kind.EXCLUDE: _apply_members,
    GroupChange.Kind.CLOSE: _apply_members,
    GroupChange.Kind.MERGE: _apply_merge,
    GroupChange.Kind.SEPARATE: _apply_separation,
}


def _group_for(change: GroupChange) -> CustomerGroup:
    """The group that a change is about; a new one gets the next number and its responsible person."""
    if change.group is not None:
        return change.group
    if change.responsible is None:
        raise DecisionError("请指定集团负责人，没有负责人不能生效（BR-11）。")
    last = CustomerGroup.objects.select_for_update().order_by("-number").values_list("number", flat=True).first()
    number = int(last.removeprefix("JT-")) + 1 if last else 1
    return CustomerGroup.objects.create(number=f"JT-{number:05d}", name=change.name, responsible=change.responsible)


def _write(change: GroupChange, business_date: dt.date) -> None:
    assert change.group is not None  # noqa: S101 - every caller has one
    _rewrite(change.group, change.members, change, business_date)


def _is_single(members: Sequence[Target], business_date: dt.date) -> bool:
    """Whether so few members are no group."""
    return len(members) < load_book().whole("group.min_members", business_date)


def _require_free(customers: Iterable[int], group: CustomerGroup | None, business_date: dt.date) -> None:
    """Nobody belongs to two groups at once."""
    others = memberships_on(business_date).filter(customer__in=list(customers))
    if group is not None:
        others = others.exclude(group=group)
    taken = others.select_related("customer__party", "group").first()
    if taken is not None:
        raise DecisionError(f"{taken.customer} 已是集团 {taken.group.name} 的成员，请先处理合并认定。")


def _rewrite(group: CustomerGroup, target: Sequence[Target], change: GroupChange, business_date: dt.date) -> None:
    """Make a membership the target from today on: close what is known, write what is known from now on.

    Fewer members than make a group are single customers: the group is closed and its last member leaves (Y08).
    """
    wanted = {member["customer"]: member for member in target}
    if _is_single(target, business_date):
        wanted = {}
        CustomerGroup.objects.filter(pk=group.pk).update(status=CustomerGroup.Status.CLOSED)
        group.status = CustomerGroup.Status.CLOSED
    now = timezone.now()
    rows = Membership.objects.select_for_update().filter(
        group=group, recorded__contains=now, valid__contains=business_date
    )
    leaving = [row for row in rows if row.customer_id not in wanted]
    staying = {row.customer_id for row in rows} - {row.customer_id for row in leaving}
    _require_free(wanted.keys() - staying, group, business_date)
    for row in leaving:
        Membership.objects.filter(pk=row.pk).update(recorded=TimestamptzRange(row.recorded.lower, now))
        if row.valid.lower is not None and row.valid.lower < business_date:
            row.pk, row.valid, row.recorded = (
                None,
                DateRange(row.valid.lower, business_date),
                TimestamptzRange(now, None),
            )
            row.save(force_insert=True)
    Membership.objects.bulk_create(
        Membership(
            group=group,
            customer_id=customer,
            basis=member["basis"],
            evidence=member.get("proof", []),
            candidate=change.candidate,
            valid=DateRange(business_date, None),
            recorded=TimestamptzRange(now, None),
            proposed_by=change.proposed_by,
            confirmed_by=change.decided_by,
        )
        for customer, member in sorted(wanted.items())
        if customer not in staying
    )
    last = group.versions.order_by("-number").first()
    GroupVersion.objects.create(
        group=group,
        number=last.number + 1 if last else 1,
        change=change if group == change.group else None,
        members=[{"customer": customer, "basis": member["basis"]} for customer, member in sorted(wanted.items())],
        valid_from=business_date,
    )


# --- read ---------------------------------------------------------------------------------------------------------


def members_of(candidate: Candidate) -> list[Target]:
    """The customers of a candidate with basis and proof."""
    found = candidate.members.filter(is_customer=True, party__customer__isnull=False).select_related("party__customer")
    return [
        {"customer": member.party.customer.pk, "basis": member.basis, "proof": member.proof}
        for member in found.order_by("party__customer__number")
    ]


def current_members(group: CustomerGroup, *, as_of: dt.date) -> list[Target]:
    """The confirmed members of a group with basis and proof."""
    return [
        {"customer": row.customer_id, "basis": row.basis, "proof": row.evidence}
        for row in list_members(group, as_of=as_of)
    ]


def _left_to_others(candidate: Candidate) -> set[int]:
    """Customers that a decided task left to the other of two overlapping proposals, also one of an earlier run."""
    own = party_set(candidate)
    parties: set[int] = set()
    tasks = MergeTask.objects.filter(
        Q(first=candidate) | Q(second=candidate), determination=candidate.determination_id,
        status=MergeTask.Status.DECIDED,
    )  # fmt: skip
    for task in tasks:
        kept = kept_apart(task.carried_from or task)
        if kept is not None and kept != own:
            parties |= set(task.shared)
    return set(Customer.objects.filter(party__in=parties).values_list("pk", flat=True))


def party_set(candidate: Candidate) -> frozenset[int]:
    """The parties of a proposal that are customers."""
    return frozenset(candidate.members.filter(is_customer=True).values_list("party_id", flat=True))


def kept_apart(task: MergeTask) -> frozenset[int] | None:
    """The parties of the proposal to which a task was decided apart; None when it was not."""
    change = task.changes.filter(kind=GroupChange.Kind.SEPARATE, status=GroupChange.Status.APPROVED).first()
    return party_set(change.candidate) if change is not None and change.candidate is not None else None


def excluded_from(group: CustomerGroup) -> set[int]:
    """Customers that people decided to leave out of a group although the evidence puts them there."""
    excluded: set[int] = set()
    before: set[int] = set()
    approved = (
        group.changes.filter(status=GroupChange.Status.APPROVED).select_related("candidate").order_by("decided_at")
    )
    for change in approved:
        after = {member["customer"] for member in change.members}
        if change.candidate is not None:
            before |= {member["customer"] for member in members_of(change.candidate)}
        excluded = (excluded | (before - after)) - after
        before = after
    return excluded


def difference(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> Mapping[str, list[int]]:
    """Customers that came, went, and stayed with another basis."""
    old = {member["customer"]: member["basis"] for member in before}
    new = {member["customer"]: member["basis"] for member in after}
    return {
        "came": sorted(new.keys() - old.keys()),
        "went": sorted(old.keys() - new.keys()),
        "basis_changed": sorted(c for c in old.keys() & new.keys() if old[c] != new[c]),
        "stayed": sorted(c for c in old.keys() & new.keys() if old[c] == new[c]),
    }


# --- who may ------------------------------------------------------------------------------------------------------


def _require_officer(person: Staff, as_of: dt.date) -> None:
    is_officer = RoleAssignment.Role.IDENTIFICATION_OFFICER in roles_of(person, as_of=as_of)
    if not is_officer or not person.unit.is_head_office:
        raise DecisionError(f"{person.name} 没有总行集团认定权限，集团范围由总行认定岗确定（UC-13）。")


def _require_two_officers(actor: Staff, proposer: Staff, as_of: dt.date) -> None:
    for person in (actor, proposer):
        _require_officer(person, as_of)
    if actor.pk == proposer.pk:
        raise DecisionError("提议人与认定人不能是同一人（四眼原则），请由另一位认定岗办理。")


@transaction.atomic
def name_responsible(*, actor: Staff, group: CustomerGroup, responsible: Staff, business_date: dt.date) -> None:
    """Name who manages a group day by day (BR-11)."""
    _require_officer(actor, business_date)
    if not responsible.is_active:
        raise DecisionError(f"{responsible.name} 已离岗，不能负责集团。")
    CustomerGroup.objects.filter(pk=group.pk).update(responsible=responsible)
    audit.record(
        actor=actor,
        action="groups.responsible.named",
        subject=("group", group.pk),
        summary=f"{group.name} 负责人改为 {responsible.name}",
        business_date=business_date,
        details={"before": group.responsible_id, "after": responsible.pk},
    )
