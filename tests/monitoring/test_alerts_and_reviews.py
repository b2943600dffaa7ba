"""Alerts with owner, due day and the branches told; half-yearly reviews with the risk department's opinion."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from shouxin.domain.signals import CATALOGUE, RISK_TYPES
from shouxin.monitoring import alerts, early_signals, reviews, watch
from shouxin.monitoring.alerts import AlertError
from shouxin.monitoring.models import Alert, Review
from shouxin.monitoring.reviews import ReviewError
from tests.demo import DAY, DemoBank


def reported(bank: DemoBank) -> Alert:
    return alerts.report(
        actor=bank.staff("liujg"), code="W18", message="拖延提供报表", customer=bank.customer("D"), business_date=DAY
    )


@pytest.mark.clause("UC-06", "HA-07", "BR-07", points="on over before")
def test_a_signal_creates_a_task_with_owner_and_due_date(demo_bank: DemoBank) -> None:
    """Due in ten days: on the tenth it is in time, on the eleventh overdue; before the rule of 2003 there is none."""
    customers = [demo_bank.customer(code) for code in "ABCDEF"]
    assert early_signals.raise_early_signals(customers, as_of=dt.date(2003, 10, 22)) == []
    alert = reported(demo_bank)
    assert (alert.owner, alert.due_date) == (demo_bank.group.responsible, DAY + dt.timedelta(days=10))
    assert alert.state == Alert.State.OPEN
    assert [task.alert for task in alerts.tasks_of_owner(alert.owner, as_of=DAY)] == [alert]
    late = [alerts.is_late(alert, as_of=DAY + dt.timedelta(days=days)) for days in (10, 11)]
    assert late == [False, True]
    assert reported(demo_bank).pk == alert.pk, "one open alert of a kind"


@pytest.mark.clause("BR-10")
def test_a_warning_reaches_all_branches_with_a_member_the_same_day(demo_bank: DemoBank) -> None:
    alert = reported(demo_bank)
    told = {(n.unit.name, n.sent_date) for n in alert.notices.select_related("unit")}
    assert told == {("城东支行", DAY), ("城西支行", DAY), ("营业部", DAY)}
    alerts.mark_read(actor=demo_bank.staff("qianf"), alert=alert, business_date=DAY)
    assert alert.notices.get(unit__name="城东支行").read_by == demo_bank.staff("qianf")


def test_each_alert_carries_one_of_the_risk_types() -> None:
    assert {signal.risk_type for signal in CATALOGUE.values()} <= set(RISK_TYPES)
    assert {"多头授信", "过度授信", "不适当分配授信额度", "经营不善", "关联交易"} <= {
        signal.risk_type for signal in CATALOGUE.values()
    }
    assert list(CATALOGUE) == [f"W{number:02d}" for number in range(1, 26)]


def test_an_unknown_signal_is_refused(demo_bank: DemoBank) -> None:
    alert = reported(demo_bank)
    assert alert.risk_type == "经营不善"
    with pytest.raises(AlertError, match="选择信号"):
        alerts.report(actor=demo_bank.staff("liujg"), code="W99", message="x", customer=demo_bank.customer("D"),
                      business_date=DAY)  # fmt: skip


def test_who_acted_cannot_close(demo_bank: DemoBank) -> None:
    alert = reported(demo_bank)
    with pytest.raises(AlertError, match="尚未处置"):
        alerts.close(actor=demo_bank.staff("fengxc"), alert=alert, business_date=DAY)
    with pytest.raises(AlertError, match="处置人"):
        alerts.act(actor=demo_bank.staff("suny"), alert=alert, action="x", business_date=DAY)
    alerts.act(actor=demo_bank.staff("liujg"), alert=alert, action="约谈财务", business_date=DAY)
    closed = alerts.close(actor=demo_bank.staff("fengxc"), alert=alert, business_date=DAY)
    assert closed.state == Alert.State.CLOSED
    with pytest.raises(IntegrityError, match="alert_four_eyes"), transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(acted_by=demo_bank.staff("fengxc"))


@pytest.mark.clause("JS-12")
def test_the_end_of_a_day_raises_the_indicator_once(demo_bank: DemoBank) -> None:
    """G1 is at 13.50 % of the quarter-end figure: an alert; a second run on the day adds nothing."""
    first = watch.end_of_day(as_of=DAY)
    assert {"W01", "W02", "W09", "W10"} <= set(Alert.objects.values_list("code", flat=True))
    again = watch.end_of_day(as_of=DAY)
    assert (first.alerts > 0, again.alerts, again.reviews) == (True, 0, 0)


@pytest.mark.clause("CB+8", points="on over before")
def test_a_review_is_due_every_half_year_and_continues_only_with_an_opinion(demo_bank: DemoBank) -> None:
    """The line began on 2025-06-30: due on 2025-12-30, listed 30 days ahead, not before."""
    assert reviews.plan_reviews(as_of=dt.date(1999, 10, 19)) == 0, "no rule yet"
    assert reviews.plan_reviews(as_of=dt.date(2025, 11, 29)) == 0
    day = dt.date(2025, 11, 30)
    assert reviews.plan_reviews(as_of=day) == 1
    review = Review.objects.get()
    assert (review.group, review.due_date) == (demo_bank.group, dt.date(2025, 12, 30))
    with pytest.raises(ReviewError, match="调查报告"):
        reviews.give_opinion(
            actor=demo_bank.staff("fengxc"), review=review, opinion="同意", continues=True, business_date=day
        )
    reviews.report_review(
        actor=demo_bank.staff("liujg"), review=review, report="经营正常", has_major_change=False, business_date=day
    )
    with pytest.raises(ReviewError, match="风险"):
        reviews.give_opinion(
            actor=demo_bank.staff("hewei"), review=review, opinion="同意", continues=True, business_date=day
        )
    with pytest.raises(ReviewError, match="不能继续使用"):
        reviews.give_opinion(
            actor=demo_bank.staff("fengxc"), review=review, opinion=" ", continues=True, business_date=day
        )
    done = reviews.give_opinion(
        actor=demo_bank.staff("fengxc"), review=review, opinion="同意", continues=True, business_date=day
    )
    assert (done.state, done.filed_date) == (Review.State.CONTINUES, day)
    with pytest.raises(IntegrityError, match="continued_with_opinion_and_filing"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(filed_date=None)
    assert reviews.plan_reviews(as_of=dt.date(2026, 5, 1)) == 1, "the next one is half a year after the last"


def test_with_a_major_change_the_line_does_not_simply_go_on(demo_bank: DemoBank) -> None:
    day = dt.date(2025, 12, 1)
    reviews.plan_reviews(as_of=day)
    review = reviews.report_review(
        actor=demo_bank.staff("liujg"), review=Review.objects.get(), report="主要客户流失", has_major_change=True,
        business_date=day,
    )  # fmt: skip
    with pytest.raises(ReviewError, match="重新申报"):
        reviews.give_opinion(
            actor=demo_bank.staff("fengxc"), review=review, opinion="x", continues=True, business_date=day
        )
    stopped = reviews.give_opinion(
        actor=demo_bank.staff("fengxc"), review=review, opinion="压降", continues=False, business_date=day
    )
    assert stopped.state == Review.State.STOPPED


def test_the_nightly_job_runs_once_for_a_day(demo_bank: DemoBank) -> None:
    from shouxin.bank.models import Institution
    from shouxin.jobs.models import JobRun
    from shouxin.monitoring.tasks import end_of_day

    Institution.objects.update(business_date=DAY)
    first = end_of_day(0)
    assert first["alerts"] == Alert.objects.count() > 0
    Alert.objects.update(state=Alert.State.CLOSED)
    assert end_of_day(0) == first, "the kept answer; nothing is raised again"
    assert JobRun.objects.filter(job="monitoring.end_of_day").count() == 1
