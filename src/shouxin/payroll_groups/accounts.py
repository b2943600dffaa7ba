"""The employer's account, wages through the union, and the guarantee fund in its special account (RC-13 to RC-17)."""

import datetime as dt
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from shouxin.bank.models import Staff
from shouxin.domain.findings import Finding
from shouxin.domain.money import format_yuan
from shouxin.domain.payroll_group import Debt, judge_all_repaid, refusal
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.models import FundAccount, FundEntry, Member, PayrollFile, PayrollGroup, Wage
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.payroll_groups.selectors import debts_of

_HELD = (*PayrollGroup.OPEN, PayrollGroup.State.DISSOLVED)


@transaction.atomic
def open_unit_account(
    *, actor: Staff, group: PayrollGroup, account_number: str, opened_date: dt.date, business_date: dt.date
) -> PayrollGroup:
    """The employer's account with the county union, needed from the signing on (RC-13)."""
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    if not account_number.strip() or opened_date > business_date:
        raise PayrollGroupError("请填写账号；开户日不能晚于营业日。")
    group.account_number, group.account_opened_date = account_number.strip(), opened_date
    group.save(update_fields=["account_number", "account_opened_date"])
    rights.trace(actor, group, "account.opened", f"登记单位账户，开户日 {opened_date}", business_date)
    return group


@transaction.atomic
def agree_on_payroll(
    *, actor: Staff, group: PayrollGroup, agreement: str, since: dt.date, business_date: dt.date
) -> PayrollGroup:
    """The agreement by which the union pays the employer's wages (RC-14)."""
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    if not agreement.strip():
        raise PayrollGroupError("请填写代发工资协议编号。")
    group.payroll_agreement, group.payroll_from = agreement.strip(), since
    group.save(update_fields=["payroll_agreement", "payroll_from"])
    rights.trace(actor, group, "payroll.agreed", f"代发工资协议 {agreement}，自 {since}", business_date)
    return group


@transaction.atomic
def open_fund(
    *, actor: Staff, group: PayrollGroup, number: str, kind: str, custodian: Staff | None, opened_date: dt.date,
    business_date: dt.date,
) -> FundAccount:  # fmt: skip
    """Open the fund's account, or name another custodian of it (RC-16).

    Raises PayrollRefusedError when it is no special account or nobody is named to keep it.
    """
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    rights.refuse_if_any(_account_findings(kind, custodian))
    if not number.strip() or opened_date > business_date:
        raise PayrollGroupError("请填写专户账号；开立日不能晚于营业日。")
    existing = FundAccount.objects.filter(group=group).first()
    if existing is not None and existing.number != number.strip():
        raise PayrollGroupError(f"保证基金专户是 {existing.number}，不能换账号；保管人可以更换。")
    try:
        with transaction.atomic():
            fund, _is_new = FundAccount.objects.update_or_create(
                group=group,
                defaults={"custodian": custodian},
                create_defaults={
                    "number": number.strip(), "kind": kind, "custodian": custodian, "opened_date": opened_date
                },
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"账号 {number} 已是另一集团的保证基金专户。") from error
    keeper = custodian.name if custodian else ""
    rights.trace(actor, group, "fund.opened", f"保证基金专户，保管人 {keeper}", business_date)
    return fund


def _account_findings(kind: str, custodian: Staff | None) -> list[Finding]:
    found = []
    if kind != FundAccount.Kind.SPECIAL:
        found.append(
            refusal("PAYROLL_FUND_NOT_SPECIAL", "RC-16", "保证基金须设立专户，不能放在一般账户。", "第六条",
                    "The fund is kept in a special account.")
        )  # fmt: skip
    if custodian is None or not custodian.is_active:
        found.append(
            refusal("PAYROLL_CUSTODIAN_MISSING", "RC-16", "保证基金须确定专人保管，请指定在岗的保管人。", "第六条",
                    "Somebody is named to keep the fund.")
        )  # fmt: skip
    return found


