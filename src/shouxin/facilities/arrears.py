"""What a group owes that is due: by member, for its report (BR-06)."""

import datetime as dt
from dataclasses import dataclass

from shouxin.domain.credit_rules import days_overdue
from shouxin.facilities.models import Overdue
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members


@dataclass(frozen=True, slots=True)
class ArrearsRow:
    """One member's open arrears, 分."""

    name: str
    principal_fen: int
    interest_fen: int
    since_date: dt.date
    days: int


def arrears_of_group(group: CustomerGroup, *, as_of: dt.date) -> list[ArrearsRow]:
    """Members with principal or interest not paid on a day, the longest overdue first."""
    members = {m.customer_id: m.customer.party.name for m in list_members(group, as_of=as_of)}
    sums: dict[int, ArrearsRow] = {}
    rows = (
        Overdue.objects.filter(deal__customer__in=members, since_date__lte=as_of)
        .exclude(cured_date__lte=as_of)
        .order_by("since_date")
    )
    for row in rows.select_related("deal"):
        before = sums.get(row.deal.customer_id)
        sums[row.deal.customer_id] = ArrearsRow(
            members[row.deal.customer_id],
            row.principal_fen + (before.principal_fen if before else 0),
            row.interest_fen + (before.interest_fen if before else 0),
            before.since_date if before else row.since_date,
            days_overdue(before.since_date if before else row.since_date, as_of),
        )
    return sorted(sums.values(), key=lambda row: row.since_date)
