"""A payroll group comes into being: application, members, investigation, qualification, contract, renewal."""

import datetime as dt
from collections.abc import Iterable

from django.db import IntegrityError, transaction

from shouxin.bank.models import OrgUnit, Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding
from shouxin.domain.money import format_yuan
from shouxin.domain.payroll_group import Applicant, ContractFacts, judge_applicant, judge_contract, refusal
from shouxin.parties.models import Customer, Party
from shouxin.parties.selectors import visible_customers
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.models import Contract, Investigation, Loan, Member, PayrollGroup, Workplace
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.policy import load_book

_GroupState, _State = PayrollGroup.State, Member.State


@transaction.atomic
def file_application(
    *, actor: Staff, employer: Customer, head_name: str, signed_by: str, application_number: str,
    applied_date: dt.date, workplaces: Iterable[tuple[str, OrgUnit]] = (), business_date: dt.date,
) -> PayrollGroup:  # fmt: skip
    """The employer's head files 《组建集团客户授信贷款申请书》 (RC-08).

    Raises:
        PayrollGroupError: no organisation in view, a day in the future, or a group of this employer is open.
        PayrollRefusedError: somebody else than the head signed.
    """
    if not roles_of(actor, as_of=business_date) & rights.CREDIT_UNION:
        raise PayrollGroupError("组建申请由信用社客户经理或支行行长受理。")
    if not visible_customers(scope_of(actor, as_of=business_date)).filter(pk=employer.pk).exists():
        raise PayrollGroupError("该单位不在您的数据范围内。")
    if employer.party.kind != Party.Kind.ORGANISATION:
        raise PayrollGroupError("申请组建的须是单位，不是个人。")
    head_name, signed_by = head_name.strip(), signed_by.strip()
    if not head_name or not application_number.strip():
        raise PayrollGroupError("请填写单位负责人和申请书编号。")
    _refuse_future(applied_date, business_date, "申请日期")
    if signed_by != head_name:
        raise PayrollRefusedError(
            [
                refusal(
                    "PAYROLL_APPLICATION_NOT_BY_HEAD", "RC-08",
                    f"组建申请书须由单位负责人 {head_name} 签署，收到的是 {signed_by or '（未签）'} 签署的。",
                    "第五条（二）", "The application is signed by the employer's head.",
                )
            ]
        )  # fmt: skip
    try:
        with transaction.atomic():
            group = PayrollGroup.objects.create(
                number=f"LB{employer.pk:06d}-{PayrollGroup.objects.filter(employer=employer).count() + 1}",
                employer=employer, unit=employer.unit, head_name=head_name, applied_by=signed_by,
                applied_date=applied_date, application_number=application_number.strip(), filed_by=actor,
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"{employer.party.name} 已有未结束的联保集团，不能再建一个。") from error
    places = [(employer.party.name, employer.unit), *((n, a) for n, a in workplaces if n != employer.party.name)]
    if len({name for name, _area in places}) != len(places):
        raise PayrollGroupError("下属单位的名称重复，请核对。")
    Workplace.objects.bulk_create(Workplace(group=group, name=name, area=area) for name, area in places)
    rights.trace(actor, group, "applied", f"受理 {employer.party.name} 组建联保集团的申请", business_date)
    return group


@transaction.atomic
def name_member(
    *, actor: Staff, group: PayrollGroup, customer: Customer, employment: str, business_date: dt.date,
    post: str = "", monthly_income_fen: int = 0, income_proof: str = "", account_number: str = "",
    applied_date: dt.date | None = None,
) -> Member:  # fmt: skip
    """Put one person on the group's list; without an own application they stay 未申请 and cannot borrow (RC-07).

    Raises PayrollGroupError for an organisation, a person in another open group, or a closed group.
    """
    group = rights.locked(group, *PayrollGroup.OPEN)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    if customer.party.kind != Party.Kind.PERSON:
        raise PayrollGroupError(f"{customer.party.name} 是单位，成员须是个人。")
    if applied_date is not None:
        _refuse_future(applied_date, business_date, "申请日期")
    if monthly_income_fen < 0:
        raise PayrollGroupError("月固定收入不能为负。")
    try:
        with transaction.atomic():
            member = Member.objects.create(
                group=group, customer=customer, employment=employment.strip(), post=post.strip(),
                monthly_income_fen=monthly_income_fen, income_proof=income_proof.strip(),
                account_number=account_number.strip(), applied_date=applied_date, entered_by=actor,
                state=_State.APPLIED if applied_date else _State.LISTED,
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"{customer.party.name} 已在一个联保集团中，不能再加入。") from error
    rights.trace(
        actor, group, "member.named", f"列入 {customer.party.name}（{member.get_state_display()}）", business_date
    )
    return member


