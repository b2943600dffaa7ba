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

FILE = Path(__file__).resolve().parents[2] / "src" / "shouxin" / "web" / "demo" / "bank.json"


@pytest.fixture
def document() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal))


def test_every_expected_answer_is_the_banks_own(db: None, document: dict[str, Any]) -> None:
    answers = Answers(store(document))
    own = {key: answers.answer(key) for key in document["expected"]}
    assert [key for key in own if not is_same(key, document["expected"][key], own[key])] == []


@pytest.mark.clause("UC-03", "HA-03")
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


def test_a_changed_bank_gets_other_answers(db: None, document: dict[str, Any]) -> None:
    """Y02: 陈芳 sells her 10 % of C, and C leaves."""
    document["holdings"]["C"] = {"B": 45, "外部乙": 55}
    answers = Answers(store(document))
    assert answers.answer("maximal_groups") == [["A", "B", "D", "E"], ["A", "B", "E", "F"]]
    assert answers.answer("group_exposure_G1") == 6480 - 1180


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
