"""The policy register and the table of authorities."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Authority, Delegation
from shouxin.approvals.selectors import list_authorities
from shouxin.domain.money import Money, MoneyError
from shouxin.facilities import rules
from shouxin.policy import load_book
from shouxin.rulebook import selectors, services
from shouxin.rulebook.models import Clause, Document, LimitValue, Question, Version
from shouxin.rulebook.requirements import is_known, is_used
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page

KEEPERS = (Role.RISK_OFFICER, Role.APPROVER, Role.ADMINISTRATOR)


def _is_keeper(visit: Visit) -> bool:
    return visit.actor.unit.is_head_office and visit.has(*KEEPERS)


def _say(request: HttpRequest, form: Any) -> None:
    labels = {name: field.label for name, field in form.fields.items()}
    text = "；".join(f"{labels.get(name, '')}{'、'.join(errors)}" for name, errors in form.errors.items())
    messages.error(request, _("未保存：") + text)


# --- documents ------------------------------------------------------------------------------------------------------


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    documents = Document.objects.prefetch_related("versions")
    rows = sorted(documents, key=lambda document: (document.rank, document.code))
    in_force = {v.document_id: v for v in selectors.versions_on(visit.as_of)}
    return render(
        request, "pages/policy_list.html",
        {
            "rows": [(document, in_force.get(document.pk), list(document.versions.all())) for document in rows],
            "to_study": selectors.to_study(visit.actor), "replies": selectors.unseen_replies(visit.actor),
            "questions": selectors.open_questions() if _is_keeper(visit) else [],
            "form": forms.VersionForm(initial={"issued_date": visit.business_date}) if _is_keeper(visit) else None,
            "document_form": forms.DocumentForm(auto_id="document_%s"),
            "legal_basis": rules.legal_basis(as_of=visit.as_of), "as_of": visit.as_of,
            "actions": [{"label": _("打印"), "print": True, "icon": "printer"}],
        },
    )  # fmt: skip


def _named(value: LimitValue) -> tuple[LimitValue, str, str]:
    """A limit that a document sets, with the parameter's title and unit."""
    parameter = load_book().parameter(value.parameter)
    return value, parameter.title, "%" if parameter.unit == "percent" else {"wan": "万元"}.get(parameter.unit, "")


