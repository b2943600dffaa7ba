"""Loans to members: asked for, released by another person, repaid, overdue. The contract's limit is never exceeded."""

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from shouxin.bank.models import Staff
from shouxin.domain.findings import Finding
from shouxin.domain.money import format_yuan
from shouxin.domain.payroll_group import LoanFacts, fund_due_fen, judge_loan
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.accounts import contributed_fen
from shouxin.payroll_groups.models import Contract, Departure, FundAccount, Loan, LoanEntry, Member, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError
from shouxin.payroll_groups.selectors import contract_on, principal_fen
from shouxin.policy import load_book

_Kind = LoanEntry.Kind


def loan_findings(
    member: Member, *, amount_fen: int, loan_date: dt.date, due_date: dt.date, besides: Loan | None = None
) -> list[Finding]:
    """All that the rules say of a loan to a member on its day; ``besides``: this request itself does not count."""
    group, book = member.group, load_book()
    contract = contract_on(group, day=loan_date) or group.contracts.filter(state=Contract.State.IN_FORCE).first()
    fund = FundAccount.objects.filter(group=group).select_related("custodian").first()
    has_account = bool(group.account_number) and (group.account_opened_date or loan_date) <= loan_date
    facts = LoanFacts(
        day=loan_date, amount_fen=amount_fen, due=due_date, member_name=str(member),
        member_status=member.get_state_display(),
        is_member=member.state == Member.State.ACTIVE and (member.joined_date or loan_date) <= loan_date,
        member_limit_fen=member.limit_fen, member_owed_fen=principal_fen(member),
        contract=(contract.signed_date, contract.end_date) if contract else None,
        limit_fen=contract.limit_fen if contract else 0, owed_fen=contract.owed_fen if contract else 0,
        has_unit_account=has_account,
        has_payroll_agreement=bool(group.payroll_agreement) and (group.payroll_from or loan_date) <= loan_date,
        has_special_account=fund is not None
        and fund.kind == FundAccount.Kind.SPECIAL
        and fund.opened_date <= loan_date,
        has_custodian=fund is not None and fund.custodian is not None and fund.custodian.is_active,
        fund_paid_fen=free_contribution_fen(member, besides=besides), owes_overdue=bool(member.owes_overdue),
        is_leaving=member.departures.filter(state=Departure.State.OPEN).exists(),
        is_in_breach=member.loans.filter(state=Loan.State.OUT).exclude(breach="").exists(),
        members=group.members.filter(state=Member.State.ACTIVE).count(),
        is_joint_debt_overdue=Loan.objects.filter(
            member__group=group, state=Loan.State.OUT, due_date__lt=loan_date
        ).exists(),
    )  # fmt: skip
    return judge_loan(facts, book=book, as_of=loan_date)


def free_contribution_fen(member: Member, *, besides: Loan | None = None) -> int:
    """What a member paid into the fund beyond what earlier loans already ask for (additional loans add, A-11)."""
    counted = member.loans.exclude(state=Loan.State.WITHDRAWN)
    if besides is not None:
        counted = counted.exclude(pk=besides.pk)
    return contributed_fen(member) - int(counted.aggregate(total=Sum("fund_due_fen"))["total"] or 0)


def _fund_due_fen(amount_fen: int, day: dt.date) -> int:
    percent = load_book().in_force("payroll.fund_pct", day)
    return fund_due_fen(amount_fen, percent.decimal) if percent else 0


