"""Nobody leaves, nothing ends and no fund is touched before the debts allow it."""

import datetime as dt

import pytest

from shouxin.payroll_groups import accounts, leaving, lending, selectors
from shouxin.payroll_groups.models import Contract, Departure, FundAccount, Loan
from shouxin.payroll_groups.rights import PayrollGroupError, PayrollRefusedError
from tests.conftest import SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import SIGNED, School, yuan

pytestmark = pytest.mark.django_db
LATER = dt.date(2025, 6, 30)


def leave(school: School, number: int, kind: str = "exit") -> Departure:
    return leaving.ask_to_leave(
        actor=school.clerk, member=school.member(number), kind=kind, reason="调离", business_date=LATER
    )


def agreed(school: School, departure: Departure, *, leader: bool = True, union: bool = True) -> Departure:
    if leader:
        leaving.leader_agrees(actor=school.clerk, departure=departure, document="同意书 1", business_date=LATER)
    if union:
        leaving.union_agrees(actor=school.head, departure=departure, business_date=LATER)
    return departure


def finish(school: School, departure: Departure) -> Departure:
    return leaving.finish_departure(actor=school.clerk, departure=departure, business_date=LATER)


def dissolve(school: School) -> None:
    leaving.dissolve(actor=school.bank.approver, group=school.fresh(), business_date=LATER)


def refund(school: School, number: int) -> None:
    accounts.refund(actor=school.head, member=school.member(number), voucher=f"退 {number}", business_date=LATER)


