"""The HTTP API: keys and scopes, data scope, Idempotency-Key, amounts as texts, refusals with every reason."""

import datetime as dt
import importlib
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as django_connection
from django.test import Client
from django.utils import timezone

from shouxin.facilities.models import Facility
from shouxin.facilities.services import open_facility
from shouxin.limits import services as limits
from shouxin.limits.ledger import LedgerError
from shouxin.limits.models import Hold, IdempotencyKey, Node
from shouxin.parties.services import add_customer, create_party
from shouxin.web.api_keys import create_client, revoke_client
from shouxin.web.models import ApiClient
from tests.conftest import DAY, SmallBank

YEAR_END = dt.date(2026, 1, 1)
HOLDS: Any = importlib.import_module("shouxin.web.api.holds")


@dataclass
class Caller:
    """A client system in front of one contract with 1,000 yuan free."""

    http: Client
    key: str
    facility: Facility

    def send(self, path: str, body: object = None, *, idempotency: str | None = None, key: str | None = None) -> Any:
        headers = {"X-API-Key": self.key if key is None else key}
        if body is None:
            return self.http.get(f"/api/v1{path}", headers=headers)
        headers["Idempotency-Key"] = uuid.uuid4().hex if idempotency is None else idempotency
        return self.http.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)

    def hold(self, amount: str, **options: Any) -> Any:
        expires = (
            (timezone.now() + dt.timedelta(days=1)).isoformat() if "expires" not in options else options["expires"]
        )
        body = {"facility": self.facility.number, "amount": amount, "expires_at": expires}
        if "currency" in options:
            body["currency"] = options["currency"]
        return self.send("/holds", body, idempotency=options.get("idempotency"), key=options.get("key"))


@pytest.fixture
def caller(small_bank: SmallBank) -> Caller:
    customer = add_customer(
        actor=None, party=create_party(kind="org", name="明远贸易有限公司"), unit=small_bank.west,
        owner=small_bank.manager_west, business_date=DAY,
    )  # fmt: skip
    facility = open_facility(
        actor=None, customer=customer, branch=small_bank.west, product="working_capital_loan", number="HT-1",
        start_date=DAY, end_date=YEAR_END, business_date=DAY,
    )  # fmt: skip
    limits.set_cap(
        node=limits.ensure_customer_node(customer), amount_fen=100_000, valid_from=DAY, valid_to=YEAR_END,
        approval="批复", basis={}, business_date=DAY, actor_id=None,
    )  # fmt: skip
    key = create_client(name="核心系统", username="manager-west", scopes=["read", "book", "reverse"])
    return Caller(Client(), key, facility)


def codes(response: Any) -> list[str]:
    return [finding["code"] for finding in response.json()["findings"]]


def test_a_reservation_is_made_posted_repaid(caller: Caller) -> None:
    answer = caller.hold("1000.00")
    assert answer.status_code == 201, answer.content
    hold = answer.json()["id"]
    assert answer.json()["amount"] == "1000.00"
    assert answer.json()["binding"]["kind"] == "CUSTOMER"
    posted = caller.send(f"/holds/{hold}/post", {"amount": "400.50"})
    assert posted.json() == {
        "id": hold, "state": "POSTED", "amount": "1000.00", "posted": "400.50", "balance": "400.50", "currency": "CNY",
    }  # fmt: skip
    assert caller.send(f"/holds/{hold}/release", {"amount": "0.50"}).json()["balance"] == "400.00"
    too_much = caller.send(f"/holds/{hold}/release", {"amount": "400.01"})
    assert (too_much.status_code, codes(too_much)) == (422, ["RELEASE_ABOVE_BALANCE"])


def test_an_unknown_address_is_answered_in_the_same_shape(caller: Caller) -> None:
    answer = caller.send("/nowhere/1")
    assert (answer.status_code, codes(answer)) == (404, ["ADDRESS_UNKNOWN"])


def test_one_fen_too_many_is_refused_with_the_binding_limit(caller: Caller) -> None:
    answer = caller.hold("1000.01")
    assert (answer.status_code, codes(answer)) == (422, ["LIMIT_EXCEEDED"])
    assert "明远贸易有限公司" in answer.json()["findings"][0]["message"]
    assert answer.json()["findings"][0]["article"] == "BR-12"
    assert not Hold.objects.exists()


def test_the_same_key_gets_the_stored_answer_refusals_included(caller: Caller) -> None:
    expires = (timezone.now() + dt.timedelta(days=1)).isoformat()
    first = caller.hold("600", idempotency="A", expires=expires)
    assert caller.hold("600", idempotency="A", expires=expires).json() == first.json()
    refused = caller.hold("600", idempotency="B", expires=expires)
    void = caller.send(f"/holds/{first.json()['id']}/void", {"reason": "撤回"}, idempotency="C")
    again = caller.send(f"/holds/{first.json()['id']}/void", {"reason": "撤回"}, idempotency="C")
    assert void.json() == again.json()
    replayed = caller.hold("600", idempotency="B", expires=expires)
    assert (replayed.status_code, replayed.json()) == (422, refused.json()), "there is room by now; the answer stays"
    assert Hold.objects.count() == 1


def test_a_key_missing_reused_or_at_work(caller: Caller) -> None:
    missing = caller.hold("1", idempotency="")
    assert (missing.status_code, codes(missing)) == (400, ["IDEMPOTENCY_KEY_MISSING"])
    caller.hold("1", idempotency="A")
    other = caller.hold("2", idempotency="A")
    assert (other.status_code, codes(other)) == (422, ["KEY_REUSED"])
    hold = caller.hold("3", idempotency="C").json()["id"]
    elsewhere_used = caller.send(f"/holds/{hold}/void", {"reason": "撤"}, idempotency="A")
    assert (elsewhere_used.status_code, codes(elsewhere_used)) == (422, ["KEY_REUSED"]), "one key, one write"
    import psycopg

    client = ApiClient.objects.get()
    parameters = django_connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("dbname", "user", "host", "port") if parameters.get(name)}
    with psycopg.connect(**wanted) as elsewhere:
        elsewhere.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s || chr(31) || 'B', 11))", [f"api.{client.pk}"]
        )
        busy = caller.hold("1", idempotency="B")
        assert (busy.status_code, codes(busy)) == (409, ["KEY_AT_WORK"])
    assert caller.hold("1", idempotency="B").status_code == 201


def test_a_retry_on_the_next_day_or_after_the_expiry_gets_the_stored_answer(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the caller asked is the same, so nothing is booked twice and nobody is sent for another key."""
    expires = (timezone.now() + dt.timedelta(days=1)).isoformat()
    first = caller.hold("600", idempotency="A", expires=expires)
    monkeypatch.setattr(HOLDS, "business_date_now", lambda: DAY + dt.timedelta(days=1))
    assert caller.hold("600", idempotency="A", expires=expires).json() == first.json()
    monkeypatch.setattr(HOLDS, "_is_ahead", lambda _expires: False)
    assert caller.hold("600", idempotency="A", expires=expires).json() == first.json()
    assert codes(caller.hold("601", idempotency="A", expires=expires)) == ["KEY_REUSED"]
    assert codes(caller.hold("600", idempotency="B", expires=expires)) == ["EXPIRY_INVALID"]
    assert Hold.objects.count() == 1


@pytest.mark.parametrize(
    "broken", [OperationalError("server closed the connection"), LedgerError("OUTCOME_UNKNOWN", "记账中断")]
)
def test_a_broken_connection_is_not_told_as_a_refusal(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    """The booking may have been committed: the caller is to ask again with the same key."""

    def breaks(*_args: object, **_named: object) -> None:
        raise broken

    expires = (timezone.now() + dt.timedelta(days=1)).isoformat()
    with monkeypatch.context() as patch:
        patch.setattr(HOLDS.admission, "reserve", breaks)
        lost = caller.hold("1", idempotency="A", expires=expires)
    assert (lost.status_code, codes(lost)) == (503, ["OUTCOME_UNKNOWN"])
    assert caller.hold("1", idempotency="A", expires=expires).status_code == 201


def test_amounts_and_missing_rates_are_explained_in_words(caller: Caller) -> None:
    assert "至多两位小数" in caller.hold("1.001").json()["findings"][0]["message"]
    expires = (timezone.now() + dt.timedelta(days=1)).isoformat()
    body = {"facility": "HT-1", "amount": "1", "currency": "USD", "expires_at": expires}
    answer = caller.send("/holds", body)
    assert (answer.status_code, codes(answer)) == (422, ["RATE_MISSING"])


@pytest.mark.parametrize("amount", ["-1", "0", "0.00", "1.001", "1e9", "99999999999999999999", "一百", "", "NaN"])
def test_what_is_no_amount_is_refused_and_nothing_is_kept(caller: Caller, amount: str) -> None:
    assert caller.hold(amount).status_code == 422
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("expires", ["2020-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "yesterday"])
def test_an_expiry_that_is_past_or_absurd_is_refused(caller: Caller, expires: str) -> None:
    """The server's clock decides, whatever the client's says."""
    assert caller.hold("1", expires=expires).status_code == 422
    assert not Hold.objects.exists()


def test_keys_scopes_and_revocation(caller: Caller) -> None:
    assert caller.hold("1", key="").status_code == 401
    assert caller.hold("1", key="sx_wrong").status_code == 401
    reader = create_client(name="报表系统", username="manager-west", scopes=["read"])
    refused = caller.hold("1", key=reader)
    assert (refused.status_code, codes(refused)) == (403, ["SCOPE_MISSING"])
    assert caller.send("/facilities/HT-1/availability", key=reader).status_code == 200
    assert not ApiClient.objects.filter(key_hash=reader).exists(), "only the hash is kept"
    revoke_client(name="报表系统")
    assert caller.send("/facilities/HT-1/availability", key=reader).status_code == 401


def test_outside_its_data_scope_a_contract_does_not_exist(caller: Caller) -> None:
    stranger = create_client(name="城东系统", username="manager-east", scopes=["read", "book"])
    for answer in (
        caller.hold("1", key=stranger),
        caller.send("/facilities/HT-1/availability", key=stranger),
        caller.send("/simulate", {"facility": "HT-1", "amount": "1"}, key=stranger),
    ):
        assert (answer.status_code, codes(answer)) == (404, ["FACILITY_UNKNOWN"])
    assert caller.send("/customers", key=stranger).json()["customers"] == []
    assert [c["name"] for c in caller.send("/customers?q=明远").json()["customers"]] == ["明远贸易有限公司"]


def test_too_many_calls_are_turned_away(caller: Caller) -> None:
    ApiClient.objects.update(calls_per_minute=1)
    assert 429 in [caller.send("/customers").status_code for _ in range(3)]


def test_a_reversal_needs_another_person_with_authority(caller: Caller) -> None:
    hold = caller.hold("10").json()["id"]
    caller.send(f"/holds/{hold}/post", {"amount": "10"})
    for who, code in (("manager-west", "NOT_AUTHORISED"), ("nobody", "NOT_AUTHORISED")):
        refused = caller.send(f"/holds/{hold}/reverse", {"reason": "记错", "authorised_by": who})
        assert (refused.status_code, codes(refused)) == (422, [code])
    done = caller.send(f"/holds/{hold}/reverse", {"reason": "记错", "authorised_by": "approver"})
    assert (done.status_code, done.json()["balance"]) == (200, "0.00")


def test_availability_now_and_as_of_a_day(caller: Caller) -> None:
    before = timezone.now()
    caller.hold("300")
    now = caller.send("/facilities/HT-1/availability").json()
    assert (now["effective_available"], now["pending"], now["binding"]["kind"]) == ("700.00", "300.00", "CUSTOMER")
    then = caller.send(f"/facilities/HT-1/availability?known_at={before.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}").json()
    assert (then["pending"], then["effective_available"], then["binding"]["used"]) == ("0.00", "1000.00", "0.00")
    day_before = caller.send("/facilities/HT-1/availability?valid_at=2025-06-29").json()
    assert (day_before["pending"], day_before["effective_available"], day_before["binding"]) == ("0.00", None, None), (
        "no limit was set yet on that day"
    )


def test_a_misspelt_field_is_refused_and_nothing_booked(caller: Caller) -> None:
    body = {"facility": "HT-1", "amount": "1.00", "currencey": "USD", "expires_at": "2030-01-01T00:00:00Z"}
    answer = caller.send("/holds", body)
    assert (answer.status_code, codes(answer)) == (422, ["INPUT_INVALID"])
    assert "currencey" in answer.json()["findings"][0]["message"]
    assert not Hold.objects.exists()


def test_simulate_writes_nothing(caller: Caller) -> None:
    answer = caller.send("/simulate", {"facility": "HT-1", "amount": "1000.01"}).json()
    assert (answer["is_accepted"], answer["findings"][0]["code"]) == (False, "LIMIT_EXCEEDED")
    assert Node.objects.filter(pending_fen__gt=0).count() == 0


def test_the_api_describes_itself(caller: Caller) -> None:
    document = caller.http.get("/api/openapi.json").json()
    assert {"/api/v1/holds", "/api/v1/simulate", "/api/v1/customers", "/api/v1/groups/{number}/proof"} <= set(
        document["paths"]
    )
    assert caller.http.get("/api/docs").status_code == 200


def test_customers_come_in_pages_by_number_each_once(
    caller: Caller, small_bank: SmallBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor is the last number: a customer added meanwhile neither repeats nor hides another."""
    monkeypatch.setattr(importlib.import_module("shouxin.web.api.customers"), "PAGE", 2)
    for place in range(4):
        add_customer(
            actor=None, party=create_party(kind="org", name=f"河滨{place}号有限公司"), unit=small_bank.west,
            owner=small_bank.manager_west, business_date=DAY,
        )  # fmt: skip
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = caller.send(f"/customers?q=&cursor={cursor}").json()
        seen += [row["number"] for row in page["customers"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)
    assert caller.send(f"/customers?q=&cursor={seen[-1]}").json() == {"customers": [], "next_cursor": ""}
