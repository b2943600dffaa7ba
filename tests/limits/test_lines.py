"""Acts on lines: shifted caps, earmarks, overrides, 串用, freezes. Nothing is written on a refusal."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from shouxin.audit.models import Entry
from shouxin.limits import lines
from shouxin.limits import services as limits
from shouxin.limits.models import Excess, FungibilityRule, Hold, Movement, Node, StatusRequest
from tests.conftest import DAY, SmallBank
from tests.limits.conftest import Chain
from tests.limits.test_ledger import reserve, used

RETURN = dt.date(2025, 9, 30)


def cap(node: Node) -> int | None:
    return Node.objects.values_list("cap_fen", flat=True).get(pk=node.pk)


def sibling(chain: Chain, product: str, cap_fen: int) -> Node:
    return Node.objects.create(
        kind="PRODUCT", parent=chain.customer, customer=chain.customer.customer, product=product, name=product,
        cap_fen=cap_fen,
    )  # fmt: skip


def own_product(chain: Chain, cap_fen: int) -> Node:
    product = chain.facility.parent
    assert product is not None
    Node.objects.filter(pk=product.pk).update(cap_fen=cap_fen)
    return product


def post(answer: limits.Answer, amount_fen: int) -> uuid.UUID:
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=amount_fen, business_date=DAY, actor_id=None)
    return answer.hold_id


def test_a_temporary_limit_ends_on_its_return_date_and_may_leave_an_excess(chain: Chain) -> None:
    shift = lines.raise_for_a_while(
        node=chain.customer, amount_fen=100, start=DAY, return_date=RETURN, approval="临 1", maker_id=1, checker_id=2
    )
    assert reserve(chain, 1_000).is_accepted
    over = lines.return_shift(shift=shift, business_date=RETURN, actor_id=None)
    assert (over, cap(chain.customer)) == (100, 900)
    excess = Excess.objects.get(closed_at=None)
    assert (excess.cause, excess.cure_by_date) == ("CAP_CUT", RETURN + dt.timedelta(days=30))
    with pytest.raises(limits.LedgerError) as caught:
        lines.return_shift(shift=shift, business_date=RETURN, actor_id=None)
    assert caught.value.code == "RETURNED_ALREADY"


def test_a_new_approved_cap_keeps_the_temporary_part_until_its_return(chain: Chain) -> None:
    shift = lines.raise_for_a_while(
        node=chain.customer, amount_fen=100, start=DAY, return_date=RETURN, approval="临 1", maker_id=1, checker_id=2
    )
    limits.set_cap(
        node=chain.customer, amount_fen=500, valid_from=DAY, valid_to=None, approval="新", basis={},
        business_date=DAY, actor_id=None,
    )  # fmt: skip
    assert cap(chain.customer) == 600
    lines.return_shift(shift=shift, business_date=RETURN, actor_id=None)
    assert cap(chain.customer) == 500


def test_one_person_cannot_raise_a_cap_alone(chain: Chain) -> None:
    with pytest.raises(IntegrityError, match="cap_shift_four_eyes"), transaction.atomic():
        lines.raise_for_a_while(
            node=chain.customer, amount_fen=1, start=DAY, return_date=RETURN, approval="临", maker_id=7, checker_id=7
        )
    assert cap(chain.customer) == 900


def test_reallocation_leaves_the_donor_what_it_uses_and_touches_nothing_above(chain: Chain) -> None:
    """I9: donors keep cap − k ≥ used; the common ancestor does not change."""
    donor, receiver = own_product(chain, 500), sibling(chain, "bank_acceptance", 100)
    reserve(chain, 300)
    arguments = {"donor": donor, "receiver": receiver, "business_date": DAY, "approval": "调 1", "maker_id": 1,
                 "checker_id": 2}  # fmt: skip
    with pytest.raises(limits.LedgerError) as caught:
        lines.reallocate(amount_fen=201, **arguments)  # type: ignore[arg-type]
    assert caught.value.code == "DONOR_SHORT"
    assert (cap(donor), cap(receiver)) == (500, 100)
    shift = lines.reallocate(amount_fen=200, return_date=RETURN, **arguments)  # type: ignore[arg-type]
    assert (cap(donor), cap(receiver), cap(chain.customer)) == (300, 300, 900)
    lines.return_shift(shift=shift, business_date=RETURN, actor_id=None)
    assert (cap(donor), cap(receiver)) == (500, 100)


def test_reallocation_between_a_line_and_its_own_parent_is_refused(chain: Chain) -> None:
    with pytest.raises(limits.LedgerError) as caught:
        lines.reallocate(
            donor=chain.customer, receiver=own_product(chain, 5), amount_fen=1, business_date=DAY, approval="调",
            maker_id=1, checker_id=2,
        )  # fmt: skip
    assert caught.value.code == "NOT_SIDE_BY_SIDE"


def test_children_of_a_parent_that_shares_out_its_cap_stay_within_it(chain: Chain) -> None:
    Node.objects.filter(pk=chain.customer.pk).update(mode="ALLOC")
    first, second = own_product(chain, 500), sibling(chain, "bank_acceptance", 300)
    arguments = {
        "valid_from": DAY,
        "valid_to": None,
        "approval": "批",
        "basis": {},
        "business_date": DAY,
        "actor_id": None,
    }
    limits.set_cap(node=second, amount_fen=400, **arguments)  # type: ignore[arg-type]
    with pytest.raises(limits.LedgerError) as caught:
        limits.set_cap(node=first, amount_fen=501, **arguments)  # type: ignore[arg-type]
    assert caught.value.code == "ALLOCATION_ABOVE_PARENT"
    with pytest.raises(limits.LedgerError):
        lines.raise_for_a_while(
            node=first, amount_fen=1, start=DAY, return_date=RETURN, approval="临", maker_id=1, checker_id=2
        )
    assert cap(first) == 500


def test_room_set_apart_counts_as_used_on_the_whole_path_until_given_back(chain: Chain) -> None:
    answer, earmark = lines.earmark(
        node=chain.customer, amount_fen=800, purpose="保函项目", business_date=DAY, actor_id=None
    )
    assert answer.is_accepted
    assert earmark is not None
    assert not reserve(chain, 101).is_accepted
    assert used(chain.group) == 800
    refused, none = lines.earmark(node=chain.customer, amount_fen=101, purpose="又", business_date=DAY, actor_id=None)
    assert none is None
    assert [refusal.code for refusal in refused.refusals] == ["LIMIT_EXCEEDED"]
    lines.release_earmark(earmark_id=earmark.pk, business_date=DAY, reason="完成", actor_id=None)
    assert reserve(chain, 900).is_accepted


def grant(chain: Chain, amount_fen: int, **changes: object) -> uuid.UUID:
    arguments: dict[str, object] = {
        "facility": chain.facility, "amount_fen": amount_fen, "authority": "行长授权 3 号", "reason": "到期续作过渡",
        "maker_id": 1, "checker_id": 2, "expires_at": timezone.now() + dt.timedelta(hours=1), "cure_by": RETURN,
    }  # fmt: skip
    return lines.grant_override(**(arguments | changes)).token  # type: ignore[arg-type]


def reserve_with(chain: Chain, amount_fen: int, token: uuid.UUID) -> limits.Answer:
    return limits.reserve(
        caller="test", key=uuid.uuid4().hex, facility=chain.facility, amount_fen=amount_fen, business_date=DAY,
        expires_at=timezone.now() + dt.timedelta(days=1), actor_id=None, override=token,
    )  # fmt: skip


def test_an_override_passes_the_cap_once_and_opens_an_excess(chain: Chain) -> None:
    token = grant(chain, 1_000)
    assert reserve_with(chain, 1_000, token).is_accepted
    excess = Excess.objects.get(closed_at=None)
    assert (excess.node_id, excess.cause, excess.amount_fen, excess.cure_by_date) == (
        chain.customer.pk, "OVERRIDE", 100, RETURN,
    )  # fmt: skip
    again = reserve_with(chain, 1, token)
    assert "OVERRIDE_NOT_VALID" in [refusal.code for refusal in again.refusals]


@pytest.mark.parametrize("case", ["amount above it", "expired", "frozen"])
def test_an_override_lets_nothing_else_pass(chain: Chain, case: str) -> None:
    token = grant(chain, 1_000)
    if case == "expired":
        token = grant(chain, 1_000, expires_at=timezone.now() - dt.timedelta(seconds=1))
    if case == "frozen":
        limits.set_status(node=chain.group, status="FROZEN", reason="查封", business_date=DAY, actor_id=None)
    answer = reserve_with(chain, 1_001 if case == "amount above it" else 1_000, token)
    assert not answer.is_accepted
    assert not Hold.objects.exists()


def test_an_override_needs_two_persons_a_reason_and_an_authority(chain: Chain) -> None:
    with pytest.raises(IntegrityError, match="override_four_eyes"), transaction.atomic():
        grant(chain, 1, checker_id=1)
    with pytest.raises(IntegrityError, match="override_has_authority_and_reason"), transaction.atomic():
        grant(chain, 1, authority="")


def test_a_product_borrows_from_its_sibling_up_to_the_rule(chain: Chain) -> None:
    own, lender = own_product(chain, 100), sibling(chain, "bank_acceptance", 300)
    FungibilityRule.objects.create(
        from_product="bank_acceptance", to_product=own.product, maximum_fen=150, valid_from=DAY, approval="串 1"
    )

    def ask(amount_fen: int, *, may_borrow: bool = True) -> limits.Answer:
        return limits.reserve(
            caller="test", key=uuid.uuid4().hex, facility=chain.facility, amount_fen=amount_fen, business_date=DAY,
            expires_at=timezone.now() + dt.timedelta(days=1), actor_id=None, may_borrow=may_borrow,
        )  # fmt: skip

    assert not ask(250, may_borrow=False).is_accepted
    assert not ask(251).is_accepted
    assert (cap(own), cap(lender)) == (100, 300), "a refusal leaves nothing borrowed"
    assert ask(250).is_accepted
    assert (cap(own), cap(lender)) == (250, 150)
    assert not ask(1).is_accepted, "the rule's maximum is used up although the lender has 150 free"


def test_two_freezes_are_lifted_one_by_one(chain: Chain) -> None:
    first = reserve(chain, 100)
    limits.set_status(node=chain.group, status="FROZEN", reason="查封", business_date=DAY, actor_id=None)
    lines.freeze_by_system(node=chain.group, is_on=True, reason="预警 W03", business_date=DAY)
    limits.set_status(node=chain.group, status="ACTIVE", reason="解封", business_date=DAY, actor_id=None)
    assert Node.objects.get(pk=chain.group.pk).status == "FROZEN"
    with pytest.raises(limits.LedgerError) as caught:
        post(first, 100)
    assert caught.value.code == "LIMIT_FROZEN"
    lines.freeze_by_system(node=chain.group, is_on=False, reason="解除", business_date=DAY)
    post(first, 100)


@pytest.mark.parametrize("status", ["SUSPENDED", "FROZEN", "EXPIRED"])
def test_nothing_stops_giving_back(chain: Chain, status: str) -> None:
    """I6, I8: a blocked line refuses reservations, and takes voids and repayments."""
    pending, booked = reserve(chain, 100), reserve(chain, 200)
    hold = post(booked, 200)
    limits.set_status(node=chain.group, status=status, reason="管控", business_date=DAY, actor_id=None)
    assert [refusal.code for refusal in reserve(chain, 1).refusals] == [f"LIMIT_{status}"]
    limits.release(hold_id=hold, amount_fen=200, business_date=DAY, reason="", actor_id=None)
    assert pending.hold_id is not None
    limits.void(hold_id=pending.hold_id, business_date=DAY, reason="", actor_id=None)
    assert used(chain.group) == 0


def test_a_suspended_line_still_posts_and_a_used_one_cannot_be_closed(chain: Chain) -> None:
    first = reserve(chain, 100)
    limits.set_status(node=chain.customer, status="SUSPENDED", reason="暂停", business_date=DAY, actor_id=None)
    post(first, 100)
    with pytest.raises(limits.LedgerError) as caught:
        limits.set_status(node=chain.customer, status="CLOSED", reason="销户", business_date=DAY, actor_id=None)
    assert caught.value.code == "LIMIT_IN_USE"


def test_a_reservation_past_its_time_cannot_be_posted_even_before_the_sweeper_comes(chain: Chain) -> None:
    answer = reserve(chain, 100)
    Hold.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    with pytest.raises(limits.LedgerError) as caught:
        post(answer, 100)
    assert caught.value.code == "HOLD_EXPIRED"
    assert answer.hold_id is not None
    limits.expire(hold_id=answer.hold_id, business_date=DAY)
    assert used(chain.group) == 0


def test_a_reservation_is_not_expired_before_its_time(chain: Chain) -> None:
    answer = reserve(chain, 100)
    assert answer.hold_id is not None
    with pytest.raises(limits.LedgerError) as caught:
        limits.expire(hold_id=answer.hold_id, business_date=DAY)
    assert caught.value.code == "HOLD_NOT_EXPIRED"


def test_consumed_falls_only_by_an_authorised_reversal(chain: Chain) -> None:
    """I7, and consumed lives on the non-revolving node only: the ancestors count what is outstanding."""
    Node.objects.filter(pk=chain.facility.pk).update(is_revolving=False, cap_fen=500)
    hold = post(reserve(chain, 300), 300)
    limits.release(hold_id=hold, amount_fen=300, business_date=DAY, reason="还", actor_id=None)
    assert (used(chain.facility), used(chain.customer), used(chain.group)) == (300, 0, 0)
    assert not reserve(chain, 201).is_accepted
    with pytest.raises(IntegrityError, match="reversal_four_eyes"), transaction.atomic():
        limits.reverse(hold_id=hold, business_date=DAY, reason="错", maker_id=1, checker_id=1)
    assert limits.reverse(hold_id=hold, business_date=DAY, reason="记错", maker_id=1, checker_id=2) == 0
    assert used(chain.facility) == 0
    with pytest.raises(limits.LedgerError) as caught:
        limits.reverse(hold_id=hold, business_date=DAY, reason="记错", maker_id=1, checker_id=2)
    assert caught.value.code == "HOLD_REVERSED"


def test_a_reversal_leaves_other_bookings_intact(chain: Chain) -> None:
    wrong, right = post(reserve(chain, 300), 300), post(reserve(chain, 200), 200)
    limits.reverse(hold_id=wrong, business_date=DAY, reason="记错", maker_id=1, checker_id=2)
    assert used(chain.group) == 200
    assert Hold.objects.get(pk=right).balance_fen == 200
    assert set(Movement.objects.filter(operation="REVERSE").values_list("hold_id", flat=True)) == {wrong}


def test_freezing_by_hand_takes_two_persons(chain: Chain, small_bank: SmallBank) -> None:
    bank, act = small_bank, StatusRequest.Act
    with pytest.raises(lines.LineActNotAllowedError):
        lines.propose_status(
            actor=bank.manager_west, node=chain.group, act=act.FREEZE, reason="涉诉", business_date=DAY
        )
    with pytest.raises(limits.LedgerError):
        lines.propose_status(actor=bank.risk_officer, node=chain.group, act=act.FREEZE, reason=" ", business_date=DAY)
    asked = lines.propose_status(
        actor=bank.risk_officer, node=chain.group, act=act.FREEZE, reason="涉诉", business_date=DAY
    )
    assert reserve(chain, 1).is_accepted, "asking freezes nothing"
    with pytest.raises(lines.LineActNotAllowedError, match="四眼"):
        lines.decide_status(actor=bank.risk_officer, request=asked, is_agreed=True, business_date=DAY)
    with pytest.raises(IntegrityError, match="status_request_four_eyes"), transaction.atomic():
        StatusRequest.objects.update(decided_by=bank.risk_officer)
    lines.decide_status(actor=bank.approver, request=asked, is_agreed=True, business_date=DAY)
    assert not reserve(chain, 1).is_accepted
    assert Node.objects.get(pk=chain.group.pk).status_reason == "涉诉"
    assert Entry.objects.filter(action__startswith="limits.status").count() == 2
    with pytest.raises(limits.LedgerError) as caught:
        lines.decide_status(actor=bank.approver, request=asked, is_agreed=True, business_date=DAY)
    assert caught.value.code == "DECIDED_ALREADY"


def test_a_status_act_must_fit_the_limit(chain: Chain, small_bank: SmallBank) -> None:
    """Reinstating opens no closed or expired line and lifts no freeze; what fitted when asked must fit when decided."""
    bank, act = small_bank, StatusRequest.Act

    def ask(what: str) -> StatusRequest:
        return lines.propose_status(
            actor=bank.risk_officer, node=chain.facility, act=what, reason="核查", business_date=DAY
        )

    def decide(asked: StatusRequest, *, is_agreed: bool = True) -> None:
        lines.decide_status(actor=bank.approver, request=asked, is_agreed=is_agreed, business_date=DAY)

    for unfit in (act.UNFREEZE, act.REINSTATE):
        with pytest.raises(limits.LedgerError) as caught:
            ask(unfit)
        assert caught.value.code == "STATUS_NOT_FITTING"
    decide(ask(act.SUSPEND))
    decide(ask(act.FREEZE))
    with pytest.raises(limits.LedgerError, match="请先解冻"):
        ask(act.REINSTATE)
    decide(ask(act.UNFREEZE))
    waiting = ask(act.REINSTATE)
    limits.set_status(node=chain.facility, status="CLOSED", reason="结清", business_date=DAY, actor_id=None)
    with pytest.raises(limits.LedgerError, match="已关闭"):
        decide(waiting)
    assert Node.objects.get(pk=chain.facility.pk).status == "CLOSED"
    assert StatusRequest.objects.get(pk=waiting.pk).state == "PROPOSED"
    decide(waiting, is_agreed=False)
    for unfit in act.values:
        with pytest.raises(limits.LedgerError, match="已关闭"):
            ask(unfit)
