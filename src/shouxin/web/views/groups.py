"""Group customers: the list, a group with its proofs and limits, and what people decide."""

import datetime as dt
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import selectors as audit
from shouxin.domain.money import format_wan
from shouxin.facilities.lead import find_lead
from shouxin.facilities.line_findings import judge_group_line
from shouxin.facilities.models import GroupLine
from shouxin.facilities.rules import judge_group_total
from shouxin.groups import judgement, services
from shouxin.groups.models import Candidate, CandidateMember, CustomerGroup, GroupChange, MergeTask
from shouxin.groups.selectors import find_latest_determination, list_members, list_open_merge_tasks
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book
from shouxin.reporting import group_pages, selectors
from shouxin.reporting.evidence_export import evidence_xlsx
from shouxin.web.access import Role, Visit, page
from shouxin.web.charts import donut_chart, percent
from shouxin.web.forms import ConfirmForm, MergeForm, ResponsibleForm
from shouxin.web.templatetags.shouxin_format import moment

Proofs = list[tuple[Party, str, list[dict[str, object]]]]
SUPPOSITIONS_MAX = 20
DIGITS_MAX = 18


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    rows = selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
    tasks_in_view = {row.merge_task_id for row in rows}
    text = request.GET.get("q", "").strip()
    if text:
        rows = [row for row in rows if text in row.name or text in row.label]
    actions: list[dict[str, Any]] = [{"label": _("假设分析"), "url": reverse("what_if"), "icon": "route"}]
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
            "tasks": [task for task in list_open_merge_tasks() if task.pk in tasks_in_view],
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
    proofs = [(m.customer.party, m.basis, m.evidence) for m in members]
    shown = selectors.group_page(
        row=row,
        anchors={m.candidate.anchor_id for m in members if m.candidate},
        proofs=_recomputed(proofs, visit) if visit.is_past else proofs,
        scope=visit.scope,
        as_of=visit.as_of,
        compared_with=_other_day(request),
    )
    lines = GroupLine.objects.filter(group=group, valid_from__lte=visit.as_of).order_by("valid_from", "pk")
    line = lines.filter(valid_to__gt=visit.as_of).last()
    ended_line = None if line else lines.order_by("valid_to").last()
    common = _context(visit, shown)
    above = judge_group_line(
        used_fen=row.exposure_fen, line_fen=row.line_fen, ended=ended_line.valid_to if ended_line else None
    )
    over_badge = [{"text": _("超过额度"), "tone": "red"}] if above else []
    context = common | {
        "title": group.name,
        "badges": [{"text": _("集团客户"), "tone": "blue"}, *over_badge, *_level_badge(row.level)],
        "findings": [*above, *common["findings"]],
        "ended_line": ended_line,
        "available_fen": 0 if ended_line else row.available_fen,
        "facts": [
            _("牵头行：%(unit)s") % {"unit": group.lead_unit.name if group.lead_unit else _("未定")},
            _("负责人：%(name)s") % {"name": group.responsible.name},
            _("成员 %(n)s 家") % {"n": row.member_count},
            _("编号 %(number)s") % {"number": group.number},
        ],
        "line": line,
        "group": group,
        "pending": group.changes.filter(status=GroupChange.Status.PROPOSED).first(),
        "proposals": group.proposals.filter(status=Candidate.Status.PROPOSED),
        "versions": group.versions.order_by("-number"),
        "lead": find_lead(group, as_of=visit.as_of),
        "may_judge": visit.has(Role.IDENTIFICATION_OFFICER),
        "responsible_form": ResponsibleForm(initial={"responsible": group.responsible_id}),
        "compared_with": _other_day(request),
        "top_share_text": percent(_top_share(shown)),
        "recomputed": visit.is_past,
        "actions": _actions(group, visit),
        "events": [
            {"title": entry.summary, "line": f"{entry.actor_name} · {moment(entry.recorded_at)}"}
            for entry in audit.list_entries(subject=("group", group.pk), limit=10)
        ],
    }
    return render(request, "pages/group_detail.html", context)


def _recomputed(proofs: Proofs, visit: Visit) -> Proofs:
    """The same members with the proof that the evidence of the day in view gives; (四) stays what people stated."""
    found = group_pages.proofs_on([party.pk for party, _basis, _steps in proofs], as_of=visit.as_of)
    rows: Proofs = []
    for party, basis, steps in proofs:
        proof = found[party.pk]
        if basis == judgement.OTHER_RELATION:
            rows.append((party, basis, steps))
        elif proof.sentences:
            rows.append((party, proof.basis, [{"sentence": text} for text in proof.sentences]))
        else:
            text = _("%(day)s 的证据不能证明 %(name)s 属于本集团。") % {"day": visit.as_of, "name": party.name}
            rows.append((party, basis, [{"sentence": text}]))
    return rows


def _other_day(request: HttpRequest) -> dt.date | None:
    """The day that the picture is compared with; none when it is no date."""
    try:
        return dt.date.fromisoformat(request.GET.get("compare", ""))
    except ValueError:
        return None


