"""A customer's general line and its public part: evaluation first, authority on the aggregate, cure and notice."""

import datetime as dt
import io
from decimal import Decimal
from functools import partial

import pytest
import xlsxwriter
from django.db import IntegrityError, transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Authority, Case
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.domain.authority import CaseFacts, Level
from shouxin.domain.money import Money
from shouxin.facilities import evaluating, line_cases, line_judging, line_kinds, line_life, public_lines, servicing
from shouxin.facilities.models import (
    CreditRating,
    CustomerLine,
    Deal,
    FinancialStatement,
    LineFreeze,
    PublicLine,
)  # fmt: skip
from shouxin.facilities.services import DrawingRequest, open_facility, release_drawing, request_drawing
from shouxin.limits.models import Node
from shouxin.monitoring import watch
from shouxin.parties.models import Customer
from shouxin.parties.services import add_customer, create_party
from tests.conftest import SmallBank
from tests.credit import decided, evaluated, in_force, investigated, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank

YEAR = dt.date(2026, 6, 30)
F_TEAM = ("suny", "qianf")


def refusals(error: CaseRefusedError) -> list[tuple[str, str]]:
    return [(finding.code, finding.article) for finding in error.findings]


def rate(bank: DemoBank, customer: Customer, grade: str = "AA", on: dt.date = DAY) -> None:
    evaluating.rate(actor=bank.staff("fengxc"), customer=customer, grade=grade, model="对公 v2", business_date=on)


def propose(bank: DemoBank, wan: str, *, code: str = "F", by: str = "suny", until: dt.date = YEAR) -> Case:
    return line_cases.propose_customer_line(
        actor=bank.staff(by), customer=bank.customer(code), amount_fen=Money.from_wan(wan).fen, valid_from=DAY,
        valid_to=until, business_date=DAY,
    )  # fmt: skip


def submit(bank: DemoBank, case: Case, *, by: str = "suny", reason: str = "", team: tuple[str, ...] = F_TEAM) -> Case:
    for name in team:
        approvals.investigate(actor=bank.staff(name), case=case, opinion="属实", is_on_site=True, business_date=DAY)
    return line_cases.submit(actor=bank.staff(by), case=case, exception_reason=reason, business_date=DAY)


def statement(bank: DemoBank, code: str, *, assets: str = "13125", debts: str = "8925", equity: str = "4200") -> None:
    items = {"total_assets": assets, "total_liabilities": debts, "equity": equity}
    evaluating.add_statements(
        actor=bank.staff("fengxc"), customer=bank.customer(code), scope="own", source="年报", business_date=DAY,
        statements=[
            evaluating.StatementInput(
                dt.date(2024, 12, 31), {key: Money.from_wan(value).fen for key, value in items.items()}
            )
        ],
    )  # fmt: skip


# --- general line -------------------------------------------------------------------------------------------


@pytest.mark.clause("CB-07", "CB-12", points="on over")
def test_without_a_valid_evaluation_nothing_is_sized(demo_bank: DemoBank) -> None:
    """No evaluation, or one past its twelve months: refused; on its last day it still counts."""
    rate(demo_bank, demo_bank.customer("F"))
    case = propose(demo_bank, "1000")
    with pytest.raises(CaseRefusedError) as refused:
        submit(demo_bank, case)
    assert refusals(refused.value) == [("EVALUATION_MISSING", "CB-12")]
    evaluation = evaluated(demo_bank, customer=demo_bank.customer("F"), by="suny", control="1000")
    assert evaluation.valid_to == YEAR

    def missing(day: dt.date) -> bool:
        codes = [f.code for f in line_cases.judge(case, as_of=day).findings]
        return "EVALUATION_MISSING" in codes

    assert not missing(dt.date(2026, 6, 29))
    assert missing(YEAR)
    assert submit(demo_bank, case, reason="", team=()).state == Case.State.REVIEW, "with its evaluation it goes on"


@pytest.mark.clause("CB-14", "CB-15", points="on over")
def test_need_and_other_banks_are_required(demo_bank: DemoBank) -> None:
    """Other banks 3,000 now and 2,000 expected: the factor shows −1,000."""
    given = evaluating.EvaluationInput(
        methods={}, need_fen=None, other_banks_now_fen=None, other_banks_expected_fen=None, conclusion=""
    )
    with pytest.raises(evaluating.EvaluationError) as error:
        evaluating.evaluate(
            actor=demo_bank.staff("suny"), customer=demo_bank.customer("F"), given=given, business_date=DAY
        )
    assert [word for word in ("CB-14", "CB-15", "CB-12") if word in str(error.value)] == ["CB-14", "CB-15", "CB-12"]
    with pytest.raises(evaluating.EvaluationError, match="不能为负数"):
        evaluated(demo_bank, customer=demo_bank.customer("F"), by="suny", need="-1")
    evaluation = evaluated(demo_bank, customer=demo_bank.customer("F"), by="suny", control="1000")
    assert evaluation.other_banks_change_fen == -1_000 * WAN
    findings, _ = line_judging.judge_evaluation(evaluation, amount_fen=WAN, as_of=DAY, who="F")
    assert "预计变化 −1,000.00 万元" in next(f.message for f in findings if f.code == "OTHER_BANKS_CHANGE")


