"""What a piece of credit counts for: gross, control use, and its value as a large exposure.

    gross            the amount, drawn or committed
    cash cover       margin + own certificates of deposit + treasury bonds, as far as the policy lets them count
    control use      gross, less the cover that the policy lets count for this product; never below 0  (JS-14, CB-08)
    large exposure   control use × conversion factor

Mortgages and guarantees never reduce exposure. All amounts are 分 of yuan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Deal:
    """One piece of credit with the policy of its product already applied to it as flags."""

    customer: str
    branch: str
    product: str
    amount_fen: int
    margin_fen: int = 0
    own_cd_fen: int = 0
    treasury_fen: int = 0
    is_drawn: bool = True
    is_in_scope: bool = True
    is_net_of_margin: bool = False
    deducts_own_cd: bool = True
    deducts_treasury: bool = True
    conversion_factor: Decimal = Decimal(1)

    @property
    def cash_cover_fen(self) -> int:
        return (
            (self.margin_fen if self.is_net_of_margin else 0)
            + (self.own_cd_fen if self.deducts_own_cd else 0)
            + (self.treasury_fen if self.deducts_treasury else 0)
        )

    @property
    def gross_fen(self) -> int:
        return self.amount_fen if self.is_in_scope else 0

    @property
    def control_use_fen(self) -> int:
        """What the deal takes of a line: net of eligible cash cover, 0 outside the scope."""
        return max(0, self.amount_fen - self.cash_cover_fen) if self.is_in_scope else 0

    @property
    def large_exposure_fen(self) -> Decimal:
        """Control use after conversion; a fraction of a 分 stays, rounding is for the report."""
        return self.control_use_fen * self.conversion_factor


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some deals."""

    gross_fen: int
    control_use_fen: int
    large_exposure_fen: Decimal


def total(deals: Iterable[Deal]) -> Totals:
    """Add deals up; a deal counts once, whoever guarantees it."""
    rows = list(deals)
    return Totals(
        gross_fen=sum(deal.gross_fen for deal in rows),
        control_use_fen=sum(deal.control_use_fen for deal in rows),
        large_exposure_fen=sum((deal.large_exposure_fen for deal in rows), Decimal(0)),
    )


def totals_by_customer(deals: Iterable[Deal]) -> dict[str, Totals]:
    """One customer's credit summed over all branches, products and currencies (CB-08)."""
    grouped: defaultdict[str, list[Deal]] = defaultdict(list)
    for deal in deals:
        grouped[deal.customer].append(deal)
    return {customer: total(rows) for customer, rows in grouped.items()}


def stock_by_branch(deals: Iterable[Deal], *, net: bool = True) -> dict[str, int]:
    """Drawn credit per branch in 分 (JS-07); an undrawn commitment is no stock. Net counts margin products net."""
    stock: defaultdict[str, int] = defaultdict(int)
    for deal in deals:
        if deal.is_drawn:
            stock[deal.branch] += deal.control_use_fen if net else deal.gross_fen
    return dict(stock)


def intragroup_guarantees_fen(guarantees: Iterable[tuple[str, str, int]], members: Iterable[str]) -> int:
    """Guarantees (guarantor, debtor, 分) that one member gives for another (W10)."""
    inside = set(members)
    return sum(amount for guarantor, debtor, amount in guarantees if guarantor in inside and debtor in inside)


def find_guarantee_cycle(guarantees: Iterable[tuple[str, str, int]], order: Sequence[str]) -> list[str]:
    """A circle of guarantees (W09), starting with its first party in the given order; empty when there is none.

    A depth-first walk with an explicit stack, so that a long chain is no danger.
    """
    onward: defaultdict[str, list[str]] = defaultdict(list)
    for guarantor, debtor, _ in guarantees:
        onward[guarantor].append(debtor)
    rank = {party: position for position, party in enumerate(order)}
    done: set[str] = set()
    for start in sorted(onward, key=lambda party: rank.get(party, len(rank))):
        circle = _walk(start, onward, done)
        if circle:
            first = min(range(len(circle)), key=lambda i: rank.get(circle[i], len(rank)))
            return circle[first:] + circle[:first]
    return []


def _walk(start: str, onward: Mapping[str, list[str]], done: set[str]) -> list[str]:
    path: list[str] = []
    on_path: dict[str, int] = {}
    stack: list[tuple[str, int]] = [(start, 0)]
    while stack:
        party, step = stack.pop()
        if step == 0:
            if party in done:
                continue
            on_path[party] = len(path)
            path.append(party)
        targets = onward.get(party, [])
        if step < len(targets):
            stack.append((party, step + 1))
            target = targets[step]
            if target in on_path:
                return path[on_path[target] :]
            stack.append((target, 0))
        else:
            done.add(party)
            path.pop()
            del on_path[party]
    return []
