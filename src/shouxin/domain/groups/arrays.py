"""The same determination over arrays: for a national register, where the engine on objects would take minutes.

Entities are whole numbers. By votes alone groups are a partition — two controllers of one company control one
another — so single holders are merged instead of walked one by one: sole majorities first, then companies whose open
stakes meet in one cluster, always renaming the smaller side. Families, concert sets and agreements can overlap; each
such unit is walked with ``kernels.closures``. Only ultimate controllers are kept, and every company has one proof.

It answers for the line of more than half of the votes and ego-centred families (``supports``); other settings go
to the engine on objects, which stays the definition: tests compare the two on the same registers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from shouxin.domain.evidence import Register
from shouxin.domain.groups import kernels
from shouxin.domain.groups.determination import CONCERT, FAMILY, ONE, is_non_linking
from shouxin.domain.groups.kernels import Flags, Ints, Longs
from shouxin.domain.groups.settings import GroupSettings

KINDS = (ONE, FAMILY, CONCERT)


class ColumnsError(ValueError):
    """Columns that cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The facts of one day as arrays over entities 0 … ``n`` - 1, holdings sorted by company.

    ``votes`` of one company are in one unit, and a holder has votes in one row of it only (``joined_rows``);
    ``declared`` is its declared total in that unit, 0 when unknown. ``is_linking`` is False for government bodies,
    custodians and nominees. ``kin`` links are (parent, child) and (spouse, spouse). ``anchors`` are persons whose
    families are units, ``concert`` sets of entities.
    """

    n: int
    holder: Ints
    company: Ints
    votes: Longs
    declared: Longs
    is_customer: Flags
    is_person: Flags
    is_linking: Flags
    is_dead: Flags
    parent: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    child: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    spouse_a: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    spouse_b: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    agreement_controller: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    agreement_company: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    anchors: Ints | None = None
    key_persons: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    concert: Sequence[Ints] = ()


@dataclass(frozen=True, slots=True)
class Units:
    """Units with what they control and the proofs, as rows.

    Unit u controls ``company[starts[u]:starts[u + 1]]`` in the order of the proof; the contributions to row r are
    ``via_holder[via_starts[r]:via_starts[r + 1]]`` with ``via_votes`` (−1: an agreement).
    """

    kind: Ints
    anchor: Ints
    starts: Longs
    company: Ints
    via_starts: Longs
    via_holder: Ints
    via_votes: Longs

    @property
    def count(self) -> int:
        return int(self.anchor.size)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found: units with proofs, totals by company, and the maximal groups as lists of customers."""

    units: Units
    total: Longs
    group_unit: Ints
    group_starts: Longs
    group_member: Ints
    rings: Ints


def supports(settings: GroupSettings) -> bool:
    """Whether these settings are those that merging is proved for: more than half, families of the anchor only."""
    return (
        settings.control_percent == 50
        and not settings.control_includes_line
        and not settings.is_transitive
        and not settings.in_laws_are_members
    )


def identify(columns: Columns, settings: GroupSettings, *, with_proofs: bool = True) -> Result:
    """Find the ultimate controllers and the maximal groups of two or more customers.

    Raises:
        ColumnsError: settings that need the engine on objects, or totals too large for 64 bits.
    """
    if not supports(settings):
        raise ColumnsError("the array engine answers for more than 50 % of the votes and families of the anchor only")
    n = columns.n
    starts = kernels.starts_of(columns.company, n)
    holder, votes = columns.holder, columns.votes
    merged = _merge(columns, starts, votes)
    if merged.total.size and int(merged.total.max()) > kernels.TOTAL_MAX:
        raise ColumnsError("a company's votes add up to more than 2^62")
    walker = _Walker(columns, starts, holder, votes, merged)
    replaced, walked = _walked_units(columns, settings, walker, merged)
    units = _joined(_cluster_units(merged, starts, holder, votes, replaced, with_proofs), walked)
    return _with_groups(columns, settings, units, merged.total, np.flatnonzero(merged.in_ring).astype(np.int32))


