"""What must hold in a live ledger, checked by reading it: the invariants I1, I2, I11, I12, I13 and the journal's chain.

Each check returns every breach it finds; a sound ledger has none. It takes no locks and may run beside the business:
all checks read one snapshot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection

from shouxin.audit.chain import Source

JOURNAL = Source(
    "journal",
    "limits_movement",
    "seq",
    ("seq", "operation", "hold_id", "node_id", "level", "pending_fen", "posted_fen", "consumed_fen", "earmarked_fen",
     "cover_fen", "new_cap_fen", "business_date", "recorded_at", "is_late", "cause", "actor_id"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that must hold and does not."""

    rule: str
    subject: str
    message: str


def _query(rule: str, sql: str, text: str) -> Iterator[Breach]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        for subject, *rest in cursor.fetchall():
            yield Breach(rule, str(subject), text.format(*rest))


def check_fold() -> list[Breach]:
    """I1: every counter is the sum of its movements."""
    sql = """
    SELECT n.id, n.name, n.pending_fen, n.posted_fen, coalesce(m.pending, 0), coalesce(m.posted, 0) FROM limits_node n
    LEFT JOIN (
        SELECT node_id, sum(pending_fen) AS pending, sum(posted_fen) AS posted, sum(consumed_fen) AS consumed,
            sum(earmarked_fen) AS earmarked, sum(cover_fen) AS cover FROM limits_movement GROUP BY node_id
    ) m ON m.node_id = n.id
    WHERE (n.pending_fen, n.posted_fen, n.consumed_fen, n.earmarked_fen, n.cover_fen) IS DISTINCT FROM
        (coalesce(m.pending, 0), coalesce(m.posted, 0), coalesce(m.consumed, 0), coalesce(m.earmarked, 0),
         coalesce(m.cover, 0))
    ORDER BY n.id
    """
    return list(_query("I1", sql, "{0}：预占 {1} 已用 {2} 分，流水合计 {3} 与 {4} 分"))


def check_tree() -> list[Breach]:
    """I2: an inner node's counters are the sums of its children; its earmarks are theirs and its own."""
    sql = """
    SELECT p.id, p.name, p.pending_fen, p.posted_fen, coalesce(sum(c.pending_fen), 0), coalesce(sum(c.posted_fen), 0)
    FROM limits_node p LEFT JOIN limits_node c ON c.parent_id = p.id WHERE p.kind <> 'FACILITY' GROUP BY p.id
    HAVING (p.pending_fen, p.posted_fen, p.cover_fen, p.earmarked_fen) IS DISTINCT FROM (
        coalesce(sum(c.pending_fen), 0), coalesce(sum(c.posted_fen), 0), coalesce(sum(c.cover_fen), 0),
        coalesce(sum(c.earmarked_fen), 0) + (SELECT coalesce(sum(e.amount_fen), 0) FROM limits_earmark e
            WHERE e.node_id = p.id AND e.released_at IS NULL))
    ORDER BY p.id
    """
    return list(_query("I2", sql, "{0}：预占 {1} 已用 {2} 分，下级合计 {3} 与 {4} 分"))


def check_leaves() -> list[Breach]:
    """I2 at the bottom: a facility's counters are what its holds have outstanding."""
    sql = """
    SELECT n.id, n.name, n.pending_fen, n.posted_fen, coalesce(h.pending, 0), coalesce(h.posted, 0) FROM limits_node n
    LEFT JOIN (
        SELECT facility_id, coalesce(sum(amount_fen) FILTER (WHERE state = 'PENDING'), 0) AS pending,
            coalesce(sum(balance_fen) FILTER (WHERE state = 'POSTED'), 0) AS posted,
            coalesce(sum(cover_fen) FILTER (WHERE state IN ('PENDING', 'POSTED')), 0) AS cover
        FROM limits_hold GROUP BY facility_id
    ) h ON h.facility_id = n.id
    WHERE n.kind = 'FACILITY' AND (n.pending_fen, n.posted_fen, n.cover_fen) IS DISTINCT FROM
        (coalesce(h.pending, 0), coalesce(h.posted, 0), coalesce(h.cover, 0))
    ORDER BY n.id
    """
    return list(_query("I2", sql, "{0}：预占 {1} 已用 {2} 分，各笔合计 {3} 与 {4} 分"))


