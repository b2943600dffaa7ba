"""The rules about groups on their line, just over it, and on the day before they were in force."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from shouxin.approvals.services import CaseError
from shouxin.bank.models import CapitalFigure
from shouxin.domain.money import Money
from shouxin.facilities import evaluating, line_cases, line_kinds, rules
from shouxin.facilities.lead import LeadError, compute_lead, start_lead
from shouxin.facilities.models import Deal, Facility, GroupLine
from shouxin.facilities.selectors import group_total_fen, loans_total_fen
from shouxin.facilities.services import DrawingRequest, check_drawing
from shouxin.groups.models import Membership
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from tests.conftest import SmallBank
from tests.credit import evaluated, prepared_group, propose
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_lead import branch
from tests.facilities.test_readings import switch
from tests.web.test_pages import sign_in

SINCE = dt.date(2003, 10, 23)
BEFORE = dt.date(2003, 10, 22)
"""The day before the rules about groups were in force."""


def fen(wan: str) -> int:
    return Money.from_wan(wan).fen


def refusals(findings: list[Any]) -> list[tuple[str, str]]:
    return [(f.code, f.article) for f in findings if f.is_refusal]


@pytest.fixture
def capital_of_2002(db: None) -> None:
    """A year-end figure that was known when the rules came into force: 50,000."""
    CapitalFigure.objects.create(kind="net", date=dt.date(2002, 12, 31), amount_fen=50_000 * WAN, source="G40")


@pytest.mark.parametrize(
    ("day", "wan", "refused"),
    [
        pytest.param(SINCE, "7500", [], marks=pytest.mark.clause("JS-11", "HA-06", "A-08", points="on")),
        pytest.param(SINCE, "7500.01", [("GROUP_ABOVE_CAPITAL_SHARE", "JS-11")],
                     marks=pytest.mark.clause("JS-11", "HA-06", "A-08", points="over")),
        pytest.param(SINCE, "7500.000001", [("GROUP_ABOVE_CAPITAL_SHARE", "JS-11")],
                     marks=pytest.mark.clause("A-08", points="over")),
        pytest.param(BEFORE, "7500.01", [], marks=pytest.mark.clause("JS-11", "HA-06", "A-08", points="before")),
    ],
)  # fmt: skip
def test_fifteen_percent_from_the_first_day_of_the_rule(
    capital_of_2002: None, day: dt.date, wan: str, refused: list[tuple[str, str]]
) -> None:
    """15.00 % of 50,000 is allowed, a little more is refused, the day before nothing was said."""
    findings = rules.judge_group_total(amount_fen=fen(wan), as_of=day)
    assert refusals(findings) == refused
    if refused:
        assert "银团贷款" in findings[0].remedy
        assert "《集团客户统一授信管理办法》第二条" in findings[0].citation


@pytest.mark.parametrize(
    ("day", "percent", "codes"),
    [
        pytest.param(SINCE, "13.49", [], id="below"),
        pytest.param(SINCE, "13.50", [("GROUP_AT_WARN_LINE", "JS-12")],
                     marks=pytest.mark.clause("JS-12", points="on")),
        pytest.param(SINCE, "13.51", [("GROUP_AT_WARN_LINE", "JS-12")],
                     marks=pytest.mark.clause("JS-12", points="over")),
        pytest.param(BEFORE, "14.99", [], marks=pytest.mark.clause("JS-12", points="before")),
    ],
)  # fmt: skip
def test_the_warn_line_from_the_first_day_of_the_rule(
    capital_of_2002: None, day: dt.date, percent: str, codes: list[tuple[str, str]]
) -> None:
    findings = rules.judge_group_total(amount_fen=int(500 * WAN * Decimal(percent)), as_of=day)
    assert [(f.code, f.article) for f in findings] == codes


@pytest.mark.parametrize(
    ("wan", "codes"),
    [pytest.param("7200", ["GROUP_AT_WARN_LINE"], marks=pytest.mark.clause("A-04", points="on")),
     pytest.param("7200.01", ["GROUP_ABOVE_QUARTER_END_SHARE"], marks=pytest.mark.clause("A-04", points="over"))],
)  # fmt: skip
def test_beside_the_year_end_the_quarter_end_figure_only_warns(
    small_bank: SmallBank, wan: str, codes: list[str]
) -> None:
    """15 % of 48,000 is 7,200: above it a warning, while 7,500 of the year-end figure is not reached."""
    findings = rules.judge_group_total(amount_fen=fen(wan), as_of=DAY)
    assert [f.code for f in findings] == codes
    assert not any(f.is_refusal for f in findings)


@pytest.mark.clause("A-04", points="before")
def test_before_a_later_figure_was_dated_the_earlier_one_judges(small_bank: SmallBank) -> None:
    """On 2025-06-29 the half-year figure is not there: the year-end's 50,000 stands for both views."""
    CapitalFigure.objects.filter(date=DAY, kind="net").update(amount_fen=10_000 * WAN)
    assert [f.code for f in rules.judge_group_total(amount_fen=fen("7400"), as_of=DAY)] == [
        "GROUP_ABOVE_QUARTER_END_SHARE"
    ]
    earlier = rules.judge_group_total(amount_fen=fen("7400"), as_of=DAY - dt.timedelta(days=1))
    assert [f.code for f in earlier] == ["GROUP_AT_WARN_LINE"]


