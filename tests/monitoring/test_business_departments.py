"""公司、个人业务部: what they find out about a group reaches every branch that has to do with it (Art. 6)."""

import pytest

from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.services import create_unit
from shouxin.monitoring import alerts
from shouxin.monitoring.alerts import AlertError
from shouxin.monitoring.models import Alert
from tests.conftest import SINCE
from tests.demo import DAY, DemoBank


def member_of_department(name: str, role: str) -> Staff:
    head_office = OrgUnit.objects.get(kind="head_office")
    unit = create_unit(code="HO-CORP", name="公司业务部", kind="department", parent=head_office)
    staff = Staff.objects.create(username=name, name=name, unit=unit, joined_date=SINCE, password="!")
    RoleAssignment.objects.create(staff=staff, role=role, valid_from=SINCE)
    return staff


@pytest.mark.clause("BR-10")
def test_a_warning_of_the_business_department_reaches_every_branch_the_same_day(demo_bank: DemoBank) -> None:
    alert = alerts.report(
        actor=member_of_department("corp", "identification_officer"), code="W18", message="集团拟重组，核心厂停产",
        group=demo_bank.group, business_date=DAY,
    )  # fmt: skip
    told = {(n.unit.name, n.sent_date) for n in alert.notices.select_related("unit")}
    assert told == {("城东支行", DAY), ("城西支行", DAY), ("营业部", DAY)}, "and the department is no branch"
    assert (alert.raised_by.unit.name, alert.opened_date) == ("公司业务部", DAY)  # type: ignore[union-attr]
    alerts.mark_read(actor=demo_bank.staff("qianf"), alert=alert, business_date=DAY)
    assert alert.notices.filter(read_by__isnull=True).count() == 2, "who has not read it yet is known"


def test_who_has_no_such_task_opens_no_warning(demo_bank: DemoBank) -> None:
    with pytest.raises(AlertError, match="预警由客户经理"):
        alerts.report(
            actor=member_of_department("clerk", "auditor"), code="W18", message="x", group=demo_bank.group,
            business_date=DAY,
        )  # fmt: skip
    assert not Alert.objects.exists()
