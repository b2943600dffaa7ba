"""Raise, circulate and settle alerts. An alert reaches every branch with a member on the day it is raised (BR-10)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import DataScope, Reach, roles_of
from shouxin.domain.signals import CATALOGUE
from shouxin.facilities.selectors import deals_on
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import find_group_of, list_members, memberships_on
from shouxin.monitoring.models import Alert, AlertNotice
from shouxin.parties.models import Customer
from shouxin.parties.selectors import current_owner, visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role
_MAY_RAISE = frozenset({_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD, _Role.RISK_OFFICER, _Role.IDENTIFICATION_OFFICER})
EVIDENCE_LENGTH_MAX = 200  # of the column that keeps it
_RANK = {Alert.Level.INFO: 0, Alert.Level.WARN: 1, Alert.Level.RED: 2}


class AlertError(ValueError):
    """The act is not possible; the text says what to do."""


@transaction.atomic
def raise_alert(
    *, code: str, message: str, business_date: dt.date, customer: Customer | None = None,
    group: CustomerGroup | None = None, level: str = Alert.Level.WARN, inputs: Mapping[str, str] | None = None,
    key: str = "", raised_by: Staff | None = None, message_en: str = "", event_date: dt.date | None = None,
    evidence: str = "",
) -> Alert:  # fmt: skip
    """Open an alert, or bring the open one of the same key up to date; every branch concerned is told at once.

    Raises:
        AlertError: on a day before the rule on early warning was in force; what looks at books asks ``is_watching``.
    """
    due_days = load_book().in_force("alert.due_days", business_date)
    if due_days is None:
        raise AlertError(f"{business_date} 预警制度尚未施行，没有预警（UC-06）。")
    signal = CATALOGUE[code]
    if group is None and customer is not None:
        group = find_group_of(customer.pk, as_of=business_date)
    identity = key or f"{code}:{customer.pk if customer else ''}:{group.pk if group else ''}"
    open_one = Alert.objects.select_for_update().filter(key=identity).exclude(state=Alert.State.CLOSED).first()
    if open_one is not None:
        rises = _RANK[Alert.Level(level)] > _RANK[Alert.Level(open_one.level)]
        if rises or (
            raised_by is None and open_one.raised_by_id is None
        ):  # what a person wrote gives way to worse only
            _bring_up_to_date(
                open_one, level=level if rises else open_one.level, message=message, message_en=message_en,
                inputs=dict(inputs or {}),
            )  # fmt: skip
        return open_one
    alert = Alert.objects.create(
        code=code, risk_type=signal.risk_type, level=level, customer=customer, group=group, message=message,
        message_en=message_en, inputs=dict(inputs or {}), key=identity, opened_date=business_date,
        owner=_owner(customer, group),
        due_date=business_date + dt.timedelta(days=int(due_days.decimal)),
        raised_by=raised_by, event_date=event_date, evidence=evidence,
    )  # fmt: skip
    AlertNotice.objects.bulk_create(
        AlertNotice(alert=alert, unit_id=unit, sent_date=business_date)
        for unit in sorted(_units(customer, group, business_date))
    )
    audit.record(
        actor=raised_by, action="monitoring.alert.raised",
        subject=("group", group.pk) if group else ("customer", customer.pk if customer else None),
        summary=f"预警 {code} {signal.name}：{message}", business_date=business_date, details={"alert": alert.pk},
    )  # fmt: skip
    return alert


def _bring_up_to_date(alert: Alert, *, level: str, message: str, message_en: str, inputs: dict[str, str]) -> None:
    """The sentence and the figures of today; the level only rises while an alert is open."""
    figures = (level, message, message_en, inputs)
    if figures != (alert.level, alert.message, alert.message_en, alert.inputs):
        alert.level, alert.message, alert.message_en, alert.inputs = figures
        alert.save(update_fields=["level", "message", "message_en", "inputs"])


def is_watching(as_of: dt.date) -> bool:
    """Whether early warning is in force on a day (UC-06, HA-07)."""
    return load_book().in_force("alert.due_days", as_of) is not None


def _owner(customer: Customer | None, group: CustomerGroup | None) -> Staff | None:
    if group is not None:
        return group.responsible
    owner = current_owner(customer) if customer is not None else None
    return owner.staff if owner else None


def _units(customer: Customer | None, group: CustomerGroup | None, as_of: dt.date) -> set[int]:
    """Every branch that has a member of the group, or the customer, as its own or on its books."""
    members = {m.customer_id for m in list_members(group, as_of=as_of)} if group else set()
    if customer is not None:
        members.add(customer.pk)
    units = set(Customer.objects.filter(pk__in=members).values_list("unit_id", flat=True))
    return units | set(deals_on(as_of).filter(customer__in=members).values_list("branch_id", flat=True))


def report(
    *, actor: Staff, code: str, message: str, business_date: dt.date, customer: Customer | None = None,
    group: CustomerGroup | None = None, level: str = Alert.Level.WARN, event_date: dt.date | None = None,
    evidence: str = "",
) -> Alert:  # fmt: skip
    """Somebody reports a signal that no book shows, with the day it happened and what shows it.

    Raises AlertError without a description or the right to, and for a day that is still to come.
    """
    if not roles_of(actor, as_of=business_date) & _MAY_RAISE:
        raise AlertError("预警由客户经理、支行行长、风险审查或集团认定岗提出。")
    if code not in CATALOGUE or not message.strip():
        raise AlertError("请选择信号并写明情况。")
    if event_date is not None and event_date > business_date:
        raise AlertError(f"发生日 {event_date} 晚于营业日 {business_date}，请更正。")
    if len(evidence) > EVIDENCE_LENGTH_MAX:
        raise AlertError(f"依据材料最多 {EVIDENCE_LENGTH_MAX} 个字。")
    return raise_alert(
        code=code, message=message.strip(), business_date=business_date, customer=customer, group=group, level=level,
        raised_by=actor, event_date=event_date or business_date, evidence=evidence.strip(),
    )  # fmt: skip


@transaction.atomic
def act(*, actor: Staff, alert: Alert, action: str, business_date: dt.date) -> Alert:
    """The owner, or head office's risk officers, say what was done."""
    alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    is_risk = _Role.RISK_OFFICER in roles_of(actor, as_of=business_date)
    if alert.owner_id != actor.pk and not is_risk:
        raise AlertError("由处置人或总行风险审查岗处置。")
    if alert.state == Alert.State.CLOSED or not action.strip():
        raise AlertError("请写明处置措施；已关闭的预警不能再处置。")
    alert.action, alert.acted_by, alert.acted_date, alert.state = action, actor, business_date, Alert.State.ACTED
    alert.save(update_fields=["action", "acted_by", "acted_date", "state"])
    _trace(alert, actor, "acted", f"处置预警 {alert.code}：{action}", business_date)
    return alert


