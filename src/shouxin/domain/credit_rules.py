"""Small pure rules of credit in use: five-class floors, large exposures, related parties, reportable transactions.

Amounts are 分, shares are percent as Decimal and compared unrounded.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shouxin.domain.money import share_of

GRADES = ("pass", "mention", "substandard", "doubtful", "loss")
GRADE_NAMES = {"pass": "正常", "mention": "关注", "substandard": "次级", "doubtful": "可疑", "loss": "损失"}
GRADE_NAMES_EN = {
    "pass": "pass", "mention": "special mention", "substandard": "substandard", "doubtful": "doubtful", "loss": "loss",
}  # fmt: skip

BRANCH_FORMS = ("分公司", "分支机构")
"""Legal forms of what is a part of a legal person and none itself (A-15)."""


def floor_grade(days_overdue: int, thresholds: Mapping[str, int]) -> str:
    """The best grade that an asset overdue so many days may have (CB-19): above 90 days at least 次级.

    ``thresholds``: grade → days that must be *exceeded* for it; a grade that is not there has no floor yet.
    """
    reached = [grade for grade in GRADES[1:] if grade in thresholds and days_overdue > thresholds[grade]]
    return max(reached, key=GRADES.index, default="pass")


def worse_of(grades: Iterable[str]) -> str:
    """The worst grade; 正常 when there is none. A customer is as good as its worst asset."""
    return max(grades, key=GRADES.index, default="pass")


def days_overdue(since: dt.date | None, as_of: dt.date) -> int:
    """Full days since the day on which it fell due; 0 while nothing is overdue."""
    return 0 if since is None else max(0, (as_of - since).days)


@dataclass(frozen=True, slots=True)
class Room:
    """One limit of the whole set that a drawing is held against, and what is left under it. Amounts in 分."""

    name: str
    article: str
    citation: str
    limit_fen: int
    used_fen: int

    @property
    def room_fen(self) -> int:
        return self.limit_fen - self.used_fen


def room_under(*, name: str, article: str, citation: str, base_fen: int, percent: Decimal, used_fen: int) -> Room:
    """What is left under a percentage of a figure; exactly the percentage is still allowed."""
    return Room(name, article, citation, share_of(base_fen, percent), used_fen)


def strictest(rooms: Iterable[Room]) -> Room | None:
    """The limit that leaves least; the first named wins a tie."""
    return min(rooms, key=lambda room: room.room_fen, default=None)


# --- related parties of the bank --------------------------------------------------------------------------------


def related_kind(
    amount_fen: int, cumulative_after_fen: int, net_capital_fen: int, *, single: Decimal, cumulative: Decimal,
    step: Decimal, major_before_fen: int | None = None,
) -> str:  # fmt: skip
    """Whether a transaction with a related party is ``major`` or ``general``.

    Major at 1 % of net capital alone, or when the sum since the last major one reaches 5 %; once it has, at each
    further 1 %. ``major_before_fen`` is the sum at which the last one was judged major by accumulation.
    """
    whole = Decimal(net_capital_fen)
    if Decimal(amount_fen) * 100 / whole >= single:
        return "major"
    if major_before_fen is None:
        return "major" if Decimal(cumulative_after_fen) * 100 / whole >= cumulative else "general"
    further = Decimal(cumulative_after_fen - major_before_fen) * 100 / whole
    return "major" if further >= step else "general"


# --- transactions that a customer reports -------------------------------------------------------------------------

REPORT_ITEMS = ("relation", "nature", "amount", "pricing")
REPORT_ITEM_NAMES = {
    "relation": "交易各方的关联关系", "nature": "交易项目和性质", "amount": "交易金额或比例",
    "pricing": "定价政策（含没有金额或只有象征性金额的交易）",
}  # fmt: skip


def transaction_weight_fen(*, price_fen: int | None, fair_value_fen: int | None) -> int:
    """What a transaction weighs: a symbolic price counts at fair value, so that none slips below the line."""
    return max(price_fen or 0, fair_value_fen or 0)


def must_report(weight_fen: int, net_assets_fen: int, at_percent: Decimal) -> bool:
    """At 10 % of the customer's net assets and above (以上 includes it)."""
    return net_assets_fen > 0 and Decimal(weight_fen) * 100 / net_assets_fen >= at_percent


def price_deviation_pct(price_fen: int | None, fair_value_fen: int | None) -> Decimal | None:
    """How far a price is from fair value, percent of fair value; None without both."""
    if price_fen is None or not fair_value_fen:
        return None
    return abs(Decimal(price_fen - fair_value_fen)) * 100 / fair_value_fen
