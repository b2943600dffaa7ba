"""公海: prospects that nobody follows go back to the pool, and whoever has room picks them, each by one person only.

A customer with credit exposure never goes there. What exposure is, rooms above know; one of them registers the guard
at its start, and without a guard nothing is recycled.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.parameters import PolicyBook
from shouxin.parties.models import Customer, Ownership
from shouxin.parties.ownership import lock_customers
from shouxin.policy import load_book

ExposureGuard = Callable[[Collection[int]], set[int]]
_guard: list[ExposureGuard] = []


class PoolError(ValueError):
    """A claim or release that the rules refuse: what was asked, what is allowed, by which parameter."""


def register_exposure_guard(guard: ExposureGuard) -> None:
    """Name the function that tells which of some customers have credit here or may draw it."""
    _guard[:] = [guard]


def _with_exposure(customer_ids: Collection[int]) -> set[int]:
    if not _guard:
        raise RuntimeError("no exposure guard is registered: nothing may go back to the pool")
    return _guard[0](customer_ids)


@transaction.atomic
def claim(*, actor: Staff, customer_id: int, business_date: dt.date) -> None:
    """Take one customer from the pool. Of many who try at once exactly one succeeds.

    Raises:
        PoolError: taken already, over the day's or the person's limit, or given up by this person a moment ago.
    """
    Staff.objects.select_for_update(no_key=True).get(pk=actor.pk)  # one claim of a person at a time: the limits count
    _refuse_over_limits(actor, customer_id, business_date)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH taken AS (UPDATE parties_customer SET pooled_date = NULL, unit_id = %(unit)s, updated_at = %(now)s"
            "  WHERE id = %(customer)s AND pooled_date IS NOT NULL AND merged_into_id IS NULL RETURNING id)"
            " INSERT INTO parties_ownership (customer_id, staff_id, kind, valid_from, origin)"
            " SELECT id, %(staff)s, 'main', %(day)s, 'claimed' FROM taken RETURNING id",
            {"customer": customer_id, "staff": actor.pk, "day": business_date, "unit": actor.unit_id,
             "now": timezone.now()},
        )  # fmt: skip
        if cursor.fetchone() is None:
            raise PoolError("该客户已被他人领取或不在公海，请选择其他客户。")
    audit.record(
        actor=actor,
        action="parties.customer.claimed",
        subject=("customer", customer_id),
        summary=f"从公海领取，主办 {actor.name}",
        business_date=business_date,
    )


def _refuse_over_limits(actor: Staff, customer_id: int, day: dt.date) -> None:
    book = load_book()
    own = Ownership.objects.filter(staff=actor, kind=Ownership.Kind.MAIN)
    claimed, most = (
        own.filter(origin=Ownership.Origin.CLAIMED, valid_from=day).count(),
        book.whole("crm.pool_claims_per_day", day),
    )
    if claimed >= most:
        raise PoolError(f"今日已领取 {claimed} 户，每日最多 {most} 户（crm.pool_claims_per_day），请明日再领。")
    held = own.filter(valid_to__isnull=True, customer__stage=Customer.Stage.PROSPECT).count()
    capacity = book.whole("crm.pool_capacity", day)
    if held >= capacity:
        raise PoolError(f"名下准客户 {held} 户，最多 {capacity} 户（crm.pool_capacity），请先成交或退回一部分。")
    rest = book.whole("crm.pool_cool_down_days", day)
    earlier = own.filter(customer=customer_id, valid_to__gt=day - dt.timedelta(days=rest)).order_by("-valid_to").first()
    if earlier is not None and earlier.valid_to is not None:
        again = earlier.valid_to + dt.timedelta(days=rest)
        raise PoolError(f"您于 {earlier.valid_to} 放下该客户，{again} 起方可再领（crm.pool_cool_down_days）。")


@transaction.atomic
def release(*, actor: Staff, customer_ids: Collection[int], reason: str, business_date: dt.date) -> int:
    """Give customers back to the pool by hand.

    Raises:
        PoolError: any of them is locked, a customer with business, or has credit exposure; nothing is released.
    """
    customers = lock_customers(customer_ids)
    exposed = _with_exposure([customer.pk for customer in customers])
    held = [c for c in customers if c.pk in exposed or c.is_locked or c.stage != Customer.Stage.PROSPECT]
    if held:
        names = "、".join(c.party.name for c in held[:5])
        raise PoolError(
            f"{len(held)} 户不能退回公海（{names}）：有授信敞口、已成交或已锁定的客户须有主办，请改为转移。"
        )
    count = _send_back([customer.pk for customer in customers], business_date)
    audit.record(
        actor=actor,
        action="parties.customers.released",
        subject=("staff", actor.pk),
        summary=f"{count} 户退回公海：{reason}",
        business_date=business_date,
        details={"customers": [customer.pk for customer in customers][:1000]},
    )
    return count


def _send_back(customer_ids: list[int], day: dt.date) -> int:
    Ownership.objects.filter(customer__in=customer_ids, valid_to__isnull=True, valid_from__gt=day).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE parties_ownership SET valid_to = greatest(%s, valid_from)"
            " WHERE customer_id = ANY(%s) AND valid_to IS NULL",
            [day, customer_ids],
        )
    return Customer.objects.filter(pk__in=customer_ids).update(pooled_date=day, updated_at=timezone.now())


@dataclass(frozen=True, slots=True)
class PoolClock:
    """How long a prospect may go without follow-up, by class, in days."""

    days_by_class: dict[str, int]
    days: int
    warning_days: int

    @classmethod
    def at(cls, day: dt.date, book: PolicyBook | None = None) -> "PoolClock":
        book = book or load_book()
        pairs = (text.split() for text in book.items("crm.pool_return_days_by_class", day))
        return cls(
            {code: int(days) for code, days in pairs},
            book.whole("crm.pool_return_days", day),
            book.whole("crm.pool_warning_days", day),
        )

    def allowed(self, class_code: str | None) -> int:
        return self.days_by_class.get(class_code or "", self.days)


@dataclass(frozen=True, slots=True)
class PoolDue:
    """One prospect on its way to the pool: days that remain, 0 or less when it is due."""

    customer: Customer
    remaining_days: int
    allowed_days: int


def due_for_pool(customers: Iterable[Customer], *, day: dt.date) -> list[PoolDue]:
    """The remaining days of prospects that have an owner and are not locked; soonest first.

    The clock starts with the last contact or the day the present owner took over, whichever is later.
    """
    rows = [c for c in customers if c.stage == Customer.Stage.PROSPECT and not c.is_locked and c.main_owner_id]
    since = dict(
        Ownership.objects.filter(
            customer__in=[c.pk for c in rows], kind=Ownership.Kind.MAIN, valid_to__isnull=True
        ).values_list("customer", "valid_from")
    )
    clock = PoolClock.at(day)
    found = []
    for customer in rows:
        allowed = clock.allowed(customer.main_class.code if customer.main_class else None)
        start = max(since.get(customer.pk, day), customer.last_contact_date or dt.date.min)
        found.append(PoolDue(customer, allowed - (day - start).days, allowed))
    return sorted(found, key=lambda due: due.remaining_days)


def candidates_for_pool(*, day: dt.date, staff_id: int | None = None) -> list[PoolDue]:
    """Prospects inside the warning time or over it, of one person or of the bank; without those with exposure."""
    clock = PoolClock.at(day)
    earliest = day - dt.timedelta(days=min([clock.days, *clock.days_by_class.values()]) - clock.warning_days)
    rows = Customer.objects.filter(
        stage=Customer.Stage.PROSPECT, is_locked=False, merged_into__isnull=True, main_owner__isnull=False,
        ownerships__kind=Ownership.Kind.MAIN, ownerships__valid_to__isnull=True,
        ownerships__valid_from__lte=earliest,
    ).exclude(last_contact_date__gt=earliest).select_related("party", "main_class", "main_owner")  # fmt: skip
    if staff_id is not None:
        rows = rows.filter(main_owner=staff_id)
    near = [due for due in due_for_pool(rows, day=day) if due.remaining_days <= clock.warning_days]
    exposed = _with_exposure([due.customer.pk for due in near])
    return [due for due in near if due.customer.pk not in exposed]


@transaction.atomic
def recycle(*, day: dt.date) -> int:
    """Send every prospect whose time is over back to the pool; gives how many. Safe to call again."""
    due = [found.customer.pk for found in candidates_for_pool(day=day) if found.remaining_days < 0]
    locked = lock_customers(due)
    still = [c for c in locked if c.stage == Customer.Stage.PROSPECT and not c.is_locked and c.pooled_date is None]
    kept = _with_exposure([c.pk for c in still])
    count = _send_back([c.pk for c in still if c.pk not in kept], day)
    if count:
        audit.record(
            actor=None,
            action="parties.customers.recycled",
            subject=("pool", day.isoformat()),
            summary=f"{count} 户超过未跟进期限，退回公海",
            business_date=day,
            details={"customers": [c.pk for c in still][:1000]},
        )
    return count