@pytest.mark.parametrize(
    ("day", "wan", "needs"),
    [
        pytest.param(SINCE, "6600.00", False, marks=pytest.mark.clause("JS-13", "A-07", points="on")),
        pytest.param(SINCE, "6600.01", True, marks=pytest.mark.clause("JS-13", "A-07", points="over")),
        pytest.param(BEFORE, "7000", False, marks=pytest.mark.clause("JS-13", "A-07", points="before")),
    ],
)  # fmt: skip
def test_the_meeting_comes_first_above_the_threshold(day: dt.date, wan: str, needs: bool) -> None:
    missing = rules.judge_meeting(amount_fen=fen(wan), minutes_number="", as_of=day)
    assert refusals(missing) == ([("MEETING_MINUTES_MISSING", "JS-13")] if needs else [])
    assert rules.judge_meeting(amount_fen=fen(wan), minutes_number="行办 1 号", as_of=day) == []


@pytest.mark.parametrize(
    ("day", "is_head_office", "is_refused"),
    [
        pytest.param(SINCE, True, False, marks=pytest.mark.clause("JS-05", points="on")),
        pytest.param(SINCE, False, True, marks=pytest.mark.clause("JS-05", points="over")),
        pytest.param(BEFORE, False, False, marks=pytest.mark.clause("JS-05", points="before")),
    ],
)  # fmt: skip
def test_every_amount_is_approved_at_head_office(day: dt.date, is_head_office: bool, is_refused: bool) -> None:
    findings = rules.judge_approver(is_head_office=is_head_office, is_approver=True, as_of=day)
    assert refusals(findings) == ([("APPROVER_NOT_HEAD_OFFICE", "JS-05")] if is_refused else [])


@pytest.mark.clause("BR-12", points="on over before")
def test_a_member_draws_only_with_a_highest_limit(demo_bank: DemoBank) -> None:
    """D's group has existed for ever here; on the day before the rule its missing sub-limit stopped nothing."""
    Membership.objects.update(valid=(None, None))
    Facility.objects.update(start_date=dt.date(1999, 1, 1))
    members = [demo_bank.customer(code).pk for code in "ABCDE"]
    without_d = {pk: WAN for pk in members if pk != demo_bank.customer("D").pk}
    missing = [("MEMBER_WITHOUT_SUB_LIMIT", "BR-12")]
    for day, cap, said in ((SINCE, 900 * WAN, []), (SINCE, None, missing), (BEFORE, None, [])):
        Node.objects.filter(customer=demo_bank.customer("D"), kind="CUSTOMER").update(cap_fen=cap)
        request = DrawingRequest(demo_bank.facility("D"), WAN, 0, day, day + dt.timedelta(days=90))
        findings, _ = check_drawing(request=request)
        assert [(f.code, f.article) for f in findings if f.code == missing[0][0]] == said, (day, cap)
    for day, said in ((SINCE, missing), (BEFORE, [])):
        allocated = rules.judge_allocation(line_fen=9 * WAN, sub_limits_fen=without_d, member_ids=members, as_of=day)
        assert [(f.code, f.article) for f in allocated] == said