@page()
def export_evidence(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:  # noqa: ARG001
    """The evidence tables behind a group on a day, as a workbook that ``shouxin identify`` reads."""
    group = get_object_or_404(CustomerGroup, number=number)
    row = _row(visit, is_confirmed=True, pk=group.pk)
    content = evidence_xlsx(
        group=group, customer_ids=row.customer_ids, actor=visit.actor, as_of=visit.as_of,
        business_date=visit.business_date,
    )  # fmt: skip
    answer = HttpResponse(content, content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    answer["Content-Disposition"] = f'attachment; filename="{group.number}-{visit.as_of}.xlsx"'
    return answer


@page()
def show_owners(request: HttpRequest, visit: Visit, number: str) -> HttpResponse:
    """控制与受益: who commands the votes of each member beside who owns it in the end, with every path."""
    group = get_object_or_404(CustomerGroup, number=number)
    row = _row(visit, is_confirmed=True, pk=group.pk)
    parties = Customer.objects.filter(pk__in=row.customer_ids).values_list("party_id", flat=True)
    context = {
        "group": group,
        "rows": group_pages.owners_of(set(parties), as_of=visit.as_of),
        "line": load_book().decimal("owner.beneficial_pct", visit.as_of),
        "as_of": visit.as_of,
        "crumbs": [
            {"url": reverse("group_list"), "label": _("集团客户")},
            {"url": reverse("group_detail", args=[group.number]), "label": group.name},
        ],
    }
    return render(request, "pages/group_owners.html", context)


def _top_share(shown: selectors.GroupPage) -> Decimal | None:
    """The largest member's part of the group's exposure (UC-02)."""
    total = shown.row.exposure_fen
    largest = max((member.totals.control_use_fen for member in shown.members), default=0)
    return Decimal(largest) * 100 / total if total else None


def _actions(group: CustomerGroup, visit: Visit) -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = [
        {"label": _("导出证据"), "url": f"{reverse('group_evidence', args=[group.number])}?as_of={visit.as_of}",
         "icon": "download"},
        {"label": _("控制与受益"), "url": f"{reverse('group_owners', args=[group.number])}?as_of={visit.as_of}",
         "icon": "list-tree"},
        {"label": _("集团家谱"), "url": f"{reverse('group_print', args=[group.number])}?as_of={visit.as_of}",
         "icon": "printer"},
    ]  # fmt: skip
    if visit.has(Role.IDENTIFICATION_OFFICER):
        actions.append({"label": _("成员变更"), "url": reverse("group_members", args=[group.number]), "icon": "users"})
    return actions


@page()
def what_if(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Suppose other holdings and see groups, exposures and limits before and after; nothing is saved."""
    asked = list(
        zip(request.GET.getlist("holder"), request.GET.getlist("company"), request.GET.getlist("percent"), strict=False)
    )
    rows = [tuple(cell.strip() for cell in row) for row in asked if any(cell.strip() for cell in row)]
    suppositions, problems = [], []
    for holder, company, share in rows[:SUPPOSITIONS_MAX]:
        try:
            suppositions.append(group_pages.find_supposition(holder, company, share, scope=visit.scope))
        except group_pages.SuppositionError as error:
            problems.append(str(error))
    result = (
        group_pages.what_if(suppositions, scope=visit.scope, as_of=visit.as_of)
        if suppositions and not problems
        else None
    )
    blank = [("", "", "")] * max(1, 3 - len(rows))
    return render(
        request,
        "pages/what_if.html",
        {
            "rows": [*rows, *blank][:SUPPOSITIONS_MAX],
            "problems": problems,
            "result": result,
            "sides": [(_("现在"), result.gone, "red"), (_("变化之后"), result.come, "green")] if result else [],
            "names": group_pages.names_in_groups(scope=visit.scope, as_of=visit.as_of),
            "crumbs": [{"url": reverse("group_list"), "label": _("集团客户")}],
            "as_of": visit.as_of,
        },
        status=422 if problems else 200,
    )


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
    pending = candidate.changes.filter(status=GroupChange.Status.PROPOSED).first()
    may_propose = visit.has(Role.IDENTIFICATION_OFFICER) and pending is None
    form = ConfirmForm(request.POST or None, initial=_suggested(candidate)) if may_propose else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            change = judgement.propose_confirmation(
                actor=visit.actor,
                candidate=candidate,
                left_out=_left_out(request, row),
                business_date=visit.business_date,
                **form.cleaned_data,
            )
            return redirect("group_change", pk=change.pk)
        except judgement.DecisionError as error:
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
        "pending": pending,
    }
    return render(request, "pages/group_detail.html", context, status=422 if request.method == "POST" else 200)


def _suggested(candidate: Candidate) -> dict[str, object]:
    if candidate.updates is not None:
        return {"name": candidate.updates.name, "responsible": candidate.updates.responsible_id}
    return {"name": f"{candidate.name}集团"}


def _left_out(request: HttpRequest, row: selectors.GroupRow) -> set[int]:
    """Customers whose box was not ticked; a form without boxes leaves nobody out."""
    if "with_members" not in request.POST:
        return set()
    kept = {int(text) for text in request.POST.getlist("member") if _is_number(text)}
    return set(row.customer_ids) - kept


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < DIGITS_MAX


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
        "available_fen": shown.row.available_fen,
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
    pending = task.changes.filter(status=GroupChange.Status.PROPOSED).first()
    may_propose = visit.has(Role.IDENTIFICATION_OFFICER) and task.status == MergeTask.Status.OPEN and pending is None
    form = MergeForm(request.POST or None) if may_propose else None
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            change = judgement.propose_merge_decision(
                actor=visit.actor, task=task, business_date=visit.business_date, **form.cleaned_data
            )
            return redirect("group_change", pk=change.pk)
        except judgement.DecisionError as error:
            form.add_error(None, str(error))
    return render(
        request,
        "pages/merge_task.html",
        {
            "task": task,
            "sides": sides,
            "shared": [parties[pk] for pk in task.shared if pk in parties],
            "union_fen": _union_fen(sides, visit),
            "form": form,
            "pending": pending,
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
