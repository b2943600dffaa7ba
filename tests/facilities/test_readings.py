"""Which reading of an ambiguous rule is taken, and that the other is a parameter where a bank may choose."""

import datetime as dt
import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from shouxin.approvals import services as approvals
from shouxin.approvals.services import CaseError
from shouxin.bank import selectors as bank_selectors
from shouxin.domain.lead_branch import rank_branches
from shouxin.domain.money import Money
from shouxin.facilities import drawing_checks, lead, line_cases, line_judging, line_kinds, rules, servicing
from shouxin.facilities.lead import LeadError, compute_lead, start_lead
from shouxin.facilities.models import Deal, Facility
from shouxin.groups.models import Agreement
from shouxin.limits.models import Node
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book
from shouxin.reporting.selectors import capital_on
from tests.credit import decided, evaluated, in_force, prepared_group, propose, reviewed, submitted
from tests.demo import DAY, WAN, DemoBank
from tests.facilities.test_customer_lines import YEAR, rate
from tests.facilities.test_lead import branch, close_deals_of, ranking

JULY, OCTOBER = dt.date(2025, 7, 20), dt.date(2025, 10, 8)


def switch(
    monkeypatch: pytest.MonkeyPatch, module: Any, values: dict[str, Any], since: dt.date = dt.date(1999, 10, 20)
) -> None:
    """Another institution's values for some parameters, in force from a day, in the eyes of one module."""
    book = load_book().overlaid(values, institution="另一机构", citation="另一机构的办法", valid_from=since)
    monkeypatch.setattr(module, "load_book", lambda: book)


# --- the lead branch --------------------------------------------------------------------------------------------------


