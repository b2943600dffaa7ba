"""What a customer is, beside its name: business facts, a lock against the pool and transfers, contact ways that no
longer work, and the full identity number, whose every reading is logged."""

import datetime as dt

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.parties.models import ContactPoint, Customer, CustomerProfile, Party
from shouxin.parties.search_index import index_customers
from shouxin.parties.services import CustomerInputError

REASON_MAX = 200


@transaction.atomic
def update_profile(
    *,
    actor: Staff,
    customer: Customer,
    business_date: dt.date,
    industry: str = "",
    country: str = "CN",
    org_type: str = "",
    trade_role: str = "",
    annual_sales_fen: int | None = None,
    sales_year: int | None = None,
) -> CustomerProfile:
    """Keep the business facts of a customer. Sales without their year are refused."""
    if annual_sales_fen and sales_year is None:
        raise CustomerInputError({"sales_year": "请填写年销售所属的年度"})
    Customer.objects.select_for_update().get(pk=customer.pk)
    Party.objects.filter(pk=customer.party_id).update(industry=industry.strip(), country=country)
    Customer.objects.filter(pk=customer.pk).update(org_type=org_type, updated_at=timezone.now())
    made, _ = CustomerProfile.objects.update_or_create(
        customer=customer,
        defaults={
            "trade_role": trade_role,
            "annual_sales_fen": annual_sales_fen or None,
            "sales_year": sales_year if annual_sales_fen else None,
        },
    )
    _record(actor, customer, "parties.customer.profiled", "更新经营资料", business_date)
    return made


@transaction.atomic
def lock_customer(*, actor: Staff, customer: Customer, reason: str, business_date: dt.date) -> None:
    """Keep a customer where it is: not sent to the pool, not released, not transferred until it is unlocked.

    A handover of somebody who leaves still takes it along: a customer is never left without its 主办.
    """
    reason = _reason(reason)
    if not Customer.objects.filter(pk=customer.pk, is_locked=False).update(
        is_locked=True, lock_reason=reason, updated_at=timezone.now()
    ):
        raise CustomerInputError({"reason": "该客户已锁定"})
    _record(actor, customer, "parties.customer.locked", f"锁定：{reason}", business_date)


@transaction.atomic
def unlock_customer(*, actor: Staff, customer: Customer, reason: str, business_date: dt.date) -> None:
    reason = _reason(reason)
    if not Customer.objects.filter(pk=customer.pk, is_locked=True).update(
        is_locked=False, lock_reason="", updated_at=timezone.now()
    ):
        raise CustomerInputError({"reason": "该客户没有锁定"})
    _record(actor, customer, "parties.customer.unlocked", f"解除锁定：{reason}", business_date)


@transaction.atomic
def read_identity_number(*, actor: Staff, customer: Customer, reason: str, business_date: dt.date) -> str:
    """The full identity number, for a stated reason; each reading is an entry of its own.

    Raises:
        CustomerInputError: no reason, or no number is known.
    """
    reason = _reason(reason)
    number = customer.party.identity_number
    if not number:
        raise CustomerInputError({"reason": "没有登记身份证号"})
    _record(actor, customer, "parties.identity_number.read", f"查阅身份证号：{reason}", business_date)
    return number


@transaction.atomic
def set_contact_point_working(*, actor: Staff, point: ContactPoint, is_working: bool, business_date: dt.date) -> None:
    """Say that a contact way works or no longer does (a number not in service, a mail that bounced), as of a day."""
    ContactPoint.objects.filter(pk=point.pk).update(is_working=is_working, checked_date=business_date)
    index_customers([point.customer_id])
    state = "有效" if is_working else "失效"
    _record(actor, point.customer, "parties.contact_point.checked",
            f"{point.get_kind_display()}核实为{state}", business_date)  # fmt: skip


def _reason(text: str) -> str:
    reason = text.strip()[:REASON_MAX]
    if not reason:
        raise CustomerInputError({"reason": "请写明原因"})
    return reason


def _record(actor: Staff, customer: Customer, action: str, summary: str, day: dt.date) -> None:
    audit.record(actor=actor, action=action, subject=("customer", customer.pk), summary=summary, business_date=day)
