"""A payroll group in a browser: a loan refused then paid out, a group refused for want of a member."""

from typing import TYPE_CHECKING

import pytest
from pytest_django.live_server_helper import LiveServer

from shouxin.payroll_groups.models import Loan, PayrollGroup
from tests.journeys.test_first_day import assert_fits, bank, browser_page, pytestmark, sign_in

__all__ = ["bank", "browser_page", "pytestmark"]

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def payroll_bank(bank: None) -> None:
    from shouxin.web import demo_payroll

    demo_payroll.furnish()


def open_group(page: "Page", server: LiveServer, name: str) -> None:
    page.goto(f"{server.url}/payroll-groups/")
    page.get_by_role("link", name=name).click()
    page.wait_for_load_state()


@pytest.mark.clause("Z02", "RC-15", points="over")
def test_a_teacher_borrows_and_the_hospital_lacks_one(
    payroll_bank: None,
    live_server: LiveServer,
    browser_page: "Page",
) -> None:
    page = browser_page
    sign_in(page, live_server, "liujg")
    open_group(page, live_server, "青山中学")
    assert "640,000.00" in page.inner_text(".tiles")
    page.get_by_role("link", name="汤志军").click()  # has repaid all of the first loan
    page.fill("#loan_number", "QS2025-1")
    page.fill("#loan_amount", "80000")
    page.fill("#loan_due_date", "2026-03-01")
    page.get_by_role("button", name="提交复核").click()
    page.wait_for_selector(".finding-code:has-text('PAYROLL_FUND_SHORT')")
    assert "还差 4,000.00 元" in page.inner_text("main")
    assert page.input_value("#loan_number") == "QS2025-1", "what was typed stays"
    page.click("summary:has-text('交纳保证基金')")
    page.fill("#fund_amount", "4000")
    page.fill("#fund_voucher", "JJ2025-1")
    page.get_by_role("button", name="记账").click()
    page.wait_for_selector(".message-success")
    page.fill("#loan_number", "QS2025-1")
    page.fill("#loan_amount", "80000")
    page.fill("#loan_due_date", "2026-03-01")
    page.get_by_role("button", name="提交复核").click()
    page.wait_for_selector(".message-success")

    sign_in(page, live_server, "hewei")
    page.goto(f"{live_server.url}/tasks/")
    page.get_by_role("link", name="复核放款").click()
    page.get_by_role("button", name="复核放款").click()
    page.wait_for_selector(".message-success")
    assert Loan.objects.get(number="QS2025-1").state == "out"

    sign_in(page, live_server, "fengxc")
    open_group(page, live_server, "溪桥卫生院")
    page.click("summary:has-text('登记调查报告')")
    page.fill("#report_report", "工资稳定")
    page.get_by_role("button", name="登记", exact=True).first.click()
    page.wait_for_selector(".message-success")
    sign_in(page, live_server, "wanghy")
    for name in ("盛玉兰", "苗春燕", "水志刚", "章亚琴"):
        open_group(page, live_server, "溪桥卫生院")
        page.get_by_role("link", name=name).click()
        page.fill("#review_limit", "80000")
        page.get_by_role("button", name="确认资格").click()
        page.wait_for_selector(".message-success")
    open_group(page, live_server, "溪桥卫生院")
    page.click("summary:has-text('审查单位资格')")
    page.fill("#opinion_opinion", "同意")
    page.get_by_role("button", name="确认资格").click()
    page.wait_for_selector(".message-success")
    sign_in(page, live_server, "liujg")
    open_group(page, live_server, "溪桥卫生院")
    page.click("summary:has-text('拟订合同')")
    page.fill("#contract_number", "溪桥 1")
    page.fill("#contract_end_date", "2028-06-30")
    page.fill("#contract_limit", "320000")
    page.get_by_role("button", name="拟订", exact=True).click()
    page.wait_for_selector(".message-success")
    sign_in(page, live_server, "wanghy")
    open_group(page, live_server, "溪桥卫生院")
    page.locator("[name=opinion]:visible").fill("同意")
    page.get_by_role("button", name="批准合同").click()
    page.wait_for_selector(".finding-code:has-text('PAYROLL_TOO_FEW_MEMBERS')")
    assert PayrollGroup.objects.get(employer__party__name="溪桥卫生院").state == "qualified"

    page.set_viewport_size({"width": 390, "height": 844})
    assert_fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})
