"""工作台: where the bank's lines stand and what waits for this person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.approvals.selectors import Task, tasks_of
from shouxin.audit.models import Entry
from shouxin.domain.money import format_wan
from shouxin.facilities.models import Drawing
from shouxin.groups.selectors import list_open_merge_tasks
from shouxin.reporting import selectors
from shouxin.reporting.dashboard import credit_counts
from shouxin.web.access import Role, Visit, page
from shouxin.web.charts import group_share_chart
from shouxin.web.templatetags.shouxin_format import moment
from shouxin.web.views.engagement import workbench_blocks


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    groups = selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
    capital = selectors.capital_on(visit.as_of)
    totals = selectors.totals_in_view(scope=visit.scope)
    waiting = (
        Drawing.objects.filter(state=Drawing.State.RESERVED, facility__customer__in=visit.customers)
        .select_related("facility__customer__party", "requested_by")
        .order_by("requested_at")
    )
    largest = groups[0] if groups else None
    return render(
        request,
        "pages/workbench.html",
        {
            "as_of": visit.as_of,
            "totals": totals,
            "credit": _credit_counts(visit),
            "groups": groups,
            "open_count": sum(not row.is_confirmed for row in groups),
            "capital": capital,
            "largest": largest,
            "share_chart": group_share_chart(groups[:10], capital),
            "waiting": waiting[:8],
            "my_steps": _steps_besides_drawings(visit)[:6],
            "merge_tasks": list_open_merge_tasks() if visit.has(Role.IDENTIFICATION_OFFICER) else [],
            "steps": selectors.next_steps(scope=visit.scope, as_of=visit.as_of),
            "events": [
                {
                    "title": entry.summary,
                    "line": f"{entry.actor_name} · {moment(entry.recorded_at)}",
                    "url": _url_of(entry),
                }
                for entry in _entries(visit)
            ],
            "exposure_text": format_wan(totals.exposure_fen),
            "actions": [{"label": _("打印"), "print": True}],
            **workbench_blocks(visit),
        },
    )


def _steps_besides_drawings(visit: Visit) -> list[Task]:
    """Steps of cases that wait for this person; drawings stand among what waits already."""
    tasks = tasks_of(visit.actor, as_of=visit.business_date)
    return [task for task in tasks if not task.case.kind.startswith("use_")]


def _credit_counts(visit: Visit) -> dict[str, object]:
    counts = credit_counts(
        actor=visit.actor, scope=visit.scope, as_of=visit.as_of, business_date=visit.business_date
    )  # fmt: skip
    return {
        "renewable": counts.renewable,
        "excesses": counts.excesses,
        "excess_tone": "red" if counts.excesses else "",
        "excess_hint": _("支用已停止") if counts.excesses else _("没有超限"),
        "exceptions": counts.exceptions,
        "alerts": counts.alerts,
        "alert_tone": "red" if counts.red_alerts else "",
        "alert_hint": _("其中红色 %(n)s 条") % {"n": counts.red_alerts},
    }


def _entries(visit: Visit) -> list[Entry]:
    """The latest acts on what this person sees."""
    if visit.has(Role.AUDITOR, Role.RISK_OFFICER, Role.APPROVER, Role.IDENTIFICATION_OFFICER):
        return list(Entry.objects.all()[:8])
    numbers = [str(pk) for pk in visit.customers.values_list("pk", flat=True)[:2000]]
    return list(Entry.objects.filter(subject_kind="customer", subject_id__in=numbers)[:8])


def _url_of(entry: Entry) -> str:
    drawing = entry.details.get("drawing")
    return reverse("drawing_detail", args=[drawing]) if drawing else ""
