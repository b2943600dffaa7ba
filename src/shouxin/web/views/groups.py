"""Group customers: the list, a group with its proofs and limits, and what people decide."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import selectors as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.domain.money import format_wan
from shouxin.facilities.models import GroupLine
from shouxin.facilities.rules import judge_group_total
from shouxin.groups import services
from shouxin.groups.models import Candidate, CandidateMember, CustomerGroup, MergeTask
from shouxin.groups.selectors import find_latest_determination, list_members, list_open_merge_tasks
from shouxin.reporting import selectors
from shouxin.web.access import Role, Visit, page
from shouxin.web.charts import donut_chart, percent
from shouxin.web.forms import ConfirmForm, ReasonForm
from shouxin.web.templatetags.shouxin_format import moment


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    rows = selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
    text = request.GET.get("q", "").strip()
    if text:
        rows = [row for row in rows if text in row.name or text in row.label]
    actions = []
    if visit.has(Role.IDENTIFICATION_OFFICER):
        actions.append({"label": _("重新识别"), "url": reverse("group_identify"), "icon": "refresh", "post": True})
    return render(
        request,
        "pages/group_list.html",
        {
            "rows": rows,
            "text": text,
            "capital": selectors.capital_on(visit.as_of),
            "determination": find_latest_determination(),
            "tasks": list_open_merge_tasks(),
            "as_of": visit.as_of,
            "visit": visit,
            "actions": actions,
        },
    )


@require_POST
@page(Role.IDENTIFICATION_OFFICER)
def identify(request: HttpRequest, visit: Visit) -> HttpResponse:
    run = services.run_determination(actor=visit.actor, as_of=visit.business_date, business_date=visit.business_date)
    messages.info(
        request,
        _("识别完成：%(groups)s 个集团，%(tasks)s 项合并认定。")
        % {"groups": run.counts["groups"], "tasks": run.counts["overlaps"]},
    )
    return redirect("group_list")


def _row(visit: Visit, *, is_confirmed: bool, pk: int) -> selectors.GroupRow:
    """The row of one group in this person's view; outside it there is no such group."""
    for row in selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of):
        if (row.is_confirmed, row.id) == (is_confirmed, pk):
            return row
    raise Http404(_("没有这个集团，或不在您的数据范围内"))


