"""Lines in use: cover that goes, repayments, commitments, arrears, classes, branches, every check of a drawing."""

import datetime as dt

import pytest

from shouxin.approvals.models import Minutes
from shouxin.bank.models import CapitalFigure, ExchangeRate
from shouxin.bank.scope import scope_of
from shouxin.domain.money import Money
from shouxin.facilities import connections, servicing
from shouxin.facilities.models import AssetClass, CustomerLine, Deal, Drawing, Precondition
from shouxin.facilities.selectors import totals_of_customers
from shouxin.facilities.services import (
    DrawingRequest,
    InvalidRequestError,
    check_drawing,
    open_facility,
    release_drawing,
    request_drawing,
)
from shouxin.groups.models import Guarantee
from shouxin.limits import services as limits
from shouxin.limits.models import Excess, Node
from shouxin.limits.services import LedgerError
from shouxin.monitoring import watch
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from tests.demo import DAY, WAN, DemoBank


def deal(bank: DemoBank, code: str, product: str) -> Deal:
    return Deal.objects.get(customer=bank.customer(code), product=product)


def node(bank: DemoBank, code: str) -> Node:
    return Node.objects.get(customer=bank.customer(code), kind="CUSTOMER")


def codes(drawing: Drawing, severity: str = "refuse") -> list[str]:
    return [f["code"] for f in drawing.findings if f["severity"] == severity]


def ask(bank: DemoBank, code: str, wan: str, *, product: str = "working_capital_loan", by: str = "liujg",
        on: dt.date = DAY, **options: object) -> Drawing:  # fmt: skip
    request = DrawingRequest(
        facility=bank.facility(code, product), amount_fen=Money.from_wan(wan).fen, margin_fen=0, value_date=on,
        **{"maturity_date": on + dt.timedelta(days=90), **options},  # type: ignore[arg-type]
    )  # fmt: skip
    key = f"{code}{wan}{product}{on}{sorted(options)}"
    return request_drawing(actor=bank.staff(by), request=request, key=key, business_date=DAY)


@pytest.mark.clause("X13", points="on over")
def test_a_released_deposit_raises_the_exposure_and_stops_drawings(demo_bank: DemoBank) -> None:
    """X13: D's certificate is released while the 500 loan stands: 1,200 of 900, an excess, W03 to all branches."""
    pledged = deal(demo_bank, "D", "cd_pledged_loan")
    part = servicing.change_cover(
        actor=demo_bank.staff("yaoj"), deal=pledged, kind="own_cd", after_fen=300 * WAN, reason="部分解押",
        business_date=DAY, has_happened=True,
    )  # fmt: skip
    assert (part.excess_fen, node(demo_bank, "D").used_fen) == (0, 900 * WAN), "900 of 900 is no violation"
    outcome = watch.change_cover(
        actor=demo_bank.staff("yaoj"), deal=pledged, kind="own_cd", after_fen=0, reason="存单解押", business_date=DAY,
        has_happened=True,
    )  # fmt: skip
    assert node(demo_bank, "D").used_fen == 1_200 * WAN
    assert node(demo_bank, "D").excess_cause == "MITIGANT"
    assert outcome.change.counted_change_fen == 300 * WAN
    assert Excess.objects.get(node=node(demo_bank, "D"), closed_at=None).amount_fen == 300 * WAN
    assert "LIMIT_IN_EXCESS" in codes(demo_bank.draw("D", "1"))
    alert = Alert.objects.get(code="W03", customer=demo_bank.customer("D"))
    assert alert.risk_type == "不适当分配授信额度"
    assert {n.unit.name for n in alert.notices.all()} == {"城东支行", "城西支行", "营业部"}
    totals = totals_of_customers([demo_bank.customer("D").pk], as_of=DAY - dt.timedelta(days=1))
    assert totals[demo_bank.customer("D").pk].control_use_fen == 700 * WAN, "yesterday it was covered"


