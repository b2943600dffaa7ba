"""Cover and rates: what changes how much a standing hold counts."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from shouxin.bank.models import ExchangeRate
from shouxin.limits.ledger import call, require
from shouxin.limits.models import Hold, Mitigant, Node, RateQuote, RateSet
from shouxin.limits.services import cure_date
from shouxin.parties.models import Customer
from shouxin.policy.loader import load_book


def add_mitigant(
    *,
    customer: Customer | None,
    kind: str,
    name: str,
    value_fen: int,
    valid_from: dt.date,
    valid_to: dt.date | None = None,
) -> Mitigant:
    """Record cover. Only the kinds that the policy calls cash cover lower the net exposure; the others count 0."""
    return Mitigant.objects.create(
        customer=customer, kind=kind, name=name, value_fen=value_fen,
        eligible_fen=eligible_fen(kind, value_fen, valid_from), valid_from=valid_from, valid_to=valid_to,
    )  # fmt: skip


def eligible_fen(kind: str, value_fen: int, as_of: dt.date) -> int:
    """How much of a mitigant lowers the net exposure, in 分."""
    return value_fen if kind in load_book().items("limit.cash_cover_kinds", as_of) else 0


def set_value(*, mitigant: Mitigant, value_fen: int, business_date: dt.date, reason: str, actor_id: int | None) -> int:
    """A margin drawn down, released or expired (0): shares above the new value fall away, the newest first.

    Returns the excess that this opens, in 分; it is never refused (I13).
    """
    eligible = eligible_fen(mitigant.kind, value_fen, business_date)
    answer = call(
        "limit_set_cover",
        (mitigant.pk, value_fen, eligible, business_date, reason, actor_id, cure_date(business_date)),
    )
    return int(answer["excess_fen"])


def link(
    *, hold_id: uuid.UUID, mitigant: Mitigant, share_fen: int, business_date: dt.date, actor_id: int | None
) -> None:
    """Let a share of a mitigant cover a standing hold. Raises LedgerError when it has not that much left."""
    require(call("limit_link_cover", (hold_id, mitigant.pk, share_fen, business_date, actor_id)))


@transaction.atomic
def add_rate_set(*, business_date: dt.date, rates: Mapping[str, Decimal], source: str) -> RateSet:
    """A new version of the rates of a day, yuan for one unit; earlier versions stay."""
    latest = RateSet.objects.filter(business_date=business_date).aggregate(latest=Max("version"))["latest"] or 0
    rate_set = RateSet.objects.create(business_date=business_date, version=latest + 1, source=source)
    RateQuote.objects.bulk_create(
        RateQuote(rate_set=rate_set, currency=currency, rate=rate) for currency, rate in sorted(rates.items())
    )
    return rate_set


def take_published_rates(*, business_date: dt.date) -> RateSet | None:
    """Make a rate set of the rates that the bank has entered up to a day, unless the newest set says the same."""
    newest = {
        row.currency: row.rate
        for row in ExchangeRate.objects.filter(date__lte=business_date)
        .order_by("currency", "-date")
        .distinct("currency")
    }
    if not newest:
        return None
    current = RateSet.objects.filter(business_date__lte=business_date).first()
    if current and dict(current.quotes.values_list("currency", "rate")) == newest:
        return current
    return add_rate_set(business_date=business_date, rates=newest, source="公布汇率")


def list_holds_to_revalue(*, business_date: dt.date) -> list[uuid.UUID]:
    """Standing holds in a foreign currency that are not carried at the newest rates of a day."""
    rate_set = RateSet.objects.filter(business_date__lte=business_date).first()
    if rate_set is None:
        return []
    standing = Hold.objects.filter(state__in=[Hold.State.PENDING, Hold.State.POSTED], original_amount__isnull=False)
    priced = rate_set.quotes.values("currency")
    open_ones = standing.exclude(state=Hold.State.POSTED, original_balance=0).filter(currency__in=priced)
    return list(open_ones.exclude(rate_set=rate_set).order_by("pk").values_list("pk", flat=True))


def revalue(*, hold_id: uuid.UUID, business_date: dt.date) -> int:
    """Carry one hold at the newest rates of a day; returns the change in 分 of yuan (A-27)."""
    return int(call("limit_revalue", (hold_id, business_date, cure_date(business_date)))["delta_fen"])


@dataclass(frozen=True, slots=True)
class Raised:
    """The hold that carries the use now, and what is above the caps of its path, in 分."""

    hold_id: uuid.UUID
    excess_fen: int


def raise_use(
    *, hold_id: uuid.UUID | None, facility: Node, amount_fen: int, business_date: dt.date, reason: str,
    actor_id: int | None,
) -> Raised:  # fmt: skip
    """Add to what a booking uses because its cover was taken away, in 分 of yuan; a new booking when there was none.

    The one act that never asks whether there is room (I13): the exposure is there, refusing to see it would not help.
    Raises LedgerError when the hold is not booked.
    """
    asked = (hold_id, uuid.uuid4(), facility.pk, amount_fen, business_date, reason, "MITIGANT", actor_id)
    answer = call("limit_raise_use", (*asked, cure_date(business_date)))
    require(answer)
    return Raised(uuid.UUID(answer["hold"]), int(answer["excess_fen"]))
