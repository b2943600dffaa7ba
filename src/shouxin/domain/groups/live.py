"""A register that stays determined while it changes: one changed stake touches only what it can reach.

By votes alone the controlled clusters are a partition, so a change in company y can only matter to y, to what rests
on y, and to clusters that now pass a line together. The change dissolves y and everything whose control may rest on it
and joins those again, always renaming the smaller side; all else is left alone. Families, concert sets and agreement
controllers overlap, so each is a unit with a closure of its own, walked again only when it holds y or controls it.

After any sequence of changes the answer equals that of ``arrays.identify`` on the changed register (tests compare).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shouxin.domain.groups import kernels, live_kernels
from shouxin.domain.groups.arrays import Columns, _merge
from shouxin.domain.groups.kernels import Ints


@dataclass(frozen=True, slots=True)
class Touched:
    """What one change did: entities whose cluster is another now, and units whose companies are."""

    entities: Ints
    units: frozenset[int]


class LiveRegister:
    """The partition by votes and the closures of some units of a register, kept current under changes.

    ``units`` are members by unit number (families, concert sets, single agreement controllers). Numbers of entities and
    votes are those of the columns; a company's votes stay in its one unit of counting.
    """

    def __init__(self, columns: Columns, units: Mapping[int, Sequence[int]] | None = None) -> None:
        starts = kernels.starts_of(columns.company, columns.n)
        merged = _merge(columns, starts, columns.votes)
        self._state = live_kernels.build(
            starts, columns.holder, columns.votes, columns.declared, columns.is_linking, merged.top,
            merged.controller, merged.in_ring | merged.self_held,
        )  # fmt: skip
        agreements = kernels.starts_of(columns.agreement_controller, columns.n)
        by_controller = kernels.order_by(columns.agreement_controller, agreements)
        self._agreements = agreements, columns.agreement_company[by_controller]
        self._no_agreements = np.zeros_like(agreements), np.empty(0, np.int32)
        self._members = {number: np.array(sorted(members), np.int32) for number, members in (units or {}).items()}
        self._companies: dict[int, frozenset[int]] = {}
        self._units_of: defaultdict[int, set[int]] = defaultdict(set)
        for number, members in self._members.items():
            for member in members.tolist():
                self._units_of[member].add(number)
            self._companies[number] = frozenset()
            self._walk(number)

    def set_votes(self, *, holder: int, company: int, votes: int) -> Touched:
        """Give a holder this many votes of a company instead of what it had; 0 ends the stake.

        Raises:
            ValueError: negative votes, or more than 2^62 in one company.
        """
        if not 0 <= votes <= kernels.TOTAL_MAX:
            raise ValueError(f"votes must be between 0 and 2^62, got {votes}")
        total_before = int(self._state.total[company]) if self._members else 0
        moved = live_kernels.change(self._state, holder, company, votes)
        if moved == live_kernels.POOL_FULL:
            self._state = live_kernels.with_larger_pools(self._state, holder, company)
            moved = live_kernels.change(self._state, holder, company, votes)
        if moved == live_kernels.TOO_MANY_VOTES:
            raise ValueError("the votes of one company must stay below 2^62")
        touched = self._state.changed[:moved].copy()
        return Touched(touched, self._walk_again(holder, company, total_before) if self._members else frozenset())

    def top(self, entity: int) -> int:
        """The ultimate controller by votes, the entity itself when nobody controls it; of a ring the smallest id."""
        label = int(self._state.label[entity])
        if self._state.is_ring[label]:
            return self._ring_top(label)
        return int(self._state.head[label])

    def cluster(self, entity: int) -> Ints:
        """Everybody in one cluster with an entity, in no order."""
        return live_kernels.members_of(self._state, entity)

    def companies_of(self, unit: int) -> frozenset[int]:
        """What a unit controls now."""
        return self._companies[unit]

    def controlled_by(self, members: Collection[int]) -> frozenset[int]:
        """The closure of any members now: what they control together, agreements included."""
        return frozenset(self._walked(sorted(members), self._agreements))

    def _walked(self, members: Sequence[int], agreements: tuple[Ints, Ints]) -> list[int]:
        walked: list[int] = live_kernels.walk(self._state, np.array(members, np.int32), *agreements).tolist()
        return walked

    def _ring_top(self, label: int) -> int:
        """The smallest of those who control everybody else of their ring, themselves by way of it (D7)."""
        head = int(self._state.head[label])
        inside = self.cluster(head).tolist()
        ring = [member for member in inside if member == head or head in self._walked([member], self._no_agreements)]
        smallest: int = min(ring)
        return smallest

    def _walk_again(self, holder: int, company: int, total_before: int) -> frozenset[int]:
        """Units that hold the company or are in it. Another total changes the part of every holder."""
        units = set(self._units_of.get(company, ())) | self._units_of.get(holder, set())
        if int(self._state.total[company]) != total_before:
            for other in live_kernels.holders_of(self._state, company).tolist():
                units |= self._units_of.get(other, set())
        return frozenset(unit for unit in units if self._walk(unit))

    def _walk(self, unit: int) -> bool:
        """Whether the closure of a unit is another now."""
        found = frozenset(live_kernels.walk(self._state, self._members[unit], *self._agreements).tolist())
        before = self._companies[unit]
        if found == before:
            return False
        own = set(self._members[unit].tolist())
        for company in before - found:
            if company not in own:
                self._units_of[company].discard(unit)
        for company in found - before:
            self._units_of[company].add(unit)
        self._companies[unit] = found
        return True
