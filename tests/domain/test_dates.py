"""Periods include their start and exclude their end."""

import datetime as dt

import pytest

from shouxin.domain.dates import Period, add_months, quarter_end_before, year_end_on_or_before


def test_a_period_has_its_first_day_and_not_its_last() -> None:
    year = Period(dt.date(2025, 1, 1), dt.date(2026, 1, 1))
    assert dt.date(2025, 1, 1) in year
    assert dt.date(2026, 1, 1) not in year
    assert year.overlaps(Period(dt.date(2025, 12, 31), None))
    assert not year.overlaps(Period(dt.date(2026, 1, 1), None))
    assert dt.date(1900, 1, 1) in Period()
    with pytest.raises(ValueError, match="须晚于"):
        Period(dt.date(2025, 1, 1), dt.date(2025, 1, 1))


def test_month_and_quarter_ends() -> None:
    assert add_months(dt.date(2024, 1, 31), 1) == dt.date(2024, 2, 29)
    assert add_months(dt.date(2025, 3, 31), -1) == dt.date(2025, 2, 28)
    assert quarter_end_before(dt.date(2025, 7, 15)) == dt.date(2025, 6, 30)
    assert quarter_end_before(dt.date(2025, 6, 30)) == dt.date(2025, 3, 31)
    assert year_end_on_or_before(dt.date(2025, 12, 31)) == dt.date(2025, 12, 31)
    assert year_end_on_or_before(dt.date(2025, 12, 30)) == dt.date(2024, 12, 31)