@pytest.mark.clause("X14", points="on over")
def test_a_fallen_margin_breaks_the_members_limit(demo_bank: DemoBank) -> None:
    """X14: B's margin falls from 1,000 to 800: 2,200 of 2,200 holds; to 700: 2,300 is above."""
    acceptance = deal(demo_bank, "B", "bank_acceptance")
    for after, excess in ((800, 0), (700, 100)):
        outcome = servicing.change_cover(
            actor=demo_bank.staff("yaoj"), deal=acceptance, kind="margin", after_fen=after * WAN, reason="划扣",
            business_date=DAY, has_happened=True,
        )  # fmt: skip
        assert outcome.excess_fen == excess * WAN
    assert node(demo_bank, "B").used_fen == 2_300 * WAN
    back = servicing.change_cover(
        actor=demo_bank.staff("qianf"), deal=acceptance, kind="margin", after_fen=1_000 * WAN, reason="补足",
        business_date=DAY,
    )  # fmt: skip
    assert (back.excess_fen, node(demo_bank, "B").excess_cause) == (0, None)
    assert node(demo_bank, "B").used_fen == 2_000 * WAN


def test_cover_falls_even_while_the_line_is_frozen(demo_bank: DemoBank) -> None:
    limits.set_status(node=node(demo_bank, "B"), status="FROZEN", reason="涉诉", business_date=DAY, actor_id=None)
    servicing.change_cover(
        actor=demo_bank.staff("yaoj"), deal=deal(demo_bank, "B", "bank_acceptance"), kind="margin", after_fen=0,
        reason="划扣", business_date=DAY, has_happened=True,
    )  # fmt: skip
    assert node(demo_bank, "B").used_fen == 3_000 * WAN


def test_a_repayment_gives_back_and_the_last_closes(demo_bank: DemoBank) -> None:
    acceptance = deal(demo_bank, "B", "bank_acceptance")
    repaid = servicing.repay(actor=demo_bank.staff("qianf"), deal=acceptance, amount_fen=500 * WAN, business_date=DAY)
    assert repaid.counted_fen == 500 * WAN, "margin 1,000 covers 1,000 of the 1,500 left"
    with pytest.raises(servicing.ServicingError, match="余额"):
        servicing.repay(actor=demo_bank.staff("qianf"), deal=acceptance, amount_fen=1_501 * WAN, business_date=DAY)
    last = servicing.repay(actor=demo_bank.staff("qianf"), deal=acceptance, amount_fen=1_500 * WAN, business_date=DAY)
    assert (last.is_final, node(demo_bank, "B").used_fen) == (True, 1_000 * WAN)
    with pytest.raises(servicing.ServicingError, match="结清"):
        servicing.repay(actor=demo_bank.staff("qianf"), deal=acceptance, amount_fen=1, business_date=DAY)
    before = totals_of_customers([demo_bank.customer("B").pk], as_of=DAY - dt.timedelta(days=1))
    assert before[demo_bank.customer("B").pk].control_use_fen == 2_000 * WAN


@pytest.mark.parametrize(("who", "why"), [("liujg", "没有此项权限"), ("hewei", "数据范围")])
def test_servicing_is_for_operations_and_the_own_branch(demo_bank: DemoBank, who: str, why: str) -> None:
    with pytest.raises(servicing.ServicingError, match=why):
        servicing.repay(
            actor=demo_bank.staff(who), deal=deal(demo_bank, "B", "bank_acceptance"), amount_fen=1, business_date=DAY
        )


@pytest.mark.clause("A-26", "X12", points="on over")
def test_drawing_on_a_commitment_uses_nothing_more(demo_bank: DemoBank) -> None:
    """X12: E draws the committed 200: commitment −200, loan +200, use 1,100 as before, although little is free."""
    commitment = Deal.objects.get(customer=demo_bank.customer("E"), is_drawn=False)
    Node.objects.filter(customer=demo_bank.customer("E"), kind="CUSTOMER").update(cap_fen=1_100 * WAN)
    with pytest.raises(InvalidRequestError, match=r"承诺未提取 200\.00 万元，不足 200\.01 万元"):
        ask(demo_bank, "E", "200.01", by="suny", commitment=commitment)
    drawing = ask(demo_bank, "E", "200", by="suny", commitment=commitment)
    assert (drawing.state, codes(drawing)) == ("reserved", [])
    new = release_drawing(
        actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY, minutes_number="贷审 3 号"
    )
    assert node(demo_bank, "E").used_fen == 1_100 * WAN
    commitment.refresh_from_db()
    assert (commitment.closed_date, new.amount_fen, new.is_drawn) == (DAY, 200 * WAN, True)
    more = ask(demo_bank, "E", "1", by="suny")
    assert codes(more) == ["LIMIT_EXCEEDED"]


