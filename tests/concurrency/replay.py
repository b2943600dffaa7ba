"""Many connections act on one tree, some die without hearing their answer; then the journal is replayed in seq order.


Each worker is a thread with a connection of its own. With some chance it cuts its connection right after sending, so
that it does not know the outcome, and asks again with the same key. Half of the reservations go through batches.
"""

# ruff: noqa: E501 - statements stand on one line; they hold no text from outside

import datetime as dt
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.range import Range

DAY = dt.date(2025, 6, 30)
ONE = "SELECT limit_reserve(%s, %s, %s, %s, %s, %s, %s, clock_timestamp() + %s::interval, NULL)"
BATCH = (
    "SELECT answer, item FROM limit_reserve_batch(%s::text[], %s::text[], %s::text[], %s::uuid[], %s::bigint[], %s::bigint[],"
    " ARRAY(SELECT clock_timestamp() + %s::interval FROM generate_series(1, %s)), NULL, %s), unnest(told) item ORDER BY item"
)


@dataclass
class Tree:
    """Ids of two groups, four customers with a product and a facility each."""

    groups: list[int]
    customers: list[int]
    facilities: list[int]


@dataclass
class Log:
    """What the callers were told; added to under a lock."""

    accepted: dict[str, uuid.UUID] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    asked: dict[str, uuid.UUID] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def make_tree(connection: psycopg.Connection[Any], group_cap: int) -> Tree:
    def node(kind: str, parent: int | None, cap: int | None = None) -> int:
        row = connection.execute(
            "INSERT INTO limits_node (kind, parent_id, name, article, product, currency, mode, measure, is_revolving,"
            " status, standing, is_frozen_manually, is_frozen_by_system, status_reason, cap_fen, pending_fen, posted_fen,"
            " consumed_fen, earmarked_fen, cover_fen) VALUES (%s, %s, %s, '', '', 'CNY', 'CAP', 'GROSS', true, 'ACTIVE',"
            " 'ACTIVE', false, false, '', %s, 0, 0, 0, 0, 0) RETURNING id", [kind, parent, kind, cap],
        ).fetchone()  # fmt: skip
        assert row
        return int(row[0])

    groups = [node("GROUP", None, group_cap), node("GROUP", None, group_cap * 2)]
    customers, facilities = [], []
    for number in range(4):
        customers.append(node("CUSTOMER", groups[number % 2], group_cap))
        facilities.append(node("FACILITY", node("PRODUCT", customers[-1], group_cap)))
    return Tree(groups, customers, facilities)


