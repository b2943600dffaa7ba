"""Members leave or are removed, the group ends (RC-17 to RC-19). Nothing of it before the debts allow it."""

import datetime as dt
from collections.abc import Mapping

from django.db import IntegrityError, transaction

from shouxin.bank.models import Staff
from shouxin.domain.findings import Finding
from shouxin.domain.payroll_group import Debt, equal_shares, judge_all_repaid, judge_consents, judge_removal
from shouxin.payroll_groups import lending, rights
from shouxin.payroll_groups.models import Assumption, Contract, Departure, Loan, Member, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError
from shouxin.payroll_groups.selectors import debts_of, owed_fen

_Kind, _State = Departure.Kind, Departure.State


@transaction.atomic
def ask_to_leave(*, actor: Staff, member: Member, kind: str, reason: str, business_date: dt.date) -> Departure:
    """Open an exit that a member asked for, or the removal of a member in breach.

    A removal starts with equal shares of the debt for all the others, to be signed one by one.

    Raises PayrollGroupError without a reason, for a removal without a recorded breach, or when one is open.
    """
    group = rights.locked(member.group, PayrollGroup.State.ACTIVE)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    member = rights.locked_member(member)
    if member.state != Member.State.ACTIVE:
        raise PayrollGroupError(f"{member} {member.get_state_display()}，不是在册成员。")
    if not reason.strip():
        raise PayrollGroupError("请写明事由。")
    if kind == _Kind.REMOVAL and not member.loans.exclude(breach="").exists():
        raise PayrollGroupError(f"{member} 没有违约记录；除名须先登记违约情形（RC-19）。")
    try:
        with transaction.atomic():
            departure = Departure.objects.create(
                member=member, kind=kind, asked_date=business_date, reason=reason.strip(), asked_by=actor
            )
    except IntegrityError as error:
        raise PayrollGroupError(f"{member} 已有办理中的退出或除名。") from error
    debt = owed_fen(member)
    if kind == _Kind.REMOVAL and debt:
        others = others_of(member)
        shares = equal_shares(debt, len(others)) if others else []
        Assumption.objects.bulk_create(
            Assumption(departure=departure, member=other, share_fen=share)
            for other, share in zip(others, shares, strict=True)
        )
    rights.trace(actor, group, "departure.asked", f"{departure.get_kind_display()} {member}：{reason}", business_date)
    return departure


def others_of(member: Member) -> list[Member]:
    """Everybody else in the group today, who answer for a member's debt."""
    others = member.group.members.filter(state=Member.State.ACTIVE).exclude(pk=member.pk)
    return list(others.select_related("customer__party").order_by("pk"))


@transaction.atomic
def share_debt(
    *, actor: Staff, departure: Departure, shares_fen: Mapping[int, int], business_date: dt.date
) -> Departure:
    """Set what each of the others takes over (by member id); the sum must be the whole debt.

    The others are those in the group today. All sign anew, and both consents are given anew.
    """
    departure = _locked(departure)
    rights.require(actor, departure.member.group, rights.CREDIT_UNION, day=business_date)
    owed = owed_fen(departure.member)
    if sum(shares_fen.values()) != owed or any(share < 0 for share in shares_fen.values()):
        raise PayrollGroupError("各成员承担的金额合计须等于欠款，且不能为负。")
    if set(shares_fen) != {other.pk for other in others_of(departure.member)}:
        raise PayrollGroupError("须为现有其他每一名成员填写承担金额（可为 0）。")
    departure.assumptions.all().delete()
    Assumption.objects.bulk_create(
        Assumption(departure=departure, member_id=member, share_fen=share)
        for member, share in sorted(shares_fen.items())
    )
    departure.leader_agreed_date, departure.leader_document = None, ""
    departure.union_agreed_by, departure.union_agreed_date = None, None
    departure.save(update_fields=["leader_agreed_date", "leader_document", "union_agreed_by", "union_agreed_date"])
    rights.trace(actor, departure.member.group, "departure.shared", f"分担 {departure.member} 的欠款", business_date)
    return departure


@transaction.atomic
def sign_assumption(*, actor: Staff, assumption: Assumption, business_date: dt.date) -> Assumption:
    """Another member has signed to take over their share."""
    departure = _locked(assumption.departure)
    rights.require(actor, departure.member.group, rights.CREDIT_UNION, day=business_date)
    Assumption.objects.filter(pk=assumption.pk).update(signed_date=business_date)
    assumption.refresh_from_db()
    rights.trace(actor, departure.member.group, "departure.assumed", f"{assumption.member} 签署承担债务", business_date)
    return assumption


@transaction.atomic
def leader_agrees(*, actor: Staff, departure: Departure, document: str, business_date: dt.date) -> Departure:
    """Record the written consent of the group's leader, the employer's head (RC-18, A-13)."""
    departure = _locked(departure)
    rights.require(actor, departure.member.group, rights.CREDIT_UNION, day=business_date)
    if not document.strip():
        raise PayrollGroupError("请填写集团负责人同意书的编号。")
    departure.leader_agreed_date, departure.leader_document = business_date, document.strip()
    departure.save(update_fields=["leader_agreed_date", "leader_document"])
    rights.trace(actor, departure.member.group, "departure.leader_agreed", f"集团负责人同意 {departure}", business_date)
    return departure


@transaction.atomic
def union_agrees(*, actor: Staff, departure: Departure, business_date: dt.date) -> Departure:
    """The credit union's head agrees; not the person who opened the matter."""
    departure = _locked(departure)
    rights.require(actor, departure.member.group, rights.CREDIT_UNION_HEAD, day=business_date)
    if departure.asked_by_id == actor.pk:
        raise PayrollGroupError("经办人不能代表信用社同意自己提出的事项（四眼原则）。")
    departure.union_agreed_by, departure.union_agreed_date = actor, business_date
    departure.save(update_fields=["union_agreed_by", "union_agreed_date"])
    rights.trace(actor, departure.member.group, "departure.union_agreed", f"信用社同意 {departure}", business_date)
    return departure


