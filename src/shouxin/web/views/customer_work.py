"""What is done to one customer besides the list: profile, assistants, lock, contact ways, the identity number."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from shouxin.bank.models import Staff
from shouxin.engagement import care, sales
from shouxin.engagement.models import BestTime, Purchase, ServiceCase
from shouxin.engagement.services import EngagementError
from shouxin.parties import ownership, profile
from shouxin.parties.models import ContactPoint, Customer, CustomerProfile, Ownership
from shouxin.parties.services import CustomerInputError
from shouxin.parties.views_kept import staff_in_units
from shouxin.web.access import Role, Visit, page
from shouxin.web.service_forms import (
    AssistantForm,
    BestTimeForm,
    ContributionForm,
    DecisionForm,
    ProfileForm,
    PurchaseForm,
    RequestForm,
    SiteForm,
    profile_initial,
)

WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
MAY_READ_IDENTITY = (
    Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER, Role.APPROVER, Role.IDENTIFICATION_OFFICER,
)  # fmt: skip
SHOWN_MAX = 20


def service_context(customer: Customer, visit: Visit, *, can_change: bool) -> dict[str, Any]:
    """What the customer page shows of purchases, services and places, and its forms."""
    known: CustomerProfile | None = getattr(customer, "profile", None)
    changes = sales.loyalty_changes(customer, until=visit.as_of)
    purchases = list(customer.purchases.prefetch_related("end_sales__end_customer__party")[:SHOWN_MAX])
    context: dict[str, Any] = {
        "profile": known,
        "loyalty": changes[0].after if changes else sales.Loyalty.NONE,
        "loyalty_changes": changes[:5],
        "purchases": [(p, p.quantity - sum(e.quantity for e in p.end_sales.all())) for p in purchases],
        "is_dealer": known is not None and known.trade_role == CustomerProfile.TradeRole.DEALER,
        "requests": customer.service_requests.select_related("recorded_by")[:SHOWN_MAX],
        "cases": customer.service_cases.select_related("opened_by", "answered_by")[:SHOWN_MAX],
        "reads_identity": bool(customer.party.identity_number) and visit.has(*MAY_READ_IDENTITY),
    }
    if can_change:
        today = {"requested_date": visit.business_date, "bought_date": visit.business_date}
        people = [person.pk for person in _colleagues(visit) if person.pk != customer.main_owner_id]
        context |= {
            "profile_form": ProfileForm(initial=profile_initial(customer, known)),
            "assistant_form": AssistantForm(people=people),
            "best_time_form": BestTimeForm(customer=customer),
            "decision_form": DecisionForm(customer=customer),
            "site_form": SiteForm(customer=customer),
            "purchase_form": PurchaseForm(customer=customer, initial=today),
            "request_form": RequestForm(customer=customer, initial=today),
            "contribution_form": ContributionForm(customer=customer, initial={"month": visit.business_date}),
        }
    return context


def _colleagues(visit: Visit) -> list[Staff]:
    """Whom one may ask to assist: people at work in the units in view, or in one's own unit and the branch above."""
    if visit.has(Role.BRANCH_HEAD):
        return staff_in_units(visit.scope)
    unit = visit.actor.unit
    near = [unit.pk] if unit.parent is None or unit.parent.is_head_office else [unit.pk, unit.parent.pk]
    return list(Staff.objects.filter(unit__in=near, is_active=True).select_related("unit"))


def _customer(visit: Visit, number: str) -> Customer:
    found = visit.editable_customers.select_related("party").filter(number=number).first()
    if found is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    return found


def _errors(form: Any) -> str:
    return "；".join(str(error) for errors in form.errors.values() for error in errors)


def _back(number: str) -> HttpResponse:
    return redirect("customer_detail", number=number)


