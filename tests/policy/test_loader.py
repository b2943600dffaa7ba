"""A policy file is right, or it stops the start with its name, line and reason."""

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from shouxin.domain.parameters import NotInForceError, UnknownParameterError
from shouxin.policy import PolicyError, load_book
from shouxin.policy.loader import RULES_DIR, overlay_names, read_mapping

DAY = dt.date(2025, 6, 30)
KEY = "group.limit.pct_net_capital"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    copy = tmp_path / "rules"
    shutil.copytree(RULES_DIR, copy)
    return copy


def change(rules: Path, old: str, new: str, file: str = "group.limit.yaml") -> None:
    path = rules / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('      article: "JS-11"\n', "", r"group\.limit\.yaml:\d+: .*缺少 \['article'\]"),
        ('  unit: "percent"\n', '  unit: "percent"\n  unit: "wan"\n', "“unit” 重复出现"),
        ("group.meeting_threshold:", f"{KEY}:", f"“{KEY}” 重复出现"),
        ('  comparison: "<="', '  comparison: "=<"', "比较符“=<”不在"),
        ('  unit: "percent"', '  unit: "per cent"', "单位“per cent”不在"),
        ('value: "15"', 'value: "15 %"', "“15 %”不是数字"),
        ('from: "2003-10-23"', 'from: "2003-02-30"', "日期“2003-02-30”不存在"),
        ('      evidence: "S"', '      evidence: "X"', "依据标记“X”不在"),
        ('  unit: "percent"\n', '  unit: "percent"\n  colour: "red"\n', r"未知的属性 \['colour'\]"),
        ("  values:\n", "  values: []\n  ignored:\n", "未知的属性|至少有一个取值"),
    ],
)
def test_a_file_that_is_not_clear_stops_the_start(rules: Path, old: str, new: str, reason: str) -> None:
    change(rules, old, new)
    with pytest.raises(PolicyError, match=reason) as caught:
        load_book(rules_dir=rules)
    assert "group.limit.yaml" in str(caught.value)


def test_an_overlay_for_an_unknown_parameter_stops_the_start(rules: Path) -> None:
    change(rules, "group.closure:", "group.closing:", "institutions/demo-rural-bank.yaml")
    with pytest.raises(PolicyError, match=r"demo-rural-bank\.yaml: 没有名为 group\.closing 的参数"):
        load_book(rules_dir=rules)


def test_values_may_not_overlap_in_time(rules: Path) -> None:
    second = (
        '      evidence: "S"\n    - from: "2010-01-01"\n      value: "12"\n      article: "JS-11"\n'
        '      citation: "x"\n      evidence: "S"\n'
    )
    change(rules, '      evidence: "S"\n', second)
    with pytest.raises(PolicyError, match="时间上重叠"):
        load_book(rules_dir=rules)


def test_a_changed_value_is_a_new_dated_line_and_the_past_stays_as_it_was(rules: Path) -> None:
    change(
        rules,
        '    - from: "2003-10-23"\n      value: "15"\n      article: "JS-11"\n',
        '    - from: "2003-10-23"\n      to: "2025-01-01"\n      value: "15"\n      article: "JS-11"\n'
        '      citation: "旧"\n      evidence: "S"\n'
        '    - from: "2025-01-01"\n      value: "12"\n      article: "JS-11"\n',
    )
    book = load_book(rules_dir=rules)
    assert book.decimal(KEY, dt.date(2024, 12, 31)) == Decimal(15)
    assert book.decimal(KEY, dt.date(2025, 1, 1)) == Decimal(12)
    assert [value.text for value in book.history(KEY)] == ["12", "15"]
    with pytest.raises(NotInForceError, match="2003-10-22"):
        book.at(KEY, dt.date(2003, 10, 22))


def test_scalars_stay_texts_and_never_become_floats() -> None:
    for file in RULES_DIR.rglob("*.yaml"):
        stack: list[object] = list(read_mapping(file).values())
        while stack:
            at = stack.pop()
            assert isinstance(at, str | list | dict), (file, at)
            stack.extend(at.values() if isinstance(at, dict) else at if isinstance(at, list) else ())


def test_every_value_says_where_it_stands() -> None:
    book = load_book()
    assert len(book.keys()) > 90
    for key in book:
        for value in book.history(key):
            assert value.article, key
            assert value.citation, key


def test_an_institutions_own_value_goes_first_and_the_others_keep_the_general_one() -> None:
    demo, literal = load_book("demo-rural-bank"), load_book("joint-stock-literal")
    assert "letter_of_credit" in demo.items("scope.net_of_margin", DAY)
    assert "letter_of_credit" not in literal.items("scope.net_of_margin", DAY)
    assert demo.at("scope.net_of_margin", DAY).value.institution == "demo-rural-bank"
    assert {"demo-rural-bank", "joint-stock-literal", "bank-without-guarantees"} <= set(overlay_names())


def test_comparisons_are_on_the_line_as_written() -> None:
    book = load_book()
    assert book.at(KEY, DAY).allows(Decimal("15.00"))
    assert not book.at(KEY, DAY).allows(Decimal("15.000001"))
    assert not book.at("group.meeting_threshold", DAY).allows(Decimal(6600))
    assert book.at("group.meeting_threshold", DAY).allows(Decimal("6600.01"))


def test_an_unknown_key_and_an_unknown_institution_are_said() -> None:
    with pytest.raises(UnknownParameterError, match=r"no\.such\.key"):
        load_book().at("no.such.key", DAY)
    with pytest.raises(PolicyError, match="nowhere"):
        load_book("nowhere")
