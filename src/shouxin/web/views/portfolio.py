"""The portfolio as the end of a day left it: by product, branch, industry, country, currency and guarantor."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.audit import services as audit
from shouxin.domain.money import in_wan
from shouxin.limits import day as ledger_day
from shouxin.policy.products import catalogue
from shouxin.reporting.exports import Cell, table_xlsx
from shouxin.reporting.portfolio import Dimension, Portfolio, find_portfolio
from shouxin.web.access import Role, Visit, page
from shouxin.web.charts import donut_chart
from shouxin.web.templatetags.shouxin_format import translated
from shouxin.web.views.cases import XLSX, attachment

_WHOLE_BANK = (Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR)
SLICES_MAX = 8


@page(*_WHOLE_BANK)
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    found = find_portfolio(as_of=visit.as_of)
    return render(
        request, "pages/portfolio.html",
        {
            "portfolio": found, "as_of": visit.as_of, "may_total": visit.has(Role.RISK_OFFICER),
            "views": [(one, _named(one), _chart(one)) for one in found.dimensions] if found else [],
            "actions": [
                {"label": _("导出 Excel"), "url": f"{reverse('portfolio_export')}?as_of={visit.as_of}",
                 "icon": "download"},
                {"label": _("打印"), "print": True, "icon": "printer"},
            ] if found else [],
        },
    )  # fmt: skip


def _word(dimension: str, value: str) -> str:
    product = catalogue().get(value) if dimension == "PRODUCT" else None
    return str(translated(product.name if product else value))


def _named(dimension: Dimension) -> list[tuple[str, object]]:
    return [(_word(dimension.code, row.value), row) for row in dimension.rows]


def _chart(dimension: Dimension) -> dict[str, object]:
    """The largest as slices, what remains as one."""
    parts = [(_word(dimension.code, row.value), row.net_fen) for row in dimension.rows if row.net_fen > 0]
    shown, rest = parts[:SLICES_MAX], parts[SLICES_MAX:]
    if rest:
        shown.append((_("其他"), sum(fen for _name, fen in rest)))
    return donut_chart(shown, _("万元敞口"))


@page(*_WHOLE_BANK)
def export(_request: HttpRequest, visit: Visit) -> HttpResponse:
    found = find_portfolio(as_of=visit.as_of)
    rows = _rows(found) if found else []
    audit.record(
        actor=visit.actor, action="reporting.portfolio.exported", subject=("export", "portfolio"),
        summary=f"导出授信组合 {len(rows)} 行", business_date=visit.business_date,
    )  # fmt: skip
    head = ("维度", "取值", "预占（万元）", "在账（万元）", "敞口（万元）", "占比（%）")
    return attachment(table_xlsx("授信组合", head, rows), XLSX, f"portfolio-{visit.as_of}.xlsx")


def _rows(found: Portfolio) -> list[tuple[Cell, ...]]:
    return [
        (one.name, _word(one.code, row.value), in_wan(row.pending_fen), in_wan(row.posted_fen),
         in_wan(row.net_fen), "" if row.share is None else round(row.share, 2))
        for one in found.dimensions
        for row in one.rows
    ]  # fmt: skip


@require_POST
@page(Role.RISK_OFFICER)
def total(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Total the portfolio of the business day now; the end of the day does it again."""
    count = ledger_day.total_portfolio(business_date=visit.business_date)
    messages.success(request, _("已汇总 %(day)s 的授信组合，共 %(n)s 行。") % {"day": visit.business_date, "n": count})
    return redirect("portfolio")