@pytest.mark.clause("CB-16", points="on over")
def test_a_restricted_industry_shows_the_policy_conflict(demo_bank: DemoBank) -> None:
    evaluation = evaluated(
        demo_bank,
        customer=demo_bank.customer("F"),
        by="suny",
        tags=[("道路运输业", "restricted"), ("本地", "supported")],
    )
    findings, _ = line_judging.judge_evaluation(evaluation, amount_fen=WAN, as_of=DAY, who="F")
    conflicts = [f for f in findings if f.code == "POLICY_CONFLICT"]
    assert [("道路运输业" in f.message, f.article) for f in conflicts] == [(True, "CB-16")]


@pytest.mark.clause("CB-09", points="on over")
@pytest.mark.parametrize(
    ("name", "kind", "nature", "is_refused"),
    [("华东证券有限公司", "org", "", True), ("城郊农业", "org", "金融", True), ("王某", "person", "", True),
     ("示例制造有限公司", "org", "民营", False)],
)  # fmt: skip
def test_only_non_financial_legal_persons_have_a_line(
    small_bank: SmallBank, name: str, kind: str, nature: str, is_refused: bool
) -> None:
    party = create_party(kind=kind, name=name)
    party.nature = nature
    party.save()
    customer = add_customer(
        actor=None, party=party, unit=small_bank.west, owner=small_bank.manager_west, business_date=DAY
    )
    found = [(f.code, f.article) for f in line_judging.judge_eligible(customer, as_of=DAY)]
    assert found == ([("NOT_ELIGIBLE", "CB-09")] if is_refused else [])


@pytest.mark.clause("BR-09", "A-19")
def test_the_groups_total_after_the_act_decides_the_level_not_the_single_loan(demo_bank: DemoBank) -> None:
    """Unit authority 2,000: a line of 300 goes up because the group's total after it is above; 2,000 itself stays."""
    f = demo_bank.customer("F")
    Deal.objects.filter(customer__party__source_id__in="ABE").update(closed_date=dt.date(2025, 6, 1))
    keep = Deal.objects.filter(customer=demo_bank.customer("A"), product="working_capital_loan")
    keep.update(closed_date=None, amount_fen=1_700 * WAN)
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny", control="3000")
    assert line_kinds.aggregate_after(f, 300 * WAN, as_of=DAY) == 2_000 * WAN
    case = propose(demo_bank, "300")
    assert _level(case) == "分支机构"
    keep.update(amount_fen=1_800 * WAN)
    assert line_kinds.aggregate_after(f, 300 * WAN, as_of=DAY) == 2_100 * WAN
    assert _level(case) == "总行审批"
    Authority.objects.filter(level=1).update(is_inclusive=False)
    keep.update(amount_fen=1_700 * WAN)
    assert _level(case) == "总行审批", "2,000 itself is outside when the row excludes it"


def _level(case: Case) -> str:
    from shouxin.domain.authority import LEVEL_NAMES

    judged = line_cases.judge(case, as_of=DAY)
    return LEVEL_NAMES[approvals.level_of(judged.authority, as_of=DAY, exceptions=judged.exceptions).level]


def test_two_officers_authorities_never_add_up(demo_bank: DemoBank) -> None:
    """A level bound to named persons is theirs alone."""
    f = demo_bank.customer("F")
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = reviewed(demo_bank, submit(demo_bank, propose(demo_bank, "2500")))
    Authority.objects.filter(level=2).update(staff=demo_bank.staff("zhaoq"))
    with pytest.raises(CaseRefusedError, match="不能相加"):
        decided(demo_bank, case)
    assert decided(demo_bank, case, by="zhaoq").state == Case.State.APPROVED


def test_an_approver_who_made_the_case_cannot_decide_it(demo_bank: DemoBank) -> None:
    f, both = demo_bank.customer("F"), demo_bank.staff("wanghy")
    both.role_assignments.create(role="customer_manager", valid_from=dt.date(2024, 1, 1))
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = line_cases.propose_customer_line(
        actor=both, customer=f, amount_fen=1_000 * WAN, valid_from=DAY, valid_to=YEAR, business_date=DAY
    )
    case = reviewed(demo_bank, submit(demo_bank, case))
    with pytest.raises(CaseRefusedError) as refused:
        decided(demo_bank, case, by="wanghy")
    assert ("SAME_PERSON", "BR-08") in refusals(refused.value)
    with pytest.raises(IntegrityError, match="case_four_eyes"), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(decided_by=both)
    assert decided(demo_bank, case, by="zhaoq").state == Case.State.APPROVED


