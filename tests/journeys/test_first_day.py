"""A customer manager's way in a real browser: sign in, list, customer, group, refused drawing, accepted drawing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django.live_server_helper import LiveServer

from shouxin.bank.models import Staff
from shouxin.facilities.models import Drawing
from shouxin.web.demo.people import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = os.environ.get("SHOUXIN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")), executable_path=CHROMIUM, args=FLAGS, locale="zh-CN",
            viewport={"width": 1440, "height": 900},
        )  # fmt: skip
        yield context.pages[0] if context.pages else context.new_page()
        context.close()


@pytest.fixture
def bank(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from shouxin.web import demo_bank

    monkeypatch.setattr(demo_bank, "PROSPECTS", 30)
    demo_bank.load()
    assert Staff.objects.get(username="liujg").check_password(PASSWORD)


def sign_in(page: "Page", server: LiveServer, username: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{server.url}/sign-in/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url(f"{server.url}/")


def assert_fits(page: "Page") -> None:
    """The page itself never scrolls sideways; wide tables scroll inside their card."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url


def test_the_way_from_sign_in_to_a_released_drawing(
    bank: None, live_server: LiveServer, browser_page: "Page", tmp_path: Path
) -> None:
    page = browser_page
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Content Security Policy" in m.text else None)

    sign_in(page, live_server, "liujg")
    assert page.locator("h1").inner_text() == "额度总览"
    page.wait_for_selector("[data-chart='group-share'] :is(canvas, svg)")
    assert_fits(page)

    page.keyboard.press("Control+k")
    page.keyboard.type("明远")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="在名单中查看全部").click()
    page.locator("a.row-link", has_text="明远贸易有限公司").click()
    page.get_by_role("link", name="宏达系（陈建国家族）").first.click()
    page.wait_for_load_state()
    shown = page.locator("main").inner_text()
    assert "陈明（儿子） 31% + 李秀英（配偶） 20% = 51% > 50% → 控制明远贸易有限公司" in shown
    assert "12.96%" in shown
    page.wait_for_selector("[data-canvas] canvas")
    assert_fits(page)

    page.locator("a", has_text="明远贸易有限公司").first.click()
    page.get_by_role("link", name="发起支用").click()
    page.select_option("#id_facility", index=0)
    page.fill("#id_amount", "201")
    page.get_by_role("button", name="提交支用").click()
    refusal = page.locator(".finding-refuse").first
    text = refusal.inner_text()
    assert "明远贸易有限公司的成员额度" in text
    assert "申请 201.00 万元，可用 200.00 万元" in text
    assert "BR-12" in text

    page.fill("#id_amount", "200")
    page.get_by_role("button", name="提交支用").click()
    page.wait_for_url("**/drawings/**")
    assert "等待另一人放款" in page.content()
    assert page.get_by_role("button", name="放款").count() == 0
    address = page.url

    sign_in(page, live_server, "hewei")
    page.goto(address)
    page.fill("#minutes_number", "贷审 1 号")
    page.get_by_role("button", name="放款").click()
    page.wait_for_load_state()
    assert Drawing.objects.get(state="posted").released_by == Staff.objects.get(username="hewei")
    assert problems == []


@pytest.mark.parametrize("has_script", [True, False])
def test_the_pages_fit_a_telephone_and_work_without_script(
    bank: None, live_server: LiveServer, browser_page: "Page", has_script: bool
) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 844})
    if not has_script:
        page.route("**/*.js", lambda route: route.abort())
    try:
        sign_in(page, live_server, "wanghy")
        for path in ("/", "/customers/", "/groups/", "/groups/JT-00001/", "/parameters/", "/bank/", "/products/"):
            page.goto(live_server.url + path)
            assert page.locator("h1").count() == 1
            assert_fits(page)
    finally:
        page.unroute_all()
        page.set_viewport_size({"width": 1440, "height": 900})