@pytest.mark.clause("BR-12", points="on over")
def test_a_member_draws_up_to_its_highest_limit(demo_bank: DemoBank) -> None:
    """700 of 900 are in use; the group would have 520."""
    (finding, *_) = demo_bank.draw("D", "200.01").findings
    assert (finding["code"], finding["article"]) == ("LIMIT_EXCEEDED", "BR-12")
    assert demo_bank.draw("D", "200.00").state == "reserved"


@pytest.mark.clause("JS-06", "HA-05", "BR-07", points="on over before")
def test_one_figure_controls_the_whole_group(demo_bank: DemoBank) -> None:
    """The group has 40 left, D alone 200; a line that begins tomorrow gives nothing today."""
    group = Node.objects.filter(group=demo_bank.group)
    for wan, starts, codes in (
        ("40", DAY + dt.timedelta(days=1), [("LIMIT_NOT_YET_VALID", "UC-07")]),
        ("40.01", DAY, [("LIMIT_EXCEEDED", "JS-11")]), ("40", DAY, []),
    ):  # fmt: skip
        group.update(cap_fen=6_520 * WAN, valid_from=starts)
        drawing = demo_bank.draw("D", wan, key=f"{wan}{starts}")
        assert [(f["code"], f["article"]) for f in drawing.findings if f["severity"] == "refuse"] == codes
        assert demo_bank.group.limit_node.used_fen == (6_480 if codes else 6_520) * WAN


# --- rating and measurement of the group as a whole -------------------------------------------------------------------


@pytest.mark.clause("JS-03", points="on over before")
def test_the_group_needs_a_rating_in_force(demo_bank: DemoBank) -> None:
    """Rated on 2025-06-30 for twelve months: the last day, the day after, and the days around the rule's first."""
    prepared_group(demo_bank)
    case = propose(demo_bank, "7000")
    for day, is_missing in (
        (dt.date(2026, 6, 29), False), (dt.date(2026, 6, 30), True), (SINCE, True), (BEFORE, False),
    ):  # fmt: skip
        found = [(f.code, f.article) for f in line_cases.judge(case, as_of=day).findings if f.code == "RATING_MISSING"]
        assert found == ([("RATING_MISSING", "JS-03")] if is_missing else []), day


@pytest.mark.clause("JS-04", points="on over before")
def test_the_group_is_measured_as_a_whole(demo_bank: DemoBank) -> None:
    """What the members measure, added up, is not the group's measurement, nor do their evaluations stand for it."""
    demo_bank.staff("liujg").role_assignments.update(valid_from=dt.date(2000, 1, 1))
    one_by_one = {"M1": {key: Decimal(1) for key in ("net_assets", "rating_factor", "industry_factor", "other_banks")}}

    def ask(day: dt.date) -> evaluating.Evaluation:
        given = evaluating.EvaluationInput(
            methods=one_by_one, need_fen=WAN, other_banks_now_fen=0, other_banks_expected_fen=0, conclusion="成员合计"
        )
        return evaluating.evaluate(
            actor=demo_bank.staff("liujg"), group=demo_bank.group, given=given, business_date=day
        )

    with pytest.raises(evaluating.EvaluationError, match="成员测算合计不能代替（JS-04）"):
        ask(DAY)
    for code in "ABCDE":
        owner = {"A": "zhoulp", "B": "zhoulp", "E": "suny"}.get(code, "liujg")
        evaluated(demo_bank, customer=demo_bank.customer(code), by=owner)
    case = propose(demo_bank, "7000")

    def missing() -> bool:
        return "EVALUATION_MISSING" in [f.code for f in line_cases.judge(case, as_of=DAY).findings if f.is_refusal]

    assert missing()
    evaluated(demo_bank, group=demo_bank.group)
    assert not missing(), "measured on the consolidated statements"
    assert ask(BEFORE).group == demo_bank.group


