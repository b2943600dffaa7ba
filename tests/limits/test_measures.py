"""Cover and currency: the net measure, shares of one mitigant, versions of rates, revaluation."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from shouxin.limits import measures
from shouxin.limits import services as limits
from shouxin.limits.models import Excess, Hold, Mitigant, Movement, Node, RateSet
from tests.conftest import DAY, SmallBank
from tests.limits.conftest import Chain
from tests.limits.test_ledger import reserve, used

NEXT_DAY = DAY + dt.timedelta(days=1)


def ask(
    chain: Chain, amount: int, *, currency: str = "CNY", covers: tuple[tuple[Mitigant, int], ...] = ()
) -> limits.Answer:
    return limits.reserve(
        caller="test", key=uuid.uuid4().hex, facility=chain.facility, amount_fen=amount, business_date=DAY,
        expires_at=timezone.now() + dt.timedelta(days=1), actor_id=None, currency=currency,
        covers=[limits.CoverShare(mitigant.pk, share) for mitigant, share in covers],
    )  # fmt: skip


def book(answer: limits.Answer, amount: int) -> uuid.UUID:
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=amount, business_date=DAY, actor_id=None)
    return answer.hold_id


@pytest.fixture
def net(chain: Chain) -> Chain:
    """The customer's 900 limit the net exposure; the group counts gross and has no cap."""
    Node.objects.filter(pk=chain.customer.pk).update(measure="NET")
    return chain


def margin(value: int, kind: str = "MARGIN") -> Mitigant:
    return measures.add_mitigant(customer=None, kind=kind, name="保证金户", value_fen=value, valid_from=DAY)


def test_margin_is_taken_off_where_the_cap_limits_the_exposure(net: Chain) -> None:
    """On the line: 1,800 with 900 margin counts 900; one more 分 of either is refused."""
    cover = margin(2_000)
    with transaction.atomic():
        assert not ask(net, 1_801, covers=((cover, 900),)).is_accepted
    assert ask(net, 1_800, covers=((cover, 900),)).is_accepted
    assert (used(net.customer), used(net.group)) == (900, 1_800)
    assert not ask(net, 1).is_accepted


def test_a_mortgage_lowers_no_exposure(net: Chain) -> None:
    house = margin(5_000, kind="MORTGAGE")
    answer = ask(net, 1_000, covers=((house, 500),))
    assert "COVER_NOT_AVAILABLE" in [refusal.code for refusal in answer.refusals]


def test_one_mitigant_backs_several_holds_up_to_its_value(net: Chain) -> None:
    cover = margin(1_000)
    assert ask(net, 700, covers=((cover, 600),)).is_accepted
    assert not ask(net, 500, covers=((cover, 401),)).is_accepted
    assert ask(net, 500, covers=((cover, 400),)).is_accepted
    with pytest.raises(IntegrityError, match="mitigant_shares_within_value"), transaction.atomic():
        Mitigant.objects.update(shared_fen=1_001)


def test_what_a_hold_gives_back_frees_its_cover_for_others(net: Chain) -> None:
    cover = margin(600)
    hold = book(ask(net, 700, covers=((cover, 600),)), 700)
    limits.release(hold_id=hold, amount_fen=400, business_date=DAY, reason="", actor_id=None)
    cover.refresh_from_db()
    assert (cover.shared_fen, used(net.customer)) == (300, 0)
    limits.release(hold_id=hold, amount_fen=300, business_date=DAY, reason="", actor_id=None)
    cover.refresh_from_db()
    assert (cover.shared_fen, used(net.customer), used(net.group)) == (0, 0, 0)


def test_a_partial_post_keeps_no_more_cover_than_it_books(net: Chain) -> None:
    cover = margin(600)
    book(ask(net, 700, covers=((cover, 600),)), 500)
    cover.refresh_from_db()
    assert (cover.shared_fen, used(net.customer), used(net.group)) == (500, 0, 500)


def test_a_margin_drawn_down_raises_the_exposure_and_opens_an_excess(net: Chain) -> None:
    """B's margin falls from 1,000 to 700: used 1,200 + 1,000 − 700 is above the cap of 900 net of nothing else."""
    cover = margin(1_000)
    hold = book(ask(net, 1_800, covers=((cover, 1_000),)), 1_800)
    assert used(net.customer) == 800
    over = measures.set_value(mitigant=cover, value_fen=700, business_date=DAY, reason="支取", actor_id=None)
    assert (over, used(net.customer), used(net.group)) == (200, 1_100, 1_800)
    assert Excess.objects.get(closed_at=None).cause == "MITIGANT"
    assert [refusal.code for refusal in reserve(net, 1).refusals] == ["LIMIT_IN_EXCESS"]
    limits.release(hold_id=hold, amount_fen=900, business_date=DAY, reason="还", actor_id=None)
    assert not Excess.objects.filter(closed_at=None).exists()


def test_cover_given_later_lowers_the_exposure(net: Chain) -> None:
    hold = book(ask(net, 900), 900)
    cover = margin(500)
    measures.link(hold_id=hold, mitigant=cover, share_fen=500, business_date=DAY, actor_id=None)
    assert used(net.customer) == 400
    with pytest.raises(limits.LedgerError):
        measures.link(hold_id=hold, mitigant=cover, share_fen=1, business_date=DAY, actor_id=None)


# --- currency ----------------------------------------------------------------------------------------------------


@pytest.fixture
def rates(chain: Chain) -> RateSet:
    return measures.add_rate_set(business_date=DAY, rates={"USD": Decimal("7.2")}, source="中间价")


def test_a_foreign_amount_counts_at_the_newest_rates_and_names_their_version(chain: Chain, rates: RateSet) -> None:
    """USD 10 at 7.2 is 72; the original stays beside it."""
    answer = ask(chain, 10, currency="USD")
    hold = Hold.objects.get(pk=answer.hold_id)
    assert (hold.amount_fen, hold.original_amount, hold.rate_set_id) == (72, 10, rates.pk)
    assert used(chain.group) == 72
    assert not ask(chain, 116, currency="USD").is_accepted, "835 does not fit in 828"


@pytest.mark.clause("A-27", points="over")
def test_a_rise_of_the_rate_opens_an_excess_and_is_never_refused(chain: Chain, rates: RateSet) -> None:
    hold = book(ask(chain, 125, currency="USD"), 125)
    assert used(chain.customer) == 900
    measures.add_rate_set(business_date=NEXT_DAY, rates={"USD": Decimal("7.3")}, source="中间价")
    assert measures.list_holds_to_revalue(business_date=DAY) == []
    assert measures.list_holds_to_revalue(business_date=NEXT_DAY) == [hold]
    assert measures.revalue(hold_id=hold, business_date=NEXT_DAY) == 13
    excess = Excess.objects.get(closed_at=None)
    assert (excess.cause, excess.amount_fen, used(chain.customer)) == ("FX_REVAL", 13, 913)
    assert measures.list_holds_to_revalue(business_date=NEXT_DAY) == []
    assert measures.revalue(hold_id=hold, business_date=NEXT_DAY) == 0


def test_a_repaid_foreign_loan_returns_exactly_to_zero(chain: Chain, rates: RateSet) -> None:
    hold = book(ask(chain, 97, currency="USD"), 89)
    for part, rate in ((31, "7.3333"), (17, "6.9871"), (41, "7.0001")):
        measures.add_rate_set(business_date=NEXT_DAY, rates={"USD": Decimal(rate)}, source="中间价")
        measures.revalue(hold_id=hold, business_date=NEXT_DAY)
        limits.release(hold_id=hold, amount_fen=part, business_date=NEXT_DAY, reason="还", actor_id=None)
    assert {used(node) for node in Node.objects.all()} == {0}
    assert Hold.objects.get(pk=hold).balance_fen == 0


def test_a_pending_foreign_reservation_is_revalued_too(chain: Chain, rates: RateSet) -> None:
    answer = ask(chain, 10, currency="USD")
    measures.add_rate_set(business_date=DAY, rates={"USD": Decimal(8)}, source="更正")
    assert answer.hold_id is not None
    measures.revalue(hold_id=answer.hold_id, business_date=DAY)
    limits.void(hold_id=answer.hold_id, business_date=DAY, reason="", actor_id=None)
    assert used(chain.group) == 0
    assert RateSet.objects.count() == 2, "the corrected version stays beside the first"


def test_no_rate_is_said_and_nothing_is_written(chain: Chain) -> None:
    with pytest.raises(DatabaseError, match="no rate of JPY"), transaction.atomic():
        ask(chain, 10, currency="JPY")
    assert not Movement.objects.filter(operation="RESERVE").exists()


def test_published_rates_become_a_version_once(small_bank: SmallBank) -> None:
    from shouxin.bank.models import ExchangeRate

    assert measures.take_published_rates(business_date=DAY) is None
    ExchangeRate.objects.create(currency="USD", date=DAY, rate=Decimal("7.2"), source="中间价")
    first = measures.take_published_rates(business_date=DAY)
    assert measures.take_published_rates(business_date=DAY) == first