def test_a_members_line_goes_through_the_group(demo_bank: DemoBank) -> None:
    rate(demo_bank, demo_bank.customer("D"))
    evaluated(demo_bank, customer=demo_bank.customer("D"))
    case = investigated(demo_bank, propose(demo_bank, "100", code="D", by="liujg"))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("MEMBER_OF_GROUP", "JS-04")]


@pytest.mark.clause("UC-07", points="before")
def test_a_renewal_decided_ahead_takes_over_on_its_first_day(demo_bank: DemoBank) -> None:
    """Put into force a month ahead it would cut the line that still runs: refused, and on its day it is not."""
    f, start = demo_bank.customer("F"), dt.date(2025, 7, 31)
    Node.objects.filter(customer=f, kind="CUSTOMER").update(valid_to=start)
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = line_cases.propose_customer_line(
        actor=demo_bank.staff("suny"), customer=f, amount_fen=1_500 * WAN, valid_from=start,
        valid_to=dt.date(2026, 7, 31), business_date=DAY,
    )  # fmt: skip
    case = decided(demo_bank, reviewed(demo_bank, submit(demo_bank, case)))
    with pytest.raises(CaseError, match="请在 2025-07-31 落实"):
        in_force(demo_bank, case)
    node = Node.objects.get(customer=f, kind="CUSTOMER")
    assert (node.valid_to, CustomerLine.objects.count()) == (start, 0), "the line that runs stays as it was"
    assert demo_bank.draw("F", "1", by="suny").state == "reserved"
    in_force(demo_bank, case, on=start)
    node.refresh_from_db()
    assert (node.cap_fen, node.valid_from) == (1_500 * WAN, start)


@pytest.mark.clause("CB-01", points="on over")
def test_the_line_and_its_use_are_two_different_cases(demo_bank: DemoBank) -> None:
    f = demo_bank.customer("F")
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = reviewed(demo_bank, submit(demo_bank, propose(demo_bank, "1500")))
    in_force(demo_bank, decided(demo_bank, case))
    line = CustomerLine.objects.get(customer=f)
    assert (line.amount_fen, line.is_restricted) == (1_500 * WAN, False)
    assert line.legal_basis[0] == "《中华人民共和国商业银行法》"
    assert Node.objects.get(customer=f, kind="CUSTOMER").cap_fen == 1_500 * WAN
    drawing = demo_bank.draw("F", "100", by="suny")
    kinds = set(Case.objects.filter(subject_id=str(f.pk)).values_list("kind", flat=True))
    assert kinds == {"general_line", "use_other"}
    with pytest.raises(CaseError, match=r"CB\+4"):
        release_drawing(actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY)


@pytest.mark.clause("CB+6", points="on over")
@pytest.mark.parametrize(("grade", "level"), [("BBB", "分支机构"), ("BB", "总行审批")])
def test_a_restricted_rating_moves_the_use_one_level_up(demo_bank: DemoBank, grade: str, level: str) -> None:
    rate(demo_bank, demo_bank.customer("D"), grade)
    drawing = demo_bank.draw("D", "10")
    assert drawing.case is not None
    assert drawing.case.level_name == level
    if grade == "BB":
        with pytest.raises(CaseRefusedError):
            release_drawing(
                actor=demo_bank.staff("hewei"), drawing=drawing, business_date=DAY, minutes_number="贷审 9 号"
            )
    release_drawing(actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY, minutes_number="贷审 9 号")


@pytest.mark.clause("UC-07", points="on over")
@pytest.mark.parametrize(("until", "is_exception"), [(YEAR, False), (dt.date(2026, 7, 1), True)])
def test_a_term_above_twelve_months_is_an_exception(until: dt.date, is_exception: bool) -> None:
    findings, exceptions = line_judging.judge_term(DAY, until, as_of=DAY)
    assert bool(exceptions) is is_exception
    assert [f.code for f in findings] == (["TERM_TOO_LONG"] if is_exception else [])
    assert line_judging.judge_term(DAY, DAY, as_of=DAY)[0][0].is_refusal


# --- public line --------------------------------------------------------------------------------------------


def public_case(bank: DemoBank, wan: str = "2200", **options: object) -> Case:
    return line_cases.propose_public_line(
        actor=bank.staff("zhoulp"), customer=bank.customer("B"), amount_fen=Money.from_wan(wan).fen, valid_from=DAY,
        valid_to=YEAR, business_date=DAY, **options,  # type: ignore[arg-type]
    )  # fmt: skip


