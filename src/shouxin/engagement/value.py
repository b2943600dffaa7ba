"""What customers bring, whose hands it is in, and which core customers know only one of us (CM-06)."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum

from shouxin.bank.models import Staff
from shouxin.domain.findings import Finding, Severity
from shouxin.engagement.models import Contribution
from shouxin.engagement.services import EngagementError, record_act
from shouxin.parties.models import Customer, Ownership
from shouxin.policy import load_book


@transaction.atomic
def record_contribution(
    *, actor: Staff, customer: Customer, month: dt.date, line: str, amount_fen: int, business_date: dt.date
) -> Contribution:
    """Keep what a customer brought in a month by one line; the same month and line again corrects it."""
    if line not in Contribution.Line.values:
        raise EngagementError("请选择条线。")
    month = month.replace(day=1)
    if month > business_date:
        raise EngagementError(f"月份 {month:%Y-%m} 尚未开始，请核对。")
    made, _ = Contribution.objects.update_or_create(
        customer=customer, month=month, line=line, defaults={"amount_fen": amount_fen, "recorded_by": actor}
    )
    record_act(actor, customer, "engagement.contribution.recorded", f"贡献 {made}", business_date)
    return made


@dataclass(frozen=True, slots=True)
class OwnerShare:
    """What one person's customers brought in twelve months, 分, and its share of all in view, percent."""

    staff: Staff
    amount_fen: int
    percent: Decimal
    finding: Finding | None
    """The warning, where the share is over the line."""


def owner_shares(customers: QuerySet[Customer], *, day: dt.date) -> list[OwnerShare]:
    """Contribution of the last twelve months by 主办, the largest first; over the line it warns (CM-06)."""
    since = day.replace(day=1, year=day.year - 1)
    rows = (
        Contribution.objects.filter(customer__in=customers, month__gt=since, month__lte=day)
        .order_by()
        .values_list("customer__main_owner")
        .annotate(total=Sum("amount_fen"))
    )
    amounts = {owner: total for owner, total in rows if owner is not None}
    whole = sum(total for _, total in rows)
    if whole <= 0:
        return []
    parameter = load_book().at("crm.owner_share_pct_max", day)
    people = Staff.objects.select_related("unit").in_bulk(amounts)
    found = []
    for owner, amount in sorted(amounts.items(), key=lambda pair: (-pair[1], pair[0])):
        percent = (Decimal(amount) * 100 / whole).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
        is_over = Decimal(amount) * 100 > parameter.decimal * whole
        found.append(
            OwnerShare(people[owner], amount, percent, _warning(people[owner], percent, day) if is_over else None)
        )
    return found


def _warning(staff: Staff, percent: Decimal, day: dt.date) -> Finding:
    line = load_book().at("crm.owner_share_pct_max", day)
    return Finding(
        code="OWNER_CONCENTRATION",
        severity=Severity.WARN,
        message=f"{staff.name} 掌握贡献的 {percent} %，预警线 {line.decimal} %（{line.article}）。",
        message_en=f"{staff.name} holds {percent} % of the contribution, the line is {line.decimal} %.",
        article=line.article,
        citation=line.citation,
        remedy="请为其客户安排协办，或分散管户。",
        inputs={"占比": f"{percent} %", "预警线": f"{line.decimal} %", "截至": str(day)},
    )


@dataclass(frozen=True, slots=True)
class LonelyCore:
    """A core customer that fewer of us look after than should."""

    customer: Customer
    contacts: int
    needed: int


def core_with_few_contacts(customers: QuerySet[Customer], *, day: dt.date, most: int = 200) -> list[LonelyCore]:
    """Core customers, by class, with fewer of our people (主办 and 协办) than the policy wants (CM-06)."""
    book = load_book()
    needed = book.whole("crm.core_contacts_min", day)
    ours = Q(
        ownerships__kind__in=[Ownership.Kind.MAIN, Ownership.Kind.ASSISTANT],
        ownerships__valid_from__lte=day,
    ) & (Q(ownerships__valid_to__isnull=True) | Q(ownerships__valid_to__gt=day))
    core = Customer.objects.filter(
        pk__in=customers.filter(main_class__code__in=book.items("crm.core_classes", day)).values("pk")
    )
    rows = core.annotate(ours=Count("ownerships__staff", filter=ours, distinct=True)).filter(ours__lt=needed)
    shown = rows.select_related("party", "main_owner", "main_class").order_by("ours", "pk")[:most]
    return [LonelyCore(customer, customer.ours, needed) for customer in shown]


def contribution_of(customer: Customer, *, day: dt.date) -> dict[str, int]:
    """Twelve months of one customer by line, 分."""
    since = day.replace(day=1, year=day.year - 1)
    found: defaultdict[str, int] = defaultdict(int)
    for line, amount in customer.contributions.filter(month__gt=since, month__lte=day).values_list(
        "line", "amount_fen"
    ):
        found[str(Contribution.Line(line).label)] += amount
    return dict(found)