@transaction.atomic
def pay_into_fund(
    *, actor: Staff, member: Member, amount_fen: int, account_number: str, voucher: str, business_date: dt.date
) -> FundEntry:
    """A member pays into the fund, into its special account and no other (RC-15, RC-16). A voucher books once."""
    group = rights.locked(member.group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    fund, member = _locked_fund(group), rights.locked_member(member)
    if account_number.strip() != fund.number:
        raise PayrollRefusedError(
            [
                refusal("PAYROLL_FUND_OTHER_ACCOUNT", "RC-16",
                        f"保证基金只能交入专户 {fund.number}，不能交入 {account_number.strip() or '（空）'}。",
                        "第六条", "The fund is paid into its special account only.")
            ]
        )  # fmt: skip
    if amount_fen <= 0 or not voucher.strip():
        raise PayrollGroupError("请填写大于 0 的金额和凭证号。")
    if member.state not in {Member.State.QUALIFIED, Member.State.ACTIVE}:
        raise PayrollGroupError(f"{member} {member.get_state_display()}，不交保证基金。")
    entry = _book(fund, member, FundEntry.Kind.CONTRIBUTION, amount_fen, voucher, actor, business_date)
    rights.trace(actor, group, "fund.paid", f"{member} 交保证基金 {format_yuan(amount_fen)} 元", business_date)
    return entry


@transaction.atomic
def refund(*, actor: Staff, member: Member, voucher: str, business_date: dt.date) -> FundEntry:
    """Give a member's part of the fund back once *all* members have repaid and the group is dissolved (RC-17, A-11).

    A member who left by consent gets it back too: they too could leave only when nobody owed anything.

    Raises PayrollRefusedError while anybody owes anything.
    """
    group = rights.locked(member.group, *_HELD)
    rights.require(actor, group, rights.CREDIT_UNION_HEAD, day=business_date)
    fund, member = _locked_fund(group), rights.locked_member(member)
    debts = [Debt(name, owed) for name, owed in debts_of(group)]
    rights.refuse_if_any(judge_all_repaid(debts, act="动用保证基金", article="RC-17", where="第六条"))
    if group.state != PayrollGroup.State.DISSOLVED and member.state != Member.State.LEFT:
        raise PayrollGroupError("集团解散后，或成员退出后，才退还保证基金。")
    amount = contributed_fen(member)
    if amount <= 0:
        raise PayrollGroupError(f"{member} 没有可退还的保证基金。")
    if not voucher.strip():
        raise PayrollGroupError("请填写凭证号。")
    entry = _book(fund, member, FundEntry.Kind.REFUND, amount, voucher, actor, business_date)
    rights.trace(actor, group, "fund.refunded", f"退还 {member} 保证基金 {format_yuan(amount)} 元", business_date)
    return entry


def contributed_fen(member: Member) -> int:
    """What a member has in the fund: contributions less refunds, 分."""
    sums = dict(member.fund_entries.values_list("kind").annotate(total=Sum("amount_fen")).order_by())
    return int(sums.get(FundEntry.Kind.CONTRIBUTION, 0) - sums.get(FundEntry.Kind.REFUND, 0))


def _locked_fund(group: PayrollGroup) -> FundAccount:
    fund = FundAccount.objects.select_for_update(of=("self",)).filter(group=group).first()
    if fund is None:
        raise PayrollGroupError("还没有保证基金专户，请先开立并指定保管人（RC-16）。")
    return fund


def _book(
    fund: FundAccount, member: Member, kind: str, amount_fen: int, voucher: str, actor: Staff, day: dt.date
) -> FundEntry:
    try:
        with transaction.atomic():
            entry = FundEntry.objects.create(
                account=fund, member=member, kind=kind, amount_fen=amount_fen, booked_date=day,
                voucher=voucher.strip(), entered_by=actor,
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"凭证 {voucher} 已记账，没有重复记账。") from error
    change = amount_fen if kind == FundEntry.Kind.CONTRIBUTION else -amount_fen
    FundAccount.objects.filter(pk=fund.pk).update(balance_fen=F("balance_fen") + change)
    return entry


# --- wages -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def receive_payroll(
    *, actor: Staff, group: PayrollGroup, month: dt.date, file_name: str, staff_count: int, total_fen: int,
    wages_fen: Mapping[int, int], business_date: dt.date,
) -> PayrollFile:  # fmt: skip
    """Keep one month's payroll: how many were paid, how much in all, and what each member got (by member id).

    Raises PayrollGroupError for a month in the future, before the agreement, or one that is there already.
    """
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    month = month.replace(day=1)
    if group.payroll_from is None:
        raise PayrollGroupError("还没有代发工资协议，请先登记（RC-14）。")
    if month > business_date or month < group.payroll_from.replace(day=1):
        raise PayrollGroupError(f"月份 {month:%Y-%m} 不在代发工资协议之内（自 {group.payroll_from} 至今）。")
    try:
        with transaction.atomic():
            kept = PayrollFile.objects.create(
                group=group, month=month, received_date=business_date, file_name=file_name[:200],
                staff_count=staff_count, total_fen=total_fen, entered_by=actor,
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"{month:%Y-%m} 的工资文件已收到，没有重复登记。") from error
    Wage.objects.bulk_create(
        Wage(payroll=kept, member_id=member, amount_fen=fen) for member, fen in sorted(wages_fen.items())
    )
    rights.trace(
        actor, group, "payroll.received",
        f"收到 {month:%Y-%m} 工资文件，{staff_count} 人，{format_yuan(total_fen)} 元", business_date,
    )  # fmt: skip
    return kept
