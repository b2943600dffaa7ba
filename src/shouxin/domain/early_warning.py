"""Arithmetic of the signals that statements show (W14, W15, W16, W24) and of downgrades (W21), on plain figures.

Periods come newest first and are comparable: the same day of the year, so that a season is not taken for a fall.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Period:
    """One statement: the day it ends and its items in 分."""

    end: dt.date
    items: Mapping[str, int]


def comparable(periods: Sequence[Period]) -> list[Period]:
    """The latest period and those before it that end on the same day of their year, unbroken, newest first."""
    ordered = sorted(periods, key=lambda period: period.end, reverse=True)
    if not ordered:
        return []
    found = [ordered[0]]
    for period in ordered[1:]:
        last = found[-1].end
        if (period.end.month, period.end.day) == (last.month, last.day):
            if period.end.year != last.year - 1:
                break
            found.append(period)
    return found


def leverage_pct(items: Mapping[str, int]) -> Decimal | None:
    """Liabilities in percent of assets; None without assets."""
    assets = items.get("total_assets", 0)
    return Decimal(items["total_liabilities"]) * 100 / assets if assets > 0 else None


def falls(periods: Sequence[Period], item: str) -> int:
    """How many times in a row, up to the latest period, an item fell."""
    count = 0
    for now, before in pairwise(periods):
        if item not in now.items or item not in before.items or now.items[item] >= before.items[item]:
            break
        count += 1
    return count


def drop_pct(before: Decimal | int, now: Decimal | int) -> Decimal | None:
    """By how many percent a figure fell; negative when it rose; None without a positive figure before."""
    return Decimal(before - now) * 100 / Decimal(before) if before > 0 else None


def turnover(items: Mapping[str, int], *, flow: str, balance: str) -> Decimal | None:
    """How often a balance turns over in the period; None when one of the two is missing or zero."""
    if not items.get(flow) or not items.get(balance):
        return None
    return Decimal(items[flow]) / Decimal(items[balance])


def notches_down(scale: Sequence[str], before: str, now: str) -> int:
    """By how many notches a rating fell on a scale from best to worst; an unknown grade counts as the worst."""

    def place(grade: str) -> int:
        return scale.index(grade) if grade in scale else len(scale)

    return place(now) - place(before)
