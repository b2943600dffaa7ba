"""Lines in force, large exposures, several-branch customers, and the related parties of the bank."""

import datetime as dt

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import services as audit
from shouxin.bank.models import CapitalFigure
from shouxin.bank.selectors import find_capital_figure
from shouxin.domain.dates import quarter_end_on_or_before
from shouxin.domain.money import in_wan
from shouxin.facilities import connections, line_life, servicing
from shouxin.facilities.models import BankRelatedParty
from shouxin.facilities.rules import judge_age
from shouxin.monitoring import watch
from shouxin.parties.models import Party
from shouxin.reporting import g14
from shouxin.reporting.exports import group_statistics, table_xlsx
from shouxin.web import credit_forms as forms
from shouxin.web.access import Role, Visit, page
from shouxin.web.views.cases import XLSX, attachment


def _rows(request: HttpRequest, visit: Visit) -> list[line_life.LineRow]:
    rows = line_life.list_lines(scope=visit.scope, as_of=visit.as_of)
    text = request.GET.get("q", "").strip()
    quick = request.GET.get("quick", "")
    if text:
        rows = [row for row in rows if text in row.name or text == row.number]
    if quick == "renew":
        rows = [row for row in rows if row.is_renewable]
    elif quick == "excess":
        rows = [row for row in rows if row.status == "超限"]
    elif quick in ("group", "customer", "public"):
        rows = [row for row in rows if row.kind == quick]
    return rows


