"""Who belongs together: the clauses' own examples, the family of the demo bank, and what must never link."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from shouxin.domain.evidence import Agreement, ConcertMember, Entity, EntityKind, Evidence, Holding, KinLink, Post
from shouxin.domain.groups import Determination, GroupSettings, identify
from shouxin.groups.policy_settings import settings_from
from shouxin.policy import load_book
from tests.domain.groups import worked
from tests.oracle.cases import random_evidence

DAY = dt.date(2025, 6, 30)
PERCENT = 1_000_000


def settings(**changes: object) -> GroupSettings:
    return replace(settings_from(load_book(), DAY), **changes)  # type: ignore[arg-type]


def company(code: str, *, is_customer: bool = True, nature: str = "", total: int | None = None) -> Entity:
    return Entity(code, code, EntityKind.ORGANISATION, is_customer=is_customer, nature=nature, total_votes=total)


def person(name: str) -> Entity:
    return Entity(name, name, EntityKind.PERSON)


def hold(holder: str, of: str, percent: str, **period: dt.date) -> Holding:
    return Holding(holder=holder, company=of, votes=int(Decimal(percent) * PERCENT), **period)


def find(entities: list[Entity], *facts: object, on: dt.date = DAY, **changes: object) -> Determination:
    """Run the engine on a handful of facts."""
    evidence = Evidence(
        entities={entity.id: entity for entity in entities},
        holdings=tuple(f for f in facts if isinstance(f, Holding)),
        agreements=tuple(f for f in facts if isinstance(f, Agreement)),
        concert=tuple(f for f in facts if isinstance(f, ConcertMember)),
        kin=tuple(f for f in facts if isinstance(f, KinLink)),
        posts=tuple(f for f in facts if isinstance(f, Post)),
    )
    return identify(evidence, as_of=on, settings=settings(**changes))


def groups(found: Determination) -> list[list[str]]:
    return [sorted(group.customers) for group in found.groups]


EVE = DAY - dt.timedelta(days=1)

# --- the clauses' own examples -------------------------------------------------------------------------------------


@pytest.mark.clause("UC-09", "BR-02", "HA-02", points="over")
def test_control_passes_down_although_the_economic_share_is_small() -> None:
    """A 70 % of B, B 55 % of C: linked, although A's economic share of C is 38.5 %."""
    found = find([company("A"), company("B"), company("C")], hold("A", "B", "70"), hold("B", "C", "55"))
    assert groups(found) == [["A", "B", "C"]]
    assert {member.basis for member in found.groups[0].members} == {"一"}


@pytest.mark.clause("UC-09", "BR-02", "HA-02", points="before")
def test_the_right_to_appoint_the_board_controls_with_few_shares() -> None:
    """M appoints 4 of 7 directors of N with 30 % of the shares: linked, from the day of the right."""
    right = Agreement(controller="M", company="N", kind="board_majority", valid_from=DAY)
    facts = ([company("M"), company("N")], hold("M", "N", "30"), right)
    assert groups(find(*facts)) == [["M", "N"]]
    assert groups(find(*facts, on=EVE)) == []


@pytest.mark.clause("UC-09", "BR-02", "HA-02", points="on over before")
@pytest.mark.parametrize(
    ("votes", "day", "linked"), [("50", DAY, []), ("50.01", DAY, [["A", "B"]]), ("50.01", EVE, [])]
)
def test_half_of_the_votes_is_not_control_and_a_little_more_is(votes: str, day: dt.date, linked: list[str]) -> None:
    found = find([company("A"), company("B")], hold("A", "B", votes, valid_from=DAY), on=day)
    assert groups(found) == linked


@pytest.mark.clause("UC-10", "JS-16", "BR-02", "HA-02", points="on over before")
@pytest.mark.parametrize(
    ("votes", "day", "linked"), [("50", DAY, []), ("50.01", DAY, [["Q", "R"]]), ("50.01", EVE, [])]
)
def test_a_third_that_controls_only_one_links_nobody(votes: str, day: dt.date, linked: list[str]) -> None:
    """P holds 60 % of Q; of R it takes more than half, and only from the day on."""
    entities = [company("P", is_customer=False), company("Q"), company("R")]
    found = find(entities, hold("P", "Q", "60"), hold("P", "R", votes, valid_from=DAY), on=day)
    assert groups(found) == linked


@pytest.mark.clause("UC-10", "JS-16", "BR-02", "HA-02", points="over")
def test_two_under_a_third_legal_person_that_is_no_customer() -> None:
    """P (no credit here) holds 60 % of Q and 80 % of R: Q and R are linked on basis (二)."""
    found = find(
        [company("P", is_customer=False), company("Q"), company("R")], hold("P", "Q", "60"), hold("P", "R", "80")
    )
    assert groups(found) == [["Q", "R"]]
    assert {member.basis for member in found.groups[0].members} == {"二"}


