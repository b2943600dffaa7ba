"""The portfolio by currency, product, branch, industry, country and guarantor, from the totals of the end of a day."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from shouxin.limits.models import PortfolioTotal

ROWS_MAX = 50
"""More values than this of one dimension are summed into one row."""
REST = "其他"


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """One value of a dimension, 分: reserved, on the books, net of cover, and its share of the net sum in percent."""

    value: str
    pending_fen: int
    posted_fen: int
    net_fen: int
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One view of the portfolio, the largest first."""

    code: str
    name: str
    rows: list[PortfolioRow]
    net_fen: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The portfolio at the end of a day."""

    day: dt.date
    dimensions: list[Dimension]


def find_portfolio(*, as_of: dt.date) -> Portfolio | None:
    """The totals of the last day that was closed on or before a day; None when none was."""
    day = (
        PortfolioTotal.objects.filter(business_date__lte=as_of)
        .order_by("-business_date")
        .values_list("business_date", flat=True)
        .first()
    )
    if day is None:
        return None
    sums: dict[str, list[tuple[str, int, int, int]]] = {}
    found = PortfolioTotal.objects.filter(business_date=day).order_by("dimension", "-net_fen", "value")
    for row in found.values_list("dimension", "value", "pending_fen", "posted_fen", "net_fen"):
        sums.setdefault(row[0], []).append((row[1], row[2], row[3], row[4]))
    return Portfolio(
        day,
        [_dimension(code, str(name), sums[code]) for code, name in PortfolioTotal.Dimension.choices if code in sums],
    )


def _dimension(code: str, name: str, rows: list[tuple[str, int, int, int]]) -> Dimension:
    shown, rest = rows[:ROWS_MAX], rows[ROWS_MAX:]
    if rest:
        shown.append((REST, sum(r[1] for r in rest), sum(r[2] for r in rest), sum(r[3] for r in rest)))
    whole = sum(row[3] for row in rows)
    return Dimension(
        code,
        name,
        [
            PortfolioRow(value, pending, posted, net, Decimal(net) * 100 / whole if whole > 0 else None)
            for value, pending, posted, net in shown
        ],
        whole,
    )
