"""Limits: groups' trees, their journal, a hold's life, trying an amount, freezing by two persons."""

import datetime as dt
import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import services as audit
from shouxin.domain.money import in_wan
from shouxin.facilities.rules import findings_of_refusals
from shouxin.limits import lines, selectors
from shouxin.limits import services as limits
from shouxin.limits.labels import OPERATIONS
from shouxin.limits.models import Hold, Movement, Node, StatusRequest
from shouxin.reporting.exports import table_csv, table_xlsx
from shouxin.web.access import EARLIEST, LATEST, Role, Visit, page, say_today_only
from shouxin.web.limit_acts import carry_out
from shouxin.web.limit_forms import SimulateForm, StatusForm
from shouxin.web.views.cases import XLSX, attachment

PAGE = 50
STATUS_TONES = {"ACTIVE": "green", "SUSPENDED": "amber", "FROZEN": "red", "EXPIRED": "plain", "CLOSED": "plain"}


def _say_now(request: HttpRequest, visit: Visit) -> None:
    text = _("额度台账不能按 %(day)s 显示，以下为目前的额度；过去某日的余额请查额度流水。")
    say_today_only(request, visit, text % {"day": visit.as_of})


def _visible_roots(visit: Visit) -> QuerySet[Node]:
    """Groups with at least one member that the person may see."""
    members = Node.objects.filter(parent=OuterRef("pk"), kind=Node.Kind.CUSTOMER, customer__in=visit.customers)
    return Node.objects.filter(Exists(members), kind=Node.Kind.GROUP)


def _root(visit: Visit, pk: int) -> Node:
    root = _visible_roots(visit).select_related("group").filter(pk=pk).first()
    if root is None:
        raise Http404(_("没有这个额度，或不在您的数据范围内"))
    return root


def _rows(visit: Visit, root: Node) -> list[selectors.TreeRow]:
    """The tree without the limits of customers outside the person's view."""
    rows = selectors.list_tree(root)
    inside = set(
        visit.customers.filter(pk__in=[row.node.customer_id for row in rows if row.node.customer_id]).values_list(
            "pk", flat=True
        )
    )
    return [row for row in rows if row.node.customer_id is None or row.node.customer_id in inside]


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    _say_now(request, visit)
    roots = _visible_roots(visit).order_by("pk")
    text, kind = request.GET.get("q", "").strip()[:80], request.GET.get("kind", "")
    if text:
        roots = roots.filter(name__contains=text)
    if kind == "excess":
        roots = roots.filter(Exists(_tree_of(OuterRef("pk")).filter(excess_cause__isnull=False)))
    elif kind == "frozen":
        roots = roots.filter(Exists(_tree_of(OuterRef("pk")).filter(status=Node.Status.FROZEN)))
    after = request.GET.get("after", "")
    if after.isascii() and after.isdecimal() and len(after) < 18:
        roots = roots.filter(pk__gt=int(after))
    found = list(roots[: PAGE + 1])
    context = {
        "nodes": _list_rows(found[:PAGE]),
        "q": text, "kind": kind, "visit": visit,
        "may_reconcile": visit.has(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR),
        "pager": {"count_text": _("本页 %(n)s 个") % {"n": len(found[:PAGE])}, "before": "",
                  "after": found[PAGE - 1].pk if len(found) > PAGE else ""},
    }  # fmt: skip
    return render(request, "pages/limit_list.html", context)


def _tree_of(root: OuterRef) -> QuerySet[Node]:
    from django.db.models import Q

    return Node.objects.filter(Q(pk=root) | Q(parent=root) | Q(parent__parent=root) | Q(parent__parent__parent=root))


def _list_rows(roots: list[Node]) -> list[tuple[Node, Node, int | None, str]]:
    """Root, the limit that counts, what is left of it, tone. A single customer's is its own; its root has none."""
    single = {
        node.parent_id: node
        for node in Node.objects.filter(parent__in=[root for root in roots if root.group_id is None])
        if node.cap_fen is not None
    }
    rows = []
    for root in roots:
        bound = single.get(root.pk, root) if root.cap_fen is None else root
        rows.append((root, bound, bound.own_fen, STATUS_TONES[bound.status]))
    return rows