@transaction.atomic
def complete_member(
    *, actor: Staff, member: Member, business_date: dt.date, applied_date: dt.date | None = None,
    income_proof: str = "", monthly_income_fen: int | None = None, account_number: str = "",
    owes_overdue: bool | None = None,
) -> Member:  # fmt: skip
    """Add what was missing about an applicant: own application, income, account, the credit record. Empty keeps.

    Of a member in the group only account and credit record. Overdue loans found after the confirmation undo it.
    """
    member = rights.locked_member(member, *Member.OPEN)
    if member.state == _State.ACTIVE and (applied_date or monthly_income_fen is not None or income_proof):
        raise PayrollGroupError("已加入的成员只能更新账户和征信。")
    rights.require(actor, member.group, rights.CREDIT_UNION, day=business_date)
    if applied_date is not None:
        _refuse_future(applied_date, business_date, "申请日期")
        member.applied_date = applied_date
        if member.state == _State.LISTED:
            member.state = _State.APPLIED
    if owes_overdue is not None:
        member.owes_overdue, member.credit_checked_date = owes_overdue, business_date
        if owes_overdue and member.state == _State.QUALIFIED:
            member.state, member.reviewed_by, member.reviewed_date = _State.APPLIED, None, None
    if monthly_income_fen is not None:
        if monthly_income_fen < 0:
            raise PayrollGroupError("月固定收入不能为负。")
        member.monthly_income_fen = monthly_income_fen
    member.income_proof = income_proof.strip() or member.income_proof
    member.account_number = account_number.strip() or member.account_number
    member.save(
        update_fields=["applied_date", "state", "owes_overdue", "credit_checked_date", "monthly_income_fen",
                       "income_proof", "account_number", "reviewed_by", "reviewed_date"]
    )  # fmt: skip
    rights.trace(actor, member.group, "member.completed", f"补充 {member} 的资料", business_date)
    return member


@transaction.atomic
def strike(*, actor: Staff, member: Member, reason: str, business_date: dt.date) -> Member:
    """Take somebody off the list who was named by mistake or no longer wants to join."""
    member = rights.locked_member(member, *Member.CANDIDATES)
    rights.require(actor, member.group, rights.CREDIT_UNION, day=business_date)
    if not reason.strip():
        raise PayrollGroupError("请写明撤下的理由。")
    if member.fund_entries.exists():
        raise PayrollGroupError(f"{member} 已交保证基金，不能撤下。")
    member.state, member.review_reason = _State.REJECTED, reason.strip()[:200]
    member.save(update_fields=["state", "review_reason"])
    rights.trace(actor, member.group, "member.struck", f"撤下 {member}：{reason}", business_date)
    return member


@transaction.atomic
def investigate(*, actor: Staff, group: PayrollGroup, report: str, business_date: dt.date) -> Investigation:
    """The county union's report on the employer and on everybody who has applied and is not yet covered (RC-09)."""
    rights.require_county_union(actor, rights.COUNTY_RISK, day=business_date, article="RC-09")
    group = rights.locked(group, *PayrollGroup.OPEN)
    if not report.strip():
        raise PayrollGroupError("请写明调查情况。")
    done = Investigation.objects.create(
        group=group, investigator=actor, report_date=business_date, report=report.strip()
    )
    count = group.members.filter(state=_State.APPLIED, investigation__isnull=True).update(investigation=done)
    rights.trace(actor, group, "investigated", f"调查报告，涉及申请人 {count} 名", business_date)
    return done