def issued(bank: DemoBank, wan: str = "2200") -> PublicLine:
    rate(bank, bank.customer("B"))
    statement(bank, "B")
    case = submitted(bank, public_case(bank, wan), by=("zhoulp", "qianf"))
    in_force(bank, decided(bank, reviewed(bank, case)))
    return PublicLine.objects.get(customer=bank.customer("B"))


@pytest.mark.clause("CB+1", "CB+2", points="on over")
def test_an_eligible_customer_gets_a_certificate_up_to_its_general_line(demo_bank: DemoBank) -> None:
    """B: AA, 68 %, 4,200, clean three years; 2,200 is allowed, a fen more is refused."""
    rate(demo_bank, demo_bank.customer("B"))
    statement(demo_bank, "B")
    assert all(test.is_met for test in public_lines.eligibility(demo_bank.customer("B"), as_of=DAY))
    case = public_case(demo_bank, "2200.000001")
    found = [(f.code, f.article) for f in line_cases.judge(case, as_of=DAY).findings if f.is_refusal]
    assert found == [("PUBLIC_ABOVE_GENERAL", "CB+1")]
    approvals.withdraw(actor=demo_bank.staff("zhoulp"), case=case, reason="调减", business_date=DAY)
    case = submitted(demo_bank, public_case(demo_bank), by=("zhoulp", "qianf"))
    assert case.exceptions == []
    in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, case)))
    line = PublicLine.objects.get()
    assert (line.amount_fen, line.is_exception, len(line.eligibility)) == (2_200 * WAN, False, 4)
    b = demo_bank.customer("B")
    inside = partial(public_lines.judge_use, customer=b, product="working_capital_loan", as_of=DAY)
    assert inside(counted_fen=2_200 * WAN) == []
    assert [f.code for f in inside(counted_fen=2_200 * WAN + 1)] == ["PUBLIC_LINE_EXCEEDED"]


@pytest.mark.clause("CB+2", points="on over before")
def test_each_condition_of_the_public_line_on_its_line_and_just_beyond(small_bank: SmallBank) -> None:
    """AA, 70 % (80 % for construction and trade), 4,000 (1,000 for trade), three clean years; none before the rule."""
    party = create_party(kind="org", name="某建材有限公司")
    customer = add_customer(
        actor=None, party=party, unit=small_bank.west, owner=small_bank.manager_west, business_date=DAY
    )
    made = FinancialStatement.objects.create(
        customer=customer, scope="own", period_end_date=dt.date(2024, 12, 31), source="年报", items={},
        entered_by=small_bank.manager_west,
    )  # fmt: skip

    def is_met(name: str, on: dt.date = DAY, *, industry: str = "批发业", **wan: str) -> bool:
        items = {"total_assets": "10000", "total_liabilities": "7000", "equity": "4000", **wan}
        FinancialStatement.objects.filter(pk=made.pk).update(
            items={key: Money.from_wan(value).fen for key, value in items.items()}
        )
        customer.party.industry = industry
        return next(test for test in public_lines.eligibility(customer, as_of=on) if test.name == name).is_met

    for grade, met in (("AA", True), ("A", False)):
        rating = evaluating.rate(
            actor=small_bank.risk_officer, customer=customer, grade=grade, model="对公 v2", business_date=DAY
        )
        assert is_met("信用等级") is met
        rating.delete()
    for industry, debts, met in (("批发业", "7000", True), ("批发业", "7000.01", False), ("建筑业", "8000", True),
                                 ("房地产业", "8000.01", False), ("进出口贸易", "8000.01", False)):  # fmt: skip
        assert is_met("资产负债率", industry=industry, total_liabilities=debts) is met, (industry, debts)
    for industry, equity, met in (("批发业", "4000", True), ("批发业", "3999.99", False), ("进出口贸易", "1000", True),
                                  ("进出口贸易", "999.99", False)):  # fmt: skip
        assert is_met("净资产", industry=industry, equity=equity) is met, (industry, equity)
    facility = open_facility(
        actor=None, customer=customer, branch=small_bank.west, product="流贷", number="HT-1",
        start_date=dt.date(2020, 1, 1), end_date=YEAR, business_date=DAY,
    )  # fmt: skip
    loan = Deal.objects.create(
        number="YW-1", customer=customer, branch=small_bank.west, facility=facility, product="working_capital_loan",
        amount_fen=WAN, start_date=dt.date(2020, 1, 1),
    )  # fmt: skip
    for since, met in ((dt.date(2022, 6, 29), True), (dt.date(2022, 6, 30), False)):
        late = loan.overdues.create(since_date=since, principal_fen=1, interest_fen=0, recorded_by=small_bank.operator)
        assert is_met("按时还本付息") is met, since
        late.delete()
    assert public_lines.eligibility(customer, as_of=dt.date(1999, 10, 19)) == []


