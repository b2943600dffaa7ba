"""The cases that break simple engines, and the changes to the demo bank's family."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import pytest

from shouxin.domain.evidence import Agreement, Dependence, Entity, EntityKind, Evidence, Holding, KinLink, Post
from shouxin.domain.groups import Determination, identify
from tests.domain.groups import worked
from tests.domain.groups.test_determination import DAY, company, find, groups, hold, person, settings

ANCHORS = worked.bank()["anchors"]


def child(parent: str, of: str) -> KinLink:
    return KinLink(a=parent, b=of, relation="parent")


def bank(evidence: Evidence | None = None, **changes: object) -> Determination:
    return identify(evidence or worked.evidence(), as_of=DAY, settings=settings(**changes), anchors=ANCHORS)


def test_holdings_of_nothing_control_nothing() -> None:
    nothing = Holding(holder="A", company="B", votes=0, is_percent=False)
    found = find([company("A"), company("B", total=0)], nothing)
    assert (found.stars, found.groups) == ((), ())


def test_a_pyramid_of_51_percent_is_controlled_to_its_foot() -> None:
    """The top's economic share of the tenth company is 0.2 %."""
    codes = [f"{n:02d}" for n in range(11)]
    found = find([company(c) for c in codes], *(hold(a, b, "51") for a, b in pairwise(codes)))
    assert groups(found) == [codes]


def test_a_whole_owner_and_an_agreement_controller_both_control() -> None:
    """Owner O has all shares of C, M its board: two groups that share C, for a person to decide."""
    found = find(
        [company(c) for c in "OMC"],
        hold("O", "C", "100"),
        Agreement(controller="M", company="C", kind="contract"),
    )
    assert sorted(groups(found)) == [["C", "M"], ["C", "O"]]
    assert [overlap.shared for overlap in found.overlaps] == [("C",)]


def test_two_anchors_who_share_a_sibling_stay_two_groups() -> None:
    """甲 and 丙 are half-brothers of 乙 on different sides and no relatives of one another; 乙 as anchor joins all."""
    evidence = Evidence(
        entities={e.id: e for e in (*map(person, ("父", "母", "甲", "乙", "丙")), *map(company, "ABC"))},
        kin=(child("父", "甲"), child("父", "乙"), child("母", "乙"), child("母", "丙")),
        holdings=(hold("甲", "A", "100"), hold("乙", "B", "100"), hold("丙", "C", "100")),
    )
    found = identify(evidence, as_of=DAY, settings=settings(), anchors=["甲", "丙"])
    assert sorted(groups(found)) == [["A", "B"], ["B", "C"]]
    assert [overlap.shared for overlap in found.overlaps] == [("B",)]
    assert groups(identify(evidence, as_of=DAY, settings=settings())) == [["A", "B", "C"]]


def test_married_cousins_are_near_once_and_their_uncle_is_not() -> None:
    found = find(
        [*map(person, ("祖", "父", "叔", "我", "堂妹")), *map(company, "AB")],
        child("祖", "父"), child("祖", "叔"), child("父", "我"), child("叔", "堂妹"),
        KinLink(a="我", b="堂妹", relation="spouse"),
        hold("我", "A", "30"), hold("堂妹", "A", "30"), hold("叔", "B", "100"),
    )  # fmt: skip
    star = found.star_of_anchor["family", "我"]
    assert set(star.steps) == {"A"}
    assert star.unit.kin["堂妹"].relation == "spouse"
    assert groups(found) == [["A", "B"]], "through the wife, whose father the uncle is"


def test_who_has_died_is_no_anchor() -> None:
    dead = Entity("父", "父", EntityKind.PERSON, died_date=dt.date(2020, 1, 1))
    facts = [child("父", "子"), hold("父", "A", "100"), hold("子", "B", "100")]
    people = [person("子"), company("A"), company("B")]
    assert groups(find([dead, *people], *facts)) == []
    assert groups(find([dead, *people], *facts, on=dt.date(2019, 12, 31))) == [["A", "B"]]


def test_a_post_alone_joins_nothing() -> None:
    """The same chairman of two companies without votes is no control."""
    posts = [Post(person="董", company=c, post="董事长") for c in "AB"]
    assert groups(find([person("董"), company("A"), company("B")], *posts)) == []


def test_dependence_is_directed_and_runs_down_a_chain() -> None:
    """C depends on B, B on A, and C on X too: A's set has all three, X's only X and C; A and X stay apart."""
    whole = 60_000_000
    evidence = Evidence(
        entities={c: company(c) for c in "ABCX"},
        dependence=tuple(
            Dependence(dependent=a, on=b, ratio_micro_percent=whole) for a, b in (("B", "A"), ("C", "B"), ("C", "X"))
        ),
    )
    found = identify(evidence, as_of=DAY, settings=settings())
    sets = {c: "".join(sorted(found.connected_set([c]))) for c in "ABCX"}
    assert sets == {"A": "ABC", "B": "BC", "C": "C", "X": "CX"}


def test_percent_and_shares_of_one_company_are_counted_in_one_unit() -> None:
    """500,001 of 1,000,000 declared shares beside 49 %."""
    shares = Holding(holder="A", company="C", votes=500_001, is_percent=False)
    found = find([company("A"), company("B"), company("C", total=1_000_000)], shares, hold("B", "C", "49"))
    assert groups(found) == [["A", "C"]]


# --- the demo bank, changed ----------------------------------------------------------------------------------------


def test_y02_the_daughter_sells_and_c_leaves() -> None:
    base = worked.evidence()
    rows = tuple(replace(h, holder="外部乙") if (h.holder, h.company) == ("陈芳", "C") else h for h in base.holdings)
    found = bank(replace(base, holdings=rows))
    assert sorted(found.star_of_anchor["family", "陈建国"].steps) == ["A", "B", "D", "E"]


def test_y03_a_appoints_the_board_of_f_and_f_joins() -> None:
    found = bank(worked.evidence(agreements=(Agreement(controller="A", company="F", kind="board_majority"),)))
    assert groups(found) == [list("ABCDEF")]


def test_y04_the_chained_reading_gives_the_same_members_as_y03() -> None:
    assert groups(bank(is_transitive=True)) == [list("ABCDEF")]


def test_y07_the_outsiders_company_is_not_linked() -> None:
    found = bank(worked.evidence(entities=(company("L"),), holdings=(hold("张伟", "L", "100"),)))
    assert not any("L" in group for group in groups(found))


def test_y08_a_group_of_one_is_a_single_customer() -> None:
    base = worked.evidence()
    alone = {key: replace(e, is_customer=e.is_customer and key == "A") for key, e in base.entities.items()}
    assert bank(replace(base, entities=alone)).groups == ()


@pytest.mark.parametrize(
    "day", [dt.date(2019, 12, 31), dt.date(2020, 1, 1), dt.date(2024, 12, 31), dt.date(2025, 1, 1)]
)
def test_groups_as_of_a_past_day(day: dt.date) -> None:
    """Held from 2020-01-01 to 2025-01-01: the first day counts, the last does not."""
    period = {"valid_from": dt.date(2020, 1, 1), "valid_to": dt.date(2025, 1, 1)}
    found = find([company("A"), company("B")], hold("A", "B", "60", **period), on=day)
    assert bool(found.groups) is (day.year in range(2020, 2025))
