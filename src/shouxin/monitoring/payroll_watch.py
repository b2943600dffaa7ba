"""W25: a payroll group whose wages did not come, or whose member is no longer paid by the employer (RC-14)."""

import datetime as dt

from shouxin.monitoring.alerts import raise_alert
from shouxin.monitoring.models import Alert
from shouxin.payroll_groups.models import PayrollGroup
from shouxin.payroll_groups.selectors import absent_members, missing_months, owed_fen


def watch_payrolls(*, as_of: dt.date) -> list[Alert]:
    """One alert for each missing month and each member whom the latest payroll leaves out; each once."""
    groups = list(
        PayrollGroup.objects.filter(state=PayrollGroup.State.ACTIVE)
        .select_related("employer__party")
        .prefetch_related("payrolls")
        .order_by("pk")
    )
    found = []
    for group in groups:
        found += [
            raise_alert(
                code="W25", customer=group.employer, business_date=as_of, key=f"W25:{group.pk}:{month:%Y-%m}",
                message=f"{group.employer.party.name} {month:%Y-%m} 的代发工资文件没有收到。",
                message_en=f"The payroll of {group.employer.party.name} for {month:%Y-%m} was not received.",
                inputs={"集团编号": group.number, "月份": f"{month:%Y-%m}", "依据": "第六条（RC-14）"},
            )
            for month in missing_months(group, as_of=as_of)
        ]  # fmt: skip
    for member, payroll in absent_members(groups):
        owed = owed_fen(member)
        found.append(
            raise_alert(
                code="W25", customer=member.group.employer, business_date=as_of, key=f"W25:member:{member.pk}",
                level=Alert.Level.RED if owed else Alert.Level.WARN,
                message=f"{member} 不在 {payroll.month:%Y-%m} 的工资文件中，可能已离开单位。",
                message_en=f"{member} is not in the payroll of {payroll.month:%Y-%m}: perhaps no longer an employee.",
                inputs={"集团编号": member.group.number, "月份": f"{payroll.month:%Y-%m}", "依据": "第五条（RC-06）"},
            )
        )  # fmt: skip
    return found