def test_large_exposures_of_the_group_and_the_connected_set(demo_bank: DemoBank) -> None:
    """X18, X19: B 5.128 % starts the dependence test; A…F 6,586 of 39,000 is 16.887 % of at most 20 %."""
    rows = connections.large_exposures(as_of=DAY, customers=Customer.objects.filter(stage="customer"))
    together = rows[0]
    assert len(together.customer_ids) == 6
    assert f"{together.share:.3f}" == "16.887"
    assert (together.is_large, together.is_above_limit) == (True, False)
    single = {row.names[0]: row for row in rows if len(row.customer_ids) == 1}
    assert {name[:4] for name, row in single.items() if row.is_large} == {"宏达集团", "宏达建材"}
    assert [name[:4] for name, row in single.items() if row.starts_dependence_test] == ["宏达建材"]


def test_a_drawing_above_the_connected_limit_is_refused_since_2018(demo_bank: DemoBank) -> None:
    """Room 1,214 in the connected set; before the rule was in force nothing is said."""
    Node.objects.update(cap_fen=None)
    Node.objects.filter(kind="CUSTOMER").update(cap_fen=99_000 * WAN)
    CapitalFigure.objects.filter(kind="net").update(amount_fen=500_000 * WAN)
    assert "LARGE_EXPOSURE_ABOVE_LIMIT" not in codes(ask(demo_bank, "D", "1214"))
    Drawing.objects.all().update(state="voided")
    refused = ask(demo_bank, "D", "1214.01")
    assert codes(refused) == ["LARGE_EXPOSURE_ABOVE_LIMIT"]
    CapitalFigure.objects.filter(kind="tier1").update(date=dt.date(2018, 3, 31))
    request = DrawingRequest(demo_bank.facility("D"), 5_000 * WAN, 0, dt.date(2018, 6, 30), dt.date(2018, 9, 30))
    findings, _ = check_drawing(request=request)
    assert "LARGE_EXPOSURE_ABOVE_LIMIT" not in [f.code for f in findings]


@pytest.mark.parametrize(("wan", "refused"), [("3500", False), ("3500.01", True)])
def test_loans_to_one_borrower_are_at_most_ten_percent(demo_bank: DemoBank, wan: str, refused: bool) -> None:
    """X15: A has loans of 1,500 (3.00 %); 10 % of 50,000 allows 3,500 more; pledged loans count in full."""
    Node.objects.update(cap_fen=None)
    Node.objects.filter(kind="CUSTOMER").update(cap_fen=99_000 * WAN)
    request = DrawingRequest(demo_bank.facility("A"), Money.from_wan(wan).fen, 0, DAY, DAY + dt.timedelta(days=90))
    findings, _ = check_drawing(request=request)
    assert ("SINGLE_LOANS_ABOVE_SHARE" in [f.code for f in findings]) is refused
    d_request = DrawingRequest(
        demo_bank.facility("D"), Money.from_wan("3800.01").fen, 0, DAY, DAY + dt.timedelta(days=90)
    )
    assert "SINGLE_LOANS_ABOVE_SHARE" in [f.code for f in check_drawing(request=d_request)[0]]


