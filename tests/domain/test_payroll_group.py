"""Rules of payroll groups on the line, just over it and on the day before they were in force."""

import datetime as dt
from dataclasses import replace

import pytest

from shouxin.domain.payroll_group import (
    Applicant,
    ContractFacts,
    LoanFacts,
    equal_shares,
    judge_applicant,
    judge_contract,
    judge_loan,
    level_of,
    months_without_payroll,
)
from shouxin.policy import load_book

DAY, BEFORE = dt.date(2024, 3, 1), dt.date(2008, 12, 31)
FIRST = dt.date(2009, 1, 1)

TEACHER = Applicant(
    name="教师", employment="公职人员", monthly_income_fen=600_000, has_income_proof=True, has_applied=True,
    owes_overdue=False, has_account=True, is_investigated=True,
)  # fmt: skip
CONTRACT = ContractFacts(
    signed=DAY, end=dt.date(2027, 3, 1), qualified_members=5, limit_fen=64_000_000, owed_fen=0,
    approver_is_county_union=True, exception_reason="",
)  # fmt: skip
LOAN = LoanFacts(
    day=DAY, amount_fen=8_000_000, due=dt.date(2026, 3, 1), member_name="教师", member_status="成员", is_member=True,
    member_limit_fen=8_000_000, member_owed_fen=0, contract=(DAY, dt.date(2027, 3, 1)), limit_fen=64_000_000,
    owed_fen=56_000_000, has_unit_account=True, has_payroll_agreement=True, has_special_account=True,
    has_custodian=True, fund_paid_fen=400_000,
)  # fmt: skip


def codes(findings: list) -> list[str]:  # type: ignore[type-arg]
    return [one.code for one in findings]


@pytest.mark.clause("RC-06", points="on over before")
@pytest.mark.parametrize(
    ("employment", "day", "found"),
    [("公职人员", DAY, []), ("企事业单位员工", FIRST, []), ("个体工商户", FIRST, ["PAYROLL_NOT_SALARIED"]),
     ("个体工商户", BEFORE, [])],
)  # fmt: skip
def test_who_may_join(employment: str, day: dt.date, found: list[str]) -> None:
    assert codes(judge_applicant(replace(TEACHER, employment=employment), book=load_book(), as_of=day)) == found


@pytest.mark.clause("RC-11", points="on over before")
@pytest.mark.parametrize(
    ("end", "day", "found"),
    [(dt.date(2027, 3, 1), DAY, []), (dt.date(2027, 3, 2), DAY, ["PAYROLL_TERM_ABOVE_USUAL"]),
     (dt.date(2027, 3, 2), BEFORE, [])],
)  # fmt: skip
def test_the_usual_term(end: dt.date, day: dt.date, found: list[str]) -> None:
    assert codes(judge_contract(replace(CONTRACT, end=end), book=load_book(), as_of=day)) == found


@pytest.mark.clause("RC-15", points="on over before")
@pytest.mark.parametrize(
    ("paid", "day", "found"), [(400_000, DAY, []), (399_999, DAY, ["PAYROLL_FUND_SHORT"]), (0, BEFORE, [])]
)
def test_the_fund(paid: int, day: dt.date, found: list[str]) -> None:
    facts = replace(LOAN, fund_paid_fen=paid)
    assert codes(judge_loan(facts, book=load_book(), as_of=day)) == found


@pytest.mark.clause("RC-05", points="on over")
@pytest.mark.parametrize(
    ("owed", "member_owed", "found"),
    [(56_000_000, 0, []), (56_000_001, 0, ["PAYROLL_ABOVE_GROUP_LIMIT"]), (0, 1, ["PAYROLL_ABOVE_MEMBER_LIMIT"])],
)
def test_the_highest_value(owed: int, member_owed: int, found: list[str]) -> None:
    facts = replace(LOAN, owed_fen=owed, member_owed_fen=member_owed)
    assert codes(judge_loan(facts, book=load_book(), as_of=DAY)) == found


@pytest.mark.parametrize(("members", "day", "found"), [
    (5, DAY, []), (4, DAY, ["PAYROLL_TOO_FEW_MEMBERS"]), (1, BEFORE, []),
])  # fmt: skip
def test_the_fewest_members(members: int, day: dt.date, found: list[str]) -> None:
    assert codes(judge_contract(replace(CONTRACT, qualified_members=members), book=load_book(), as_of=day)) == found


def test_every_reason_is_given_at_once() -> None:
    facts = replace(
        LOAN, has_unit_account=False, has_payroll_agreement=False, has_custodian=False, fund_paid_fen=0, contract=None,
        is_member=False, member_status="未申请", is_joint_debt_overdue=True, due=DAY,
    )  # fmt: skip
    assert set(codes(judge_loan(facts, book=load_book(), as_of=DAY))) == {
        "PAYROLL_NOT_A_MEMBER", "PAYROLL_OUTSIDE_CONTRACT", "PAYROLL_UNIT_ACCOUNT_MISSING", "PAYROLL_AGREEMENT_MISSING",
        "PAYROLL_CUSTODIAN_MISSING", "PAYROLL_FUND_SHORT", "PAYROLL_JOINT_DEBT_OVERDUE", "PAYROLL_DUE_NOT_LATER",
    }  # fmt: skip


def test_small_rules() -> None:
    assert level_of([]) == level_of([7, 7]) == "credit_union"
    assert level_of([7, 8]) == "county"
    assert equal_shares(10, 3) == [4, 3, 3]
    july = dt.date(2025, 7, 1)
    assert months_without_payroll(dt.date(2025, 7, 15), [], dt.date(2025, 7, 31)) == []
    assert months_without_payroll(dt.date(2025, 7, 15), [], dt.date(2025, 8, 1)) == [july]
    assert months_without_payroll(None, [], DAY) == []
