"""Alerts and the dashboard's figures over HTTP."""

import datetime as dt
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from ninja.responses import Status

from shouxin.domain.signals import CATALOGUE
from shouxin.groups.models import CustomerGroup
from shouxin.monitoring import alerts
from shouxin.monitoring.models import Alert
from shouxin.web.api.common import (
    ERRORS,
    ID_MAX,
    READ_ERRORS,
    Asked,
    Key,
    Problem,
    body_of,
    business_date_now,
    client_of,
    customers_of,
    key_of,
    message,
    newest_first,
    once,
)
from shouxin.web.api.exchange import alert_of, alerts_seen_by, dashboard_of
from shouxin.web.models import ApiClient

router = Router(tags=["alerts"])
PAGE = 50
Text = Field(..., min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")


class NoticeOut(Schema):
    """A branch that was told."""

    unit: str
    sent_date: dt.date
    read_date: dt.date | None


class AlertOut(Schema):
    """One alert with its figures and the branches told."""

    id: int
    code: str
    name: str
    risk_type: str
    level: str
    state: str
    customer: str
    group: str
    message: str
    message_en: str
    inputs: dict[str, str]
    opened_date: dt.date
    event_date: dt.date | None
    evidence: str
    owner: str
    due_date: dt.date
    action: str
    notices: list[NoticeOut]


class AlertPage(Schema):
    """One page, the newest first; ``next_cursor`` is empty on the last."""

    alerts: list[AlertOut]
    next_cursor: str


class AlertQuery(Schema):
    """Which alerts, and where the page before ended."""

    state: Literal["", "open", "acted", "closed"] = ""
    cursor: str = Field("", pattern=r"^[0-9]{0,18}$")


class AlertIn(Asked):
    """A signal that somebody reports about a customer or a group, by its number."""

    code: Literal[tuple(CATALOGUE)]  # type: ignore[valid-type]
    subject: str = Field(..., min_length=1, max_length=40, pattern=r"^[^\x00]*$")
    level: Literal["info", "warn", "red"] = "warn"
    message: str = Text
    event_date: dt.date | None = Field(None, description="发生日，不填为今日")
    evidence: str = Field("", max_length=200, pattern=r"^[^\x00]*$", description="依据材料")


class ActionIn(Asked):
    """What was done about it."""

    action: str = Text


class GroupShare(Schema):
    """A group with its share of net capital in percent, by the year-end figure and by the latest."""

    name: str
    is_confirmed: bool
    members: int
    used: str
    line: str | None
    share_percent: str | None
    latest_share_percent: str | None
    level: str


class DashboardOut(Schema):
    """The figures of the dashboard in the view of the client's account; yuan."""

    as_of: dt.date
    currency: str = "CNY"
    line: str
    used: str
    customers: int
    limit_percent: str
    limit_source: str
    warn_percent: str
    renewable_lines: int
    excesses: int
    exceptions: int
    open_alerts: int
    red_alerts: int
    groups: list[GroupShare]


@router.get("/dashboard", auth=Key("read"), response={200: DashboardOut, **READ_ERRORS}, summary="额度总览")
def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Where the lines stand: sums, groups by share of capital, what needs somebody."""
    return dashboard_of(client_of(request).account)


@router.get("/alerts", auth=Key("read"), response={200: AlertPage, **READ_ERRORS}, summary="预警")
def list_alerts(request: HttpRequest, query: Query[AlertQuery]) -> dict[str, Any]:
    """Alerts about what the client's account sees, the newest first."""
    found = alerts_seen_by(client_of(request).account)
    if query.state:
        found = found.filter(state=query.state)
    rows, after = newest_first(found, query.cursor, most=PAGE)
    return {"alerts": [alert_of(alert) for alert in rows], "next_cursor": after}


@router.post("/alerts", auth=Key("cases"), response={201: AlertOut, **ERRORS}, summary="报告预警")
def report(request: HttpRequest, data: AlertIn) -> Status[dict[str, Any]]:
    """Report a signal; every branch with a member is told on the day."""
    client = client_of(request)
    customer = customers_of(client).filter(number=data.subject).first()
    group = CustomerGroup.objects.filter(number=data.subject).first()
    if group is not None and not customers_of(client).filter(memberships__group=group).exists():
        group = None
    if customer is None and group is None:
        raise Problem(404, message("SUBJECT_UNKNOWN", "没有这个客户或集团，或不在该系统的数据范围内。"))

    def act() -> Alert:
        return alerts.report(
            actor=client.account, code=data.code, message=data.message, level=data.level, customer=customer,
            group=group, business_date=business_date_now(), event_date=data.event_date, evidence=data.evidence,
        )  # fmt: skip

    return _written(request, {"report": data.dict()}, act, status=201)


@router.post("/alerts/{alert_id}/act", auth=Key("cases"), response={200: AlertOut, **ERRORS}, summary="处置预警")
def act_on(request: HttpRequest, alert_id: int, data: ActionIn) -> Status[dict[str, Any]]:
    """Say what was done; by its owner or the risk department."""
    client, alert = client_of(request), _find(client_of(request), alert_id)
    return _written(
        request, {"act": alert_id, **data.dict()},
        lambda: alerts.act(
            actor=client.account, alert=alert, action=data.action, business_date=business_date_now()
        ),
    )  # fmt: skip


@router.post("/alerts/{alert_id}/close", auth=Key("cases"), response={200: AlertOut, **ERRORS}, summary="关闭预警")
def close(request: HttpRequest, alert_id: int) -> Status[dict[str, Any]]:
    """Close what has been acted on; another person of the risk department."""
    client, alert = client_of(request), _find(client_of(request), alert_id)
    return _written(
        request, {"close": alert_id},
        lambda: alerts.close(actor=client.account, alert=alert, business_date=business_date_now()),
    )  # fmt: skip


def _written(request: HttpRequest, asked: dict[str, Any], act: Any, *, status: int = 200) -> Status[dict[str, Any]]:
    client, key = client_of(request), key_of(request)

    def do() -> tuple[int, dict[str, Any]]:
        try:
            with transaction.atomic():
                alert = act()
                return status, AlertOut(**alert_of(alerts_seen_by(client.account).get(pk=alert.pk))).model_dump(
                    mode="json"
                )
        except alerts.AlertError as error:
            return 422, body_of(message("ALERT_REFUSED", str(error)))

    return once(client, key, asked, do)


def _find(client: ApiClient, alert_id: int) -> Alert:
    alert: Alert | None = alerts_seen_by(client.account).filter(pk=alert_id).first() if 0 < alert_id <= ID_MAX else None
    if alert is None:
        raise Problem(404, message("ALERT_UNKNOWN", "没有这条预警，或不在该系统的数据范围内。"))
    return alert
