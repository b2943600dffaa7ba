"""Ask for a drawing, see why it is refused, release it by a second person."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.approvals.services import CaseError
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import drawing_checks, services
from shouxin.facilities.models import Drawing
from shouxin.facilities.selectors import deals_on, list_facilities
from shouxin.facilities.use_approval import needs_minutes
from shouxin.limits.services import LedgerError, NodeState
from shouxin.monitoring import watch
from shouxin.parties.models import Customer
from shouxin.policy.products import resolve_product
from shouxin.web.access import Role, Visit, page
from shouxin.web.forms import DrawingForm, ReasonForm
from shouxin.web.templatetags.shouxin_format import moment


def findings_of(drawing: Drawing) -> list[Finding]:
    """The findings as they were when the drawing was judged."""
    return [Finding.from_stored(stored) for stored in drawing.findings]


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    drawings = (
        Drawing.objects.filter(facility__customer__in=visit.customers)
        .select_related("facility__customer__party", "facility__branch", "requested_by", "released_by")
        .order_by("-requested_at")
    )
    state = request.GET.get("state", "")
    if state in Drawing.State.values:
        drawings = drawings.filter(state=state)
    rows = [(drawing, resolve_product(drawing.facility.product).name) for drawing in drawings[:100]]
    return render(
        request,
        "pages/drawing_list.html",
        {"rows": rows, "state": state, "states": Drawing.State.choices, "visit": visit},
    )


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def add(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    customer = visit.customers.select_related("party", "unit").filter(number=number).first()
    if customer is None:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    end = drawing_checks.line_end(customer)
    fresh = DrawingForm.fresh(visit.business_date, until=end if end and end > visit.business_date else None)
    form = DrawingForm(request.POST or None, initial=fresh)
    form.fields["facility"].queryset = list_facilities(customer.pk, as_of=visit.business_date)  # type: ignore[attr-defined]
    form.fields["commitment"].queryset = deals_on(visit.business_date).filter(customer=customer, is_drawn=False)  # type: ignore[attr-defined]
    findings: list[Finding] = []
    path: tuple[NodeState, ...] = ()
    is_trial = "simulate" in request.POST
    if request.method == "POST" and form.is_valid():
        asked = _request_from(form)
        if is_trial:
            findings, answer = services.check_drawing(request=asked)
            path = answer.path if answer else ()
            if all(finding.severity == Severity.INFO for finding in findings):
                messages.info(request, _("试算：可以支用，没有需要留意的事项。未保存任何内容。"))
        else:
            try:
                drawing = services.request_drawing(
                    actor=visit.actor, request=asked, key=form.cleaned_data["key"], business_date=visit.business_date
                )
            except services.InvalidRequestError as error:
                return _again(request, customer, form, error.findings)
            except LedgerError as error:
                form.add_error(None, str(error))
                return _again(request, customer, form, [])
            if drawing.state != Drawing.State.REFUSED:
                return redirect("drawing_detail", pk=drawing.pk)
            findings = findings_of(drawing)
            # The refusal stands under its own key; a changed request is a new one.
            form.data = {**form.data.dict(), "key": uuid.uuid4().hex}  # type: ignore[attr-defined]
    status = 422 if request.method == "POST" and (not form.is_valid() or any(f.is_refusal for f in findings)) else 200
    return render(
        request,
        "pages/drawing_form.html",
        _form_context(customer, form, findings, path, is_trial=is_trial),
        status=status,
    )


def _again(request: HttpRequest, customer: Customer, form: DrawingForm, findings: list[Finding]) -> HttpResponse:
    context = _form_context(customer, form, findings, (), is_trial=False)
    return render(request, "pages/drawing_form.html", context, status=422)


def _request_from(form: DrawingForm) -> services.DrawingRequest:
    data = form.cleaned_data
    return services.DrawingRequest(
        facility=data["facility"],
        amount_fen=data["amount"].fen,
        margin_fen=data["margin"].fen,
        value_date=data["value_date"],
        maturity_date=data["maturity_date"],
        purpose=data["purpose"],
        commitment=data["commitment"],
        is_under_public_line=data["is_under_public_line"],
        exception_reason=data["exception_reason"],
    )


def _form_context(
    customer: Customer, form: DrawingForm, findings: list[Finding], path: tuple[NodeState, ...], *, is_trial: bool
) -> dict[str, object]:
    return {
        "customer": customer,
        "has_contract": form.fields["facility"].queryset.exists(),  # type: ignore[attr-defined]
        "form": form,
        "findings": findings,
        "path": path or _path_of(customer),
        "is_trial": is_trial,
        "crumbs": [
            {"url": reverse("customer_list"), "label": _("客户名单")},
            {"url": reverse("customer_detail", args=[customer.number]), "label": customer.party.name},
        ],
    }


def _path_of(customer: Customer) -> tuple[NodeState, ...]:
    """The limits above a customer's contracts before anything is asked: member and group."""
    node = customer.limit_nodes.filter(kind="CUSTOMER").select_related("parent").first()
    if node is None:
        return ()
    states = []
    for each in (node, node.parent):
        if each is not None:
            free = 0 if each.is_stopped else each.own_fen
            states.append(
                NodeState(each.pk, each.kind, each.name, each.article, each.status, each.cap_fen, each.used_fen, free)
            )
    return tuple(states)