def test_all_findings_come_at_once_and_the_strictest_limit_is_named(demo_bank: DemoBank) -> None:
    Precondition.objects.create(facility=demo_bank.facility("D"), text="抵押登记")
    drawing = ask(demo_bank, "D", "9000", maturity_date=dt.date(2031, 1, 1))
    assert set(codes(drawing)) >= {
        "LIMIT_EXCEEDED", "PRECONDITION_OPEN", "TERM_TOO_LONG", "SINGLE_LOANS_ABOVE_SHARE", "GROUP_ABOVE_CAPITAL_SHARE",
        "LARGE_EXPOSURE_ABOVE_LIMIT",
    }  # fmt: skip
    strictest = next(f for f in drawing.findings if f["code"] == "STRICTEST_LIMIT")
    assert "成员额度 明远贸易有限公司" in strictest["message"]
    assert "余 200.00 万元" in strictest["message"]
    assert len(strictest["inputs"]) >= 5


@pytest.mark.parametrize(
    ("maturity", "severity"),
    [(dt.date(2028, 6, 30), ""), (dt.date(2028, 7, 1), "warn"), (dt.date(2030, 6, 30), "warn"),
     (dt.date(2030, 7, 1), "refuse")],
)  # fmt: skip
def test_working_capital_runs_three_years_exceptionally_five(
    demo_bank: DemoBank, maturity: dt.date, severity: str
) -> None:
    request = DrawingRequest(demo_bank.facility("D"), WAN, 0, DAY, maturity_date=maturity)
    found = [f.severity for f in check_drawing(request=request)[0] if f.code.startswith("TERM_")]
    assert found == ([severity] if severity else [])


@pytest.mark.clause("CB-17", points="on over")
def test_a_customer_at_two_branches_must_have_a_line(demo_bank: DemoBank) -> None:
    """Class (三) off: a single-branch customer outside a group is not yet required; at two branches it must."""
    f = demo_bank.customer("F")
    Node.objects.filter(customer=f, kind="CUSTOMER").update(cap_fen=None)
    assert "LINE_REQUIRED" not in codes(ask(demo_bank, "F", "1", by="suny"))
    other = Deal.objects.filter(customer=f).first()
    assert other is not None
    Deal.objects.create(
        number="YW-F2", customer=f, branch=demo_bank.customer("D").unit, facility=other.facility,
        product="working_capital_loan", amount_fen=WAN, start_date=DAY,
    )  # fmt: skip
    assert codes(ask(demo_bank, "F", "2", by="suny")) == ["LINE_REQUIRED"]
    book = load_book().overlaid(
        {"rollout.classes": ("pass_mention",)}, institution="x", citation="x", valid_from=dt.date(1990, 1, 1)
    )
    assert book.items("rollout.classes", DAY) == ("pass_mention",)


