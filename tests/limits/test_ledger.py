"""The ledger's acts one by one; the database decides, Python only asks."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from shouxin.limits import services as limits
from shouxin.limits.models import Excess, Hold, Movement, Node
from tests.conftest import DAY
from tests.limits.conftest import YEAR_END, Chain


def reserve(chain: Chain, amount_fen: int, key: str | None = None, on: dt.date = DAY) -> limits.Answer:
    return limits.reserve(
        caller="test",
        key=key or uuid.uuid4().hex,
        facility=chain.facility,
        amount_fen=amount_fen,
        business_date=on,
        expires_at=timezone.now() + dt.timedelta(days=30),
        actor_id=None,
    )


def used(node: Node) -> int:
    return Node.objects.values_list("used_fen", flat=True).get(pk=node.pk)


def test_the_last_fen_is_accepted_and_one_more_is_refused_with_the_binding_node(chain: Chain) -> None:
    assert reserve(chain, 900).is_accepted
    answer = reserve(chain, 1)
    assert not answer.is_accepted
    assert answer.binding is not None
    assert (answer.binding.kind, answer.binding.available_fen, answer.binding.article) == ("CUSTOMER", 0, "BR-12")
    assert [refusal.code for refusal in answer.refusals] == ["LIMIT_EXCEEDED"]
    assert used(chain.customer) == used(chain.group) == used(chain.facility) == 900


def test_every_broken_limit_of_the_path_is_named(chain: Chain) -> None:
    limits.set_cap(
        node=chain.group, amount_fen=100, valid_from=DAY, valid_to=YEAR_END, approval="批复 2", basis={},
        business_date=DAY, actor_id=None,
    )  # fmt: skip
    limits.set_status(node=chain.customer, status="FROZEN", reason="司法查封", business_date=DAY, actor_id=None)
    answer = reserve(chain, 101)
    assert [(refusal.node.kind, refusal.code) for refusal in answer.refusals] == [
        ("CUSTOMER", "LIMIT_FROZEN"),
        ("GROUP", "LIMIT_EXCEEDED"),
    ]
    assert answer.effective_available_fen == 0
    assert not Hold.objects.exists()


def test_the_same_key_gets_the_same_answer_and_books_once(chain: Chain) -> None:
    first = reserve(chain, 600, key="A")
    again = reserve(chain, 600, key="A")
    assert again.is_replayed
    assert again.hold_id == first.hold_id
    assert used(chain.customer) == 600
    refused = reserve(chain, 600, key="B")
    limits.void(hold_id=first.hold_id, business_date=DAY, reason="撤回", actor_id=None)  # type: ignore[arg-type]
    assert not refused.is_accepted
    assert not reserve(chain, 600, key="B").is_accepted, "a refusal is remembered even when there is room by now"


def test_the_same_key_with_another_payload_is_an_error(chain: Chain) -> None:
    reserve(chain, 600, key="A")
    with pytest.raises(limits.KeyReusedError):
        reserve(chain, 601, key="A")
    assert used(chain.customer) == 600


def test_a_partial_post_gives_the_rest_back(chain: Chain) -> None:
    answer = reserve(chain, 900)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=250, business_date=DAY, actor_id=None)
    assert used(chain.customer) == 250
    with pytest.raises(limits.LedgerError) as caught:
        limits.post(hold_id=answer.hold_id, amount_fen=1, business_date=DAY, actor_id=None)
    assert caught.value.code == "HOLD_POSTED"
    limits.release(hold_id=answer.hold_id, amount_fen=250, business_date=DAY, reason="归还", actor_id=None)
    assert used(chain.customer) == used(chain.group) == 0


def test_release_above_the_balance_is_refused(chain: Chain) -> None:
    answer = reserve(chain, 100)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=100, business_date=DAY, actor_id=None)
    with pytest.raises(limits.LedgerError) as caught:
        limits.release(hold_id=answer.hold_id, amount_fen=101, business_date=DAY, reason="", actor_id=None)
    assert caught.value.code == "RELEASE_ABOVE_BALANCE"
    assert used(chain.customer) == 100


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_written_for_an_amount_that_is_none(chain: Chain, amount: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        reserve(chain, amount)
    assert not Hold.objects.exists()


@pytest.mark.clause("UC-07", points="on over before")
def test_a_line_ends_with_its_period(chain: Chain) -> None:
    """The line is valid until 2025-12-31: the last day is fine, 2026-01-01 is refused, and so is the day before it
    began."""
    early = reserve(chain, 1, on=DAY - dt.timedelta(days=1))
    assert {refusal.code for refusal in early.refusals} == {"LIMIT_NOT_YET_VALID"}
    assert reserve(chain, 1, on=dt.date(2025, 12, 31)).is_accepted
    answer = reserve(chain, 1, on=dt.date(2026, 1, 1))
    assert {refusal.code for refusal in answer.refusals} == {"LIMIT_PERIOD_OVER"}


def test_a_cap_cut_below_what_is_used_opens_an_excess_that_blocks_until_cured(chain: Chain) -> None:
    answer = reserve(chain, 900)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=900, business_date=DAY, actor_id=None)
    over = limits.set_cap(
        node=chain.customer, amount_fen=700, valid_from=DAY, valid_to=YEAR_END, approval="压缩", basis={},
        business_date=DAY, actor_id=None,
    )  # fmt: skip
    assert over == 200
    assert Excess.objects.get(closed_at=None).cause == "CAP_CUT"
    assert [refusal.code for refusal in reserve(chain, 1).refusals] == ["LIMIT_IN_EXCESS"]
    limits.release(hold_id=answer.hold_id, amount_fen=200, business_date=DAY, reason="归还", actor_id=None)
    assert not Excess.objects.filter(closed_at=None).exists()
    assert Node.objects.get(pk=chain.customer.pk).excess_cause is None


def test_the_table_itself_refuses_more_than_the_cap(chain: Chain) -> None:
    with pytest.raises(IntegrityError, match="used_within_cap_or_excess_recorded"), transaction.atomic():
        Node.objects.filter(pk=chain.customer.pk).update(posted_fen=901)


def test_the_journal_is_append_only(chain: Chain) -> None:
    reserve(chain, 1)
    with pytest.raises((InternalError, Exception), match="append-only"), transaction.atomic():
        Movement.objects.update(pending_fen=0)
    with pytest.raises((InternalError, Exception), match="append-only"), transaction.atomic():
        connection.cursor().execute("DELETE FROM limits_movement")


def test_counters_are_the_sum_of_the_journal(chain: Chain) -> None:
    """I1: after a mixture of acts each counter equals its movements."""
    first, second = reserve(chain, 300), reserve(chain, 200)
    assert first.hold_id is not None
    assert second.hold_id is not None
    limits.post(hold_id=first.hold_id, amount_fen=250, business_date=DAY, actor_id=None)
    limits.void(hold_id=second.hold_id, business_date=DAY, reason="", actor_id=None)
    limits.release(hold_id=first.hold_id, amount_fen=50, business_date=DAY, reason="", actor_id=None)
    for node in Node.objects.all():
        sums = node.movements.aggregate(pending=Sum("pending_fen"), posted=Sum("posted_fen"))
        assert (sums["pending"] or 0, sums["posted"] or 0) == (node.pending_fen, node.posted_fen)
    assert used(chain.customer) == 200


def test_simulate_says_what_reserve_would_and_writes_nothing(chain: Chain) -> None:
    before = Movement.objects.count()
    answer = limits.simulate(facility=chain.facility, amount_fen=901, business_date=DAY)
    assert not answer.is_accepted
    assert answer.effective_available_fen == 900
    assert Movement.objects.count() == before


def test_joining_a_group_moves_exactly_what_is_outstanding(chain: Chain) -> None:
    answer = reserve(chain, 400)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=300, business_date=DAY, actor_id=None)
    reserve(chain, 50)
    group = Node.objects.create(kind="GROUP", name="宏达集团", article="JS-11", cap_fen=340)
    customer = chain.customer.customer
    assert customer is not None
    over = limits.move_customer(customer, to=group, business_date=DAY, reason="认定", actor_id=None)
    assert over == 10
    assert used(group) == 350
    assert used(chain.group) == 0
    assert Excess.objects.get(closed_at=None, node=group).cause == "MEMBERSHIP"


@pytest.mark.clause("UC-04", "BR-07", "JS-06", "HA-05", points="on over")
def test_a_member_with_room_of_its_own_is_stopped_by_the_group(chain: Chain) -> None:
    """The member has 100 free, the group 40: 40 are taken, 50 are refused by the group, centrally."""
    limits.set_cap(
        node=chain.customer, amount_fen=100, valid_from=DAY, valid_to=YEAR_END, approval="批", basis={},
        business_date=DAY, actor_id=None,
    )  # fmt: skip
    limits.set_cap(
        node=chain.group, amount_fen=40, valid_from=DAY, valid_to=YEAR_END, approval="批", basis={},
        business_date=DAY, actor_id=None,
    )  # fmt: skip
    answer = reserve(chain, 50)
    assert [(refusal.node.kind, refusal.code) for refusal in answer.refusals] == [("GROUP", "LIMIT_EXCEEDED")]
    assert answer.binding is not None
    assert (answer.binding.kind, answer.binding.available_fen) == ("GROUP", 40)
    assert not reserve(chain, 41).is_accepted
    assert reserve(chain, 40).is_accepted
