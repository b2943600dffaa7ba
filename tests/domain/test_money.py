"""Money is exact: what goes in comes out, and what is not exact is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouxin.domain.money import (
    FEN_MAX,
    CurrencyMismatchError,
    Money,
    MoneyError,
    format_wan,
    format_yuan,
    percent_text,
    share_of,
)

fens = st.integers(-FEN_MAX // 4, FEN_MAX // 4)


@given(fens, fens)
def test_adding_and_taking_away_gives_the_same_amount(a: int, b: int) -> None:
    assert Money(a) + Money(b) - Money(b) == Money(a)


@given(fens)
def test_printed_amounts_read_back(fen: int) -> None:
    assert Money.from_wan(format_wan(fen)) == Money(fen)
    assert Money.from_yuan(format_yuan(fen)) == Money(fen)


@pytest.mark.parametrize("text", ["", "abc", "1.001", "NaN", "Infinity", "-Infinity", "1e30", "１２３.456", 1.5, True])
def test_what_is_no_exact_amount_is_refused(text: object) -> None:
    with pytest.raises(MoneyError):
        Money.from_yuan(text)  # type: ignore[arg-type]


def test_a_float_never_becomes_money() -> None:
    with pytest.raises(MoneyError):
        Money(1.0)  # type: ignore[arg-type]


def test_a_large_amount_keeps_its_last_fen() -> None:
    assert Money.from_yuan("66,000,000.01").fen == 6_600_000_001
    assert str(Money.from_wan("6480")) == "6,480.00 万元"
    assert format_wan(1) == "0.000001"


def test_currencies_do_not_mix_and_convert_once() -> None:
    with pytest.raises(CurrencyMismatchError):
        Money(1) + Money(1, "USD")
    assert Money.from_wan(10, "USD").at_rate(Decimal("7.2")) == Money.from_wan(72)
    assert Money(1, "USD").at_rate(Decimal("0.5")).fen == 1, "half up"


@given(st.integers(1, FEN_MAX), st.decimals("0.0001", "100", places=4))
def test_the_ceiling_never_passes_its_percentage(fen: int, percent: Decimal) -> None:
    ceiling = share_of(fen, percent)
    assert Decimal(ceiling) * 100 <= fen * percent < Decimal(ceiling + 1) * 100


@pytest.mark.parametrize(
    ("figure", "lines", "places", "text"),
    [
        ("15.00000003", ["15"], 3, "15.00000003%"), ("15", ["15"], 3, "15.00%"), ("14.999", ["15"], 2, "14.999%"),
        ("15.625", ["15"], 3, "15.625%"), ("15.4166666", ["15", "13.5"], 3, "15.417%"), ("12.96", [], 3, "12.96%"),
        ("13.3333", ["10"], 2, "13.33%"), ("15.0002", ["15"], 2, "15.0002%"),
    ],
)  # fmt: skip
def test_a_percentage_just_over_its_line_is_shown_as_more_than_it(
    figure: str, lines: list[str], places: int, text: str
) -> None:
    assert percent_text(Decimal(figure), *map(Decimal, lines), places=places) == text
