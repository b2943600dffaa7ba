"""What every page shows around its content: navigation by role, who is signed in, the business day, what waits."""

from collections.abc import Callable
from functools import cache, partial
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.selectors import find_institution
from shouxin.facilities.models import Drawing
from shouxin.groups.selectors import list_open_merge_tasks
from shouxin.reporting.todo import count_pressing
from shouxin.web import page_memory
from shouxin.web.access import Visit, visit_of

Role = RoleAssignment.Role
_WITH_CUSTOMERS = frozenset({Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD})
_IMPORTERS = _WITH_CUSTOMERS | {Role.IDENTIFICATION_OFFICER}
_LENDERS = _WITH_CUSTOMERS | {Role.RISK_OFFICER, Role.APPROVER, Role.OPERATIONS, Role.AUDITOR}
_WHOLE_BANK = {Role.RISK_OFFICER, Role.APPROVER, Role.AUDITOR}


_NAMES = (
    "institution_name", "business_date", "staff_name", "staff_unit", "staff_role", "waiting_count", "waiting_url",
    "navigation", "return_url",
)  # fmt: skip


def navigation(request: HttpRequest) -> dict[str, object]:
    """Context for base.html, found out when a template uses it: a part of a page never does."""
    found = cache(lambda: _around(request))
    return {name: partial(_one_of, found, name) for name in _NAMES}


def _one_of(found: Callable[[], dict[str, object]], name: str) -> object:
    return found().get(name, "")


def _around(request: HttpRequest) -> dict[str, object]:
    """Nearly nothing for visitors who are not signed in."""
    return_url = _return_url(request)
    actor = getattr(request, "user", None)
    if not isinstance(actor, Staff):
        institution = find_institution()
        return {"institution_name": institution.name if institution else "", "return_url": return_url}
    visit = visit_of(request)
    waiting, tasks, steps = page_memory.badges.get(actor.pk, lambda: _count_badges(visit))
    return {
        "institution_name": visit.institution_name,
        "return_url": return_url,
        "business_date": visit.business_date,
        "staff_name": actor.name,
        "staff_unit": actor.unit.name,
        "staff_role": "、".join(_(Role(role).label) for role in sorted(visit.roles)),
        "waiting_count": waiting + tasks + steps,
        "waiting_url": reverse("workbench") + "#waiting",
        "navigation": _sections(request.path, visit.roles, waiting=waiting, tasks=tasks, steps=steps),
    }


def _return_url(request: HttpRequest) -> str:
    """Where a switch of language comes back to: this page, or the one before it when this one answers a form."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    before = urlsplit(request.headers.get("Referer", ""))
    return f"{before.path}?{before.query}" if before.netloc == request.get_host() else "/"


def _count_badges(visit: Visit) -> tuple[int, int, int]:
    """Drawings that wait for a release, 合并认定 tasks, what presses of 我的待办."""
    waiting = Drawing.objects.filter(state=Drawing.State.RESERVED, facility__customer__in=visit.customers).count()
    tasks = list_open_merge_tasks().count() if Role.IDENTIFICATION_OFFICER in visit.roles else 0
    return waiting, tasks, count_pressing(visit.actor, as_of=visit.business_date)


def _sections(path: str, roles: frozenset[str], *, waiting: int, tasks: int, steps: int) -> list[dict[str, object]]:
    def item(name: str, label: str, icon: str, badge: int = 0) -> dict[str, object]:
        url = reverse(name)
        active = path == url if url == "/" else path.startswith(url)
        return {"url": url, "label": label, "icon": icon, "active": active, "badge": badge or None}

    return [
        {
            "title": _("工作台"),
            "items": [
                item("workbench", _("额度总览"), "chart-bar", waiting),
                item("task_list", _("我的待办"), "inbox", steps),
            ],
        },
        {
            "title": _("客户"),
            "items": [
                item("customer_list", _("客户名单"), "users"),
                *([item("pool", _("公海"), "inbox")] if roles & _WITH_CUSTOMERS else []),
                *([item("import_list", _("导入"), "database-import")] if roles & _IMPORTERS else []),
                *(
                    [item("handover_list", _("移交"), "refresh")]
                    if roles & {*_WITH_CUSTOMERS, Role.ADMINISTRATOR}
                    else []
                ),
                *([item("segment_list", _("目标客户群"), "filter")] if roles & _WITH_CUSTOMERS else []),
                *([item("customer_quality", _("名单质量"), "report-analytics")] if roles & _WITH_CUSTOMERS else []),
                item("service_case_list", _("客户事项"), "clipboard-data"),
                *([item("community", _("联谊"), "users-group")] if roles & _WITH_CUSTOMERS else []),
                *([item("absence", _("外出与顶岗"), "calendar-event")] if roles & _WITH_CUSTOMERS else []),
                *([item("duplicate_list", _("疑似重复"), "git-merge")] if Role.BRANCH_HEAD in roles else []),
                *([item("suspected_links", _("关联线索"), "route")] if Role.IDENTIFICATION_OFFICER in roles else []),
                item("group_list", _("集团客户"), "sitemap", tasks),
            ],
        },
        {
            "title": _("授信"),
            "items": [
                item("case_list", _("授信案件"), "briefcase"),
                item("line_list", _("授信额度"), "scale"),
                item("limit_list", _("额度台账"), "list-tree"),
                item("drawing_list", _("额度使用"), "credit-card"),
                *([item("payroll_list", _("工薪联保集团"), "users-group")] if roles & _LENDERS else []),
                item("exposure_list", _("大额与关联"), "report-analytics"),
                *([item("portfolio", _("授信组合"), "clipboard-data")] if roles & _WHOLE_BANK else []),
            ],
        },
        {"title": _("额度授信办法（按章）"), "is_folded": True, "items": _parts_of_the_rule()},
        {
            "title": _("后续管理"),
            "items": [
                item("alert_list", _("预警"), "bell"),
                item("review_list", _("授信后调查"), "file-search"),
            ],
        },
        {
            "title": _("管理"),
            "items": [
                item("policy_list", _("制度登记簿"), "article"),
                item("authority_list", _("授权与委托"), "key"),
                item("parameter_list", _("规则参数"), "adjustments-horizontal"),
                item("product_list", _("授信产品"), "list-tree"),
                item("bank_overview", _("机构与人员"), "users-group"),
            ],
        },
    ]


def _parts_of_the_rule() -> list[dict[str, object]]:
    """The eight parts of the line rule as they stand in its contents (CB-01), each with the page that carries it."""
    parts = (
        (_("总则"), reverse("parameter_list"), "adjustments-horizontal"),
        (_("一般额度授信"), reverse("line_list") + "?quick=customer", "scale"),
        (_("公开额度授信"), reverse("line_list") + "?quick=public", "file-certificate"),
        (_("多头授信客户及集团客户"), reverse("exposure_list") + "#multi-branch", "sitemap"),
        (_("授信额度及使用额度的审批"), reverse("case_list"), "briefcase"),
        (_("后续管理"), reverse("review_list"), "file-search"),
        (_("信贷管理信息系统"), reverse("limit_list"), "list-tree"),
        (_("附则"), reverse("policy_list"), "article"),
    )
    return [{"url": url, "label": label, "icon": icon, "active": False, "badge": None} for label, url, icon in parts]
