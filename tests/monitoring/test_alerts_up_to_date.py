"""An open alert keeps up with the books; what a person wrote stays."""

from dataclasses import replace

import pytest

from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import connections
from shouxin.monitoring import watch
from shouxin.monitoring.alerts import raise_alert, report
from shouxin.monitoring.models import Alert
from tests.demo import DAY, DemoBank


@pytest.mark.parametrize("level", [Alert.Level.WARN, Alert.Level.INFO])
def test_changed_figures_of_an_open_alert_are_brought_up_to_date(demo_bank: DemoBank, level: str) -> None:
    customer = demo_bank.customer("D")

    def raised(text: str, level: str) -> Alert:
        return raise_alert(
            code="W04", customer=customer, business_date=DAY, level=level, message=text, message_en=f"{text} days",
            inputs={"逾期天数": text},
        )  # fmt: skip

    first = raised("逾期 31 天", Alert.Level.WARN)
    assert raised("逾期 40 天", level).pk == first.pk
    first.refresh_from_db()
    assert (first.level, first.message, first.message_en) == ("warn", "逾期 40 天", "逾期 40 天 days")
    assert first.inputs == {"逾期天数": "逾期 40 天"}


def test_what_a_person_reported_is_not_written_over(demo_bank: DemoBank) -> None:
    customer = demo_bank.customer("D")
    told = report(actor=demo_bank.staff("fengxc"), code="W18", message="拖延付款", business_date=DAY, customer=customer)
    raise_alert(code="W18", customer=customer, business_date=DAY, message="机器所见")
    told.refresh_from_db()
    assert told.message == "拖延付款"


def test_two_findings_of_one_signal_stand_in_one_alert_and_a_second_run_changes_nothing(
    demo_bank: DemoBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("循环担保：甲→乙→甲。", "集团内互保占集团额度的 40%。")
    findings = [Finding(f"F{n}", Severity.WARN, text, "W09") for n, text in enumerate(texts)]
    seen = connections.group_guarantees(demo_bank.group, line_fen=None, as_of=DAY)
    monkeypatch.setattr(connections, "group_guarantees", lambda *_, **__: replace(seen, findings=findings))
    for _run in range(2):
        watch.watch_group(demo_bank.group, as_of=DAY)
        assert [alert.message for alert in Alert.objects.filter(code="W09")] == ["".join(texts)]
