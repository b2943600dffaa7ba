"""Cases and alerts over HTTP: each key acts as its account, with that person's view, roles and four eyes."""

import uuid
from typing import Any

import pytest
from django.test import Client

from shouxin.approvals.models import Case
from shouxin.facilities.models import GroupLine
from shouxin.monitoring.models import Alert
from shouxin.web.api_keys import create_client
from tests.credit import SUB, prepared_group
from tests.demo import WAN, DemoBank


class Desk:
    """Client systems by the person that they act for."""

    def __init__(self, bank: DemoBank) -> None:
        self.bank, self.http, self.keys = bank, Client(), dict[str, str]()

    def send(self, who: str, verb: str, path: str, body: object = None, *, key: str = "", scopes: Any = None) -> Any:
        if who not in self.keys:
            self.keys[who] = create_client(name=who, username=who, scopes=scopes or ["read", "cases"])
        headers = {"X-API-Key": self.keys[who]}
        if verb == "get":
            return self.http.get(f"/api/v1{path}", headers=headers)
        headers["Idempotency-Key"] = key or uuid.uuid4().hex
        call = self.http.put if verb == "put" else self.http.post
        return call(f"/api/v1{path}", body or {}, content_type="application/json", headers=headers)

    def post(self, who: str, path: str, **body: object) -> Any:
        return self.send(who, "post", path, body)


@pytest.fixture
def desk(demo_bank: DemoBank) -> Desk:
    return Desk(demo_bank)


def line(bank: DemoBank, wan: int = 7000, **sub: int) -> dict[str, Any]:
    members = [
        {"customer": bank.customer(code).number, "amount": f"{amount}0000.00"}
        for code, amount in {**SUB, **sub}.items()
    ]
    return {
        "amount": f"{wan}0000.00", "valid_from": "2025-06-30", "valid_to": "2026-06-30", "members": members,
        "guarantee": "保证",
    }  # fmt: skip


def codes(answer: Any) -> list[str]:
    return [finding["code"] for finding in answer.json()["findings"]]


def test_a_group_case_the_whole_way_by_five_people(desk: Desk) -> None:
    """Refused with every reason and unchanged, changed, submitted, decided only with minutes and the digest read."""
    bank = desk.bank
    prepared_group(bank)
    opened = desk.post("liujg", "/cases", kind="group", subject=bank.group.number, **line(bank, D=1000))
    assert opened.status_code == 201, opened.content
    case = opened.json()
    assert (case["state"], case["amount"]) == ("draft", "70000000.00")
    assert "SUB_LIMITS_ABOVE_LINE" in codes(opened)
    path = f"/cases/{case['number']}"
    again = desk.post("liujg", "/cases", kind="group", subject=bank.group.number, **line(bank))
    assert (again.status_code, Case.objects.count()) == (422, 1)
    refused = desk.post("liujg", f"{path}/submit")
    assert refused.status_code == 422
    assert {"SUB_LIMITS_ABOVE_LINE", "INVESTIGATORS_MISSING"} <= set(codes(refused))
    changed = desk.send("liujg", "put", path, line(bank))
    assert changed.status_code == 200, changed.content
    assert "SUB_LIMITS_ABOVE_LINE" not in codes(changed)
    assert {m["amount"] for m in changed.json()["contents"]["members"]} >= {"9000000.00"}
    for who in ("liujg", "hewei"):
        assert desk.post(who, f"{path}/investigate", opinion="实地核查", is_on_site=True).status_code == 200
    frozen = desk.post("liujg", f"{path}/submit").json()
    assert (frozen["state"], len(frozen["digest"])) == ("review", 64)
    assert desk.send("liujg", "put", path, line(bank, 6600)).status_code == 422, "frozen"
    assert desk.post("liujg", f"{path}/review", agrees=True, opinion="同意").status_code == 422, "not a risk officer"
    assert desk.post("fengxc", f"{path}/review", agrees=True, opinion="同意").status_code == 200
    decision = {"approves": True, "opinion": "同意", "digest": frozen["digest"]}
    assert codes(desk.post("wanghy", f"{path}/decide", **decision)) == ["MEETING_MINUTES_MISSING"]
    minutes = {"number": "行办 30 号", "meeting": "president", "held_date": "2025-06-30", "resolution": "同意"}
    assert desk.post("fengxc", f"{path}/minutes", **minutes).json()["minutes"] == "行办 30 号"
    stale = desk.post("wanghy", f"{path}/decide", **{**decision, "digest": "0" * 64})
    assert stale.status_code == 422
    assert Case.objects.get().state == "decide"
    assert "APPROVER_NOT_HEAD_OFFICE" in codes(desk.post("hewei", f"{path}/decide", **decision))
    assert desk.post("wanghy", f"{path}/decide", **decision).json()["state"] == "approved"
    done = desk.post("yaoj", f"{path}/operate", opinion="已签约").json()
    assert (done["state"], done["result"]["amount"]) == ("done", "70000000.00")
    assert [act["person"] for act in done["acts"] if act["role"] == "decide"] == [bank.staff("wanghy").name]
    assert GroupLine.objects.get(case__isnull=False).amount_fen == 7_000 * WAN


