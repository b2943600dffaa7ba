"""The county union looks at how groups are run and has faults mended (RC-03)."""

import datetime as dt

from django.db import transaction

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.models import Inspection, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError

INSPECTORS = rights.COUNTY_RISK | {RoleAssignment.Role.AUDITOR}


@transaction.atomic
def inspect(
    *, actor: Staff, group: PayrollGroup, result: str, demand: str, due_date: dt.date | None, business_date: dt.date
) -> Inspection:
    """Record an inspection. Raises PayrollGroupError for a credit union's people, or a demand without a day."""
    rights.require_county_union(actor, INSPECTORS, day=business_date, article="RC-03")
    if not result.strip():
        raise PayrollGroupError("请写明检查情况。")
    if demand.strip() and (due_date is None or due_date < business_date):
        raise PayrollGroupError("有整改要求的，须填写不早于今天的整改期限。")
    done = Inspection.objects.create(
        group=group, inspector=actor, inspected_date=business_date, result=result.strip(), demand=demand.strip(),
        due_date=due_date if demand.strip() else None,
    )  # fmt: skip
    rights.trace(actor, group, "inspected", f"县联社检查：{result[:80]}", business_date)
    return done


@transaction.atomic
def report_mended(*, actor: Staff, inspection: Inspection, answer: str, business_date: dt.date) -> Inspection:
    """The credit union says how a fault was mended."""
    inspection = Inspection.objects.select_for_update(of=("self",)).select_related("group").get(pk=inspection.pk)
    rights.require(actor, inspection.group, rights.CREDIT_UNION, day=business_date)
    if not inspection.demand or inspection.mended_date is not None or not answer.strip():
        raise PayrollGroupError("请写明整改情况；没有整改要求或已整改的不再登记。")
    inspection.mended_date, inspection.mended_by, inspection.answer = business_date, actor, answer.strip()
    inspection.save(update_fields=["mended_date", "mended_by", "answer"])
    rights.trace(actor, inspection.group, "mended", f"整改：{answer[:80]}", business_date)
    return inspection
