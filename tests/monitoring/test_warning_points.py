"""Early warning: the five risks, who is told the same day, and that none was before the rule."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from shouxin.audit.models import Entry
from shouxin.domain.signals import CATALOGUE, RISK_CODES
from shouxin.facilities.models import Deal
from shouxin.groups.models import Membership
from shouxin.monitoring import alerts, watch
from shouxin.monitoring.alerts import AlertError
from shouxin.monitoring.models import Alert
from tests.demo import DAY, DemoBank
from tests.web.test_pages import sign_in

SINCE, BEFORE = dt.date(2003, 10, 23), dt.date(2003, 10, 22)


def reported(bank: DemoBank, day: dt.date = DAY) -> Alert:
    bank.staff("liujg").role_assignments.update(valid_from=dt.date(2000, 1, 1))
    return alerts.report(
        actor=bank.staff("liujg"), code="W18", message="拖延提供报表", customer=bank.customer("D"), business_date=day
    )


@pytest.mark.clause("BR-05", "HA-04", points="on over")
def test_each_alert_carries_one_of_the_five_risks(demo_bank: DemoBank) -> None:
    """多头授信, 过度授信, 不适当分配, 经营不善, and the fifth by its two names; the table takes no other."""
    assert set(RISK_CODES.values()) == {"R1", "R2", "R3", "R4", "R5"}
    assert RISK_CODES["关联交易"] == RISK_CODES["资产重组"] == "R5", "assets or profits moved at unfair prices"
    assert {signal.risk_type for signal in CATALOGUE.values()} == set(RISK_CODES)
    watch.end_of_day(as_of=DAY)
    for code in CATALOGUE:
        alerts.report(actor=demo_bank.staff("fengxc"), code=code, message="x", group=demo_bank.group, business_date=DAY)
    raised = Alert.objects.all()
    assert len(raised) >= len(CATALOGUE)
    assert {alert.risk_code for alert in raised} == {"R1", "R2", "R3", "R4", "R5"}
    with pytest.raises(IntegrityError, match="alert_of_a_known_risk"), transaction.atomic():
        raised.filter(pk=raised[0].pk).update(risk_type="市场风险")
    page = sign_in(demo_bank.staff("fengxc")).get(reverse("alert_detail", args=[raised.filter(code="W12")[0].pk]))
    assert "R5 资产重组 (BR-05)" in page.content.decode()


@pytest.mark.clause("HA-07", "BR-07", "BR-10", points="on over")
def test_a_warning_is_a_task_and_reaches_every_branch_with_a_member(demo_bank: DemoBank) -> None:
    """Owner and due day; the three branches of the members the same day, not a fourth that has none; a branch that
    comes to have a member's loan is told of the next one."""
    alert = reported(demo_bank)
    assert (alert.owner, alert.due_date) == (demo_bank.group.responsible, DAY + dt.timedelta(days=10))
    told = {(notice.unit.name, notice.sent_date) for notice in alert.notices.select_related("unit")}
    assert told == {("城东支行", DAY), ("城西支行", DAY), ("营业部", DAY)}
    for who, is_told in (("qianf", True), ("hewei", True), ("taoy", True), ("maj", False)):
        page = sign_in(demo_bank.staff(who)).get("/alerts/").content.decode()
        assert ("拖延提供报表" in page) is is_told, who
    fourth = demo_bank.staff("maj").unit
    Deal.objects.filter(customer=demo_bank.customer("E"), product="working_capital_loan").update(branch=fourth)
    next_one = alerts.report(
        actor=demo_bank.staff("liujg"), code="W19", message="涉案", customer=demo_bank.customer("D"), business_date=DAY
    )
    assert {notice.unit for notice in next_one.notices.all()} >= {fourth}


@pytest.mark.clause("HA-07", "BR-05", "HA-04", "BR-07", "BR-10", points="before")
def test_before_the_rule_there_is_no_warning(demo_bank: DemoBank) -> None:
    """On 2003-10-22 nobody can raise one and the end of the day raises none; the day after it is there."""
    Membership.objects.update(valid=(None, None))
    Deal.objects.update(start_date=dt.date(2000, 1, 1))
    trail = Entry.objects.count()
    with pytest.raises(AlertError, match="2003-10-22 预警制度尚未施行"):
        reported(demo_bank, BEFORE)
    assert watch.end_of_day(as_of=BEFORE).alerts == 0
    assert (Alert.objects.count(), Entry.objects.count()) == (0, trail)
    assert reported(demo_bank, SINCE).due_date == SINCE + dt.timedelta(days=10)
    assert watch.end_of_day(as_of=SINCE).alerts > 0
