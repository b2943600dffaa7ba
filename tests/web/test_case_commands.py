"""The credit side as commands: one person acts, refusals exit 2 with every finding and write nothing."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.test import Client

from shouxin.approvals.models import Case, Minutes
from shouxin.cli import cli
from shouxin.monitoring.alerts import report
from shouxin.monitoring.models import Alert
from shouxin.web import case_commands
from tests.credit import SUB, decided, prepared_group, propose, reviewed, submitted, with_minutes
from tests.demo import DAY, DemoBank


@pytest.fixture(autouse=True)
def _this_database(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def here(_data: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(case_commands, "database", here)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_case_from_a_file_to_its_submission(demo_bank: DemoBank, tmp_path: Path) -> None:
    file, f = tmp_path / "case.json", demo_bank.customer("B").number
    file.write_text(json.dumps({"kind": "exit", "subject": f, "plan": "半年收回", "until_date": "2025-12-31"}))
    opened = run("cases", "open", str(file), "--as", "zhoulp", "--json")
    assert opened.exit_code == 0, opened.output
    number = document(opened)["number"]
    refused = run("cases", "step", number, "submit", "--as", "zhoulp", "--json")
    assert refused.exit_code == 2
    assert [x["code"] for x in document(refused)["findings"]] == ["INVESTIGATORS_MISSING"]
    assert "没有写入任何内容" in refused.stderr
    file.write_text(json.dumps({"plan": "一年收回", "until_date": "2026-06-30"}))
    assert (
        document(run("cases", "amend", number, str(file), "--as", "zhoulp", "--json"))["contents"]["plan"] == "一年收回"
    )
    for who in ("zhoulp", "qianf"):
        assert run("cases", "step", number, "investigate", "--as", who, "--opinion", "属实", "--on-site").exit_code == 0
    assert run("cases", "step", number, "submit", "--as", "zhoulp").exit_code == 0
    assert run("cases", "step", number, "agree", "--as", "fengxc", "--opinion", "同意").exit_code == 0
    assert "--digest" in run("cases", "step", number, "approve", "--as", "wanghy", "--opinion", "同意").stderr
    digest = document(run("cases", "show", number, "--as", "wanghy", "--json"))["digest"]
    done = run("cases", "step", number, "approve", "--as", "wanghy", "--opinion", "同意", "--digest", digest)
    assert done.exit_code == 0, done.output
    assert Case.objects.get().state == "approved"
    assert number in run("cases", "list", "--as", "zhoulp", "--state", "approved").stdout
    assert run("cases", "show", number, "--as", "suny").exit_code == 2, "another branch"


def test_minutes_are_recorded_and_put_to_a_case(demo_bank: DemoBank, tmp_path: Path) -> None:
    """A meeting to come, a file that is no paper: refused, nothing written; then as on the page, once per number."""
    prepared_group(demo_bank)
    case = submitted(demo_bank, propose(demo_bank, "7000"))
    told = ("cases", "minutes", case.number, "--as", "fengxc", "--minutes", "行办 22 号", "--resolution", "同意")
    late = run(*told, "--held-on", "2025-07-01")
    assert (late.exit_code, "晚于营业日" in late.stderr) == (2, True)
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"no paper")
    assert run(*told, "--held-on", "2025-06-28", "--file", str(scan)).exit_code == 2
    assert not Minutes.objects.filter(number="行办 22 号").exists()
    scan.write_bytes(b"%PDF-1.4 signed")
    done = run(*told, "--held-on", "2025-06-28", "--attendees", "行长、副行长", "--file", str(scan), "--json")
    assert done.exit_code == 0, done.output
    assert document(done)["minutes"] == "行办 22 号"
    kept = Case.objects.get(pk=case.pk).minutes
    assert kept is not None
    assert (kept.meeting, str(kept.held_date), kept.file_name) == ("president", "2025-06-28", "scan.pdf")


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "exit"}', '{"kind": "other", "subject": "x"}'])
def test_a_file_that_is_no_case_is_said(demo_bank: DemoBank, tmp_path: Path, text: str) -> None:
    file = tmp_path / "case.json"
    file.write_text(text)
    answer = run("cases", "open", str(file), "--as", "zhoulp")
    assert (answer.exit_code, "没有写入任何内容" in answer.stderr) == (2, True)
    assert not Case.objects.exists()


def test_the_end_of_a_day_alerts_and_the_dashboard(demo_bank: DemoBank) -> None:
    assert run("day-end", "--as", "liujg").exit_code == 2
    assert document(run("day-end", "--as", "fengxc", "--json"))["alerts"] == Alert.objects.count() > 0
    assert document(run("day-end", "--as", "fengxc", "--json"))["alerts"] == 0
    assert "W01" in run("alerts", "--as", "wanghy").stdout
    shown = document(run("dashboard", "--as", "wanghy", "--json"))
    assert (shown["used"], shown["groups"][0]["share_percent"]) == ("72800000.00", "12.9600")
    assert run("dashboard", "--as", "nobody").exit_code == 2


def test_a_decision_names_the_short_digest_and_shows_what_is_approved(demo_bank: DemoBank) -> None:
    """The digest's beginning as the page shows it is enough; a wrong person hears about the role first."""
    prepared_group(demo_bank)
    case = reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000", sub={**SUB, "D": 900})))
    case = with_minutes(demo_bank, case)
    step = ("cases", "step", case.number, "approve", "--opinion", "同意", "--digest")
    assert "APPROVER_NOT_HEAD_OFFICE" in run(*step, "0" * 16, "--as", "liujg").stderr
    for digest, why in (("0" * 16, "不一致"), (case.payload_digest[:11], "至少给出前 12 位")):
        told = run(*step, digest, "--as", "wanghy")
        assert (told.exit_code, why in told.stderr) == (2, True), told.output
    done = run(*step, case.payload_digest[:16].upper(), "--as", "wanghy")
    assert done.exit_code == 0, done.output
    for line in ("内容  申报金额（元）  70000000.00", "成员  ", " 9000000.00 元", "步骤  第 1 轮", "审批  "):
        assert line in done.stdout


