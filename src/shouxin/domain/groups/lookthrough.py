"""Look-through shares 最终受益股份: whose money is in a company in the end, for beneficial owners and reports.

Never for control: 51 % of 51 % is a look-through of 26 % and full control. With A the matrix of direct shares and
F = (I − A)⁻¹A the sum over all paths, the share of x in y is F_xy / (1 + F_xx): what passes through x again is counted
once (D8). Everything is exact, in fractions.

Ownership is almost acyclic, so shares are carried upwards from the company one strongly connected component at a time;
only inside a ring is there a system to solve. A ring that is held by nobody outside has no solution: it is reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, Evidence, Register
from shouxin.domain.groups.components import components

Shares = Mapping[str, Mapping[str, Fraction]]
"""Direct shares by company and holder, own shares left out."""


@dataclass(frozen=True, slots=True)
class LookThrough:
    """Shares of everybody above one company, and the closed rings above it whose shares nobody owns in the end."""

    company: str
    share_of: Mapping[str, Fraction]
    singular_rings: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ControlPath:
    """One way from a holder down to a company: the entities on it, the share on each step, and their product."""

    entities: tuple[str, ...]
    shares: tuple[Fraction, ...]

    @property
    def product(self) -> Fraction:
        product = Fraction(1)
        for share in self.shares:
            product *= share
        return product


def direct_shares(evidence: Evidence, register: Register) -> dict[str, dict[str, Fraction]]:
    """Direct shares of a day: the cash share where it is known, else the votes as a part of the company's total."""
    shares = {
        company: {holder: Fraction(votes, register.total[company]) for holder, votes in held.items() if votes}
        for company, held in register.votes_of.items()
        if register.total[company]
    }
    for holding in evidence.holdings:
        known = holding.cash_micro_percent
        if known is not None and holding.holder != holding.company and holding.is_in_force(register.day):
            shares.setdefault(holding.company, {})[holding.holder] = Fraction(known, MICRO_PERCENT_WHOLE)
    return shares


def look_through(company: str, shares: Shares) -> LookThrough:
    """Everybody's share in a company through all paths, rings included."""
    held_by = _held_above(company, shares)
    through: dict[str, Fraction] = {}  # F: the sum over all paths from each holder to the company
    again: dict[str, Fraction] = {}  # 1 + F_xx of those in a ring
    singular: list[tuple[str, ...]] = []
    for ring in reversed(components([company], lambda held: shares.get(held, {}))):
        if len(ring) == 1:
            (holder,) = ring
            through[holder] = _through(held_by[holder], company, through)
            continue
        solved = _solve_ring(ring, company, held_by, through)
        if solved is None:
            singular.append(tuple(sorted(ring)))
            continue
        for holder, row in solved.items():
            through[holder] = row.get("", Fraction(0))
            again[holder] = row[holder]
    share_of = {
        holder: share / again.get(holder, 1) for holder, share in through.items() if holder != company and share > 0
    }
    return LookThrough(company, share_of, tuple(singular))


def percent_of(share: Fraction) -> str:
    """A share as percent with at most six decimals, rounded half up."""
    micro = (share.numerator * 200 * 10**6 + share.denominator) // (2 * share.denominator)
    return f"{micro // 10**6}.{micro % 10**6:06d}".rstrip("0").rstrip(".")


def closed_ring_text(ring: Sequence[str], register: Register) -> str:
    """What to tell people about a ring that nobody outside holds."""
    names = "、".join(register.name(company) for company in ring)
    return f"闭环持股：{names} 互相全部持有，没有外部股东，最终受益股份无解，请核对股权数据。"


def control_paths(holders: Iterable[str], company: str, shares: Shares, *, most: int = 50) -> list[ControlPath]:
    """Every way from some holders down to a company, the largest product first; at most so many are walked."""
    wanted = frozenset(holders)
    found: list[ControlPath] = []
    waiting: list[tuple[tuple[str, ...], tuple[Fraction, ...]]] = [((company,), ())]
    while waiting and len(found) < most:
        entities, steps = waiting.pop()
        for holder, share in shares.get(entities[0], {}).items():
            if holder in entities:
                continue
            way = (holder, *entities), (share, *steps)
            if holder in wanted:
                found.append(ControlPath(*way))
            waiting.append(way)
    return sorted(found, key=lambda path: (-path.product, path.entities))[:most]


def _held_above(company: str, shares: Shares) -> dict[str, list[tuple[str, Fraction]]]:
    """What everybody above a company holds among the companies that lead to it."""
    held_by: dict[str, list[tuple[str, Fraction]]] = {company: []}
    waiting = [company]
    while waiting:
        at = waiting.pop()
        for holder, share in shares.get(at, {}).items():
            if holder not in held_by:
                held_by[holder] = []
                waiting.append(holder)
            held_by[holder].append((at, share))
    return held_by


def _through(held: Iterable[tuple[str, Fraction]], company: str, through: Mapping[str, Fraction]) -> Fraction:
    """What some stakes give in a company: directly, and through companies that are done."""
    summed = Fraction(0)
    for at, share in held:
        summed += share * (through.get(at, Fraction(0)) + (at == company))
    return summed


def _solve_ring(
    ring: Sequence[str],
    company: str,
    held_by: Mapping[str, Sequence[tuple[str, Fraction]]],
    through: Mapping[str, Fraction],
) -> dict[str, dict[str, Fraction]] | None:
    """Solve (I − A) x = b inside a ring, where b is what its members have in the company without one another.

    Gives by member the solution under "" and the row of the inverse, whose diagonal is 1 + F_xx; None: singular.
    """
    members = set(ring)
    right: list[dict[str, Fraction]] = []
    left: list[dict[str, Fraction]] = []
    for holder in ring:
        outside = [stake for stake in held_by[holder] if stake[0] not in members]
        direct = sum((share for at, share in held_by[holder] if at == company and at in members), Fraction(0))
        right.append({"": _through(outside, company, through) + direct, holder: Fraction(1)})
        left.append({at: -share for at, share in held_by[holder] if at in members} | {holder: Fraction(1)})
    return _eliminate(ring, left, right)


def _eliminate(
    names: Sequence[str], left: list[dict[str, Fraction]], right: list[dict[str, Fraction]]
) -> dict[str, dict[str, Fraction]] | None:
    """Gauss and Jordan over sparse rows of fractions; None when the rows are not independent."""
    row_of: dict[str, int] = {}
    free = set(range(len(names)))
    for name in names:
        pivots = [row for row in free if left[row].get(name)]
        if not pivots:
            return None
        pivot = min(pivots, key=lambda row: len(left[row]))
        free.discard(pivot)
        row_of[name] = pivot
        factor = left[pivot][name]
        for side in (left, right):
            side[pivot] = {key: value / factor for key, value in side[pivot].items()}
        for row in range(len(names)):
            share = left[row].get(name) if row != pivot else None
            if not share:
                continue
            for side in (left, right):
                for key, value in side[pivot].items():
                    changed = side[row].get(key, Fraction(0)) - share * value
                    if changed:
                        side[row][key] = changed
                    else:
                        side[row].pop(key, None)
    return {name: right[row] for name, row in row_of.items()}