def check_as_of() -> list[Breach]:
    """I11: every month's snapshot is the fold of the movements it was taken of."""
    sql = """
    SELECT s.node_id, s.month_end_date, s.pending_fen, s.posted_fen, coalesce(sum(m.pending_fen), 0),
        coalesce(sum(m.posted_fen), 0)
    FROM limits_snapshot s LEFT JOIN limits_movement m
        ON m.node_id = s.node_id AND m.business_date <= s.month_end_date AND m.seq <= s.up_to_seq
    GROUP BY s.id
    HAVING (s.pending_fen, s.posted_fen, s.consumed_fen, s.earmarked_fen, s.cover_fen) IS DISTINCT FROM (
        coalesce(sum(m.pending_fen), 0), coalesce(sum(m.posted_fen), 0), coalesce(sum(m.consumed_fen), 0),
        coalesce(sum(m.earmarked_fen), 0), coalesce(sum(m.cover_fen), 0))
    ORDER BY s.node_id
    """
    return list(_query("I11", sql, "{0} 月末快照：预占 {1} 已用 {2} 分，流水合计 {3} 与 {4} 分"))


def check_late_marks() -> list[Breach]:
    """I11: what was recorded for a month after it was closed is marked, or an as-of answer would miss it."""
    sql = """
    SELECT m.seq, m.business_date FROM limits_movement m JOIN limits_snapshot s ON s.node_id = m.node_id
        AND m.business_date <= s.month_end_date AND m.seq > s.up_to_seq
    WHERE NOT m.is_late
        AND (m.pending_fen, m.posted_fen, m.consumed_fen, m.earmarked_fen, m.cover_fen) <> (0, 0, 0, 0, 0)
    ORDER BY m.seq
    """
    return list(_query("I11", sql, "流水记入已结月份 {0} 而未标记"))


def check_moves() -> list[Breach]:
    """I12: what a move takes from one group it gives to another, and the placement known now is the parent."""
    moved = """
    SELECT 'MOVE', sum(pending_fen), sum(posted_fen) FROM limits_movement WHERE operation = 'MOVE'
    HAVING (sum(pending_fen), sum(posted_fen), sum(earmarked_fen), sum(cover_fen)) IS DISTINCT FROM (0, 0, 0, 0)
        AND count(*) > 0
    """
    placed = """
    SELECT n.id, n.name FROM limits_placement p JOIN limits_node n ON n.id = p.node_id
    WHERE upper_inf(p.recorded) AND upper_inf(p.valid) AND p.parent_id <> n.parent_id ORDER BY n.id
    """
    return [
        *_query("I12", moved, "成员变动合计不为零：预占 {0}，已用 {1} 分"),
        *_query("I12", placed, "{0}：所属集团与已知归属记录不一致"),
    ]


def check_excess() -> list[Breach]:
    """I13: used is above a cap only with a recorded cause and an open excess with a cure date; no excess without it."""
    above = """
    SELECT n.id, n.name FROM limits_node n LEFT JOIN limits_excess e ON e.node_id = n.id AND e.closed_at IS NULL
    WHERE n.used_fen > n.cap_fen AND (n.excess_cause IS NULL OR e.id IS NULL OR e.cure_by_date IS NULL) ORDER BY n.id
    """
    idle = """
    SELECT n.id, n.name FROM limits_node n JOIN limits_excess e ON e.node_id = n.id AND e.closed_at IS NULL
    WHERE n.cap_fen IS NULL OR n.used_fen <= n.cap_fen ORDER BY n.id
    """
    return [
        *_query("I13", above, "{0}：超过额度而没有原因、未结超额记录或整改期限"),
        *_query("I13", idle, "{0}：已在额度之内而超额记录未结"),
    ]


def check_holds() -> list[Breach]:
    """I5 and the references: one end per hold, and no movement of a hold or node that is not there."""
    ends = """
    SELECT hold_id, count(*) FROM limits_movement WHERE operation IN ('POST', 'VOID', 'EXPIRE') AND level = 0
    GROUP BY hold_id HAVING count(*) > 1 ORDER BY 1
    """
    orphans = """
    SELECT m.seq, m.operation FROM limits_movement m LEFT JOIN limits_node n ON n.id = m.node_id
        LEFT JOIN limits_hold h ON h.id = m.hold_id
    WHERE n.id IS NULL OR (m.hold_id IS NOT NULL AND h.id IS NULL) ORDER BY m.seq
    """
    return [*_query("I5", ends, "一笔预占有 {0} 个终结动作"), *_query("REF", orphans, "{0} 流水所指的额度或预占不存在")]


CHECKS: tuple[Callable[[], list[Breach]], ...] = (
    check_fold, check_tree, check_leaves, check_as_of, check_late_marks, check_moves, check_excess, check_holds,
)  # fmt: skip


def list_breaches() -> list[Breach]:
    """Everything that does not hold in the ledger."""
    return [breach for check in CHECKS for breach in check()]
