"""What the pages say in English: alerts, reasons of a level, kept sentences; names and what people wrote stay."""

import re

import pytest
from django.utils import translation

from shouxin.approvals.models import Case
from shouxin.bank.models import OrgUnit
from shouxin.domain.measurement import ratios
from shouxin.facilities.evaluating import STATEMENT_ITEMS
from shouxin.monitoring import watch
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Party
from shouxin.reporting.import_tables import KINDS
from shouxin.web.kept_text import in_english, kept
from shouxin.web.templatetags.shouxin_components import label
from shouxin.web.templatetags.shouxin_format import translated
from tests.credit import prepared_group, propose, reviewed, submitted
from tests.demo import DAY, DemoBank
from tests.web.test_pages import sign_in

CHINESE = re.compile("[\u4e00-\u9fff]")


def without_names(text: str) -> str:
    names = {*Party.objects.values_list("name", flat=True), *OrgUnit.objects.values_list("name", flat=True)}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    return text


@pytest.mark.parametrize(
    ("written", "english"),
    [
        (
            "集团合计 6,100.00 万元在总行审批权限内",
            "The group's total of 6,100.00 ×10k CNY lies within the authority of: Head office approval",
        ),
        (
            "例外上收一级：信用等级 BB 不高于 BB，限制使用",
            "One level up for an exception: Rating BB is not above BB: restricted use",
        ),
        ("预警 W09 循环或连环担保：甲 → 乙", "Alert W09: Circular or chained guarantees"),
        ("示例公司（单一客户）", "示例公司 (single customer)"),
        ("客户说：下月再谈；不急", "客户说：下月再谈；不急"),
        ("AA", "AA"),
    ],
)  # fmt: skip
def test_a_kept_sentence_of_a_known_form_reads_in_english(written: str, english: str) -> None:
    """Half a sentence in each language never appears: a note stays as it was written."""
    with translation.override("en"):
        assert kept(written) == english
    assert kept(written) == written


def test_every_alert_of_a_day_says_the_same_in_english(demo_bank: DemoBank) -> None:
    watch.end_of_day(as_of=DAY)
    alerts = list(Alert.objects.all())
    assert {alert.code for alert in alerts} >= {"W01", "W09", "W10"}
    for alert in alerts:
        assert not CHINESE.search(without_names(alert.english)), alert.english
    client = sign_in(demo_bank.staff("fengxc"))
    client.cookies["django_language"] = "en"
    page = client.get("/alerts/").content.decode()
    assert "the warning line of 13.5% is reached" in page
    assert "达到预警线" not in page
    assert "达到预警线" in sign_in(demo_bank.staff("fengxc")).get("/alerts/").content.decode()


def test_what_a_person_reports_stays_as_it_was_written(demo_bank: DemoBank) -> None:
    assert Alert(message="拖延提供报表").english == "拖延提供报表"


def test_the_reason_of_a_level_reads_in_english(demo_bank: DemoBank) -> None:
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000")))
    reasons = Case.objects.get(pk=case.pk).level_reasons
    client = sign_in(demo_bank.staff("wanghy"))
    client.cookies["django_language"] = "en"
    page = client.get(f"/cases/{case.number}/").content.decode()
    assert reasons
    with translation.override("en"):
        said = [in_english(reason) for reason in reasons]
    for reason, english in zip(reasons, said, strict=True):
        assert reason not in page
        assert not CHINESE.search(english), english
        assert english.split(" (")[0].replace("'", "&#x27;") in page


@pytest.mark.parametrize(
    ("kept_as", "english"),
    [
        ("调查（现场）", "Investigation (on site)"),
        ("调查（第 1 轮，已被后一轮取代）", "Investigation (round 1, replaced by a later round)"),
        ("欠息，2025-08-31 前未整改", "interest unpaid, not cured by 2025-08-31"),
        ("导出授信案件 12 行", "Credit cases exported, 12 rows"),
        (
            "取消公开额度 GK1：x；通知书 QX1，并报批准行",
            "Public line GK1 cancelled: x; notice QX1, reported to the approving bank",
        ),
    ],
)
def test_kept_sentences_are_read_in_english(kept_as: str, english: str) -> None:
    with translation.override("en"):
        assert in_english(kept_as).lower() == english.lower()


def test_figures_items_and_columns_have_english_names() -> None:
    """A group's own name in brackets stays whole; every statement item, ratio and column to import has a name."""
    ratio_names = ratios(dict.fromkeys(STATEMENT_ITEMS, 100), None, year_days=360)
    columns = {kind.title(column) for kind in KINDS.values() for column in kind.columns}
    with translation.override("en"):
        said = label("集团 宏达系（陈建国家族） 支用后用信")
        assert said == "Use of the group 宏达系（陈建国家族） after the drawing"
        assert label("资本净额（2024-12-31）").endswith("(2024-12-31)")
        named = {*STATEMENT_ITEMS.values(), *ratio_names, *columns}
        assert {name for name in named if CHINESE.search(str(translated(name)))} == set()
