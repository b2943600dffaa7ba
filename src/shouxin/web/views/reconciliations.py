"""Reconciliation with product systems: hand a file in, see what differs, decide on it as another person."""

import re
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.bank.scope import Reach
from shouxin.limits import day
from shouxin.limits.models import ReconciliationItem, ReconciliationRun
from shouxin.web.access import Role, Visit, page
from shouxin.web.limit_acts import carry_out

SHOWN = 100
BYTES_MOST = 5 * 1024 * 1024
STATE_TONES = {"PROPOSED": "amber", "DONE": "green", "DISMISSED": "plain"}


def text_of(content: bytes) -> str:
    """A file's text, UTF-8 or GB18030. Raises ValueError when it is neither."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise ValueError(_("文件不是 UTF-8 或 GB18030 编码的文本。"))


def _items(visit: Visit) -> QuerySet[ReconciliationItem]:
    """Differences on contracts of customers in view."""
    return ReconciliationItem.objects.filter(facility__customer__in=visit.customers)


@page(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    may_upload = visit.has(Role.RISK_OFFICER) and visit.scope.reach is Reach.ALL
    errors: list[Any] = []
    if request.method == "POST":
        if not may_upload:
            raise PermissionDenied(_("对账文件由总行风险管理岗上传。"))
        run, errors = _upload(request, visit)
        if run is not None:
            return redirect("reconciliation_detail", pk=run.pk)
    runs = ReconciliationRun.objects.annotate(
        differences=Count("items"), waiting=Count("items", filter=Q(items__state=ReconciliationItem.State.PROPOSED))
    )[:SHOWN]
    context = {
        "runs": runs, "may_upload": may_upload, "errors": errors, "visit": visit, "shown": SHOWN,
        "crumbs": [{"url": reverse("limit_list"), "label": _("额度")}],
    }  # fmt: skip
    return render(request, "pages/reconciliation_list.html", context, status=422 if errors else 200)


def _upload(request: HttpRequest, visit: Visit) -> tuple[ReconciliationRun | None, list[Any]]:
    """The comparison, or what is wrong with the file; then nothing was compared."""
    system, file = request.POST.get("system", "").strip(), request.FILES.get("file")
    if not re.fullmatch(r"[^\x00]{1,40}", system):
        return None, [day.FileError(0, _("产品系统"), _("请填写，至多 40 字"))]
    if file is None or not file.size or file.size > BYTES_MOST:
        return None, [day.FileError(0, _("文件"), _("请选择不为空、不超过 5 MB 的 CSV 文件"))]
    try:
        text = text_of(file.read())
        run = day.reconcile(system=system, business_date=visit.business_date, text=text, actor=visit.actor)
    except day.ReconciliationFileError as error:
        return None, list(error.errors)
    except ValueError as error:
        return None, [day.FileError(0, _("文件"), str(error))]
    return run, []


@page(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def show(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    run = get_object_or_404(ReconciliationRun, pk=pk)
    items = _items(visit).filter(run=run).select_related("facility", "proposed_by", "decided_by")
    after = request.GET.get("after", "")
    if after.isascii() and after.isdecimal() and len(after) < 18:
        items = items.filter(pk__gt=int(after))
    found = list(items[: SHOWN + 1])
    context = {
        "run": run, "visit": visit, "title": _("%(system)s 对账") % {"system": run.system},
        "rows": [
            (item, STATE_TONES[item.state], visit.has(Role.APPROVER) and item.state == ReconciliationItem.State.PROPOSED
             and item.proposed_by_id not in (None, visit.actor.pk))
            for item in found[:SHOWN]
        ],
        "crumbs": [{"url": reverse("limit_list"), "label": _("额度")},
                   {"url": reverse("reconciliation_list"), "label": _("与产品系统对账")}],
        "pager": {"count_text": _("本页 %(n)s 条") % {"n": len(found[:SHOWN])}, "before": "",
                  "after": found[SHOWN - 1].pk if len(found) > SHOWN else ""},
    }  # fmt: skip
    return render(request, "pages/reconciliation_detail.html", context)


@page(Role.APPROVER)
@require_POST
def decide(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    item = get_object_or_404(_items(visit).select_related("proposed_by"), pk=pk)
    proposer = item.proposed_by
    if proposer is None:
        raise PermissionDenied(_("该差异没有提出人，不能复核。"))
    carry_out(
        request,
        lambda: day.decide_difference(
            actor=visit.actor, item=item, is_agreed=request.POST.get("agree") == "1", proposer=proposer,
            business_date=visit.business_date,
        ),
        done=_("已办理。"),
    )  # fmt: skip
    return redirect("reconciliation_detail", pk=item.run_id)
