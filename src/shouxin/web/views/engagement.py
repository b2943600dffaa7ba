"""What people write on a customer's page: notes and calls, contacts, preferences, days, consents; absences; links."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.db.models import Prefetch, prefetch_related_objects
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.engagement import appointments, care, sales, selectors, services, value
from shouxin.engagement.models import Activity, Channel, Contact, SpecialDate, SuspectedLink
from shouxin.engagement.services import EngagementError
from shouxin.parties.models import Customer
from shouxin.parties.pool import candidates_for_pool
from shouxin.reporting.timeline import KINDS, timeline
from shouxin.web.access import Role, Visit, page
from shouxin.web.engagement_forms import (
    AbsenceForm,
    ActivityForm,
    AppointmentForm,
    ContactPersonForm,
    PreferenceForm,
    SpecialDateForm,
)
from shouxin.web.service_forms import (
    BestTimeForm,
    ContributionForm,
    DecisionForm,
    PurchaseForm,
    RequestForm,
    SiteForm,
)

WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)


def relationship_context(customer: Customer, visit: Visit, *, kind: str, can_change: bool = False) -> dict[str, object]:
    """What the customer page shows of the relationship, and its forms."""
    people = Contact.objects.select_related("role", "spouse", "decision_verified_by")
    people = people.prefetch_related("preferences", "best_times")
    prefetch_related_objects([customer], Prefetch("contacts", people), "contact_points")
    contacts = list(customer.contacts.all())
    consents = dict(customer.consents.values_list("channel", "is_given"))
    now = visit.now
    known, levels, percent = selectors.level_coverage(contacts)
    return {
        "people": [(c, selectors.salutation(c), appointments.best_times(c)) for c in contacts],
        "topics": selectors.topics_for(contacts),
        "gatekeeper": appointments.gatekeeper_of(customer),
        "sites": customer.sites.all(),
        "level_text": f"{known}/{levels} · {percent} %",
        "special_dates": customer.special_dates.select_related("contact"),
        "completeness": selectors.completeness(customer),
        "pace": appointments.pace_hints(customer, now=now),
        "events": timeline(customer, kind=kind if kind in KINDS else "", reader_id=visit.actor.pk, now=timezone.now()),
        "event_kinds": [("", _("全部")), ("note", _("记录")), ("call", _("通话")), ("visit", _("拜访")),
                        ("message", _("信函与消息")), ("ownership", _("归属")), ("limit", _("额度")),
                        ("act", _("操作"))],
        "event_kind": kind,
        "consents": [(c, label, consents.get(c)) for c, label in Channel.choices],
        "links": customer.suspected_links.select_related("raised_by"),
        "appointments": [(a, appointments.preparation_gaps(a)) for a in customer.appointments.filter(
            done_as__isnull=True).select_related("contact", "staff", "customer")],
        **(_forms(customer, now) if can_change else {}),
    }  # fmt: skip


def _forms(customer: Customer, now: dt.datetime) -> dict[str, Any]:
    """What people with customers write on the page."""
    at = timezone.localtime(now).strftime("%Y-%m-%dT%H:%M")
    return {
        "activity_form": ActivityForm(initial={"happened_at": at}, customer=customer),
        "person_form": ContactPersonForm(customer=customer),
        "preference_form": PreferenceForm(customer=customer),
        "date_form": SpecialDateForm(customer=customer),
        "appointment_form": AppointmentForm(customer=customer),
    }


def _customer(visit: Visit, number: str) -> Customer:
    found: Customer | None = visit.editable_customers.select_related("party").filter(number=number).first()
    if found is None:
        raise Http404
    return found


def _say_errors(request: HttpRequest, form: Form) -> None:
    messages.error(request, "；".join(str(e) for errors in form.errors.values() for e in errors))


@require_POST
@page(*WORKERS)
def add(request: HttpRequest, visit: Visit, number: str, what: str) -> HttpResponse:
    """Add one note, person, preference, day or appointment."""
    customer = _customer(visit, number)
    if what not in _FORMS:
        raise Http404
    form = _FORMS[what](request.POST, customer=customer)
    if not form.is_valid():
        _say_errors(request, form)
        return redirect("customer_detail", number=number)
    try:
        for warning in _write(what, customer, visit, form.cleaned_data):
            messages.warning(request, warning)
    except EngagementError as error:
        messages.error(request, str(error))
    return redirect("customer_detail", number=number)


def _write(what: str, customer: Customer, visit: Visit, data: dict[str, Any]) -> list[str]:
    """One call for what was filled in; gives what should be said about it."""
    common: dict[str, Any] = {"actor": visit.actor, "business_date": visit.business_date}
    match what:
        case "activity":
            services.record_activity(customer=customer, **common, **data)
        case "person":
            services.add_contact(customer=customer, **common, **data)
        case "preference":
            services.note_preference(**common, **data)
        case "date":
            SpecialDate.objects.create(customer=customer, **data)
        case "appointment":
            made = appointments.plan(actor=visit.actor, customer=customer, **data)
            return appointments.preparation_gaps(made)
        case "time":
            care.note_best_time(**common, **data)
        case "decision":
            care.verify_decision_power(**common, **data)
        case "site":
            care.add_site(customer=customer, **common, **data)
        case "purchase":
            sales.record_purchase(customer=customer, **common, **data)
        case "contribution":
            value.record_contribution(customer=customer, **common, **data)
        case "request":
            asked = care.record_request(customer=customer, **common, **data)
            if asked.is_over_policy:
                counts = {"n": asked.number_in_month, "most": asked.allowed_in_month}
                return [_("超出该类别的服务标准：当月第 %(n)s 次免费上门，标准 %(most)s 次（CM-04）。") % counts]
    return []


_FORMS: dict[str, Any] = {
    "activity": ActivityForm, "person": ContactPersonForm, "preference": PreferenceForm, "date": SpecialDateForm,
    "appointment": AppointmentForm, "time": BestTimeForm, "decision": DecisionForm, "site": SiteForm,
    "purchase": PurchaseForm, "contribution": ContributionForm, "request": RequestForm,
}  # fmt: skip


@require_POST
@page(*WORKERS)
def set_consents(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = _customer(visit, number)
    given = {c: request.POST[c] == "yes" for c in Channel.values if request.POST.get(c) in {"yes", "no"}}
    services.set_consents(actor=visit.actor, customer=customer, given=given, business_date=visit.business_date)
    return redirect("customer_detail", number=number)


@require_POST
@page(*WORKERS)
def edit_activity(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    activity = get_object_or_404(Activity.objects.filter(customer__in=visit.editable_customers), pk=pk)
    try:
        services.edit_activity(
            actor=visit.actor, activity=activity, text=request.POST.get("text", ""), now=timezone.now()
        )
    except EngagementError as error:
        messages.error(request, str(error))
    return redirect("customer_detail", number=activity.customer.number)


@page(*WORKERS)
def call_sheet(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """An outline to have in hand before a call or a visit, on paper (NS-07)."""
    customer = visit.customers.select_related("party", "unit").filter(number=number).first()
    if customer is None:
        raise Http404
    return render(
        request, "pages/call_sheet.html",
        {"customer": customer, "visit": visit, **relationship_context(customer, visit, kind="")},
    )  # fmt: skip


@page(*WORKERS)
def absence(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Say that one is away, and who looks after one's customers."""
    form = AbsenceForm(request.POST or None, actor=visit.actor)
    if request.method == "POST" and form.is_valid():
        try:
            _made, warnings = services.announce_absence(
                actor=visit.actor, business_date=visit.business_date, **form.cleaned_data
            )
            for warning in warnings:
                messages.warning(request, warning)
            return redirect("absence")
        except (EngagementError, ValueError) as error:
            form.add_error(None, str(error))
    return render(
        request, "pages/absence.html",
        {"form": form, "absences": visit.actor.absences.select_related("substitute")[:20]},
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@page(Role.IDENTIFICATION_OFFICER)
def show_links(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Suspected links that managers raised from their notes; an officer takes them up or dismisses them."""
    if request.method == "POST":
        link = get_object_or_404(
            SuspectedLink.objects.filter(customer__in=visit.customers), pk=int(request.POST.get("link") or 0)
        )
        try:
            services.decide_link(
                actor=visit.actor, link=link, is_taken=request.POST.get("act") == "take",
                decision=request.POST.get("decision", ""), business_date=visit.business_date,
            )  # fmt: skip
        except EngagementError as error:
            messages.error(request, str(error))
        return redirect("suspected_links")
    return render(request, "pages/suspected_links.html", {"links": selectors.open_links(visit.customers)[:100]})


def workbench_blocks(visit: Visit) -> dict[str, object]:
    """What the day brings for people with customers: calls and visits, days ahead, long silence, the pool's clock."""
    if not visit.has(*WORKERS):
        return {}
    mine = visit.actor.appointments.filter(done_as__isnull=True).select_related("customer__party", "contact")
    own = visit.customers.filter(main_owner=visit.actor)
    return {
        "appointments": mine[:8],
        "days_ahead": selectors.days_ahead(own, day=visit.business_date)[:8],
        "over_policy": care.requests_over_policy(own, day=visit.business_date)[:8],
        "open_cases": care.cases_in_view(visit.actor, own).filter(state="open")[:8],
        "pool_soon": candidates_for_pool(day=visit.business_date, staff_id=visit.actor.pk)[:8],
        "call_figures": appointments.call_figures(visit.actor, since=visit.now - dt.timedelta(days=30)),
    }