@pytest.mark.clause("CB-18", "CB+7", points="on over before")
def test_the_first_credit_at_a_second_branch_is_flagged_the_same_day(demo_bank: DemoBank) -> None:
    """One branch is none, two are, and the day before they were not. Head office names the managing branch with a
    reason; a branch without credit or a branch officer cannot; before the decision nobody manages."""
    d = demo_bank.customer("D")
    assert not servicing.is_multi_branch(d.pk, as_of=DAY)
    east = demo_bank.customer("A").unit
    facility = open_facility(
        actor=None, customer=d, branch=east, product="流贷", number="HT-东", start_date=DAY,
        end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    request = DrawingRequest(facility, 50 * WAN, 0, DAY, DAY + dt.timedelta(days=90))
    drawing = request_drawing(actor=demo_bank.staff("liujg"), request=request, key="cb18", business_date=DAY)
    watch.release_drawing(
        actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY, minutes_number="贷审 2 号"
    )
    alert = Alert.objects.get(code="W02", customer=d)
    assert (alert.opened_date, alert.risk_type) == (DAY, "多头授信")
    day_before, eve_of_rule = DAY - dt.timedelta(days=1), dt.date(1999, 10, 19)
    multi = [servicing.is_multi_branch(d.pk, as_of=day) for day in (DAY, day_before, eve_of_rule)]
    assert multi == [True, False, False]

    def managing(day: dt.date) -> str:
        rows = servicing.list_multi_branch(scope=scope_of(demo_bank.staff("fengxc"), as_of=DAY), as_of=day)
        return next((row.managing.branch.name for row in rows if row.customer == d and row.managing), "")

    name = servicing.name_managing_branch
    with pytest.raises(servicing.ServicingError, match="没有该客户的授信"):
        name(actor=demo_bank.staff("fengxc"), customer=d, branch=demo_bank.customer("E").unit, reason="x",
             business_date=DAY)  # fmt: skip
    with pytest.raises(servicing.ServicingError, match="总行"):
        name(actor=demo_bank.staff("hewei"), customer=d, branch=east, reason="x", business_date=DAY)
    with pytest.raises(servicing.ServicingError, match="为什么"):
        name(actor=demo_bank.staff("fengxc"), customer=d, branch=east, reason=" ", business_date=DAY)
    decision = name(actor=demo_bank.staff("fengxc"), customer=d, branch=east, reason="结算户在该行", business_date=DAY)
    assert decision.branch == east, "the smaller of the two: a decision, not a computed maximum"
    assert (managing(DAY), managing(day_before)) == ("城东支行", "")


@pytest.mark.clause("CB-19", points="on over")
@pytest.mark.clause("Y11", points="on over")
def test_ninety_one_days_make_substandard_and_tell_every_branch(demo_bank: DemoBank) -> None:
    """Y11: E overdue 91 days: at least 次级, W04 and W06 reach all branches with members; 90 days are still 关注."""
    loan = deal(demo_bank, "E", "working_capital_loan")
    overdue = watch.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=loan, since_date=DAY - dt.timedelta(days=91), principal_fen=600 * WAN,
        interest_fen=0, business_date=DAY,
    )  # fmt: skip
    assert servicing.grade_of(loan, as_of=DAY) == "substandard"
    assert servicing.grade_of(loan, as_of=DAY - dt.timedelta(days=1)) == "mention"
    assert servicing.grade_of(loan, as_of=DAY - dt.timedelta(days=91)) == "pass"
    assert servicing.customer_grade(demo_bank.customer("E").pk, as_of=DAY) == "substandard", "not in class (三)"
    with pytest.raises(servicing.ServicingError, match="至少为次级"):
        servicing.classify(
            actor=demo_bank.staff("fengxc"), deal=loan, grade="mention", reason="有抵押", business_date=DAY
        )
    worse = servicing.classify(
        actor=demo_bank.staff("fengxc"), deal=loan, grade="doubtful", reason="停产", business_date=DAY
    )
    assert (worse.floor, worse.days_overdue) == ("substandard", 91)
    for code in ("W04", "W06"):
        alert = Alert.objects.get(code=code, customer=demo_bank.customer("E"))
        assert (alert.group, alert.level) == (demo_bank.group, "red")
        assert alert.notices.count() == 3
    servicing.cure_overdue(actor=demo_bank.staff("yaoj"), overdue=overdue, business_date=DAY)
    assert AssetClass.objects.filter(deal=loan).first() == worse, "a cure does not lift the class by itself"


@pytest.mark.clause("BR-06")
def test_the_report_of_arrears_by_member(demo_bank: DemoBank) -> None:
    from shouxin.facilities.arrears import arrears_of_group

    servicing.record_overdue(
        actor=demo_bank.staff("yaoj"), deal=deal(demo_bank, "E", "working_capital_loan"), since_date=DAY,
        principal_fen=10 * WAN, interest_fen=2 * WAN, business_date=DAY,
    )  # fmt: skip
    rows = arrears_of_group(demo_bank.group, as_of=DAY)
    assert [(row.name, row.principal_fen, row.interest_fen) for row in rows] == [
        (demo_bank.customer("E").party.name, 10 * WAN, 2 * WAN)
    ]