@dataclass(frozen=True, slots=True)
class _Merged:
    """The partition by votes: each entity's top, who controls each company, and what joint control rests on."""

    total: Longs
    top: Ints
    controller: Ints
    has_majority: Flags
    is_linking: Flags
    in_ring: Flags
    self_held: Flags
    joined: Ints
    via_starts: Ints
    via_holder: Ints
    via_votes: Longs


def _merge(columns: Columns, starts: Ints, votes: Longs) -> _Merged:
    """Merge by votes. Who never links is left out as a holder, unless somebody who links controls it."""
    n, holder = columns.n, columns.holder
    is_linking = columns.is_linking.copy()
    while True:
        total, controller = kernels.majorities(starts, holder, votes, columns.declared, is_linking, n)
        passed_on = ~is_linking & (controller >= 0)
        if not passed_on.any():
            has_majority = controller != kernels.NOBODY
            top, has_cluster, in_ring = kernels.tops_by_majority(controller)
            rows = kernels.open_stakes(starts, holder, votes, total, controller, top, has_cluster, is_linking)
            joint = _merge_jointly(starts, holder, votes, total, controller, top, is_linking, rows)
            joined, via_starts, via_holder, via_votes, self_held = joint
            passed_on = ~is_linking & (controller == kernels.JOINT)
            if not passed_on.any():
                held_by_own = self_held & (controller == kernels.NOBODY) & ~in_ring
                return _Merged(
                    total, top, controller, has_majority, is_linking, in_ring, held_by_own,
                    joined, via_starts, via_holder, via_votes,
                )  # fmt: skip
        is_linking |= passed_on


def _merge_jointly(
    starts: Ints, holder: Ints, votes: Longs, total: Longs, controller: Ints, top: Ints, is_linking: Flags,
    rows: tuple[Ints, Ints, Longs],
) -> tuple[Ints, Ints, Ints, Longs, Flags]:  # fmt: skip
    """Joint control over what sole majorities left open; nothing to walk where no cluster passes a line."""
    n = top.size
    passing = kernels.passing_clusters(*rows, total, top)
    if not passing.size:
        nobody = np.empty(0, np.int32)
        return nobody, np.zeros(1, np.int32), nobody, np.empty(0, np.int64), np.zeros(n, np.bool_)
    stake_starts = kernels.starts_of(rows[0], n)
    order = kernels.order_by(rows[0], stake_starts)
    return kernels.merge_jointly(
        starts, holder, votes, total, controller, top, is_linking, stake_starts, rows[1][order], rows[2][order], passing
    )


def joined_rows(company: Ints, holder: Ints, votes: Longs, n: int) -> Longs:
    """Votes with the rows of one holder in one company added up in the first of them, 0 in the others."""
    starts = kernels.starts_of(company, n)
    if not kernels.has_doubles(starts, holder, n):
        return votes
    joined = votes.copy()
    kernels.join_doubles(starts, holder, joined, n)
    return joined


