"""The sweeper and the end of day: what is due, once, again after a failure; differences with a product system."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.utils import timezone

from shouxin.bank.models import ExchangeRate
from shouxin.groups.models import Guarantee
from shouxin.jobs.models import JobRun
from shouxin.limits import day, lines, measures
from shouxin.limits import services as limits
from shouxin.limits.models import (
    Excess,
    Hold,
    Node,
    PortfolioTotal,
    ReconciliationItem,
    ReconciliationRun,
    Snapshot,
)
from shouxin.limits.tasks import end_of_day
from shouxin.parties.services import create_party
from tests.conftest import DAY, RunJobs, SmallBank
from tests.limits.conftest import Chain
from tests.limits.test_ledger import reserve, used


def book(chain: Chain, amount_fen: int) -> uuid.UUID:
    answer = reserve(chain, amount_fen)
    assert answer.hold_id is not None
    limits.post(hold_id=answer.hold_id, amount_fen=amount_fen, business_date=DAY, actor_id=None)
    return answer.hold_id


def test_the_end_of_day_does_everything_once(chain: Chain, run_jobs: RunJobs) -> None:
    ExchangeRate.objects.create(currency="USD", date=DAY, rate=Decimal("7.2"), source="中间价")
    overdue = reserve(chain, 100)
    Hold.objects.filter(pk=overdue.hold_id).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    lines.raise_for_a_while(
        node=chain.customer, amount_fen=50, start=DAY - dt.timedelta(days=9), return_date=DAY, approval="临",
        maker_id=1, checker_id=2,
    )  # fmt: skip
    book(chain, 300)
    end_of_day.defer(timestamp=0)
    (result,) = run_jobs()
    assert {name: result[name] for name in ("expired", "returned", "portfolio_rows")} == {
        "expired": 1, "returned": 1, "portfolio_rows": 5,
    }  # fmt: skip
    assert used(chain.group) == 300
    assert Snapshot.objects.count() == Node.objects.count()
    assert PortfolioTotal.objects.get(dimension="BRANCH").posted_fen == 300
    assert PortfolioTotal.objects.get(dimension="COUNTRY", value="CN").posted_fen == 300
    assert end_of_day.func(timestamp=0) == result, "the second run of a day gives the first one's result"
    assert JobRun.objects.get(job="limits.end_of_day").attempts == 1


def test_a_guarantor_stands_for_what_is_owed_at_most_what_was_guaranteed(chain: Chain) -> None:
    book(chain, 300)
    debtor = Node.objects.get(pk=chain.customer.pk).customer.party  # type: ignore[union-attr]
    for name, amounts in (("甲", (200, 50)), ("乙", (900,)), ("丙", (900,))):
        guarantor = create_party(kind="org", name=name)
        for amount_fen in amounts:
            Guarantee.objects.create(
                guarantor=guarantor, debtor=debtor, amount_fen=amount_fen, valid_from=DAY - dt.timedelta(days=9),
                valid_to=DAY if name == "丙" else None,
            )  # fmt: skip
    day.total_portfolio(business_date=DAY)
    sums = dict(PortfolioTotal.objects.filter(dimension="GUARANTOR").values_list("value", "posted_fen"))
    assert sums == {"甲": 250, "乙": 300}, "a guarantee that has ended counts no more"


def test_cover_that_runs_out_opens_an_excess(chain: Chain) -> None:
    Node.objects.filter(pk=chain.customer.pk).update(measure="NET")
    cover = measures.add_mitigant(
        customer=None, kind="OWN_CD", name="存单", value_fen=500, valid_from=DAY, valid_to=DAY + dt.timedelta(days=1)
    )
    limits.reserve(
        caller="t", key="k", facility=chain.facility, amount_fen=1_200, business_date=DAY, actor_id=None,
        expires_at=timezone.now() + dt.timedelta(days=1), covers=[limits.CoverShare(cover.pk, 500)],
    )  # fmt: skip
    assert day.expire_cover(business_date=DAY) == 0
    assert day.expire_cover(business_date=DAY + dt.timedelta(days=1)) == 1
    assert Excess.objects.get(closed_at=None).cause == "MITIGANT"


def test_a_facility_ends_with_its_period(chain: Chain) -> None:
    assert day.expire_lines(business_date=dt.date(2025, 12, 31)) == 0
    assert day.expire_lines(business_date=dt.date(2026, 1, 1)) == 1
    assert Node.objects.get(pk=chain.facility.pk).status == "EXPIRED"


def file_of(*rows: tuple[object, ...]) -> str:
    return "hold,facility,balance\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)


def test_differences_become_proposals_that_two_persons_carry_out(chain: Chain, small_bank: SmallBank) -> None:
    same, ours_only, differs = book(chain, 100), book(chain, 200), book(chain, 300)
    text = file_of((same, "合同一", "1.00"), (differs, "合同一", "2.00"), ("核心-9", "合同一", "0.50"))
    run = day.reconcile(system="core", business_date=DAY, text=text)
    assert day.reconcile(system="core", business_date=DAY, text=text) == run
    assert run.matched == 1
    proposals = {item.reference: item for item in run.items.all()}
    assert {name: item.proposal for name, item in proposals.items()} == {
        str(ours_only): "REVERSE", str(differs): "AMOUNT", "核心-9": "UPLOAD",
    }  # fmt: skip
    item = proposals[str(ours_only)]
    arguments = {"item": item, "is_agreed": True, "business_date": DAY}
    with pytest.raises(lines.LineActNotAllowedError):
        day.decide_difference(actor=small_bank.approver, proposer=small_bank.approver, **arguments)  # type: ignore[arg-type]
    with pytest.raises(lines.LineActNotAllowedError):
        day.decide_difference(actor=small_bank.manager_west, proposer=small_bank.approver, **arguments)  # type: ignore[arg-type]
    day.decide_difference(actor=small_bank.approver, proposer=small_bank.risk_officer, **arguments)  # type: ignore[arg-type]
    assert used(chain.group) == 400
    upload = proposals["核心-9"]
    day.decide_difference(
        actor=small_bank.approver, proposer=small_bank.risk_officer, item=upload, is_agreed=True, business_date=DAY
    )
    assert used(chain.group) == 450
    assert ReconciliationItem.objects.get(pk=upload.pk).hold is not None


def test_every_bad_line_is_named_and_nothing_is_compared(chain: Chain) -> None:
    book(chain, 100)
    with pytest.raises(day.ReconciliationFileError) as caught:
        day.reconcile(
            system="core", business_date=DAY,
            text=file_of(("a", "合同一", "1.001"), ("b", "没有", "1"), ("", "合同一", "1"), ("a2", "合同一", "x")),
        )  # fmt: skip
    assert [(e.line, e.column) for e in caught.value.errors] == [
        (2, "balance"),
        (3, "facility"),
        (4, "hold"),
        (5, "balance"),
    ]
    with pytest.raises(day.ReconciliationFileError, match="缺少列"):
        day.reconcile(system="core", business_date=DAY, text="a,b\n1,2\n")
    assert not ReconciliationRun.objects.exists()