@page()
def show_tree(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    _say_now(request, visit)
    root = _root(visit, pk)
    rows = _rows(visit, root)
    ids = [row.node.pk for row in rows]
    facilities = [row.node for row in rows if row.node.kind == Node.Kind.FACILITY]
    simulate = SimulateForm(request.GET if "amount" in request.GET else None, facilities=facilities)
    answer = None
    if simulate.is_bound and simulate.is_valid():
        node = next(each for each in facilities if each.pk == simulate.cleaned_data["facility"])
        answer = limits.simulate(
            facility=node, amount_fen=simulate.cleaned_data["amount"].fen, business_date=visit.business_date
        )
    requests = StatusRequest.objects.filter(node__in=ids).select_related("node", "proposed_by", "decided_by")
    may_freeze = visit.has(Role.RISK_OFFICER, Role.APPROVER)
    context = {
        "root": root, "title": root.name, "visit": visit, "answer": answer, "simulate": simulate,
        "subtitle": _("单位：万元；有效可用为路径上最紧的一级"),
        "rows": [(row, STATUS_TONES[row.node.status]) for row in rows],
        "findings": findings_of_refusals(answer) if answer else [],
        "excesses": _open_excesses(ids),
        "waiting": requests.filter(state=StatusRequest.State.PROPOSED),
        "decided": requests.exclude(state=StatusRequest.State.PROPOSED)[:10],
        "may_freeze": may_freeze,
        "status_form": StatusForm(nodes=[row.node for row in rows]) if may_freeze else None,
        "crumbs": [{"url": reverse("limit_list"), "label": _("额度台账")}],
        "actions": [{"label": _("额度流水"), "url": reverse("limit_journal", args=[root.pk]), "icon": "history"},
                    {"label": _("打印"), "print": True}],
    }  # fmt: skip
    return render(request, "pages/limit_tree.html", context)


def _open_excesses(ids: list[int]) -> QuerySet[Any]:
    from shouxin.limits.models import Excess

    return Excess.objects.filter(node__in=ids, closed_at__isnull=True).select_related("node").order_by("cure_by_date")


@page(Role.RISK_OFFICER, Role.APPROVER)
@require_POST
def propose_status(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    root = _root(visit, pk)
    rows = _rows(visit, root)
    form = StatusForm(request.POST, nodes=[row.node for row in rows])
    if not form.is_valid():
        messages.error(request, "；".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("limit_tree", pk=pk)
    node = next(row.node for row in rows if row.node.pk == form.cleaned_data["node"])
    carry_out(
        request,
        lambda: lines.propose_status(
            actor=visit.actor,
            node=node,
            act=form.cleaned_data["act"],
            reason=form.cleaned_data["reason"],
            business_date=visit.business_date,
        ),
        done=_("已提交，待另一人复核。"),
    )
    return redirect("limit_tree", pk=pk)


@page(Role.RISK_OFFICER, Role.APPROVER)
@require_POST
def decide_status(request: HttpRequest, visit: Visit, pk: int, request_pk: int) -> HttpResponse:
    root = _root(visit, pk)
    asked = get_object_or_404(StatusRequest, pk=request_pk, node__in=[row.node.pk for row in _rows(visit, root)])
    carry_out(
        request,
        lambda: lines.decide_status(
            actor=visit.actor,
            request=asked,
            is_agreed=request.POST.get("agree") == "1",
            business_date=visit.business_date,
        ),
        done=_("已办理。"),
    )
    return redirect("limit_tree", pk=pk)


EXPORT_MOST = 50_000


def _chosen_movements(
    request: HttpRequest, visit: Visit, ids: list[int]
) -> tuple[QuerySet[Movement], dict[str, Any], dt.datetime]:
    """The journal by what the page's filters ask for; the filters as read, and the moment of knowledge."""
    chosen = _number(request.GET.get("node", ""))
    movements = selectors.journal(nodes=[chosen] if chosen in ids else ids)
    operation = request.GET.get("operation", "")[:20]
    if operation.isidentifier():
        movements = movements.filter(operation=operation)
    valid_at, known_at = _as_of(request, visit)
    movements = movements.filter(business_date__lte=valid_at, recorded_at__lte=known_at)
    return movements, {"chosen": chosen, "operation": operation, "valid_at": valid_at}, known_at


@page()
def export_journal(request: HttpRequest, visit: Visit, pk: int, form: str) -> HttpResponse:
    """The journal with the page's filters as a file; each export is on the trail."""
    if form not in ("xlsx", "csv"):
        raise Http404
    root = _root(visit, pk)
    movements, asked, known_at = _chosen_movements(request, visit, [row.node.pk for row in _rows(visit, root)])
    found = list(movements[: EXPORT_MOST + 1])
    if len(found) > EXPORT_MOST:
        messages.error(request, _("流水超过 %(most)s 行，请缩小范围后再导出。") % {"most": EXPORT_MOST})
        return redirect("limit_journal", pk=pk)
    head = ("序号", "层级", "额度", "动作", "预占（万元）", "在账（万元）", "累计已用（万元）", "专项预留（万元）",
            "新额度（万元）", "记账日", "记录时间", "预占编号", "原因")  # fmt: skip
    rows = [
        (m.seq, str(m.node.get_kind_display()), m.node.name, m.operation_label, in_wan(m.pending_fen),
         in_wan(m.posted_fen), in_wan(m.consumed_fen), in_wan(m.earmarked_fen),
         "" if m.new_cap_fen is None else in_wan(m.new_cap_fen), str(m.business_date),
         timezone.localtime(m.recorded_at).isoformat(timespec="seconds"), str(m.hold_id or ""), m.cause)
        for m in found
    ]  # fmt: skip
    audit.record(
        actor=visit.actor, action="reporting.journal.exported", subject=("limit", root.pk),
        summary=f"导出额度流水 {form}，{len(rows)} 行", business_date=visit.business_date,
        details={"node": asked["chosen"], "operation": asked["operation"], "valid_at": str(asked["valid_at"]),
                 "known_at": known_at.isoformat()},
    )  # fmt: skip
    name = f"journal-{root.pk}-{asked['valid_at']}.{form}"
    if form == "csv":
        return attachment(table_csv(head, rows), "text/csv; charset=utf-8", name)
    return attachment(table_xlsx("额度流水", head, rows), XLSX, name)


@page()
def show_journal(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    root = _root(visit, pk)
    rows = _rows(visit, root)
    ids = [row.node.pk for row in rows]
    movements, asked, known_at = _chosen_movements(request, visit, ids)
    chosen, valid_at = asked["chosen"], asked["valid_at"]
    filters = request.GET.copy()
    filters.pop("after", None)
    before = _number(request.GET.get("after", ""))
    if before:
        movements = movements.filter(seq__lt=before)
    found = list(movements[: PAGE + 1])
    node = next((row.node for row in rows if row.node.pk == chosen), root)
    context = {
        "root": root, "title": _("额度流水"), "subtitle": root.name, "visit": visit, "rows": found[:PAGE],
        "nodes": [row.node for row in rows], **asked,
        "known_at": known_at if request.GET.get("known_at") else None, "node": node,
        "operations": sorted(OPERATIONS.items()),
        "balance": selectors.balance_as_of(node=node, valid_at=valid_at, known_at=known_at),
        "crumbs": [{"url": reverse("limit_list"), "label": _("额度台账")},
                   {"url": reverse("limit_tree", args=[root.pk]), "label": root.name}],
        "actions": [
            {"label": label, "icon": "download",
             "url": f"{reverse('limit_journal_export', args=[root.pk, form])}?{filters.urlencode()}"}
            for form, label in (("xlsx", _("导出 Excel")), ("csv", _("导出 CSV")))
        ],
        "pager": {"count_text": _("本页 %(n)s 条") % {"n": len(found[:PAGE])}, "before": "",
                  "after": found[PAGE - 1].seq if len(found) > PAGE else ""},
    }  # fmt: skip
    return render(request, "pages/limit_journal.html", context)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _as_of(request: HttpRequest, visit: Visit) -> tuple[dt.date, dt.datetime]:
    """The business date and the moment of knowledge that are asked for; what cannot be read is said."""
    day, known_at = visit.business_date, timezone.now()
    try:
        if asked := request.GET.get("valid_at", ""):
            day = dt.date.fromisoformat(asked)
        if asked := request.GET.get("known_at", ""):
            moment = parse_datetime(asked)
            if moment is None or not EARLIEST <= moment.date() <= LATEST:
                raise ValueError(asked)
            known_at = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
        if not EARLIEST <= day <= LATEST:
            raise ValueError(day)
    except ValueError:
        messages.warning(request, _("日期或时间无法识别，已按现在显示。"))
        return visit.business_date, timezone.now()
    return day, known_at


@page()
def show_hold(request: HttpRequest, visit: Visit, hold_id: uuid.UUID) -> HttpResponse:
    hold = (
        Hold.objects.select_related("facility__customer__party", "rate_set")
        .filter(pk=hold_id, facility__customer__in=visit.customers)
        .first()
    )
    if hold is None:
        raise Http404(_("没有这笔预占，或不在您的数据范围内"))
    events = Movement.objects.filter(hold=hold, level=0).order_by("seq")
    context = {
        "hold": hold, "title": _("预占与放款"), "visit": visit, "events": events,
        "crumbs": [
            {"url": reverse("limit_list"), "label": _("额度台账")},
            {"url": reverse("limit_tree", args=[selectors.root_of(hold.facility).pk]), "label": _("额度树")},
        ],
        "path": limits.simulate(facility=hold.facility, amount_fen=0, business_date=visit.business_date).path,
        "covers": hold.cover_links.select_related("mitigant").filter(share_fen__gt=0),
        "root": selectors.root_of(hold.facility),
        "is_overdue": hold.state == Hold.State.PENDING and hold.expires_at <= timezone.now(),
    }  # fmt: skip
    return render(request, "pages/limit_hold.html", context)