def _get_drawing(visit: Visit, pk: uuid.UUID) -> Drawing:
    drawing = (
        Drawing.objects.select_related(
            "facility__customer__party", "facility__branch", "requested_by", "released_by", "hold"
        )
        .filter(pk=pk, facility__customer__in=visit.customers)
        .first()
    )
    if drawing is None:
        raise Http404(_("没有这笔支用，或不在您的数据范围内"))
    return drawing


@page()
def show(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    drawing = _get_drawing(visit, pk)
    customer = drawing.facility.customer
    is_reserved = drawing.state == Drawing.State.RESERVED
    events = [
        {
            "title": _("申请"),
            "line": f"{drawing.requested_by.name} · {moment(drawing.requested_at)}",
            "state": "done",
        },
        {
            "title": _("额度检查") + f"：{drawing.get_state_display()}"
            if drawing.state == "refused"
            else _("额度检查：通过并预占"),
            "line": f"{moment(drawing.requested_at)}",
            "state": "done",
            "tone": "red" if drawing.state == Drawing.State.REFUSED else "",
        },
    ]
    if drawing.released_at and drawing.released_by:
        line = f"{drawing.released_by.name} · {moment(drawing.released_at)}"
        events.append({"title": _("放款"), "line": line, "state": "done"})
    elif is_reserved:
        events.append({"title": _("放款"), "line": _("等待另一人办理"), "state": "current"})
    return render(
        request,
        "pages/drawing_detail.html",
        {
            "drawing": drawing,
            "customer": customer,
            "product": resolve_product(drawing.facility.product).name,
            "findings": findings_of(drawing),
            "events": events,
            "needs_minutes": needs_minutes(drawing),
            "may_release": is_reserved
            and visit.has(Role.BRANCH_HEAD, Role.APPROVER)
            and drawing.requested_by_id != visit.actor.pk,
            "may_withdraw": is_reserved and visit.has(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.APPROVER),
            "crumbs": [
                {"url": reverse("customer_list"), "label": _("客户名单")},
                {"url": reverse("customer_detail", args=[customer.number]), "label": customer.party.name},
            ],
            "actions": [{"label": _("打印"), "print": True}],
        },
    )


@require_POST
@page(Role.BRANCH_HEAD, Role.APPROVER)
def release(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    drawing = _get_drawing(visit, pk)
    try:
        watch.release_drawing(
            actor=visit.actor,
            drawing=drawing,
            business_date=visit.business_date,
            minutes_number=request.POST.get("minutes_number", ""),
        )
    except (services.NotAllowedError, CaseError, LedgerError) as error:
        messages.error(request, str(error))
    return redirect("drawing_detail", pk=pk)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD, Role.APPROVER)
def withdraw(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    drawing = _get_drawing(visit, pk)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("请填写撤销原因。"))
        return redirect("drawing_detail", pk=pk)
    try:
        services.withdraw_drawing(
            actor=visit.actor, drawing=drawing, reason=form.cleaned_data["reason"], business_date=visit.business_date
        )
    except (services.NotAllowedError, LedgerError) as error:
        messages.error(request, str(error))
    return redirect("drawing_detail", pk=pk)