@pytest.mark.clause("UC-08", points="on over before")
def test_a_holding_company_without_credit_links_its_two_and_is_no_member() -> None:
    """The holding is stored as a node, contributes no exposure, and still links its subsidiaries; with credit of its
    own it is a member; before it held both nobody was linked."""
    facts = (hold("T", "H", "100"), hold("H", "Q", "60"), hold("H", "R", "80", valid_from=DAY))
    others = [company("T", is_customer=False), company("Q"), company("R")]
    without = [company("H", is_customer=False), *others]
    (group,) = find(without, *facts).groups
    assert sorted(group.customers) == ["Q", "R"]
    assert {m.company for m in group.members if not m.is_customer} == {"H", "T"}
    assert groups(find([company("H"), *others], *facts)) == [["H", "Q", "R"]]
    assert groups(find(without, *facts, on=EVE)) == []


@pytest.mark.clause("UC-11", "BR-02", "HA-02", points="on over before")
@pytest.mark.parametrize(
    ("mother", "day", "linked"), [("19", DAY, []), ("19.01", DAY, [["A", "D"]]), ("19.01", EVE, [])]
)
def test_near_relatives_join_with_more_than_half_between_them(mother: str, day: dt.date, linked: list[str]) -> None:
    """Father has A; son 31 % and mother 19 % of D are half and join nothing, with 19.01 % D joins, from the day on."""
    found = find(
        [person("父"), person("母"), person("子"), company("A"), company("D")],
        hold("父", "A", "60"), hold("子", "D", "31"), hold("母", "D", mother, valid_from=DAY),
        KinLink(a="父", b="母", relation="spouse"), KinLink(a="父", b="子", relation="parent"),
        KinLink(a="母", b="子", relation="parent"), on=day,
    )  # fmt: skip
    assert groups(found) == linked


@pytest.mark.clause("UC-11", "BR-02", "HA-02", points="on over")
@pytest.mark.parametrize(("owner", "linked"), [("孙", [["A", "D"]]), ("曾孙", []), ("弟", [["A", "D"]]), ("侄", [])])
def test_three_generations_in_line_and_two_beside_it_count(owner: str, linked: list[str]) -> None:
    """Grandson (3rd, lineal) and brother (2nd, collateral) count; great-grandson (4th) and nephew (3rd) do not."""
    links = [("祖", "父"), ("祖", "弟"), ("父", "子"), ("子", "孙"), ("孙", "曾孙"), ("弟", "侄")]
    people = [person(name) for name in ("祖", "父", "弟", "子", "孙", "曾孙", "侄")]
    found = find(
        [*people, company("A"), company("D")], hold("父", "A", "60"), hold(owner, "D", "60"),
        *(KinLink(a=a, b=b, relation="parent") for a, b in links),
    )  # fmt: skip
    assert groups(found) == linked


