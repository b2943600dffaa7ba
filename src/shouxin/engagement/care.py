"""Serving customers: sites that one goes to, requests beside the policy of their class, cases anybody may open."""

import datetime as dt
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.domain.parameters import PolicyBook
from shouxin.engagement.models import BestTime, Contact, ServiceCase, ServiceRequest, Site
from shouxin.engagement.services import EngagementError, record_act
from shouxin.parties.models import Customer
from shouxin.policy import load_book

# --- people: when they are reached, what they decide -----------------------------------------------------------------


@transaction.atomic
def note_best_time(
    *, actor: Staff, contact: Contact, weekday: int, from_hour: int, to_hour: int, business_date: dt.date
) -> BestTime:
    """Keep hours of a weekday at which somebody is well reached; the same hours twice are the same (NS-06)."""
    if not (0 <= weekday <= 6 and 0 <= from_hour < to_hour <= 24):
        raise EngagementError("请填写 0 至 24 时之间的时段，结束晚于开始。")
    made, is_new = BestTime.objects.get_or_create(
        contact=contact, weekday=weekday, from_hour=from_hour, to_hour=to_hour
    )
    if is_new:
        record_act(actor, contact.customer, "engagement.best_time.noted", f"{contact} 最佳联系时间 {made}",
                   business_date)  # fmt: skip
    return made


@transaction.atomic
def drop_best_time(*, actor: Staff, best_time: BestTime, business_date: dt.date) -> None:
    contact = best_time.contact
    text = f"{contact} 不再适用 {best_time}"
    best_time.delete()
    record_act(actor, contact.customer, "engagement.best_time.dropped", text, business_date)


@transaction.atomic
def verify_decision_power(*, actor: Staff, contact: Contact, evidence: str, business_date: dt.date) -> None:
    """Say that somebody was found to decide, with what it was verified; the latest verification stands."""
    if not contact.name:
        raise EngagementError("请先填写联系人姓名，再核实其决策权。")
    if not evidence.strip():
        raise EngagementError("请写明核实依据，例如授权书、章程、本人确认。")
    Contact.objects.filter(pk=contact.pk).update(
        decision_verified_by=actor, decision_verified_date=business_date, decision_evidence=evidence.strip()[:200]
    )
    record_act(actor, contact.customer, "engagement.decision.verified",
               f"核实 {contact} 的决策权：{evidence.strip()}", business_date)  # fmt: skip


# --- sites -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_site(
    *,
    actor: Staff,
    customer: Customer,
    name: str,
    business_date: dt.date,
    address: str = "",
    distance_km: Decimal | None = None,
    travel_minutes: int | None = None,
    facilities: str = "",
) -> Site:
    """Keep a place of a customer; the same name again replaces what was known of it (TE-01)."""
    if not name.strip():
        raise EngagementError("请填写场所名称。")
    made, _ = Site.objects.update_or_create(
        customer=customer,
        name=name.strip(),
        defaults={
            "address": address.strip(), "distance_km": distance_km, "travel_minutes": travel_minutes,
            "facilities": facilities.strip(),
        },
    )  # fmt: skip
    record_act(actor, customer, "engagement.site.noted", f"场所 {made.name}", business_date)
    return made


# --- requests beside the policy --------------------------------------------------------------------------------------


def free_visits_allowed(customer: Customer, day: dt.date, book: PolicyBook | None = None) -> int | None:
    """How many free visits a month the customer's class may have; None where the policy names no such class."""
    book = book or load_book()
    pairs = (text.split() for text in book.items("crm.free_visits_by_class", day))
    allowed = {code: int(count) for code, count in pairs}
    return allowed.get(customer.main_class.code) if customer.main_class else None


