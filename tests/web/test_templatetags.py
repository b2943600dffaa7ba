"""How figures, days, secrets, usage and findings look on a page."""

import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils.translation import override

from shouxin.domain.findings import Finding, Severity
from shouxin.web.templatetags import shouxin_components as components
from shouxin.web.templatetags import shouxin_format as format_

WAN = 1_000_000


@pytest.mark.parametrize(
    ("fen", "shown"),
    [
        (None, "—"),
        ("", "—"),
        (0, "0"),
        (7_000 * WAN, "7,000"),
        (660_001 * WAN // 100, "6,600.01"),
        (3 * WAN // 2, "1.50"),
        (-2 * WAN, "-2"),
        (-3 * WAN // 2, "-1.50"),
        (6_600 * WAN + 1, "6,600.00"),
        (4_999, "0.00"),
        (5_000, "0.01"),
        (10**16, "10,000,000,000"),
    ],
)
def test_wan_is_whole_or_has_two_decimals(fen: object, shown: str) -> None:
    assert format_.wan(fen) == shown


@pytest.mark.parametrize(
    ("fen", "shown"),
    [
        (7_500 * WAN, "7,500"),
        (7_500 * WAN + 1, '<span class="approx" title="75,000,000.01 元">≈7,500.00</span>'),
        (7_500 * WAN + 10_000, "7,500.01"),
        (None, "—"),
    ],
)
def test_wan_exact_shows_the_last_fen(fen: object, shown: str) -> None:
    assert format_.wan_exact(fen) == shown


def test_other_units_of_money() -> None:
    assert format_.yi(55_000 * WAN) == "5.50"
    assert format_.yuan(123_450) == "1,234.50"
    assert [format_.signed_wan(n * WAN) for n in (200, -80, 0)] == ["+200", "−80", "0"]
    assert format_.grouped(1_000_000) == "1,000,000"


@pytest.mark.parametrize("value", [1.5, True, Decimal(1), "12"])
def test_an_amount_that_is_no_integer_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        format_.wan(value)


def test_ratios_are_decimals_never_floats() -> None:
    assert format_.pct(Decimal("0.1296")) == "12.96%"
    assert format_.pct(Fraction(6480, 48000)) == "13.50%"
    assert format_.pct(1, 0) == "100%"
    assert format_.pct_plain(Decimal("0.150")) == "15%"
    assert format_.pct_plain(1) == "100%"
    with pytest.raises(TypeError):
        format_.pct(0.15)


def test_days_are_iso_and_instants_local() -> None:
    day = datetime.date(2026, 11, 23)
    late_in_greenwich = datetime.datetime(2026, 11, 23, 18, 5, tzinfo=datetime.UTC)
    assert format_.day(day) == "2026-11-23"
    assert format_.day(late_in_greenwich) == "2026-11-24"
    assert format_.moment(late_in_greenwich) == "2026-11-24 02:05"
    with override("zh-hans"):
        assert format_.day_long(day) == "2026 年 11 月 23 日"
    with override("en"):
        assert format_.day_long(day) == "23 November 2026"
    assert format_.day(None) == "—"
    assert format_.minutes(datetime.timedelta(seconds=61)) == 2


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("330102198001011234", "330102********1234"),
        ("33010219800101123X", "330102********123X"),
        ("E12345678", "E1*****78"),
        ("A12345", "A*****"),
        ("", "—"),
        (None, "—"),
    ],
)
def test_identity_numbers_hide_the_birthday(number: str | None, shown: str) -> None:
    assert format_.mask_id(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13812345678", "138****5678"),
        ("0571-88127654", "0571-****7654"),
        ("+86 138 1234 5678", "+86 138 **** 5678"),
        ("8812765", "***2765"),
        ("110", "**0"),
        (None, "—"),
    ],
)
def test_phone_numbers_hide_the_middle(number: str | None, shown: str) -> None:
    assert format_.mask_phone(number) == shown


