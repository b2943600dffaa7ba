"""Floors by days, major related transactions, reportable transactions, the strictest limit."""

import datetime as dt
from decimal import Decimal

import pytest

from shouxin.domain.credit_rules import (
    Room,
    days_overdue,
    floor_grade,
    must_report,
    price_deviation_pct,
    related_kind,
    strictest,
    transaction_weight_fen,
    worse_of,
)

THRESHOLDS = {"mention": 0, "substandard": 90, "doubtful": 270, "loss": 360}


@pytest.mark.parametrize(
    ("days", "grade"),
    [(0, "pass"), (1, "mention"), (90, "mention"), (91, "substandard"), (270, "substandard"), (271, "doubtful"),
     (360, "doubtful"), (361, "loss")],
)  # fmt: skip
def test_the_floor_by_days_overdue(days: int, grade: str) -> None:
    assert floor_grade(days, THRESHOLDS) == grade


def test_a_customer_is_as_good_as_its_worst_asset() -> None:
    assert worse_of(["pass", "substandard", "mention"]) == "substandard"
    assert worse_of([]) == "pass"


def test_days_overdue_count_from_the_day_it_fell_due() -> None:
    assert days_overdue(dt.date(2025, 3, 31), dt.date(2025, 6, 30)) == 91
    assert days_overdue(None, dt.date(2025, 6, 30)) == 0


def test_ten_percent_of_net_assets_and_above_is_reported() -> None:
    """X21: 450 of 4,000 is 11.25 %, of 5,000 9.00 %; exactly 10 % is reported."""
    assert must_report(450, 4_000, Decimal(10))
    assert not must_report(450, 5_000, Decimal(10))
    assert must_report(450, 4_500, Decimal(10))
    assert not must_report(450, 4_501, Decimal(10))


def test_a_symbolic_price_weighs_as_its_fair_value() -> None:
    """X22: Equipment worth 200 for one yuan: 13.33 % of 1,500 by fair value, nothing by price."""
    weight = transaction_weight_fen(price_fen=100, fair_value_fen=200_000_000)
    assert must_report(weight, 1_500_000_000, Decimal(10))
    assert not must_report(100, 1_500_000_000, Decimal(10))
    deviation = price_deviation_pct(100, 200_000_000)
    assert deviation is not None
    assert deviation > 99


@pytest.mark.parametrize(
    ("amount", "cumulative", "before", "kind"),
    [("480.00", "1180", None, "major"), ("479.99", "1179.99", None, "general"), ("479.99", "2399.99", None, "general"),
     ("400", "2400", None, "major"), ("400", "2800", "2400", "general"), ("480", "2880", "2400", "major"),
     ("100", "2880", "2400", "major")],
)  # fmt: skip
def test_major_at_one_percent_or_five_together_then_each_further_one(
    amount: str, cumulative: str, before: str | None, kind: str
) -> None:
    """Y09 of the worked example."""

    def fen(wan: str) -> int:
        return int(Decimal(wan) * 1_000_000)

    assert (
        related_kind(
            fen(amount), fen(cumulative), fen("48000"), single=Decimal(1), cumulative=Decimal(5), step=Decimal(1),
            major_before_fen=fen(before) if before else None,
        )
        == kind
    )  # fmt: skip


def test_the_strictest_limit_leaves_least() -> None:
    rows = [Room("a", "", "", 100, 50), Room("b", "", "", 60, 20), Room("c", "", "", 45, 5)]
    found = strictest(rows)
    assert found is not None
    assert found.name == "b"
    assert strictest([]) is None