@pytest.mark.clause("CB+2", "CB+5", points="on over")
@pytest.mark.parametrize(
    ("debts", "industry", "is_exception"), [("7000", "建材批发业", False), ("7000.01", "建材批发业", True),
                                            ("8000", "建筑业", False)],
)  # fmt: skip
def test_leverage_on_the_line_and_above_it_by_industry(
    demo_bank: DemoBank, debts: str, industry: str, is_exception: bool
) -> None:
    """70 % is met and a little more is not, but 80 % is for construction; an exception goes one level up."""
    b = demo_bank.customer("B")
    b.party.industry = industry
    b.party.save()
    rate(demo_bank, b)
    statement(demo_bank, "B", assets="10000", debts=debts, equity=str(10_000 - Decimal(debts)))
    test = next(t for t in public_lines.eligibility(b, as_of=DAY) if t.name == "资产负债率")
    assert test.is_met is not is_exception
    judged = line_cases.judge(public_case(demo_bank), as_of=DAY)
    by_leverage = [text for text in judged.exceptions if "资产负债率" in text]
    assert bool(by_leverage) is is_exception
    base = approvals.level_of(judged.authority, as_of=DAY).level
    raised = approvals.level_of(judged.authority, as_of=DAY, exceptions=by_leverage).level
    assert raised == base + is_exception


@pytest.mark.clause("CB+5", points="before")
def test_an_exception_moves_nobody_up_before_the_rule(small_bank: SmallBank) -> None:
    Authority.objects.update(valid_from=dt.date(1999, 1, 1))
    ask = partial(approvals.level_of, CaseFacts(aggregate_fen=WAN), exceptions=["不符合公开额度条件"])
    assert [ask(as_of=dt.date(1999, 10, day)).level for day in (19, 20)] == [Level.BRANCH, Level.HEAD_OFFICE]


@pytest.mark.clause("CB+10", points="on over before")
def test_a_renewal_with_an_unchanged_line_takes_the_short_way(demo_bank: DemoBank) -> None:
    """B falls to A: a new public line would be an exception, a renewal is none while the internal line is as it was.
    Without an earlier certificate, with a changed internal line or before the rule there is no short way."""
    b = demo_bank.customer("B")
    first = public_case(demo_bank, is_renewal=True)
    assert "RENEWAL_NOT_SIMPLE" in [f.code for f in line_cases.judge(first, as_of=DAY).findings], "nothing to renew"
    approvals.withdraw(actor=demo_bank.staff("zhoulp"), case=first, reason="先申报", business_date=DAY)
    issued(demo_bank)
    CreditRating.objects.filter(customer=b).update(grade="A")
    case = public_case(demo_bank, is_renewal=True)
    simple = line_cases.judge(case, as_of=DAY)
    assert (simple.exceptions, [f.code for f in simple.findings]) == ([], ["PUBLIC_LINE_CONDITION"])
    usual = Case(kind=case.kind, subject_id=case.subject_id, unit=case.unit, payload={**case.payload, "is_renewal": 0})
    assert len(line_cases.judge(usual, as_of=DAY).exceptions) == 1
    assert not public_lines.is_simple_renewal(customer=b, general_fen=2_200 * WAN, as_of=dt.date(1999, 10, 19))
    Node.objects.filter(customer=b, kind="CUSTOMER").update(cap_fen=2_200 * WAN + 1)
    changed = line_cases.judge(case, as_of=DAY)
    assert (len(changed.exceptions), "RENEWAL_NOT_SIMPLE" in [f.code for f in changed.findings]) == (1, True)


@pytest.mark.clause("CB+3", "CB+4", points="on over")
def test_the_certificate_is_not_for_fixed_asset_loans_and_its_use_skips_the_loan_meeting(demo_bank: DemoBank) -> None:
    issued(demo_bank)
    b = demo_bank.customer("B")

    def ask(product: str, wan: str, *, public: bool) -> object:
        facility = open_facility(
            actor=None, customer=b, branch=b.unit, product=product, number=f"HT-{product}-{wan}-{public}",
            start_date=DAY, end_date=YEAR, business_date=DAY,
        )  # fmt: skip
        request = DrawingRequest(
            facility, Money.from_wan(wan).fen, 0, DAY, DAY + dt.timedelta(days=90), is_under_public_line=public
        )
        return request_drawing(actor=demo_bank.staff("zhoulp"), request=request, key=f"{product}{wan}{public}",
                               business_date=DAY)  # fmt: skip

    refused = ask("固定资产贷款", "10", public=True)
    assert [(f["code"], f["article"]) for f in refused.findings if f["severity"] == "refuse"] == [  # type: ignore[attr-defined]
        ("PRODUCT_EXCLUDED_FROM_PUBLIC_LINE", "CB+3")
    ]
    inside = ask("流贷", "10", public=True)
    other = ask("流贷", "11", public=False)
    kinds = [inside.case.kind, other.case.kind]  # type: ignore[attr-defined]
    assert kinds == ["use_public", "use_other"]
    deal = release_drawing(actor=demo_bank.staff("wanghy"), drawing=inside, business_date=DAY)  # type: ignore[arg-type]
    assert deal.amount_fen == 10 * WAN
    inside.case.refresh_from_db()  # type: ignore[attr-defined]
    assert "分管行长" in inside.case.decision  # type: ignore[attr-defined]
    assert public_lines.used_under(PublicLine.objects.get()) == 10 * WAN