@page()
def show(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    group = get_object_or_404(CustomerGroup.objects.select_related("responsible", "lead_unit"), number=number)
    row = _row(visit, is_confirmed=True, pk=group.pk)
    members = list_members(group, as_of=visit.as_of).select_related("candidate")
    shown = selectors.group_page(
        row=row,
        anchors={m.candidate.anchor_id for m in members if m.candidate},
        proofs=[(m.customer.party, m.basis, m.evidence) for m in members],
        scope=visit.scope,
        as_of=visit.as_of,
    )
    line = GroupLine.objects.filter(group=group, valid_from__lte=visit.as_of, valid_to__gt=visit.as_of).first()
    context = _context(visit, shown) | {
        "title": group.name,
        "badges": [{"text": _("集团客户"), "tone": "blue"}, *_level_badge(row.level)],
        "facts": [
            _("牵头行：%(unit)s") % {"unit": group.lead_unit.name if group.lead_unit else _("未定")},
            _("负责人：%(name)s") % {"name": group.responsible.name},
            _("成员 %(n)s 家") % {"n": row.member_count},
            _("编号 %(number)s") % {"number": group.number},
        ],
        "line": line,
        "group": group,
        "events": [
            {"title": entry.summary, "line": f"{entry.actor_name} · {moment(entry.recorded_at)}"}
            for entry in audit.list_entries(subject=("group", group.pk), limit=10)
        ],
    }
    return render(request, "pages/group_detail.html", context)


@page()
def show_candidate(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    candidate = get_object_or_404(Candidate.objects.select_related("anchor", "determination", "group"), pk=pk)
    if candidate.group is not None:
        return redirect("group_detail", number=candidate.group.number)
    if candidate.status == Candidate.Status.SUPERSEDED:
        messages.info(request, _("该提案已被新的识别结果取代。"))
        return redirect("group_list")
    row = _row(visit, is_confirmed=False, pk=candidate.pk)
    members = CandidateMember.objects.filter(candidate=candidate).select_related("party")
    shown = selectors.group_page(
        row=row,
        anchors={candidate.anchor_id},
        proofs=[(m.party, m.basis, m.proof) for m in members],
        scope=visit.scope,
        as_of=visit.as_of,
    )
    may_confirm = visit.has(Role.IDENTIFICATION_OFFICER)
    form = _confirm_form(request, visit, candidate) if may_confirm else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            group = services.confirm_candidate(
                actor=visit.actor, candidate=candidate, business_date=visit.business_date, **form.cleaned_data
            )
            return redirect("group_detail", number=group.number)
        except services.DecisionError as error:
            form.add_error(None, str(error))
    context = _context(visit, shown) | {
        "title": f"{candidate.label} {candidate.name}",
        "badges": [{"text": candidate.get_status_display(), "tone": "amber"}, *_level_badge(row.level)],
        "facts": [
            _("核心：%(name)s") % {"name": candidate.anchor.name if candidate.anchor else candidate.name},
            _("成员 %(n)s 家") % {"n": row.member_count},
            _("识别截止 %(day)s") % {"day": candidate.determination.as_of_date},
        ],
        "candidate": candidate,
        "confirm_form": form,
    }
    return render(request, "pages/group_detail.html", context, status=422 if request.method == "POST" else 200)


def _confirm_form(request: HttpRequest, visit: Visit, candidate: Candidate) -> ConfirmForm:
    form = ConfirmForm(request.POST or None, initial={"name": f"{candidate.name}集团"})
    officers = RoleAssignment.objects.filter(role=Role.IDENTIFICATION_OFFICER, valid_to__isnull=True)
    form.fields["proposer"].queryset = Staff.objects.filter(pk__in=officers.values("staff")).exclude(pk=visit.actor.pk)  # type: ignore[attr-defined]
    form.fields["responsible"].queryset = Staff.objects.filter(is_active=True)  # type: ignore[attr-defined]
    return form


def _level_badge(level: str) -> list[dict[str, str]]:
    return {
        "over": [{"text": _("超过上限"), "tone": "red"}],
        "warn": [{"text": _("达到预警线"), "tone": "amber"}],
    }.get(level, [])


def _context(visit: Visit, shown: selectors.GroupPage) -> dict[str, Any]:
    """What both the confirmed group and the proposal show."""
    capital = shown.capital
    return {
        "page": shown,
        "row": shown.row,
        "capital": capital,
        "share_text": percent(shown.row.share),
        "latest_share_text": percent(shown.row.latest_share),
        "ceiling_fen": capital.ceiling_fen,
        "findings": judge_group_total(amount_fen=shown.row.exposure_fen, as_of=visit.as_of, what=_("集团用信合计")),
        "product_chart": donut_chart(shown.by_product, _("万元用信")),
        "branch_rows": [(name, format_wan(fen)) for name, fen in shown.by_branch],
        "dates": shown.change_dates,
        "as_of": visit.as_of,
        "visit": visit,
        "crumbs": [{"url": reverse("group_list"), "label": _("集团客户")}],
        "actions": [{"label": _("打印"), "print": True}],
    }


@page()
def show_task(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """合并认定: two maximal groups side by side, and the decision."""
    task = get_object_or_404(
        MergeTask.objects.select_related(
            "first__anchor", "second__anchor", "first__group", "second__group", "decided_by"
        ),
        pk=pk,
    )
    parties = {
        m.party_id: m.party
        for m in CandidateMember.objects.filter(candidate__in=[task.first_id, task.second_id]).select_related("party")
    }
    rows = selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
    ids = {(row.is_confirmed, row.id): row for row in rows}
    sides = [
        (
            candidate,
            ids.get((False, candidate.pk)) or ids.get((True, candidate.group_id or 0)),
            list(CandidateMember.objects.filter(candidate=candidate).select_related("party")),
        )
        for candidate in (task.first, task.second)
    ]
    if not any(row for _candidate, row, _members in sides):
        raise Http404(_("没有这项任务，或不在您的数据范围内"))
    may_decide = visit.has(Role.IDENTIFICATION_OFFICER) and task.status == MergeTask.Status.OPEN
    form = ReasonForm(request.POST or None) if may_decide else None
    if request.method == "POST" and form is not None:
        proposer = Staff.objects.filter(pk=request.POST.get("proposer") or 0).first()
        if proposer is None:
            form.add_error(None, _("请选择提议人"))
        elif form.is_valid():
            try:
                services.decide_merge_task(
                    actor=visit.actor,
                    proposer=proposer,
                    task=task,
                    decision=form.cleaned_data["reason"],
                    business_date=visit.business_date,
                )
                return redirect("group_list")
            except services.DecisionError as error:
                form.add_error(None, str(error))
    officers = RoleAssignment.objects.filter(role=Role.IDENTIFICATION_OFFICER, valid_to__isnull=True)
    return render(
        request,
        "pages/merge_task.html",
        {
            "task": task,
            "sides": sides,
            "shared": [parties[pk] for pk in task.shared if pk in parties],
            "union_fen": _union_fen(sides, visit),
            "form": form,
            "officers": Staff.objects.filter(pk__in=officers.values("staff")).exclude(pk=visit.actor.pk),
            "crumbs": [{"url": reverse("group_list"), "label": _("集团客户")}],
            "as_of": visit.as_of,
        },
        status=422 if request.method == "POST" else 200,
    )


def _union_fen(sides: list[tuple[Any, selectors.GroupRow | None, Any]], visit: Visit) -> int:
    from shouxin.facilities.selectors import group_total_fen

    return group_total_fen(
        {customer for _candidate, row, _members in sides if row for customer in row.customer_ids}, as_of=visit.as_of
    )
