"""The demo bank's file: every question answered as expected, changed banks answered as changed."""

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shouxin.reporting.commands import scenario
from shouxin.reporting.scenario import Answers, ScenarioError, is_same, store
from shouxin.reporting.scenario_file import ScenarioFileError, completed

FILE = Path(__file__).resolve().parents[2] / "src" / "shouxin" / "web" / "demo" / "bank.json"


@pytest.fixture
def document() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal))


def test_every_expected_answer_is_the_banks_own(db: None, document: dict[str, Any]) -> None:
    answers = Answers(store(document))
    own = {key: answers.answer(key) for key in document["expected"]}
    assert [key for key in own if not is_same(key, document["expected"][key], own[key])] == []


@pytest.mark.clause("UC-03", "HA-03", points="on over")
def test_products_in_scope_count_in_full(db: None, document: dict[str, Any]) -> None:
    """The undrawn commitment of 200 counts 200 in the group total; a factoring deal of 50 adds 50."""
    without = copy.deepcopy(document)
    without["deals"] = [row for row in document["deals"] if row[2] != "贷款承诺<=1年未提取"]
    with_factoring = copy.deepcopy(without)
    with_factoring["deals"].append(["A", "城东", "保理", 50, 0, 0, True])
    assert Answers(store(with_factoring)).answer("group_exposure_G1") == 6480 - 200 + 50


