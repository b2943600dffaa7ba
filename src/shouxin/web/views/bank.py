"""The bank's units, people, capital and exchange rates."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.bank import services
from shouxin.bank.models import CapitalFigure, ExchangeRate, OrgUnit, Staff
from shouxin.bank.scope import roles_of
from shouxin.web.access import Role, Visit, page
from shouxin.web.credit_forms import CapitalForm
from shouxin.web.kept_text import kept


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    may_enter = visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER)
    return _overview(request, visit, CapitalForm(initial={"kind": CapitalFigure.Kind.NET}) if may_enter else None)


def _overview(request: HttpRequest, visit: Visit, form: CapitalForm | None, *, status: int = 200) -> HttpResponse:
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
            "form": form,
            "may_approve": visit.has(Role.RISK_OFFICER, Role.APPROVER),
            "visit": visit,
            "as_of": visit.as_of,
        },
        status=status,
    )


@require_POST
@page(Role.RISK_OFFICER)
def enter_capital(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = CapitalForm(request.POST)
    if form.is_valid():
        data = dict(form.cleaned_data)
        amount = data.pop("amount")
        try:
            services.enter_capital_figure(
                actor=visit.actor, amount_fen=amount.fen, business_date=visit.business_date, **data
            )
        except services.CapitalInputError as error:
            form.add_error(None, kept(str(error)))
        else:
            messages.success(request, _("资本数据已录入，待另一人复核后使用。"))
            return redirect("bank_overview")
    return _overview(request, visit, form, status=422)


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER)
def approve_capital(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    figure = get_object_or_404(CapitalFigure, pk=pk)
    try:
        services.approve_capital_figure(actor=visit.actor, figure=figure, business_date=visit.business_date)
    except services.FourEyesError as error:
        messages.error(request, kept(str(error)))
    return redirect("bank_overview")