@pytest.mark.clause("RC-17", "Z04", points="on over")
def test_one_yuan_owed_by_one_holds_everything(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    for number in range(1, 8):
        cast.repaid(school, number, on=LATER)
    cast.repaid(school, 8, "79999", on=LATER)
    departure = agreed(school, leave(school, 1))
    for act in (lambda: finish(school, departure), lambda: dissolve(school), lambda: refund(school, 1)):
        with pytest.raises(PayrollRefusedError, match=r"教师8 1\.00 元") as refused:
            act()
        assert [one.code for one in refused.value.findings] == ["PAYROLL_DEBT_OUTSTANDING"]
    assert FundAccount.objects.get().balance_fen == yuan(32_000)
    cast.repaid(school, 8, "1", on=LATER)
    finish(school, departure)
    dissolve(school)
    refund(school, 2)
    assert school.fresh().state == "dissolved"
    assert FundAccount.objects.get().balance_fen == yuan(28_000)
    with pytest.raises(PayrollGroupError, match="没有可退还"):
        refund(school, 2)


@pytest.mark.clause("RC-17", points="on over")
def test_interest_counts_as_debt(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    loan = Loan.objects.get(number="借 1")
    lending.charge_interest(actor=school.clerk, loan=loan, amount_fen=yuan("0.01"), voucher="息", business_date=LATER)
    for number in range(1, 9):
        cast.repaid(school, number, on=LATER)
    with pytest.raises(PayrollRefusedError, match=r"教师1 0\.01 元"):
        dissolve(school)
    lending.repay(
        actor=school.clerk, loan=loan, principal_fen=0, interest_fen=yuan("0.01"), voucher="还息", business_date=LATER
    )
    dissolve(school)


@pytest.mark.clause("RC-18", "Z05", points="on over")
def test_exit_needs_all_debts_repaid_and_both_consents(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    cast.repaid(school, 1, on=LATER)
    departure = leave(school, 1)
    agreed(school, departure, union=False)
    with pytest.raises(PayrollRefusedError) as refused:
        finish(school, departure)  # B still owes, the union is silent
    assert [one.code for one in refused.value.findings] == [
        "PAYROLL_DEBT_OUTSTANDING", "PAYROLL_UNION_CONSENT_MISSING",
    ]  # fmt: skip
    for number in range(2, 9):
        cast.repaid(school, number, on=LATER)
    with pytest.raises(PayrollRefusedError, match="信用社的同意") as refused:
        finish(school, departure)
    assert [one.code for one in refused.value.findings] == ["PAYROLL_UNION_CONSENT_MISSING"]
    assert school.member(1).state == "active"
    agreed(school, departure, leader=False)
    finish(school, departure)
    assert (school.member(1).state, school.member(1).left_date) == ("left", LATER)
    assert selectors.members_on(school.group, day=SIGNED).count() == 8
    assert selectors.members_on(school.group, day=LATER).count() == 7


def test_who_opened_a_departure_does_not_agree_for_the_union(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    departure = leaving.ask_to_leave(
        actor=school.head, member=school.member(1), kind="exit", reason="调离", business_date=LATER
    )
    with pytest.raises(PayrollGroupError, match="四眼"):
        leaving.union_agrees(actor=school.head, departure=departure, business_date=LATER)


def in_breach(small_bank: SmallBank) -> School:
    """Member 5 still owes 30,000 元 and has broken the contract."""
    school = cast.all_lent(small_bank)
    cast.repaid(school, 5, "50000", on=LATER)
    with pytest.raises(PayrollGroupError, match="没有违约记录"):
        leave(school, 5, "removal")
    lending.note_breach(
        actor=school.clerk, loan=Loan.objects.get(number="借 5"), text="连续三期不还", business_date=LATER
    )
    return school


@pytest.mark.clause("RC-19", "Z06", points="on over")
def test_removal_after_the_others_have_taken_over_the_debt(small_bank: SmallBank) -> None:
    school = in_breach(small_bank)
    departure = agreed(school, leave(school, 5, "removal"))
    with pytest.raises(PayrollRefusedError, match=r"30,000\.00 元") as refused:
        finish(school, departure)
    assert [one.code for one in refused.value.findings] == ["PAYROLL_DEBT_NOT_SETTLED"]
    signatures = list(departure.assumptions.all())
    assert len(signatures) == 7
    assert sum(one.share_fen for one in signatures) == yuan(30_000)
    for one in signatures[:-1]:
        leaving.sign_assumption(actor=school.clerk, assumption=one, business_date=LATER)
    with pytest.raises(PayrollRefusedError, match="未签署承担的成员：教师8"):
        finish(school, departure)
    leaving.sign_assumption(actor=school.clerk, assumption=signatures[-1], business_date=LATER)
    finish(school, departure)
    assert school.member(5).state == "removed"
    assert Loan.objects.get(number="借 5").state == "closed"
    taken = Loan.objects.filter(taken_over_from__number="借 5")
    assert (taken.count(), sum(loan.principal_fen for loan in taken)) == (7, yuan(30_000))
    # the sum of all debts is what it was: nothing was lost or doubled
    assert Contract.objects.get().owed_fen == yuan(590_000)
    assert selectors.report_of(school.group, as_of=LATER).owed_fen == yuan(590_000)
    assert sum(debt.owed_fen for debt in selectors.debts_of(school.group)) == yuan(590_000)


@pytest.mark.clause("RC-19", points="on over")
def test_removal_after_forced_recovery(small_bank: SmallBank) -> None:
    school = in_breach(small_bank)
    departure = leave(school, 5, "removal")
    loan = Loan.objects.get(number="借 5")
    lending.repay(
        actor=school.clerk, loan=loan, principal_fen=yuan(30_000), interest_fen=0, voucher="强制收回",
        business_date=LATER, is_forced=True,
    )  # fmt: skip
    with pytest.raises(PayrollRefusedError) as refused:
        finish(school, departure)
    assert {one.article for one in refused.value.findings} == {"RC-19"}
    assert len(refused.value.findings) == 2
    finish(school, agreed(school, departure))
    assert school.member(5).state == "removed"
    assert not Loan.objects.filter(taken_over_from__isnull=False).exists()


def test_unequal_shares_with_interest_move_exactly(small_bank: SmallBank) -> None:
    school = in_breach(small_bank)
    loan = Loan.objects.get(number="借 5")
    lending.charge_interest(actor=school.clerk, loan=loan, amount_fen=yuan("123.45"), voucher="息", business_date=LATER)
    departure = leave(school, 5, "removal")
    others = [one.member_id for one in departure.assumptions.all()]
    shares = dict.fromkeys(others, 0) | {others[0]: yuan("30000.45"), others[1]: yuan("123.00")}
    with pytest.raises(PayrollGroupError, match="合计须等于欠款"):
        leaving.share_debt(
            actor=school.clerk, departure=departure, shares_fen=shares | {others[0]: 1}, business_date=LATER
        )
    leaving.share_debt(actor=school.clerk, departure=departure, shares_fen=shares, business_date=LATER)
    for one in departure.assumptions.all():
        leaving.sign_assumption(actor=school.clerk, assumption=one, business_date=LATER)
    departure.refresh_from_db()
    finish(school, agreed(school, departure))
    taken = Loan.objects.filter(taken_over_from=loan).order_by("pk")
    assert [(one.principal_fen, one.interest_fen) for one in taken] == [
        (yuan(30_000), yuan("0.45")), (0, yuan("123.00")),
    ]  # fmt: skip


def test_a_group_ends_by_the_county_union_only(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    with pytest.raises(PayrollGroupError, match="县联社"):
        leaving.dissolve(actor=school.head, group=school.group, business_date=LATER)


def test_shares_are_those_of_the_members_of_today(small_bank: SmallBank) -> None:
    """Who signed and was removed since takes nothing over: the debt is shared anew, and both agree anew."""
    school = in_breach(small_bank)
    departure = agreed(school, leave(school, 5, "removal"))
    for one in departure.assumptions.all():
        leaving.sign_assumption(actor=school.clerk, assumption=one, business_date=LATER)
    first = Loan.objects.get(number="借 1")
    lending.note_breach(actor=school.clerk, loan=first, text="拒不还款", business_date=LATER)
    cast.repaid(school, 1, on=LATER)
    finish(school, agreed(school, leave(school, 1, "removal")))
    with pytest.raises(PayrollRefusedError) as refused:
        finish(school, departure)
    assert [one.code for one in refused.value.findings] == ["PAYROLL_SHARES_STALE"]
    others = leaving.others_of(school.member(5))
    leaving.share_debt(
        actor=school.clerk, departure=departure, business_date=LATER,
        shares_fen={one.pk: yuan(30_000) if place == 0 else 0 for place, one in enumerate(others)},
    )  # fmt: skip
    departure.refresh_from_db()
    assert departure.union_agreed_by is None
    for one in departure.assumptions.all():
        leaving.sign_assumption(actor=school.clerk, assumption=one, business_date=LATER)
    finish(school, agreed(school, departure))
    assert selectors.owed_fen(others[0]) == yuan(110_000)
    assert selectors.owed_fen(school.member(1)) == 0


def test_a_member_who_leaves_or_broke_the_contract_borrows_no_more(small_bank: SmallBank) -> None:
    school = in_breach(small_bank)
    found = lending.loan_findings(
        school.member(5), amount_fen=yuan(1_000), loan_date=LATER, due_date=dt.date(2026, 3, 1)
    )
    assert "PAYROLL_MEMBER_LEAVING" in [one.code for one in found]


def test_the_union_is_spoken_for_by_its_head(small_bank: SmallBank) -> None:
    school = cast.all_lent(small_bank)
    departure = leave(school, 1)
    with pytest.raises(PayrollGroupError, match="支行行长"):
        leaving.union_agrees(actor=small_bank.operator, departure=departure, business_date=LATER)


def test_what_is_open_ends_with_the_group(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank)
    departure = leave(school, 1)
    dissolve(school)
    departure.refresh_from_db()
    assert departure.state == "withdrawn"
    assert selectors.missing_months(school.fresh(), as_of=dt.date(2026, 1, 1)) == []
