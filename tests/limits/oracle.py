"""What the ledger's counters must be, computed from nothing but the holds, where they hang and the acts on caps."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class OracleHold:
    """One reservation and what became of it."""

    id: uuid.UUID
    facility: int
    amount: int
    cover: int = 0
    state: str = "PENDING"
    posted: int = 0
    balance: int = 0
    is_reversed: bool = False
    is_overdue: bool = False

    @property
    def outstanding(self) -> int:
        return self.amount if self.state == "PENDING" else self.balance


@dataclass
class OracleNode:
    """What was decided about a node; its sums are never kept, always added up from the holds."""

    id: int
    kind: str
    parent: int | None
    cap: int | None = None
    is_revolving: bool = True
    measure: str = "GROSS"
    standing: str = "ACTIVE"
    frozen_by_hand: bool = False
    frozen_by_system: bool = False

    @property
    def status(self) -> str:
        return "FROZEN" if self.frozen_by_hand or self.frozen_by_system else self.standing


@dataclass(frozen=True)
class Sums:
    """Counters of a node in 分."""

    pending: int
    posted: int
    consumed: int
    earmarked: int
    cover: int


@dataclass
class Oracle:
    """The whole bank as the oracle sees it."""

    nodes: dict[int, OracleNode] = field(default_factory=dict)
    holds: list[OracleHold] = field(default_factory=list)
    earmarks: dict[uuid.UUID, tuple[int, int]] = field(default_factory=dict)

    def path(self, node: int | None) -> Iterator[OracleNode]:
        while node is not None:
            yield self.nodes[node]
            node = self.nodes[node].parent

    def is_above(self, upper: int, lower: int) -> bool:
        return any(node.id == upper for node in self.path(lower))

    def sums(self, node: OracleNode) -> Sums:
        below = [hold for hold in self.holds if self.is_above(node.id, hold.facility)]
        live = [hold for hold in below if hold.state in ("PENDING", "POSTED")]
        return Sums(
            pending=sum(hold.amount for hold in live if hold.state == "PENDING"),
            posted=sum(hold.balance for hold in live if hold.state == "POSTED"),
            consumed=0
            if node.is_revolving
            else sum(hold.posted for hold in live if hold.state == "POSTED" and not hold.is_reversed),
            earmarked=sum(amount for at, amount in self.earmarks.values() if self.is_above(node.id, at)),
            cover=sum(hold.cover for hold in live),
        )

    def used(self, node: OracleNode) -> int:
        sums = self.sums(node)
        used = sums.pending + sums.earmarked + (sums.posted if node.is_revolving else sums.consumed)
        return used - (sums.cover if node.measure == "NET" else 0)

    def is_in_excess(self, node: OracleNode) -> bool:
        return node.cap is not None and self.used(node) > node.cap

    def refusals(self, leaf: int, amount: int, cover: int = 0) -> list[tuple[int, str]]:
        found = []
        for node in self.path(leaf):
            asked = amount - (cover if node.measure == "NET" else 0)
            if node.status != "ACTIVE":
                found.append((node.id, f"LIMIT_{node.status}"))
            elif self.is_in_excess(node):
                found.append((node.id, "LIMIT_IN_EXCESS"))
            elif node.cap is not None and asked > node.cap - self.used(node):
                found.append((node.id, "LIMIT_EXCEEDED"))
        return found

    def room(self, leaf: int) -> int:
        """What fits on every cap of a path, blocked or not; at least 1, so that a generator can aim at the line."""
        rooms = [node.cap - self.used(node) for node in self.path(leaf) if node.cap is not None]
        return max(1, min(rooms, default=100))
