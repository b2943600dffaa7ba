"""The worked example in a browser: amounts of a line, drawings, large exposures, arrears, changes of members."""

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from pytest_django.live_server_helper import LiveServer
from python_calamine import CalamineWorkbook

from shouxin.approvals.models import Case
from shouxin.bank.models import Institution
from shouxin.facilities.models import Deal, Drawing
from shouxin.facilities.services import open_facility
from shouxin.groups.models import Agreement, CustomerGroup, Holding
from shouxin.limits.models import Node
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Party
from tests.credit import SUB, prepared_group
from tests.demo import DAY, WAN, DemoBank
from tests.journeys.test_credit_cases import customer, propose
from tests.journeys.test_first_day import assert_fits, bank, browser_page, pytestmark, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["bank", "browser_page", "pytestmark"]


def used(code: str) -> int:
    return Node.objects.get(customer=customer(code), kind="CUSTOMER").used_fen // WAN


def group_used() -> int:
    return Node.objects.get(kind="GROUP", group=CustomerGroup.objects.get()).used_fen // WAN


def text_of(page: "Page") -> str:
    return page.locator("main").inner_text()


@pytest.mark.clause("X03", "X05", "X06", "X07", "X08")
def test_the_amounts_of_a_groups_line_on_its_case(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """One draft, its amount changed on its page; the case says level, warnings and refusals of each."""
    page = browser_page
    group = prepared_group(DemoBank(), control="9000")
    sign_in(page, live_server, "liujg")
    propose(page, live_server, group, "6600", {**SUB, "A": 1100})
    case = Case.objects.get()

    def amount(wan: str, **sub: int) -> str:
        page.get_by_role("link", name="修改内容").click()
        page.wait_for_url("**/edit/")
        assert page.input_value(f"[name='sub-{customer('B').pk}']") == "2200"
        page.fill("#id_amount", wan)
        for code, value in sub.items():
            page.fill(f"[name='sub-{customer(code).pk}']", str(value))
        page.get_by_role("button", name="保存修改").click()
        page.wait_for_url(f"**/cases/{case.number}/")
        return text_of(page)

    first = text_of(page)
    assert "预计审批层级\n总行" in first
    assert "行长办公会" not in first
    assert "行长办公会" in amount("6600.01")
    assert "15.417%" in amount("7400")
    at_the_line = amount("7500")
    assert "15.625%" in at_the_line
    assert page.locator(".finding-refuse").count() == 0
    above = amount("7500.01")
    assert "JS-11" in above
    assert "银团贷款" in above
    assert "成员额度合计 7,100.00 万元，超过集团额度 7,000.00 万元" in amount("7000", A=1500, D=1000)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/cases/{case.number}/edit/")
    assert_fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.clause("X09", "X10", "X11", "X12", "Y10")
def test_drawings_of_d_e_and_b(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """D: 201 refused, 200 allowed, acceptance 402 refused, 400 allowed; E draws its commitment; B in dollars."""
    page, b = browser_page, customer("B")
    open_facility(
        actor=None, customer=b, branch=b.unit, product="融资性保函", number="HT-USD", start_date=DAY, currency="USD",
        end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    open_facility(
        actor=None, customer=customer("D"), branch=customer("D").unit, product="bank_acceptance", number="HT-CD",
        start_date=DAY, end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip

    def draw(code: str, contract: str, wan: str, margin: str = "0", commitment: str = "") -> None:
        page.goto(f"{live_server.url}/customers/{customer(code).number}/drawings/new/")
        option = page.locator("#id_facility option", has_text=contract).first.get_attribute("value")
        page.select_option("#id_facility", option)
        page.fill("#id_amount", wan)
        page.fill("#id_margin", margin)
        if commitment:
            page.select_option("#id_commitment", commitment)
        page.get_by_role("button", name="提交支用").click()
        page.wait_for_load_state()

    sign_in(page, live_server, "liujg")
    draw("D", "流动资金贷款", "201")
    assert "申请 201.00 万元，可用 200.00 万元" in page.locator(".finding-refuse").first.inner_text()
    assert (used("D"), group_used()) == (700, 6480)
    draw("D", "流动资金贷款", "200")
    assert (used("D"), group_used()) == (900, 6680)
    page.fill("#reason", "改用承兑")
    page.get_by_role("button", name="撤销").click()
    page.wait_for_load_state()
    draw("D", "HT-CD", "402", "201")
    assert "申请 201.00 万元，可用 200.00 万元" in page.locator(".finding-refuse").first.inner_text()
    assert used("D") == 700
    draw("D", "HT-CD", "400", "200")
    assert (used("D"), Drawing.objects.filter(state="reserved").count()) == (900, 1)
    sign_in(page, live_server, "suny")
    before, commitment = group_used(), Deal.objects.get(customer=customer("E"), is_drawn=False)
    assert used("E") == 1100
    draw("E", "流动资金贷款", "200", commitment=str(commitment.pk))
    assert "等待另一人放款" in text_of(page)
    assert (used("E"), group_used()) == (1100, before)
    sign_in(page, live_server, "zhoulp")
    draw("B", "HT-USD", "10")
    assert "占用额度\n72 万元" in text_of(page)
    assert used("B") == 2072


@pytest.mark.clause("X18", "X20", "Y11")
def test_exposures_guarantees_and_arrears(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """G1 14.836 % and its connected set 16.887 % of 20 %; the circle A-D-E-B of 40 %; E 91 days late is 次级."""
    page, e = browser_page, customer("E")
    sign_in(page, live_server, "fengxc")
    page.goto(f"{live_server.url}/exposures/")
    rows = page.locator("main table").first.locator("tr").all_inner_texts()
    shown = [row.split("\t") for row in rows]
    group = next(row for row in shown if "5,786.00" in row[1])
    connected = next(row for row in shown if "6,586.00" in row[1])
    assert (group[2].strip(), group[3].strip()) == ("14.836%", "20%")
    assert (connected[2].strip(), connected[4].strip()) == ("16.887%", "1,214")
    assert not any("超限" in row[5] for row in shown[1:])
    page.goto(f"{live_server.url}/alerts/")
    page.get_by_role("button", name="运行").click()
    page.wait_for_load_state()
    shown_alerts = text_of(page)
    assert "集团内循环担保" in shown_alerts
    assert "占集团额度 7,000.00 万元的 40.00%" in shown_alerts
    circle = Alert.objects.get(code="W09")
    assert all(customer(code).party.name in circle.message for code in "ABDE")
    loan = Deal.objects.get(customer=e, product="working_capital_loan")
    sign_in(page, live_server, "taoy")
    page.goto(f"{live_server.url}/customers/{e.number}/credit/")
    form = page.locator(f"form[action='/deals/{loan.pk}/overdue/']")
    page.locator("details", has=form).evaluate("d => d.open = true")
    form.locator("[name='since_date']").fill("2025-03-31")
    form.locator("[name='principal']").fill("10")
    form.get_by_role("button", name="登记逾期").click()
    page.wait_for_load_state()
    assert "次级" in text_of(page)
    for code in ("W04", "W06"):
        told = Alert.objects.get(code=code, customer=e).notices.values_list("unit__name", flat=True)
        assert set(told) == {"城东支行", "城西支行", "营业部"}, code
    sign_in(page, live_server, "hewei")
    page.goto(f"{live_server.url}/alerts/")
    assert f"{e.party.name} 逾期 91 天" in text_of(page)


@pytest.mark.clause("X19", points="on")
def test_the_connected_set_from_the_start_page_to_the_exported_report(
    bank: None, live_server: LiveServer, browser_page: "Page"
) -> None:
    """6,586 of 39,000 is 16.887 % of at most 20 %, room 1,214; in part IV of 2025Q2, to be sent by 2025-07-18."""
    page = browser_page
    sign_in(page, live_server, "fengxc")
    page.get_by_role("link", name="大额与关联").click()
    page.wait_for_url("**/exposures/")
    connected = page.locator("tr", has_text="6 户关联客户")
    for words in ("6,586.00", "16.887%", "20%", "1,214", "大额", customer("F").party.name):
        assert words in connected.inner_text()
    for words in ("2025-06-30 一级资本净额 39,000 万元", "20% 《商业银行大额风险暴露管理办法》（2018年第1号）第八条"):
        assert words in text_of(page)
    page.get_by_role("link", name="查看报表").click()
    page.wait_for_url("**/exposures/g14/*")
    assert page.input_value("#as_of") == "2025-06-30"
    assert "报送期限\n2025-07-18\n还有 18 天" in text_of(page).replace("\n\n", "\n")
    reported = page.locator("tbody tr").first.inner_text()
    for words in ("6 户关联客户", "6,586.00", "16.887%", "1,214"):
        assert words in reported
    with page.expect_download() as coming:
        page.get_by_role("link", name="导出 Excel").click()
    assert coming.value.suggested_filename == "G14-IV-2025-06-30.xlsx"
    sheet = CalamineWorkbook.from_path(coming.value.path()).get_sheet_by_index(0).to_python()
    row = dict(zip(sheet[0], sheet[1], strict=True))
    assert (row["成员数"], row["风险暴露总和（万元）"], row["占一级资本净额（%）"]) == (6, 6586, 16.89)
    page.select_option("#as_of", "2025-03-31")
    page.get_by_role("button", name="查看").click()
    page.wait_for_load_state()
    assert "不能认定大额；请先录入并复核资本数据" in text_of(page), "no Tier 1 figure of that quarter"
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/exposures/", "/exposures/g14/"):
        page.goto(live_server.url + path)
        assert_fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})


def confirm_the_proposal(page: "Page", server: LiveServer, group: CustomerGroup) -> str:
    """Identify anew, propose the group's new version, have the other officer confirm it; what the group then shows."""
    sign_in(page, server, "gaoyl")
    page.goto(f"{server.url}/groups/")
    page.get_by_role("button", name="重新识别").click()
    page.wait_for_load_state()
    page.goto(f"{server.url}/groups/{group.number}/")
    page.get_by_role("link", name="查看提案").first.click()
    page.wait_for_load_state()
    page.fill("#id_reason", "证据已变化")
    page.get_by_role("button", name="提议").last.click()
    page.wait_for_load_state()
    change = page.url
    sign_in(page, server, "linzy")
    page.goto(change)
    page.fill("#id_decision", "属实")
    page.get_by_role("button", name="同意认定").click()
    page.wait_for_load_state()
    page.goto(f"{server.url}/groups/{group.number}/")
    return text_of(page)


@pytest.mark.clause("Y01")
def test_a_member_leaves_when_its_family_sells(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """李秀英 sells her 20 % of D: limits keep v1 until confirmed; then G1 uses 5,780 and D alone 700."""
    page, group, day = browser_page, CustomerGroup.objects.get(), dt.date(2025, 9, 1)
    d, partner = Party.objects.get(source_id="D"), Party.objects.get(source_id="张伟")
    Holding.objects.filter(company=d, holder__source_id__in=["李秀英", "张伟"]).update(valid_to=day)
    Holding.objects.create(holder=partner, company=d, votes=69_000_000, valid_from=day, source="转让协议")
    Institution.objects.update(business_date=day)
    assert Node.objects.get(customer=customer("D"), kind="CUSTOMER").parent.group == group  # type: ignore[union-attr]
    shown = confirm_the_proposal(page, live_server, group)
    assert "5,780" in shown
    assert customer("D").party.name not in page.locator("table").first.inner_text()
    alone = Node.objects.get(customer=customer("D"), kind="CUSTOMER")
    assert (group_used(), alone.used_fen // WAN) == (5780, 700)
    assert alone.parent is None or alone.parent.group_id != group.pk


@pytest.mark.clause("Y03")
def test_a_company_joins_and_the_line_is_exceeded(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """A may appoint 4 of 7 directors of F: 7,280 of 7,000, 280 over, drawings stop; 7,280 needs the meeting."""
    page, group = browser_page, CustomerGroup.objects.get()
    f, a = Party.objects.get(source_id="F"), Party.objects.get(source_id="A")
    Agreement.objects.create(controller=a, company=f, kind="board_majority", valid_from=DAY, source="章程")
    shown = confirm_the_proposal(page, live_server, group)
    assert "7,280" in shown
    assert group_used() == 7280
    sign_in(page, live_server, "liujg")
    page.goto(f"{live_server.url}/customers/{customer('D').number}/drawings/new/")
    page.fill("#id_amount", "1")
    page.get_by_role("button", name="提交支用").click()
    assert "额度已超限" in page.locator(".finding-list").inner_text()
    propose(page, live_server, group, "7280", {**SUB, "F": 800})
    case = text_of(page)
    assert "行长办公会" in case
    assert "15.167%" in case, "of the quarter-end figure; 14.56 % of the year-end one, which decides"
    assert page.locator(".finding-refuse", has_text="JS-11").count() == 0