@pytest.mark.clause("UC-11", "BR-02", "HA-02", points="over")
def test_son_and_mother_together_join_the_fathers_group_and_the_nephew_does_not() -> None:
    """Son 31 % and mother 20 % of D: D joins the father's group; the nephew's firm F does not."""
    found = identify(worked.evidence(), as_of=DAY, settings=settings(), anchors=worked.bank()["anchors"])
    star = found.star_of_anchor["family", "陈建国"]
    assert "D" in star.steps
    assert "F" not in star.steps
    step = star.proof("D")[-1]
    assert [(c.holder, c.votes // PERCENT) for c in step.via] == [("陈明", 31), ("李秀英", 20)]


@pytest.mark.clause("JS-15")
def test_two_companies_that_the_actual_controller_founded_are_linked() -> None:
    found = find([person("周"), company("A"), company("B")], hold("周", "A", "100"), hold("周", "B", "100"))
    assert groups(found) == [["A", "B"]]
    assert {member.basis for member in found.groups[0].members} == {"三"}


@pytest.mark.clause("JS-17")
def test_the_brother_alone_controls_and_his_company_joins() -> None:
    found = find(
        [person("父"), person("兄"), person("弟"), company("A"), company("E")],
        hold("兄", "A", "60"), hold("弟", "E", "80"),
        KinLink(a="父", b="兄", relation="parent"), KinLink(a="父", b="弟", relation="parent"),
    )  # fmt: skip
    assert groups(found) == [["A", "E"]]


@pytest.mark.clause("A-24")
def test_government_and_custodians_never_link_by_holding() -> None:
    for holder in (
        company("G", is_customer=False, nature="政府"),
        company("某市人民政府国有资产监督管理委员会", is_customer=False),
    ):
        found = find([holder, company("A"), company("B")], hold(holder.id, "A", "60"), hold(holder.id, "B", "60"))
        assert groups(found) == []


# --- the family of the demo bank -----------------------------------------------------------------------------------


def test_the_stars_maximal_groups_and_overlap_of_the_demo_bank() -> None:
    expected = worked.bank()["expected"]
    found = identify(worked.evidence(), as_of=DAY, settings=settings(), anchors=worked.bank()["anchors"])
    assert {a: sorted(found.star_of_anchor["family", a].steps) for a in expected["stars"]} == expected["stars"]
    assert groups(found) == expected["maximal_groups"]
    assert [(o.first, o.second, o.shared) for o in found.overlaps] == [("G1", "G2", ("A", "B", "E"))]
    assert sorted(found.connected_set(found.groups[0].customers)) == expected["connected_set_le"]


def test_the_chained_reading_gives_one_group() -> None:
    found = identify(
        worked.evidence(), as_of=DAY, settings=settings(is_transitive=True), anchors=worked.bank()["anchors"]
    )
    assert groups(found) == [worked.bank()["expected"]["transitive_group"]]


def test_anchors_by_parameter_leave_out_who_neither_invests_nor_manages() -> None:
    found = identify(worked.evidence(), as_of=DAY, settings=settings())
    anchors = {star.unit.anchor for star in found.stars if star.unit.kind == "family"}
    assert "陈大山" not in anchors
    assert {"陈建国", "李秀英", "陈明", "陈建军", "陈亮"} <= anchors
    assert groups(found) == worked.bank()["expected"]["maximal_groups"]


def test_a_sale_takes_the_company_out_from_its_day_on() -> None:
    """Y01: 李秀英 sells her 20 % of D on 2025-09-01."""
    base = worked.evidence()
    sold = dt.date(2025, 9, 1)
    rows = tuple(replace(h, valid_to=sold) if (h.holder, h.company) == ("李秀英", "D") else h for h in base.holdings)
    evidence = replace(base, holdings=(*rows, hold("张伟", "D", "20", valid_from=sold)))
    for day, members in ((dt.date(2025, 8, 31), "ABCDE"), (sold, "ABCE")):
        found = identify(evidence, as_of=day, settings=settings(), anchors=["陈建国"])
        assert sorted(found.star_of_anchor["family", "陈建国"].steps) == list(members)


def founded_by(founder: str) -> Determination:
    evidence = worked.evidence(entities=(company("H"),), holdings=(hold(founder, "H", "100"),))
    return identify(evidence, as_of=DAY, settings=settings(), anchors=worked.bank()["anchors"])


def stars_with_h(found: Determination) -> dict[str, list[str]]:
    stars = {anchor: found.star_of_anchor["family", anchor].steps for anchor in worked.bank()["anchors"]}
    return {anchor: sorted(steps) for anchor, steps in stars.items() if "H" in steps}


@pytest.mark.clause("Y05")
def test_a_great_grandsons_company_joins_his_grandfathers_group_which_overlaps() -> None:
    """陈乐 is 陈建国's fourth generation and 陈明's third: only the latter's star has H, and it overlaps the first."""
    found = founded_by("陈乐")
    assert stars_with_h(found) == {"陈明": list("ABCDH")}
    assert list("ABCDE") in groups(found)
    assert list("ABCDH") in groups(found)
    assert any(set(overlap.shared) == set("ABCD") for overlap in found.overlaps), "合并认定"


@pytest.mark.clause("Y06")
def test_a_son_in_laws_company_is_a_candidate_and_no_member() -> None:
    found = founded_by("王强")
    assert stars_with_h(found) == {}
    assert "IN_LAW_CANDIDATE" in {s.code for s in found.suspicions if s.subject == "H"}


# --- exactly on the line, rings, chains ----------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "controls"), [("50.000000", False), ("50.000001", True)])
def test_more_than_half_and_exactly_half(percent: str, controls: bool) -> None:
    rest = str(100 - Decimal(percent))
    found = find([company("A"), company("B"), company("X")], hold("A", "B", percent), hold("X", "B", rest))
    assert bool(found.groups) is controls
    assert ("JOINT_CONTROL" in {s.code for s in found.suspicions}) is not controls


def test_three_holders_of_a_third_control_nothing() -> None:
    third = "33.333333"
    found = find([company(c) for c in "ABCY"], hold("A", "Y", third), hold("B", "Y", third), hold("C", "Y", third))
    assert groups(found) == []


def test_shares_above_ten_to_the_eleven_are_counted_exactly() -> None:
    total = 200_000_000_001
    entities = [company("A"), company("B", total=total)]
    for votes, controls in ((100_000_000_000, False), (100_000_000_001, True)):
        found = find(entities, Holding(holder="A", company="B", votes=votes, is_percent=False))
        assert bool(found.groups) is controls


def test_holdings_above_the_whole_are_the_denominator_and_are_reported() -> None:
    found = find([company(c) for c in "ABC"], hold("A", "C", "60"), hold("B", "C", "70"))
    assert groups(found) == [["B", "C"]], "70 of 130 is more than half, 60 is not"
    (said,) = [s for s in found.suspicions if s.code == "HOLDINGS_ABOVE_TOTAL"]
    assert (said.subject, "130%" in said.message) == ("C", True)


def test_own_shares_never_count() -> None:
    found = find([company("A"), company("B")], hold("A", "B", "45"), hold("B", "B", "20"))
    assert groups(found) == []


def test_a_diamond_is_controlled_by_the_sum_of_its_sides() -> None:
    found = find(
        [company(c) for c in "ABCD"],
        hold("A", "B", "60"), hold("A", "C", "60"), hold("B", "D", "26"), hold("C", "D", "26"),
    )  # fmt: skip
    assert groups(found) == [["A", "B", "C", "D"]]


def test_a_ring_is_one_group_without_ultimate_controller() -> None:
    found = find(
        [company(c) for c in "ABCX"],
        hold("A", "B", "60"), hold("B", "C", "60"), hold("C", "A", "60"), hold("X", "A", "40"),
    )  # fmt: skip
    assert groups(found) == [["A", "B", "C"]]
    ring = [s for s in found.suspicions if s.code == "CROSS_HOLDING_RING"]
    assert [s.subject for s in ring] == ["A"]
    for star in found.stars:
        for step in star.proof(next(iter(star.steps))):
            assert all(c.holder != step.company for c in step.via)


def test_people_acting_in_concert_are_one_unit() -> None:
    concert = [ConcertMember(set_id="S", member=name) for name in ("甲", "乙")]
    facts = [hold("甲", "A", "30"), hold("乙", "A", "30"), hold("甲", "B", "51")]
    people = [person("甲"), person("乙"), company("A"), company("B")]
    assert groups(find(people, *facts)) == []
    assert groups(find(people, *facts, *concert)) == [["A", "B"]]


def test_a_joint_chain_of_thousands_is_walked_without_recursion() -> None:
    """Each company is held by the two before it, 30 % and 30 %."""
    depth = 20_000
    entities = [company(f"{n:06d}", is_customer=n > depth - 3) for n in range(depth)]
    facts = [hold("000000", "000001", "60")]
    for n in range(2, depth):
        facts += [hold(f"{n - 1:06d}", f"{n:06d}", "30"), hold(f"{n - 2:06d}", f"{n:06d}", "30")]
    from shouxin.domain.groups.control import controlled_by

    evidence = Evidence(entities={e.id: e for e in entities}, holdings=tuple(facts))
    steps = controlled_by(["000000"], evidence.on(DAY), settings())
    assert len(steps) == depth - 1


def test_a_chain_a_hundred_thousand_deep_is_one_group_in_linear_work() -> None:
    depth = 100_000
    codes = [f"{n:06d}" for n in range(depth)]
    evidence = Evidence(
        entities={code: company(code, is_customer=n > depth - 4) for n, code in enumerate(codes)},
        holdings=tuple(hold(above, below, "51") for above, below in pairwise(codes)),
    )
    found = identify(evidence, as_of=DAY, settings=settings(), only_ultimate=True)
    assert groups(found) == [codes[-3:]]
    assert [star.unit.anchor for star in found.stars] == [codes[0]]


def test_leaving_out_controlled_holders_finds_the_same_groups() -> None:
    for seed in range(200):
        evidence, anchors = random_evidence(seed)
        whole, top = (
            identify(evidence, as_of=DAY, settings=settings(), anchors=anchors, only_ultimate=only)
            for only in (False, True)
        )
        assert {g.customers for g in whole.groups} == {g.customers for g in top.groups}, seed


def test_hundreds_of_thousands_of_holders_of_one_company_are_added_up_once() -> None:
    holders = 200_000
    entities = {f"p{n}": person(f"p{n}") for n in range(holders)} | {"C": company("C", total=holders * 10)}
    facts = tuple(Holding(holder=f"p{n}", company="C", votes=1, is_percent=False) for n in range(holders))
    found = identify(Evidence(entities=entities, holdings=facts), as_of=DAY, settings=settings(), only_ultimate=True)
    assert found.groups == ()


def test_shuffled_input_gives_the_same_answer() -> None:
    base = worked.evidence()
    answers = set()
    for seed in range(5):
        rows = list(base.holdings)
        kin = list(base.kin)
        Random(seed).shuffle(rows)
        Random(seed + 1).shuffle(kin)
        found = identify(replace(base, holdings=tuple(rows), kin=tuple(kin)), as_of=DAY, settings=settings())
        answers.add(str([(g.label, g.star.unit.anchor, g.members) for g in found.groups]))
    assert len(answers) == 1
