"""Who looks after a customer: transfers, assistants and cover. Intervals are ended and begun, never rewritten.

One open 主办 at a time is the database's own rule (``one_open_main_owner``).
"""

import datetime as dt
from collections.abc import Collection

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.parties.models import Customer, Ownership


class OwnershipError(ValueError):
    """A change of who looks after a customer that cannot be made; the text says why and what to do."""


def lock_customers(customer_ids: Collection[int]) -> list[Customer]:
    """The rows, locked in one order, so that two people who act on many never wait for each other in a circle."""
    return list(Customer.objects.select_for_update().filter(pk__in=customer_ids).order_by("pk"))


@transaction.atomic
def transfer_customers(
    *, actor: Staff, customer_ids: Collection[int], to_staff: Staff, reason: str, business_date: dt.date
) -> int:
    """Give customers another 主办 from a day on; gives how many changed hands.

    Raises:
        OwnershipError: the receiver has left, no reason is given, or any of them is locked; nothing is moved.
    """
    if not to_staff.is_active:
        raise OwnershipError(f"{to_staff.name}已离岗，不能接收客户，请选择在岗人员。")
    if not reason.strip():
        raise OwnershipError("请写明转移原因。")
    customers = lock_customers(customer_ids)
    held = [customer for customer in customers if customer.is_locked]
    if held:
        names = "、".join(customer.party.name for customer in held[:5])
        raise OwnershipError(f"{len(held)} 户已锁定，不能转移（{names}）。请支行行长先解除锁定，或不选这些客户。")
    ids = [customer.pk for customer in customers]
    moved = replace_main_owner(ids, to_staff=to_staff, day=business_date, origin=Ownership.Origin.ASSIGNED)
    audit.record(
        actor=actor,
        action="parties.customers.transferred",
        subject=("staff", to_staff.pk),
        summary=f"{moved} 户转给 {to_staff.name}：{reason}",
        business_date=business_date,
        details={"customers": ids[:1000], "count": moved},
    )
    return moved


def replace_main_owner(customer_ids: list[int], *, to_staff: Staff, day: dt.date, origin: str) -> int:
    """End the open 主办 of locked customers and begin another's; those that are hers already stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE parties_ownership SET valid_to = greatest(%(day)s, valid_from)"
            " WHERE customer_id = ANY(%(ids)s) AND kind = 'main' AND valid_to IS NULL AND staff_id <> %(to)s",
            {"day": day, "ids": customer_ids, "to": to_staff.pk},
        )
        cursor.execute(
            "INSERT INTO parties_ownership (customer_id, staff_id, kind, valid_from, origin)"
            " SELECT c.id, %(to)s, 'main', %(day)s, %(origin)s FROM parties_customer c WHERE c.id = ANY(%(ids)s)"
            " AND NOT EXISTS (SELECT FROM parties_ownership o"
            "   WHERE o.customer_id = c.id AND o.kind = 'main' AND o.valid_to IS NULL)",
            {"day": day, "ids": customer_ids, "to": to_staff.pk, "origin": origin},
        )
        moved: int = cursor.rowcount
    Customer.objects.filter(pk__in=customer_ids).update(
        unit=to_staff.unit_id, pooled_date=None, updated_at=timezone.now()
    )
    return moved


@transaction.atomic
def add_assistant(*, actor: Staff, customer: Customer, staff: Staff, business_date: dt.date) -> Ownership:
    """Let a second person look after a customer 协办; the second contact that a core customer should have (CM-06).

    Raises:
        OwnershipError: the person has left, or is the 主办 already.
    """
    customer = lock_customers([customer.pk])[0]
    if not staff.is_active:
        raise OwnershipError(f"{staff.name}已离岗，不能协办。")
    if customer.main_owner_id == staff.pk:
        raise OwnershipError(f"{staff.name}已是主办，请选择另一位同事协办。")
    tie, is_new = Ownership.objects.get_or_create(
        customer=customer,
        staff=staff,
        kind=Ownership.Kind.ASSISTANT,
        valid_to=None,
        defaults={"valid_from": business_date, "origin": Ownership.Origin.ASSIGNED},
    )
    if is_new:
        audit.record(
            actor=actor,
            action="parties.customer.assistant_added",
            subject=("customer", customer.pk),
            summary=f"协办：{staff.name}",
            business_date=business_date,
        )
    return tie


@transaction.atomic
def end_assistant(*, actor: Staff, ownership: Ownership, business_date: dt.date) -> None:
    """End a 协办 on a day. Raises OwnershipError for any other kind: a customer is never left without its 主办."""
    if ownership.kind != Ownership.Kind.ASSISTANT:
        raise OwnershipError("只能结束协办；主办请转移、移交或退回公海。")
    ended = Ownership.objects.filter(pk=ownership.pk, valid_to__isnull=True).update(
        valid_to=max(business_date, ownership.valid_from)
    )
    if ended:
        audit.record(
            actor=actor,
            action="parties.customer.assistant_ended",
            subject=("customer", ownership.customer_id),
            summary=f"结束协办：{ownership.staff.name}",
            business_date=business_date,
        )


@transaction.atomic
def cover_customers(
    *, actor: Staff, absent: Staff, substitute: Staff, from_date: dt.date, until_date: dt.date, business_date: dt.date
) -> int:
    """Let a substitute look after everything of an absent person 顶岗, the last day excluded (HT-08).

    Raises:
        OwnershipError: the substitute is the absent person or has left, or the period is empty.
    """
    if substitute.pk == absent.pk or not substitute.is_active:
        raise OwnershipError("顶岗人须为另一位在岗人员。")
    if until_date <= from_date:
        raise OwnershipError(f"顶岗结束日 {until_date} 须晚于开始日 {from_date}。")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO parties_ownership (customer_id, staff_id, kind, valid_from, valid_to, origin)"
            " SELECT o.customer_id, %s, 'cover', %s, %s, 'assigned' FROM parties_ownership o"
            " WHERE o.staff_id = %s AND o.kind = 'main' AND o.valid_to IS NULL",
            [substitute.pk, from_date, until_date, absent.pk],
        )
        covered: int = cursor.rowcount
    audit.record(
        actor=actor,
        action="parties.customers.covered",
        subject=("staff", absent.pk),
        summary=f"{substitute.name} 为 {absent.name} 顶岗 {from_date} 至 {until_date}（不含），{covered} 户",
        business_date=business_date,
    )
    return covered
