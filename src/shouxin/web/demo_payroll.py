"""Two payroll groups of the demo bank: a school whose teachers borrow, a hospital that is just forming one."""

import datetime as dt
from collections.abc import Mapping

from shouxin.bank.models import Institution, Staff
from shouxin.domain.money import Money
from shouxin.parties.models import Customer, Party
from shouxin.parties.services import add_customer, create_party
from shouxin.payroll_groups import accounts, forming, inspecting, lending
from shouxin.payroll_groups.models import Member, PayrollGroup

SIGNED, ENDS = dt.date(2024, 3, 1), dt.date(2027, 3, 1)
TEACHERS = ("方晓敏", "汤志军", "毛丽娟", "葛永强", "祝红梅", "薛建平", "包小芳", "华立新")
NURSES = ("盛玉兰", "苗春燕", "水志刚", "章亚琴", "云海涛", "柏秀英")
FUND = "3301-9900-0001"
LOAN_YUAN, FUND_YUAN, PAY_YUAN = "80000", "4000", "6200"
REPAID_YUAN = ("20000", "80000", "35000", "0", "12000", "50000", "0", "41000")


def furnish() -> None:
    """Write both through the ordinary services, with the days they happened on."""
    day = Institution.objects.values_list("business_date", flat=True).get()
    assert day is not None  # noqa: S101 - the demo bank stands on the day of its example
    staff = {person.username: person for person in Staff.objects.select_related("unit")}
    _school(staff, day)
    _hospital(staff, day)


def _customer(name: str, kind: str, owner: Staff, day: dt.date) -> Customer:
    party = create_party(kind=kind, name=name, nature="事业单位" if kind == Party.Kind.ORGANISATION else "")
    return add_customer(
        actor=None, party=party, unit=owner.unit, owner=owner, business_date=day, stage=Customer.Stage.CUSTOMER
    )


def _fen(yuan: str) -> int:
    return Money.from_yuan(yuan).fen


def _named(
    group: PayrollGroup, names: tuple[str, ...], clerk: Staff, day: dt.date, *, post: str, without: int = 0
) -> list[Member]:
    """Everybody on the list; the last ``without`` have not applied themselves."""
    members = []
    for place, name in enumerate(names):
        has_applied = place < len(names) - without
        member = forming.name_member(
            actor=clerk, group=group, customer=_customer(name, Party.Kind.PERSON, clerk, day), employment="公职人员",
            post=post, monthly_income_fen=_fen(PAY_YUAN), income_proof="单位工资表",
            account_number=f"6230-{group.pk}-{place + 1}",
            applied_date=day if has_applied else None, business_date=day,
        )  # fmt: skip
        forming.complete_member(actor=clerk, member=member, owes_overdue=False, business_date=day)
        members.append(member)
    return members


def _school(staff: Mapping[str, Staff], day: dt.date) -> None:
    clerk, head, risk, approver = staff["liujg"], staff["hewei"], staff["fengxc"], staff["wanghy"]
    group = forming.file_application(
        actor=clerk, employer=_customer("青山中学", Party.Kind.ORGANISATION, clerk, SIGNED), head_name="郑文海",
        signed_by="郑文海", application_number="组建申请〔2024〕1 号", applied_date=SIGNED, business_date=SIGNED,
    )  # fmt: skip
    members = _named(group, TEACHERS, clerk, SIGNED, post="教师")
    forming.investigate(
        actor=risk, group=group, report="学校为财政拨款单位，工资按月发放；成员征信均已核对。", business_date=SIGNED
    )
    for member in members:
        forming.review_member(
            actor=approver, member=member, qualifies=True, limit_fen=_fen(LOAN_YUAN), reason="", business_date=SIGNED
        )
    forming.review_unit(actor=approver, group=group, qualifies=True, opinion="同意组建。", business_date=SIGNED)
    contract = forming.prepare_contract(
        actor=clerk, group=group, number="青山联保〔2024〕1 号", signed_date=SIGNED, end_date=ENDS,
        limit_fen=_fen(LOAN_YUAN) * len(members), business_date=SIGNED,
    )  # fmt: skip
    forming.approve_contract(actor=approver, contract=contract, opinion="同意。", business_date=SIGNED)
    accounts.open_unit_account(
        actor=clerk, group=group, account_number="3301-8800-0007", opened_date=SIGNED, business_date=SIGNED
    )
    accounts.agree_on_payroll(
        actor=clerk, group=group, agreement="代发〔2024〕7 号", since=SIGNED, business_date=SIGNED
    )
    accounts.open_fund(
        actor=clerk, group=group, number=FUND, kind="special", custodian=staff["yaoj"], opened_date=SIGNED,
        business_date=SIGNED,
    )  # fmt: skip
    for place, (member, repaid) in enumerate(zip(members, REPAID_YUAN, strict=True), start=1):
        _lend(member, place, repaid, clerk=clerk, head=head)
    _wages(group, members, clerk, day)
    inspecting.inspect(
        actor=risk, group=group, result="专户余额与基金台账相符；一名成员收入证明过期。", demand="补交 2025 年收入证明",
        due_date=day + dt.timedelta(days=30), business_date=day,
    )  # fmt: skip


def _lend(member: Member, place: int, repaid: str, *, clerk: Staff, head: Staff) -> None:
    accounts.pay_into_fund(
        actor=clerk, member=member, amount_fen=_fen(FUND_YUAN), account_number=FUND, voucher=f"JJ2024-{place:03d}",
        business_date=SIGNED,
    )  # fmt: skip
    loan = lending.request_loan(
        actor=clerk, member=Member.objects.get(pk=member.pk), number=f"QS2024-{place:03d}", amount_fen=_fen(LOAN_YUAN),
        due_date=dt.date(2026, 3, 1), business_date=SIGNED,
    )  # fmt: skip
    loan = lending.release_loan(actor=head, loan=loan, business_date=SIGNED)
    if _fen(repaid):
        lending.repay(
            actor=clerk, loan=loan, principal_fen=_fen(repaid), interest_fen=0, voucher=f"HK2025-{place:03d}",
            business_date=dt.date(2025, 3, 20),
        )  # fmt: skip


def _wages(group: PayrollGroup, members: list[Member], clerk: Staff, day: dt.date) -> None:
    """Every month up to April 2025; May has not come, which the end of the day finds."""
    wages = {member.pk: _fen(PAY_YUAN) for member in members}
    month = SIGNED
    while month < dt.date(2025, 5, 1):
        accounts.receive_payroll(
            actor=clerk, group=group, month=month, file_name=f"青山中学工资 {month:%Y-%m}.xlsx", staff_count=46,
            total_fen=_fen("292100"), wages_fen=wages, business_date=min(day, month.replace(day=25)),
        )  # fmt: skip
        month = (month + dt.timedelta(days=32)).replace(day=1)


def _hospital(staff: Mapping[str, Staff], day: dt.date) -> None:
    clerk = staff["liujg"]
    group = forming.file_application(
        actor=clerk, employer=_customer("溪桥卫生院", Party.Kind.ORGANISATION, clerk, day), head_name="阮国平",
        signed_by="阮国平", application_number="组建申请〔2025〕3 号", applied_date=day,
        workplaces=[("院本部", clerk.unit), ("城东门诊部", staff["zhoulp"].unit)], business_date=day,
    )  # fmt: skip
    _named(group, NURSES, clerk, day, post="医护", without=2)
