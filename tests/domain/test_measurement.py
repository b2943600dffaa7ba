"""Measurement methods against the published examples, and what they refuse to guess."""

from decimal import Decimal

import pytest

from shouxin.domain.measurement import METHODS, control_amount_fen, imbalance_fen, new_loan_need, ratios

WC = {
    "sales": "20315.74", "profit": "903.12", "expected_sales": "36500", "stock_days": "19.328",
    "receivable_days": "21.662", "payable_days": "0.019", "prepayment_days": "34.641", "advance_days": "1.410",
    "own_funds": "3001.22", "year_days": "360",
}  # fmt: skip


def run(code: str, **inputs: str) -> Decimal | None:
    return METHODS[code].run({key: Decimal(value) for key, value in inputs.items()}).amount_wan


def test_the_working_capital_need_reproduces_the_published_example() -> None:
    """Turns 4.8516, margin 4.4454 %, growth 79.6636 %, working capital 7,188.82, new loans 4,187.60."""
    result = METHODS["M4"].run({key: Decimal(value) for key, value in WC.items()})
    steps = dict(result.steps)
    assert f"{steps['营运资金周转次数']:.4f}" == "4.8516"
    assert f"{steps['上年利润率（%）']:.4f}" == "4.4454"
    assert f"{steps['预计增长率（%）']:.4f}" == "79.6636"
    assert f"{steps['营运资金量']:.2f}" == "7188.82"
    assert f"{result.amount_wan:.2f}" == "4187.60"


def test_the_second_published_example() -> None:
    assert new_loan_need(Decimal(800), Decimal(300), Decimal(200), Decimal(80)) == 220
    assert new_loan_need(Decimal(500), Decimal(300), Decimal(200), Decimal(80)) == 0


def test_turnover_without_days_is_not_computed() -> None:
    days = dict.fromkeys(("stock_days", "receivable_days", "payable_days", "prepayment_days", "advance_days"), "0")
    assert run("M4", **{**WC, **days}) is None


def test_debt_capacity() -> None:
    """E 6,000 at 70 %: capacity 14,000, less 7,000 and 3,500 leaves 3,500."""
    given = {"net_assets": "6000", "target_ratio_pct": "70", "interest_debt": "7000", "other_liabilities": "3500"}
    assert run("M2", **given) == 3_500
    assert run("M2", **{**given, "interest_debt": "20000"}) == 0
    assert run("M2", **{**given, "target_ratio_pct": "100"}) is None
    assert run("M6", **given, members_sum="9000") == 3_500


def test_the_other_methods() -> None:
    assert run("M1", net_assets="5000", doubtful_receivables="500", unrecognised_intangibles="500",
               rating_factor="1.2", industry_factor="1", other_banks="1000") == 3_800  # fmt: skip
    assert run("M3", net_assets="1000", industry_leverage="2", rating_factor="1", share_pct="50") == 1_000
    assert run("M3", net_assets="1000", industry_leverage="2", sales="3000", sales_factor="0.5", rating_factor="1",
               share_pct="50") == 750  # fmt: skip
    assert run("M5", operating_cash_flow="300", coverage_factor="0.8", years="3") == 720
    assert run("M7", cash_cover="500") == 500


def test_a_missing_input_is_named_not_guessed() -> None:
    result = METHODS["M2"].run({"net_assets": Decimal(1)})
    assert result.amount_wan is None
    assert "目标资产负债率" in result.note


def test_the_control_amount_is_the_least() -> None:
    results = [METHODS["M7"].run({"cash_cover": Decimal(n)}) for n in (500, 300)]
    assert control_amount_fen(results) == 300 * 1_000_000
    assert control_amount_fen([]) is None


@pytest.mark.parametrize(("equity", "gap"), [(30, 0), (29, 1)])
def test_a_statement_balances_to_the_fen(equity: int, gap: int) -> None:
    assert imbalance_fen({"total_assets": 100, "total_liabilities": 70, "equity": equity}) == gap


def test_ratios_of_two_periods() -> None:
    before = {"sales": 100, "stock": 10, "cost_of_sales": 50}
    now = {"sales": 150, "stock": 20, "cost_of_sales": 60, "total_assets": 100, "total_liabilities": 70, "equity": 30}
    found = ratios(now, before, year_days=360)
    assert found["资产负债率（%）"] == 70
    assert found["销售增长率（%）"] == 50
    assert found["存货周转天数"] == 90
    assert found["流动比率（%）"] is None


@pytest.mark.parametrize(
    ("code", "wrong", "words"),
    [
        ("M4", {"year_days": "0"}, "一年天数须大于 0"),
        ("M4", {"stock_days": "-1"}, "存货周转天数不能为负数"),
        ("M2", {"interest_debt": "-1"}, "有息负债不能为负数"),
        ("M2", {"other_liabilities": "-0.01"}, "其他负债不能为负数"),
        ("M2", {"net_assets": "1E+30"}, "净资产超出范围"),
        ("M2", {"net_assets": "1E+9999999"}, "净资产超出范围"),
        ("M4", {"year_days": "1E-9999999"}, "一年天数的小数位数过多"),
        ("M2", {"target_ratio_pct": "99.99999999999999999999"}, "超出可记账范围"),
        ("M2", {"target_ratio_pct": "99.9999999999999999999999999999999"}, "目标资产负债率须在"),
        ("M5", {"operating_cash_flow": "1000000000", "coverage_factor": "1000000000"}, "覆盖系数 1000000000"),
        ("M7", {"cash_cover": "-1"}, "现金类保障不能为负数"),
    ],
)
def test_what_divides_by_nothing_or_overflows_is_refused_with_the_input_named(
    code: str, wrong: dict[str, str], words: str
) -> None:
    right = {
        "M4": WC, "M7": {"cash_cover": "1"},
        "M2": {"net_assets": "6000", "target_ratio_pct": "70", "interest_debt": "7000", "other_liabilities": "3500"},
        "M5": {"operating_cash_flow": "300", "coverage_factor": "0.8", "years": "1000000000"},
    }[code]  # fmt: skip
    result = METHODS[code].run({key: Decimal(value) for key, value in {**right, **wrong}.items()})
    assert result.amount_wan is None
    assert words in result.note


def test_losses_and_negative_net_assets_are_inputs_like_others() -> None:
    assert run("M2", net_assets="-1", target_ratio_pct="70", interest_debt="0", other_liabilities="0") == 0
    assert run("M5", operating_cash_flow="-300", coverage_factor="1", years="3") == 0
    assert run("M4", **{**WC, "profit": "-1"}) is not None
