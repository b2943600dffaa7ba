"""After any changes the live register answers what a full run answers: the partition, its tops, overlapping units."""

import os
from random import Random

import numpy as np
import pytest

from shouxin.domain.groups import arrays, kernels
from shouxin.domain.groups.live import LiveRegister
from shouxin.domain.groups.settings import GroupSettings
from shouxin.groups.policy_settings import settings_from
from shouxin.policy import load_book
from tests.groups.test_parquet import DAY
from tests.oracle.cases import SHARES

SAMPLE = int(os.environ.get("SHOUXIN_ORACLE_CASES", "250"))
Stakes = dict[tuple[int, int], int]


@pytest.fixture(scope="module")
def settings() -> GroupSettings:
    return settings_from(load_book(), DAY)


def columns_of(stakes: Stakes, n: int, companies: int, linking: list[bool], declared: list[int],
               agreements: list[tuple[int, int]]) -> arrays.Columns:  # fmt: skip
    rows = sorted((company, holder, votes) for (holder, company), votes in stakes.items())
    company, holder, votes = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return arrays.Columns(
        n=n,
        holder=np.array(holder, np.int32),
        company=np.array(company, np.int32),
        votes=np.array(votes, np.int64),
        declared=np.array(declared, np.int64),
        is_customer=np.arange(n) < companies,
        is_person=np.arange(n) >= companies,
        is_linking=np.array(linking),
        is_dead=np.zeros(n, np.bool_),
        agreement_controller=np.array([a for a, _ in agreements], np.int32),
        agreement_company=np.array([b for _, b in agreements], np.int32),
    )


def full_tops(columns: arrays.Columns, settings: GroupSettings) -> list[int]:
    """Each entity's ultimate controller by a full run, itself where there is none."""
    starts = kernels.starts_of(columns.company, columns.n)
    merged = arrays._merge(columns, starts, columns.votes)
    tops = merged.top.tolist()
    units = arrays.identify(columns, settings, with_proofs=False).units
    for place in range(units.count):
        anchor = int(units.anchor[place])
        inside = {anchor, *units.company[units.starts[place] : units.starts[place + 1]].tolist()}
        if units.kind[place] == 0 and merged.top[anchor] in inside and merged.is_linking[anchor]:
            for member in inside:
                if merged.top[member] == merged.top[anchor]:
                    tops[member] = anchor
    return tops


@pytest.mark.parametrize("seed", range(SAMPLE // 2))
def test_equals_a_full_run_after_every_change(settings: GroupSettings, seed: int) -> None:
    random = Random(seed)
    companies, people = random.randint(2, 9), random.randint(1, 5)
    n = companies + people
    linking = [random.random() > 0.1 for _ in range(n)]
    declared = [random.choice([0, 100, 100, 60]) if at < companies else 0 for at in range(n)]
    agreements = sorted({(random.randrange(n), random.randrange(companies)) for _ in range(random.choice([0, 1, 2]))})
    agreements = [(a, b) for a, b in agreements if a != b]
    stakes: Stakes = {
        (random.randrange(n), random.randrange(companies)): random.choice(SHARES) for _ in range(random.randint(0, 22))
    }
    units = {at: random.sample(range(n), 2) for at in range(2)} | {2 + at: [a] for at, (a, _) in enumerate(agreements)}
    live = LiveRegister(columns_of(stakes, n, companies, linking, declared, agreements), units)
    for step in range(25):
        holder, company = random.randrange(n), random.randrange(companies)
        votes = random.choice((0, 0, *SHARES))
        live.set_votes(holder=holder, company=company, votes=votes)
        stakes[holder, company] = votes

        columns = columns_of(stakes, n, companies, linking, declared, [])
        assert [live.top(at) for at in range(n)] == full_tops(columns, settings), f"step {step}"
        fresh = LiveRegister(columns_of(stakes, n, companies, linking, declared, agreements), units)
        assert [live.companies_of(unit) for unit in units] == [fresh.companies_of(unit) for unit in units]


def test_votes_that_cannot_be_change_nothing() -> None:
    live = LiveRegister(columns_of({(1, 0): 60}, 2, 1, [True, True], [100, 0], []))

    for votes in (-1, 2**63):
        with pytest.raises(ValueError, match="votes"):
            live.set_votes(holder=1, company=0, votes=votes)
    live.set_votes(holder=0, company=0, votes=10)
    with pytest.raises(ValueError, match="2\\^62"):
        live.set_votes(holder=1, company=0, votes=2**62)

    assert live.top(0) == 1


def test_a_company_may_gain_and_lose_very_many_holders() -> None:
    """The pools grow and blocks move; the sole majority stays right all the time."""
    n = 3_000
    live = LiveRegister(columns_of({(1, 0): 3_000}, n, 1, [True] * n, [0] * n, []))
    for holder in range(2, n):
        live.set_votes(holder=holder, company=0, votes=1)
        assert live.top(0) == 1
    live.set_votes(holder=1, company=0, votes=2_998)
    assert live.top(0) == 0, "exactly half is not control"
    live.set_votes(holder=2, company=0, votes=0)
    assert live.top(0) == 1


def test_what_changed_is_said() -> None:
    """A chain 2 → 0 → 1: when 2 sells, both companies change; a minority stake changes nobody."""
    live = LiveRegister(columns_of({(2, 0): 60, (0, 1): 60}, 4, 2, [True] * 4, [100, 100, 0, 0], []), {7: [2, 3]})

    minority = live.set_votes(holder=3, company=1, votes=10)
    sold = live.set_votes(holder=2, company=0, votes=50)

    assert minority.entities.tolist() == []
    assert set(sold.entities.tolist()) == {0, 1}
    assert sold.units == {7}
    assert sorted(live.cluster(0).tolist()) == [0, 1]
