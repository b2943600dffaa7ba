"""Read the ledger: balances as of a day, trees, journals. The caller has checked what its user may see."""

import datetime as dt
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from shouxin.limits.ledger import NodeState
from shouxin.limits.models import Movement, Node, Placement


@dataclass(frozen=True, slots=True)
class Balance:
    """The counters of a node in 分 by business date, as known at an instant."""

    pending_fen: int
    posted_fen: int
    consumed_fen: int
    earmarked_fen: int
    cover_fen: int


def balance_as_of(*, node: Node, valid_at: dt.date, known_at: dt.datetime) -> Balance:
    """I11: what was booked up to a day, as known at an instant; it never changes later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM limit_balance(%s, %s, %s)", [node.pk, valid_at, known_at])
        return Balance(*cursor.fetchone())


def path_as_of(*, node: Node, valid_at: dt.date, known_at: dt.datetime) -> list[NodeState]:
    """A facility's path on a day as known at an instant, leaf to root: parents, caps and use of that moment (I11).

    Caps are those the journal tells. A freeze is an act of the present: a past state says what amounts allowed.
    """
    states: list[NodeState] = []
    here: Node | None = node
    while here is not None:
        balance = balance_as_of(node=here, valid_at=valid_at, known_at=known_at)
        known = Movement.objects.filter(node=here, business_date__lte=valid_at, recorded_at__lte=known_at)
        cap = known.filter(new_cap_fen__isnull=False).order_by("-seq").values_list("new_cap_fen", flat=True).first()
        used = (
            balance.pending_fen + balance.earmarked_fen
            + (balance.posted_fen if here.is_revolving else balance.consumed_fen)
            - (balance.cover_fen if here.measure == Node.Measure.NET else 0)
        )  # fmt: skip
        states.append(
            NodeState(
                here.pk, here.kind, here.name, here.article, "ACTIVE", cap, used, None if cap is None else cap - used
            )
        )
        here = _parent_as_of(here, valid_at, known_at)
    return states


def binding_of(path: list[NodeState]) -> NodeState | None:
    """The limit of a path with the least left, the lower one on a tie; None without a cap."""
    capped = [state for state in path if state.available_fen is not None]
    return min(capped, key=lambda state: state.available_fen or 0, default=None)


def _parent_as_of(node: Node, valid_at: dt.date, known_at: dt.datetime) -> Node | None:
    placed = (
        Placement.objects.filter(node=node, valid__contains=valid_at, recorded__contains=known_at)
        .select_related("parent")
        .first()
    )
    return placed.parent if placed else node.parent


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One limit of a tree with its own and its effective availability in 分, and the limit that binds it."""

    node: Node
    depth: int
    own_fen: int | None
    effective_fen: int | None
    binding: Node | None


def list_tree(root: Node) -> list[TreeRow]:
    """A group's whole tree, each parent before its children, in one query."""
    query = """
    WITH RECURSIVE down AS (
        SELECT id, ARRAY[id] AS way FROM limits_node WHERE id = %s
        UNION ALL
        SELECT n.id, down.way || n.id FROM limits_node n JOIN down ON n.parent_id = down.id
    ) SELECT n.* FROM down JOIN limits_node n USING (id) ORDER BY down.way
    """
    rows: list[TreeRow] = []
    known: dict[int, TreeRow] = {}
    for node in Node.objects.raw(query, [root.pk]):
        above = known.get(node.parent_id or 0)
        here = 0 if node.is_stopped else node.own_fen
        effective, binding = (above.effective_fen, above.binding) if above else (None, None)
        if here is not None and (effective is None or here <= effective):
            effective, binding = here, node
        row = TreeRow(node, above.depth + 1 if above else 0, node.own_fen, effective, binding)
        known[node.pk] = row
        rows.append(row)
    return rows


def root_of(node: Node) -> Node:
    """The group above a node."""
    while node.parent_id is not None:
        node = Node.objects.get(pk=node.parent_id)
    return node


def journal(*, nodes: QuerySet[Node] | list[int]) -> QuerySet[Movement]:
    """The movements of some nodes, newest first."""
    return Movement.objects.filter(node__in=nodes).select_related("node", "hold").order_by("-seq")