@transaction.atomic
def review_member(
    *, actor: Staff, member: Member, qualifies: bool, limit_fen: int, reason: str, business_date: dt.date
) -> Member:
    """The county union confirms or rejects one applicant, with the highest value of credit for them (RC-05, RC-09).

    Raises:
        PayrollRefusedError: confirmed although something is missing; nothing was written.
        PayrollGroupError: without a report, by the investigator or by whoever entered the applicant.
    """
    rights.require_county_union(actor, rights.COUNTY_RISK | rights.COUNTY_APPROVER, day=business_date, article="RC-09")
    member = rights.locked_member(member, *Member.CANDIDATES)
    if member.investigation is None and not member.group.investigations.exists():
        raise PayrollGroupError("县联社还没有调查报告，须先调查再审查（RC-09）。")
    if actor.pk in {member.entered_by_id, member.investigation.investigator_id if member.investigation else None}:
        raise PayrollGroupError("录入人、调查人不能审查同一申请人（四眼原则）。")
    if qualifies:
        rights.refuse_if_any(applicant_findings(member, as_of=business_date))
        if limit_fen <= 0:
            raise PayrollGroupError("请填写授信额度（元），须大于 0。")
    elif not reason.strip():
        raise PayrollGroupError("未通过的请写明理由。")
    member.state = _State.QUALIFIED if qualifies else _State.REJECTED
    member.limit_fen = limit_fen if qualifies else 0
    member.reviewed_by, member.reviewed_date, member.review_reason = actor, business_date, reason.strip()
    member.save(update_fields=["state", "limit_fen", "reviewed_by", "reviewed_date", "review_reason"])
    what = f"确认 {member} 的资格，授信额度 {format_yuan(limit_fen)} 元" if qualifies else f"{member} 未通过：{reason}"
    rights.trace(actor, member.group, "member.reviewed", what, business_date)
    return member


def applicant_findings(member: Member, *, as_of: dt.date) -> list[Finding]:
    """What the rules say of somebody who wants to join, by what is known of them."""
    return judge_applicant(
        Applicant(
            name=str(member), employment=member.employment, monthly_income_fen=member.monthly_income_fen,
            has_income_proof=bool(member.income_proof), has_applied=member.applied_date is not None,
            owes_overdue=member.owes_overdue, has_account=bool(member.account_number),
            is_investigated=member.investigation_id is not None,
        ),
        book=load_book(), as_of=as_of,
    )  # fmt: skip


@transaction.atomic
def review_unit(
    *, actor: Staff, group: PayrollGroup, qualifies: bool, opinion: str, business_date: dt.date
) -> PayrollGroup:
    """The county union confirms the employer, with those of its staff that it confirmed (RC-09)."""
    rights.require_county_union(actor, rights.COUNTY_RISK | rights.COUNTY_APPROVER, day=business_date, article="RC-09")
    group = rights.locked(group, _GroupState.FORMING)
    reports = list(group.investigations.values_list("investigator_id", flat=True))
    if not reports:
        raise PayrollGroupError("县联社还没有调查报告，须先调查再审查（RC-09）。")
    if actor.pk in {group.filed_by_id, *reports}:
        raise PayrollGroupError("受理人、调查人不能审查同一集团（四眼原则）。")
    waiting = group.members.filter(state=_State.APPLIED).count()
    if qualifies and waiting:
        raise PayrollGroupError(f"还有 {waiting} 名申请人没有审查，请逐一审查后再确认单位。")
    if not opinion.strip():
        raise PayrollGroupError("请写明审查意见。")
    group.state = _GroupState.QUALIFIED if qualifies else _GroupState.REFUSED
    group.reviewed_by, group.reviewed_date, group.review_opinion = actor, business_date, opinion.strip()
    group.save(update_fields=["state", "reviewed_by", "reviewed_date", "review_opinion"])
    if not qualifies:  # its people are free for another group
        group.members.filter(state__in=Member.CANDIDATES).update(state=_State.REJECTED)
    confirmed = group.members.filter(state=_State.QUALIFIED).count()
    what = f"确认单位资格，成员 {confirmed} 人" if qualifies else f"单位资格未通过：{opinion}"
    rights.trace(actor, group, "reviewed", what, business_date)
    return group


# --- the contract --------------------------------------------------------------------------------------------------