def test_icons_are_drawn_from_the_vendored_set() -> None:
    drawn = format_.icon("users")
    assert drawn.startswith("<svg")
    assert 'aria-hidden="true"' in drawn
    assert 'aria-label="&lt;放大&gt;"' in format_.icon("zoom-in", label="<放大>")
    for name in ("no-such-icon", "../users"):
        with pytest.raises(format_.UnknownIconError):
            format_.icon(name)


@pytest.mark.parametrize(
    ("used", "cap", "level", "percent", "position"),
    [
        (84, 100, "ok", "84%", 840),
        (85, 100, "warn", "85%", 850),
        (9_999, 10_000, "warn", "<100%", 999),
        (900, 900, "full", "100%", 1000),
        (10_001, 10_000, "over", ">100%", 1000),
        (2_300, 2_200, "over", "105%", 1000),
        (1, 0, "over", "—", 1000),
        (0, 0, "none", "—", 0),
        (None, 5, "none", "—", 0),
    ],
)
def test_a_usage_bar_is_never_rounded_onto_the_cap(
    used: int | None, cap: int, level: str, percent: str, position: int
) -> None:
    assert components.usage_of(used, cap) == components.Usage(position, level, percent)


def test_a_usage_bar_says_in_words_what_its_colour_says() -> None:
    drawn = Template("{% load shouxin_components %}{% usage_bar 201 200 label=name %}").render(
        Context({"name": "<明远>"})
    )
    assert 'class="usage usage-over"' in drawn
    assert "超过限额" in drawn
    assert "&lt;明远&gt;" in drawn


def _refusal(severity: Severity = Severity.REFUSE) -> Finding:
    return Finding(
        code="sub_limit",
        severity=severity,
        message="申请 201 万元，可用 200 万元",
        message_en="201 asked, 200 available",
        article="JS-11",
        citation="集团客户授信办法 第十一条",
        remedy="把申请降到 200 万元",
        inputs={"申请": "201 万元", "可用": "200 万元"},
    )


@pytest.mark.parametrize(
    ("language", "message", "unit"), [("zh-hans", "申请 201 万元", "万元"), ("en", "201 asked", "×10k CNY")]
)
def test_a_refusal_shows_what_was_asked_allowed_the_article_and_what_to_do(
    language: str, message: str, unit: str
) -> None:
    with override(language):
        page = render_to_string("components/finding_list.html", {"findings": [_refusal()]})
    for text in (message, f"201 {unit}", f"200 {unit}", "JS-11", "第十一条", "把申请降到 200 万元", 'role="alert"'):
        assert text in page


def test_only_refusals_are_counted_as_refusals() -> None:
    findings = [_refusal(), _refusal(Severity.WARN)]
    assert "有 1 项不符合规定" in render_to_string("components/finding_list.html", {"findings": findings})
    calm = render_to_string("components/finding_list.html", {"findings": findings[1:]})
    assert "可以办理" in calm
    assert "alert" not in calm.replace("alert-triangle", "")


def test_badges_escape_their_text_and_know_their_tones() -> None:
    assert components.badge("<b>", "amber") == '<span class="pill pill-amber">&lt;b&gt;</span>'
    with pytest.raises(ValueError, match="purple"):
        components.badge("x", "purple")


def test_a_table_names_each_cell_for_narrow_screens_and_escapes_it() -> None:
    page = Template("{% load shouxin_components %}{% data_table columns rows %}").render(
        Context(
            {
                "columns": [{"label": "客户"}, {"label": "额度", "kind": "number"}],
                "rows": [{"url": "/c/1", "cells": ["<b>甲</b>", "7,000"]}],
            }
        )
    )
    assert '<a class="row-link" href="/c/1">&lt;b&gt;甲&lt;/b&gt;</a>' in page
    assert '<td data-label="额度" class="cell-number">7,000</td>' in page