class _Walker:
    """Closures of any units."""

    def __init__(self, columns: Columns, starts: Ints, holder: Ints, votes: Longs, merged: _Merged) -> None:
        self._columns, self._merged = columns, merged
        self._starts, self._holder, self._votes, self._total = starts, holder, votes, merged.total
        agreement_starts = kernels.starts_of(columns.agreement_controller, columns.n)
        by_controller = kernels.order_by(columns.agreement_controller, agreement_starts)
        self._agreements = agreement_starts, columns.agreement_company[by_controller]

    def _by_holder(self, members: Ints) -> tuple[Ints, Ints, Longs]:
        """Stakes by holder that can decide something for these members: their own and those of companies, a majority or
        in a company where nobody has one alone.
        """
        is_source = np.zeros(self._columns.n, np.bool_)
        is_source[self._columns.company] = True
        is_source[self._columns.agreement_company] = True
        is_source[members] = True
        rows = kernels.deciding_rows(
            self._starts, self._holder, self._votes, self._total, self._merged.has_majority, is_source
        )
        holder = self._holder[rows]
        out_starts = kernels.starts_of(holder, self._columns.n)
        rows = rows[kernels.order_by(holder, out_starts)]
        return out_starts, self._columns.company[rows], self._votes[rows]

    def anchors(self, settings: GroupSettings, among: Flags) -> Ints:
        """Persons among some who hold the parameter's share of a company, control by agreement, or hold a key post."""
        columns = self._columns
        numerator, denominator = settings.anchor_investor_percent.as_integer_ratio()
        rows = np.flatnonzero((among & columns.is_person)[self._holder])
        # ⌈total · share⌉ without leaving 64 bits: the whole hundredths, and the rest of the division.
        whole, rest = np.divmod(self._total[columns.company[rows]], 100 * denominator)
        line = whole * numerator - (-rest * numerator // (100 * denominator))
        found = np.zeros(columns.n, np.bool_)
        found[self._holder[rows[(self._votes[rows] >= line) & (self._votes[rows] > 0)]]] = True
        found[columns.agreement_controller] = True
        found[columns.key_persons] = True
        return np.flatnonzero(found & columns.is_person & among).astype(np.int32)

    def may_control(self, holders: Ints, company: int) -> bool:
        """Whether some holders together pass the line of a company, or one of them has an agreement over it."""
        rows = slice(self._starts[company], self._starts[company + 1])
        votes = int(self._votes[rows][np.isin(self._holder[rows], holders)].sum())
        by_agreement = self._columns.agreement_controller[self._columns.agreement_company == company]
        return votes * 2 > int(self._total[company]) or bool(np.isin(by_agreement, holders).any())

    def walk(self, kind: int, anchors: Ints, unit_starts: Ints, members: Ints) -> Units:
        found = kernels.closures(
            unit_starts, members, self._starts, self._holder, self._votes, *self._by_holder(members), self._total,
            *self._agreements,
        )  # fmt: skip
        return Units(np.full(anchors.size, kind, np.int32), anchors, *found)

    def walk_single(self, anchors: Ints) -> Units:
        return self.walk(0, anchors, np.arange(anchors.size + 1, dtype=np.int32), anchors)


def _walked_units(
    columns: Columns, settings: GroupSettings, walker: _Walker, merged: _Merged
) -> tuple[Flags, list[Units]]:
    """Units that merging does not cover, and the tops whose clusters they stand for.

    An agreement lets the top of its controller's cluster reach further, so that top is walked; so is everybody who
    never links, for the list of controllers. A top that such a walk reaches is no ultimate controller any more.
    """
    found: list[Units] = []
    replaced = np.zeros(columns.n, np.bool_)
    replaced[merged.top[columns.agreement_controller]] = True
    singles = np.flatnonzero(replaced | ~merged.is_linking).astype(np.int32)
    if singles.size:
        singles = _with_rings(walker, singles)
        units = _without_covered(columns, walker.walk_single(singles))
        links = columns.is_linking[units.anchor]
        reached = units.company[_ranges(units.starts, np.flatnonzero(links))]
        is_top = merged.top[reached] == reached
        replaced[reached[is_top]] = True
        found.append(units)
    for ring_top in np.flatnonzero(merged.self_held & ~replaced).tolist():
        replaced[ring_top] = True
        found.append(_ring_unit(walker, merged.top, ring_top))
    family = _families(columns, settings, walker)
    if family is not None:
        found.append(walker.walk(1, *family))
    if columns.concert:
        lengths = np.array([0, *(len(members) for members in columns.concert)])
        numbers = np.arange(len(columns.concert), dtype=np.int32)
        members = np.concatenate(columns.concert).astype(np.int32)
        found.append(walker.walk(2, numbers, np.cumsum(lengths).astype(np.int32), members))
    return replaced, [_non_empty(units) for units in found]


def _with_rings(walker: _Walker, tops: Ints) -> Ints:
    """Tops, and beside each that its own companies could control together those which do: the ring's members."""
    units = walker.walk_single(tops)
    every = [tops]
    for place, top in enumerate(tops.tolist()):
        own = units.company[units.starts[place] : units.starts[place + 1]]
        if walker.may_control(own, top):
            members = walker.walk_single(own)
            rows = np.flatnonzero(members.company == top)
            every.append(members.anchor[np.searchsorted(members.starts, rows, side="right") - 1])
    return np.unique(np.concatenate(every)).astype(np.int32)


def _without_covered(columns: Columns, units: Units) -> Units:
    """Leave out single holders that another one of these controls and that links; of a ring the smallest id stays."""
    anchors = units.anchor.tolist()
    place_of = {anchor: place for place, anchor in enumerate(anchors)}
    is_anchor = np.zeros(columns.n, np.bool_)
    is_anchor[units.anchor] = True
    controls = []
    for place in range(units.count):
        reached = units.company[units.starts[place] : units.starts[place + 1]]
        controls.append(set(reached[is_anchor[reached]].tolist()))
    covered = np.zeros(units.count, np.bool_)
    for place, anchor in enumerate(anchors):
        if columns.is_linking[anchor]:
            for other in controls[place]:
                is_of_ring = anchor in controls[place_of[other]]
                if not is_of_ring or anchor < other or not columns.is_linking[other]:
                    covered[place_of[other]] = True
    return _chosen(units, np.flatnonzero(~covered))


def _ring_unit(walker: _Walker, top: Ints, ring_top: int) -> Units:
    """A cluster that holds its own top: when one of its companies controls the top it is a ring without an ultimate
    controller, shown by its smallest id (D7).
    """
    members = np.flatnonzero(top == ring_top).astype(np.int32)
    units = walker.walk_single(members)
    ring = [
        int(units.anchor[place])
        for place in range(units.count)
        if int(units.anchor[place]) == ring_top
        or ring_top in units.company[units.starts[place] : units.starts[place + 1]]
    ]
    shown = min(ring)
    return _chosen(units, np.flatnonzero(units.anchor == shown))


def _families(columns: Columns, settings: GroupSettings, walker: _Walker) -> tuple[Ints, Ints, Ints] | None:
    """Anchors with their near relatives, where there are at least two living ones. A family of one is the person."""
    n = columns.n
    linked = np.zeros(n, np.bool_)
    for column in (columns.parent, columns.child, columns.spouse_a, columns.spouse_b):
        linked[column] = True
    if not linked.any():
        return None
    anchors = columns.anchors if columns.anchors is not None else walker.anchors(settings, linked)
    anchors = anchors[linked[anchors] & ~columns.is_dead[anchors]]
    if not anchors.size:
        return None
    both = np.concatenate([columns.spouse_a, columns.spouse_b]), np.concatenate([columns.spouse_b, columns.spouse_a])
    starts, members = kernels.families(
        anchors,
        *_lists(columns.child, columns.parent, n),
        *_lists(columns.parent, columns.child, n),
        *_lists(*both, n),
        columns.is_dead,
        settings.lineal_generations,
        settings.collateral_generations,
        settings.include_spouse,
    )
    return anchors, starts, members


def _lists(keys: Ints, values: Ints, n: int) -> tuple[Ints, Ints]:
    starts = kernels.starts_of(keys, n)
    return starts, values[kernels.order_by(keys, starts)]


def _cluster_units(
    merged: _Merged, starts: Ints, holder: Ints, votes: Longs, replaced: Flags, with_proofs: bool
) -> Units:
    """Clusters as units of one holder. Without proofs the companies stand in no order and have no contributions."""
    controller, top = merged.controller, merged.top
    joint = merged.joined, merged.via_starts, merged.via_holder
    if with_proofs:
        order, count = kernels.order_of_proof(controller, *joint)
        company = order[:count]
    else:
        company = np.flatnonzero((controller >= 0) | (controller == kernels.JOINT)).astype(np.int32)
    if replaced.any():
        company = company[~replaced[top[company]]]
    by_top = kernels.starts_of(top[company], top.size)
    company = company[kernels.order_by(top[company], by_top)]
    anchors = np.flatnonzero(np.diff(by_top) > 0).astype(np.int32)
    unit_starts = np.append(by_top[anchors], company.size).astype(np.int64)
    if with_proofs:
        via = kernels.contributions(company, controller, *joint, merged.via_votes, starts, holder, votes)
    else:
        via = np.zeros(company.size + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.int64)
    return Units(np.zeros(anchors.size, np.int32), anchors, unit_starts, company, *via)


def _chosen(units: Units, places: Longs) -> Units:
    """Some of the units, in the order given."""
    if places.size == units.count:
        return units
    company_rows = _ranges(units.starts, places)
    via_rows = _ranges(units.via_starts, company_rows)
    return Units(
        units.kind[places],
        units.anchor[places],
        _lengths_to_starts(np.diff(units.starts)[places]),
        units.company[company_rows],
        _lengths_to_starts(np.diff(units.via_starts)[company_rows]),
        units.via_holder[via_rows],
        units.via_votes[via_rows],
    )


def _ranges(starts: Longs, places: Longs) -> Longs:
    """The rows of some lists, one after the other."""
    lengths = np.diff(starts)[places]
    offsets = np.repeat(starts[places] - np.append(0, np.cumsum(lengths))[:-1], lengths)
    return np.asarray(np.arange(int(lengths.sum()), dtype=np.int64) + offsets)


def _lengths_to_starts(lengths: Longs) -> Longs:
    return np.append(np.int64(0), np.cumsum(lengths)).astype(np.int64)


def _non_empty(units: Units) -> Units:
    return _chosen(units, np.flatnonzero(np.diff(units.starts) > 0))


def _joined(first: Units, others: Sequence[Units]) -> Units:
    """All units one after the other."""
    every = [first, *(units for units in others if units.count)]
    if len(every) == 1:
        return first
    company_base = np.cumsum([0, *(units.company.size for units in every)])
    via_base = np.cumsum([0, *(units.via_holder.size for units in every)])
    return Units(
        np.concatenate([units.kind for units in every]),
        np.concatenate([units.anchor for units in every]),
        np.concatenate(
            [units.starts[:-1] + base for units, base in zip(every, company_base, strict=False)] + [company_base[-1:]]
        ),
        np.concatenate([units.company for units in every]),
        np.concatenate(
            [units.via_starts[:-1] + base for units, base in zip(every, via_base, strict=False)] + [via_base[-1:]]
        ),
        np.concatenate([units.via_holder for units in every]),
        np.concatenate([units.via_votes for units in every]),
    )


def _with_groups(columns: Columns, settings: GroupSettings, units: Units, total: Longs, rings: Ints) -> Result:
    """The maximal sets of at least so many customers, the largest first. Governments and custodians make none."""
    anchor_member = (units.kind == 0) & columns.is_customer[np.where(units.kind == 0, units.anchor, 0)]
    customers_before = _lengths_to_starts(columns.is_customer[units.company].astype(np.int64))
    counts = customers_before[units.starts[1:]] - customers_before[units.starts[:-1]] + anchor_member
    set_members = [columns.concert[anchor] for anchor in units.anchor[units.kind == 2]]
    extra = np.zeros(units.count, np.int64)
    extra[units.kind == 2] = [int(columns.is_customer[members].sum()) for members in set_members]
    links = (units.kind != 0) | columns.is_linking[np.where(units.kind == 0, units.anchor, 0)]
    chosen = np.flatnonzero((counts + extra >= settings.members_min) & links)
    chosen = chosen[np.lexsort((units.anchor[chosen], units.kind[chosen] != 1, -(counts + extra)[chosen]))]
    starts, members = _customers(columns, units, chosen, anchor_member)
    # Clusters are a partition: only a set that shares a member with another can be inside it.
    lengths = np.diff(starts)
    is_shared = np.bincount(members, minlength=columns.n) > 1
    kept = np.ones(chosen.size, np.bool_)
    sharing = np.unique(np.repeat(np.arange(chosen.size), lengths)[is_shared[members]])
    if sharing.size:
        kept[sharing] = kernels.maximal(starts, members, sharing.astype(np.int32), columns.n)
    places = np.flatnonzero(kept)
    return Result(
        units, total, chosen[places].astype(np.int32), _lengths_to_starts(lengths[places]),
        members[_ranges(starts, places)], rings,
    )  # fmt: skip


def _customers(columns: Columns, units: Units, chosen: Longs, anchor_member: Flags) -> tuple[Longs, Ints]:
    """The customers of each chosen unit: companies it controls, and itself or its members where they are customers."""
    rows = _ranges(units.starts, chosen)
    company = units.company[rows]
    owner = np.repeat(np.arange(chosen.size), np.diff(units.starts)[chosen])
    keep = columns.is_customer[company]
    anchored = np.flatnonzero(anchor_member[chosen])
    parts_member = [company[keep], units.anchor[chosen[anchored]]]
    parts_owner = [owner[keep], anchored]
    for place in np.flatnonzero(units.kind[chosen] == 2):
        inside = columns.concert[units.anchor[chosen[place]]]
        inside = inside[columns.is_customer[inside]]
        parts_member.append(inside)
        parts_owner.append(np.full(inside.size, place))
    member = np.concatenate(parts_member).astype(np.int32)
    of_set = np.concatenate(parts_owner).astype(np.int32)
    starts = kernels.starts_of(of_set, chosen.size)
    return starts.astype(np.int64), member[kernels.order_by(of_set, starts)]


# --- from the register of a day -----------------------------------------------------------------------------------


def columns_of(
    register: Register, settings: GroupSettings, anchors: Sequence[str] | None = None
) -> tuple[Columns, list[str]]:
    """A register as columns, with the text id of each number. Numbers follow the order of the ids."""
    ids = sorted({*register.entities, *register.votes_of, *register.stakes_of, *register.agreements_of})
    number = {entity: place for place, entity in enumerate(ids)}
    n = len(ids)
    companies = sorted(register.votes_of)
    rows = [
        (number[holder], number[company], votes)
        for company in companies
        for holder, votes in register.votes_of[company].items()
    ]
    declared = np.zeros(n, np.int64)
    for company in companies:
        if register.total[company] > kernels.TOTAL_MAX:
            raise ColumnsError(f"{company}: more than 2^62 votes")
        declared[number[company]] = register.total[company]
    columns = np.array(rows, np.int64).reshape(-1, 3)
    parents = [(number[link.a], number[link.b]) for link in register.kin if link.relation == "parent"]
    spouses = [(number[link.a], number[link.b]) for link in register.kin if link.relation != "parent"]
    parent, spouse = np.array(parents, np.int32).reshape(-1, 2), np.array(spouses, np.int32).reshape(-1, 2)
    agreements = np.array(
        [
            (number[controller], number[company])
            for controller, rows_of in sorted(register.agreements_of.items())
            for company, _kind in rows_of
            if company != controller
        ],
        np.int32,
    ).reshape(-1, 2)
    posts = [number[post.person] for post in register.posts if post.post in settings.anchor_posts]
    return (
        Columns(
            n=n,
            holder=columns[:, 0].astype(np.int32),
            company=columns[:, 1].astype(np.int32),
            votes=columns[:, 2].copy(),
            declared=declared,
            is_customer=np.array([register.is_customer(entity) for entity in ids], np.bool_),
            is_person=np.array([register.is_person(entity) for entity in ids], np.bool_),
            is_linking=np.array([not is_non_linking(entity, register, settings) for entity in ids], np.bool_),
            is_dead=np.array([register.is_dead(entity) for entity in ids], np.bool_),
            parent=parent[:, 0].copy(),
            child=parent[:, 1].copy(),
            spouse_a=spouse[:, 0].copy(),
            spouse_b=spouse[:, 1].copy(),
            agreement_controller=agreements[:, 0].copy(),
            agreement_company=agreements[:, 1].copy(),
            anchors=None if anchors is None else np.array(sorted(number[person] for person in anchors), np.int32),
            key_persons=np.array(sorted(set(posts)), np.int32),
            concert=[
                np.array(sorted(number[member] for member in members), np.int32)
                for members in register.concert_sets.values()
            ],
        ),
        ids,
    )
