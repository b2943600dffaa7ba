"""The array engine finds the same groups as the engine on objects, and its proofs are accepted by the checker."""

import datetime as dt
import os
from dataclasses import replace

import numpy as np
import pytest

from shouxin.domain.evidence import Evidence
from shouxin.domain.groups import arrays, identify
from shouxin.domain.groups.settings import GroupSettings
from shouxin.domain.proof_check import ProofChecker
from shouxin.groups.policy_settings import settings_from
from shouxin.policy import load_book
from tests.oracle.cases import random_evidence

DAY = dt.date(2025, 6, 30)
SAMPLE = int(os.environ.get("SHOUXIN_ORACLE_CASES", "250"))


@pytest.fixture(scope="module")
def settings() -> GroupSettings:
    return settings_from(load_book(), DAY)


def proofs_of(result: arrays.Result, ids: list[str], concert: list[str]) -> list[dict[str, object]]:
    """One document per unit, with all its steps, as the checker reads them."""
    units = result.units
    documents: list[dict[str, object]] = []
    for place in range(units.count):
        kind = arrays.KINDS[units.kind[place]]
        steps = []
        for row in range(units.starts[place], units.starts[place + 1]):
            via = [
                {"holder": ids[units.via_holder[at]], "votes": int(units.via_votes[at])}
                for at in range(units.via_starts[row], units.via_starts[row + 1])
            ]
            if via[0]["votes"] == -1:
                via = [{"holder": via[0]["holder"], "agreement": "contract"}]
            steps.append(
                {"company": ids[units.company[row]], "total": int(result.total[units.company[row]]), "via": via}
            )
        anchor = concert[units.anchor[place]] if kind == "concert" else ids[units.anchor[place]]
        documents.append(
            {
                "unit": f"{kind}:{anchor}",
                "unit_kind": kind,
                "anchor": anchor,
                "company": steps[-1]["company"],
                "steps": steps,
            }
        )
    return documents


def compare(evidence: Evidence, anchors: list[str] | None, settings: GroupSettings) -> int:
    """Both engines on one register: the same groups, ultimate units that control the same, proofs that hold."""
    plain = identify(evidence, as_of=DAY, settings=settings, anchors=anchors)
    columns, ids = arrays.columns_of(plain.register, settings, anchors)
    found = arrays.identify(columns, settings)
    groups = {
        frozenset(ids[member] for member in found.group_member[found.group_starts[at] : found.group_starts[at + 1]])
        for at in range(found.group_unit.size)
    }
    assert groups == {group.customers for group in plain.groups}
    units = found.units
    checker = ProofChecker(evidence, as_of=DAY)
    documents = proofs_of(found, ids, list(plain.register.concert_sets))
    stars = plain.star_of_anchor
    for place, document in enumerate(documents):
        companies = {ids[company] for company in units.company[units.starts[place] : units.starts[place + 1]]}
        star = stars[str(document["unit_kind"]), str(document["anchor"])]
        assert companies == set(star.steps), document["unit"]
        if document["unit_kind"] == "family":
            document["family"] = [{"person": kin.person, "path": kin.path} for kin in star.unit.kin.values()]
        checker.check(document)
    _assert_ultimate(plain, {str(d["anchor"]) for d in documents if d["unit_kind"] == "one"})
    return len(groups)


def _assert_ultimate(plain: object, anchors: set[str]) -> None:
    """Single units of the array engine are the ones that nobody else who links controls, one for a ring."""
    single = {star.unit.anchor: set(star.steps) for star in plain.stars if star.unit.kind == "one"}  # type: ignore[attr-defined]
    expected = {
        anchor
        for anchor, companies in single.items()
        if not any(anchor in others and not (other in companies and anchor < other) for other, others in single.items())
    }
    assert anchors == expected


def test_random_registers(settings: GroupSettings) -> None:
    found = 0
    for seed in range(SAMPLE):
        try:
            found += compare(*random_evidence(seed), settings)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert found > SAMPLE / 10