@transaction.atomic
def prepare_contract(
    *, actor: Staff, group: PayrollGroup, number: str, signed_date: dt.date, end_date: dt.date, limit_fen: int,
    business_date: dt.date, exception_reason: str = "",
) -> Contract:  # fmt: skip
    """Draft a contract, or its renewal when there is one already (RC-10 to RC-12). The county union approves it.

    A renewal needs the county union's consent besides (``consent_to_renewal``).
    """
    group = rights.locked(group, _GroupState.QUALIFIED, _GroupState.ACTIVE)
    rights.require(actor, group, rights.CREDIT_UNION, day=business_date)
    number = rights.free_number(number, "合同编号")
    if end_date <= signed_date or limit_fen <= 0:
        raise PayrollGroupError("请填写晚于签订日的到期日和大于 0 的授信额度。")
    first = group.reviewed_date or group.applied_date
    rights.sensible_day(signed_date, "签订日", first=first, last=add_months(business_date, 12))
    longest = add_months(signed_date, 12 * rights.CONTRACT_YEARS_MAX)
    rights.sensible_day(end_date, "到期日", first=business_date, last=longest)
    if group.contracts.filter(state=Contract.State.DRAFT).exists():
        raise PayrollGroupError("已有一份合同待批准，请先处理。")
    earlier = group.contracts.filter(state=Contract.State.IN_FORCE).order_by("-end_date").first()
    if earlier is not None and signed_date < earlier.end_date:
        raise PayrollGroupError(f"合同 {earlier.number} 到 {earlier.end_date} 才期满，续签的签订日不能早于该日。")
    try:
        with transaction.atomic():
            contract = Contract.objects.create(
                group=group, number=number, signed_date=signed_date, end_date=end_date, limit_fen=limit_fen,
                exception_reason=exception_reason.strip(), renews=earlier,
                prepared_by=actor,
            )  # fmt: skip
    except IntegrityError as error:
        raise PayrollGroupError(f"合同编号 {number} 已存在。") from error
    rights.trace(
        actor, group, "contract.prepared", f"拟订{'续签' if earlier else ''}合同 {contract.number}", business_date
    )
    return contract


def contract_findings(contract: Contract, *, actor: Staff, as_of: dt.date) -> list[Finding]:
    """What the rules say of a contract if this person approved it on a day."""
    return judge_contract(
        ContractFacts(
            signed=contract.signed_date, end=contract.end_date,
            qualified_members=contract.group.members.filter(state__in=[_State.QUALIFIED, _State.ACTIVE]).count(),
            limit_fen=contract.limit_fen, owed_fen=contract.renews.owed_fen if contract.renews else 0,
            approver_is_county_union=rights.is_county_union(actor, rights.COUNTY_APPROVER, day=as_of),
            exception_reason=contract.exception_reason, renews=contract.renews_id is not None,
            has_renewal_consent=bool(contract.consent_number),
        ),
        book=load_book(), as_of=as_of,
    )  # fmt: skip


@transaction.atomic
def consent_to_renewal(*, actor: Staff, contract: Contract, document: str, business_date: dt.date) -> Contract:
    """The county union's written consent to a renewal (RC-12); a credit union cannot give it."""
    rights.require_county_union(actor, rights.COUNTY_RISK | rights.COUNTY_APPROVER, day=business_date, article="RC-12")
    contract = _locked_draft(contract)
    if contract.renews is None:
        raise PayrollGroupError("首次签订的合同不需要续签同意书。")
    if not document.strip():
        raise PayrollGroupError("请填写同意书编号。")
    contract.consent_number, contract.consented_by = document.strip()[:80], actor
    contract.save(update_fields=["consent_number", "consented_by"])
    rights.trace(actor, contract.group, "contract.consented", f"县联社同意续签 {contract.number}", business_date)
    return contract


@transaction.atomic
def withdraw_contract(*, actor: Staff, contract: Contract, business_date: dt.date) -> Contract:
    """Whoever drafts contracts takes a draft back; it stays on record as not approved."""
    contract = _locked_draft(contract)
    rights.require(actor, contract.group, rights.CREDIT_UNION, day=business_date)
    contract.state, contract.opinion = Contract.State.REFUSED, "拟订机构撤回"
    contract.save(update_fields=["state", "opinion"])
    rights.trace(actor, contract.group, "contract.withdrawn", f"撤回合同 {contract.number}", business_date)
    return contract


