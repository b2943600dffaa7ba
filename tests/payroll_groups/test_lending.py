"""Loans, the guarantee fund and wages of a payroll group, figures in 元."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import InternalError, ProgrammingError

from shouxin.bank.models import Staff
from shouxin.domain.money import Money
from shouxin.domain.payroll_group import equal_shares, fund_due_fen
from shouxin.payroll_groups import accounts, lending, selectors
from shouxin.payroll_groups.models import Contract, FundAccount, FundEntry, Loan
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from shouxin.payroll_groups.verify import list_breaches
from shouxin.policy import load_book
from tests.conftest import SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import FUND, SIGNED, yuan

pytestmark = pytest.mark.django_db


def codes(error: PayrollRefusedError) -> list[str]:
    return [one.code for one in error.findings]


@pytest.mark.clause("RC-15", "Z02", points="on over")
def test_five_percent_is_paid_before_the_loan(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1, "3999.99", "一")
    with pytest.raises(PayrollRefusedError, match=r"还差 0\.01 元") as refused:
        cast.lent(school, 1)
    assert codes(refused.value) == ["PAYROLL_FUND_SHORT"]
    assert refused.value.findings[0].article == "RC-15"
    assert not Loan.objects.exists()
    cast.pay(school, 1, "0.01", "二")
    assert cast.lent(school, 1).fund_due_fen == yuan("4000.00")
    # an additional loan asks for its own five percent: what was paid stands for the first
    cast.repaid(school, 1, "80000")
    with pytest.raises(PayrollRefusedError, match=r"还差 4,000\.00 元"):
        cast.lent(school, 1, name="再借")


def test_the_fund_is_rounded_up_to_the_fen() -> None:
    percent = load_book().decimal("payroll.fund_pct", SIGNED)
    assert fund_due_fen(yuan("80000"), percent) == yuan("4000")
    assert fund_due_fen(yuan("33333.33"), percent) == yuan("1666.67")
    assert sum(equal_shares(yuan("30000.01"), 7)) == yuan("30000.01")


@pytest.mark.clause("RC-02", points="on")
def test_eight_loans_are_seen_as_one(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    report = selectors.report_of(school.group, as_of=SIGNED)
    assert (report.principal_fen, report.fund_fen) == (yuan(640_000), yuan("32000.00"))
    assert (report.largest_fen, report.largest_share) == (yuan(80_000), 12.5)
    cast.repaid(school, 1, "50000", on=dt.date(2024, 4, 1))
    later = selectors.report_of(school.group, as_of=dt.date(2024, 4, 1))
    assert (later.owed_fen, later.largest_name, later.borrowers) == (yuan(590_000), "教师2", 8)
    assert selectors.report_of(school.group, as_of=SIGNED).owed_fen == yuan(640_000)  # the past stays


@pytest.mark.clause("RC-10", points="on over")
@pytest.mark.parametrize(("day", "passes"), [(dt.date(2024, 2, 29), False), (SIGNED, True), (cast.ENDS, False)])
def test_no_loan_before_the_contract_or_after_its_end(small_bank: SmallBank, day: dt.date, passes: bool) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    found = lending.loan_findings(
        school.member(1), amount_fen=yuan(80_000), loan_date=day, due_date=day + dt.timedelta(days=300)
    )
    assert ("PAYROLL_OUTSIDE_CONTRACT" in {one.code for one in found}) is not passes
    if not passes:
        with pytest.raises(PayrollRefusedError, match="RC-10"):
            cast.lent(school, 1, on=day)


@pytest.mark.clause("RC-13", "RC-14", "Z03", points="on over")
def test_without_account_or_payroll_nothing_is_paid_out(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    group = school.group
    type(group).objects.filter(pk=group.pk).update(account_number="", payroll_agreement="")
    with pytest.raises(PayrollRefusedError) as refused:
        cast.lent(school, 1)
    assert [(one.code, one.article) for one in refused.value.findings] == [
        ("PAYROLL_UNIT_ACCOUNT_MISSING", "RC-13"), ("PAYROLL_AGREEMENT_MISSING", "RC-14"),
    ]  # fmt: skip
    cast.with_accounts(school)
    assert cast.lent(school, 1).state == "out"


@pytest.mark.clause("RC-16", points="on over")
def test_the_fund_has_a_special_account_and_a_custodian(small_bank: SmallBank) -> None:
    school = cast.confirmed(cast.applied(small_bank))

    def open_it(kind: str, custodian: object) -> FundAccount:
        return accounts.open_fund(
            actor=school.clerk, group=school.group, number=FUND, kind=kind, custodian=custodian,  # type: ignore[arg-type]
            opened_date=SIGNED, business_date=SIGNED,
        )  # fmt: skip

    with pytest.raises(PayrollRefusedError) as refused:
        open_it("general", None)
    assert codes(refused.value) == ["PAYROLL_FUND_NOT_SPECIAL", "PAYROLL_CUSTODIAN_MISSING"]
    open_it("special", small_bank.operator)
    with pytest.raises(PayrollRefusedError, match="RC-16"):
        cast.pay(school, 1, account="1000-2")
    assert not FundEntry.objects.exists()
    cast.pay(school, 1)
    assert FundAccount.objects.get().balance_fen == yuan(4_000)
    with pytest.raises(PayrollGroupError, match="没有重复记账"):
        cast.pay(school, 1)
    assert FundAccount.objects.get().balance_fen == yuan(4_000)


def test_the_limit_is_held_on_the_line_and_the_member_too(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank, limit=120_000)
    for number in (1, 2):
        cast.pay(school, number)
    cast.lent(school, 1, "80000")
    with pytest.raises(PayrollRefusedError) as refused:
        cast.lent(school, 2, "40000.01")
    assert codes(refused.value) == ["PAYROLL_ABOVE_GROUP_LIMIT"]
    cast.lent(school, 2, "40000")
    assert Contract.objects.get().owed_fen == yuan(120_000)
    cast.repaid(school, 1, "50000")
    cast.pay(school, 1, "5000", "更多")
    found = lending.loan_findings(
        school.member(1), amount_fen=yuan("50000.01"), loan_date=SIGNED, due_date=dt.date(2026, 3, 1)
    )
    assert [one.code for one in found] == ["PAYROLL_ABOVE_GROUP_LIMIT", "PAYROLL_ABOVE_MEMBER_LIMIT"]


def test_the_database_refuses_above_the_limit_and_changed_entries(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    loan = cast.lent(school, 1)
    with pytest.raises(IntegrityError, match="payroll_contract_within_limit"), transaction.atomic():
        Contract.objects.update(owed_fen=yuan("640000.01"))
    for entries in (loan.entries, FundEntry.objects):
        with pytest.raises((InternalError, ProgrammingError), match="append-only"), transaction.atomic():
            entries.update(voucher="x")  # type: ignore[attr-defined]


def test_two_persons_and_every_number_once(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    loan = lending.request_loan(
        actor=school.head, member=school.member(1), number="借 1", amount_fen=yuan(80_000),
        due_date=dt.date(2026, 3, 1), business_date=SIGNED,
    )  # fmt: skip
    with pytest.raises(PayrollGroupError, match="四眼"):
        lending.release_loan(actor=school.head, loan=loan, business_date=SIGNED)
    lending.withdraw_loan(actor=school.clerk, loan=loan, business_date=SIGNED)
    with pytest.raises(PayrollGroupError, match="没有重复登记"):
        cast.lent(school, 1)
    again = cast.lent(school, 1, name="借 1-2")
    lending.repay(
        actor=school.clerk, loan=again, principal_fen=yuan(1), interest_fen=0, voucher="还", business_date=SIGNED
    )
    with pytest.raises(PayrollGroupError, match="没有重复记账"):
        lending.repay(
            actor=school.clerk, loan=again, principal_fen=yuan(1), interest_fen=0, voucher="还", business_date=SIGNED
        )
    again.refresh_from_db()
    assert again.principal_fen == yuan(79_999)
    with pytest.raises(PayrollGroupError, match="不能更多"):
        lending.repay(
            actor=school.clerk, loan=again, principal_fen=yuan("79999.01"), interest_fen=0, voucher="多",
            business_date=SIGNED,
        )  # fmt: skip


def test_a_stranger_branch_does_nothing(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    with pytest.raises(PayrollGroupError, match="数据范围"):
        lending.request_loan(
            actor=small_bank.manager_east, member=school.member(1), number="借 1", amount_fen=1,
            due_date=dt.date(2026, 3, 1), business_date=SIGNED,
        )  # fmt: skip


def receive(school: cast.School, month: dt.date, day: dt.date, *, without: int = 0) -> None:
    wages = {member.pk: Money.from_yuan("6000").fen for member in school.members[without:]}
    accounts.receive_payroll(
        actor=school.clerk, group=school.group, month=month, file_name="工资.csv", staff_count=len(wages),
        total_fen=sum(wages.values()), wages_fen=wages, business_date=day,
    )  # fmt: skip


def test_a_month_is_missing_once_it_has_ended(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    receive(school, SIGNED, dt.date(2024, 3, 25))
    assert selectors.missing_months(school.fresh(), as_of=dt.date(2024, 4, 30)) == []
    assert selectors.missing_months(school.fresh(), as_of=dt.date(2024, 5, 1)) == [dt.date(2024, 4, 1)]
    receive(school, dt.date(2024, 4, 1), dt.date(2024, 5, 2))
    assert selectors.missing_months(school.fresh(), as_of=dt.date(2024, 5, 2)) == []
    with pytest.raises(PayrollGroupError, match="没有重复登记"):
        receive(school, dt.date(2024, 4, 1), dt.date(2024, 5, 3))


def test_days_that_make_no_sense_and_moves_that_hide_months(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)

    def agree(since: dt.date) -> None:
        accounts.agree_on_payroll(
            actor=school.clerk, group=school.group, agreement="代发 2", since=since, business_date=SIGNED
        )

    for day in (dt.date(9999, 12, 1), dt.date(1900, 1, 1)):
        with pytest.raises(PayrollGroupError, match="须在"):
            agree(day)
    with pytest.raises(PayrollGroupError, match="不能推后"):
        agree(dt.date(2024, 6, 1))
    agree(dt.date(2000, 1, 1))  # wages are owed through the union from the signing on, not before
    assert selectors.missing_months(school.fresh(), as_of=dt.date(2024, 4, 1)) == [SIGNED]


def test_no_loan_before_the_agreement_begins(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    type(school.group).objects.update(payroll_from=dt.date(2024, 3, 2))
    with pytest.raises(PayrollRefusedError) as refused:
        cast.lent(school, 1)
    assert codes(refused.value) == ["PAYROLL_AGREEMENT_MISSING"]


def test_a_foreign_payroll_is_refused_and_a_wrong_one_voided(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    with pytest.raises(PayrollGroupError, match="没有本集团的成员"):
        accounts.receive_payroll(
            actor=school.clerk, group=school.group, month=SIGNED, file_name="别家.csv", staff_count=2, total_fen=2,
            wages_fen={}, business_date=SIGNED,
        )  # fmt: skip
    receive(school, SIGNED, SIGNED)
    accounts.void_payroll(
        actor=school.clerk, payroll=school.group.payrolls.get(), reason="月份传错", business_date=SIGNED
    )
    receive(school, SIGNED, SIGNED)
    assert school.group.payrolls.count() == 2


@pytest.mark.parametrize("number", ["CD1-1", "x" * 41, " "])
def test_numbers_kept_for_moved_debts_and_too_long_ones(small_bank: SmallBank, number: str) -> None:
    school = cast.signed(small_bank)
    cast.pay(school, 1)
    with pytest.raises(PayrollGroupError):
        cast.lent(school, 1, name=number)


def test_the_custodian_keeps_and_does_not_book(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    with pytest.raises(PayrollRefusedError, match="RC-16"):
        accounts.open_fund(
            actor=school.clerk, group=school.group, number=FUND, kind="special", custodian=small_bank.administrator,
            opened_date=SIGNED, business_date=SIGNED,
        )  # fmt: skip
    accounts.open_fund(
        actor=school.clerk, group=school.group, number=FUND, kind="special", custodian=school.head, opened_date=SIGNED,
        business_date=SIGNED,
    )  # fmt: skip
    with pytest.raises(PayrollGroupError, match="保管人不能自己记账"):
        accounts.pay_into_fund(
            actor=school.head, member=school.member(1), amount_fen=1, account_number=FUND, voucher="一",
            business_date=SIGNED,
        )  # fmt: skip


def test_a_wrong_booking_is_taken_back_by_another(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    cast.repaid(school, 1)
    loan = Loan.objects.get(number="借 1")
    assert loan.state == "closed"
    entry = loan.entries.get(kind="repaid")

    def reverse(actor: Staff) -> None:
        lending.reverse_entry(actor=actor, entry=entry, reason="记错借据", business_date=SIGNED)

    with pytest.raises(PayrollGroupError, match="支行行长"):
        reverse(school.clerk)
    reverse(school.head)
    loan.refresh_from_db()
    assert (loan.state, loan.principal_fen) == ("out", yuan(80_000))
    assert Contract.objects.get().owed_fen == yuan(640_000)
    with pytest.raises(PayrollGroupError, match="每笔一次"):
        reverse(school.head)
    assert list_breaches() == []