@page()
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    chips = [
        ("", _("全部")), ("group", _("集团")), ("customer", _("一般额度")), ("public", _("公开额度")),
        ("renew", _("可续授信")), ("excess", _("超限")),
    ]  # fmt: skip
    quick = request.GET.get("quick", "")
    return render(
        request, "pages/line_list.html",
        {
            "rows": [] if quick == "excess" else _rows(request, visit), "chips": chips, "quick": quick,
            "text": request.GET.get("q", ""), "as_of": visit.as_of, "visit": visit,
            "excesses": watch.open_excesses(scope=visit.scope, as_of=visit.as_of),
            "actions": [
                *(
                    [{"label": _("集团客户统计"), "url": reverse("group_statistics"), "icon": "download"}]
                    if visit.has(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
                    else []
                ),
                {"label": _("导出 Excel"), "url": "export.xlsx?" + request.GET.urlencode(), "icon": "download"},
                {"label": _("打印"), "print": True, "icon": "printer"},
            ],
        },
    )  # fmt: skip


@page()
def export(request: HttpRequest, visit: Visit) -> HttpResponse:
    head = ("类型", "对象", "编号", "机构", "额度（万元）", "已用（万元）", "起始日", "到期日（不含）", "状态", "关注")
    rows = [
        (r.kind_name, r.name, r.number, r.lead_name, in_wan(r.amount_fen), in_wan(r.used_fen),
         str(r.valid_from), str(r.valid_to), r.status, r.flag)
        for r in _rows(request, visit)
    ]  # fmt: skip
    audit.record(
        actor=visit.actor, action="reporting.lines.exported", subject=("export", "lines"),
        summary=f"导出额度 {len(rows)} 行", business_date=visit.business_date,
    )  # fmt: skip
    return attachment(table_xlsx("额度", head, rows), XLSX, f"lines-{visit.business_date}.xlsx")


@page(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def export_groups(_request: HttpRequest, visit: Visit) -> HttpResponse:
    """Every confirmed group with its members, for the risk statistics (JS-02)."""
    body = group_statistics(actor=visit.actor, as_of=visit.as_of, business_date=visit.business_date)
    return attachment(body, XLSX, f"groups-{visit.as_of}.xlsx")


@page()
def show_exposures(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Large exposures and connected sets, several-branch customers, the bank's related parties."""
    related = connections.related_customers(visit.as_of)
    tier1 = find_capital_figure(kind=CapitalFigure.Kind.TIER1, on_or_before=visit.as_of)
    sees_all = visit.has(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
    in_view = {c.pk: c for c in visit.customers.filter(stage="customer").select_related("party")}
    exposures = connections.large_exposures(as_of=visit.as_of, customers=in_view.values(), is_scoped=True)
    return render(
        request, "pages/exposure_list.html",
        {
            "exposures": exposures,
            "limits": sorted({(row.limit_percent, row.limit_citation) for row in exposures}),
            "tier1": tier1, "findings": judge_age(tier1, as_of=visit.as_of) if tier1 else [],
            "multi": servicing.list_multi_branch(scope=visit.scope, as_of=visit.as_of),
            "related": [(in_view[pk], reason) for pk, reason in related.items() if pk in in_view],
            "relations": BankRelatedParty.objects.select_related("party")[:100],
            "related_form": forms.RelatedPartyForm(initial={"valid_from": visit.business_date}),
            "may_enter": visit.has(Role.RISK_OFFICER, Role.IDENTIFICATION_OFFICER),
            "visit": visit, "as_of": visit.as_of,
            "g14": g14.part_four(as_of=min(visit.as_of, visit.business_date)) if sees_all else None,
            "actions": [
                *(
                    [{"label": _("G14 第四部分"), "url": f"{reverse('exposure_g14')}?as_of={visit.as_of}",
                      "icon": "clipboard-data"}]
                    if sees_all
                    else []
                ),
                {"label": _("打印"), "print": True, "icon": "printer"},
            ],
        },
    )  # fmt: skip


def _day_of_report(request: HttpRequest, visit: Visit) -> dt.date:
    """The day asked for; a quarter end that is still to come is refused in words and the last one is taken."""
    if visit.as_of <= visit.business_date:
        return visit.as_of
    text = _("%(day)s 晚于营业日 %(today)s，不能编制这一期报表；以下为最近一个已结束的季度。")
    messages.warning(request, text % {"day": visit.as_of, "today": visit.business_date})
    return visit.business_date


@page(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def show_g14(request: HttpRequest, visit: Visit) -> HttpResponse:
    """G14 part IV of a quarter as it is exported, with the last day to send it (X19)."""
    day = _day_of_report(request, visit)
    report = g14.part_four(as_of=day)
    tier1 = find_capital_figure(kind=CapitalFigure.Kind.TIER1, on_or_before=report.quarter_end)
    return render(
        request, "pages/exposure_g14.html",
        {
            "findings": judge_age(tier1, as_of=report.quarter_end) if tier1 else [],
            "report": report, "left": report.days_left(visit.business_date), "as_of": day,
            "quarters": sorted({*g14.quarters_before(visit.business_date), report.quarter_end}, reverse=True),
            "tier1": tier1,
            "crumbs": [{"url": reverse("exposure_list"), "label": _("大额与关联")}],
            "actions": [
                *(
                    [{"label": _("导出 Excel"), "url": f"{reverse('g14_export')}?as_of={report.quarter_end}",
                      "icon": "download", "primary": True}]
                    if report.due_date
                    else []
                ),
                {"label": _("打印"), "print": True, "icon": "printer"},
            ],
        },
    )  # fmt: skip


@page(Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
def export_g14(request: HttpRequest, visit: Visit) -> HttpResponse:
    """G14 part IV of the quarter that ended last (X19); a quarter that has not ended is refused."""
    if _day_of_report(request, visit) != visit.as_of:
        return redirect("exposure_g14")
    body = g14.export(actor=visit.actor, as_of=visit.as_of, business_date=visit.business_date)
    return attachment(body, XLSX, f"G14-IV-{quarter_end_on_or_before(visit.as_of)}.xlsx")


@require_POST
@page(Role.RISK_OFFICER, Role.IDENTIFICATION_OFFICER)
def add_related(request: HttpRequest, visit: Visit) -> HttpResponse:
    form = forms.RelatedPartyForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        name = data["name"].strip()
        party = Party.objects.filter(Q(name=name) | Q(short_name=name)).first()
        if party is None:
            messages.error(request, _("没有名为“%(name)s”的主体，请先录入。") % {"name": name})
        else:
            try:
                connections.add_bank_relation(
                    actor=visit.actor, party=party, relation=data["relation"], valid_from=data["valid_from"],
                    source=data["source"], business_date=visit.business_date,
                )  # fmt: skip
            except connections.ConnectionInputError as error:
                messages.error(request, str(error))
    else:
        messages.error(request, _("未保存，请检查填写的内容。"))
    return redirect("exposure_list")


@require_POST
@page(Role.RISK_OFFICER, Role.IDENTIFICATION_OFFICER)
def end_related(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    row = get_object_or_404(BankRelatedParty, pk=pk)
    form = forms.RelatedPartyEndForm(request.POST)
    if form.is_valid():
        try:
            connections.end_bank_relation(
                actor=visit.actor, row=row, business_date=visit.business_date, **form.cleaned_data
            )
            messages.success(request, _("关联方登记已结束。"))
        except connections.ConnectionInputError as error:
            messages.error(request, str(error))
    else:
        messages.error(request, _("未保存，请填写结束日和原因。"))
    return redirect("exposure_list")
