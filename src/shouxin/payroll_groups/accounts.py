"""The employer's account, wages through the union, and the guarantee fund in its special account (RC-13 to RC-17)."""

import datetime as dt
from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import F

from shouxin.bank.models import Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding
from shouxin.domain.money import format_yuan
from shouxin.domain.payroll_group import judge_all_repaid, refusal
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.models import FundAccount, FundEntry, Member, PayrollFile, PayrollGroup, Wage
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.payroll_groups.selectors import debts_of, net_of

_FIRST_DAY = dt.date(1990, 1, 1)
"""Before it no account of today was opened; a slip of the pen."""
_HELD = (*PayrollGroup.OPEN, PayrollGroup.State.DISSOLVED, PayrollGroup.State.REFUSED)
_ENDED = (PayrollGroup.State.DISSOLVED, PayrollGroup.State.REFUSED)


@transaction.atomic
def open_unit_account(
    *, actor: Staff, group: PayrollGroup, account_number: str, opened_date: dt.date, business_date: dt.date
) -> PayrollGroup:
    """The employer's account with the county union, needed from the signing on (RC-13)."""
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    account_number = rights.free_number(account_number, "账号")
    rights.sensible_day(opened_date, "开户日", first=_FIRST_DAY, last=business_date)
    group.account_number, group.account_opened_date = account_number, opened_date
    group.save(update_fields=["account_number", "account_opened_date"])
    rights.trace(actor, group, "account.opened", f"登记单位账户，开户日 {opened_date}", business_date)
    return group


@transaction.atomic
def agree_on_payroll(
    *, actor: Staff, group: PayrollGroup, agreement: str, since: dt.date, business_date: dt.date
) -> PayrollGroup:
    """The agreement by which the union pays the employer's wages (RC-14).

    Once the group exists its start is not moved forward: months without wages do not vanish that way.
    """
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    agreement = rights.free_number(agreement, "代发工资协议编号")
    rights.sensible_day(since, "代发工资自", first=_FIRST_DAY, last=add_months(business_date, 12))
    if group.state == PayrollGroup.State.ACTIVE and group.payroll_from is not None and since > group.payroll_from:
        raise PayrollGroupError(f"集团设立后，代发工资的起始日（{group.payroll_from}）不能推后。")
    group.payroll_agreement, group.payroll_from = agreement, since
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
    rights.refuse_if_any(_account_findings(kind, custodian, business_date))
    number = rights.free_number(number, "专户账号")
    rights.sensible_day(opened_date, "开立日", first=_FIRST_DAY, last=business_date)
    existing = FundAccount.objects.filter(group=group).first()
    if existing is not None and existing.number != number:
        raise PayrollGroupError(f"保证基金专户是 {existing.number}，不能换账号；保管人可以更换。")
    try:
        with transaction.atomic():
            fund, _is_new = FundAccount.objects.update_or_create(
                group=group,
                defaults={"custodian": custodian},
                create_defaults={
                    "number": number, "kind": kind, "custodian": custodian, "opened_date": opened_date
                },
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"账号 {number} 已是另一集团的保证基金专户。") from error
    keeper = custodian.name if custodian else ""
    rights.trace(actor, group, "fund.opened", f"保证基金专户，保管人 {keeper}", business_date)
    return fund


def _account_findings(kind: str, custodian: Staff | None, day: dt.date) -> list[Finding]:
    found = []
    if kind != FundAccount.Kind.SPECIAL:
        found.append(
            refusal("PAYROLL_FUND_NOT_SPECIAL", "RC-16", "保证基金须设立专户，不能放在一般账户。", "第六条",
                    "The fund is kept in a special account.")
        )  # fmt: skip
    if custodian is None or not roles_of(custodian, as_of=day) & rights.KEEPERS:
        found.append(
            refusal("PAYROLL_CUSTODIAN_MISSING", "RC-16",
                    "保证基金须确定专人保管，请指定在岗的支行行长或授信操作岗。", "第六条",
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
    voucher = rights.free_number(voucher, "凭证号")
    if amount_fen <= 0:
        raise PayrollGroupError("请填写大于 0 的金额。")
    if fund.custodian_id == actor.pk:
        raise PayrollGroupError("保管人不能自己记账，请由另一人记账。")
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
    rights.require(actor, group, rights.SECOND_PERSON, day=business_date)
    fund, member = _locked_fund(group), rights.locked_member(member)
    rights.refuse_if_any(judge_all_repaid(debts_of(group), act="动用保证基金", article="RC-17", where="第六条"))
    if group.state not in _ENDED and member.state != Member.State.LEFT:
        raise PayrollGroupError("集团解散后，或成员退出后，才退还保证基金。")
    amount = contributed_fen(member)
    if amount <= 0:
        raise PayrollGroupError(f"{member} 没有可退还的保证基金。")
    voucher = rights.free_number(voucher, "凭证号")
    entry = _book(fund, member, FundEntry.Kind.REFUND, amount, voucher, actor, business_date)
    rights.trace(actor, group, "fund.refunded", f"退还 {member} 保证基金 {format_yuan(amount)} 元", business_date)
    return entry


def contributed_fen(member: Member) -> int:
    """What a member has in the fund: contributions less refunds, 分."""
    return net_of(member.fund_entries.all())


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
    if not wages_fen:
        raise PayrollGroupError("文件中没有本集团的成员，没有登记；请核对单位和姓名、账号。")
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
        raise PayrollGroupError(f"{month:%Y-%m} 的工资文件已收到，没有重复登记；收错的先作废。") from error
    Wage.objects.bulk_create(
        Wage(payroll=kept, member_id=member, amount_fen=fen) for member, fen in sorted(wages_fen.items())
    )
    rights.trace(
        actor, group, "payroll.received",
        f"收到 {month:%Y-%m} 工资文件，{staff_count} 人，{format_yuan(total_fen)} 元", business_date,
    )  # fmt: skip
    return kept


@transaction.atomic
def void_payroll(*, actor: Staff, payroll: PayrollFile, reason: str, business_date: dt.date) -> PayrollFile:
    """Void a wrong month's file: it stays readable, counts no longer, and a right one may take its place."""
    rights.require(actor, payroll.group, rights.CREDIT_UNION, day=business_date)
    kept = PayrollFile.objects.select_for_update(of=("self",)).get(pk=payroll.pk)
    if kept.voided_by_id is not None or not reason.strip():
        raise PayrollGroupError("请写明作废原因；已作废的不再作废。")
    kept.voided_by, kept.void_reason = actor, reason.strip()[:200]
    kept.save(update_fields=["voided_by", "void_reason"])
    rights.trace(actor, payroll.group, "payroll.voided", f"作废 {kept.month:%Y-%m} 工资文件：{reason}", business_date)
    return kept