def test_a_write_is_done_once_and_needs_its_key_and_scope(desk: Desk) -> None:
    bank = desk.bank
    body: dict[str, Any] = {
        "kind": "general", "subject": bank.customer("F").number, "amount": "9000000.00", "valid_from": "2025-06-30",
        "valid_to": "2026-06-30", "products": {"流动资金贷款": "8000000.00"},
    }  # fmt: skip
    first = desk.send("suny", "post", "/cases", body, key="one")
    assert desk.send("suny", "post", "/cases", body, key="one").json() == first.json()
    assert Case.objects.count() == 1
    assert first.json()["contents"]["products"] == {"working_capital_loan": "8000000.00"}
    assert codes(desk.send("suny", "post", "/cases", {**body, "amount": "1.00"}, key="one")) == ["KEY_REUSED"]
    reader = desk.send("qianf", "post", "/cases", body, scopes=["read"])
    assert (reader.status_code, codes(reader)) == (403, ["SCOPE_MISSING"])
    wrong = desk.post("suny", "/cases", **{**body, "products": {"比特币贷款": "1.00"}})
    assert (wrong.status_code, codes(wrong)) == (422, ["PRODUCT_UNKNOWN"])
    assert desk.post("suny", "/cases", kind="exit", subject=body["subject"]).status_code == 422
    assert desk.post("suny", "/cases", kind="general", subject="无此客户", amount="1.00", valid_from="2025-06-30",
                     valid_to="2026-06-30").status_code == 404  # fmt: skip


def test_another_branch_neither_reads_nor_acts(desk: Desk) -> None:
    """Of F's branch; the manager of the east sees nothing of it, head office all."""
    bank = desk.bank
    body = {"kind": "exit", "subject": bank.customer("F").number, "plan": "半年收回", "until_date": "2025-12-31"}
    number = desk.post("suny", "/cases", **body).json()["number"]
    assert desk.post("zhoulp", "/cases", **body).status_code == 404
    assert desk.send("zhoulp", "get", f"/cases/{number}").status_code == 404
    assert desk.post("zhoulp", f"/cases/{number}/withdraw", opinion="x").status_code == 404
    seen = {who: [c["number"] for c in desk.send(who, "get", "/cases?state=draft").json()["cases"]]
            for who in ("suny", "zhoulp", "wanghy")}  # fmt: skip
    assert seen == {"suny": [number], "zhoulp": [], "wanghy": [number]}
    assert desk.post("suny", f"/cases/{number}/withdraw", opinion="客户留下").json()["state"] == "withdrawn"


def test_alerts_and_the_dashboard(desk: Desk) -> None:
    bank = desk.bank
    told = desk.post("liujg", "/alerts", code="W18", subject=bank.customer("D").number, message="拖延资料",
                     event_date="2025-06-20", evidence="走访记录")  # fmt: skip
    assert (told.json()["event_date"], told.json()["evidence"]) == ("2025-06-20", "走访记录")
    assert told.status_code == 201, told.content
    assert len(told.json()["notices"]) == 3
    number = told.json()["id"]
    assert codes(desk.post("hewei", f"/alerts/{number}/act", action="x")) == ["ALERT_REFUSED"]
    assert desk.post("liujg", f"/alerts/{number}/act", action="约谈").json()["state"] == "acted"
    assert desk.post("liujg", f"/alerts/{number}/close").status_code == 422, "closed by the risk department"
    assert desk.post("fengxc", f"/alerts/{number}/close").json()["state"] == "closed"
    assert desk.post("liujg", "/alerts", code="W99", subject="x", message="x").status_code == 422
    assert desk.post("suny", "/alerts", code="W18", subject=bank.customer("A").number, message="x").status_code == 404
    assert Alert.objects.count() == 1
    assert desk.send("wanghy", "get", "/alerts?state=closed").json()["alerts"][0]["id"] == number
    shown = desk.send("wanghy", "get", "/dashboard").json()
    assert (shown["groups"][0]["used"], shown["groups"][0]["share_percent"]) == ("64800000.00", "12.9600")
    assert (shown["limit_percent"], shown["open_alerts"]) == ("15", 0)
