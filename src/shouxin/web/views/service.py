"""Serving customers beyond one page: cases of anybody, the quality of the list, target groups, occasions to meet."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.bank.models import Staff
from shouxin.bank.scope import Reach
from shouxin.engagement import care, community, quality, sales, value
from shouxin.engagement.models import StaffSkill
from shouxin.engagement.services import EngagementError
from shouxin.parties import segments
from shouxin.parties.models import Segment, SegmentList
from shouxin.parties.services import CustomerInputError
from shouxin.parties.views_kept import units_in_view
from shouxin.web.access import Role, Visit, page
from shouxin.web.service_forms import CaseForm, SegmentForm, SkillForm
from shouxin.web.views.customer_work import WORKERS

ROWS_MAX = 50


def _crumbs() -> list[dict[str, str]]:
    return [{"url": reverse("customer_list"), "label": _("客户名单")}]


@page()
def show_cases(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Everybody opens cases here; they see their own and those of customers in view."""
    form = CaseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            care.open_case(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
            messages.info(request, _("已受理，转主办客户经理处理。"))
            return redirect("service_case_list")
        except EngagementError as error:
            form.add_error(None, str(error))
    seen = set(visit.customers.filter(service_cases__isnull=False).values_list("pk", flat=True)[:5000])
    rows = [(case, case.customer_id in seen) for case in care.cases_in_view(visit.actor, visit.customers)[:ROWS_MAX]]
    return render(
        request, "pages/service_cases.html",
        {"form": form, "rows": rows, "visit": visit, "can_answer": visit.has(*WORKERS)},
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@page(*WORKERS, Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def show_quality(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Completeness and accuracy, concentration in one person's hands, core customers, dealers; by unit for the bank."""
    unit = request.GET.get("unit", "")
    customers = visit.customers
    is_whole_bank = visit.scope.reach is Reach.ALL and not unit
    if unit:
        customers = customers.filter(unit__code=unit)
    context: dict[str, Any] = {
        "units": units_in_view(visit.scope), "unit": unit, "is_whole_bank": is_whole_bank, "visit": visit,
        "as_of": visit.as_of, "crumbs": _crumbs(),
    }  # fmt: skip
    if not is_whole_bank:
        context |= {
            "quality": quality.quality_of(customers),
            "shares": value.owner_shares(customers, day=visit.as_of),
            "core": value.core_with_few_contacts(customers, day=visit.as_of),
            "dealers": sales.dealer_report(customers),
            "over": care.requests_over_policy(customers, day=visit.as_of)[:ROWS_MAX],
        }
    return render(request, "pages/customer_quality.html", context)


# --- target groups -------------------------------------------------------------------------------------------------


@page(*WORKERS)
def show_segments(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = SegmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = segments.define_segment(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
            return redirect("segment_detail", pk=made.pk)
        except CustomerInputError as error:
            for field, reason in error.errors.items():
                form.add_error(field, reason)
    rows = [(segment, segments.criteria_text(segment))
            for segment in Segment.objects.select_related("customer_class", "made_by")[:ROWS_MAX]]  # fmt: skip
    return render(
        request, "pages/segment_list.html", {"form": form, "rows": rows, "crumbs": _crumbs()},
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@page(*WORKERS)
def show_segment(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Who is in today, in one's own view; lists kept earlier; one customer put in or out."""
    segment = get_object_or_404(Segment.objects.select_related("customer_class"), pk=pk)
    found = segments.members_of(segment, visit.customers)
    kept = SegmentList.objects.filter(segment=segment, made_by=visit.actor)
    marks = segment.marks.filter(customer__in=visit.customers).select_related("customer__party", "marked_by")
    return render(
        request, "pages/segment_detail.html",
        {
            "segment": segment, "criteria": segments.criteria_text(segment), "count": found.count(),
            "rows": found.select_related("party", "unit", "main_owner", "profile").order_by("pk")[:ROWS_MAX],
            "lists": kept[:ROWS_MAX], "marks": marks[:ROWS_MAX],
            "crumbs": [*_crumbs(), {"url": reverse("segment_list"), "label": _("目标客户群")}],
        },
    )  # fmt: skip


@require_POST
@page(*WORKERS)
def act_on_segment(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    segment = get_object_or_404(Segment.objects.select_related("customer_class"), pk=pk)
    common: dict[str, Any] = {"actor": visit.actor, "segment": segment, "business_date": visit.business_date}
    try:
        if request.POST.get("act") == "keep":
            segments.keep_list(customers=visit.customers, **common)
        else:
            customer = visit.customers.filter(number=request.POST.get("customer", "").strip()).first()
            if customer is None:
                raise CustomerInputError({"customer": _("没有这个客户，或不在您的数据范围内")})
            segments.mark(
                customer=customer, is_in=request.POST.get("act") == "in", reason=request.POST.get("reason", ""),
                **common,
            )  # fmt: skip
    except CustomerInputError as error:
        messages.error(request, str(error))
    return redirect("segment_detail", pk=pk)


# --- occasions -----------------------------------------------------------------------------------------------------


@page(*WORKERS)
def show_community(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What one is good at, and which of our people share an interest with enough contacts."""
    form = SkillForm(request.POST or None)
    if request.method == "POST":
        if request.POST.get("drop"):
            StaffSkill.objects.filter(staff=visit.actor, name=request.POST["drop"]).delete()
            return redirect("community")
        if form.is_valid():
            community.note_skill(staff=visit.actor, **form.cleaned_data)
            return redirect("community")
    colleagues = Staff.objects.filter(is_active=True)
    if visit.scope.reach is not Reach.ALL:
        colleagues = colleagues.filter(unit=visit.actor.unit_id)
    return render(
        request, "pages/community.html",
        {
            "form": form, "skills": visit.actor.skills.all(), "visit": visit,
            "occasions": community.occasions(visit.customers, staff=colleagues, day=visit.as_of),
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip
