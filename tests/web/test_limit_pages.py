"""The limit pages: tree with its binding limit, journal as of a day, a hold's life, freezing by two persons."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from shouxin.limits import services as limits
from shouxin.limits.models import Node, StatusRequest
from tests.conftest import DAY, SmallBank
from tests.limits.conftest import Chain, chain  # noqa: F401 - a fixture
from tests.limits.test_ledger import reserve


def signed_in(staff: Any) -> Client:
    client = Client()
    client.force_login(staff, backend="shouxin.bank.backends.StaffBackend")
    return client


def test_the_tree_shows_what_binds_and_who_looks_after_it_sees_it(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    reserve(chain, 400)
    page = signed_in(small_bank.manager_west).get(f"/limits/{chain.group.pk}/")
    assert page.status_code == 200
    facility = next(row for row, _ in page.context["rows"] if row.node.kind == "FACILITY")
    assert (facility.own_fen, facility.effective_fen, facility.binding.kind) == (None, 500, "CUSTOMER")
    assert signed_in(small_bank.manager_east).get(f"/limits/{chain.group.pk}/").status_code == 404
    assert chain.group.name in signed_in(small_bank.manager_west).get("/limits/").content.decode()
    assert chain.group.name not in signed_in(small_bank.manager_east).get("/limits/").content.decode()


def test_trying_an_amount_says_why_not(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    client = signed_in(small_bank.manager_west)
    tried = client.get(f"/limits/{chain.group.pk}/", {"facility": chain.facility.pk, "amount": "1"})
    assert [finding.code for finding in tried.context["findings"]] == ["LIMIT_EXCEEDED"]
    assert client.get(f"/limits/{chain.group.pk}/", {"facility": "x", "amount": "-"}).status_code == 200


def test_the_journal_answers_as_of_a_day(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    reserve(chain, 400)
    client = signed_in(small_bank.risk_officer)
    assert client.get(f"/limits/{chain.group.pk}/journal/").context["balance"].pending_fen == 400
    earlier = client.get(f"/limits/{chain.group.pk}/journal/", {"valid_at": DAY - dt.timedelta(days=1)})
    assert earlier.context["balance"].pending_fen == 0
    known = client.get(f"/limits/{chain.group.pk}/journal/", {"known_at": "2025-01-01T00:00:00"})
    assert (known.context["balance"].pending_fen, known.context["rows"]) == (0, [])
    assert client.get(f"/limits/{chain.group.pk}/journal/", {"valid_at": "never", "after": "x"}).status_code == 200


@pytest.mark.parametrize("amount", ["0", "-1", "1e9", "0.0000001"])
def test_only_an_amount_above_nothing_is_tried(chain: Chain, small_bank: SmallBank, amount: str) -> None:  # noqa: F811
    page = signed_in(small_bank.manager_west).get(
        f"/limits/{chain.group.pk}/", {"facility": chain.facility.pk, "amount": amount}
    )
    assert page.context["answer"] is None or not page.context["answer"].is_accepted
    assert "可以预占" not in page.content.decode()


def test_a_hold_shows_its_life(chain: Chain, small_bank: SmallBank) -> None:  # noqa: F811
    hold = reserve(chain, 400).hold_id
    assert hold is not None
    limits.post(hold_id=hold, amount_fen=300, business_date=DAY, actor_id=None)
    page = signed_in(small_bank.manager_west).get(f"/limits/holds/{hold}/")
    assert [event.operation for event in page.context["events"]] == ["RESERVE", "POST"]
    assert signed_in(small_bank.manager_east).get(f"/limits/holds/{hold}/").status_code == 404


@pytest.mark.parametrize(
    ("act", "status", "back"), [("FREEZE", "FROZEN", "UNFREEZE"), ("SUSPEND", "SUSPENDED", "REINSTATE")]
)
def test_a_freeze_or_suspension_takes_two_persons(
    chain: Chain,  # noqa: F811
    small_bank: SmallBank,
    act: str,
    status: str,
    back: str,
) -> None:
    first, second = signed_in(small_bank.risk_officer), signed_in(small_bank.approver)
    address = f"/limits/{chain.group.pk}/status/"
    body = {"node": chain.group.pk, "act": act, "reason": "涉诉"}
    assert signed_in(small_bank.manager_west).post(address, body).status_code == 403
    first.post(address, {**body, "reason": ""})
    assert not StatusRequest.objects.exists()
    first.post(address, body)
    asked = StatusRequest.objects.get()
    assert first.post(f"{address}{asked.pk}/", {"agree": "1"}).status_code == 403
    assert Node.objects.get(pk=chain.group.pk).status == "ACTIVE"
    second.post(f"{address}{asked.pk}/", {"agree": "1"})
    assert Node.objects.get(pk=chain.group.pk).status == status
    assert "涉诉" in second.get(f"/limits/{chain.group.pk}/").content.decode()
    first.post(address, {**body, "act": back, "reason": "已解除"})
    second.post(f"{address}{StatusRequest.objects.latest('pk').pk}/", {"agree": "1"})
    assert Node.objects.get(pk=chain.group.pk).status == "ACTIVE"


@pytest.mark.parametrize("kind", ["excess", "frozen"])
def test_the_list_finds_what_needs_attention(chain: Chain, small_bank: SmallBank, kind: str) -> None:  # noqa: F811
    client = signed_in(small_bank.risk_officer)
    assert client.get("/limits/", {"kind": kind}).context["nodes"] == []
    if kind == "frozen":
        limits.set_status(node=chain.group, status="FROZEN", reason="查封", business_date=DAY, actor_id=None)
    else:
        reserve(chain, 900)
        limits.set_cap(
            node=chain.customer, amount_fen=1, valid_from=DAY, valid_to=None, approval="压", basis={},
            business_date=DAY, actor_id=None,
        )  # fmt: skip
    assert len(client.get("/limits/", {"kind": kind}).context["nodes"]) == 1