def test_circular_guarantees_and_their_share_of_the_line(demo_bank: DemoBank) -> None:
    """X20: A→D→E→B→A is a circle (W09); 2,800 of 7,000 is 40.00 % (W10); exactly 30 % is not above it."""
    found = connections.group_guarantees(demo_bank.group, line_fen=7_000 * WAN, as_of=DAY)
    assert [finding.article for finding in found.findings] == ["W09", "W10"]
    assert (found.total_fen, f"{found.share:.2f}", len(found.cycle)) == (2_800 * WAN, "40.00", 4)
    watch.watch_group(demo_bank.group, as_of=DAY)
    assert set(Alert.objects.filter(group=demo_bank.group).values_list("code", flat=True)) >= {"W09", "W10"}
    Guarantee.objects.filter(debtor__source_id="A").update(valid_to=DAY)
    Guarantee.objects.filter(guarantor__source_id="A").update(amount_fen=500 * WAN)
    open_chain = connections.group_guarantees(demo_bank.group, line_fen=7_000 * WAN, as_of=DAY)
    assert (open_chain.total_fen, open_chain.findings) == (2_100 * WAN, ())


def test_a_transaction_is_reported_with_four_items_in_ten_working_days(demo_bank: DemoBank) -> None:
    """X21, X22 of the worked example."""
    d, e = demo_bank.customer("D"), demo_bank.customer("E")
    given = connections.TransactionInput(
        counterparty=e.party, traded_date=DAY, net_assets_fen=4_000 * WAN, price_fen=450 * WAN,
        relation="同一家族控制", nature="销售货物", amount_text="450 万元",
    )  # fmt: skip
    row = watch.record_transaction(actor=demo_bank.staff("liujg"), customer=d, given=given, business_date=DAY)
    assert (row.must_report, row.due_date, row.reported_date) == (True, dt.date(2025, 7, 14), None)
    assert "定价政策" in Alert.objects.get(code="W07", customer=d).message
    complete = connections.TransactionInput(
        counterparty=d.party, traded_date=DAY, net_assets_fen=1_500 * WAN, price_fen=100, fair_value_fen=200 * WAN,
        relation="母子公司", nature="转让设备", amount_text="1 元", pricing="象征性价格",
    )  # fmt: skip
    symbolic = watch.record_transaction(actor=demo_bank.staff("liujg"), customer=demo_bank.customer("C"),
                                        given=complete, business_date=DAY)  # fmt: skip
    assert (symbolic.must_report, symbolic.reported_date) == (True, DAY)
    assert Alert.objects.filter(code="W08", customer=demo_bank.customer("C")).exists()
    small = connections.TransactionInput(
        counterparty=d.party, traded_date=DAY, net_assets_fen=5_000 * WAN, price_fen=450 * WAN
    )
    assert not connections.record_transaction(
        actor=demo_bank.staff("suny"), customer=e, given=small, business_date=DAY
    ).must_report


