"""W03's idle limits, W18 from follow-ups and statements, W23 from evaluations, and what people report with evidence."""

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from shouxin.domain.money import Money
from shouxin.engagement.models import Activity
from shouxin.facilities.models import Evaluation, FinancialStatement
from shouxin.groups.models import CustomerGroup
from shouxin.limits import services as limits
from shouxin.monitoring import alerts, early_signals, watch
from shouxin.monitoring.allocation import idle_limits
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Customer, Party
from tests.conftest import SmallBank
from tests.demo import DAY, DemoBank
from tests.web.test_pages import sign_in

WAN = 1_000_000
BEFORE = dt.date(2003, 10, 22)


def firm(bank: SmallBank, number: str) -> Customer:
    party = Party.objects.create(kind=Party.Kind.ORGANISATION, name=f"河东{number}有限公司", industry="机械制造")
    return Customer.objects.create(party=party, number=number, unit=bank.west)


def shown(customer: Customer, on: dt.date) -> list[str]:
    return [alert.code for alert in early_signals.raise_early_signals([customer], as_of=on)]


# --- W03 ------------------------------------------------------------------------------------------------------------


def use(customer: Customer, fen: int, on: dt.date) -> None:
    leaf = limits.add_facility_node(
        customer, product="working_capital_loan", product_name="流动资金贷款", name=f"HT-{customer.number}",
        valid_from=on, valid_to=on + dt.timedelta(days=365),
    )  # fmt: skip
    answer = limits.reserve(
        caller="test", key=uuid.uuid4().hex, facility=leaf, amount_fen=fen, business_date=on, actor_id=None,
        expires_at=timezone.now() + dt.timedelta(days=1),
    )  # fmt: skip
    assert answer.is_accepted


def test_w03_a_limit_idle_for_ninety_days_beside_a_full_one(small_bank: SmallBank) -> None:
    """On the day before nothing, on the day a signal; with room left in the other none; after a booking none."""
    day = dt.date(2025, 1, 2)
    idle, busy = firm(small_bank, "K1"), firm(small_bank, "K2")
    for customer in (idle, busy):
        limits.set_cap(
            node=limits.ensure_customer_node(customer), amount_fen=500 * WAN, valid_from=day, valid_to=None,
            approval="批复", basis={}, business_date=day, actor_id=None,
        )  # fmt: skip
    pks, after = [idle.pk, busy.pk], day + dt.timedelta(days=90)
    assert idle_limits(pks, as_of=after) == [], "nobody is full"
    use(busy, 500 * WAN, day)
    assert idle_limits(pks, as_of=after - dt.timedelta(days=1)) == []
    (found,) = idle_limits(pks, as_of=after)
    assert (found.node.customer_id, found.since, found.days) == (idle.pk, day, 90)
    assert [node.customer_id for node in found.full] == [busy.pk]
    use(idle, 1 * WAN, after)
    assert idle_limits(pks, as_of=after) == []


def test_w03_is_raised_once_about_the_group(demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch) -> None:
    from shouxin.limits.models import Node
    from shouxin.monitoring.allocation import Idle

    node = Node.objects.get(customer=demo_bank.customer("C"), kind="CUSTOMER")
    full = Node.objects.get(customer=demo_bank.customer("A"), kind="CUSTOMER")
    monkeypatch.setattr(watch, "idle_limits", lambda *_a, **_k: [Idle(node, DAY - dt.timedelta(days=90), 90, (full,))])
    for _ in range(2):
        watch.watch_group(CustomerGroup.objects.get(), as_of=DAY)
        Alert.objects.filter(code="W03").update(state=Alert.State.CLOSED)
    alert = Alert.objects.get(code="W03")
    assert (alert.inputs["闲置天数"], alert.inputs["阈值"]) == ("90 天", "≥ 90 天")
    assert "unused for 90 days" in alert.english


# --- W18, W23 -------------------------------------------------------------------------------------------------------