@transaction.atomic
def record_request(
    *,
    actor: Staff,
    customer: Customer,
    kind: str,
    text: str,
    requested_date: dt.date,
    business_date: dt.date,
    is_free: bool = True,
    unreasonable_reason: str = "",
) -> ServiceRequest:
    """Keep what a customer asked for. A free visit beyond the policy of the class is served all the same, but marked.

    ``is_over_policy`` of what comes back is the alert: it stands on the customer's page and the owner's workbench.
    """
    if not text.strip():
        raise EngagementError("请填写客户的要求。")
    customer = Customer.objects.select_for_update(of=("self",)).select_related("main_class").get(pk=customer.pk)
    counted, allowed = 0, None
    if is_free and kind == ServiceRequest.Kind.VISIT:
        allowed = free_visits_allowed(customer, requested_date)
        counted = 1 + ServiceRequest.objects.filter(
            customer=customer, kind=kind, is_free=True, requested_date__year=requested_date.year,
            requested_date__month=requested_date.month,
        ).count()  # fmt: skip
    made = ServiceRequest.objects.create(
        customer=customer, kind=kind, text=text.strip(), requested_date=requested_date, is_free=is_free,
        is_unreasonable=bool(unreasonable_reason.strip()), unreasonable_reason=unreasonable_reason.strip(),
        number_in_month=counted, allowed_in_month=allowed, recorded_by=actor,
    )  # fmt: skip
    over = (
        f"，超出标准：当月第 {counted} 次，标准 {allowed} 次（crm.free_visits_by_class）" if made.is_over_policy else ""
    )
    record_act(actor, customer, "engagement.request.recorded", f"{made.get_kind_display()}：{made.text}{over}",
               business_date)  # fmt: skip
    return made


def requests_over_policy(customers: QuerySet[Customer], *, day: dt.date) -> QuerySet[ServiceRequest]:
    """Requests of the month of a day that went beyond the policy (CM-04)."""
    return ServiceRequest.objects.filter(
        Q(number_in_month__gt=F("allowed_in_month")), customer__in=customers, requested_date__year=day.year,
        requested_date__month=day.month,
    ).select_related("customer__party", "customer__main_owner")  # fmt: skip


# --- cases -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_case(*, actor: Staff, customer_number: str, text: str, business_date: dt.date) -> ServiceCase:
    """Take up a matter for a customer: whoever meets one serves one, in view or not (SM-15).

    Only the number is asked for; who opens it learns nothing of the customer by it.

    Raises:
        EngagementError: no such number, or no text.
    """
    if not text.strip():
        raise EngagementError("请写明客户的事项。")
    customer = Customer.objects.filter(number=customer_number.strip()).select_related("merged_into").first()
    if customer is None:
        raise EngagementError("没有这个客户号，请核对；还不是客户的，请转告客户经理。")
    customer = customer.merged_into or customer
    made = ServiceCase.objects.create(customer=customer, text=text.strip(), opened_by=actor, opened_date=business_date)
    record_act(actor, customer, "engagement.case.opened", f"受理事项 {made.pk}", business_date)
    return made


@transaction.atomic
def answer_case(*, actor: Staff, case: ServiceCase, answer: str, business_date: dt.date) -> None:
    """Answer a case once. Raises EngagementError without an answer or when it has one."""
    if not answer.strip():
        raise EngagementError("请填写答复。")
    done = ServiceCase.objects.filter(pk=case.pk, state=ServiceCase.State.OPEN).update(
        state=ServiceCase.State.ANSWERED, answer=answer.strip(), answered_by=actor, answered_date=business_date
    )
    if not done:
        raise EngagementError("该事项已答复。")
    audit.record(
        actor=actor, action="engagement.case.answered", subject=("customer", case.customer_id),
        summary=f"答复事项 {case.pk}", business_date=business_date,
    )  # fmt: skip


def cases_in_view(actor: Staff, customers: QuerySet[Customer]) -> QuerySet[ServiceCase]:
    """Cases of customers in view, and those that one opened oneself."""
    cases = ServiceCase.objects.filter(Q(customer__in=customers) | Q(opened_by=actor))
    return cases.select_related("customer__party", "opened_by", "answered_by", "customer__main_owner")