@pytest.mark.parametrize(
    ("rate_day", "refused"),
    [
        pytest.param(DAY, False, marks=pytest.mark.clause("A-27", "Y10", points="on")),
        pytest.param(DAY - dt.timedelta(days=1), True, marks=pytest.mark.clause("A-27", "Y10", points="over")),
    ],
)
def test_a_foreign_currency_is_controlled_at_the_rate_of_the_day(
    demo_bank: DemoBank, rate_day: dt.date, refused: bool
) -> None:
    """Y10: USD 10 at 7.2 uses 72; without the day's rate the drawing is refused."""
    ExchangeRate.objects.all().update(date=rate_day)
    b = demo_bank.customer("B")
    facility = open_facility(
        actor=None, customer=b, branch=b.unit, product="融资性保函", number="HT-USD", start_date=DAY, currency="USD",
        end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    request = DrawingRequest(facility, 10 * WAN, 0, DAY, DAY + dt.timedelta(days=90))
    drawing = request_drawing(actor=demo_bank.staff("zhoulp"), request=request, key="usd", business_date=DAY)
    assert drawing.counted_fen == 72 * WAN
    assert ("RATE_MISSING" in codes(drawing)) is refused
    assert node(demo_bank, "B").used_fen == (2_000 if refused else 2_072) * WAN


def test_a_condition_precedent_stops_a_drawing_until_it_is_met(demo_bank: DemoBank) -> None:
    from shouxin.facilities.services import add_precondition, meet_precondition

    row = add_precondition(
        actor=demo_bank.staff("liujg"), facility=demo_bank.facility("D"), text="抵押登记", business_date=DAY
    )
    assert codes(demo_bank.draw("D", "1")) == ["PRECONDITION_OPEN"]
    meet_precondition(actor=demo_bank.staff("hewei"), row=row, evidence="他项权证 12 号", business_date=DAY)
    assert codes(demo_bank.draw("D", "2")) == []


@pytest.mark.clause("BR-03", "Y01", points="on over before")
def test_limits_keep_the_version_until_the_new_one_is_confirmed(demo_bank: DemoBank) -> None:
    """Y01: 李秀英 sells her 20 % of D: until decided D stays under the group; then G1 uses 5,780, D 700."""
    from shouxin.facilities.group_changes import decide_change
    from shouxin.groups.judgement import propose_confirmation
    from shouxin.groups.models import Holding
    from shouxin.groups.services import run_determination
    from shouxin.parties.models import Party

    day = dt.date(2025, 9, 1)
    d = Party.objects.get(source_id="D")
    wife, partner = Party.objects.get(source_id="李秀英"), Party.objects.get(source_id="张伟")
    Holding.objects.filter(holder=wife, company=d).update(valid_to=day)
    Holding.objects.filter(holder=partner, company=d).update(valid_to=day)
    Holding.objects.create(holder=partner, company=d, votes=69_000_000, valid_from=day, source="转让协议")
    anchors = [str(Party.objects.get(source_id=name).pk) for name in ("陈建国", "李秀英", "陈明", "陈建军", "陈亮")]
    officer, eve = demo_bank.staff("gaoyl"), day - dt.timedelta(days=1)
    earlier = run_determination(actor=officer, as_of=eve, business_date=eve, book=load_book(), anchors=anchors)
    assert not earlier.candidates.filter(updates=demo_bank.group).exists(), "the day before nothing had changed"
    run = run_determination(actor=officer, as_of=day, business_date=day, book=load_book(), anchors=anchors)
    candidate = run.candidates.get(updates=demo_bank.group)
    assert (candidate.version, Node.objects.get(group=demo_bank.group).used_fen) == (2, 6_480 * WAN)
    change = propose_confirmation(
        actor=demo_bank.staff("gaoyl"), candidate=candidate, name=demo_bank.group.name,
        responsible=demo_bank.group.responsible, reason="股权转让", business_date=day,
    )  # fmt: skip
    decide_change(actor=demo_bank.staff("linzy"), change=change, is_approved=True, decision="同意", business_date=day)
    assert Node.objects.get(group=demo_bank.group).used_fen == 5_780 * WAN
    member = node(demo_bank, "D")
    assert member.parent is not None
    assert (member.parent.group_id, member.used_fen) == (None, 700 * WAN)
    assert not CustomerLine.objects.filter(customer=demo_bank.customer("D")).exists()


def test_what_was_reserved_before_an_excess_is_not_paid_out_during_it(demo_bank: DemoBank) -> None:
    """100 reserved, then D's certificate is released: no release and nothing written; allowed once repaid below."""
    drawing, hewei = demo_bank.draw("D", "100"), demo_bank.staff("hewei")
    pledged = deal(demo_bank, "D", "cd_pledged_loan")
    servicing.change_cover(
        actor=demo_bank.staff("yaoj"), deal=pledged, kind="own_cd", after_fen=0, reason="存单解押", business_date=DAY,
        has_happened=True,
    )  # fmt: skip
    with pytest.raises(LedgerError, match=r"成员额度 明远贸易有限公司 已超限：用信 1,300\.00 万元"):
        release_drawing(actor=hewei, drawing=drawing, business_date=DAY, minutes_number="贷审 1 号")
    drawing.refresh_from_db()
    assert drawing.state == "reserved"
    assert not Minutes.objects.filter(number="贷审 1 号").exists()
    servicing.repay(actor=hewei, deal=pledged, amount_fen=400 * WAN, business_date=DAY)
    release_drawing(actor=hewei, drawing=drawing, business_date=DAY, minutes_number="贷审 1 号")
    drawing.refresh_from_db()
    assert drawing.state == "posted"