def test_w18_contacts_in_a_row_that_come_to_nothing(small_bank: SmallBank) -> None:
    """Two are no row, three are; an answered one in between begins anew; practice counts for nothing."""
    customer = firm(small_bank, "K3")

    def contact(day: int, result: str, **more: object) -> None:
        Activity.objects.create(
            customer=customer, kind="call", happened_at=dt.datetime(2025, 6, day, 10, tzinfo=dt.UTC), text="电话",
            result=result, author_name="甲", **more,
        )  # fmt: skip

    contact(1, "refused")
    contact(2, "answered")
    contact(3, "no_answer")
    contact(4, "refused")
    contact(5, "refused", is_practice=True)
    assert shown(customer, dt.date(2025, 6, 6)) == []
    contact(6, "no_answer")
    assert shown(customer, BEFORE) == []
    assert shown(customer, dt.date(2025, 6, 6)) == ["W18"]
    alert = Alert.objects.get()
    assert (alert.inputs["未成联系"], alert.inputs["阈值"]) == ("3 次", "≥ 3")
    contact(7, "refused")
    assert shown(customer, dt.date(2025, 6, 7)) == [], "the same row is one fact"


def test_w18_statements_that_stay_away(small_bank: SmallBank) -> None:
    """A statement of 18 months ago is in time, a day later the next one is late."""
    customer = firm(small_bank, "K4")
    FinancialStatement.objects.create(
        customer=customer, scope="own", period_end_date=dt.date(2023, 12, 31), source="年报",
        items={name: Money.from_wan(v).fen for name, v in
               {"total_assets": "100", "total_liabilities": "50", "equity": "50"}.items()},
    )  # fmt: skip
    assert shown(customer, dt.date(2025, 6, 30)) == []
    assert shown(customer, dt.date(2025, 7, 1)) == ["W18"]
    assert "超过 18 个月" in Alert.objects.get().message


def test_w23_credit_policy_of_the_industry_turns(small_bank: SmallBank) -> None:
    """From supported to restricted it is shown once; restricted before as well, nothing changed."""
    customer = firm(small_bank, "K5")

    def evaluate(day: int, result: str) -> None:
        Evaluation.objects.create(
            customer=customer, evaluated_date=dt.date(2025, 6, day), valid_to=dt.date(2026, 6, day), need_fen=1,
            conclusion="正常", policy_tags=[{"tag": "钢贸", "result": result}], made_by=small_bank.manager_west,
        )  # fmt: skip

    evaluate(1, "supported")
    assert shown(customer, DAY) == []
    evaluate(2, "restricted")
    assert shown(customer, DAY) == ["W23"]
    assert "钢贸：限制" in Alert.objects.get().message
    evaluate(3, "exit")
    assert shown(customer, DAY) == []


# --- what people report ---------------------------------------------------------------------------------------------


def test_a_reported_signal_keeps_the_day_and_the_evidence(demo_bank: DemoBank) -> None:
    manager, number = sign_in(demo_bank.staff("liujg")), demo_bank.customer("D").number
    given = {"code": "W20", "level": "warn", "subject": number, "message": "欠缴增值税", "evidence": "税务公告 12 号"}
    late = manager.post("/alerts/report/", {**given, "event_date": "2025-07-01"})
    assert (late.status_code, "晚于营业日" in late.content.decode()) == (422, True)
    assert not Alert.objects.exists()
    url = manager.post("/alerts/report/", {**given, "event_date": "2025-06-20"})["Location"]
    alert = Alert.objects.get()
    assert (alert.event_date, alert.evidence) == (dt.date(2025, 6, 20), "税务公告 12 号")
    page = manager.get(url).content.decode()
    for words in ("2025-06-20", "税务公告 12 号", demo_bank.staff("liujg").name):
        assert words in page
    with pytest.raises(alerts.AlertError, match="最多"):
        alerts.report(
            actor=demo_bank.staff("liujg"), code="W19", message="实控人失联", customer=demo_bank.customer("D"),
            business_date=DAY, evidence="x" * 201,
        )  # fmt: skip
