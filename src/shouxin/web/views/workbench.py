"""工作台: where the bank's lines stand and what waits for this person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.audit.models import Entry
from shouxin.domain.money import format_wan
from shouxin.facilities.models import Drawing
from shouxin.groups.selectors import list_open_merge_tasks
from shouxin.reporting import selectors
from shouxin.reporting.dashboard import credit_counts
from shouxin.reporting.todo import Todo, todo_of
from shouxin.web.access import Role, Visit, page, say_today_only
from shouxin.web.charts import group_share_chart
from shouxin.web.templatetags.shouxin_format import moment
from shouxin.web.views.engagement import workbench_blocks


@page()
def show(request: HttpRequest, visit: Visit) -> HttpResponse:
    text = _("集团占比、到期和预警按 %(day)s；授信总额、已用、待办和在办例外按营业日 %(today)s。")
    say_today_only(request, visit, text % {"day": visit.as_of, "today": visit.business_date})
    groups = selectors.list_group_rows(scope=visit.scope, as_of=visit.as_of)
    capital = selectors.capital_on(visit.as_of)
    totals = selectors.totals_in_view(scope=visit.scope, as_of=visit.business_date)
    waiting = (
        Drawing.objects.filter(state=Drawing.State.RESERVED, facility__customer__in=visit.customers)
        .select_related("facility__customer__party", "requested_by")
        .order_by("requested_at")
    )
    todo = todo_of(visit.actor, as_of=visit.business_date)
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
            "my_steps": [task for task in todo.steps if not task.case.kind.startswith("use_")][:6],
            "todo_parts": _parts(todo),
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


def _parts(todo: Todo) -> list[tuple[str, str, int]]:
    """Each part of 我的待办 with its place on that page, its name and how many wait there."""
    names = {
        "freezes": _("待复核的冻结"), "steps": _("案件环节"), "alerts": _("由您处置的预警"), "reviews": _("授信后调查"),
        "renewals": _("可续授信的额度"), "payroll": _("工薪联保集团"),
    }  # fmt: skip
    return [(part, names[part], count) for part, count in todo.counts.items()]


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
