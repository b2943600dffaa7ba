"""Credit cases: my tasks, one case with its steps, its papers. Proposing and changing one is in ``case_forms``."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.approvals import services as approvals
from shouxin.approvals.attachments import kind_of
from shouxin.approvals.models import Act, Case
from shouxin.approvals.selectors import cases_in_view, next_role, tasks_of
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.audit import services as audit
from shouxin.domain.authority import LEVEL_NAMES, LevelAnswer
from shouxin.domain.findings import Finding
from shouxin.domain.money import in_wan
from shouxin.facilities import case_contents, line_cases
from shouxin.facilities.line_judging import Judgement
from shouxin.facilities.line_kinds import LINE_KINDS
from shouxin.reporting import case_documents
from shouxin.reporting.exports import table_xlsx
from shouxin.reporting.todo import todo_of
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page
from shouxin.web.templatetags.shouxin_format import moment, translated

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
    todo = todo_of(visit.actor, as_of=visit.business_date)
    return render(
        request, "pages/task_list.html",
        {"todo": todo, "alert_tasks": todo.alerts, "visit": visit, "as_of": visit.business_date},
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
         c.level_name, in_wan(c.payload["amount_fen"]) if "amount_fen" in c.payload else "",
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
    request: HttpRequest, visit: Visit, case: Case, *, stops: list[Finding] | None = None, step: str = "",
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    """One case. After a step that was refused (``step``) its form shows again what was entered, and every reason once:
    what stops the step stands above, the rest of the rules' findings beside the contents.
    """
    day = visit.business_date
    given = {step: request.POST} if step else {}
    acts = list(case.acts.select_related("actor", "on_behalf_of"))
    tasks = {task.role for task in tasks_of(visit.actor, as_of=day) if task.case.pk == case.pk}
    is_line = case.kind in LINE_KINDS
    judged = line_cases.judge(case, as_of=day) if is_line and case.state == Case.State.DRAFT else None
    rounds = {a.round for a in acts if a.actor_id == visit.actor.pk and a.role == Act.Role.INVESTIGATE}
    took_part = bool(rounds)
    blocking: list[Finding] = []
    if is_line and Act.Role.DECIDE in tasks:
        blocking = line_cases.approval_findings(actor=visit.actor, case=case, business_date=day)
    if stops is not None:
        blocking = stops
    expected = _expected_level(judged, day)
    shown = judged.findings if judged else case_documents.findings_of(case.findings)
    may_end = case.state in (Case.State.DRAFT, Case.State.REVIEW, Case.State.DECIDE) and is_line
    return render(
        request, "pages/case_detail.html",
        {
            "case": case,
            "rows": case_documents.plan_rows(case),
            "findings": [finding for finding in shown if finding not in blocking],
            "level_reasons": case_documents.level_reasons_of(case),
            "exceptions": judged.exceptions if judged else case.exceptions,
            "to_explain": [finding for finding in shown if finding.code == "ABOVE_NEED"],
            "blocking": blocking,
            "expected": expected,
            "expected_level": LEVEL_NAMES[expected.level] if expected else "",
            "given": given,
            "may_amend": is_line and case_contents.may_amend(actor=visit.actor, case=case, as_of=day),
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
            and not approvals.why_no_minutes_by(actor=visit.actor, case=case, business_date=day),
            "may_withdraw": may_end and (took_part or case.created_by_id == visit.actor.pk),
            "investigation_form": forms.InvestigationForm(given.get("investigate")),
            "submit_form": forms.SubmitForm(
                given.get("submit"), initial={"exception_reason": case.exception_reason}
            ),
            "minutes_form": forms.MinutesForm(
                given.get("minutes"), initial={"held_date": day, "meeting": "president"}
            ),
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


def _expected_level(judged: Judgement | None, day: dt.date) -> LevelAnswer | None:
    """Where a draft would be decided if it were submitted today; None when no authority speaks about it."""
    if judged is None:
        return None
    try:
        return line_cases.level_of(judged, as_of=day)
    except CaseError:
        return None


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
            {"title": f"{translated(act.get_role_display())}{result}{site}", "tone": tone,
             "line": f"{who} · {moment(act.acted_at)}{opinion}"}
        )  # fmt: skip
    waiting = next_role(case)
    if waiting:
        due = f"{_('期限')} {case.due_date}" if case.due_date else ""
        events.append({"title": f"{_('等待')}{translated(Act.Role(waiting).label)}", "line": due, "state": "current"})
    return events


def _step(request: HttpRequest, visit: Visit, number: str, step: str, act: Callable[[Case], object]) -> HttpResponse:
    """Do one step; a refusal shows the case again with every reason, what to do, and all that was entered."""
    case = _get(visit, number)
    try:
        act(case)
    except CaseRefusedError as error:
        return _render(request, visit, _get(visit, number), stops=error.findings, step=step, status=422)
    except CaseError as error:
        messages.error(request, str(error))
        return _render(request, visit, _get(visit, number), step=step, status=422)
    case = Case.objects.get(pk=case.pk)
    messages.success(request, _said(step, case))
    return redirect("case_detail", number=number)


def _said(step: str, case: Case) -> str:
    """What was done, and where the case stands now."""
    done = {
        "investigate": _("调查意见已保存。"), "submit": _("案件已提交。"), "review": _("审查意见已保存。"),
        "decide": _("审批意见已保存。"), "operate": _("已办理生效。"), "return": _("案件已退回。"),
        "withdraw": _("案件已撤回。"), "minutes": _("会议纪要已保存。"),
    }  # fmt: skip
    return done[step] + _("状态：%(state)s。") % {"state": translated(case.get_state_display())}


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def investigate(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    form = forms.InvestigationForm(request.POST)
    form.is_valid()
    data = form.cleaned_data
    return _step(
        request, visit, number, "investigate",
        lambda case: approvals.investigate(
            actor=visit.actor, case=case, opinion=data.get("opinion", ""), is_on_site=data.get("is_on_site", False),
            business_date=visit.business_date,
        ),
    )  # fmt: skip


@require_POST
@page(Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
def submit(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number, "submit",
        lambda case: line_cases.submit(
            actor=visit.actor, case=case, exception_reason=request.POST.get("exception_reason", ""),
            business_date=visit.business_date,
        ),
    )  # fmt: skip


@require_POST
@page()
def review(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number, "review",
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
        request, visit, number, "decide",
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
        request, visit, number, "operate",
        lambda case: line_cases.operate(
            actor=visit.actor, case=case, opinion=request.POST.get("opinion", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page()
def send_back(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number, "return",
        lambda case: approvals.send_back(
            actor=visit.actor, case=case, opinion=request.POST.get("opinion", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page()
def withdraw(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    return _step(
        request, visit, number, "withdraw",
        lambda case: approvals.withdraw(
            actor=visit.actor, case=case, reason=request.POST.get("reason", ""), business_date=visit.business_date
        ),
    )  # fmt: skip


@require_POST
@page()
def add_minutes(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    form = forms.MinutesForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, _("纪要未保存，请检查填写的内容。"))
        return _render(request, visit, _get(visit, number), step="minutes", status=422)
    upload = request.FILES.get("file")
    data = {name: value for name, value in form.cleaned_data.items() if name != "file"}

    def act(case: Case) -> None:
        approvals.minute_case(
            actor=visit.actor, case=case, business_date=visit.business_date,
            file_name=upload.name or "" if upload else "",
            file=upload.read(approvals.FILE_MAX_BYTES + 1) if upload else None, **data,
        )  # fmt: skip

    return _step(request, visit, number, "minutes", act)


@page()
def minutes_file(_request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    case = _get(visit, number)
    if case.minutes is None or case.minutes.file is None:
        raise Http404(_("没有附件"))
    response = attachment(bytes(case.minutes.file), "application/octet-stream", "minutes")
    response["Content-Disposition"] = (
        f'attachment; filename="minutes-{case.minutes.pk}.{kind_of(bytes(case.minutes.file)) or "bin"}"'
    )
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
