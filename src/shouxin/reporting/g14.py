"""G14 part IV: groups and economically connected customers that are large exposures, at a quarter end.

万元 with two decimals; the sum by kind of exposure; due within the days of the policy after the quarter. Sets of which
one customer alone has credit are reported among single customers and are not here.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.dates import quarter_end_before, quarter_end_on_or_before
from shouxin.domain.exposure import Deal
from shouxin.facilities.connections import LargeExposure, large_exposures
from shouxin.facilities.selectors import deals_on, domain_deals
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from shouxin.reporting.exports import table_xlsx

ROWS_MAX = 70
POTENTIAL = frozenset({
    "bank_acceptance", "credit_certificate", "financial_guarantee", "performance_guarantee", "letter_of_credit",
    "loan_commitment_1y", "loan_commitment_long", "loan_commitment_revocable",
})  # fmt: skip
"""Products of potential exposure (潜在风险暴露): acceptances, letters of credit, guarantees, commitments."""
HEAD = (
    "序号", "客户（成员）", "成员数", "风险暴露总和（万元）", "其中：不可豁免（万元）", "占一级资本净额（%）",
    "一般风险暴露（万元）", "特定风险暴露（万元）", "交易账簿（万元）", "交易对手信用（万元）", "潜在风险暴露（万元）",
    "其他（万元）", "风险缓释（万元）",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConnectedRow:
    """One group or connected set of the report; 分, before rounding."""

    names: tuple[str, ...]
    total: Decimal
    share: Decimal
    limit_percent: Decimal
    room_fen: int
    general: Decimal
    potential: Decimal
    mitigated: Decimal
    group_name: str = ""

    @property
    def in_wan(self) -> Mapping[str, str]:
        """The sums in 万元 with two decimals, rounded half up, as they are exported."""
        sums = {"total": self.total, "general": self.general, "potential": self.potential, "mitigated": self.mitigated}
        return {name: f"{_wan(fen):,f}" for name, fen in sums.items()}


@dataclass(frozen=True, slots=True)
class PartFour:
    """The report of a quarter: its end, the last day to send it, its rows, the largest first.

    A quarter that ended before the rule was in force has no day to send it by and no rows.
    """

    quarter_end: dt.date
    due_date: dt.date | None
    citation: str
    rows: list[ConnectedRow]

    def days_left(self, today: dt.date) -> int | None:
        """Days from a day to the last day to send it; negative when that has passed."""
        return None if self.due_date is None else (self.due_date - today).days


def part_four(*, as_of: dt.date) -> PartFour:
    """The report of the quarter that ended last on or before a day."""
    end = quarter_end_on_or_before(as_of)
    days = load_book().in_force("report.g14_quarter_days", end)
    if days is None:
        return PartFour(end, None, "", [])
    due = end + dt.timedelta(days=int(days.decimal))
    customers = Customer.objects.filter(pk__in=deals_on(end).values("customer_id"))
    sets = [row for row in large_exposures(as_of=end, customers=customers) if len(row.customer_ids) > 1]
    sets = [row for row in sets if row.is_large][:ROWS_MAX]
    members = {pk for row in sets for pk in row.customer_ids}
    deals: dict[int, list[Deal]] = {pk: [] for pk in members}
    for stored, seen in domain_deals(deals_on(end).filter(customer_id__in=members), as_of=end):
        deals[stored.customer_id].append(seen)
    rows = [_row(row, [deal for pk in row.customer_ids for deal in deals[pk]]) for row in sets]
    return PartFour(end, due, days.citation, rows)


def quarters_before(as_of: dt.date, count: int = 8) -> list[dt.date]:
    """The last quarter ends on or before a day, the newest first."""
    ends = [quarter_end_on_or_before(as_of)]
    while len(ends) < count:
        ends.append(quarter_end_before(ends[-1]))
    return ends


def _row(found: LargeExposure, deals: list[Deal]) -> ConnectedRow:
    return ConnectedRow(
        names=found.names,
        total=found.exposure_fen,
        share=found.share,
        limit_percent=found.limit_percent,
        room_fen=found.room_fen,
        general=_sum(deal.large_exposure_fen for deal in deals if deal.product not in POTENTIAL),
        potential=_sum(deal.large_exposure_fen for deal in deals if deal.product in POTENTIAL),
        group_name=found.group_name,
        mitigated=_sum((deal.gross_fen - deal.control_use_fen) * deal.conversion_factor for deal in deals),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def export(*, actor: Staff, as_of: dt.date, business_date: dt.date) -> bytes:
    """The report as a workbook; the export is kept in the trail."""
    report = part_four(as_of=as_of)
    rows = [
        (place, "、".join(row.names), len(row.names), _wan(row.total), _wan(row.total), _cents(row.share),
         _wan(row.general), _NONE, _NONE, _NONE, _wan(row.potential), _NONE, _wan(row.mitigated))
        for place, row in enumerate(report.rows, start=1)
    ]  # fmt: skip
    audit.record(
        actor=actor, action="reporting.g14.exported", subject=("export", "g14"),
        summary=f"导出 G14 第四部分 {report.quarter_end}，{len(rows)} 行", business_date=business_date,
    )  # fmt: skip
    return table_xlsx(f"G14-IV {report.quarter_end}", HEAD, rows)


_NONE = Decimal("0.00")


def _cents(figure: Decimal) -> Decimal:
    return figure.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _wan(fen: Decimal) -> Decimal:
    return _cents(fen / 1_000_000)
