"""Find the group customers of one day: units, what they control, the maximal groups, their overlaps, the suspicions.

The machine proposes with proof; a person confirms (BR-03). A group is the set of customers — legal persons with
credit here — that one unit controls, together with the unit itself when it is such a customer (D11):
(一) the unit is a customer and controls the others; (二) the unit is another legal person; (三) the unit is a person
with the near relatives, or a concert set of persons. Only maximal groups are kept; two that share a member need a
decision.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from shouxin.domain.evidence import Evidence, Register
from shouxin.domain.groups.control import Step, controlled_by, from_the_top, percent_text, proof_of
from shouxin.domain.groups.kinship import FamilyTree, Kin
from shouxin.domain.groups.settings import GroupSettings

ONE, FAMILY, CONCERT = "one", "family", "concert"


@dataclass(frozen=True, slots=True)
class Unit:
    """Somebody who may control: ``anchor`` is the holder's id, the anchor person's, or the concert set's."""

    kind: str
    anchor: str
    members: frozenset[str]
    kin: Mapping[str, Kin]

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.anchor}"


@dataclass(frozen=True)
class Star:
    """A unit with everything it controls and the steps that prove it."""

    unit: Unit
    steps: Mapping[str, Step]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {company: place for place, company in enumerate(self.steps)}

    def proof(self, company: str) -> tuple[Step, ...]:
        """The steps that one company's membership rests on, in the order in which they prove one another."""
        return proof_of(company, self.steps, self._places)


@dataclass(frozen=True, slots=True)
class Member:
    """One company of a group. A company without credit here is a node that links, no member (UC-08)."""

    company: str
    basis: str
    is_customer: bool
    ultimate: str


@dataclass(frozen=True, slots=True)
class Group:
    """A maximal group with the units that each make the whole of it, the first being the one shown."""

    label: str
    stars: tuple[Star, ...]
    members: tuple[Member, ...]

    @property
    def star(self) -> Star:
        return self.stars[0]

    @property
    def customers(self) -> frozenset[str]:
        return frozenset(member.company for member in self.members if member.is_customer)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two maximal groups that share members: 合并认定 (A-02)."""

    first: str
    second: str
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something a person should look at; it never links by itself."""

    code: str
    severity: str
    subject: str
    message: str


@dataclass(frozen=True)
class Determination:
    """Everything one run found."""

    register: Register
    settings: GroupSettings
    stars: tuple[Star, ...]
    groups: tuple[Group, ...]
    overlaps: tuple[Overlap, ...]
    suspicions: tuple[Suspicion, ...]

    @cached_property
    def star_of_anchor(self) -> dict[tuple[str, str], Star]:
        """Stars by (unit kind, anchor)."""
        return {(star.unit.kind, star.unit.anchor): star for star in self.stars}

    def connected_set(self, members: Iterable[str]) -> frozenset[str]:
        """The large-exposure set of some companies: they, what depends on them, and what that controls (D12).

        Directed: who depends on two customers joins each one's set, but does not join the two.
        """
        register, line = self.register, self.settings.dependence_percent * 1_000_000
        dependents: defaultdict[str, list[str]] = defaultdict(list)
        for row in register.dependence:
            if row.ratio_micro_percent >= line:
                dependents[row.on].append(row.dependent)
        found = set(members)
        waiting = sorted(found)
        while waiting:
            company = waiting.pop()
            beyond = [*dependents.get(company, ()), *controlled_by([company], register, self.settings)]
            for other in beyond:
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return frozenset(found)


def identify(
    evidence: Evidence,
    *,
    as_of: dt.date,
    settings: GroupSettings,
    anchors: Collection[str] | None = None,
    only_ultimate: bool = False,
) -> Determination:
    """Run the determination on the evidence of a day. ``anchors`` replaces the anchor persons found by parameter.

    ``only_ultimate`` leaves out holders that another single holder controls: the groups are the same, since whoever
    controls them controls all that they do, and a chain of n companies costs n steps instead of n².
    """
    register = evidence.on(as_of)
    tree = FamilyTree.of(register)
    chosen = sorted(anchors) if anchors is not None else find_anchors(register, settings)
    units = _units(register, tree, settings, chosen)
    if only_ultimate:
        stars = list(_top_stars(units, register, settings))
    else:
        stars = [star for unit in units if (star := _star(unit, register, settings))]
    stars.sort(key=lambda star: (star.unit.kind != ONE, star.unit.kind, star.unit.anchor))
    ultimates = _ultimate_controllers(stars)
    groups = _maximal_groups(register, settings, stars, ultimates)
    return Determination(
        register=register,
        settings=settings,
        stars=tuple(stars),
        groups=groups,
        overlaps=_overlaps(groups),
        suspicions=tuple(_suspicions(register, tree, settings, stars, chosen)),
    )


