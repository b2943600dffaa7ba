"""Who controls what, with the steps that prove it.

A unit u — one holder, a family, a concert set — controls y when u and everything it controls already hold together more
than half of y's votes, or one of them has an agreement over y (D5). The answer is the least fixpoint, so it is unique
and does not depend on any order. Companies of the unit itself are never in the answer.

The walk is a worklist: each newly controlled company adds its votes to the sums of the companies it holds. There is no
recursion, and the work is the number of stakes that the unit reaches.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shouxin.domain.evidence import Register
from shouxin.domain.groups.components import components
from shouxin.domain.groups.settings import GroupSettings


@dataclass(frozen=True, slots=True)
class Contribution:
    """Votes that one holder brings, or the agreement that does without them."""

    holder: str
    votes: int = 0
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Why one company is controlled: the smallest set of contributions that passes the line, largest first."""

    company: str
    total: int
    via: tuple[Contribution, ...]

    @property
    def votes(self) -> int:
        return sum(contribution.votes for contribution in self.via)


def controlled_by(unit: Iterable[str], register: Register, settings: GroupSettings) -> dict[str, Step]:
    """S(u): every company that a unit controls, in the order in which the steps prove one another."""
    members = frozenset(unit)
    steps: dict[str, Step] = {}
    brought: defaultdict[str, list[Contribution]] = defaultdict(list)
    sums: defaultdict[str, int] = defaultdict(int)
    waiting = deque(sorted(members))
    while waiting:
        holder = waiting.popleft()
        for company, kind in register.agreements_of.get(holder, ()):
            if company not in members and company not in steps and company != holder:
                total = register.total.get(company, 0)
                steps[company] = Step(company, total, (Contribution(holder, agreement=kind),))
                waiting.append(company)
        for company, votes in register.stakes_of.get(holder, ()):
            if company in members or company in steps:
                continue
            sums[company] += votes
            brought[company].append(Contribution(holder, votes))
            if settings.passes(sums[company], register.total[company]):
                total = register.total[company]
                steps[company] = Step(company, total, smallest_sufficient(brought[company], total, settings))
                waiting.append(company)
    return steps


def smallest_sufficient(
    contributions: Sequence[Contribution], total: int, settings: GroupSettings
) -> tuple[Contribution, ...]:
    """The fewest contributions that pass the line: the largest first, until they do."""
    chosen: list[Contribution] = []
    votes = 0
    for contribution in sorted(contributions, key=lambda c: (-c.votes, c.holder)):
        chosen.append(contribution)
        votes += contribution.votes
        if settings.passes(votes, total):
            break
    return tuple(chosen)


def proof_of(company: str, steps: Mapping[str, Step], places: Mapping[str, int]) -> tuple[Step, ...]:
    """Only the steps that a company's membership rests on, in order; ``places`` numbers the steps."""
    needed: set[str] = set()
    waiting = [company]
    while waiting:
        at = waiting.pop()
        if at in needed or at not in steps:
            continue
        needed.add(at)
        waiting.extend(contribution.holder for contribution in steps[at].via)
    return tuple(steps[name] for name in sorted(needed, key=places.__getitem__))


def from_the_top(register: Register) -> list[str]:
    """All holders, each after everybody who holds it directly or indirectly; those of one ring stand together."""
    starts = sorted(register.stakes_of.keys() | register.agreements_of.keys())
    left = components(starts, lambda holder: _held_by(holder, register))
    return [holder for ring in left for holder in ring][::-1]


def _held_by(holder: str, register: Register) -> list[str]:
    stakes = [company for company, _votes in register.stakes_of.get(holder, ())]
    return stakes + [company for company, _kind in register.agreements_of.get(holder, ())]


def percent_text(votes: int, total: int) -> str:
    """A share with as many decimals as it needs, up to six: 31%, 28.69%, 50.000001%."""
    if total == 0:
        return "0%"
    share = (Decimal(votes) * 100 / Decimal(total)).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    return f"{share:f}".rstrip("0").rstrip(".") + "%"
