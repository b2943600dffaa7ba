"""Credit cases: propose, my tasks, one case with its steps, its papers."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case
from shouxin.approvals.selectors import cases_in_view, next_role, tasks_of
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.audit import services as audit
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding
from shouxin.domain.money import Money, MoneyError, format_wan
from shouxin.facilities import line_cases
from shouxin.facilities.evaluating import find_evaluation, find_rating
from shouxin.facilities.models import Facility
from shouxin.facilities.selectors import totals_of_customers
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.limits.models import Node
from shouxin.policy import load_book
from shouxin.policy.products import find_product
from shouxin.reporting import case_documents
from shouxin.reporting.exports import table_xlsx
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page
from shouxin.web.templatetags.shouxin_format import moment

ROWS_PER_PAGE = 50
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def attachment(body: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- lists ------------------------------------------------------------------------------------------------------------


@page()
def show_tasks(request: HttpRequest, visit: Visit) -> HttpResponse:
    """我的待办: whatever waits for this person, the most urgent first."""
    return render(
        request, "pages/task_list.html",
        {"tasks": tasks_of(visit.actor, as_of=visit.business_date), "visit": visit, "as_of": visit.business_date},
    )  # fmt: skip


def _filtered(request: HttpRequest, visit: Visit) -> Any:
    cases = cases_in_view(visit.actor, as_of=visit.business_date)
    get = request.GET.get
    if get("kind") in Case.Kind.values:
        cases = cases.filter(kind=get("kind"))
    if get("state") in Case.State.values:
        cases = cases.filter(state=get("state"))
    if get("q", "").strip():
        text = get("q", "").strip()
        cases = cases.filter(subject_name__icontains=text) | cases.filter(number__icontains=text)
    if get("exceptions"):
        cases = cases.exclude(exceptions=[])
    return cases.order_by("-pk")


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    cases = _filtered(request, visit)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        cases = cases.filter(pk__lt=int(before))
    rows = list(cases[: ROWS_PER_PAGE + 1])
    query = request.GET.copy()
    query.pop("before", None)
    more = ""
    if len(rows) > ROWS_PER_PAGE:
        rows = rows[:ROWS_PER_PAGE]
        query["before"] = str(rows[-1].pk)
        more = query.urlencode()
    export = request.GET.copy()
    export.pop("before", None)
    return render(
        request, "pages/case_list.html",
        {
            "cases": rows, "more": more, "kinds": Case.Kind.choices, "states": Case.State.choices, "visit": visit,
            "kind": request.GET.get("kind", ""), "state": request.GET.get("state", ""),
            "text": request.GET.get("q", ""), "exceptions": request.GET.get("exceptions", ""),
            "actions": [
                {"label": _("导出 Excel"), "url": f"{reverse('case_export')}?{export.urlencode()}", "icon": "download"},
                {"label": _("打印"), "print": True, "icon": "printer"},
            ],
        },
    )  # fmt: skip


@page()
def export(request: HttpRequest, visit: Visit) -> HttpResponse:
    head = ("案件编号", "事项", "对象", "发起机构", "发起日", "状态", "审批层级", "申报额度（万元）", "例外", "期限")
    rows = [
        (c.number, c.get_kind_display(), c.subject_name, c.unit.name, str(c.created_date), c.get_state_display(),
         c.level_name, format_wan(c.payload["amount_fen"]) if "amount_fen" in c.payload else "",
         "；".join(c.exceptions), str(c.due_date or ""))
        for c in _filtered(request, visit)[:5000]
    ]  # fmt: skip
    audit.record(
        actor=visit.actor, action="reporting.cases.exported", subject=("export", "cases"),
        summary=f"导出授信案件 {len(rows)} 行", business_date=visit.business_date,
    )  # fmt: skip
    return attachment(table_xlsx("授信案件", head, rows), XLSX, f"cases-{visit.business_date}.xlsx")


# --- one case ---------------------------------------------------------------------------------------------------------


def _get(visit: Visit, number: str) -> Case:
    case = cases_in_view(visit.actor, as_of=visit.business_date).filter(number=number).first()
    if case is None:
        raise Http404(_("没有这个案件，或不在您的数据范围内"))
    return case


@page()
def show(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _render(request, visit, _get(visit, number))


def _render(
    request: HttpRequest, visit: Visit, case: Case, *, stops: list[Finding] | None = None, status: int = 200
) -> HttpResponse:
    day = visit.business_date
    acts = list(case.acts.select_related("actor", "on_behalf_of"))
    tasks = {task.role for task in tasks_of(visit.actor, as_of=day) if task.case.pk == case.pk}
    is_line = case.kind in line_cases.LINE_KINDS
    judged = line_cases.judge(case, as_of=day) if is_line and case.state == Case.State.DRAFT else None
    rounds = {a.round for a in acts if a.actor_id == visit.actor.pk and a.role == Act.Role.INVESTIGATE}
    took_part = bool(rounds)
    blocking: list[Finding] = []
    if is_line and Act.Role.DECIDE in tasks:
        blocking = line_cases.approval_findings(actor=visit.actor, case=case, business_date=day)
    may_end = case.state in (Case.State.DRAFT, Case.State.REVIEW, Case.State.DECIDE) and is_line
    return render(
        request, "pages/case_detail.html",
        {
            "case": case,
            "rows": case_documents.plan_rows(case),
            "findings": judged.findings if judged else case_documents.findings_of(case.findings),
            "exceptions": judged.exceptions if judged else case.exceptions,
            "blocking": stops if stops is not None else blocking,
            "events": _events(acts, case),
            "is_line": is_line,
            "may_investigate": is_line and Act.Role.INVESTIGATE in tasks and case.round not in rounds,
            "may_submit": is_line and case.state == Case.State.DRAFT
            and (took_part or case.created_by_id == visit.actor.pk),
            "may_review": Act.Role.REVIEW in tasks,
            "may_decide": is_line and Act.Role.DECIDE in tasks,
            "may_operate": is_line and Act.Role.OPERATE in tasks,
            "may_return": is_line and bool(tasks & {Act.Role.REVIEW, Act.Role.DECIDE}),
            "may_minute": is_line and case.is_open and case.state != Case.State.APPROVED
            and visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER, Role.APPROVER, Role.OPERATIONS),
            "may_withdraw": may_end and (took_part or case.created_by_id == visit.actor.pk),
            "investigation_form": forms.InvestigationForm(),
            "submit_form": forms.SubmitForm(),
            "opinion_form": forms.OpinionForm(),
            "minutes_form": forms.MinutesForm(initial={"held_date": day, "meeting": "president"}),
                        "visit": visit,
            "crumbs": [{"url": reverse("case_list"), "label": _("授信案件")}],
            "actions": [
                {"label": _("打印"), "url": reverse("case_print", args=[case.number]), "icon": "printer"},
                {"label": "Word", "url": reverse("case_paper", args=[case.number, "docx"]), "icon": "download"},
                {"label": "PDF", "url": reverse("case_paper", args=[case.number, "pdf"]), "icon": "download"},
            ] if is_line else [],
        },
        status=status,
    )  # fmt: skip


def _events(acts: list[Act], case: Case) -> list[dict[str, str]]:
    events = [
        {
            "title": _("发起"), "line": f"{case.created_by.name} · {moment(case.created_at)}",
        },
    ]  # fmt: skip
    for act in acts:
        who = f"{act.actor.name}（{_('代')} {act.on_behalf_of.name}）" if act.on_behalf_of else act.actor.name
        result = "" if act.agrees is None else f" · {_('同意') if act.agrees else _('不同意')}"
        site = f" · {_('现场')}" if act.is_on_site else ""
        opinion = f" · {act.opinion}" if act.opinion else ""
        tone = "red" if act.agrees is False or act.role in (Act.Role.RETURN, Act.Role.WITHDRAW) else ""
        events.append(
            {"title": f"{act.get_role_display()}{result}{site}", "tone": tone,
             "line": f"{who} · {moment(act.acted_at)}{opinion}"}
        )  # fmt: skip
    waiting = next_role(case)
    if waiting:
        due = f"{_('期限')} {case.due_date}" if case.due_date else ""
        events.append({"title": f"{_('等待')}{Act.Role(waiting).label}", "line": due, "state": "current"})
    return events


def _step(request: HttpRequest, visit: Visit, number: str, act: Callable[[Case], object]) -> HttpResponse:
    """Do one step; a refusal shows the case again with every reason and what to do."""
    case = _get(visit, number)
    try:
        act(case)
    except CaseRefusedError as error:
        return _render(request, visit, case, stops=error.findings, status=422)
    except CaseError as error:
        messages.error(request, str(error))
    return redirect("case_detail", number=number)


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def investigate(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    form = forms.InvestigationForm(request.POST)
    form.is_valid()
    data = form.cleaned_data
    return _step(
        request, visit, number,
        lambda case: approvals.investigate(
            actor=visit.actor, case=case, opinion=data.get("opinion", ""), is_on_site=data.get("is_on_site", False),
            business_date=visit.business_date,
        ),
    )  # fmt: skip


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def submit(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number,
        lambda case: line_cases.submit(
            actor=visit.actor, case=case, exception_reason=request.POST.get("exception_reason", ""),
            business_date=visit.business_date,
        ),
    )  # fmt: skip


@require_POST
@page()
def review(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number,
        lambda case: approvals.review(
            actor=visit.actor, case=case, agrees=request.POST.get("outcome") != "disagree",
            opinion=request.POST.get("opinion", ""), business_date=visit.business_date,
        ),
    )  # fmt: skip


@require_POST
@page()
def decide(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    refused = frozenset(int(pk) for pk in request.POST.getlist("refused") if pk.isascii() and pk.isdigit())
    return _step(
        request, visit, number,
        lambda case: line_cases.decide(
            actor=visit.actor, case=case, is_approved=request.POST.get("outcome") == "approve",
            opinion=request.POST.get("opinion", ""), business_date=visit.business_date, refused_members=refused,
            digest=request.POST.get("digest", ""),
        ),
    )  # fmt: skip


@require_POST
@page()
def operate(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number,
        lambda case: line_cases.operate(
            actor=visit.actor, case=case, opinion=request.POST.get("opinion", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page()
def send_back(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number,
        lambda case: approvals.send_back(
            actor=visit.actor, case=case, opinion=request.POST.get("opinion", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page()
def withdraw(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number,
        lambda case: approvals.withdraw(
            actor=visit.actor, case=case, reason=request.POST.get("reason", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER, Role.APPROVER, Role.OPERATIONS)
def add_minutes(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    form = forms.MinutesForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(
            request, _("纪要未保存：") + "；".join(str(e) for errors in form.errors.values() for e in errors)
        )
        return redirect("case_detail", number=number)
    upload = request.FILES.get("file")
    data = {name: value for name, value in form.cleaned_data.items() if name != "file"}

    def act(case: Case) -> None:
        minutes = approvals.record_minutes(
            actor=visit.actor, business_date=visit.business_date, file_name=upload.name or "" if upload else "",
            file=upload.read(approvals.FILE_MAX_BYTES + 1) if upload else None, **data,
        )  # fmt: skip
        approvals.attach_minutes(actor=visit.actor, case=case, minutes=minutes, business_date=visit.business_date)

    return _step(request, visit, number, act)


@page()
def minutes_file(_request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    case = _get(visit, number)
    if case.minutes is None or case.minutes.file is None:
        raise Http404(_("没有附件"))
    response = attachment(bytes(case.minutes.file), "application/octet-stream", "minutes")
    response["Content-Disposition"] = f'attachment; filename="minutes-{case.minutes.pk}"'
    return response


@page()
def print_form(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    case = _get(visit, number)
    return render(
        request, "pages/case_print.html", {"case": case, "form": case_documents.approval_form(case, as_of=visit.as_of)}
    )


@page()
def paper(_request: HttpRequest, visit: Visit, number: str, form: str) -> HttpResponse:
    case = _get(visit, number)
    audit.record(
        actor=visit.actor, action="reporting.case.exported", subject=(case.subject_kind, case.subject_id),
        summary=f"导出授信审批表 {case.number} {form}", business_date=visit.business_date,
    )  # fmt: skip
    if form == "docx":
        return attachment(case_documents.approval_docx(case, as_of=visit.as_of), DOCX, f"{case.number}.docx")
    html = render_to_string(
        "documents/approval_form.html", {"case": case, "form": case_documents.approval_form(case, as_of=visit.as_of)}
    )
    return attachment(case_documents.pdf_of(html), "application/pdf", f"{case.number}.pdf")


# --- proposing ------------------------------------------------------------------------------------------------------


def _year(day: dt.date) -> dict[str, dt.date]:
    return {"valid_from": day, "valid_to": add_months(day, load_book().whole("line.term_months", day))}


def _read_amounts(data: Mapping[str, str], prefix: str, keys: list[str], problems: list[str]) -> dict[str, int]:
    found = {}
    for key in keys:
        text = data.get(f"{prefix}{key}", "").strip()
        if text:
            try:
                found[key] = Money.from_wan(text).fen
            except MoneyError as error:
                problems.append(str(error))
    return found


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def propose_group(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group = CustomerGroup.objects.select_related("lead_unit").filter(number=number).first()
    members = list(list_members(group, as_of=visit.business_date)) if group else []
    if group is None or not visit.customers.filter(pk__in=[m.customer_id for m in members]).exists():
        raise Http404(_("没有这个集团，或不在您的数据范围内"))
    ids = [m.customer_id for m in members]
    used = Facility.objects.filter(customer__in=ids).order_by("product").values_list("product", flat=True).distinct()
    products = [(code, find_product(code, as_of=visit.business_date).name) for code in used]
    form = forms.GroupLineForm(request.POST or None, initial=_year(visit.business_date))
    problems: list[str] = []
    sub = _read_amounts(request.POST, "sub-", [str(pk) for pk in ids], problems)
    by_product = {
        pk: _read_amounts(request.POST, f"prod-{pk}-", [code for code, _name in products], problems) for pk in ids
    }
    if request.method == "POST" and form.is_valid() and not problems:
        data = form.cleaned_data
        try:
            case = line_cases.propose_group_line(
                actor=visit.actor, group=group, amount_fen=data["amount"].fen,
                sub_limits_fen={int(pk): fen for pk, fen in sub.items()}, product_limits_fen=by_product,
                valid_from=data["valid_from"], valid_to=data["valid_to"], conditions=data["conditions"],
                guarantee=data["guarantee"], business_date=visit.business_date,
            )  # fmt: skip
            return redirect("case_detail", number=case.number)
        except CaseError as error:
            form.add_error(None, str(error))
    for problem in problems:
        form.add_error(None, problem)
    totals = totals_of_customers(ids, as_of=visit.business_date)
    nodes = {n.customer_id: n for n in Node.objects.filter(customer__in=ids, kind=Node.Kind.CUSTOMER)}
    rows = [
        {
            "customer": m.customer, "use_fen": totals[m.customer_id].control_use_fen,
            "cap_fen": nodes[m.customer_id].cap_fen if m.customer_id in nodes else None,
            "value": request.POST.get(f"sub-{m.customer_id}", ""),
            "products": [
                (code, request.POST.get(f"prod-{m.customer_id}-{code}", "")) for code, _name in products
            ],
        }
        for m in members
    ]  # fmt: skip
    return render(
        request, "pages/line_group_form.html",
        {
            "group": group, "form": form, "rows": rows, "products": products, "visit": visit,
            "rating": find_rating(group=group, as_of=visit.business_date),
            "evaluation": find_evaluation(group=group, as_of=visit.business_date),
            "crumbs": [{"url": reverse("group_detail", args=[group.number]), "label": group.name}],
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def propose_customer(request: HttpRequest, visit: Visit, number: str, kind: str) -> HttpResponse:
    customer = visit.customers.select_related("party", "unit").filter(number=number).first()
    shapes: dict[str, tuple[Any, str]] = {
        "general": (forms.CustomerLineForm, _("申报一般额度")), "public": (forms.PublicLineForm, _("申报公开额度")),
        "exit": (forms.ExitForm, _("申报退出")),
    }  # fmt: skip
    if customer is None or kind not in shapes:
        raise Http404(_("没有这个客户，或不在您的数据范围内"))
    shape, title = shapes[kind]
    form = shape(request.POST or None, initial=_year(visit.business_date))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        common: dict[str, Any] = {"actor": visit.actor, "customer": customer, "business_date": visit.business_date}
        try:
            if kind == "general":
                case = line_cases.propose_customer_line(
                    amount_fen=data["amount"].fen, valid_from=data["valid_from"], valid_to=data["valid_to"],
                    guarantee=data["guarantee"], conditions=data["conditions"], **common,
                )  # fmt: skip
            elif kind == "public":
                case = line_cases.propose_public_line(
                    amount_fen=data["amount"].fen, valid_from=data["valid_from"], valid_to=data["valid_to"],
                    is_renewal=data["is_renewal"], **common,
                )  # fmt: skip
            else:
                case = line_cases.propose_exit(plan=data["plan"], until_date=data["until_date"], **common)
            return redirect("case_detail", number=case.number)
        except CaseError as error:
            form.add_error(None, str(error))
    return render(
        request, "pages/line_form.html",
        {
            "form": form, "customer": customer, "title": title, "visit": visit,
            "crumbs": [{"url": reverse("customer_credit", args=[number]), "label": customer.party.name}],
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip
