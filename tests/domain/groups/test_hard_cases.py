"""The cases that break simple engines, and the changes to the demo bank's family."""

import datetime as dt
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from shouxin.domain.evidence import Agreement, Dependence, Entity, EntityKind, Evidence, Holding, KinLink, Post
from shouxin.domain.groups import Determination, identify
from shouxin.domain.groups.lookthrough import direct_shares, look_through
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


@pytest.mark.clause("Y02")
def test_y02_the_daughter_sells_and_c_leaves() -> None:
    base = worked.evidence()
    rows = tuple(replace(h, holder="外部乙") if (h.holder, h.company) == ("陈芳", "C") else h for h in base.holdings)
    found = bank(replace(base, holdings=rows))
    assert sorted(found.star_of_anchor["family", "陈建国"].steps) == ["A", "B", "D", "E"]


def test_y03_a_appoints_the_board_of_f_and_f_joins() -> None:
    found = bank(worked.evidence(agreements=(Agreement(controller="A", company="F", kind="board_majority"),)))
    assert groups(found) == [list("ABCDEF")]


@pytest.mark.clause("Y04")
def test_y04_the_chained_reading_gives_the_same_members_as_y03() -> None:
    assert groups(bank(is_transitive=True)) == [list("ABCDEF")]


@pytest.mark.clause("Y07")
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


# --- readings that the institution chose ----------------------------------------------------------------------


@pytest.mark.clause("A-03")
def test_joint_control_is_both_one_company_together_and_companies_apart() -> None:
    """Father 30 % and son 25 % of C together; father alone of A, son alone of B: all three are one group."""
    found = find(
        [person("f"), person("s"), company("A"), company("B"), company("C")],
        KinLink(a="f", b="s", relation="parent"),
        hold("f", "A", "60"), hold("s", "B", "60"), hold("f", "C", "30"), hold("s", "C", "25"),
    )  # fmt: skip
    assert groups(found) == [["A", "B", "C"]]


@pytest.mark.clause("A-20")
def test_without_credit_an_enterprise_is_a_node_and_no_member() -> None:
    found = find(
        [company("P"), company("Q"), company("N", is_customer=False)], hold("P", "N", "60"), hold("N", "Q", "60")
    )
    (group,) = found.groups
    assert {member.company: member.is_customer for member in group.members} == {"P": True, "N": False, "Q": True}


@pytest.mark.clause("A-21")
@pytest.mark.parametrize(("in_laws_are_members", "is_joined"), [(False, False), (True, True)])
def test_the_spouse_counts_and_in_laws_are_candidates_unless_the_parameter_says(
    in_laws_are_members: bool, is_joined: bool
) -> None:
    """p's wife holds B, the wife of p's son holds C."""
    found = find(
        [person("p"), person("w"), person("s"), person("d"), company("A"), company("B"), company("C")],
        KinLink(a="p", b="w", relation="spouse"), KinLink(a="p", b="s", relation="parent"),
        KinLink(a="s", b="d", relation="spouse"),
        hold("p", "A", "60"), hold("w", "B", "60"), hold("d", "C", "60"),
        in_laws_are_members=in_laws_are_members,
    )  # fmt: skip
    of_p = found.star_of_anchor["family", "p"].steps
    assert "B" in of_p
    assert ("C" in of_p) is is_joined
    is_candidate = any(s.code == "IN_LAW_CANDIDATE" and s.subject == "C" for s in found.suspicions)
    assert is_candidate is not is_joined


@pytest.mark.clause("A-22")
def test_generations_count_oneself_as_the_first_and_the_path_is_kept() -> None:
    links = [KinLink(a=f"p{at}", b=f"p{at + 1}", relation="parent") for at in range(3)]
    found = find([*(person(f"p{at}") for at in range(4)), company("A")], *links, hold("p0", "A", "60"))
    kin = found.star_of_anchor["family", "p0"].unit.kin
    assert {name: (row.generation, row.path) for name, row in kin.items() if name != "p0"} == {
        "p1": (2, ("p0", "p1")),
        "p2": (3, ("p0", "p1", "p2")),
    }, "the great-grandson is the fourth"


@pytest.mark.clause("A-23")
def test_two_halves_are_shown_as_joint_control_and_join_nothing() -> None:
    found = find([company("A"), company("B"), company("C")], hold("A", "C", "50"), hold("B", "C", "50"))
    assert found.groups == ()
    (finding,) = [s for s in found.suspicions if s.code == "JOINT_CONTROL"]
    assert finding.subject == "C"
    assert all(name in finding.message for name in "AB")


@pytest.mark.clause("A-25")
def test_a_nominee_joins_nothing_and_is_looked_through() -> None:
    """A nominee holds 60 % of A and of B; who controls the nominee controls both, and owns them by look-through."""
    nominee = replace(company("N", is_customer=False), nature="代持")
    entities = [nominee, company("A"), company("B"), person("x")]
    stakes = hold("N", "A", "60"), hold("N", "B", "60")
    assert find(entities, *stakes).groups == ()
    owned = find(entities, *stakes, hold("x", "N", "80"))
    assert groups(owned) == [["A", "B"]]
    evidence = Evidence(entities={e.id: e for e in entities}, holdings=(*stakes, hold("x", "N", "80")))
    shares = direct_shares(evidence, evidence.on(DAY))
    assert look_through("A", shares).share_of["x"] == Fraction(48, 100)