# --- the lead branch --------------------------------------------------------------------------------------------------


@pytest.mark.clause("JS-07", points="on over")
def test_a_fen_more_of_stock_leads(demo_bank: DemoBank) -> None:
    """城西 3,500 leads 城东 2,500; with exactly as much the tie is settled by A-06, with a fen more 城东 leads."""
    loan = Deal.objects.get(customer=demo_bank.customer("A"))
    Deal.objects.filter(pk=loan.pk).update(amount_fen=loan.amount_fen + 1_000 * WAN)
    tie = compute_lead(group=demo_bank.group, as_of=DAY)
    assert {row.stock_fen for row in tie.rows[:2]} == {3_500 * WAN}
    Deal.objects.filter(pk=loan.pk).update(amount_fen=loan.amount_fen + 1_000 * WAN - 1)
    assert compute_lead(group=demo_bank.group, as_of=DAY).lead == branch("城西")
    Deal.objects.filter(pk=loan.pk).update(amount_fen=loan.amount_fen + 1_000 * WAN + 1)
    assert compute_lead(group=demo_bank.group, as_of=DAY).lead == branch("城东")


@pytest.mark.clause("JS-07", "JS-08", "JS-09", "JS-10", "A-05", "A-06", "A-09", "A-10", points="before")
def test_before_there_was_a_lead_any_branch_proposed(demo_bank: DemoBank) -> None:
    """On 2003-10-22 nothing ranks and 城东 may propose; a day later only the lead 城西 may."""
    with pytest.raises(LeadError, match="2003-10-22 尚无确定牵头行的规定"):
        compute_lead(group=demo_bank.group, as_of=BEFORE)
    assert compute_lead(group=demo_bank.group, as_of=SINCE).lead is None, "ranked, but nobody had credit then"
    demo_bank.staff("zhoulp").role_assignments.update(valid_from=dt.date(2000, 1, 1))
    with pytest.raises(CaseError, match="由牵头行 城西支行 发起（JS-07）"):
        propose(demo_bank, "6600", by="zhoulp", on=SINCE)
    assert propose(demo_bank, "6600", by="zhoulp", on=BEFORE).unit == branch("城东")


