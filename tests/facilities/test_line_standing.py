"""How the customers of a line stand when it is decided: arrears, grades, what a public line stands in, the start."""

import datetime as dt

import pytest

from shouxin.approvals.services import CaseRefusedError
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import line_cases, line_judging, servicing
from shouxin.facilities.models import BankRelatedParty, Deal, PublicLine
from shouxin.facilities.public_line_checks import judge_surroundings
from shouxin.limits.models import Node
from shouxin.monitoring import watch
from tests.credit import SUB, decided, evaluated, in_force, prepared_group, propose, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank

YEAR = dt.date(2026, 6, 30)


def loan_of(bank: DemoBank, code: str) -> Deal:
    return Deal.objects.get(customer=bank.customer(code), product="working_capital_loan")


def overdue(bank: DemoBank, code: str) -> None:
    watch.record_overdue(
        actor=bank.staff("yaoj"), deal=loan_of(bank, code), since_date=DAY - dt.timedelta(days=1), principal_fen=WAN,
        interest_fen=0, business_date=DAY,
    )  # fmt: skip


def classify(bank: DemoBank, code: str) -> None:
    servicing.classify(
        actor=bank.staff("fengxc"), deal=loan_of(bank, code), grade="substandard", reason="停产", business_date=DAY
    )


def found(findings: list[Finding], code: str) -> Finding:
    return next(finding for finding in findings if finding.code == code)


def test_a_member_that_defaults_after_submission_stops_decision_and_operation(demo_bank: DemoBank) -> None:
    """What changed is said with names and dates; the evaluation by its day, never by an id."""
    group = prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100})))
    classify(demo_bank, "E")
    newer = evaluated(demo_bank, group=group)
    with pytest.raises(CaseRefusedError) as refused:
        decided(demo_bank, case)
    name = demo_bank.customer("E").party.name
    inputs = found(refused.value.findings, "FACTS_CHANGED").inputs
    assert inputs["五级分类"] == f"正常 → {name} 次级"
    assert inputs["全面评价"].startswith(f"{DAY}（控制量 7,500.00 万元，有效至 {YEAR}） → {DAY}")
    assert str(newer.pk) not in inputs["全面评价"].replace(str(DAY), "").replace(str(YEAR), "").split(" → ")


def test_a_member_overdue_before_operation_stops_it(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100})))
    case = decided(demo_bank, case)
    overdue(demo_bank, "E")
    with pytest.raises(CaseRefusedError) as refused:
        in_force(demo_bank, case)
    name = demo_bank.customer("E").party.name
    assert found(refused.value.findings, "FACTS_CHANGED").inputs["逾期"] == f"无 → {name} 自 2025-06-29 起"


def test_bad_assets_and_arrears_make_a_line_an_exception(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    assert not [f for f in line_cases.judge(case, as_of=DAY).findings if f.article == "CB-19"]
    overdue(demo_bank, "E")
    classify(demo_bank, "D")
    judged = line_cases.judge(case, as_of=DAY)
    names = {code: demo_bank.customer(code).party.name for code in "DE"}
    said = [(f.code, f.severity) for f in judged.findings if f.article == "CB-19"]
    assert said == [("CUSTOMER_CLASSIFIED", Severity.WARN), ("CUSTOMER_OVERDUE", Severity.WARN)]
    assert judged.exceptions[-2:] == [f"{names['D']} 五级分类为次级", f"{names['E']} 自 2025-06-29 起逾期 1 天"]
    with pytest.raises(CaseRefusedError, match="例外"):
        submitted(demo_bank, case)


def test_a_public_line_ends_with_the_line_that_it_is_a_part_of(demo_bank: DemoBank) -> None:
    b = demo_bank.customer("B")
    node = Node.objects.get(customer=b, kind="CUSTOMER")
    assert node.parent is not None
    end = min(each.valid_to for each in (node, node.parent) if each.valid_to)
    assert judge_surroundings(customer=b, valid_to=end, as_of=DAY) == []
    (beyond,) = judge_surroundings(customer=b, valid_to=end + dt.timedelta(days=1), as_of=DAY)
    assert (beyond.code, beyond.is_refusal, beyond.article) == ("PUBLIC_BEYOND_GENERAL", True, "CB+1")
    case = line_cases.propose_public_line(
        actor=demo_bank.staff("zhoulp"), customer=b, amount_fen=WAN, valid_from=DAY,
        valid_to=end + dt.timedelta(days=1), business_date=DAY,
    )  # fmt: skip
    assert found(line_cases.judge(case, as_of=DAY).findings, "PUBLIC_BEYOND_GENERAL").is_refusal


def test_what_a_public_line_stands_in_is_said(demo_bank: DemoBank) -> None:
    """The group over its line, a related party of the bank, a certificate cancelled before: said, not refused."""
    b = demo_bank.customer("B")
    BankRelatedParty.objects.create(party=b.party, relation="主要股东", valid_from=DAY)
    Node.objects.filter(group=demo_bank.group).update(cap_fen=WAN, excess_cause="CUT")
    case = line_cases.propose_public_line(
        actor=demo_bank.staff("zhoulp"), customer=b, amount_fen=WAN, valid_from=DAY, valid_to=YEAR, business_date=DAY
    )
    PublicLine.objects.create(
        customer=b, amount_fen=WAN, valid_from=DAY, valid_to=YEAR, certificate_number="GK1", status="cancelled",
        cancelled_date=DAY, notice_number="QX1", cancel_reason="欠息", case=case,
    )  # fmt: skip
    said = judge_surroundings(customer=b, valid_to=DAY, as_of=DAY)
    assert [(f.code, f.severity) for f in said] == [
        ("LINE_AROUND_EXCEEDED", Severity.WARN), ("RELATED_PARTY", Severity.WARN),
        ("PUBLIC_LINE_CANCELLED_BEFORE", Severity.WARN),
    ]  # fmt: skip


def test_a_line_that_starts_before_the_business_day_is_pointed_out() -> None:
    def codes(start: dt.date) -> list[str]:
        return [finding.code for finding in line_judging.judge_term(start, DAY + dt.timedelta(days=90), as_of=DAY)[0]]

    assert codes(DAY) == []
    assert codes(DAY - dt.timedelta(days=1)) == ["START_IN_THE_PAST"]
