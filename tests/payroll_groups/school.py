"""青山中学 and its eight teachers: the payroll group that the tests walk through, figures in 元."""

import datetime as dt
from dataclasses import dataclass, field

from shouxin.bank.models import Staff
from shouxin.domain.money import Money
from shouxin.parties.models import Customer
from shouxin.parties.services import add_customer, create_party
from shouxin.payroll_groups import accounts, forming, lending
from shouxin.payroll_groups.models import Contract, Loan, Member, PayrollGroup
from tests.conftest import SmallBank

SIGNED, ENDS = dt.date(2024, 3, 1), dt.date(2027, 3, 1)
FUND = "6228-0000-01"


def yuan(text: str | int) -> int:
    """元 as 分."""
    return Money.from_yuan(text).fen


@dataclass
class School:
    """The employer at the west branch, with whoever acts for the credit union and the county union."""

    bank: SmallBank
    employer: Customer
    group: PayrollGroup
    members: list[Member] = field(default_factory=list)

    @property
    def clerk(self) -> Staff:
        return self.bank.manager_west

    @property
    def head(self) -> Staff:
        return self.bank.head_west

    def member(self, number: int) -> Member:
        """Member 1 to 8 as they are now."""
        return Member.objects.get(pk=self.members[number - 1].pk)

    def fresh(self) -> PayrollGroup:
        return PayrollGroup.objects.get(pk=self.group.pk)


def person(bank: SmallBank, name: str, number: int = 0) -> Customer:
    party = create_party(kind="person", name=name, source_id=f"teacher-{name}-{number}")
    return add_customer(
        actor=None, party=party, unit=bank.west, owner=bank.manager_west, business_date=SIGNED,
    )  # fmt: skip


def employer_of(bank: SmallBank, name: str = "青山中学") -> Customer:
    party = create_party(kind="org", name=name, source_id=name)
    return add_customer(actor=None, party=party, unit=bank.west, owner=bank.manager_west, business_date=SIGNED)


def applied(bank: SmallBank, *, heads: int = 8, listed_only: int = 0) -> School:
    """The application is filed and the applicants are on the list; nobody has looked at them yet."""
    employer = employer_of(bank)
    group = forming.file_application(
        actor=bank.manager_west, employer=employer, head_name="郑校长", signed_by="郑校长", application_number="申 1",
        applied_date=SIGNED, business_date=SIGNED,
    )  # fmt: skip
    school = School(bank, employer, group)
    for number in range(1, heads + listed_only + 1):
        school.members.append(
            forming.name_member(
                actor=bank.manager_west, group=group, customer=person(bank, f"教师{number}", number),
                employment="公职人员", monthly_income_fen=yuan(6_000), income_proof="2024 年 2 月工资表",
                account_number=f"622{number}", applied_date=SIGNED if number <= heads else None, business_date=SIGNED,
            )
        )  # fmt: skip
    for member in school.members:
        forming.complete_member(actor=bank.manager_west, member=member, owes_overdue=False, business_date=SIGNED)
    return school


def confirmed(school: School, *, limit: int = 80_000, rejected: int = 0) -> School:
    """The county union has investigated and confirmed employer and members, but for the first ``rejected``."""
    bank = school.bank
    forming.investigate(
        actor=bank.risk_officer, group=school.group, report="单位稳定，工资按月发放。", business_date=SIGNED
    )
    for place, member in enumerate(school.members):
        if member.applied_date is not None:
            forming.review_member(
                actor=bank.approver, member=member, qualifies=place >= rejected, limit_fen=yuan(limit),
                reason="" if place >= rejected else "征信不良", business_date=SIGNED,
            )  # fmt: skip
    forming.review_unit(actor=bank.approver, group=school.group, qualifies=True, opinion="同意", business_date=SIGNED)
    return school


def draft(school: School, *, ends: dt.date = ENDS, limit: int = 640_000, reason: str = "") -> Contract:
    return forming.prepare_contract(
        actor=school.clerk, group=school.group, number="青山联保 2024-1", signed_date=SIGNED, end_date=ends,
        limit_fen=yuan(limit), exception_reason=reason, business_date=SIGNED,
    )  # fmt: skip


def signed(bank: SmallBank, *, heads: int = 8, limit: int = 640_000) -> School:
    """The contract is in force; account, agreement and fund are there."""
    school = confirmed(applied(bank, heads=heads))
    forming.approve_contract(
        actor=bank.approver, contract=draft(school, limit=limit), opinion="同意", business_date=SIGNED
    )
    with_accounts(school)
    return school


def with_accounts(school: School) -> None:
    clerk, group = school.clerk, school.group
    accounts.open_unit_account(
        actor=clerk, group=group, account_number="8800-1", opened_date=SIGNED, business_date=SIGNED
    )
    accounts.agree_on_payroll(actor=clerk, group=group, agreement="代发 1", since=SIGNED, business_date=SIGNED)
    accounts.open_fund(
        actor=clerk, group=group, number=FUND, kind="special", custodian=school.bank.operator, opened_date=SIGNED,
        business_date=SIGNED,
    )  # fmt: skip


def pay(school: School, number: int, amount: str = "4000", voucher: str = "", account: str = FUND) -> None:
    accounts.pay_into_fund(
        actor=school.clerk, member=school.member(number), amount_fen=yuan(amount), account_number=account,
        voucher=voucher or f"基金 {number}", business_date=SIGNED,
    )  # fmt: skip


def lent(school: School, number: int, amount: str = "80000", *, on: dt.date = SIGNED, name: str = "") -> Loan:
    """A loan asked for by the clerk and released by the branch's head."""
    loan = lending.request_loan(
        actor=school.clerk, member=school.member(number), number=name or f"借 {number}", amount_fen=yuan(amount),
        due_date=dt.date(2026, 3, 1), business_date=on,
    )  # fmt: skip
    return lending.release_loan(actor=school.head, loan=loan, business_date=on)


def all_lent(bank: SmallBank, *, heads: int = 8) -> School:
    """Everybody has paid 4,000 元 and borrowed 80,000 元."""
    school = signed(bank, heads=heads)
    for number in range(1, heads + 1):
        pay(school, number)
        lent(school, number)
    return school


def repaid(school: School, number: int, amount: str | None = None, *, on: dt.date = SIGNED) -> None:
    """Pay back the whole of a loan, or an amount in 元."""
    loan = Loan.objects.get(number=f"借 {number}")
    lending.repay(
        actor=school.clerk, loan=loan, principal_fen=yuan(amount) if amount else loan.principal_fen, interest_fen=0,
        voucher=f"还 {number} {amount or '全部'}", business_date=on,
    )  # fmt: skip
