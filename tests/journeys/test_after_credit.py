"""After credit in a real browser: the half-yearly review and the renewal, from the task list to the result."""

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from pytest_django.live_server_helper import LiveServer

from shouxin.approvals.models import Case
from shouxin.bank.models import Institution
from shouxin.facilities.models import GroupLine
from shouxin.groups.models import CustomerGroup
from shouxin.monitoring.models import Review
from shouxin.monitoring.reviews import plan_reviews
from tests.journeys.test_first_day import assert_fits, bank, browser_page, pytestmark, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["bank", "browser_page", "pytestmark"]


def open_task(page: "Page", server: LiveServer, who: str, name: str, section: str) -> None:
    sign_in(page, server, who)
    page.goto(f"{server.url}/tasks/")
    page.locator("section.card", has_text=section).get_by_role("link", name=name).click()
    page.wait_for_load_state()
    assert_fits(page)


@pytest.mark.journey
def test_a_review_and_a_renewal_begin_among_the_tasks(
    bank: None, live_server: LiveServer, browser_page: "Page"
) -> None:
    """CB+8: report, opinion of the risk department, filing. From three months before the end the renewal waits."""
    page, group = browser_page, CustomerGroup.objects.get()
    line = GroupLine.objects.filter(group=group).latest("valid_from")
    day = line.valid_to - dt.timedelta(days=80)
    Institution.objects.update(business_date=day)
    plan_reviews(as_of=day)
    review = Review.objects.get(group=group)

    open_task(page, live_server, "liujg", group.name, "授信后调查")
    page.fill("#id_report", "双人实地走访，经营正常，无重大变化。")
    page.get_by_role("button", name="提交调查报告").click()
    page.wait_for_load_state()
    assert "待风险部门意见" in page.locator("main").inner_text()
    open_task(page, live_server, "fengxc", group.name, "授信后调查")
    page.fill("#id_opinion", "同意继续使用")
    page.get_by_role("button", name="同意继续使用并报备").click()
    page.wait_for_load_state()
    assert "继续使用并已报备" in page.locator("main").inner_text()
    review.refresh_from_db()
    assert (review.state, review.filed_date) == ("continues", day)

    open_task(page, live_server, "liujg", group.name, "可续授信的额度")
    assert page.input_value("#id_amount") == f"{line.amount_fen // 1_000_000}"
    assert page.locator("input[name^='sub-']").first.input_value() != ""
    for width in (390, 1440):  # stacked on a telephone, whole on a desk: nothing scrolls sideways
        page.set_viewport_size({"width": width, "height": 900})
        inside = "(e) => e.scrollWidth <= e.clientWidth"
        assert page.locator("table.table-sticky").evaluate(f"t => ({inside})(t.parentElement)"), width
        assert_fits(page)
    page.get_by_role("button", name="建立案件").click()
    page.wait_for_url("**/cases/SX**")
    case = Case.objects.latest("pk")
    assert (case.kind, case.payload["amount_fen"]) == (Case.Kind.GROUP_LINE, line.amount_fen)
    page.goto(f"{live_server.url}/tasks/")
    assert "可续授信的额度" not in page.locator("main").inner_text() or group.name not in page.locator(
        "section.card", has_text="可续授信的额度"
    ).inner_text()  # fmt: skip
