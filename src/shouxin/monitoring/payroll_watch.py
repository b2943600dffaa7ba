"""W25: a payroll group whose wages did not come, or whose member is no longer paid by the employer (RC-14)."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from shouxin.monitoring.alerts import raise_alert
from shouxin.monitoring.models import Alert
from shouxin.payroll_groups.models import PayrollGroup
from shouxin.payroll_groups.selectors import absent_members, missing_months, owed_fen


def watch_payrolls(*, as_of: dt.date) -> list[Alert]:
    """One alert for each missing month and each member whom the latest payroll leaves out; each fact once for ever."""
    groups = list(
        PayrollGroup.objects.filter(state=PayrollGroup.State.ACTIVE).select_related("employer__party").order_by("pk")
    )
    facts = [*_months(groups, as_of), *_absent(groups)]
    told = set(Alert.objects.filter(key__in=[fact.key for fact in facts]).values_list("key", flat=True))
    return [
        raise_alert(
            code="W25", customer=fact.group.employer, business_date=as_of, key=fact.key, level=fact.level,
            message=fact.message, message_en=fact.message_en,
            inputs={"集团编号": fact.group.number, "月份": fact.month, "依据": fact.basis},
        )
        for fact in facts
        if fact.key not in told
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fact:
    key: str
    group: PayrollGroup
    month: str
    message: str
    message_en: str
    basis: str
    level: str = Alert.Level.WARN


def _months(groups: list[PayrollGroup], as_of: dt.date) -> Iterator[_Fact]:
    for group in groups:
        name = group.employer.party.name
        for month in missing_months(group, as_of=as_of):
            text = f"{month:%Y-%m}"
            yield _Fact(
                f"W25:{group.pk}:{text}", group, text, f"{name} {text} 的代发工资文件没有收到。",
                f"The payroll of {name} for {text} was not received.", "第六条（RC-14）",
            )  # fmt: skip


def _absent(groups: list[PayrollGroup]) -> Iterator[_Fact]:
    for member, payroll in absent_members(groups):
        month = f"{payroll.month:%Y-%m}"
        yield _Fact(
            f"W25:member:{member.pk}:{month}", member.group, month,
            f"{member} 不在 {month} 的工资文件中，可能已离开单位。",
            f"{member} is not in the payroll of {month}: perhaps no longer an employee.", "第五条（RC-06）",
            Alert.Level.RED if owed_fen(member) else Alert.Level.WARN,
        )  # fmt: skip
