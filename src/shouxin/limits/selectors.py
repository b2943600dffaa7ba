"""Read the ledger: balances as of a day, trees, journals. The caller has checked what its user may see."""

import datetime as dt
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from shouxin.limits.models import Movement, Node


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
        own = None if node.cap_fen is None else node.cap_fen - node.used_fen
        here = own if node.status == Node.Status.ACTIVE and node.excess_cause is None else 0
        effective, binding = (above.effective_fen, above.binding) if above else (None, None)
        if here is not None and (effective is None or here <= effective):
            effective, binding = here, node
        row = TreeRow(node, above.depth + 1 if above else 0, own, effective, binding)
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