@transaction.atomic
def approve_contract(*, actor: Staff, contract: Contract, opinion: str, business_date: dt.date) -> Contract:
    """The county union approves limit and term; from the signing on the group exists and its members may borrow.

    Raises:
        PayrollRefusedError: too long without a reason, too few members, not the county union, no consent to renew.
        PayrollGroupError: by whoever drafted it, or no draft.
    """
    group = rights.locked(contract.group, _GroupState.QUALIFIED, _GroupState.ACTIVE)
    contract = _locked_draft(contract)
    rights.refuse_if_any(contract_findings(contract, actor=actor, as_of=business_date))
    if contract.prepared_by_id == actor.pk:
        raise PayrollGroupError("拟订人不能批准自己的合同（四眼原则）。")
    if contract.signed_date > business_date:
        raise PayrollGroupError(f"签订日 {contract.signed_date} 还没有到，到日再批准。")
    if contract.end_date <= business_date:
        raise PayrollGroupError(f"合同到期日 {contract.end_date} 已过，请重新拟订。")
    contract.state, contract.approved_by, contract.approved_date = Contract.State.IN_FORCE, actor, business_date
    contract.opinion = opinion.strip()
    if contract.renews is not None:
        earlier = Contract.objects.select_for_update().get(pk=contract.renews.pk)
        contract.owed_fen, earlier.owed_fen = earlier.owed_fen, 0
        earlier.save(update_fields=["owed_fen"])
        Loan.objects.filter(contract=earlier, state=Loan.State.OUT).update(contract=contract)
    contract.save(update_fields=["state", "approved_by", "approved_date", "opinion", "owed_fen"])
    group.members.filter(state=_State.QUALIFIED).update(state=_State.ACTIVE, joined_date=contract.signed_date)
    group.state = _GroupState.ACTIVE
    group.save(update_fields=["state"])
    rights.trace(
        actor, group, "contract.approved",
        f"批准合同 {contract.number}，{contract.signed_date} 至 {contract.end_date}，"
        f"授信额度 {format_yuan(contract.limit_fen)} 元", business_date,
    )  # fmt: skip
    return contract


@transaction.atomic
def refuse_contract(*, actor: Staff, contract: Contract, opinion: str, business_date: dt.date) -> Contract:
    """The county union does not approve a draft; it is kept with the reason."""
    rights.require_county_union(actor, rights.COUNTY_APPROVER, day=business_date, article="RC-05")
    contract = _locked_draft(contract)
    if not opinion.strip():
        raise PayrollGroupError("请写明不批准的理由。")
    contract.state, contract.opinion = Contract.State.REFUSED, opinion.strip()
    contract.save(update_fields=["state", "opinion"])
    rights.trace(actor, contract.group, "contract.refused", f"不批准合同 {contract.number}：{opinion}", business_date)
    return contract


@transaction.atomic
def admit_later(*, actor: Staff, member: Member, supplement_number: str, business_date: dt.date) -> Member:
    """A confirmed applicant joins after the signing by a supplement to the contract."""
    member = rights.locked_member(member, _State.QUALIFIED)
    rights.require(actor, member.group, rights.CREDIT_UNION, day=business_date)
    if member.group.state != _GroupState.ACTIVE:
        raise PayrollGroupError("集团还没有签订合同，成员随合同加入。")
    if not supplement_number.strip():
        raise PayrollGroupError("合同签订后加入的成员须签补充协议，请填写协议编号。")
    member.state, member.joined_date = _State.ACTIVE, business_date
    member.supplement_number = supplement_number.strip()
    member.save(update_fields=["state", "joined_date", "supplement_number"])
    rights.trace(actor, member.group, "member.joined", f"{member} 凭补充协议 {supplement_number} 加入", business_date)
    return member


def _locked_draft(contract: Contract) -> Contract:
    found = Contract.objects.select_for_update(of=("self",)).select_related("group", "renews").get(pk=contract.pk)
    if found.state != Contract.State.DRAFT:
        raise PayrollGroupError(f"合同 {found.number} {found.get_state_display()}，不再待批准。")
    return found


def _refuse_future(day: dt.date, business_date: dt.date, what: str) -> None:
    if day > business_date:
        raise PayrollGroupError(f"{what} {day} 晚于营业日 {business_date}。")
