"""Bugs planted in the ledger's functions to test the tests: each must be caught (docs/planted-bugs.md lists them)."""

# ruff: noqa: E501 - the texts stand as in the SQL files, so that a changed place is noticed

from dataclasses import dataclass
from pathlib import Path

from shouxin.limits import sql

FOLDER = Path(sql.__file__).resolve().parent


@dataclass(frozen=True)
class Planted:
    """One bug: a text of one file replaced by another, once."""

    name: str
    file: str
    right: str
    wrong: str

    def statements(self) -> str:
        text = (FOLDER / self.file).read_text(encoding="utf-8")
        assert self.right in text, f"{self.name}: the place is gone from {self.file}; plant the bug anew"
        return text.replace(self.right, self.wrong, 1)


PATHS, BOOKINGS, MEASURES, CAPS, MEMBERS, AS_OF, BATCH = (
    "10_paths.sql",
    "20_bookings.sql",
    "30_measures.sql",
    "40_caps.sql",
    "50_members.sql",
    "60_as_of.sql",
    "70_batch.sql",
)

SEQUENTIAL = [
    Planted(
        "a level is not checked",
        PATHS,
        "IF code IS NOT NULL AND NOT (is_override",
        "IF code IS NOT NULL AND node.kind <> 'GROUP' AND NOT (is_override",
    ),
    Planted(
        "one 分 too many fits",
        PATHS,
        "WHEN asked > node.cap_fen - node.used_fen THEN",
        "WHEN asked > node.cap_fen - node.used_fen + 1 THEN",
    ),
    Planted(
        "the last 分 does not fit",
        PATHS,
        "WHEN asked > node.cap_fen - node.used_fen THEN",
        "WHEN asked >= node.cap_fen - node.used_fen THEN",
    ),
    Planted(
        "a suspended line takes reservations",
        PATHS,
        "WHEN node.status <> 'ACTIVE' THEN",
        "WHEN node.status = 'FROZEN' THEN",
    ),
    Planted("an excess does not block", PATHS, "WHEN node.excess_cause IS NOT NULL THEN 'LIMIT_IN_EXCESS'", ""),
    Planted(
        "net caps are judged gross",
        PATHS,
        "asked := amount - CASE WHEN node.measure = 'NET' THEN cover ELSE 0 END;",
        "asked := amount;",
    ),
    Planted(
        "consumed is kept on revolving nodes too",
        PATHS,
        "consumed_fen = n.consumed_fen + CASE WHEN n.is_revolving THEN 0 ELSE consumed END",
        "consumed_fen = n.consumed_fen + consumed",
    ),
    Planted(
        "the journal leaves the group out",
        PATHS,
        "FROM unnest(path) WITH ORDINALITY p;",
        "FROM unnest(path) WITH ORDINALITY p WHERE p.kind <> 'GROUP';",
    ),
    Planted(
        "a cured excess stays open",
        PATHS,
        "AND excess_cause IS NOT NULL AND (cap_fen IS NULL OR used_fen <= cap_fen);",
        "AND false;",
    ),
    Planted("late entries are not marked", PATHS, "coalesce(on_date <= p.closed_through_date, false)", "false"),
    Planted(
        "the payload of a key is not compared", BOOKINGS, "known.fingerprint <> limit_remembered.fingerprint", "false"
    ),
    Planted(
        "a refusal is not remembered",
        BOOKINGS,
        "    INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)\n    VALUES",
        "    INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)\n    SELECT v.* FROM (VALUES (caller, key, fingerprint, reply, clock_timestamp())) v WHERE reply ? 'hold';\n    RETURN reply; VALUES",
    ),
    Planted(
        "the rest of a partial post is not given back",
        BOOKINGS,
        "'POST', hold, -held.amount_fen, base, base",
        "'POST', hold, -base, base, base",
    ),
    Planted(
        "more may be posted than was held",
        BOOKINGS,
        "ELSIF amount <= 0 OR amount > most THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'POST",
        "ELSIF amount <= 0 OR amount > most + 1 THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'POST",
    ),
    Planted(
        "an expired hold can be posted",
        BOOKINGS,
        "ELSIF held.expires_at <= clock_timestamp() THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_EXPIRED');\n    ELSIF amount",
        "ELSIF amount",
    ),
    Planted(
        "a frozen line can be posted on", BOOKINGS, "IF node.status = 'FROZEN' THEN", "IF node.status = 'CLOSED' THEN"
    ),
    Planted(
        "a hold can be posted twice",
        BOOKINGS,
        "    IF held.state <> 'PENDING' THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);\n    ELSIF held.expires_at <= clock",
        "    IF held.state NOT IN ('PENDING', 'POSTED') THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'HOLD_' || held.state);\n    ELSIF held.expires_at <= clock",
    ),
    Planted(
        "a void keeps the cover",
        BOOKINGS,
        "operation, held.id, -held.amount_fen,\n        0, 0, 0, -held.cover_fen",
        "operation, held.id, -held.amount_fen,\n        0, 0, 0, 0",
    ),
    Planted(
        "a release may exceed the balance",
        BOOKINGS,
        "ELSIF amount <= 0 OR amount > most THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'RELEASE",
        "ELSIF amount <= 0 THEN\n        RETURN jsonb_build_object('outcome', 'refused', 'code', 'RELEASE",
    ),
    Planted(
        "a repayment frees a non-revolving line",
        BOOKINGS,
        "'RELEASE', hold, 0, -base, 0, 0,",
        "'RELEASE', hold, 0, -base, -base, 0,",
    ),
    Planted(
        "a reversal leaves consumed",
        BOOKINGS,
        "-held.balance_fen, -held.posted_fen, 0, -held.cover_fen",
        "-held.balance_fen, 0, 0, -held.cover_fen",
    ),
    Planted(
        "a reversal takes the posted amount back, not the balance",
        BOOKINGS,
        "'REVERSE', hold, 0,\n        -held.balance_fen,",
        "'REVERSE', hold, 0,\n        -held.posted_fen,",
    ),
    Planted(
        "the sweeper ends reservations early",
        BOOKINGS,
        "h.state = 'PENDING' AND h.expires_at <= clock_timestamp()",
        "h.state = 'PENDING'",
    ),
    Planted(
        "the newest value of cover is not enforced",
        MEASURES,
        "too_much := greatest(found_mitigant.shared_fen - new_eligible, 0);",
        "too_much := 0;",
    ),
    Planted(
        "cover given back stays with the mitigant",
        MEASURES,
        "UPDATE limits_mitigant SET shared_fen = shared_fen - part WHERE id = link.mitigant_id;",
        "",
    ),
    Planted(
        "a set cap forgets what was shifted",
        CAPS,
        "in_force := greatest(amount + limit_shifted(target), 0);",
        "in_force := amount;",
    ),
    Planted(
        "a donor may keep less than it uses",
        CAPS,
        "AND n.cap_fen - amount < n.used_fen ORDER",
        "AND n.cap_fen < n.used_fen ORDER",
    ),
    Planted(
        "a reallocation raises the common ancestor",
        CAPS,
        "n.id = ANY(above_receiver) AND NOT n.id = ANY(above_donor)\n        AND n.cap",
        "n.id = ANY(above_receiver)\n        AND n.cap",
    ),
    Planted(
        "a return leaves the receiver raised",
        CAPS,
        "over := limit_add_to_caps(found_shift.raised, -found_shift.amount_fen,",
        "over := limit_add_to_caps(found_shift.raised, 0,",
    ),
    Planted(
        "room is set apart unjudged",
        CAPS,
        "IF reply ->> 'outcome' = 'accepted' THEN\n        INSERT INTO limits_earmark",
        "IF true THEN\n        INSERT INTO limits_earmark",
    ),
    Planted(
        "lifting one freeze lifts the other",
        CAPS,
        "by_hand := CASE WHEN by_system THEN node.is_frozen_manually ELSE is_on END;",
        "by_hand := is_on;",
    ),
    Planted("a move leaves reservations behind", MEMBERS, "sign * moved.pending_fen, sign", "0, sign"),
    Planted("a move leaves earmarks behind", MEMBERS, "sign * moved.earmarked_fen, sign", "0, sign"),
    Planted("a move leaves cover behind", MEMBERS, "sign * moved.cover_fen, on_date", "0, on_date"),
    Planted(
        "a move forgets the new parent", MEMBERS, "UPDATE limits_node SET parent_id = new_parent WHERE id = member;", ""
    ),
    Planted("an as-of answer misses late entries", AS_OF, "AND b.is_late AND b.seq > base.up_to_seq", "AND false"),
    Planted("an as-of answer knows what came later", AS_OF, "            AND a.recorded_at <= known_at\n", ""),
    Planted("a later snapshot answers an earlier question", AS_OF, "AND s.taken_at <= known_at", ""),
]
