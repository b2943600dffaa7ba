"""The bank's units, people, capital and exchange rates."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from shouxin.bank import services
from shouxin.bank.models import CapitalFigure, ExchangeRate, OrgUnit, Staff
from shouxin.bank.scope import roles_of
from shouxin.web.access import Role, Visit, page


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    staff = Staff.objects.select_related("unit").prefetch_related("role_assignments").order_by("unit__path", "username")
    people = [
        (person, "、".join(str(Role(role).label) for role in sorted(roles_of(person, as_of=visit.as_of))))
        for person in staff
    ]
    units = [(unit, unit.path.count("/") - 2) for unit in OrgUnit.objects.all()]
    return render(
        request,
        "pages/bank_overview.html",
        {
            "units": units,
            "people": people,
            "capital": CapitalFigure.objects.filter(date__lte=visit.as_of).order_by("-date", "kind")[:12],
            "rates": ExchangeRate.objects.filter(date__lte=visit.as_of)[:12],
            "may_approve": visit.has(Role.RISK_OFFICER, Role.APPROVER),
            "visit": visit,
            "as_of": visit.as_of,
        },
    )


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER)
def approve_capital(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    figure = get_object_or_404(CapitalFigure, pk=pk)
    try:
        services.approve_capital_figure(actor=visit.actor, figure=figure, business_date=visit.business_date)
    except services.FourEyesError as error:
        messages.error(request, str(error))
    return redirect("bank_overview")