class Worker:
    """One caller with its own connection and its own dice."""

    def __init__(self, url: str, tree: Tree, log: Log, seed: int, *, death: float) -> None:
        self.url, self.tree, self.log, self.dice, self.death = url, tree, log, random.Random(seed), death
        self.connection = psycopg.connect(url, autocommit=True, options="-c deadlock_timeout=100ms")
        self.mine: list[tuple[uuid.UUID, int]] = []

    def run(self, acts: int) -> None:
        choices = [
            (self.reserve, 50), (self.reserve_batch, 15), (self.post, 20), (self.void, 10), (self.release, 20),
            (self.again, 10), (self.move, 3), (self.set_cap, 3), (self.freeze, 3), (self.other_payload, 3),
        ]  # fmt: skip
        for act in self.dice.choices([a for a, _ in choices], [w for _, w in choices], k=acts):
            try:
                act()
            except psycopg.errors.SerializationFailure:
                continue
            except psycopg.errors.DeadlockDetected as error:  # the order of locks is there to make them impossible
                with self.log.lock:
                    self.log.unexpected.append(f"{act.__name__}: {error!r}")
            except psycopg.OperationalError:
                self.connection = psycopg.connect(self.url, autocommit=True, options="-c deadlock_timeout=100ms")
            except psycopg.Error as error:
                with self.log.lock:
                    self.log.unexpected.append(f"{act.__name__}: {error!r}")
            with self.log.lock:
                self.log.acts[act.__name__] += 1
        self.connection.close()

    def _die_or(self, query: str, arguments: list[Any]) -> Any:
        """Send; with some chance hang up before the answer comes, whatever the server makes of it."""
        if self.dice.random() >= self.death:
            return self.connection.execute(query, arguments).fetchone()
        text = psycopg.ClientCursor(self.connection).mogrify(query, arguments)
        self.connection.pgconn.send_query(text.encode())
        time.sleep(self.dice.random() * 0.004)
        self.connection.close()
        self.connection = psycopg.connect(self.url, autocommit=True, options="-c deadlock_timeout=100ms")
        return None

    def reserve(self) -> None:
        facility, amount = self.dice.choice(self.tree.facilities), self.dice.randint(1, 40)
        key, hold = uuid.uuid4().hex, uuid.uuid4()
        with self.log.lock:
            self.log.asked[key] = hold
        arguments = ["c", key, f"{facility}:{amount}", hold, facility, amount, DAY, "1 hour"]
        row = self._die_or(ONE, arguments)
        if row is None:  # the outcome is unknown: ask again with the same key, as a careful caller does
            row = self.connection.execute(ONE, arguments).fetchone()
        self._heard(key, amount, row[0])

    def reserve_batch(self) -> None:
        facilities = [self.dice.choice(self.tree.facilities) for _ in range(5)]
        amounts = [self.dice.randint(1, 40) for _ in facilities]
        keys, holds = [uuid.uuid4().hex for _ in facilities], [uuid.uuid4() for _ in facilities]
        amounts[-1] = self.dice.choice([0, -1, amounts[-1]])  # a poisoned item does not harm the others
        prints = [f"{f}:{a}" for f, a in zip(facilities, amounts, strict=True)]
        arguments = [["c"] * 5, keys, prints, holds, facilities, amounts, "1 hour", 5, DAY]
        rows = self.connection.execute(BATCH, arguments).fetchall()
        for key, hold, amount, (answer, _) in zip(keys, holds, amounts, rows, strict=True):
            with self.log.lock:
                self.log.asked[key] = hold
            assert (answer["outcome"] == "invalid") == (amount <= 0), answer
            if amount > 0:
                self._heard(key, amount, {"hold": str(hold), **answer})

    def _heard(self, key: str, amount: int, answer: dict[str, Any]) -> None:
        with self.log.lock:
            if answer["outcome"] == "accepted":
                self.log.accepted[key] = uuid.UUID(answer["hold"])
                self.mine.append((uuid.UUID(answer["hold"]), amount))
            elif answer["outcome"] == "refused":
                self.log.refused.add(key)

    def again(self) -> None:
        with self.log.lock:
            known = dict(self.dice.sample(sorted(self.log.accepted.items()), min(1, len(self.log.accepted))))
        for key, hold in known.items():
            row = self.connection.execute(
                "SELECT fingerprint FROM limits_idempotencykey WHERE key = %s", [key]
            ).fetchone()
            assert row
            facility, amount = map(int, row[0].split(":"))
            arguments = ["c", key, row[0], uuid.uuid4(), facility, amount, DAY, "1 hour"]
            ((answer,),) = self.connection.execute(ONE, arguments).fetchall()
            assert answer.get("replayed"), "a key was decided twice"
            assert uuid.UUID(answer["hold"]) == hold

    def other_payload(self) -> None:
        with self.log.lock:
            keys = self.dice.sample(sorted(self.log.accepted), min(1, len(self.log.accepted)))
        for key in keys:
            arguments = ["c", key, "another", uuid.uuid4(), self.tree.facilities[0], 1, DAY, "1 hour"]
            ((answer,),) = self.connection.execute(ONE, arguments).fetchall()
            assert answer["outcome"] == "key_reused"

    def _act_on_hold(self, query: str, *, part: bool = False) -> None:
        with self.log.lock:
            everybody = list(self.log.accepted.values())
        if not self.mine or not everybody:
            return
        hold, amount = self.dice.choice(self.mine)
        if self.dice.random() < 0.3:
            hold = self.dice.choice(everybody)
        arguments: list[Any] = [hold, self.dice.randint(1, amount)] if part else [hold]
        self._die_or(query, arguments)

    def post(self) -> None:
        self._act_on_hold(f"SELECT limit_post(%s, %s, '{DAY}', NULL)", part=True)

    def void(self) -> None:
        self._act_on_hold(f"SELECT limit_void(%s, '{DAY}', '', NULL)")

    def release(self) -> None:
        self._act_on_hold(f"SELECT limit_release(%s, %s, '{DAY}', '', NULL)", part=True)

    def move(self) -> None:
        customer, group = self.dice.choice(self.tree.customers), self.dice.choice(self.tree.groups)
        self.connection.execute("SELECT limit_move_customer(%s, %s, %s, 'm', NULL)", [customer, group, DAY])

    def set_cap(self) -> None:
        node = self.dice.choice([*self.tree.groups, *self.tree.customers])
        self.connection.execute(
            "SELECT limit_set_cap(%s, %s, %s, 'a', '{}', %s, NULL, %s)",
            [node, self.dice.choice([150, 400, 900, 1500]), Range(DAY, None), DAY, DAY],
        )

    def freeze(self) -> None:
        node = self.dice.choice(self.tree.customers)
        for is_on in (True, False):
            self.connection.execute("SELECT limit_set_freeze(%s, false, %s, 'f', %s, NULL)", [node, is_on, DAY])
            time.sleep(0.002)


def run_workload(url: str, tree: Tree, *, workers: int, acts: int, seed: int, death: float = 0.05) -> Log:
    """All workers at once; what they were told."""
    log = Log()
    callers = [Worker(url, tree, log, seed * 1000 + number, death=death) for number in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(caller.run, acts) for caller in callers]:
            future.result()
    return log


def check(connection: psycopg.Connection[Any], log: Log) -> list[str]:
    """Everything that is wrong; empty when the ledger kept its promises."""
    wrong = list(log.unexpected)
    state: dict[int, dict[str, Any]] = {}
    caps = connection.execute("SELECT id, cap_fen, parent_id FROM limits_node").fetchall()
    first_caps = {
        node: connection.execute(
            "SELECT new_cap_fen FROM limits_movement WHERE node_id = %s AND operation = 'SET_CAP' ORDER BY seq LIMIT 1",
            [node],
        ).fetchone()
        for node, _, _ in caps
    }
    for node, cap, _ in caps:
        state[node] = {"pending": 0, "posted": 0, "cap": cap if first_caps[node] is None else None, "frozen": False}
    started = {node: first_caps[node] is None for node, _, _ in caps}
    ends: Counter[uuid.UUID] = Counter()
    for operation, hold, node, level, pending, posted, new_cap in connection.execute(
        "SELECT operation, hold_id, node_id, level, pending_fen, posted_fen, new_cap_fen FROM limits_movement ORDER BY seq"
    ):
        row = state[node]
        row["pending"] += pending
        row["posted"] += posted
        if operation == "SET_CAP":
            row["cap"], started[node] = new_cap, True
        elif operation in ("FREEZE", "UNFREEZE"):
            row["frozen"] = operation == "FREEZE"
        elif operation == "RESERVE":
            if started[node] and row["cap"] is not None and row["pending"] + row["posted"] > row["cap"]:
                wrong.append(f"I3: node {node} was reserved beyond its cap")
            if row["frozen"]:
                wrong.append(f"I8: node {node} was frozen and took a reservation")
        elif operation == "POST" and row["frozen"]:
            wrong.append(f"I8: node {node} was frozen and took a booking")
        if operation in ("POST", "VOID", "EXPIRE") and level == 0:
            ends[hold] += 1
    wrong += [f"I5: hold {hold} ended {times} times" for hold, times in ends.items() if times > 1]
    for node, pending, posted in connection.execute("SELECT id, pending_fen, posted_fen FROM limits_node"):
        if (state[node]["pending"], state[node]["posted"]) != (pending, posted):
            wrong.append(f"I1: node {node} is not the fold of its movements")
    for node, kind in connection.execute(
        "SELECT p.id, p.kind FROM limits_node p LEFT JOIN limits_node c ON c.parent_id = p.id WHERE p.kind <> 'FACILITY'"
        " GROUP BY p.id HAVING (p.pending_fen, p.posted_fen)"
        " IS DISTINCT FROM (coalesce(sum(c.pending_fen), 0), coalesce(sum(c.posted_fen), 0))"
    ):
        wrong.append(f"I2: {kind} {node} is not the sum of its children")
    for node, _ in connection.execute(
        "SELECT n.id, 0 FROM limits_node n JOIN limits_hold h ON h.facility_id = n.id GROUP BY n.id"
        " HAVING (n.pending_fen, n.posted_fen) IS DISTINCT FROM"
        " (sum(h.amount_fen) FILTER (WHERE h.state = 'PENDING'), sum(h.balance_fen) FILTER (WHERE h.state = 'POSTED'))"
        " AND (n.pending_fen, n.posted_fen) IS DISTINCT FROM (coalesce(sum(h.amount_fen) FILTER (WHERE h.state = 'PENDING'),"
        " 0), coalesce(sum(h.balance_fen) FILTER (WHERE h.state = 'POSTED'), 0))"
    ):
        wrong.append(f"facility {node} is not the sum of its holds")
    return wrong + check_promises(connection, log)


def check_promises(connection: psycopg.Connection[Any], log: Log) -> list[str]:
    """Lost: acknowledged and not there. Doubled: one key, two holds, or a refusal that booked."""
    wrong = []
    there = {row[0] for row in connection.execute("SELECT id FROM limits_hold")}
    answers = connection.execute("SELECT key, limit_told(i) ->> 'hold' FROM limits_idempotencykey i").fetchall()
    for key, hold in log.accepted.items():
        if hold not in there:
            wrong.append(f"lost: {key}")
    booked = Counter(hold for _, hold in answers if hold)
    wrong += [f"doubled: {hold}" for hold, times in booked.items() if times > 1]
    wrong += [f"doubled: hold {hold} answers no key" for hold in there - {uuid.UUID(h) for h in booked}]
    wrong += [f"doubled: {key} was refused and booked" for key in log.refused if log.asked[key] in there]
    reserved = connection.execute(
        "SELECT hold_id FROM limits_movement WHERE operation = 'RESERVE' AND level = 0 GROUP BY hold_id HAVING count(*) > 1"
    ).fetchall()
    wrong += [f"doubled: {hold} reserved twice" for (hold,) in reserved]
    return wrong