def columns_from(
    rows: list[tuple[int, int, int]], n: int, *, persons: int = 0, total: int = 100, parents: int = 0
) -> arrays.Columns:
    """Holdings (holder, company, percent) over n entities; the last ``persons`` of them are persons."""
    table = np.array(sorted(rows, key=lambda row: row[1]), np.int64).reshape(-1, 3)
    is_person = np.arange(n) >= n - persons
    declared = np.zeros(n, np.int64)
    declared[table[:, 1]] = total
    return arrays.Columns(
        n=n,
        holder=table[:, 0].astype(np.int32),
        company=table[:, 1].astype(np.int32),
        votes=table[:, 2].copy(),
        declared=declared,
        is_customer=~is_person,
        is_person=is_person,
        is_linking=np.ones(n, np.bool_),
        is_dead=np.zeros(n, np.bool_),
    )


def test_a_joint_chain_100_000_deep(settings: GroupSettings) -> None:
    """Each company is held by the two before it, 30 % each: nobody alone, the chain together."""
    n = 100_000
    rows = [(0, 1, 60), *((max(at - 2, 0), at, 30) for at in range(2, n)), *((at - 1, at, 30) for at in range(2, n))]
    found = arrays.identify(columns_from(rows, n), settings)
    assert found.group_starts.tolist() == [0, n]
    assert found.units.anchor.tolist() == [0]
    assert found.units.company.size == n - 1


def test_a_sole_chain_from_the_bottom_100_000_deep(settings: GroupSettings) -> None:
    """The top has the largest number, so nothing is in a helpful order."""
    n = 100_000
    found = arrays.identify(columns_from([(at + 1, at, 51) for at in range(n - 1)], n), settings)
    assert found.units.anchor.tolist() == [n - 1]
    assert found.units.company.tolist() == list(range(n - 2, -1, -1)), "the proof goes from the top down"


def test_a_million_holders_of_one_company(settings: GroupSettings) -> None:
    """One share each, and half a million of them belong to one owner: that is no majority until one more does."""
    n = 1_000_002
    company, owner = 0, 1
    rows = [(at, company, 1) for at in range(2, n)]
    owned = [(owner, at, 60) for at in range(2, 500_002)]
    table = np.array(rows + owned, np.int64)
    columns = columns_from([], n)
    order = np.argsort(table[:, 1], kind="stable")
    declared = np.zeros(n, np.int64)
    declared[2:] = 100
    half = arrays.identify(_with(columns, table[order], declared), settings)
    assert company not in half.group_member.tolist()
    one_more = np.vstack([table, [[owner, 500_002, 60]]])
    order = np.argsort(one_more[:, 1], kind="stable")
    found = arrays.identify(_with(columns, one_more[order], declared), settings)
    assert company in found.group_member.tolist()
    place = int(np.flatnonzero(found.units.company == company)[0])
    via = found.units.via_starts
    assert via[place + 1] - via[place] == 500_001, "the smallest sufficient prefix"


def _with(columns: arrays.Columns, table: np.ndarray, declared: np.ndarray) -> arrays.Columns:
    return replace(
        columns,
        holder=table[:, 0].astype(np.int32),
        company=table[:, 1].astype(np.int32),
        votes=table[:, 2].copy(),
        declared=declared,
    )


def test_a_ring_is_shown_by_its_smallest_number(settings: GroupSettings) -> None:
    """2 → 3 → 1 → 2 with an outside holder of 40 % in one of them (D7)."""
    found = arrays.identify(columns_from([(2, 3, 60), (3, 1, 60), (1, 2, 60), (4, 3, 40)], 5), settings)
    assert found.units.anchor.tolist() == [1]
    assert sorted(found.units.company.tolist()) == [2, 3]
    assert found.rings.tolist() == [1, 2, 3]
    assert sorted(found.group_member.tolist()) == [1, 2, 3]


def test_votes_beyond_64_bits_are_refused(settings: GroupSettings) -> None:
    columns = columns_from([(at, 1, 2**61) for at in (0, 2, 3, 4, 5)], 6, total=0)
    with pytest.raises(arrays.ColumnsError, match="2\\^62"):
        arrays.identify(columns, settings)


def test_settings_it_is_not_proved_for_are_refused(settings: GroupSettings) -> None:
    with pytest.raises(arrays.ColumnsError, match="families of the anchor only"):
        arrays.identify(columns_from([(0, 1, 51)], 2), replace(settings, is_transitive=True))