@pytest.mark.clause("BR-04")
def test_a_guarantee_counts_only_where_the_scope_has_it(
    db: None, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the narrow scope (loans, acceptance, discount …) E's guarantee letter and commitment count nothing."""
    monkeypatch.setenv("SHOUXIN_INSTITUTION", "bank-without-guarantees")
    exposure = Answers(store(document)).answer("exposure")
    assert isinstance(exposure, dict)
    assert (exposure["E"], exposure["C"]) == (600, 700)


@pytest.mark.clause("Y02", points="over")
def test_a_changed_bank_gets_other_answers(db: None, document: dict[str, Any]) -> None:
    """Y02: 陈芳 sells her 10 % of C, and C leaves."""
    document["holdings"]["C"] = {"B": 45, "外部乙": 55}
    answers = Answers(store(document))
    assert answers.answer("maximal_groups") == [["A", "B", "D", "E"], ["A", "B", "E", "F"]]
    assert answers.answer("group_exposure_G1") == 6480 - 1180


@pytest.mark.clause("Y10", points="on")
def test_foreign_currency_counts_at_the_rate_of_the_day(db: None, document: dict[str, Any]) -> None:
    """Y10: a guarantee of USD 10 at 7.2 adds 72 to B."""
    document["deal_columns"].append("currency")
    document["deals"] = [[*row, "CNY"] for row in document["deals"]]
    document["deals"].append(["B", "城东", "非融资性保函", 10, 0, 0, True, "USD"])
    document["rates"] = {"USD": Decimal("7.2")}
    exposure = Answers(store(document)).answer("exposure")
    assert isinstance(exposure, dict)
    assert exposure["B"] == 2072


def test_a_bank_of_another_shape_is_read_too(db: None, document: dict[str, Any]) -> None:
    """Own dates, another column name, an outside guarantor, a quarter-end that is the year-end."""
    document["institution"]["net_capital_quarter_end"] = dict(document["institution"]["net_capital_year_end"])
    document["deal_columns"] = [
        "customer",
        "branch",
        "product",
        "amount",
        "margin",
        "own_cd",
        "drawn",
        "date",
        "maturity",
    ]
    document["deals"] = [[*row, "2025-05-01", ""] for row in document["deals"]]
    document["guarantees"].append(["某担保公司", "D", 100])
    answers = Answers(store(document))
    assert answers.answer("group_exposure_G1") == 6480
    assert answers.answer("limit15_quarter_end") == 7500
    assert answers.answer("intragroup_guarantee") == 2800


def test_a_deal_of_no_day_is_named_by_its_row(db: None, document: dict[str, Any]) -> None:
    document["deal_columns"].append("date")
    document["deals"] = [[*row, "去年"] for row in document["deals"]]
    with pytest.raises(ScenarioError, match="deals 第 1 行"):
        store(document)


def test_an_unknown_question_or_parameter_is_named(db: None, document: dict[str, Any]) -> None:
    document["params"]["colour"] = "red"
    with pytest.raises(ScenarioError, match="colour"):
        store(document)


def test_a_file_that_cannot_be_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    broken = tmp_path / "bank.json"
    broken.write_text('{"institution": ', encoding="utf-8")
    answer = CliRunner().invoke(scenario, [str(broken)])
    assert answer.exit_code == 2
    assert "不是有效的 JSON" in answer.output


OWN: dict[str, Any] = {
    "institution": {"name": "另一家银行", "unit": "元", "net_capital_year_end": {"date": "2024-12-31", "value": 10**9}},
    "as_of": "2025-06-30",
    "params": {"closure": "transitive", "control_pct_gt": "50"},
    "persons": ["甲", "甲弟", "甲侄", "甲父"],
    "parents": {"甲": ["甲父"], "甲弟": ["甲父"], "甲侄": ["甲弟"]},
    "companies": {"P": "甲办企业", "Q": "侄办企业", "R": "外人企业"},
    "holdings": {"P": {"甲": 60}, "Q": {"甲侄": 51}, "R": {"外人": 100}},
    "deals": [["P", "本部", "流动资金贷款", "1000000.00"], ["Q", "本部", "银承", 500000]],
    "deal_columns": ["customer", "branch", "product", "amount"],
}


@pytest.mark.parametrize(("closure", "groups"), [("transitive", [["P", "Q"]]), ("anchor", [])])
def test_a_bank_of_ones_own_in_yuan_with_either_closure(db: None, closure: str, groups: list[list[str]]) -> None:
    """Without quarter-end capital, spouses, guarantees or expected values; chained, the nephew's company joins."""
    own = copy.deepcopy(OWN)
    own["params"]["closure"] = closure
    answers = Answers(store(own))
    assert answers.answer("maximal_groups") == groups
    assert answers.answer("transitive_group") == ["P", "Q"]
    assert answers.answer("exposure") == {"P": 1_000_000, "Q": 500_000, "R": 0}
    assert answers.answer("limit15_year_end") == 150_000_000


@pytest.mark.parametrize("missing", ["persons", "parents", "holdings", "deals", "deal_columns", "params"])
def test_a_part_that_is_not_there_is_nothing(db: None, missing: str) -> None:
    own = copy.deepcopy(OWN)
    for part in [missing, *(["parents", "holdings"] if missing == "persons" else [])]:
        del own[part]
    if missing == "deal_columns":
        own["deals"] = [["P", "本部", "流动资金贷款", 1_000_000, 0, 0, True]]
    exposure = Answers(store(own)).answer("exposure")
    assert isinstance(exposure, dict)
    assert exposure["P"] == (0 if missing == "deals" else 1_000_000)


BROKEN: list[tuple[str, Any, str]] = [
    ("institution", None, "缺少 institution"),
    ("institution", {"name": " "}, "institution.name"),
    ("institution", {"name": "x", "net_capital_year_end": {"date": "2024-13-31", "value": 1}}, "2024-13-31"),
    ("institution", {"name": "x", "net_capital_year_end": {"date": "2024-12-31", "value": "很多"}}, "“很多”不是数字"),
    ("institution", {"name": "x", "net_capital_year_end": 5}, "应为 {date, value}"),
    ("institution", {"name": "x", "unit": "亿元"}, "未知的单位 亿元"),
    ("params", {"colour": "red"}, "未知的参数 colour"),
    ("as_of", "昨天", "as_of：“昨天”不是 年-月-日"),
    ("companies", ["P"], "companies：应为对象"),
    ("persons", ["甲", "甲", "甲弟", "甲侄", "甲父"], "同一人出现两次"),
    ("persons", ["甲"], "没有名为 甲弟 的人"),
    ("spouses", [["甲"]], "spouses 第 1 行：应为两人"),
    ("anchors", ["某人"], "anchors：没有名为 某人 的人"),
    ("holdings", {"X": {"甲": 60}}, "没有代号为 X 的公司"),
    ("holdings", {"P": {"甲": 60, "外人": "41"}}, "合计 101%"),
    ("holdings", {"P": {"甲": -1}}, "不能小于 0"),
    ("deal_columns", ["customer", "branch", "amount", "colour"], "未知的列 colour"),
    ("deals", [["P", "本部", "流动资金贷款"]], "deals 第 1 行有 3 列，应为 4 列"),
    ("deals", [["Z", "本部", "流动资金贷款", 1]], "deals 第 1 行：没有名为 Z 的客户"),
    ("deals", [["P", "", "流动资金贷款", 1]], "缺少机构"),
    ("deals", [["P", "本部", "比特币贷款", 1]], "产品目录中没有“比特币贷款”"),
    ("deals", [["P", "本部", "流动资金贷款", 0]], "须大于 0"),
    ("guarantees", [["P", "Q"]], "guarantees 第 1 行：应为 3 列"),
    ("dependence", [["P", "Q", "收入", "一半"]], "dependence 第 1 行：“一半”不是数字"),
    ("expected", {"intragroup_guarantee_pct": "1"}, "文件中没有 group_line"),
    ("expected", {"le_ratio_G1": "1"}, "文件中没有 institution.tier1_net_quarter_end"),
]


def test_every_broken_part_is_named_by_its_place() -> None:
    """Before a database is there, and all at once."""
    for part, value, words in BROKEN:
        own = copy.deepcopy(OWN)
        own.pop(part, None)
        if value is not None:
            own[part] = value
        with pytest.raises(ScenarioFileError) as refused:
            completed(own)
        assert words in str(refused.value), (part, str(refused.value))
    with pytest.raises(ScenarioFileError) as many:
        completed({**OWN, "as_of": "x", "deals": [["Z", "", "y", "z"]]})
    assert len(many.value.problems) == 5
    with pytest.raises(ScenarioFileError, match="不是一个 JSON 对象"):
        completed([])
