"""Credit in a real browser: a group's line from proposal to force, a public line to its notice, a released deposit."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django.live_server_helper import LiveServer

from shouxin.approvals.models import Case
from shouxin.bank.models import Institution
from shouxin.facilities.models import Deal, GroupLine, PublicLine
from shouxin.facilities.services import open_facility
from shouxin.groups.models import CustomerGroup
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from tests.credit import SUB
from tests.demo import DAY, WAN
from tests.facilities.test_customer_lines import workbook
from tests.journeys.test_first_day import assert_fits, bank, browser_page, pytestmark, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["bank", "browser_page", "pytestmark"]


def customer(code: str) -> Customer:
    return Customer.objects.get(party__source_id=code)


def rate(page: "Page", server: LiveServer, path: str, grade: str) -> None:
    page.goto(f"{server.url}{path}")
    page.select_option("#id_grade", grade)
    page.fill("#id_model", "评级 v1")
    page.get_by_role("button", name="评级", exact=True).click()
    page.wait_for_load_state()


def evaluate(page: "Page", server: LiveServer, path: str) -> None:
    page.goto(f"{server.url}{path}evaluation/")
    box = page.locator("input[name='method'][value='M2']")
    box.check()
    if not page.locator("#M2-net_assets").is_visible():
        page.locator("details.method", has=box).evaluate("d => d.open = true")
    for name, value in (("net_assets", "6000"), ("target_ratio_pct", "70"), ("interest_debt", "3000"),
                        ("other_liabilities", "3500")):  # fmt: skip
        page.fill(f"#M2-{name}", value)
    page.fill("#id_need", "9000")
    page.fill("#id_conclusion", "经营正常")
    page.get_by_role("button", name="试算").click()
    assert "7,500.00" in page.locator("main").inner_text()
    page.get_by_role("button", name="保存评价").click()
    page.wait_for_load_state()


def propose(page: "Page", server: LiveServer, group: CustomerGroup, wan: str, sub: dict[str, int]) -> None:
    page.goto(f"{server.url}/groups/{group.number}/credit/propose/")
    page.fill("#id_amount", wan)
    for code, amount in sub.items():
        page.fill(f"[name='sub-{customer(code).pk}']", str(amount))
    page.get_by_role("button", name="建立案件").click()
    page.wait_for_url("**/cases/SX**")


def step(page: "Page", server: LiveServer, who: str, url: str, field: str, text: str, button: str) -> None:
    """Sign in as somebody, find the case among the tasks, do the step that waits there."""
    sign_in(page, server, who)
    page.goto(f"{server.url}/tasks/")
    page.locator("a.row-link").first.click()
    page.wait_for_load_state()
    assert page.url == url
    page.fill(field, text)
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()


@pytest.mark.clause("X04", "X08", "X23")
def test_a_groups_line_from_proposal_to_force(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """X08, X04, X23: sub-limits above the line, minutes before approval, four roles, then the line is in force."""
    page, group = browser_page, CustomerGroup.objects.get()
    path = f"/groups/{group.number}/credit/"
    sign_in(page, live_server, "fengxc")
    rate(page, live_server, path, "AA")
    sign_in(page, live_server, "liujg")
    evaluate(page, live_server, path)
    propose(page, live_server, group, "7000", {**SUB, "D": 1000})
    assert "成员额度合计 7,100.00 万元，超过集团额度 7,000.00 万元" in page.locator("main").inner_text()
    page.fill("#id_withdraw", "重报")
    page.get_by_role("button", name="撤回案件").click()
    propose(page, live_server, group, "7000", SUB)
    url = page.url
    for who in ("liujg", "hewei"):
        sign_in(page, live_server, who)
        page.goto(url)
        page.locator("form[action$='/investigate/'] textarea").fill("实地核查属实")
        page.check("#id_is_on_site")
        page.get_by_role("button", name="签署调查意见").click()
    sign_in(page, live_server, "liujg")
    page.goto(url)
    assert_fits(page)
    page.get_by_role("button", name="提交", exact=True).click()
    step(page, live_server, "fengxc", url, "#id_review", "同意", "同意")
    step(page, live_server, "wanghy", url, "#id_decision", "同意", "批准")
    assert "须先经行长办公会审议" in page.locator(".finding-refuse").first.inner_text()
    sign_in(page, live_server, "fengxc")
    page.goto(url)
    page.fill("#id_number", "行办 22 号")
    page.fill("#id_resolution", "同意")
    page.get_by_role("button", name="登记并附纪要").click()
    step(page, live_server, "wanghy", url, "#id_decision", "同意", "批准")
    step(page, live_server, "yaoj", url, "#id_operate", "已签约", "生效")
    assert "已生效" in page.locator("main").inner_text()
    line = GroupLine.objects.get(case=Case.objects.get(state="done"))
    assert (line.amount_fen, line.minutes_number) == (7_000_000_000, "行办 22 号")


@pytest.mark.clause("X13")
def test_a_released_deposit_stops_the_next_drawing(bank: None, live_server: LiveServer, browser_page: "Page") -> None:
    """X13: 1,200 of 900; the alert is there and the next drawing says so."""
    page, d = browser_page, customer("D")
    pledged = Deal.objects.get(customer=d, product="cd_pledged_loan")
    sign_in(page, live_server, "yaoj")
    page.goto(f"{live_server.url}/customers/{d.number}/credit/")
    assert_fits(page)
    form = page.locator(f"form[action='/deals/{pledged.pk}/cover/']")
    page.locator("details", has=form).evaluate("d => d.open = true")
    form.locator("[name='kind']").select_option("own_cd")
    form.locator("[name='cause']").select_option("happened")
    form.locator("[name='after']").fill("0")
    form.locator("[name='reason']").fill("存单解押")
    form.get_by_role("button", name="变更").click()
    page.wait_for_load_state()
    assert Node.objects.get(customer=d, kind="CUSTOMER").used_fen == 1_200_000_000
    sign_in(page, live_server, "hewei")
    page.goto(f"{live_server.url}/alerts/")
    assert "超过额度 900.00 万元" in page.locator("main").inner_text()
    page.goto(f"{live_server.url}/customers/{d.number}/drawings/new/")
    page.fill("#id_amount", "1")
    page.get_by_role("button", name="提交支用").click()
    assert "额度已超限" in page.locator(".finding-refuse").first.inner_text()


@pytest.mark.clause("CB+1", "CB+2", "CB+3", "CB+9")
def test_a_public_line_from_application_to_its_notice(
    bank: None, live_server: LiveServer, browser_page: "Page", tmp_path: Path
) -> None:
    """B: AA, 68 %, 4,200: eligible; not for a fixed-asset loan; to cure by 31 August, cancelled on 1 September."""
    page, b = browser_page, customer("B")
    path = f"/customers/{b.number}/credit/"
    sign_in(page, live_server, "fengxc")
    rate(page, live_server, path, "AA")
    sign_in(page, live_server, "zhoulp")
    page.goto(f"{live_server.url}{path}")
    file = tmp_path / "年报.xlsx"
    file.write_bytes(
        workbook([["项目", "2024-12-31"], ["资产总计", 13125], ["负债合计", 8925], ["所有者权益合计", 4200]])
    )
    form = page.locator("form[action$='/statements/']")
    form.locator("[name='source']").fill("经审计年报")
    form.locator("[name='file']").set_input_files(file)
    form.get_by_role("button", name="导入报表").click()
    page.wait_for_load_state()
    page.goto(f"{live_server.url}{path}propose/public/")
    page.fill("#id_amount", "2200")
    page.get_by_role("button", name="建立案件").click()
    page.wait_for_url("**/cases/SX**")
    url = page.url
    assert "例外事项\n无" in page.locator("main").inner_text(), "eligible"
    for who in ("zhoulp", "qianf"):
        sign_in(page, live_server, who)
        page.goto(url)
        page.locator("form[action$='/investigate/'] textarea").fill("属实")
        page.check("#id_is_on_site")
        page.get_by_role("button", name="签署调查意见").click()
    sign_in(page, live_server, "zhoulp")
    page.goto(url)
    page.get_by_role("button", name="提交", exact=True).click()
    step(page, live_server, "fengxc", url, "#id_review", "同意", "同意")
    step(page, live_server, "wanghy", url, "#id_decision", "同意", "批准")
    step(page, live_server, "yaoj", url, "#id_operate", "已发证", "生效")
    line = PublicLine.objects.get()
    assert (line.status, line.is_exception, line.amount_fen) == ("active", False, 2200 * WAN)
    page.goto(f"{live_server.url}/public-lines/{line.certificate_number}/")
    assert "固定资产贷款" in page.locator("main").inner_text(), "the certificate says what it is not for"
    open_facility(
        actor=None, customer=b, branch=b.unit, product="fixed_asset_loan", number="HT-GD", start_date=DAY,
        end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    sign_in(page, live_server, "zhoulp")
    page.goto(f"{live_server.url}/customers/{b.number}/drawings/new/")
    page.select_option("#id_facility", page.locator("#id_facility option", has_text="HT-GD").get_attribute("value"))
    page.fill("#id_amount", "1")
    page.check("#id_is_under_public_line")
    page.get_by_role("button", name="提交支用").click()
    assert "不得在公开额度内使用" in page.locator(".finding-refuse").first.inner_text()

    def end_of(day: dt.date) -> None:
        Institution.objects.update(business_date=day)
        sign_in(page, live_server, "fengxc")
        page.goto(f"{live_server.url}/alerts/")
        page.get_by_role("button", name="运行").click()
        page.wait_for_load_state()
        line.refresh_from_db()

    Institution.objects.update(business_date=dt.date(2025, 8, 1))
    loan = Deal.objects.get(customer=b, product="working_capital_loan")
    sign_in(page, live_server, "yaoj")
    page.goto(f"{live_server.url}{path}")
    form = page.locator(f"form[action='/deals/{loan.pk}/overdue/']")
    page.locator("details", has=form).evaluate("d => d.open = true")
    form.locator("[name='since_date']").fill("2025-08-01")
    form.locator("[name='interest']").fill("1")
    form.get_by_role("button", name="登记逾期").click()
    page.wait_for_load_state()
    assert "整改期限 2025-08-31" in page.locator("main").inner_text()
    end_of(dt.date(2025, 8, 31))
    assert line.status == "curing", "the last day to cure"
    end_of(dt.date(2025, 9, 1))
    assert (line.status, line.cancelled_date) == ("cancelled", dt.date(2025, 9, 1))
    page.goto(f"{live_server.url}/public-lines/{line.certificate_number}/")
    shown = page.locator("main").inner_text()
    assert "取消公开额度授信通知书" in shown
    assert "已报批准行备案" in shown
    page.goto(f"{live_server.url}{path}")
    assert "公开额度已于 2025-09-01 取消" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    "path", ["/tasks/", "/cases/", "/lines/", "/exposures/", "/alerts/", "/policies/", "/authorities/"]
)
def test_the_pages_fit_a_telephone(bank: None, live_server: LiveServer, browser_page: "Page", path: str) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server, "wanghy")
    page.goto(f"{live_server.url}{path}")
    assert_fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})