@transaction.atomic
def close(*, actor: Staff, alert: Alert, business_date: dt.date) -> Alert:
    """Another person of the risk department closes what has been acted on."""
    alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    if _Role.RISK_OFFICER not in roles_of(actor, as_of=business_date):
        raise AlertError("预警由总行风险审查岗关闭。")
    if alert.state != Alert.State.ACTED:
        raise AlertError("预警尚未处置，不能关闭。")
    if alert.acted_by_id == actor.pk:
        raise AlertError("处置人不能自行关闭（四眼原则）。")
    alert.state, alert.closed_by, alert.closed_date = Alert.State.CLOSED, actor, business_date
    alert.save(update_fields=["state", "closed_by", "closed_date"])
    _trace(alert, actor, "closed", f"关闭预警 {alert.code}", business_date)
    return alert


def is_late(alert: Alert, *, as_of: dt.date) -> bool:
    """Whether nobody has acted on an alert and its last day to do so is over."""
    return alert.state == Alert.State.OPEN and alert.due_date < as_of


@dataclass(frozen=True, slots=True)
class AlertTask:
    """An alert that waits for its owner."""

    alert: Alert
    is_late: bool


def tasks_of_owner(owner: Staff, *, as_of: dt.date) -> list[AlertTask]:
    """The alerts that somebody must act on, the earliest due first (UC-06)."""
    waiting = (
        Alert.objects.filter(owner=owner, state=Alert.State.OPEN)
        .select_related("customer__party", "group")
        .order_by("due_date", "pk")
    )
    return [AlertTask(alert, is_late(alert, as_of=as_of)) for alert in waiting]


def mark_read(*, actor: Staff, alert: Alert, business_date: dt.date) -> None:
    """A branch has read its notice."""
    alert.notices.filter(unit=actor.unit, read_date__isnull=True).update(read_by=actor, read_date=business_date)


def alerts_in_view(scope: DataScope, *, as_of: dt.date) -> QuerySet[Alert]:
    """Alerts about customers that somebody sees, and about groups with such a member."""
    alerts = Alert.objects.select_related("customer__party", "group", "owner")
    if scope.reach is Reach.ALL:
        return alerts
    customers = visible_customers(scope)
    groups = memberships_on(as_of).filter(customer__in=customers).values("group")
    return alerts.filter(customer__in=customers) | alerts.filter(group__in=groups)


def _trace(alert: Alert, actor: Staff, what: str, summary: str, business_date: dt.date) -> None:
    subject = ("group", alert.group_id) if alert.group_id else ("customer", alert.customer_id)
    audit.record(
        actor=actor, action=f"monitoring.alert.{what}", subject=subject, summary=summary, business_date=business_date
    )
