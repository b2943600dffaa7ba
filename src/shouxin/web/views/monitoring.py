"""Alerts and half-yearly reviews."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.monitoring import alerts, reviews, watch
from shouxin.monitoring.models import Alert, Review
from shouxin.parties.models import Customer
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page

MAY_REPORT = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.RISK_OFFICER, Role.IDENTIFICATION_OFFICER)


@page()
def show_alerts(request: HttpRequest, visit: Visit) -> HttpResponse:
    return _alert_list(request, visit, forms.AlertForm())


def _alert_list(request: HttpRequest, visit: Visit, form: forms.AlertForm, status: int = 200) -> HttpResponse:
    rows = alerts.alerts_in_view(visit.scope, as_of=visit.as_of).distinct()
    state = request.GET.get("state", "open")
    if state in Alert.State.values:
        rows = rows.filter(state=state)
    risk = request.GET.get("risk", "")
    if risk:
        rows = rows.filter(risk_type=risk)
    return render(
        request, "pages/alert_list.html",
        {
            "alerts": rows[:200], "state": state, "states": [*Alert.State.choices, ("all", _("全部"))], "risk": risk,
            "risks": Alert._meta.get_field("risk_type").choices,
            "form": form if visit.has(*MAY_REPORT) else None,
            "may_run": visit.has(Role.RISK_OFFICER, Role.OPERATIONS), "as_of": visit.as_of,
            "actions": [{"label": _("打印"), "print": True, "icon": "printer"}],
        },
        status=status,
    )  # fmt: skip


@page()
def show_alert(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    alert = get_object_or_404(alerts.alerts_in_view(visit.scope, as_of=visit.as_of).distinct(), pk=pk)
    if request.method == "GET":
        alerts.mark_read(actor=visit.actor, alert=alert, business_date=visit.business_date)
    if request.method == "POST":
        try:
            if request.POST.get("outcome") == "close":
                alerts.close(actor=visit.actor, alert=alert, business_date=visit.business_date)
            else:
                alerts.act(
                    actor=visit.actor, alert=alert, action=request.POST.get("action", ""),
                    business_date=visit.business_date,
                )  # fmt: skip
            return redirect("alert_detail", pk=pk)
        except alerts.AlertError as error:
            messages.error(request, str(error))
    is_risk = visit.has(Role.RISK_OFFICER)
    return render(
        request, "pages/alert_detail.html",
        {
            "alert": alert, "notices": alert.notices.select_related("unit", "read_by"),
            "may_act": alert.state != Alert.State.CLOSED and (alert.owner_id == visit.actor.pk or is_risk),
            "may_close": alert.state == Alert.State.ACTED and is_risk and alert.acted_by_id != visit.actor.pk,
            "given": request.POST.get("action", ""),
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@require_POST
@page(*MAY_REPORT)
def report_alert(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Report a signal; what cannot be taken comes back with its faults and all that was entered."""
    form = forms.AlertForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        customer, group = _subject(data["subject"].strip(), visit)
        if customer is None and group is None:
            form.add_error("subject", _("没有这个客户号或集团编号，或不在您的数据范围内。"))
        else:
            try:
                alert = alerts.report(
                    actor=visit.actor, code=data["code"], message=data["message"], level=data["level"],
                    customer=customer, group=group, business_date=visit.business_date,
                    event_date=data["event_date"], evidence=data["evidence"],
                )  # fmt: skip
                return redirect("alert_detail", pk=alert.pk)
            except alerts.AlertError as error:
                form.add_error(None, str(error))
    return _alert_list(request, visit, form, status=422)


def _subject(number: str, visit: Visit) -> tuple[Customer | None, CustomerGroup | None]:
    """A customer in view, or a group with a member in view, by number."""
    customer = visit.customers.filter(number=number).first()
    group = CustomerGroup.objects.filter(number=number).first()
    if group is not None:
        members = list_members(group, as_of=visit.business_date).values("customer_id")
        if not visit.customers.filter(pk__in=members).exists():
            group = None
    return customer, group


@require_POST
@page(Role.RISK_OFFICER, Role.OPERATIONS)
def run_day(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The end of a day by hand: floors, uncured public lines, alerts, reviews."""
    done = watch.end_of_day(as_of=visit.business_date)
    messages.success(
        request,
        _("日终检查完成：新预警 %(a)s 条，下调分类 %(b)s 笔，取消公开额度 %(c)s 份，列入调查 %(d)s 项。")
        % {"a": done.alerts, "b": len(done.lowered), "c": len(done.cancelled), "d": done.reviews},
    )
    return redirect("alert_list")


@page()
def show_reviews(request: HttpRequest, visit: Visit) -> HttpResponse:
    rows = reviews.reviews_in_view(visit.scope, as_of=visit.as_of).distinct()
    return render(
        request,
        "pages/review_list.html",
        {
            "reviews": rows[:200],
            "as_of": visit.as_of,
            "actions": [{"label": _("打印"), "print": True, "icon": "printer"}],
        },
    )


@page()
def show_review(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    review = get_object_or_404(reviews.reviews_in_view(visit.scope, as_of=visit.as_of).distinct(), pk=pk)
    if request.method == "POST":
        try:
            if review.state == Review.State.DUE:
                reviews.report_review(
                    actor=visit.actor, review=review, report=request.POST.get("report", ""),
                    has_major_change="has_major_change" in request.POST, business_date=visit.business_date,
                )  # fmt: skip
            else:
                reviews.give_opinion(
                    actor=visit.actor, review=review, opinion=request.POST.get("opinion", ""),
                    continues=request.POST.get("outcome") == "continue", business_date=visit.business_date,
                )  # fmt: skip
            return redirect("review_detail", pk=pk)
        except reviews.ReviewError as error:
            messages.error(request, str(error))
    given = request.POST if request.method == "POST" else None
    return render(
        request, "pages/review_detail.html",
        {
            "review": review, "form": forms.ReviewForm(given), "opinion_form": forms.OpinionForm(given),
            "may_report": review.state == Review.State.DUE and visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD),
            "may_opine": review.state == Review.State.REPORTED and visit.has(Role.RISK_OFFICER),
        },
        status=422 if given else 200,
    )  # fmt: skip