def find_anchors(register: Register, settings: GroupSettings) -> list[str]:
    """Main individual investors — the parameter's share of a company's votes, or its controller — and key managers.

    Who has died is none (D9).
    """
    found: set[str] = set()
    for company, votes in register.votes_of.items():
        line = settings.anchor_investor_percent * register.total[company]
        found.update(holder for holder, own in votes.items() if register.is_person(holder) and own * 100 >= line)
    found.update(holder for holder in register.agreements_of if register.is_person(holder))
    found.update(post.person for post in register.posts if post.post in settings.anchor_posts)
    return sorted(person for person in found if not register.is_dead(person))


def is_non_linking(entity_id: str, register: Register, settings: GroupSettings) -> bool:
    """Government bodies, custodians and nominees never link companies by holding them (A-24, A-25)."""
    entity = register.entities.get(entity_id)
    if entity is None:
        return False
    return any(nature in entity.nature for nature in settings.non_linking_natures if entity.nature) or any(
        part in entity.name for part in settings.non_linking_names
    )


def family_of(person: str, tree: FamilyTree, settings: GroupSettings) -> dict[str, Kin]:
    """The near relatives of a person under these settings, in-laws only where they are members."""
    generations = {
        "lineal_generations": settings.lineal_generations,
        "collateral_generations": settings.collateral_generations,
    }
    near = tree.near_relatives(person, include_spouse=settings.include_spouse, **generations)
    if settings.in_laws_are_members:
        near |= tree.in_laws(person, near, **generations)
    return near


def _units(register: Register, tree: FamilyTree, settings: GroupSettings, anchors: Collection[str]) -> Iterable[Unit]:
    holders = register.stakes_of.keys() | register.agreements_of.keys()
    for holder in sorted(holders):
        yield Unit(ONE, holder, frozenset([holder]), {})
    for anchor in anchors:
        kin = _closed_family(anchor, tree, settings) if settings.is_transitive else family_of(anchor, tree, settings)
        yield Unit(FAMILY, anchor, frozenset([anchor, *kin]), kin)
    for set_id, members in register.concert_sets.items():
        yield Unit(CONCERT, set_id, members, {})


def _closed_family(person: str, tree: FamilyTree, settings: GroupSettings) -> dict[str, Kin]:
    """The chain through relatives' relatives, for institutions that read the rule so (A-02, reading A)."""
    found: dict[str, Kin] = {}
    waiting = [Kin(person, "self", 1, (person,), "")]
    while waiting:
        at = waiting.pop()
        for kin in family_of(at.person, tree, settings).values():
            if kin.person != person and kin.person not in found:
                chained = Kin(kin.person, "chain", 0, at.path + kin.path[1:], at.steps + kin.steps)
                found[kin.person] = chained
                waiting.append(chained)
    return found


def _star(unit: Unit, register: Register, settings: GroupSettings) -> Star | None:
    steps = controlled_by(unit.members, register, settings)
    return Star(unit, steps) if steps else None


def _top_stars(units: Iterable[Unit], register: Register, settings: GroupSettings) -> Iterable[Star]:
    """Stars of units that no earlier single holder controls, holders above others first."""
    place = {holder: number for number, holder in enumerate(from_the_top(register))}
    covered: set[str] = set()
    for unit in sorted(units, key=lambda unit: (unit.kind != ONE, place.get(unit.anchor, 0))):
        if unit.kind == ONE and unit.anchor in covered:
            continue
        star = _star(unit, register, settings)
        if star is None:
            continue
        if unit.kind == ONE and not is_non_linking(unit.anchor, register, settings):
            covered.update(star.steps)
        yield star


def _ultimate_controllers(stars: Iterable[Star]) -> dict[str, str]:
    """The holder at the top of each company. In a ring without outside owner it is the ring's smallest id (D7)."""
    controls = {star.unit.anchor: star.steps.keys() for star in stars if star.unit.kind == ONE}
    controlled = {company for steps in controls.values() for company in steps}
    ultimate: dict[str, str] = {}
    for anchor in sorted(controls):
        if anchor not in controlled:
            for company in controls[anchor]:
                ultimate.setdefault(company, anchor)
    for anchor in sorted(controls):  # what is left hangs below a ring
        if anchor in controlled and anchor not in ultimate:
            for company in controls[anchor]:
                ultimate.setdefault(company, anchor)
    return ultimate


def _basis(unit: Unit, register: Register) -> str:
    if unit.kind == ONE and not register.is_person(unit.anchor):
        return "一" if register.is_customer(unit.anchor) else "二"
    return "三" if unit.kind != CONCERT or any(map(register.is_person, unit.members)) else "二"


def _maximal_groups(
    register: Register, settings: GroupSettings, stars: Iterable[Star], ultimates: Mapping[str, str]
) -> tuple[Group, ...]:
    makers: defaultdict[frozenset[str], list[Star]] = defaultdict(list)
    for star in stars:
        if star.unit.kind == ONE and is_non_linking(star.unit.anchor, register, settings):
            continue
        companies = {*star.steps, *star.unit.members}
        customers = frozenset(company for company in companies if register.is_customer(company))
        if len(customers) >= settings.members_min:
            makers[customers].append(star)
    kept: list[frozenset[str]] = []
    kept_with: defaultdict[str, list[int]] = defaultdict(list)
    for customers in sorted(makers, key=lambda group: (-len(group), sorted(group))):
        some_member = next(iter(customers))
        if any(customers < kept[place] for place in kept_with[some_member]):
            continue
        for member in customers:
            kept_with[member].append(len(kept))
        kept.append(customers)
    return tuple(
        _group(f"G{place}", register, makers[customers], ultimates) for place, customers in enumerate(kept, start=1)
    )