@page()
def show_version(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    version = get_object_or_404(Version.objects.select_related("document", "entered_by", "published_by"), pk=pk)
    return render(
        request, "pages/policy_version.html",
        {
            "version": version, "clauses": version.clauses.all(),
            "is_past": version.in_force_to is not None and version.in_force_to <= visit.as_of,
            "values": [_named(value) for value in version.limit_values.all()],
            "progress": selectors.study_progress(version),
            "receipt": version.receipts.filter(staff=visit.actor).first(),
            "questions": version.questions.select_related("unit", "asked_by", "replied_by"),
            "is_keeper": _is_keeper(visit), "value_form": forms.LimitValueForm(auto_id="value_%s"),
            "clause_form": forms.ClauseForm(auto_id="clause_%s"), "publish_form": forms.PublishForm(),
            "question_form": forms.QuestionForm(), "visit": visit,
            "crumbs": [{"url": reverse("policy_list"), "label": _("制度登记簿")}],
            "actions": [{"label": _("打印"), "print": True, "icon": "printer"}],
        },
    )  # fmt: skip


@page()
def show_article(request: HttpRequest, visit: Visit, requirement: str) -> HttpResponse:
    """Where a rule's result comes from: the articles, and the parameters with their values of the day."""
    if not is_known(requirement):
        raise Http404(_("没有规则、参数或登记条款使用这一编号"))
    book = load_book()
    parameters = []
    for key in book:
        values = [v for v in book.parameter(key).values if v.is_in_force(visit.as_of)]
        if any(value.article == requirement for value in values):
            parameters.append((book.parameter(key), book.at(key, visit.as_of), _ranked(key, visit)))
    return render(
        request, "pages/policy_article.html",
        {
            "requirement": requirement, "clauses": selectors.clauses_of(requirement, as_of=visit.as_of),
            "parameters": parameters, "as_of": visit.as_of,
            "limits": [
                (row, book.parameter(row.parameter).title if row.parameter in book else row.parameter)
                for row in selectors.limit_values_on(visit.as_of)
            ] if requirement == "HA-01" else [],
            "crumbs": [{"url": reverse("policy_list"), "label": _("制度登记簿")}],
        },
    )  # fmt: skip


def _ranked(key: str, visit: Visit) -> list[selectors.RankedValue]:
    in_force = load_book().at(key, visit.as_of)
    if in_force.parameter.comparison not in ("<=", "<"):
        return []
    return selectors.ranked_values(key, visit.as_of)


@require_POST
@page(*KEEPERS)
def enter_version(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = forms.VersionForm(request.POST)
    if not form.is_valid():
        _say(request, form)
        return redirect("policy_list")
    try:
        version = services.enter_version(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
    except services.RegisterError as error:
        messages.error(request, str(error))
        return redirect("policy_list")
    return redirect("policy_version", pk=version.pk)


@require_POST
@page()
def register_document(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = forms.DocumentForm(request.POST)
    if not form.is_valid():
        _say(request, form)
        return redirect("policy_list")
    try:
        document = services.register_document(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
    except services.RegisterError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("已登记制度 %(title)s，请接着登记它的第一个版本。") % {"title": document.title})
    return redirect("policy_list")


@require_POST
@page()
def act_on_version(request: HttpRequest, visit: Visit, pk: int, act: str) -> HttpResponse:
    """Value, publish, receive, study, ask: one act on one version."""
    version = get_object_or_404(Version.objects.select_related("document"), pk=pk)
    common: dict[str, Any] = {"actor": visit.actor, "version": version, "business_date": visit.business_date}
    shapes: dict[str, Any] = {
        "value": forms.LimitValueForm, "clause": forms.ClauseForm, "publish": forms.PublishForm,
        "ask": forms.QuestionForm,
    }  # fmt: skip
    data: dict[str, Any] = {}
    if act in shapes:
        form = shapes[act](request.POST)
        if not form.is_valid():
            _say(request, form)
            return redirect("policy_version", pk=pk)
        data = form.cleaned_data
    try:
        if act == "value":
            row, before = services.set_limit_value(**common, **data)
            _tell_value(request, row, before)
        elif act == "clause":
            _tell_clause(request, *services.set_clause(**common, **data))
        elif act == "publish":
            sent = services.publish(**common, **data)
            messages.success(request, _("已发布并下发 %(n)s 人。") % {"n": sent})
        elif act == "ask":
            services.ask(**common, **data)
            messages.success(request, _("问题已报总行。"))
        else:
            services.confirm(is_studied=act == "study", **common)
    except services.RegisterError as error:
        messages.error(request, str(error))
    return redirect("policy_version", pk=pk)


def _tell_value(request: HttpRequest, row: LimitValue, before: str) -> None:
    said = {"parameter": row.parameter, "value": row.value, "before": before}
    if before:
        messages.success(
            request, _("%(parameter)s 的取值由 %(before)s 改为 %(value)s（本版本同一参数只有一个取值）。") % said
        )
    else:
        messages.success(request, _("已登记 %(parameter)s 的取值 %(value)s。") % said)


def _tell_clause(request: HttpRequest, clause: Clause, is_new: bool) -> None:
    said = {"requirement": clause.requirement, "article": clause.article}
    if is_new:
        messages.success(request, _("已登记条款 %(article)s（%(requirement)s）。") % said)
    else:
        messages.success(request, _("%(requirement)s 在本版本已有条款，已更正为 %(article)s。") % said)
    if not is_used(clause.requirement):
        messages.warning(
            request, _("编号 %(requirement)s 没有被任何规则或参数引用，只作登记查考；如有笔误请重新登记。") % said
        )


@page()
def show_question(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    question = get_object_or_404(Question.objects.select_related("version__document", "unit", "asked_by"), pk=pk)
    if request.method == "POST":
        try:
            services.reply(
                actor=visit.actor, question=question, text=request.POST.get("text", ""),
                business_date=visit.business_date,
            )  # fmt: skip
        except services.RegisterError as error:
            messages.error(request, str(error))
        return redirect("policy_question", pk=pk)
    services.mark_reply_seen(actor=visit.actor, question=question, business_date=visit.business_date)
    return render(
        request,
        "pages/policy_question.html",
        {"question": question, "may_reply": _is_keeper(visit) and question.replied_date is None},
    )


# --- authorities ----------------------------------------------------------------------------------------------------


@page()
def show_authorities(request: HttpRequest, visit: Visit) -> HttpResponse:
    may_enter = visit.actor.unit.is_head_office and visit.has(Role.RISK_OFFICER, Role.APPROVER)
    form = forms.AuthorityForm(request.POST or None, initial={"valid_from": visit.business_date}) if may_enter else None
    if request.method == "POST" and form is not None and form.is_valid():
        data = dict(form.cleaned_data)
        text = request.POST.get("aggregate_max", "").strip()
        try:
            ceiling = Money.from_wan(text).fen if text else None
            data.pop("aggregate_max")
            ratings = [grade.strip() for grade in data.pop("ratings").replace("，", ",").split(",") if grade.strip()]
            approvals.enter_authority(
                actor=visit.actor, business_date=visit.business_date, aggregate_max_fen=ceiling, ratings=ratings, **data
            )
            messages.success(request, _("授权已登记，待另一人复核后生效。"))
            return redirect("authority_list")
        except (approvals.CaseError, MoneyError) as error:
            form.add_error(None, str(error))
    return render(
        request, "pages/authority_list.html",
        {
            "rows": list_authorities(), "form": form, "as_of": visit.as_of, "visit": visit,
            "may_approve": visit.actor.unit.is_head_office and visit.has(Role.APPROVER),
            "delegations": Delegation.objects.select_related("delegator", "delegate")[:50],
            "delegation_form": forms.DelegationForm(initial={"valid_from": visit.business_date}),
        },
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@require_POST
@page(Role.APPROVER)
def approve_authority(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    row = get_object_or_404(Authority, pk=pk)
    try:
        approvals.approve_authority(actor=visit.actor, row=row, business_date=visit.business_date)
    except approvals.CaseError as error:
        messages.error(request, str(error))
    return redirect("authority_list")


@require_POST
@page()
def delegate(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = forms.DelegationForm(request.POST)
    if form.is_valid():
        try:
            approvals.delegate(actor=visit.actor, business_date=visit.business_date, **form.cleaned_data)
            messages.success(request, _("委托已登记。"))
        except approvals.CaseError as error:
            messages.error(request, str(error))
    else:
        _say(request, form)
    return redirect("authority_list")


@require_POST
@page()
def revoke(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    row = get_object_or_404(Delegation.objects.select_related("delegate"), pk=pk)
    try:
        approvals.revoke_delegation(actor=visit.actor, delegation=row, business_date=visit.business_date)
    except approvals.CaseError as error:
        messages.error(request, str(error))
    return redirect("authority_list")