def departure_findings(departure: Departure) -> list[Finding]:
    """What still stands in the way of a departure."""
    member = departure.member
    leader, union = departure.leader_agreed_date is not None, departure.union_agreed_by_id is not None
    if departure.kind == _Kind.EXIT:
        where = "第七条（一）1"
        return [
            *judge_all_repaid(debts_of(member.group), act="退出", article="RC-18", where=where),
            *judge_consents(leader=leader, union=union, article="RC-18", where=where),
        ]
    signed = list(departure.assumptions.select_related("member__customer__party"))
    return judge_removal(
        member=Debt(str(member), owed_fen(member)),
        assumed_fen=sum(one.share_fen for one in signed if one.signed_date),
        unsigned=[str(one.member) for one in signed if not one.signed_date], leader=leader, union=union,
        is_stale={one.member_id for one in signed} != {other.pk for other in others_of(member)},
    )  # fmt: skip


@transaction.atomic
def finish_departure(*, actor: Staff, departure: Departure, business_date: dt.date) -> Departure:
    """Make an exit or a removal effective; a debt that others took over moves to them in the same transaction.

    Raises PayrollRefusedError with everything that is missing.
    """
    departure = _locked(departure)
    member = departure.member
    rights.locked(member.group, PayrollGroup.State.ACTIVE)
    rights.require(actor, member.group, rights.CREDIT_UNION, day=business_date)
    rights.refuse_if_any(departure_findings(departure))
    if departure.kind == _Kind.REMOVAL:
        _move_debts(departure, business_date)
    member.state = Member.State.LEFT if departure.kind == _Kind.EXIT else Member.State.REMOVED
    member.left_date = business_date
    member.save(update_fields=["state", "left_date"])
    departure.state, departure.done_date = _State.DONE, business_date
    departure.save(update_fields=["state", "done_date"])
    rights.trace(actor, member.group, "departure.done", f"{departure} 生效", business_date)
    return departure


def _move_debts(departure: Departure, day: dt.date) -> None:
    """Loan by loan, each other member's share is filled in turn, so that shares and loans both come out exactly."""
    assert departure.union_agreed_by is not None  # noqa: S101 - both consents were judged above
    by = (departure.asked_by, departure.union_agreed_by)
    givers = list(departure.assumptions.select_related("member"))
    room_fen = {one.pk: one.share_fen for one in givers}
    for loan in departure.member.loans.select_for_update(of=("self",)).filter(state=Loan.State.OUT).order_by("pk"):
        left, shares = loan.owed_fen, []
        for giver in givers:
            part = min(room_fen[giver.pk], left)
            room_fen[giver.pk] -= part
            left -= part
            if part:
                shares.append((giver.member, part))
        lending.move_debt(
            loan=loan, shares_fen=shares, by=by, voucher=f"{rights.RESERVED}{departure.pk}-{loan.pk}", business_date=day
        )  # fmt: skip


@transaction.atomic
def withdraw_departure(*, actor: Staff, departure: Departure, business_date: dt.date) -> Departure:
    """The matter is dropped; it stays on record."""
    departure = _locked(departure)
    rights.require(actor, departure.member.group, rights.CREDIT_UNION, day=business_date)
    departure.state = _State.WITHDRAWN
    departure.save(update_fields=["state"])
    rights.trace(actor, departure.member.group, "departure.withdrawn", f"撤销 {departure}", business_date)
    return departure


@transaction.atomic
def dissolve(*, actor: Staff, group: PayrollGroup, business_date: dt.date) -> PayrollGroup:
    """End a group; only once all members have repaid principal and interest (RC-17).

    Raises PayrollRefusedError naming who still owes.
    """
    rights.require_county_union(actor, rights.COUNTY_APPROVER, day=business_date, article="RC-17")
    group = rights.locked(group, PayrollGroup.State.ACTIVE, PayrollGroup.State.QUALIFIED)
    rights.refuse_if_any(judge_all_repaid(debts_of(group), act="解散集团", article="RC-17", where="第六条"))
    if Loan.objects.filter(member__group=group, state=Loan.State.REQUESTED).exists():
        raise PayrollGroupError("还有待复核的贷款，请先撤回。")
    group.members.filter(state__in=[Member.State.ACTIVE, *Member.CANDIDATES], applied_date__isnull=False,
                         investigation__isnull=False, reviewed_by__isnull=False).update(
        state=Member.State.LEFT, left_date=business_date
    )  # fmt: skip
    group.members.filter(state__in=[Member.State.LISTED, Member.State.APPLIED]).update(state=Member.State.REJECTED)
    Departure.objects.filter(member__group=group, state=_State.OPEN).update(state=_State.WITHDRAWN)
    group.contracts.filter(state=Contract.State.DRAFT).update(state=Contract.State.REFUSED, opinion="集团已解散")
    group.state, group.dissolved_date, group.dissolved_by = PayrollGroup.State.DISSOLVED, business_date, actor
    group.save(update_fields=["state", "dissolved_date", "dissolved_by"])
    rights.trace(actor, group, "dissolved", "全体成员已还清，集团解散", business_date)
    return group


def _locked(departure: Departure) -> Departure:
    found = (
        Departure.objects.select_for_update(of=("self",))
        .select_related("member__group__employer__party", "member__customer__party")
        .get(pk=departure.pk)
    )
    if found.state != _State.OPEN:
        raise PayrollGroupError(f"{found} {found.get_state_display()}，不再办理。")
    return found