@transaction.atomic
def request_loan(
    *, actor: Staff, member: Member, number: str, amount_fen: int, due_date: dt.date, business_date: dt.date
) -> Loan:
    """Ask for a loan to a member, paid out once another person has released it.

    Raises:
        PayrollRefusedError: rules refuse; all reasons in ``findings``, nothing was written.
        PayrollGroupError: no role, no number, or a number that is used already.
    """
    group = rights.locked(member.group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    number = rights.free_number(number, "借据号")
    if amount_fen <= 0:
        raise PayrollGroupError("请填写大于 0 的贷款额（元）。")
    member = rights.locked_member(member)
    found = rights.refuse_if_any(
        loan_findings(member, amount_fen=amount_fen, loan_date=business_date, due_date=due_date)
    )
    contract = contract_on(group, day=business_date)
    assert contract is not None  # noqa: S101 - a loan outside any contract was refused above
    try:
        with transaction.atomic():
            loan = Loan.objects.create(
                number=number, contract=contract, member=member, amount_fen=amount_fen,
                fund_due_fen=_fund_due_fen(amount_fen, business_date),
                loan_date=business_date, due_date=due_date, requested_by=actor,
                findings=[finding.stored() for finding in found],
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"借据号 {number} 已存在，没有重复登记。") from error
    rights.trace(actor, group, "loan.requested", f"{member} 申请贷款 {format_yuan(amount_fen)} 元", business_date)
    return loan


@transaction.atomic
def release_loan(*, actor: Staff, loan: Loan, business_date: dt.date) -> Loan:
    """A second person pays a loan out; everything is judged anew under lock, the limit by the database as well."""
    group = rights.locked(loan.member.group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.SECOND_PERSON, day=business_date)
    member = rights.locked_member(loan.member)
    loan = _locked_loan(loan, Loan.State.REQUESTED)
    if loan.requested_by_id == actor.pk:
        raise PayrollGroupError("经办人不能复核自己的放款（四眼原则）。")
    contract = Contract.objects.select_for_update().get(pk=loan.contract_id)
    rights.refuse_if_any(
        loan_findings(member, amount_fen=loan.amount_fen, loan_date=business_date, due_date=loan.due_date, besides=loan)
    )
    Contract.objects.filter(pk=contract.pk).update(owed_fen=F("owed_fen") + loan.amount_fen)
    loan.state, loan.released_by, loan.loan_date = Loan.State.OUT, actor, business_date
    loan.principal_fen = loan.amount_fen
    loan.save(update_fields=["state", "released_by", "loan_date", "principal_fen"])
    _enter(loan, _Kind.PAID_OUT, loan.amount_fen, 0, loan.number, actor, business_date)
    rights.trace(
        actor, group, "loan.released", f"发放 {member} 贷款 {format_yuan(loan.amount_fen)} 元，借据 {loan.number}",
        business_date,
    )  # fmt: skip
    return loan


@transaction.atomic
def withdraw_loan(*, actor: Staff, loan: Loan, business_date: dt.date) -> Loan:
    """Take back a request that was not paid out."""
    rights.require(actor, loan.member.group, rights.CREDIT_UNION, day=business_date)
    loan = _locked_loan(loan, Loan.State.REQUESTED)
    loan.state = Loan.State.WITHDRAWN
    loan.save(update_fields=["state"])
    rights.trace(actor, loan.member.group, "loan.withdrawn", f"撤回借据 {loan.number}", business_date)
    return loan


@transaction.atomic
def charge_interest(*, actor: Staff, loan: Loan, amount_fen: int, voucher: str, business_date: dt.date) -> Loan:
    """Interest that has fallen due and is owed; nobody leaves and no fund is touched while it is."""
    loan = _ready(actor, loan, amount_fen, voucher, business_date)
    if amount_fen > loan.amount_fen:
        raise PayrollGroupError("应收利息超过贷款额，请核对金额。")
    _change(loan, _Kind.INTEREST, 0, amount_fen, voucher, actor, business_date)
    rights.trace(
        actor, loan.member.group, "loan.interest", f"{loan.number} 应收利息 {format_yuan(amount_fen)} 元", business_date
    )
    return loan


@transaction.atomic
def repay(
    *, actor: Staff, loan: Loan, principal_fen: int, interest_fen: int, voucher: str, business_date: dt.date,
    is_forced: bool = False,
) -> Loan:  # fmt: skip
    """Book a repayment, or what was recovered by force (强制收回); the whole rest closes the loan.

    Raises PayrollGroupError for more than is owed, for nothing, or for a voucher that is booked already.
    """
    if principal_fen < 0 or interest_fen < 0:
        raise PayrollGroupError("金额不能为负。")
    loan = _ready(actor, loan, principal_fen + interest_fen, voucher, business_date)
    if principal_fen > loan.principal_fen or interest_fen > loan.interest_fen:
        raise PayrollGroupError(
            f"{loan.number} 欠本金 {format_yuan(loan.principal_fen)} 元、利息 {format_yuan(loan.interest_fen)} 元，"
            "归还不能更多。"
        )
    kind = _Kind.RECOVERED if is_forced else _Kind.REPAID
    _change(loan, kind, -principal_fen, -interest_fen, voucher, actor, business_date)
    rights.trace(
        actor, loan.member.group, "loan.repaid",
        f"{loan.number} {_Kind(kind).label}本金 {format_yuan(principal_fen)} 元、利息 {format_yuan(interest_fen)} 元",
        business_date,
    )  # fmt: skip
    return loan


_REVERSIBLE = frozenset({_Kind.REPAID, _Kind.RECOVERED, _Kind.INTEREST})


@transaction.atomic
def reverse_entry(*, actor: Staff, entry: LoanEntry, reason: str, business_date: dt.date) -> Loan:
    """A second person takes back a repayment or interest that was booked wrongly; both entries stay on record.

    Raises PayrollGroupError for whoever booked it, for other entries, twice, or when the limit has no room again.
    """
    loan = entry.loan
    group = rights.locked(loan.member.group)
    rights.require(actor, group, rights.SECOND_PERSON, day=business_date)
    loan = Loan.objects.select_for_update(of=("self",)).select_related("member__group").get(pk=loan.pk)
    if entry.kind not in _REVERSIBLE or LoanEntry.objects.filter(reverses=entry).exists():
        raise PayrollGroupError("只能冲正还款和应收利息，每笔一次。")
    if entry.entered_by_id == actor.pk:
        raise PayrollGroupError("记账人不能冲正自己的记账（四眼原则）。")
    if not reason.strip():
        raise PayrollGroupError("请写明冲正原因。")
    if loan.interest_fen < entry.interest_fen:
        raise PayrollGroupError("该笔利息已归还，请先冲正还款。")
    contract = Contract.objects.select_for_update().get(pk=loan.contract_id)
    if contract.owed_fen - entry.principal_fen > contract.limit_fen:
        raise PayrollGroupError("冲正后贷款余额超过集团授信额度，请先压降其他贷款。")
    _change(
        loan, _Kind.REVERSED, -entry.principal_fen, -entry.interest_fen, f"{rights.RESERVED}冲{entry.pk}", actor,
        business_date, reverses=entry,
    )  # fmt: skip
    rights.trace(
        actor, group, "loan.reversed", f"冲正 {loan.number} {entry.get_kind_display()} {entry.voucher}：{reason}",
        business_date,
    )  # fmt: skip
    return loan


@transaction.atomic
def note_breach(*, actor: Staff, loan: Loan, text: str, business_date: dt.date) -> Loan:
    """Record how a member broke the contract; removal needs it (RC-19)."""
    rights.require(actor, loan.member.group, rights.CREDIT_UNION, day=business_date)
    loan = _locked_loan(loan, Loan.State.OUT)
    if not text.strip():
        raise PayrollGroupError("请写明违约情形。")
    loan.breach, loan.breach_date = text.strip(), business_date
    loan.save(update_fields=["breach", "breach_date"])
    rights.trace(actor, loan.member.group, "loan.breach", f"{loan.member} 违约：{text}", business_date)
    return loan


def move_debt(
    *, loan: Loan, shares_fen: list[tuple[Member, int]], by: tuple[Staff, Staff], voucher: str, business_date: dt.date
) -> list[Loan]:
    """Close a loan by giving its principal and interest to others in the given shares; inside a caller's transaction.

    ``by``: who opened the matter and who agreed to it for the credit union.

    Principal is given first, then interest, so that each share is an exact sum of both. The contract's total stays.
    """
    principal, interest, made = loan.principal_fen, loan.interest_fen, []
    _change(loan, _Kind.HANDED_OVER, -principal, -interest, voucher, by[1], business_date)
    Contract.objects.filter(pk=loan.contract_id).update(owed_fen=F("owed_fen") + principal)
    for place, (member, share) in enumerate(shares_fen, start=1):
        from_principal = min(share, principal)
        from_interest = share - from_principal
        principal, interest = principal - from_principal, interest - from_interest
        taken = Loan.objects.create(
            number=f"{voucher}-{place}", contract=loan.contract, member=member, state=Loan.State.OUT,
            amount_fen=from_principal, fund_due_fen=0, principal_fen=from_principal, interest_fen=from_interest,
            loan_date=business_date, due_date=max(loan.due_date, business_date + dt.timedelta(days=1)),
            taken_over_from=loan, requested_by=by[0], released_by=by[1],
        )  # fmt: skip
        _enter(taken, _Kind.TAKEN_OVER, from_principal, from_interest, voucher, by[1], business_date)
        made.append(taken)
    return made


def _ready(actor: Staff, loan: Loan, amount_fen: int, voucher: str, day: dt.date) -> Loan:
    rights.require(actor, loan.member.group, rights.CREDIT_UNION | rights.SECOND_PERSON, day=day)
    rights.locked(loan.member.group)
    loan = _locked_loan(loan, Loan.State.OUT)
    voucher = rights.free_number(voucher, "凭证号")
    if amount_fen <= 0:
        raise PayrollGroupError("请填写大于 0 的金额。")
    if loan.entries.filter(voucher=voucher).exists():
        raise PayrollGroupError(f"凭证 {voucher} 已记账，没有重复记账。")
    return loan


def _change(
    loan: Loan, kind: str, principal_fen: int, interest_fen: int, voucher: str, actor: Staff, day: dt.date,
    *, reverses: LoanEntry | None = None,
) -> None:  # fmt: skip
    """One entry, the loan's balance with it, and the contract's use when principal moves."""
    loan.principal_fen += principal_fen
    loan.interest_fen += interest_fen
    loan.state = Loan.State.OUT if loan.owed_fen else Loan.State.CLOSED
    loan.save(update_fields=["principal_fen", "interest_fen", "state"])
    if principal_fen:
        Contract.objects.filter(pk=loan.contract_id).update(owed_fen=F("owed_fen") + principal_fen)
    _enter(loan, kind, principal_fen, interest_fen, voucher.strip(), actor, day, reverses=reverses)


def _enter(
    loan: Loan, kind: str, principal_fen: int, interest_fen: int, voucher: str, actor: Staff, day: dt.date,
    *, reverses: LoanEntry | None = None,
) -> None:  # fmt: skip
    LoanEntry.objects.create(
        loan=loan, kind=kind, principal_fen=principal_fen, interest_fen=interest_fen, booked_date=day, voucher=voucher,
        entered_by=actor, reverses=reverses,
    )  # fmt: skip


def _locked_loan(loan: Loan, state: str) -> Loan:
    found = (
        Loan.objects.select_for_update(of=("self",))
        .select_related("member__group", "member__customer__party", "requested_by", "contract")
        .get(pk=loan.pk)
    )
    if found.state != state:
        raise PayrollGroupError(f"借据 {found.number} {found.get_state_display()}，不能这样办理。")
    return found
