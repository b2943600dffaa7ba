"""Read credit on the books as of a day, with the policy of that day applied."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from django.db.models import Q, QuerySet

from shouxin.bank.selectors import get_rate
from shouxin.domain import exposure
from shouxin.domain.money import Money
from shouxin.domain.parameters import PolicyBook
from shouxin.facilities.models import CoverChange, Deal, Drawing, Facility, GroupLine, Repayment
from shouxin.limits.models import Node
from shouxin.policy import load_book
from shouxin.policy.products import ProductRule, find_product


@dataclass(frozen=True, slots=True)
class LineUse:
    """A customer's limit and what is used of it, 分."""

    used_fen: int
    cap_fen: int | None


def find_use(customer_id: int) -> LineUse | None:
    """Use and cap of a customer's own limit as they stand; None for a customer without one."""
    node = Node.objects.filter(customer_id=customer_id, kind=Node.Kind.CUSTOMER).first()
    return LineUse(node.used_fen, node.cap_fen) if node is not None else None


def deals_on(as_of: dt.date) -> QuerySet[Deal]:
    """Deals that stand on the books on a day."""
    return Deal.objects.filter(start_date__lte=as_of).filter(Q(closed_date__isnull=True) | Q(closed_date__gt=as_of))


def domain_deals(
    deals: Iterable[Deal], *, as_of: dt.date, book: PolicyBook | None = None
) -> list[tuple[Deal, exposure.Deal]]:
    """Each deal beside what the rules see: yuan at the rate of the day, product flags of the day's policy.

    Customer and branch are ids as texts. Raises FigureMissingError without an exchange rate.
    """
    policy = book or load_book()

    @cache
    def rate(currency: str) -> Decimal:
        return Decimal(1) if currency == "CNY" else get_rate(currency=currency, as_of=as_of).rate

    @cache
    def product(code: str) -> ProductRule:
        return find_product(code, as_of=as_of, book=policy)

    rows = list(deals)
    undone = later_changes([deal.pk for deal in rows if deal.pk], as_of=as_of)

    def seen(deal: Deal) -> exposure.Deal:
        def yuan(field: str) -> int:
            then = getattr(deal, field) + undone.get((deal.pk, field), 0)
            return Money(then, deal.currency).at_rate(rate(deal.currency)).fen

        rule = product(deal.product)
        return exposure.Deal(
            customer=str(deal.customer_id),
            branch=str(deal.branch_id),
            product=deal.product,
            is_drawn=deal.is_drawn,
            amount_fen=yuan("amount_fen"),
            margin_fen=yuan("margin_fen"),
            own_cd_fen=yuan("own_cd_fen"),
            treasury_fen=yuan("treasury_fen"),
            is_in_scope=rule.is_in_scope,
            is_net_of_margin=rule.is_net_of_margin,
            deducts_own_cd=rule.deducts_own_cd,
            deducts_treasury=rule.deducts_treasury,
            conversion_factor=rule.conversion_factor,
        )

    return [(deal, seen(deal)) for deal in rows]


def later_changes(deal_ids: Collection[int], *, as_of: dt.date) -> dict[tuple[int, str], int]:
    """What to add to a deal's figures of today to have those of an earlier day, by (deal, field); two queries.

    A partial repayment made later stood then; cover changed later was what it was before.
    """
    undone: dict[tuple[int, str], int] = {}
    repaid = Repayment.objects.filter(deal_id__in=deal_ids, repaid_date__gt=as_of, is_final=False)
    for deal, amount in repaid.values_list("deal_id", "amount_fen"):
        undone[deal, "amount_fen"] = undone.get((deal, "amount_fen"), 0) + amount
    changed = CoverChange.objects.filter(deal_id__in=deal_ids, changed_date__gt=as_of)
    for deal, kind, before, after in changed.values_list("deal_id", "kind", "before_fen", "after_fen"):
        undone[deal, f"{kind}_fen"] = undone.get((deal, f"{kind}_fen"), 0) + before - after
    return undone


def totals_of_customers(
    customer_ids: Collection[int], *, as_of: dt.date, book: PolicyBook | None = None
) -> dict[int, exposure.Totals]:
    """Gross, control use and large-exposure value by customer; customers without credit are 0. One query."""
    deals = deals_on(as_of).filter(customer_id__in=customer_ids)
    sums = exposure.totals_by_customer(row for _, row in domain_deals(deals, as_of=as_of, book=book))
    nothing = exposure.Totals(0, 0, Decimal(0))
    return {customer: sums.get(str(customer), nothing) for customer in customer_ids}


def group_total_fen(customer_ids: Collection[int], *, as_of: dt.date) -> int:
    """Control use of some customers together, in 分."""
    return sum(totals.control_use_fen for totals in totals_of_customers(customer_ids, as_of=as_of).values())


def loans_total_fen(customer_ids: Collection[int], *, as_of: dt.date) -> int:
    """Loans drawn by some customers together, in 分; cover is not deducted."""
    loans = set(load_book().items_in_force("scope.loan_products", as_of))
    deals = deals_on(as_of).filter(customer_id__in=customer_ids, is_drawn=True, product__in=loans)
    return sum(seen.amount_fen for _, seen in domain_deals(deals, as_of=as_of))


def list_facilities(customer_id: int, *, as_of: dt.date) -> QuerySet[Facility]:
    return Facility.objects.filter(customer_id=customer_id, end_date__gt=as_of).select_related("branch", "node")


def list_drawings(customer_id: int, *, limit: int = 50) -> QuerySet[Drawing]:
    return Drawing.objects.filter(facility__customer_id=customer_id).select_related(
        "facility__branch", "requested_by", "released_by"
    )[:limit]


def find_line(group_id: int, *, as_of: dt.date) -> GroupLine | None:
    """The unified line in force on a day."""
    return GroupLine.objects.filter(group_id=group_id, valid_from__lte=as_of, valid_to__gt=as_of).first()