def test_a_row_with_too_few_cells_is_a_bug_not_a_shifted_table() -> None:
    with pytest.raises(ValueError, match="zip"):
        components.data_table([{"label": "a"}, {"label": "b"}], [{"cells": ["1"]}])


def test_a_field_has_its_label_hint_unit_and_errors() -> None:
    class Amount(forms.Form):
        amount = forms.CharField(label="金额", help_text="最多两位小数")

    field = Amount({"amount": ""})["amount"]
    page = render_to_string("components/field.html", {"field": field, "unit": "万元"})
    for text in (
        'for="id_amount"',
        "form-control is-invalid",
        "最多两位小数",
        "万元",
        "这个字段是必填项",
        "aria-invalid",
    ):
        assert text in page


@pytest.mark.django_db
def test_the_pager_keeps_the_filters_and_drops_the_other_cursor() -> None:
    request = RequestFactory().get("/customers/?q=鹏飞&before=x")
    page = render_to_string("components/pager.html", {"pager": {"after": "abc", "count_text": "1,000+ 户"}}, request)
    assert "q=%E9%B9%8F%E9%A3%9E&amp;after=abc" in page
    assert "before" not in page


@pytest.mark.parametrize("name", ["403.html", "404.html", "429.html", "500.html", "lockout.html"])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_error_pages_need_no_context(name: str, language: str) -> None:
    with override(language):
        page = render_to_string(name)
    assert f'lang="{language}"' in page


@pytest.mark.django_db
def test_the_sign_in_page_lists_demo_users_in_plain_text_too() -> None:
    person = {"username": "lijg", "name": "李建国", "role": "客户经理", "unit": "城西支行"}
    context = {"demo_users": [person], "demo_password": "demo-only"}
    page = render_to_string("registration/login.html", context, RequestFactory().get("/sign-in/"))
    for text in ("lijg", "李建国", "客户经理 · 城西支行", "demo-only", 'data-fill-username="lijg"'):
        assert text in page
    assert "demo" not in render_to_string("registration/login.html", {}, RequestFactory().get("/"))


def test_the_base_page_shows_navigation_person_and_business_day() -> None:
    item = {"url": "/customers/", "label": "客户名单", "icon": "users", "active": True, "badge": 12}
    context = {
        "navigation": [{"title": "客户", "items": [item]}],
        "business_date": datetime.date(2026, 11, 23),
        "staff_name": "王海燕",
        "staff_unit": "总行授信审批部",
    }
    with override("zh-hans"):
        page = render_to_string("base.html", context)
    for text in ('href="/customers/" aria-current="page"', "2026-11-23", "王海燕", "总行授信审批部", "跳到正文"):
        assert text in page


def test_amounts_below_two_decimals_are_marked_with_the_exact_yuan_behind_them() -> None:
    fen = 1_866_666_666
    assert format_.wan_exact(fen) == '<span class="approx" title="18,666,666.66 元">≈1,866.67</span>'
    assert format_.wan_plain(fen) == "≈1,866.67"
    assert format_.signed_wan(-fen) == '−<span class="approx" title="18,666,666.66 元">≈1,866.67</span>'
    assert components.figure("1,866.666666 万元") == "≈1,866.67 万元"
    assert components.figure("7,500.01 万元，即 15.0000%") == "7,500.01 万元，即 15.0000%"


@pytest.mark.parametrize(
    ("language", "shown"),
    [("zh-hans", "明远贸易的成员额度：可用 200.00 万元"), ("en", "Customer limit 明远贸易: not enough")],
)
def test_a_page_names_a_level_in_words_where_files_have_a_code(language: str, shown: str) -> None:
    said = Finding(
        "LIMIT_EXCEEDED", Severity.REFUSE, "CUSTOMER 明远贸易（成员额度）：可用 200.00 万元", "BR-12",
        message_en="CUSTOMER 明远贸易: not enough",
    )  # fmt: skip
    with override(language):
        assert components.in_language(said) == shown