@pytest.mark.clause("A-05", points="on over")
def test_only_acceptances_are_net_in_the_ranking_unless_a_bank_nets_all(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading A: 3,500 · 2,500 · 1,000. Reading B by parameter: letters of credit and guarantees too. None: a tie."""
    assert ranking(demo_bank) == [("城西支行", 3500), ("城东支行", 2500), ("营业部", 1000)]
    products = set(Deal.objects.values_list("product", flat=True))
    switch(monkeypatch, lead, {"lead.net_products": tuple(sorted(products))})
    assert ranking(demo_bank) == [("城西支行", 3380), ("城东支行", 2500), ("营业部", 900)]
    switch(monkeypatch, lead, {"lead.net_products": ("factoring",)})
    assert {amount for _name, amount in ranking(demo_bank)[:2]} == {3500}, "gross gives a tie"


@pytest.mark.clause("A-06", points="on over")
def test_a_tie_goes_to_undrawn_then_to_the_first_credit_then_to_the_code(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = {"B": 10, "A": 10, "C": 9}
    older = {"B": dt.date(2020, 1, 1), "A": dt.date(2020, 1, 2)}
    assert [name for name, _ in rank_branches(stock, undrawn_fen={"A": 1}, first_credit=older)] == ["A", "B", "C"]
    assert [name for name, _ in rank_branches(stock, first_credit=older)] == ["B", "A", "C"]
    assert [name for name, _ in rank_branches(stock, codes={"A": "2", "B": "1"})] == ["B", "A", "C"]
    switch(monkeypatch, lead, {"lead.net_products": ("factoring",)})
    Node.objects.filter(facility__isnull=False).update(cap_fen=None)
    Deal.objects.filter(branch=branch("城东")).update(start_date=dt.date(2019, 1, 1))
    assert compute_lead(group=demo_bank.group, as_of=DAY).lead == branch("城东"), "the earlier first credit"
    Deal.objects.update(start_date=dt.date(2019, 1, 1))
    assert compute_lead(group=demo_bank.group, as_of=DAY).lead == branch("城东"), "CD before CX"
    decision = start_lead(
        actor=demo_bank.staff("wanghy"), group=demo_bank.group, business_date=DAY, meeting_branch=branch("营业部"),
        minutes_number="行办 9 号",
    )  # fmt: skip
    assert decision.branch == branch("营业部"), "the meeting goes before any ranking"


@pytest.mark.clause("A-09", points="on over")
def test_the_lead_of_a_case_stays_until_it_is_closed_and_a_later_quarter_ranks_anew(demo_bank: DemoBank) -> None:
    """城西 pays back in July; its case goes on, and in October 城东 has the larger stock at the end of September."""
    officer, group = demo_bank.staff("wanghy"), prepared_group(demo_bank)
    start_lead(actor=officer, group=group, business_date=DAY)
    case = propose(demo_bank, "6600", sub={"A": 1100, "B": 2200, "C": 1200, "D": 900, "E": 1200}, on=JULY)
    west = Deal.objects.filter(branch=branch("城西"), is_drawn=True).order_by("pk")
    west.exclude(pk=west[0].pk).update(closed_date=dt.date(2025, 7, 25))
    with pytest.raises(LeadError, match="办结前牵头行不变"):
        start_lead(actor=officer, group=group, business_date=OCTOBER)
    approvals.withdraw(actor=demo_bank.staff("liujg"), case=case, reason="季后重报", business_date=OCTOBER)
    with pytest.raises(CaseError, match=r"按 2025-09-30 应为 城东支行"):
        propose(demo_bank, "6600", on=OCTOBER)
    assert start_lead(actor=officer, group=group, business_date=OCTOBER).branch == branch("城东")
    with pytest.raises(CaseError, match="由牵头行 城东支行 发起"):
        propose(demo_bank, "6600", on=OCTOBER)
    assert propose(demo_bank, "6600", by="zhoulp", on=OCTOBER).unit == branch("城东")


@pytest.mark.clause("A-10", points="on over")
def test_no_credit_is_neither_a_balance_nor_an_approved_amount(demo_bank: DemoBank) -> None:
    """城西 has paid everything back; while a contract of it has an approved amount it leads, until that ends."""
    close_deals_of("城西", dt.date(2025, 7, 1))
    contract = Facility.objects.filter(branch=branch("城西"), customer=demo_bank.customer("D")).order_by("pk")[0]
    Facility.objects.filter(branch=branch("城西")).update(end_date=JULY + dt.timedelta(days=1))
    Node.objects.filter(pk=contract.node_id).update(cap_fen=F("posted_fen") + WAN)
    assert compute_lead(group=demo_bank.group, as_of=JULY).lead == branch("城西")
    assert compute_lead(group=demo_bank.group, as_of=JULY + dt.timedelta(days=1)).lead == branch("城东")


# --- who the customer is ----------------------------------------------------------------------------------------------


@pytest.mark.clause("A-15", points="on over")
def test_the_customer_is_the_legal_person_and_its_branches_draw_in_its_line(demo_bank: DemoBank) -> None:
    """One credit code is one customer; a branch gets no line and no drawing of its own, at whatever bank branch."""
    d = demo_bank.customer("D")
    Party.objects.filter(pk=d.party_id).update(uscc="91330100MA27XH0008")
    with pytest.raises(IntegrityError), transaction.atomic():
        Party.objects.create(kind=Party.Kind.ORGANISATION, name="明远贸易（另名）", uscc="91330100MA27XH0008")
    f = demo_bank.customer("F")
    assert "NOT_A_LEGAL_PERSON" not in [x["code"] for x in demo_bank.draw("F", "1", by="suny").findings]
    Party.objects.filter(pk=f.party_id).update(legal_form="分公司")
    f.party.refresh_from_db()
    refusals = [x["code"] for x in demo_bank.draw("F", "2", by="suny").findings if x["severity"] == "refuse"]
    assert refusals == ["NOT_A_LEGAL_PERSON"]
    (finding,) = line_judging.judge_eligible(f, as_of=DAY)
    assert (finding.code, "请以其法人为对象" in finding.message) == ("NOT_ELIGIBLE", True)


@pytest.mark.clause("A-16", points="on over before")
def test_a_financial_company_is_a_member_without_a_line_and_told_apart(demo_bank: DemoBank) -> None:
    """Controlled by A it joins the group (guideline of 2010); the line rule leaves it out, the statistics mark it."""
    from python_calamine import CalamineWorkbook

    from shouxin.groups.models import CandidateMember, Membership
    from shouxin.groups.services import run_determination
    from shouxin.reporting.exports import group_statistics

    a = demo_bank.customer("A")
    party = Party.objects.create(
        kind=Party.Kind.ORGANISATION, name="宏达小额贷款", nature="金融", legal_form="有限责任公司"
    )
    lender = Customer.objects.create(party=party, number="FIN-1", unit=a.unit, stage="customer")
    Agreement.objects.create(controller=a.party, company=party, kind="board_majority", valid_from=dt.date(2020, 1, 1))
    run_determination(actor=demo_bank.staff("gaoyl"), as_of=DAY, business_date=DAY)
    members = set(CandidateMember.objects.filter(is_customer=True).values_list("party_id", flat=True))
    assert party.pk in members
    assert [x.article for x in line_judging.judge_eligible(lender, as_of=DAY)] == ["CB-09"]
    assert line_judging.judge_eligible(a, as_of=DAY) == []
    assert line_judging.judge_eligible(lender, as_of=dt.date(1999, 10, 19)) == [], "not before the rule"
    of_a = Membership.objects.filter(customer=a)[0]
    Membership.objects.create(group=of_a.group, customer=lender, basis="一", valid=of_a.valid, recorded=of_a.recorded)
    body = group_statistics(actor=demo_bank.staff("fengxc"), as_of=DAY, business_date=DAY)
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert {row[9]: row[-1] for row in rows[1:] if row[-1] == "是"} == {"宏达小额贷款": "是"}


# --- rolling the lines out by class -----------------------------------------------------------------------------------


def line_required(bank: DemoBank, wan: str) -> list[str]:
    return [x["message"] for x in bank.draw("F", wan, by="suny").findings if x["code"] == "LINE_REQUIRED"]


@pytest.mark.clause("CB-17", "A-18", points="on over before")
@pytest.mark.clause("CB-19", points="over")
def test_the_classes_are_rolled_out_in_order_and_none_shuts_out_the_others(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Class (三) off: F (pass, one branch, no group) needs no line; on: it does, from the day on, until it has one."""
    f = demo_bank.customer("F")
    Node.objects.filter(customer=f, kind="CUSTOMER").update(cap_fen=None)
    assert line_required(demo_bank, "1") == []
    three = {"rollout.classes": ("multi_branch", "group", "pass_mention")}
    switch(monkeypatch, drawing_checks, three, since=DAY + dt.timedelta(days=1))
    assert line_required(demo_bank, "2") == [], "not before it is in force"
    switch(monkeypatch, drawing_checks, three, since=DAY)
    assert "五级分类正常、关注的客户" in line_required(demo_bank, "3")[0]
    east = Deal.objects.create(
        number="YW-F9", customer=f, branch=demo_bank.customer("D").unit, facility=demo_bank.facility("F"),
        product="working_capital_loan", amount_fen=WAN, start_date=DAY,
    )  # fmt: skip
    assert "多头授信客户" in line_required(demo_bank, "4")[0], "the class that was introduced first names it"
    east.delete()
    deal = Deal.objects.filter(customer=f).order_by("pk")[0]
    servicing.record_overdue(
        actor=demo_bank.staff("taoy"), deal=deal, since_date=dt.date(2025, 3, 31), principal_fen=WAN, interest_fen=0,
        business_date=DAY,
    )  # fmt: skip
    servicing.lower_to_floors(as_of=DAY)
    assert servicing.customer_grade(f.pk, as_of=DAY) == "substandard"
    assert line_required(demo_bank, "5") == [], "次级 is not in class (三)"
    servicing.cure_overdue(actor=demo_bank.staff("taoy"), overdue=deal.overdues.get(), business_date=DAY)
    deal.classes.all().delete()
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    case = line_cases.propose_customer_line(
        actor=demo_bank.staff("suny"), customer=f, amount_fen=900 * WAN, valid_from=DAY, valid_to=YEAR,
        business_date=DAY,
    )  # fmt: skip
    case = reviewed(demo_bank, submitted(demo_bank, case, by=("suny", "taoy")))
    in_force(demo_bank, decided(demo_bank, case))
    assert line_required(demo_bank, "6") == []


# --- revolving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_revolving", "second"), [(True, "reserved"), (False, "refused")])
def test_what_is_repaid_is_drawn_again_only_in_a_revolving_line(
    demo_bank: DemoBank, is_revolving: bool, second: str
) -> None:
    """A line of 900: 600 drawn and repaid; 400 again fits a revolving line, of the other only 300 are left."""
    f = demo_bank.customer("F")
    rate(demo_bank, f)
    evaluated(demo_bank, customer=f, by="suny")
    options: dict[str, Any] = {
        "actor": demo_bank.staff("suny"), "customer": f, "amount_fen": 900 * WAN, "valid_from": DAY, "valid_to": YEAR,
        "business_date": DAY, "is_revolving": is_revolving,
    }  # fmt: skip
    if not is_revolving:
        case = line_cases.propose_customer_line(**options)
        codes = [x.code for x in line_cases.judge(case, as_of=DAY).findings if x.is_refusal]
        assert codes == ["NOT_REVOLVING_WITH_USE"], "800 are in use"
        approvals.withdraw(actor=demo_bank.staff("suny"), case=case, reason="先结清", business_date=DAY)
    old = Deal.objects.get(customer=f)
    servicing.repay(actor=demo_bank.staff("yaoj"), deal=old, amount_fen=800 * WAN, business_date=DAY)
    case = submitted(demo_bank, line_cases.propose_customer_line(**options), by=("suny", "taoy"))
    in_force(demo_bank, decided(demo_bank, reviewed(demo_bank, case)))
    from shouxin.facilities.services import release_drawing

    drawing = demo_bank.draw("F", "600", by="suny")
    assert drawing.state == "reserved"
    deal = release_drawing(
        actor=demo_bank.staff("taoy"), drawing=drawing, business_date=DAY, minutes_number="贷审 8 号"
    )
    servicing.repay(actor=demo_bank.staff("yaoj"), deal=deal, amount_fen=600 * WAN, business_date=DAY)
    again = demo_bank.draw("F", "400", by="suny")
    assert again.state == second
    assert demo_bank.draw("F", "300" if not is_revolving else "500", by="suny").state == "reserved"


def test_a_revolving_line_is_an_exception_where_lines_do_not_revolve(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = demo_bank.customer("F")
    case = line_cases.propose_customer_line(
        actor=demo_bank.staff("suny"), customer=f, amount_fen=900 * WAN, valid_from=DAY, valid_to=YEAR,
        business_date=DAY,
    )  # fmt: skip
    assert not any("循环" in text for text in line_cases.judge(case, as_of=DAY).exceptions)
    switch(monkeypatch, line_kinds, {"line.revolving": "no"})
    assert any("循环" in text for text in line_cases.judge(case, as_of=DAY).exceptions)


# --- the capital that a group's limit is held against ---------------------------------------------------------------


@pytest.mark.clause("A-04", points="on over")
def test_a_bank_may_hold_its_groups_against_the_latest_capital(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15 % of 50,000 at the year's end is 7,500; of 48,000 at the quarter's end 7,200. The first is said beside it."""
    assert demo_bank

    def codes(wan: str) -> list[str]:
        return [one.code for one in rules.judge_group_total(amount_fen=Money.from_wan(wan).fen, as_of=DAY)]

    assert codes("7200.01") == ["GROUP_ABOVE_QUARTER_END_SHARE"]
    assert codes("7500.01") == ["GROUP_ABOVE_CAPITAL_SHARE"]
    switch(monkeypatch, bank_selectors, {"group.limit.capital_base": "latest"})
    assert codes("7200.00") == ["GROUP_AT_WARN_LINE"]
    assert codes("7200.01") == ["GROUP_ABOVE_CAPITAL_SHARE"]
    assert capital_on(DAY).ceiling_fen == Money.from_wan("7200").fen