def test_a_decided_group_line_shows_the_amount_approved(demo_bank: DemoBank, client: Client) -> None:
    """7,000 asked for, the plan of D (900) refused: 6,100 in the command's list, on the list and the page."""
    prepared_group(demo_bank)
    case = with_minutes(demo_bank, reviewed(demo_bank, submitted(demo_bank, propose(demo_bank, "7000"))))
    decided(demo_bank, case, refused_members=frozenset({demo_bank.customer("D").pk}))
    assert "\t61000000.00\t" in run("cases", "list", "--as", "wanghy").stdout
    assert "不予批准" in run("cases", "show", case.number, "--as", "wanghy").stdout
    client.force_login(demo_bank.staff("wanghy"))
    assert "6,100" in client.get("/cases/").content.decode()
    assert "<dt>批准额度</dt><dd>6,100" in client.get(f"/cases/{case.number}/").content.decode()


def test_an_alert_is_acted_on_and_closed(demo_bank: DemoBank) -> None:
    """Its owner acts, another person of the risk department closes; nobody else, and nothing out of order."""
    made = report(
        actor=demo_bank.staff("liujg"), code="W18", message="拖延资料", customer=demo_bank.customer("D"),
        business_date=DAY, evidence="走访记录",
    )  # fmt: skip
    number, owner = str(made.pk), made.owner
    assert owner is not None
    assert number in run("alerts", "--as", "wanghy").stdout
    assert run("alerts").exit_code == 2
    early = run("alerts", "close", number, "--as", "fengxc")
    assert (early.exit_code, "尚未处置" in early.stderr) == (2, True)
    assert run("alerts", "act", number, "--as", "hewei", "--action", "x").exit_code == 2
    acted = document(run("alerts", "act", number, "--as", owner.username, "--action", "约谈", "--json"))
    assert (acted["state"], acted["action"], acted["evidence"]) == ("acted", "约谈", "走访记录")
    assert "closed" in run("alerts", "close", number, "--as", "fengxc").stdout
    assert run("alerts", "act", "999999", "--as", "fengxc", "--action", "x").exit_code == 2