@pytest.mark.clause("CB+9", points="on over before")
def test_thirty_days_to_cure_then_cancelled_at_once_with_a_notice(demo_bank: DemoBank) -> None:
    """Overdue on 2025-08-01: cure by 2025-08-31; on that day it still stands, on 2025-09-01 it is cancelled. A default
    of before the rule orders no cure."""
    issued(demo_bank)
    b = demo_bank.customer("B")
    default = partial(public_lines.report_default, customer=b, kind="欠息", business_date=DAY)
    assert default(default_date=dt.date(1999, 10, 19)) is None
    assert PublicLine.objects.get().status == "active"
    loan = Deal.objects.get(customer=b, product="working_capital_loan")
    watch.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=loan, since_date=dt.date(2025, 8, 1), principal_fen=0, interest_fen=WAN,
        business_date=dt.date(2025, 8, 1),
    )  # fmt: skip
    line = PublicLine.objects.get()
    assert (line.status, line.cure_by_date) == ("curing", dt.date(2025, 8, 31))
    found = public_lines.judge_use(customer=b, product="working_capital_loan", counted_fen=1, as_of=dt.date(2025, 8, 2))
    assert [f.code for f in found] == ["PUBLIC_LINE_CURING"]
    assert public_lines.cancel_uncured(as_of=dt.date(2025, 8, 31)) == []
    (cancelled,) = watch.end_of_day(as_of=dt.date(2025, 9, 1)).cancelled
    assert cancelled.cancelled_date == dt.date(2025, 9, 1)
    assert cancelled.notice_number.startswith("QX")
    assert cancelled.reported_date == dt.date(2025, 9, 1)
    assert Node.objects.get(customer=b, kind="CUSTOMER").cap_fen == 2_200 * WAN, "the general line stays"
    assert public_lines.latest_cancellation(b.pk) == cancelled, "and is flagged"


def test_a_cured_public_line_is_in_force_again(demo_bank: DemoBank) -> None:
    issued(demo_bank)
    loan = Deal.objects.get(customer=demo_bank.customer("B"), product="working_capital_loan")
    overdue = servicing.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=loan, since_date=DAY, principal_fen=WAN, interest_fen=0, business_date=DAY
    )
    servicing.cure_overdue(actor=demo_bank.staff("yaoj"), overdue=overdue, business_date=dt.date(2025, 7, 15))
    assert PublicLine.objects.get().status == "active"


@pytest.mark.clause("CB+3", points="on over before")
def test_events_that_let_the_bank_cancel_and_who_may(demo_bank: DemoBank) -> None:
    """30 % of 4,200 is 1,260 and counts, 1,259.99 does not; an investment counts above three years' profit of 600."""
    line, b = issued(demo_bank), demo_bank.customer("B")
    items = FinancialStatement.objects.get(customer=b).items
    for year, profit in ((2022, 100), (2023, 200), (2024, 300)):
        row, _ = FinancialStatement.objects.get_or_create(
            customer=b, scope="own", period_end_date=dt.date(year, 12, 31),
            defaults={"items": items, "source": "年报", "entered_by": demo_bank.staff("fengxc")},
        )  # fmt: skip
        FinancialStatement.objects.filter(pk=row.pk).update(items={**items, "net_profit": profit * WAN})

    def counts(event: str, wan: str, on: dt.date = DAY) -> bool:
        amount = Money.from_wan(wan).fen
        return bool(public_lines.judge_event(customer=b, event=event, amount_fen=amount, as_of=on))

    shown = {
        (event, wan): counts(event, wan)
        for event, wan in (("litigation", "1260"), ("litigation", "1259.99"), ("guarantee", "1260"),
                           ("guarantee", "1259.99"), ("investment", "600"), ("investment", "600.01"),
                           ("personnel", "0"), ("restructuring", "0"), ("accident", "0"))
    }  # fmt: skip
    below = {("litigation", "1259.99"), ("guarantee", "1259.99"), ("investment", "600")}
    assert {key for key, is_counted in shown.items() if not is_counted} == below
    eve = dt.date(1999, 10, 19)
    assert not any(counts(event, "99999", eve) for event in public_lines.EVENTS)
    assert public_lines.excluded_products(eve) == ()
    cancel = partial(
        public_lines.cancel_for_event, line=line, event="litigation", reason="败诉风险大", business_date=DAY
    )
    for who, wan, why in (("hewei", 1260, "总行"), ("fengxc", 1259, "不能据此取消")):
        with pytest.raises(public_lines.PublicLineError, match=why):
            cancel(actor=demo_bank.staff(who), amount_fen=wan * WAN)
    gone = cancel(actor=demo_bank.staff("fengxc"), amount_fen=1260 * WAN)
    assert (gone.status, gone.cancelled_date, gone.notice_number[:2]) == ("cancelled", DAY, "QX")
    assert "重大诉讼" in gone.cancel_reason
    with pytest.raises(public_lines.PublicLineError, match="已取消"):
        cancel(actor=demo_bank.staff("fengxc"), amount_fen=1260 * WAN)