def _group(label: str, register: Register, stars: list[Star], ultimates: Mapping[str, str]) -> Group:
    """Show the widest explanation: the unit that controls most of the group itself, a family before one of it."""
    ordered = sorted(stars, key=lambda star: (-len(star.steps), star.unit.kind != FAMILY, star.unit.anchor))
    shown = ordered[0]
    basis = _basis(shown.unit, register)
    companies = sorted({*shown.steps, *(m for m in shown.unit.members if not register.is_person(m))})
    members = tuple(
        Member(
            company,
            basis,
            register.is_customer(company),
            ultimates.get(company, company if company in shown.unit.members else ""),
        )
        for company in companies
    )
    return Group(label, tuple(ordered), members)


def _overlaps(groups: Iterable[Group]) -> tuple[Overlap, ...]:
    groups_with: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for customer in group.customers:
            groups_with[customer].append(group)
    pairs: dict[tuple[str, str], tuple[str, ...]] = {}
    for sharing in groups_with.values():
        for place, first in enumerate(sharing):
            for second in sharing[place + 1 :]:
                pairs[first.label, second.label] = tuple(sorted(first.customers & second.customers))
    return tuple(Overlap(first, second, shared) for (first, second), shared in sorted(pairs.items()))


def _suspicions(
    register: Register,
    tree: FamilyTree,
    settings: GroupSettings,
    stars: Collection[Star],
    anchors: Collection[str],
) -> Iterable[Suspicion]:
    """Everything that a person should look at, in a fixed order."""
    controls = {star.unit.anchor: star.steps.keys() for star in stars if star.unit.kind == ONE}
    controlled = {company for star in stars for company in star.steps}
    for company, declared in register.over_total.items():
        part = percent_text(register.known[company], declared)
        yield Suspicion(
            "HOLDINGS_ABOVE_TOTAL",
            "warn",
            company,
            f"{register.name(company)} 已知持股合计为申报总数的 {part}，超过 100%，按合计作分母，请核对数据。",
        )
    yield from _rings(register, controls)
    for company in sorted(register.votes_of):
        if company not in controlled:
            yield from _shared_or_suspected(company, register, settings)
    yield from _in_law_candidates(register, tree, settings, anchors)


def _rings(register: Register, controls: Mapping[str, Collection[str]]) -> Iterable[Suspicion]:
    seen: set[str] = set()
    for holder in sorted(controls):
        if holder in seen:
            continue
        ring = sorted({holder, *(other for other in controls[holder] if holder in controls.get(other, ()))})
        if len(ring) > 1:
            seen.update(ring)
            names = "、".join(register.name(company) for company in ring)
            yield Suspicion("CROSS_HOLDING_RING", "warn", ring[0], f"交叉控股闭环：{names} 互相控制，没有最终控制人。")


def _shared_or_suspected(company: str, register: Register, settings: GroupSettings) -> Iterable[Suspicion]:
    votes, total = register.votes_of[company], register.total[company]
    halves = [holder for holder, own in votes.items() if own * 2 == total and total]
    if halves:
        names = "、".join(register.name(holder) for holder in halves)
        yield Suspicion(
            "JOINT_CONTROL",
            "info",
            company,
            f"{register.name(company)}：{names} 恰好各持 50%，无人单独控制，请认定是否共同控制。",
        )
    elif votes:
        largest = max(votes, key=lambda holder: (votes[holder], holder))
        if votes[largest] * 100 >= settings.suspected_percent * total and not is_non_linking(
            largest, register, settings
        ):
            share = percent_text(votes[largest], total)
            yield Suspicion(
                "SUSPECTED_CONTROL",
                "info",
                company,
                f"{register.name(company)} 最大股东 {register.name(largest)} 持有 {share}，没有控制人，疑似控制。",
            )


def _in_law_candidates(
    register: Register, tree: FamilyTree, settings: GroupSettings, anchors: Collection[str]
) -> Iterable[Suspicion]:
    if settings.in_laws_are_members:
        return
    generations = {
        "lineal_generations": settings.lineal_generations,
        "collateral_generations": settings.collateral_generations,
    }
    for anchor in anchors:
        near = family_of(anchor, tree, settings)
        in_laws = tree.in_laws(anchor, near, **generations)
        if not in_laws:
            continue
        own = controlled_by({anchor, *near}, register, settings)
        for relative, kin in sorted(in_laws.items()):
            wider = controlled_by({anchor, *near, relative}, register, settings)
            for company in sorted(set(wider) - set(own)):
                yield Suspicion(
                    "IN_LAW_CANDIDATE",
                    "info",
                    company,
                    f"{register.name(company)} 由 {register.name(anchor)} 的姻亲 {register.name(kin.person)} 控制，"
                    f"是否属于同一集团请认定。",
                )
