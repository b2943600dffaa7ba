"""What customers buy: one-off, repeat or for life (CM-03), and to whom a dealer sells on (CM-02)."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet, Sum

from shouxin.bank.models import Staff
from shouxin.engagement.models import EndSale, Purchase
from shouxin.engagement.services import EngagementError, record_act
from shouxin.parties.models import Customer, CustomerProfile
from shouxin.policy import load_book


class Loyalty(StrEnum):
    """How a customer buys; the value is the word on the page."""

    NONE = "无购买"
    ONE_OFF = "一次性客户"
    REPEAT = "经常性客户"
    LIFETIME = "终生客户"


@transaction.atomic
def record_purchase(
    *,
    actor: Staff,
    customer: Customer,
    product: str,
    bought_date: dt.date,
    business_date: dt.date,
    quantity: int = 1,
    amount_fen: int = 0,
) -> Purchase:
    """Keep a purchase. Raises EngagementError for one in the future or of nothing."""
    if not product.strip():
        raise EngagementError("请填写产品。")
    if bought_date > business_date:
        raise EngagementError(f"购买日期 {bought_date} 晚于营业日 {business_date}，请核对。")
    if quantity < 1:
        raise EngagementError("数量至少为 1。")
    made = Purchase.objects.create(
        customer=customer, product=product.strip(), bought_date=bought_date, quantity=quantity, amount_fen=amount_fen,
        recorded_by=actor,
    )  # fmt: skip
    record_act(actor, customer, "engagement.purchase.recorded", f"购买 {made}（{bought_date}）", business_date)
    return made


@dataclass(frozen=True, slots=True)
class LoyaltyChange:
    """From a day on a customer buys in another way than before."""

    on: dt.date
    before: Loyalty
    after: Loyalty


def loyalty_on(customer: Customer, day: dt.date) -> Loyalty:
    """How a customer bought as of a day; purchases up to and including the day count."""
    return _loyalty(_days_of(customer), day)


def loyalty_changes(customer: Customer, *, until: dt.date) -> list[LoyaltyChange]:
    """Every change up to a day, newest first: by a purchase, or because the last one is too long ago."""
    days = [day for day in _days_of(customer) if day <= until]
    window = dt.timedelta(days=load_book().whole("crm.purchase_window_days", until))
    # Only on these days can it change: at a purchase, and the day after one falls out of the window.
    turns = sorted({*days, *[day + window for day in days]})
    found: list[LoyaltyChange] = []
    before = Loyalty.NONE
    for on in turns:
        if on <= until and (after := _loyalty(days, on)) != before:
            found.append(LoyaltyChange(on, before, after))
            before = after
    return found[::-1]


def _days_of(customer: Customer) -> list[dt.date]:
    return sorted(customer.purchases.values_list("bought_date", flat=True))


def _loyalty(days: list[dt.date], on: dt.date) -> Loyalty:
    book = load_book()
    window = dt.timedelta(days=book.whole("crm.purchase_window_days", on))
    recent = sum(on - window < day <= on for day in days)
    if recent == 0:
        return Loyalty.NONE
    years = book.whole("crm.lifetime_years_min", on)
    if all(any(_in_year(day, on, back, window) for day in days) for back in range(years)):
        return Loyalty.LIFETIME
    return Loyalty.REPEAT if recent >= book.whole("crm.repeat_purchases_min", on) else Loyalty.ONE_OFF


def _in_year(day: dt.date, on: dt.date, back: int, window: dt.timedelta) -> bool:
    """Whether a purchase lies in the window that ends so many windows before a day."""
    return on - window * (back + 1) < day <= on - window * back


# --- dealers -----------------------------------------------------------------------------------------------------


@transaction.atomic
def trace_end_sale(
    *,
    actor: Staff,
    purchase: Purchase,
    quantity: int,
    business_date: dt.date,
    end_customer: Customer | None = None,
    end_name: str = "",
) -> EndSale:
    """Say to whom a part of a dealer's purchase went on.

    Raises:
        EngagementError: the buyer is no dealer, nobody is named, or more would be traced than was sold.
    """
    bought = Purchase.objects.select_for_update(of=("self",)).select_related("customer").get(pk=purchase.pk)
    profile = CustomerProfile.objects.filter(customer=bought.customer_id).first()
    if profile is None or profile.trade_role != CustomerProfile.TradeRole.DEALER:
        raise EngagementError("只有经销商的购买可登记最终客户；请先在经营资料中把该客户标为经销商（CM-02）。")
    if end_customer is None and not end_name.strip():
        raise EngagementError("请填写最终客户。")
    if end_customer is not None and end_customer.pk == bought.customer_id:
        raise EngagementError("经销商本身不是最终客户。")
    traced = _sum(bought.end_sales.all())
    if quantity < 1 or traced + quantity > bought.quantity:
        raise EngagementError(f"已售 {bought.quantity}，已查明 {traced}，最多还可登记 {bought.quantity - traced}。")
    made = EndSale.objects.create(
        purchase=bought, end_customer=end_customer, end_name=end_name.strip(), quantity=quantity
    )
    record_act(actor, bought.customer, "engagement.end_sale.traced", f"最终客户 {made}", business_date)
    return made


def _sum(rows: "QuerySet[EndSale] | QuerySet[Purchase]") -> int:
    return rows.aggregate(total=Sum("quantity"))["total"] or 0


@dataclass(frozen=True, slots=True)
class DealerRow:
    """Units sold to a dealer and how many went to an end customer that is known."""

    customer: Customer
    sold: int
    traced: int

    @property
    def unknown_percent(self) -> int:
        """Share of the units whose end customer is unknown, whole percent, half up."""
        return (200 * (self.sold - self.traced) + self.sold) // (2 * self.sold) if self.sold else 0


def dealer_report(customers: QuerySet[Customer], *, most: int = 200) -> list[DealerRow]:
    """Dealers in view, the most units without a known end customer first (CM-02)."""
    dealers = customers.filter(profile__trade_role=CustomerProfile.TradeRole.DEALER).select_related("party")
    shown = list(dealers.order_by("pk")[:most])
    ids = [dealer.pk for dealer in shown]
    sold = dict(
        Purchase.objects.filter(customer__in=ids).order_by().values_list("customer").annotate(n=Sum("quantity"))
    )
    traced = dict(
        EndSale.objects.filter(purchase__customer__in=ids)
        .order_by()
        .values_list("purchase__customer")
        .annotate(n=Sum("quantity"))
    )
    rows = [DealerRow(dealer, sold.get(dealer.pk, 0), traced.get(dealer.pk, 0)) for dealer in shown]
    return sorted(rows, key=lambda row: (row.traced - row.sold, row.customer.pk))