@require_POST
@page(*WORKERS)
def update_profile(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer, form = _customer(visit, number), ProfileForm(request.POST)
    try:
        if not form.is_valid():
            raise CustomerInputError({"form": _errors(form)})
        profile.update_profile(
            actor=visit.actor, customer=customer, business_date=visit.business_date, **form.cleaned_data
        )
    except CustomerInputError as error:
        messages.error(request, _("经营资料未保存：") + str(error))
    return _back(number)


@require_POST
@page(*WORKERS)
def set_assistant(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """Add an assistant 协办, or end one."""
    customer = _customer(visit, number)
    common: dict[str, Any] = {"actor": visit.actor, "business_date": visit.business_date}
    try:
        if request.POST.get("end"):
            tie = get_object_or_404(Ownership, pk=request.POST["end"], customer=customer, valid_to__isnull=True)
            ownership.end_assistant(ownership=tie, **common)
            return _back(number)
        form = AssistantForm(request.POST, people=[person.pk for person in _colleagues(visit)])
        if form.is_valid():
            ownership.add_assistant(customer=customer, staff=form.cleaned_data["staff"], **common)
        else:
            messages.error(request, _("协办未保存：") + _errors(form))
    except ownership.OwnershipError as error:
        messages.error(request, str(error))
    return _back(number)


@require_POST
@page(Role.BRANCH_HEAD)
def set_lock(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _customer(visit, number)
    act = profile.unlock_customer if request.POST.get("act") == "unlock" else profile.lock_customer
    try:
        act(
            actor=visit.actor, customer=customer, reason=request.POST.get("reason", ""),
            business_date=visit.business_date,
        )  # fmt: skip
    except CustomerInputError as error:
        messages.error(request, str(error))
    return _back(number)


@never_cache
@require_POST
@page(*MAY_READ_IDENTITY)
def read_identity(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """The full identity number once, for a reason that is logged; the page is kept by nobody."""
    customer = visit.customers.select_related("party").filter(number=number).first()
    if customer is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    try:
        found = profile.read_identity_number(
            actor=visit.actor, customer=customer, reason=request.POST.get("reason", ""),
            business_date=visit.business_date,
        )  # fmt: skip
    except CustomerInputError as error:
        messages.error(request, str(error))
        return _back(number)
    crumbs = [{"url": reverse("customer_detail", args=[number]), "label": customer.party.name}]
    return render(
        request,
        "pages/identity_number.html",
        {"customer": customer, "number": found, "reason": request.POST.get("reason", ""), "crumbs": crumbs},
    )


@require_POST
@page(*WORKERS)
def check_contact_point(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Say that a telephone or mail address works, or no longer does."""
    points = ContactPoint.objects.select_related("customer").filter(customer__in=visit.editable_customers)
    point = get_object_or_404(points, pk=pk)
    profile.set_contact_point_working(
        actor=visit.actor, point=point, is_working=request.POST.get("works") == "1", business_date=visit.business_date
    )
    return _back(point.customer.number)


@require_POST
@page(*WORKERS)
def drop_best_time(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:  # noqa: ARG001
    times = BestTime.objects.select_related("contact__customer")
    time = get_object_or_404(times.filter(contact__customer__in=visit.editable_customers), pk=pk)
    number = time.contact.customer.number
    care.drop_best_time(actor=visit.actor, best_time=time, business_date=visit.business_date)
    return _back(number)


@require_POST
@page(*WORKERS)
def trace_end_sale(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """To whom a part of a dealer's purchase went on: a customer's number, or a name."""
    purchases = Purchase.objects.select_related("customer").filter(customer__in=visit.editable_customers)
    purchase = get_object_or_404(purchases, pk=pk)
    named = request.POST.get("end", "").strip()
    quantity = request.POST.get("quantity", "")
    try:
        if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 10):
            raise EngagementError(_("数量须为整数。"))
        sales.trace_end_sale(
            actor=visit.actor, purchase=purchase, quantity=int(quantity), business_date=visit.business_date,
            end_customer=visit.customers.filter(number=named).first(), end_name=named,
        )  # fmt: skip
    except EngagementError as error:
        messages.error(request, str(error))
    return _back(purchase.customer.number)


@require_POST
@page(*WORKERS)
def answer_case(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    cases = ServiceCase.objects.select_related("customer").filter(customer__in=visit.editable_customers)
    case = get_object_or_404(cases, pk=pk)
    try:
        care.answer_case(
            actor=visit.actor, case=case, answer=request.POST.get("answer", ""), business_date=visit.business_date
        )
    except EngagementError as error:
        messages.error(request, str(error))
    return redirect("service_case_list")
