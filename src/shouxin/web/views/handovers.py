"""移交: the steps of a handover as pages, its printed list, and taking somebody out of service."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.bank.models import Staff
from shouxin.parties import handover as steps
from shouxin.parties.handover import HandoverError, StillHoldsError
from shouxin.parties.models import Handover, HandoverItem
from shouxin.parties.views_kept import staff_in_units
from shouxin.web.access import Role, Visit, page
from shouxin.web.forms import HandoverForm, HandoverVisitForm

WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.ADMINISTRATOR)


def _handovers(visit: Visit) -> Any:
    if visit.has(Role.ADMINISTRATOR):
        return Handover.objects.select_related("from_staff__unit")
    return steps.handovers_of(visit.actor, visit.scope.unit_ids)


def _handover(visit: Visit, pk: int) -> Handover:
    found: Handover | None = _handovers(visit).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _people(visit: Visit) -> list[Staff]:
    return staff_in_units(visit.scope) if visit.has(Role.BRANCH_HEAD) else [visit.actor]


@page(*WORKERS)
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = HandoverForm(request.POST or None, people=_people(visit))
    if request.method == "POST" and form.is_valid():
        try:
            made = steps.draft(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
            return redirect("handover_detail", pk=made.pk)
        except HandoverError as error:
            form.add_error(None, str(error))
    watched = steps.watched_customers(day=visit.business_date).filter(customer__in=visit.customers)
    return render(
        request,
        "pages/handover_list.html",
        {
            "handovers": _handovers(visit)[:50], "form": form, "watched": watched[:100], "visit": visit,
            "can_draft": visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD),
            "people": Staff.objects.filter(is_active=True).exclude(pk=visit.actor.pk).select_related("unit")
            if visit.has(Role.ADMINISTRATOR) else [],
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@page(*WORKERS)
def show(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    handover = _handover(visit, pk)
    # An administrator starts a handover but sees no customer.
    sees = visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
    items = list(handover.items.select_related("customer__party", "customer__unit", "to_staff")) if sees else []
    return render(
        request,
        "pages/handover_detail.html",
        {
            "handover": handover,
            "items": items,
            "count": handover.items.count(),
            "receivers": [p for p in _people(visit) if p.pk != handover.from_staff_id],
            "visit_form": HandoverVisitForm(initial={"visited_date": visit.business_date,
                                                     "notice_date": visit.business_date}),
            "is_head": visit.has(Role.BRANCH_HEAD),
            "is_over": handover.state in {Handover.State.DONE, Handover.State.CANCELLED},
            "unvisited": sum(item.visited_date is None for item in items),
            "is_receiver": any(i.to_staff_id == visit.actor.pk and i.accepted_at is None for i in items),
            "steps": [(value, label, value == handover.state) for value, label in Handover.State.choices
                      if value != Handover.State.CANCELLED],
            "crumbs": [{"url": reverse("handover_list"), "label": _("移交")}],
            "visit": visit,
        },
    )  # fmt: skip


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def act(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """One step of a handover; the steps themselves say who may take them and when."""
    handover = _handover(visit, pk)
    wanted = request.POST.get("act", "")
    if wanted not in {"accept", "visits"} and not visit.has(Role.BRANCH_HEAD):
        raise PermissionDenied(_("此步骤须由支行行长办理"))
    common: dict[str, Any] = {"actor": visit.actor, "handover": handover, "business_date": visit.business_date}
    try:
        match wanted:
            case "review":
                steps.review(**common)
            case "assign":
                people = {str(p.pk): p for p in _people(visit)}
                chosen = {
                    item.customer_id: people[key]
                    for item in handover.items.all()
                    if (key := request.POST.get(f"to-{item.pk}") or request.POST.get("to-all", "")) in people
                }
                steps.assign(receivers=chosen, **common)
            case "visits":
                form = HandoverVisitForm(request.POST)
                if not form.is_valid():
                    raise HandoverError("；".join(str(e) for errors in form.errors.values() for e in errors))
                steps.record_rest_of_visits(**common, **form.cleaned_data)
            case "supervise":
                steps.supervise(**common)
            case "reopen":
                steps.reopen_supervision(**common)
            case "accept":
                steps.accept(**common)
            case "complete":
                steps.complete(**common)
            case "cancel":
                steps.cancel(reason=request.POST.get("reason", ""), **common)
    except HandoverError as error:
        messages.error(request, str(error))
    return redirect("handover_detail", pk=pk)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def record_visit(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    item = get_object_or_404(HandoverItem.objects.select_related("handover", "customer__party"), pk=pk)
    _handover(visit, item.handover_id)
    form = HandoverVisitForm(request.POST)
    if form.is_valid():
        try:
            steps.record_visit(actor=visit.actor, item=item, business_date=visit.business_date, **form.cleaned_data)
        except HandoverError as error:
            messages.error(request, str(error))
    else:
        messages.error(request, "；".join(str(e) for errors in form.errors.values() for e in errors))
    return redirect("handover_detail", pk=item.handover_id)


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def print_list(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """移交清单 on paper, with lines to sign on."""
    handover = _handover(visit, pk)
    items = handover.items.select_related("customer__party", "customer__main_class", "to_staff")
    return render(request, "pages/handover_print.html", {"handover": handover, "items": items, "visit": visit})


@require_POST
@page(Role.ADMINISTRATOR)
def disable(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Take somebody out of service; refused, with the list, while anything is in their hands."""
    staff = get_object_or_404(Staff, pk=int(request.POST.get("staff") or 0), is_active=True)
    try:
        steps.disable_staff(actor=visit.actor, staff=staff, business_date=visit.business_date)
        messages.info(request, _("已停用 %(name)s") % {"name": staff.name})
    except StillHoldsError as error:
        messages.error(request, str(error))
        if Handover.objects.filter(from_staff=staff).exclude(state__in=["done", "cancelled"]).exists():
            return redirect("handover_list")
        try:
            made = steps.draft(
                actor=visit.actor,
                from_staff=staff,
                reason=_("离岗"),
                business_date=visit.business_date,
                is_leaving=True,
            )
        except HandoverError:
            return redirect("handover_list")
        return redirect("handover_detail", pk=made.pk)
    return redirect("handover_list")
