"""What must not change when the register changes in a way that means nothing, whatever the register."""

import datetime as dt
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shouxin.domain.evidence import Agreement, Entity, EntityKind, Evidence, Holding, KinLink
from shouxin.domain.groups import Determination, identify
from tests.domain.groups.test_determination import DAY, settings

COMPANIES, PEOPLE = ("c0", "c1", "c2", "c3", "c4", "c5"), ("p0", "p1", "p2", "p3")
FEW = hypothesis_settings(max_examples=60, deadline=None)
WHOLE = 1_000

holdings = st.lists(
    st.builds(
        Holding,
        holder=st.sampled_from(COMPANIES + PEOPLE),
        company=st.sampled_from(COMPANIES),
        votes=st.sampled_from([1, 100, 250, 300, 334, 499, 500, 501, 510, 600, 1000]),
        is_percent=st.just(False),
    ),
    max_size=14,
)
kin = st.lists(
    st.builds(KinLink, a=st.just("p0"), b=st.sampled_from(PEOPLE[1:]), relation=st.sampled_from(["parent", "spouse"])),
    max_size=2,
)
agreements = st.lists(
    st.builds(
        Agreement,
        controller=st.sampled_from(COMPANIES + PEOPLE),
        company=st.sampled_from(COMPANIES),
        kind=st.just("contract"),
    ),
    max_size=1,
)


@st.composite
def registers(draw: st.DrawFn, *, with_agreements: bool = True) -> Evidence:
    entities = {c: Entity(c, c, EntityKind.ORGANISATION, is_customer=True, total_votes=WHOLE) for c in COMPANIES}
    entities |= {p: Entity(p, p, EntityKind.PERSON) for p in PEOPLE}
    return Evidence(
        entities=entities,
        holdings=tuple(draw(holdings)),
        kin=tuple(draw(kin)),
        agreements=tuple(draw(agreements)) if with_agreements else (),
    )


def run(evidence: Evidence, day: dt.date = DAY) -> Determination:
    return identify(evidence, as_of=day, settings=settings(), anchors=PEOPLE)


def pairs(found: Determination) -> set[tuple[str, str]]:
    return {(star.unit.id, company) for star in found.stars for company in star.steps}


def members(found: Determination) -> set[frozenset[str]]:
    return {group.customers for group in found.groups}


@FEW
@given(registers())
def test_a_company_without_holders_changes_nothing(evidence: Evidence) -> None:
    new = Entity("new", "new", EntityKind.ORGANISATION, is_customer=True)
    assert pairs(run(replace(evidence, entities={**evidence.entities, "new": new}))) == pairs(run(evidence))


@FEW
@given(registers(), st.data())
def test_a_holder_split_into_itself_and_a_whole_subsidiary_keeps_the_groups(
    evidence: Evidence, data: st.DataObject
) -> None:
    """Part of a stake moves into a new company that the holder owns whole. Own shares are another matter: they would
    begin to count.
    """
    movable = [row for row in evidence.holdings if row.holder != row.company]
    if not movable:
        return
    row = data.draw(st.sampled_from(movable))
    part = data.draw(st.integers(0, row.votes))
    kept = [h for h in evidence.holdings if h is not row]
    new = Entity("new", "new", EntityKind.ORGANISATION, total_votes=WHOLE)
    split = replace(
        evidence,
        entities={**evidence.entities, "new": new},
        holdings=(*kept, replace(row, votes=row.votes - part), replace(row, holder="new", votes=part),
                  Holding(holder=row.holder, company="new", votes=WHOLE, is_percent=False)),
    )  # fmt: skip
    assert members(run(split)) == members(run(evidence))


@FEW
@given(registers(), st.sampled_from(COMPANIES), st.integers(2, 10**12))
def test_scaling_all_votes_of_a_company_changes_nothing(evidence: Evidence, of: str, factor: int) -> None:
    scaled = replace(
        evidence,
        entities={**evidence.entities, of: replace(evidence.entities[of], total_votes=WHOLE * factor)},
        holdings=tuple(replace(h, votes=h.votes * factor) if h.company == of else h for h in evidence.holdings),
    )
    assert pairs(run(scaled)) == pairs(run(evidence))


@FEW
@given(registers(), st.data())
def test_more_votes_never_remove_anybody_while_the_total_stands(evidence: Evidence, data: st.DataObject) -> None:
    of = data.draw(st.sampled_from(COMPANIES))
    room = WHOLE - sum(h.votes for h in evidence.holdings if h.company == of)
    if room <= 0:
        return
    more = Holding(holder=data.draw(st.sampled_from(COMPANIES + PEOPLE)), company=of,
                   votes=data.draw(st.integers(1, room)), is_percent=False)  # fmt: skip
    assert pairs(run(replace(evidence, holdings=(*evidence.holdings, more)))) >= pairs(run(evidence))


@FEW
@given(registers(), st.permutations(COMPANIES), st.permutations(PEOPLE), st.randoms())
def test_other_ids_in_another_order_give_the_same_groups(
    evidence: Evidence, companies: list[str], people: list[str], random: object
) -> None:
    new = dict(zip(COMPANIES + PEOPLE, [f"n{c}" for c in companies + people], strict=True))
    rows = [replace(h, holder=new[h.holder], company=new[h.company]) for h in evidence.holdings]
    random.shuffle(rows)  # type: ignore[attr-defined]
    renamed = Evidence(
        entities={new[key]: replace(e, id=new[key]) for key, e in evidence.entities.items()},
        holdings=tuple(rows),
        kin=tuple(replace(k, a=new[k.a], b=new[k.b]) for k in evidence.kin),
        agreements=tuple(replace(a, controller=new[a.controller], company=new[a.company]) for a in evidence.agreements),
    )
    found = identify(renamed, as_of=DAY, settings=settings(), anchors=[new[p] for p in PEOPLE])
    assert members(found) == {frozenset(new[c] for c in group) for group in members(run(evidence))}


@FEW
@given(registers(with_agreements=False))
def test_of_two_holders_that_control_one_company_by_votes_one_controls_the_other(evidence: Evidence) -> None:
    controls = {star.unit.anchor: set(star.steps) for star in run(evidence).stars if star.unit.kind == "one"}
    for a, of_a in controls.items():
        for b, of_b in controls.items():
            if a < b and (of_a & of_b):
                assert a in of_b or b in of_a


@FEW
@given(registers())
def test_facts_of_a_period_hold_from_its_first_day_to_the_day_before_its_end(evidence: Evidence) -> None:
    first, end = dt.date(2020, 1, 1), dt.date(2021, 1, 1)
    period = {"valid_from": first, "valid_to": end}
    dated = replace(
        evidence,
        holdings=tuple(replace(h, **period) for h in evidence.holdings),
        kin=tuple(replace(k, **period) for k in evidence.kin),
        agreements=tuple(replace(a, **period) for a in evidence.agreements),
    )
    day = dt.timedelta(days=1)
    whole = pairs(run(evidence))
    found = [pairs(run(dated, on)) for on in (first - day, first, end - day, end)]
    assert found == [set(), whole, whole, set()]
