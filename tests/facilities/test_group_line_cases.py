"""The unified line of a group as a case: on each line, just over it, wrong person, changed facts, nothing half-done."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case, Minutes
from shouxin.approvals.selectors import tasks_of
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.bank.models import CapitalFigure
from shouxin.facilities import evaluating, line_cases
from shouxin.facilities.group_changes import follow_membership
from shouxin.facilities.models import GroupLine
from shouxin.groups.models import Membership
from shouxin.limits.models import Node
from shouxin.reporting import case_documents
from tests.credit import (
    SUB,
    decided,
    evaluated,
    in_force,
    investigated,
    prepared_group,
    propose,
    reviewed,
    submitted,
    with_minutes,
)
from tests.demo import DAY, WAN, DemoBank
from tests.web.test_pages import sign_in


def refusals(error: CaseRefusedError) -> list[tuple[str, str]]:
    return [(finding.code, finding.article) for finding in error.findings]


def node(bank: DemoBank, code: str) -> Node:
    return Node.objects.get(customer=bank.customer(code), kind="CUSTOMER")


@pytest.mark.clause("X03", points="on")
def test_6600_needs_no_meeting_and_is_decided_at_head_office(demo_bank: DemoBank) -> None:
    """X03 of the worked example."""
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100}))
    assert case.level_name == "总行审批"
    case = in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, case)))
    assert case.state == Case.State.DONE
    assert demo_bank.group.limit_node.cap_fen == 6_600 * WAN


@pytest.mark.clause("JS-13", "X04", points="over")
@pytest.mark.clause("X23", points="on over")
@pytest.mark.parametrize("wan", ["6600.01", "7000"])
def test_above_6600_the_minutes_come_before_approval(demo_bank: DemoBank, wan: str) -> None:
    """X04 of the worked example; X23: a branch does not approve it, head office does."""
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, wan, sub={**SUB, "A": 1100})))
    assert case.level_name == "行长办公会"
    with pytest.raises(CaseRefusedError) as refused:
        decided(demo_bank, case)
    assert refusals(refused.value) == [("MEETING_MINUTES_MISSING", "JS-13")]
    case.refresh_from_db()
    assert case.state == Case.State.DECIDE, "nothing was written"
    with pytest.raises(CaseRefusedError) as branch:
        decided(demo_bank, with_minutes(demo_bank, case), by="qianf")
    assert ("APPROVER_NOT_HEAD_OFFICE", "JS-05") in refusals(branch.value)
    assert decided(demo_bank, case).state == Case.State.APPROVED


@pytest.mark.parametrize(
    ("wan", "codes"),
    [
        pytest.param(
            "7400", {"GROUP_ABOVE_QUARTER_END_SHARE": "15.417%"}, marks=pytest.mark.clause("X05", points="on")
        ),
        pytest.param(
            "7500", {"GROUP_ABOVE_QUARTER_END_SHARE": "15.625%"}, marks=pytest.mark.clause("X06", points="on")
        ),
    ],
)
def test_up_to_fifteen_percent_is_allowed_with_the_quarter_end_view(
    demo_bank: DemoBank, wan: str, codes: dict[str, str]
) -> None:
    """X05, X06 of the worked example."""
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, wan))
    for code, share in codes.items():
        message = next(f["message"] for f in case.findings if f["code"] == code)
        assert share in message


@pytest.mark.clause("JS-11", "X07", points="over")
def test_above_fifteen_percent_is_refused_and_a_syndicate_suggested(demo_bank: DemoBank) -> None:
    """X07 of the worked example."""
    prepared_group(demo_bank, control="9000")
    case = investigated(demo_bank, propose(demo_bank, "7500.01"))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("GROUP_ABOVE_CAPITAL_SHARE", "JS-11")]
    assert "银团" in refused.value.findings[0].remedy
    case.refresh_from_db()
    assert (case.state, case.payload_digest) == (Case.State.DRAFT, "")


@pytest.mark.clause("X08")
def test_sub_limits_above_the_line_are_refused(demo_bank: DemoBank) -> None:
    """X08 of the worked example."""
    prepared_group(demo_bank)
    case = investigated(demo_bank, propose(demo_bank, "7000", sub={**SUB, "D": 1000}))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("SUB_LIMITS_ABOVE_LINE", "BR-12")]


@pytest.mark.clause("JS-05", "UC-13", points="over")
def test_a_branch_approver_is_refused_however_small_the_line(demo_bank: DemoBank) -> None:
    """X23 of the worked example."""
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "1", sub=dict.fromkeys("ABCDE", 0))))
    assert case.level_name == "总行审批"
    with pytest.raises(CaseRefusedError) as refused:
        decided(demo_bank, case, by="qianf")
    assert ("APPROVER_NOT_HEAD_OFFICE", "JS-05") in refusals(refused.value)


@pytest.mark.clause("JS-03")
def test_without_a_rating_of_the_group_the_proposal_is_refused(demo_bank: DemoBank) -> None:
    evaluated(demo_bank, group=demo_bank.group)
    case = investigated(demo_bank, propose(demo_bank, "7000"))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("RATING_MISSING", "JS-03")]


@pytest.mark.clause("JS-04")
def test_the_members_sum_is_not_the_measurement_of_the_group(demo_bank: DemoBank) -> None:
    from decimal import Decimal

    given = evaluating.EvaluationInput(
        methods={"M1": {key: Decimal(1) for key in ("net_assets", "rating_factor", "industry_factor", "other_banks")}},
        need_fen=WAN, other_banks_now_fen=0, other_banks_expected_fen=0, conclusion="x",
    )  # fmt: skip
    with pytest.raises(evaluating.EvaluationError, match="JS-04"):
        evaluating.evaluate(actor=demo_bank.staff("liujg"), group=demo_bank.group, given=given, business_date=DAY)


@pytest.mark.clause("UC-05", "BR-07", points="on over")
def test_without_a_capital_figure_or_with_an_old_one_it_is_refused(demo_bank: DemoBank) -> None:
    """The form needs the borrower's risk and the bank's capacity; the year-end figure holds for 18 months."""
    later = dt.date(2026, 7, 1)
    prepared_group(demo_bank)
    on_line = [f.code for f in line_cases.judge(propose(demo_bank, "7000"), as_of=dt.date(2026, 6, 29)).findings]
    assert "CAPITAL_EXPIRED" not in on_line
    case = Case.objects.get(kind="group_line")
    assert "CAPITAL_EXPIRED" in [f.code for f in line_cases.judge(case, as_of=later).findings]
    CapitalFigure.objects.filter(kind="net").delete()
    assert "CAPITAL_MISSING" in [f.code for f in line_cases.judge(case, as_of=DAY).findings if f.is_refusal]


@pytest.mark.clause("CB-13", "A-17", points="on over")
@pytest.mark.parametrize(
    ("wan", "marks"),
    [("5000", []), ("5200", ["申报 5,200.00 万元 超过测算的授信控制量 5,000.00 万元，超出 200.00 万元（4.0%）"])],
)
def test_above_the_control_amount_is_an_exception_with_a_reason(
    demo_bank: DemoBank, wan: str, marks: list[str]
) -> None:
    """Control amount 5,000: a proposal of 5,000 has no mark, 5,200 is marked and needs a reason."""
    prepared_group(demo_bank, control="5000")
    case = investigated(demo_bank, propose(demo_bank, wan, sub=dict.fromkeys("ABCDE", 1000)))
    judged = line_cases.judge(case, as_of=DAY)
    assert judged.exceptions == marks
    if marks:
        with pytest.raises(CaseRefusedError) as refused:
            line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason=" ", business_date=DAY)
        assert refusals(refused.value) == [("EXCEPTION_REASON_MISSING", "CB-13")]
    case = line_cases.submit(
        actor=demo_bank.staff("liujg"), case=case, exception_reason="季节性备货", business_date=DAY
    )
    assert case.level_name == ("行长办公会" if marks else "总行审批"), "one level up"


@pytest.mark.clause("CB+12", points="on over")
def test_a_refused_member_reduces_the_group_line(demo_bank: DemoBank) -> None:
    """Proposed 7,000; the plan of C (1,200) is refused: 5,800 are approved and C may not draw."""
    prepared_group(demo_bank)
    case = with_minutes(demo_bank, reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000"))))
    case = decided(demo_bank, case, refused_members=frozenset({demo_bank.customer("C").pk}))
    in_force(demo_bank, case)
    line = GroupLine.objects.first()
    assert line is not None
    assert line.amount_fen == 5_800 * WAN
    assert line.refused_members == [demo_bank.customer("C").pk]
    assert node(demo_bank, "C").cap_fen == 0
    assert case.payload["amount_fen"] == 7_000 * WAN, "what was proposed stays"
    assert [f["code"] for f in demo_bank.draw("C", "1", by="hewei").findings if f["severity"] == "refuse"] != []


def test_product_sub_limits_bind_and_stay_within_the_members(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = investigated(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100},
                                           products={"D": {"working_capital_loan": 901}}))  # fmt: skip
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("PRODUCT_ABOVE_SUB_LIMIT", "BR-12")]
    approvals.withdraw(actor=demo_bank.staff("liujg"), case=case, reason="重报", business_date=DAY)
    again = propose(demo_bank, "6600", sub={**SUB, "A": 1100}, products={"D": {"working_capital_loan": 750}})
    in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, submitted(demo_bank, again))))
    drawing = demo_bank.draw("D", "51")
    assert [f["code"] for f in drawing.findings if f["severity"] == "refuse"] == ["LIMIT_EXCEEDED"]
    assert "PRODUCT" in drawing.findings[0]["message"]
    assert demo_bank.draw("D", "50").state == "reserved"


def test_a_second_case_on_the_same_subject_is_refused(demo_bank: DemoBank) -> None:
    first = propose(demo_bank, "7000")
    with pytest.raises(CaseError, match=first.number):
        propose(demo_bank, "6000")
    approvals.withdraw(actor=demo_bank.staff("liujg"), case=first, reason="重报", business_date=DAY)
    assert propose(demo_bank, "6000").state == Case.State.DRAFT
    assert Case.objects.get(pk=first.pk).state == Case.State.WITHDRAWN, "kept"


def test_the_database_refuses_a_second_open_case(demo_bank: DemoBank) -> None:
    first = propose(demo_bank, "7000")
    with pytest.raises(IntegrityError, match="one_open_case_per_subject"), transaction.atomic():
        Case.objects.create(
            number="x", kind=first.kind, subject_kind="group", subject_id=first.subject_id, subject_name="x",
            exclusive_key=first.exclusive_key, unit=first.unit, created_by=first.created_by, created_date=DAY,
        )  # fmt: skip


@pytest.mark.clause("JS-07")
def test_only_the_lead_branch_proposes(demo_bank: DemoBank) -> None:
    with pytest.raises(CaseError, match="城西支行"):
        propose(demo_bank, "7000", by="zhoulp")


def test_two_investigate_on_site_and_the_four_roles_are_different_people(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    with pytest.raises(CaseError, match="2 名调查人本人到现场调查"):
        approvals.investigate(
            actor=demo_bank.staff("liujg"), case=case, opinion="电话核实", is_on_site=False, business_date=DAY
        )
    assert not case.acts.filter(role=Act.Role.INVESTIGATE).exists()
    approvals.investigate(actor=demo_bank.staff("liujg"), case=case, opinion="属实", is_on_site=True, business_date=DAY)
    with pytest.raises(CaseError, match="不同的人"):
        approvals.investigate(
            actor=demo_bank.staff("liujg"), case=case, opinion="再签", is_on_site=True, business_date=DAY
        )
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("INVESTIGATORS_MISSING", "BR-10")]
    approvals.investigate(actor=demo_bank.staff("hewei"), case=case, opinion="属实", is_on_site=True, business_date=DAY)
    case = line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    with pytest.raises(CaseError, match="风险审查岗"):
        approvals.review(actor=demo_bank.staff("hewei"), case=case, agrees=True, opinion="x", business_date=DAY)
    case = reviewed(demo_bank, case)
    with pytest.raises(IntegrityError, match="one_role_per_person_in_a_case"), transaction.atomic():
        Act.objects.create(
            case=case, round=1, role="decide", actor=demo_bank.staff("hewei"), agrees=True, acted_date=DAY
        )
    case = decided(demo_bank, case)
    with pytest.raises(CaseError, match="授信操作岗"):
        line_cases.operate(actor=demo_bank.staff("wanghy"), case=case, opinion="x", business_date=DAY)


@pytest.mark.parametrize("change", ["members", "rating", "capital", "payload"])
def test_approval_after_the_facts_changed_is_refused(demo_bank: DemoBank, change: str) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100})))
    if change == "members":
        Membership.objects.filter(customer=demo_bank.customer("E")).delete()
    elif change == "rating":
        evaluating.rate(actor=demo_bank.staff("fengxc"), group=demo_bank.group, grade="A", model="x", business_date=DAY)
    elif change == "capital":
        CapitalFigure.objects.filter(date=dt.date(2024, 12, 31)).update(amount_fen=49_000 * WAN)
    else:
        Case.objects.filter(pk=case.pk).update(payload={**case.payload, "amount_fen": 1})
    with pytest.raises(CaseError, match="退回"):
        decided(demo_bank, case)
    case.refresh_from_db()
    assert case.state == Case.State.DECIDE


def test_a_case_sent_back_begins_a_new_round(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, "6600", sub={**SUB, "A": 1100}))
    with pytest.raises(CaseError, match="冻结"):
        approvals.amend(actor=demo_bank.staff("liujg"), case=case, payload={}, business_date=DAY)
    case = approvals.send_back(actor=demo_bank.staff("fengxc"), case=case, opinion="补充流水", business_date=DAY)
    assert (case.state, case.round) == (Case.State.DRAFT, 2)
    case = submitted(demo_bank, case)
    assert reviewed(demo_bank, case).state == Case.State.DECIDE
    assert case.acts.filter(role="investigate").count() == 4


def test_minutes_of_an_earlier_round_do_not_serve_the_next(demo_bank: DemoBank) -> None:
    """The meeting resolved on AA; sent back and submitted again, the case waits for minutes put to it anew."""
    prepared_group(demo_bank)
    case = with_minutes(demo_bank, reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000"))))
    case = approvals.send_back(actor=demo_bank.staff("wanghy"), case=case, opinion="补充评级", business_date=DAY)
    case = reviewed(demo_bank, submitted(demo_bank, case))
    with pytest.raises(CaseRefusedError) as refused:
        decided(demo_bank, case)
    assert "MEETING_MINUTES_MISSING" in [finding.code for finding in refused.value.findings]
    case.refresh_from_db()
    assert decided(demo_bank, with_minutes(demo_bank, case)).state == Case.State.APPROVED


def test_a_refused_case_is_kept_and_a_withdrawn_one_too(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000")))
    case = line_cases.decide(
        actor=demo_bank.staff("wanghy"), case=case, is_approved=False, opinion="行业下行", business_date=DAY
    )
    assert case.state == Case.State.REFUSED
    assert GroupLine.objects.count() == 1
    with pytest.raises(CaseError, match="不能撤回"):
        approvals.withdraw(actor=demo_bank.staff("liujg"), case=case, reason="x", business_date=DAY)


def test_my_tasks_follow_the_case_and_a_delegate_stands_in(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)

    def waits_for(name: str) -> list[str]:
        return [task.role for task in tasks_of(demo_bank.staff(name), as_of=DAY)]

    case = propose(demo_bank, "6600", sub={**SUB, "A": 1100})
    assert waits_for("liujg") == ["investigate"]
    case = submitted(demo_bank, case)
    assert (waits_for("fengxc"), waits_for("wanghy"), waits_for("yaoj")) == (["review"], [], [])
    case = reviewed(demo_bank, case)
    assert (waits_for("wanghy"), waits_for("hewei")) == (["decide"], [])
    assert waits_for("gaoyl") == []
    approvals.delegate(
        actor=demo_bank.staff("wanghy"), to=demo_bank.staff("gaoyl"), valid_from=DAY,
        valid_to=DAY + dt.timedelta(days=7), reason="出差", business_date=DAY,
    )  # fmt: skip
    assert waits_for("gaoyl") == ["decide"]
    case = decided(demo_bank, case, by="gaoyl")
    act = case.acts.get(role="decide")
    assert (act.actor.username, act.on_behalf_of and act.on_behalf_of.username) == ("gaoyl", "wanghy")
    assert waits_for("yaoj") == ["operate"]
    in_force(demo_bank, case)
    assert waits_for("yaoj") == []


@pytest.mark.clause("Y03", points="on over")
def test_a_joining_member_leaves_the_group_above_its_line_until_a_larger_line(demo_bank: DemoBank) -> None:
    """Y03: F joins: 7,280 of 7,000, over by 280, drawings stop; a line of 7,280 needs the meeting (14.56 %)."""
    f = demo_bank.customer("F")
    Membership.objects.create(
        group=demo_bank.group, customer=f, basis="一", valid=(DAY, None), recorded=("2025-01-01T00:00Z", None),
        proposed_by=demo_bank.staff("gaoyl"), confirmed_by=demo_bank.staff("linzy"),
    )  # fmt: skip
    excess = follow_membership(group=demo_bank.group, actor=demo_bank.staff("linzy"), business_date=DAY)
    assert excess == 280 * WAN
    drawing = demo_bank.draw("D", "1")
    assert "LIMIT_IN_EXCESS" in [finding["code"] for finding in drawing.findings]
    prepared_group(demo_bank)
    sub = {**SUB, "A": 1500, "B": 2000, "C": 1180, "D": 700, "E": 1100, "F": 800}
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7280", sub=sub)))
    assert case.level_name == "行长办公会"
    in_force(demo_bank, decided(demo_bank, with_minutes(demo_bank, case)))
    group_node = Node.objects.get(group=demo_bank.group)
    assert (group_node.cap_fen, group_node.used_fen, group_node.excess_cause) == (7_280 * WAN, 7_280 * WAN, None)


@pytest.mark.clause("UC-01", points="on over before")
def test_a_related_group_is_held_to_the_quarter_end_figure_too(demo_bank: DemoBank) -> None:
    """Y09: 陈建国 holds 6 % of the bank: a new line of 7,400 is refused (7,200), before 2022-03-01 it is not."""
    from shouxin.facilities.connections import add_bank_relation, judge_related_line, related_customers
    from shouxin.parties.models import Party

    add_bank_relation(
        actor=demo_bank.staff("fengxc"), party=Party.objects.get(source_id="陈建国"), relation="持股 6% 的股东",
        valid_from=dt.date(2020, 1, 1), source="股东名册", business_date=DAY,
    )  # fmt: skip
    members = [demo_bank.customer(code).pk for code in "ABCDE"]
    assert set(members) == set(related_customers(DAY))

    def codes(wan: int, day: dt.date) -> list[str]:
        return [f.code for f in judge_related_line(member_ids=members, amount_fen=wan * WAN, as_of=day)]

    assert codes(7_200, DAY) == ["RELATED_PARTY"]
    above = judge_related_line(member_ids=members, amount_fen=7_200 * WAN + WAN // 100, as_of=DAY)
    assert [f.code for f in above] == ["RELATED_PARTY", "RELATED_ABOVE_LIMIT"]
    Membership.objects.update(valid=(dt.date(2020, 1, 1), None))
    CapitalFigure.objects.create(kind="net", date=dt.date(2021, 12, 31), amount_fen=48_000 * WAN, source="G40")
    assert codes(7_400, dt.date(2022, 3, 1)) == ["RELATED_PARTY", "RELATED_ABOVE_LIMIT"]
    assert codes(7_400, dt.date(2022, 2, 28)) == []
    prepared_group(demo_bank)
    case = investigated(demo_bank, propose(demo_bank, "7400"))
    with pytest.raises(CaseRefusedError) as refused:
        line_cases.submit(actor=demo_bank.staff("liujg"), case=case, exception_reason="", business_date=DAY)
    assert refusals(refused.value) == [("RELATED_ABOVE_LIMIT", "Y09")]
    said = {f.code for f in line_cases.judge(case, as_of=DAY).findings}
    assert said >= {"GROUP_ABOVE_QUARTER_END_SHARE", "RELATED_PARTY"}, "the group's check and the related party's"


def test_minutes_are_put_by_the_risk_department_and_paper_does_not_ask_for_them(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000")))
    given = {
        "case": case, "number": "行办 31 号", "meeting": "president", "held_date": DAY, "resolution": "同意",
        "business_date": DAY,
    }  # fmt: skip
    for who in ("wanghy", "yaoj", "liujg"):
        with pytest.raises(CaseError, match="由总行风险审查岗登记"):
            approvals.minute_case(actor=demo_bank.staff(who), **given)
        page = sign_in(demo_bank.staff(who)).get(f"/cases/{case.number}/").content.decode()
        assert f"/cases/{case.number}/minutes/" not in page
    assert not Minutes.objects.exists(), "the refused record is not kept either"
    page = sign_in(demo_bank.staff("fengxc")).get(f"/cases/{case.number}/").content.decode()
    assert f"/cases/{case.number}/minutes/" in page
    case = approvals.minute_case(actor=demo_bank.staff("fengxc"), **given)
    form = case_documents.approval_form(case, as_of=DAY)
    assert "须先经行长办公会审议" in form["level_reasons"]
    assert "请填写" not in form["level_reasons"]