# --- statements ---------------------------------------------------------------------------------------------


def workbook(rows: list[list[object]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
    return stream.getvalue()


GOOD: list[list[object]] = [
    ["项目", "2023-12-31", "2024-12-31"], ["资产总计", 10000, 20315.74], ["负债合计", 7000, 15000],
    ["所有者权益合计", 3000, 5315.74], ["主营业务收入", 100, 0.1 + 0.2],
]  # fmt: skip


def test_several_periods_come_in_from_one_sheet(demo_bank: DemoBank) -> None:
    d = demo_bank.customer("D")
    read = evaluating.read_statements(workbook(GOOD), name="年报.xlsx")
    evaluating.add_statements(
        actor=demo_bank.staff("liujg"), customer=d, statements=read, scope="own", source="年报", business_date=DAY
    )
    periods, rows = evaluating.statement_table(d.pk, as_of=DAY)
    assert periods == [dt.date(2023, 12, 31), dt.date(2024, 12, 31)]
    assert next(row.cells for row in rows if row.name == "资产负债率（%）") == ["70.00", "73.8344"]
    with pytest.raises(evaluating.EvaluationError, match="已录入"):
        evaluating.add_statements(
            actor=demo_bank.staff("liujg"), customer=d, statements=read, scope="own", source="年报", business_date=DAY
        )


def test_a_statement_that_does_not_balance_is_refused_whole(demo_bank: DemoBank) -> None:
    rows = [list(row) for row in GOOD]
    rows[3][2] = 5315.73
    read = evaluating.read_statements(workbook(rows), name="年报.xlsx")
    with pytest.raises(evaluating.EvaluationError, match=r"相差 0\.01 万元"):
        evaluating.add_statements(
            actor=demo_bank.staff("liujg"), customer=demo_bank.customer("D"), statements=read, scope="own",
            source="年报", business_date=DAY,
        )  # fmt: skip
    assert not FinancialStatement.objects.exists()


def test_unreadable_cells_are_named_with_row_and_column() -> None:
    rows = [list(row) for row in GOOD]
    rows[0][1], rows[2][1], rows[4][0] = "去年", "很多", "没有此项"
    with pytest.raises(evaluating.EvaluationError) as error:
        evaluating.read_statements(workbook(rows), name="年报.xlsx")
    text = str(error.value)
    for words in ("第 1 行第 2 列", "第 3 行第 2 列", "第 5 行：不认识的项目“没有此项”"):
        assert words in text
    with pytest.raises(evaluating.EvaluationError, match="不是可读的 Excel"):
        evaluating.read_statements(b"x", name="a.xlsx")


def test_a_figure_beyond_all_books_and_a_period_twice_are_said_with_their_place() -> None:
    rows = [list(row) for row in GOOD]
    rows[1][1], rows[2][1] = 1e30, "1e999999"
    rows[0][2] = rows[0][1]
    with pytest.raises(evaluating.EvaluationError) as error:
        evaluating.read_statements(workbook(rows), name="年报.xlsx")
    text = str(error.value)
    for words in ("第 2 行第 2 列", "第 3 行第 2 列", "超出可记账范围", "同一期间在文件中出现两次（2023-12-31）"):
        assert words in text


def test_periods_below_a_title_and_names_as_printed_are_read() -> None:
    rows: list[list[object]] = [["某某公司年报"], ["单位：万元"], *[list(row) for row in GOOD]]
    rows[-1][0] = "一、营业收入"
    rows.append(["三、利润总额（亏损以“-”号填列）", -5, 6])
    first, second = evaluating.read_statements(workbook(rows), name="年报.xlsx")
    assert first.period_end_date == dt.date(2023, 12, 31)
    assert first.items["profit_before_tax"] == -5_000_000
    assert second.items["sales"] == 300_000


# --- after --------------------------------------------------------------------------------------------------


def test_freeze_stops_and_another_person_lifts(demo_bank: DemoBank) -> None:
    record = line_life.freeze(
        actor=demo_bank.staff("fengxc"), group=demo_bank.group, reason="实控人涉案", business_date=DAY
    )
    assert next(f["code"] for f in demo_bank.draw("D", "1").findings) == "LIMIT_FROZEN"
    with pytest.raises(line_life.LineError, match="四眼"):
        line_life.unfreeze(actor=demo_bank.staff("fengxc"), record=record, reason="x", business_date=DAY)
    with pytest.raises(line_life.LineError, match="总行"):
        line_life.unfreeze(actor=demo_bank.staff("hewei"), record=record, reason="x", business_date=DAY)
    line_life.unfreeze(actor=demo_bank.staff("wanghy"), record=record, reason="已澄清", business_date=DAY)
    assert demo_bank.draw("D", "2").state == "reserved"


def test_a_freeze_stops_at_once_and_another_person_confirms_it(demo_bank: DemoBank) -> None:
    """The one who froze neither confirms nor lifts; the task waits for the others who may, and for nobody else."""
    fengxc, wanghy = demo_bank.staff("fengxc"), demo_bank.staff("wanghy")
    customer = demo_bank.customer("D")
    record = line_life.freeze(actor=fengxc, customer=customer, reason="账户被查封", business_date=DAY)
    assert [line_life.freezes_to_confirm(who, as_of=DAY) for who in (fengxc, demo_bank.staff("hewei"))] == [[], []]
    assert line_life.freezes_to_confirm(wanghy, as_of=DAY) == [record]
    with pytest.raises(line_life.LineError, match="四眼"):
        line_life.confirm_freeze(actor=fengxc, record=record, business_date=DAY)
    with pytest.raises(IntegrityError, match="freeze_confirmed_by_another"), transaction.atomic():
        LineFreeze.objects.filter(pk=record.pk).update(confirmed_by=fengxc, confirmed_date=DAY)
    with pytest.raises(IntegrityError, match="freeze_confirmed_with_date"), transaction.atomic():
        LineFreeze.objects.filter(pk=record.pk).update(confirmed_by=wanghy)
    line_life.confirm_freeze(actor=wanghy, record=record, business_date=DAY)
    assert line_life.freezes_to_confirm(wanghy, as_of=DAY) == []
    with pytest.raises(line_life.LineError, match="已复核"):
        line_life.confirm_freeze(actor=wanghy, record=record, business_date=DAY)
    assert next(f["code"] for f in demo_bank.draw("D", "1").findings) == "LIMIT_FROZEN"


def test_an_exit_runs_off_and_closes_only_at_zero(demo_bank: DemoBank) -> None:
    f = demo_bank.customer("F")
    case = line_cases.propose_exit(
        actor=demo_bank.staff("suny"),
        customer=f,
        plan="半年内收回",
        until_date=dt.date(2025, 12, 31),
        business_date=DAY,
    )
    case = reviewed(demo_bank, submit(demo_bank, case))
    in_force(demo_bank, decided(demo_bank, case))
    node = Node.objects.get(customer=f, kind="CUSTOMER")
    assert (node.cap_fen, node.status) == (800 * WAN, "SUSPENDED")
    assert "LIMIT_SUSPENDED" in [x["code"] for x in demo_bank.draw("F", "1", by="suny").findings]
    with pytest.raises(line_life.LineError, match=r"尚有 800\.00 万元"):
        line_life.finish_exit(actor=demo_bank.staff("yaoj"), customer=f, business_date=DAY)
    servicing.repay(
        actor=demo_bank.staff("yaoj"), deal=Deal.objects.get(customer=f), amount_fen=800 * WAN, business_date=DAY
    )
    line_life.finish_exit(actor=demo_bank.staff("yaoj"), customer=f, business_date=DAY)
    node.refresh_from_db()
    assert (node.cap_fen, node.status) == (0, "CLOSED")


@pytest.mark.parametrize(("day", "is_renewable"), [(dt.date(2026, 3, 29), False), (dt.date(2026, 3, 30), True)])
def test_renewal_begins_three_months_before_the_end(demo_bank: DemoBank, day: dt.date, is_renewable: bool) -> None:
    from shouxin.bank.scope import scope_of

    (line,) = line_life.list_lines(scope=scope_of(demo_bank.staff("wanghy"), as_of=day), as_of=day)
    assert (line.valid_to, line.is_renewable) == (YEAR, is_renewable)