@pytest.mark.clause("JS-09", points="on over")
def test_the_lead_holds_through_the_month_and_a_later_quarter_ranks_anew(demo_bank: DemoBank) -> None:
    """城西 falls to 1,000 in July while 城东 has 2,500: still 城西; by the end of September 城东 leads."""
    west = Deal.objects.filter(branch=branch("城西"), is_drawn=True).order_by("pk")
    west.exclude(customer=demo_bank.customer("B")).update(closed_date=dt.date(2025, 7, 15))
    computed = compute_lead(group=demo_bank.group, as_of=dt.date(2025, 7, 31))
    now = {row.unit: row.now_fen // WAN for row in computed.rows}
    assert (now[branch("城西")], now[branch("城东")]) == (1_000, 2_500)
    assert computed.lead == branch("城西")
    assert compute_lead(group=demo_bank.group, as_of=dt.date(2025, 9, 30)).lead == branch("城东")


@pytest.mark.clause("JS-10", points="on over")
def test_a_fen_of_credit_left_keeps_the_lead(demo_bank: DemoBank) -> None:
    """城西 = 0 gives the lead to 城东; with a fen left it is still 城西."""
    july = dt.date(2025, 7, 20)
    west = Deal.objects.filter(branch=branch("城西")).order_by("pk")
    keep = west[0]
    Node.objects.filter(facility__branch=branch("城西")).update(cap_fen=None)
    west.exclude(pk=keep.pk).update(closed_date=dt.date(2025, 7, 1))
    assert compute_lead(group=demo_bank.group, as_of=july).lead == branch("城西")
    Deal.objects.filter(pk=keep.pk).update(closed_date=dt.date(2025, 7, 1))
    assert compute_lead(group=demo_bank.group, as_of=july).lead == branch("城东")


@pytest.mark.clause("JS-08", points="on over")
def test_the_meeting_names_with_minutes_and_not_without(demo_bank: DemoBank) -> None:
    ask: dict[str, Any] = {
        "actor": demo_bank.staff("wanghy"), "group": demo_bank.group, "business_date": DAY,
        "meeting_branch": branch("城东"),
    }  # fmt: skip
    with pytest.raises(LeadError, match="会议纪要编号（JS-08）"):
        start_lead(**ask, minutes_number=" ")
    assert start_lead(**ask, minutes_number="行办〔2025〕21 号").branch == branch("城东")


# --- authority on the group's total -----------------------------------------------------------------------------------


def level(bank: DemoBank, others_fen: int, wan: str, day: dt.date = DAY) -> str:
    """Who decides a line of F when the others of its proposed group use so much."""
    from shouxin.approvals import services as approvals
    from shouxin.domain.authority import LEVEL_NAMES, CaseFacts

    f = bank.customer("F")
    Deal.objects.exclude(customer=f).exclude(customer=bank.customer("A")).update(closed_date=dt.date(2020, 1, 1))
    Deal.objects.filter(customer=bank.customer("A")).update(amount_fen=others_fen)
    total = line_kinds.aggregate_after(f, fen(wan), as_of=day)
    facts = CaseFacts(aggregate_fen=total, unit_path=f.unit.path, customer_class="single")
    return LEVEL_NAMES[approvals.level_of(facts, as_of=day).level]


@pytest.mark.clause("BR-09", "A-19", points="on over")
def test_a_single_loan_of_300_goes_up_with_its_groups_total(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unit authority 2,000: 300 with 1,700 is 2,000 and stays, with 1,800 it is 2,100 and goes up; so does a loan of
    1,800 that a deposit covers, which is nothing as credit and 1,800 as a loan (either counts)."""
    for others, expected in (("1700", "分支机构"), ("1700.01", "总行审批"), ("1800", "总行审批")):
        assert level(demo_bank, fen(others), "300") == expected, others
    a = demo_bank.customer("A")
    Deal.objects.filter(customer=a).update(own_cd_fen=fen("1800"))
    assert (group_total_fen([a.pk], as_of=DAY), loans_total_fen([a.pk], as_of=DAY)) == (0, fen("1800"))
    for others, expected in (("1700", "分支机构"), ("1700.01", "总行审批"), ("1800", "总行审批")):
        assert level(demo_bank, fen(others), "300") == expected, others
    switch(monkeypatch, line_kinds, {"group.authority_measures": ("credit",)})
    assert level(demo_bank, fen("1800"), "300") == "分支机构", "a bank that counts the credit alone"


@pytest.mark.clause("BR-09", "A-19", points="before")
def test_before_its_day_an_authority_decides_nothing(demo_bank: DemoBank) -> None:
    """The table begins on 1999-10-20; loans count beside credit since 2003-10-23."""
    with pytest.raises(CaseError, match="授权表在 1999-10-19 没有适用于本案的授权"):
        level(demo_bank, fen("1000"), "300", dt.date(1999, 10, 19))
    assert load_book().in_force("group.authority_measures", BEFORE) is None
    assert load_book().items("group.authority_measures", SINCE) == ("credit", "loans")


# --- what counts ------------------------------------------------------------------------------------------------------


def exposure_of(bank: DemoBank, code: str, on: dt.date = DAY, institution: str = "demo-rural-bank") -> int:
    """A customer's control use in 万元 under an institution's scope, its deals having stood since 1999."""
    from shouxin.facilities.selectors import totals_of_customers

    Deal.objects.update(start_date=dt.date(1999, 1, 1))
    pk = bank.customer(code).pk
    return totals_of_customers([pk], as_of=on, book=load_book(institution))[pk].control_use_fen // WAN


@pytest.mark.clause("BR-04", points="on over before")
def test_a_guarantee_counts_if_the_scope_has_it(demo_bank: DemoBank) -> None:
    """E: loan 600, guarantee 400 with 100 margin, commitment 200; before the narrow scope the wide one held, gross."""
    assert exposure_of(demo_bank, "E", DAY, "demo-rural-bank") == 1_100
    assert exposure_of(demo_bank, "E", DAY, "bank-without-guarantees") == 600
    assert exposure_of(demo_bank, "E", BEFORE, "bank-without-guarantees") == 1_200


@pytest.mark.clause("JS-14", points="on over before")
def test_what_is_net_of_margin(demo_bank: DemoBank) -> None:
    """Acceptance 2,000 with 1,000 margin counts 1,000; L/C 600 with 120 counts 600 unless its flag is set: 480."""
    Deal.objects.exclude(product__in=["bank_acceptance", "letter_of_credit"]).delete()
    for code, day, institution, counted in (
        ("B", DAY, "joint-stock-literal", 1_000), ("C", DAY, "joint-stock-literal", 600),
        ("C", DAY, "demo-rural-bank", 480), ("B", BEFORE, "joint-stock-literal", 2_000),
    ):  # fmt: skip
        assert exposure_of(demo_bank, code, day, institution) == counted, (code, institution)


@pytest.mark.clause("HA-03", points="on over before")
def test_factoring_counts_in_full_where_the_scope_has_it(demo_bank: DemoBank) -> None:
    """Factoring 50 counts 50; a scope without it counts 0; before any scope all credit counts."""
    Deal.objects.filter(customer=demo_bank.customer("A")).update(product="factoring", amount_fen=50 * WAN)
    assert exposure_of(demo_bank, "A") == 50
    assert exposure_of(demo_bank, "A", institution="bank-without-guarantees") == 0
    assert exposure_of(demo_bank, "A", dt.date(1999, 10, 19), "bank-without-guarantees") == 50


@pytest.mark.clause("A-26", points="on over before")
def test_an_undrawn_commitment_counts_where_commitments_are_in_scope(demo_bank: DemoBank) -> None:
    """A line that may be revoked is no commitment, nor is what is left of a limit; before any scope all counts."""
    e = demo_bank.customer("E")
    Deal.objects.filter(customer=e, is_drawn=True).delete()
    Node.objects.filter(customer=e, kind="CUSTOMER").update(cap_fen=5_000 * WAN)
    for product, day, institution, counted in (
        ("loan_commitment_1y", DAY, "demo-rural-bank", 200), ("loan_commitment_1y", DAY, "bank-without-guarantees", 0),
        ("loan_commitment_revocable", DAY, "demo-rural-bank", 0),
        ("loan_commitment_1y", dt.date(1999, 10, 19), "bank-without-guarantees", 200),
    ):  # fmt: skip
        Deal.objects.filter(customer=e).update(product=product)
        assert exposure_of(demo_bank, "E", day, institution) == counted, (product, institution)


# --- arrears and the bases --------------------------------------------------------------------------------------------


@pytest.mark.clause("BR-06", points="on over before")
def test_the_groups_file_shows_arrears_by_member(demo_bank: DemoBank) -> None:
    """E owes 10 and 2 since 2025-06-20: on the group's file from that day with its days, not the day before."""
    from shouxin.facilities import servicing

    loan = Deal.objects.get(customer=demo_bank.customer("E"), product="working_capital_loan")
    servicing.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=loan, since_date=dt.date(2025, 6, 20), principal_fen=10 * WAN,
        interest_fen=2 * WAN, business_date=DAY,
    )  # fmt: skip
    Membership.objects.update(valid=(dt.date(2025, 1, 1), None))
    client, url = sign_in(demo_bank.staff("fengxc")), reverse("group_credit", args=[demo_bank.group.number])

    def shown(day: str) -> str:
        page = client.get(url, {"as_of": day}).content.decode()
        return page[page.index("成员逾期（万元）") : page.index("集团内担保（万元）")]

    today = shown("2025-06-30")
    for words in (demo_bank.customer("E").party.name, ">10<", ">2<", "2025-06-20", "逾期 10 天"):
        assert words in today
    assert demo_bank.customer("D").party.name not in today, "a member that owes nothing"
    assert "逾期 0 天" in shown("2025-06-20")
    assert "成员没有逾期" in shown("2025-06-19")


BASES = {
    "BR-01": ("银行业监督管理法", "商业银行法", "集团客户授信业务风险管理指引"),
    "JS-01": (
        "集团客户授信业务风险管理指引", "授信工作尽职指引", "集团客户与关联客户授信风险管理实施细则",
        "统一授信管理办法",
    ),
    "HA-01": (
        "实施统一授信制度指引", "授信工作尽职指引", "集团客户授信业务风险管理指引", "农村信用社集团客户授信管理规定",
    ),
}  # fmt: skip


@pytest.mark.clause("BR-01", "JS-01", "HA-01", points="on")
def test_the_bases_of_the_rules_are_shown(demo_bank: DemoBank) -> None:
    """On the page of the requirement and on the group's own file."""
    client = sign_in(demo_bank.staff("fengxc"))
    own = client.get(reverse("group_credit", args=[demo_bank.group.number])).content.decode()
    for requirement, titles in BASES.items():
        page = client.get(reverse("policy_article", args=[requirement])).content.decode()
        for title in titles:
            assert title in page, (requirement, title)
            assert title in own, title


@pytest.mark.clause("BR-01", "JS-01", "HA-01", points="over before")
def test_a_basis_is_cited_from_its_day_on(demo_bank: DemoBank) -> None:
    """The supervision law from 2004-02-01, the due diligence guideline from 2004-07-16, the union's from 2010-06-04."""
    from shouxin.rulebook.selectors import documents_behind

    def cites(requirement: str, title: str, day: dt.date) -> bool:
        return any(title in document.title for document in documents_behind(requirement, as_of=day))

    for requirement, title, first in (
        ("BR-01", "银行业监督管理法", dt.date(2004, 2, 1)), ("JS-01", "授信工作尽职指引", dt.date(2004, 7, 16)),
        ("HA-01", "农村信用社", dt.date(2010, 6, 4)), ("UC-01", "内部人和股东", dt.date(2004, 5, 1)),
    ):  # fmt: skip
        assert cites(requirement, title, first), title
        assert not cites(requirement, title, first - dt.timedelta(days=1)), title
    assert not cites("UC-01", "内部人和股东", dt.date(2022, 3, 1)), "replaced by the rule of 2022"


# --- customers, evaluation, currency ----------------------------------------------------------------------------------


@pytest.mark.clause("A-17", points="on over before")
def test_the_control_amount_is_soft(demo_bank: DemoBank) -> None:
    """Above it a reason and a higher level are asked for; it is not refused."""
    from shouxin.facilities.line_judging import judge_evaluation

    evaluation = evaluated(demo_bank, group=demo_bank.group, control="5000")
    for day, wan, mark in (
        (DAY, "5000.00", None), (DAY, "5000.01", "超出 0.01 万元"), (DAY, "5200", "超出 200.00 万元（4.0%）"),
        (dt.date(1999, 10, 19), "5200", None),
    ):  # fmt: skip
        findings, exceptions = judge_evaluation(evaluation, amount_fen=fen(wan), as_of=day, who="集团")
        assert not any(f.is_refusal for f in findings)
        assert (mark in exceptions[0]) if mark else exceptions == [], (day, wan)


@pytest.mark.clause("A-27", points="on before")
def test_a_day_counts_at_its_own_rate_and_reports_take_the_rate_of_the_month_end(demo_bank: DemoBank) -> None:
    """B's dollars grow with the rate; a report of the month before counts at its last day's rate."""
    from shouxin.bank.models import ExchangeRate
    from shouxin.facilities.selectors import totals_of_customers

    b = demo_bank.customer("B")
    ExchangeRate.objects.all().delete()
    for day, rate in ((dt.date(2025, 5, 31), "7.0"), (DAY, "7.2"), (dt.date(2025, 7, 1), "7.5")):
        ExchangeRate.objects.create(currency="USD", date=day, rate=rate, source="中间价")
    facility = demo_bank.facility("B", "bank_acceptance")
    Deal.objects.create(
        number="USD-1", customer=b, branch=b.unit, facility=facility, product="financial_guarantee", currency="USD",
        amount_fen=10 * WAN, start_date=dt.date(2025, 5, 1),
    )  # fmt: skip
    counted = [
        totals_of_customers([b.pk], as_of=day)[b.pk].control_use_fen // WAN - 2_000
        for day in (dt.date(2025, 5, 31), DAY, dt.date(2025, 7, 1))
    ]
    assert counted == [70, 72, 75], "each day at its own rate, a month-end report at that of the month's last day"


# --- groups of several in the statistics ------------------------------------------------------------------------------


@pytest.mark.clause("JS-02", points="on over before")
def test_the_month_end_statistics_hold_confirmed_groups_only(demo_bank: DemoBank) -> None:
    """All members of the confirmed group; the proposal that was not confirmed is not there, nor the group before it
    was one."""
    import io

    from python_calamine import CalamineWorkbook

    from shouxin.reporting.exports import group_statistics

    def names(day: dt.date) -> set[str]:
        body = group_statistics(actor=demo_bank.staff("fengxc"), as_of=day, business_date=DAY)
        rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
        return {str(row[9]) for row in rows[1:]}

    assert names(DAY) == {demo_bank.customer(code).party.name for code in "ABCDE"}, "F is only proposed"
    Membership.objects.update(valid=(DAY, None))
    assert names(DAY - dt.timedelta(days=1)) == set()
    assert GroupLine.objects.count() == 1


@pytest.mark.clause("BR-08", points="on over before")
def test_the_risk_department_holds_its_role_from_its_day(demo_bank: DemoBank) -> None:
    """Rating a group is the risk department's; not a branch's, and not before the role was given."""
    officer = demo_bank.staff("fengxc")
    officer.role_assignments.filter(role="risk_officer").update(valid_from=DAY)

    def rate(who: str, day: dt.date) -> object:
        return evaluating.rate(
            actor=demo_bank.staff(who), group=demo_bank.group, grade="AA", model="集团评级 v1", business_date=day
        )

    assert rate("fengxc", DAY)
    for who, day in (("hewei", DAY), ("fengxc", DAY - dt.timedelta(days=1))):
        with pytest.raises(evaluating.EvaluationError, match="风险审查"):
            rate(who, day)
    assert demo_bank.group.ratings.count() == 1


def test_no_day_is_left_without_judgement_for_want_of_a_later_rule(demo_bank: DemoBank) -> None:
    """Drawings, cases and exposures on the eve of each set of rules, and the end of the first of them: not broken."""
    from shouxin.facilities import connections
    from shouxin.monitoring import watch

    Membership.objects.update(valid=(None, None))
    Facility.objects.update(start_date=dt.date(1990, 1, 1))
    Deal.objects.update(start_date=dt.date(1990, 1, 1))
    prepared_group(demo_bank)
    case = propose(demo_bank, "7000")
    people = Customer.objects.filter(stage="customer")
    for day in (
        dt.date(1999, 10, 19), BEFORE, dt.date(2010, 2, 11), dt.date(2012, 12, 31), dt.date(2018, 6, 30),
        dt.date(2022, 2, 28), dt.date(2023, 6, 30), dt.date(2024, 6, 30),
    ):  # fmt: skip
        request = DrawingRequest(demo_bank.facility("D"), WAN, 0, day, maturity_date=day + dt.timedelta(days=90))
        findings, _ = check_drawing(request=request)
        judged = line_cases.judge(case, as_of=day)
        assert all(f.article for f in [*findings, *judged.findings]), day
        assert connections.large_exposures(as_of=day, customers=people) == [], "no Tier 1 figure of that time"
    watch.end_of_day(as_of=dt.date(1999, 10, 19))
