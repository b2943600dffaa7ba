"""``shouxin bench limits``: bookings per second of the ledger beside its peers, on one durable server of its own.

Peers: pgbench's TPC-B; a hand-written function that books the same chain (key, locks and checks leaf to root, hold,
journal) once per transaction, called by pgbench; the Django ORM with select_for_update. Each contender runs once a
round; the medians are shown. Counters are compared with the journal at the end, caps must be reached exactly.
"""

# ruff: noqa: E501 - statements stand on one line

import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psycopg

from shouxin.bench.limits_bank import DATABASE, add_groups, counters_are_sums, durable_server, find_python
from shouxin.bench.limits_kills import run_kills
from shouxin.bench.report import Report, Row
from shouxin.pg.server import PrivateServer

_PEER = """
CREATE FUNCTION bench_book(pick integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    next_id bigint; leaf bigint; node limits_node; ids bigint[] := '{}'; hold uuid := gen_random_uuid();
BEGIN
    SELECT id INTO leaf FROM bench_leaf WHERE n = pick;
    INSERT INTO limits_idempotencykey (caller, key, fingerprint, answer, recorded_at)
    VALUES ('peer', hold::text, 'f', jsonb_build_object('hold', hold), clock_timestamp());
    next_id := leaf;
    WHILE next_id IS NOT NULL LOOP
        SELECT * INTO node FROM limits_node WHERE id = next_id FOR NO KEY UPDATE;
        IF node.status <> 'ACTIVE' OR node.used_fen + 1 > node.cap_fen THEN RETURN false; END IF;
        ids := ids || next_id;
        next_id := node.parent_id;
    END LOOP;
    INSERT INTO limits_hold (id, facility_id, amount_fen, posted_fen, balance_fen, cover_fen, currency, original_posted,
        original_balance, state, business_date, expires_at, created_at)
    VALUES (hold, leaf, 1, 0, 0, 0, 'CNY', 0, 0, 'PENDING', '2025-06-30', clock_timestamp() + interval '1 day',
        clock_timestamp());
    UPDATE limits_node SET pending_fen = pending_fen + 1 WHERE id = ANY(ids);
    INSERT INTO limits_movement (operation, hold_id, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,
        cover_fen, business_date, recorded_at, is_late, cause)
    SELECT 'RESERVE', hold, i, o - 1, 1, 0, 0, 0, 0, '2025-06-30', clock_timestamp(), false, ''
    FROM unnest(ids) WITH ORDINALITY u (i, o);
    RETURN true;
END $$;
CREATE TABLE bench_leaf (n integer PRIMARY KEY, id bigint NOT NULL);
"""
_BOOK_PEER = "\\set n random(1, {count})\nSELECT bench_book(:n);\n"
_BOOK_OURS = (
    "\\set n random(1, {count})\nSELECT limit_reserve('bench', k::text, 'f', k, (SELECT id FROM bench_leaf WHERE n = :n), 1,"
    " '2025-06-30', now() + interval '1 day', NULL) FROM gen_random_uuid() k;\n"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run of one contender."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(slots=True)
class Bench:
    """The server, how long each run lasts, and what it ran on."""

    server: PrivateServer
    seconds: float
    rounds: int
    work: Path

    @property
    def url(self) -> str:
        return self.server.url(DATABASE)

    def pgbench(self, script: str | None, clients: int) -> Run:
        """pgbench with a script of our own, or its TPC-B; percentiles from its log of every transaction."""
        for old in self.work.glob("log.*"):
            old.unlink()
        command = [self.server.binaries.program("pgbench"), "-n", "-c", str(clients), "-j", "2", "-T",
                   str(max(1, round(self.seconds))), "-l", "--log-prefix", str(self.work / "log"), "-M", "prepared"]  # fmt: skip
        if script is not None:
            file = self.work / "script.sql"
            file.write_text(script)
            command += ["-f", str(file)]
        cpu = self._server_cpu()
        outcome = subprocess.run(  # noqa: S603 - our own arguments
            [*command, self.url], capture_output=True, text=True, check=True
        )
        cpu = self._server_cpu() - cpu
        found = re.search(r"tps = ([\d.]+)", outcome.stdout)
        number = re.search(r"actually processed: (\d+)", outcome.stdout)
        if found is None or number is None:
            raise RuntimeError(outcome.stdout + outcome.stderr)
        latencies = sorted(
            int(line.split()[2]) / 1e3 for log in self.work.glob("log.*") for line in log.read_text().splitlines()
        ) or [0.0]
        return Run(
            float(found[1]), latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)],
            cpu / max(1, int(number[1])) * 1e6,
        )  # fmt: skip

    def load(self, way: str, group_id: int, facilities: Sequence[int], in_flight: int) -> tuple[Run, dict[str, Any]]:
        """Our callers in a process of their own; CPU is theirs and the server's."""
        cpu = self._server_cpu()
        outcome = subprocess.run(  # noqa: S603 - our own arguments
            [find_python(), "-m", "shouxin.bench.limits_load", way, self.url, str(group_id),
             ",".join(map(str, facilities)), str(in_flight), str(self.seconds)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        cpu = self._server_cpu() - cpu
        seen = json.loads(outcome.stdout)
        total = (cpu + seen["cpu_s"]) / max(1, seen["count"]) * 1e6
        return Run(seen["per_second"], seen["p50_ms"], seen["p99_ms"], total), seen

    def _server_cpu(self) -> float:
        pid = int((self.server.data / "postmaster.pid").read_text().split("\n", 1)[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ticks = 0
        for process in [pid, *map(int, children)]:
            try:
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(field) for field in fields[11 : 15 if process == pid else 13])
        return ticks / 100


def _median(runs: Sequence[Run]) -> Run:
    return Run(*(statistics.median(values) for values in zip(
        *((run.per_second, run.p50_ms, run.p99_ms, run.cpu_us) for run in runs), strict=True)))  # fmt: skip


def _rounds(bench: Bench, contenders: dict[str, Callable[[], Run]]) -> dict[str, Run]:
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(bench.rounds):
        for name, run in contenders.items():
            runs[name].append(run())
    return {name: _median(found) for name, found in runs.items()}


def _show(report: Report, case: str, run: Run, peer: str = "", ratio: float | None = None) -> None:
    report.add(
        Row(case, run.per_second, "bookings/s", run.p50_ms, run.p99_ms, run.cpu_us / 1e6, None, peer or None, ratio)
    )


def _set_leaves(url: str, leaves: Sequence[int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE bench_leaf")
        connection.execute(
            "INSERT INTO bench_leaf SELECT o, i FROM unnest(%s::bigint[]) WITH ORDINALITY u (i, o)", [list(leaves)]
        )
        connection.execute("ANALYZE bench_leaf")


def _hot(report: Report, bench: Bench, clients: Sequence[int], callers: Sequence[int], *, is_flush: bool) -> None:
    """One hot group of ten customers."""
    ((group, leaves),) = add_groups(bench.url, groups=1, customers_each=10).items()
    _set_leaves(bench.url, leaves)
    count = len(leaves)
    contenders: dict[str, Callable[[], Run]] = {}
    for n in clients:
        contenders[f"peer {n}"] = lambda n=n: bench.pgbench(_BOOK_PEER.format(count=count), n)  # type: ignore[misc]
        contenders[f"function {n}"] = lambda n=n: bench.pgbench(_BOOK_OURS.format(count=count), n)  # type: ignore[misc]
    for n in callers:
        contenders[f"batch {n}"] = lambda n=n: bench.load("batch", group, leaves, n)[0]  # type: ignore[misc]
    if not is_flush:
        contenders["orm 8"] = lambda: bench.load("orm", group, leaves, 8)[0]
    found = _rounds(bench, contenders)
    where = "hot group, 2 ms flush" if is_flush else "hot group"
    best = max((run.per_second for name, run in found.items() if name.startswith("peer")), default=1.0)
    orm = found["orm 8"].per_second if "orm 8" in found else None
    for name, run in found.items():
        way, _, many = name.partition(" ")
        peer, ratio = (
            ("", None) if way == "peer" else ("best one-function-per-transaction pgbench", run.per_second / best)
        )
        _show(report, f"{where}: {way}, {many} in flight", run, peer, ratio)
        if way == "batch" and orm:
            _show(report, f"{where}: batch, {many} in flight", run, "ORM select_for_update", run.per_second / orm)


def _spread(
    report: Report, bench: Bench, clients: Sequence[int], groups: int, customers_each: int = 1
) -> tuple[float, float]:
    """Customers of many groups: nobody waits for anybody. The best of the hand-written function and of ours."""
    made = add_groups(bench.url, groups=groups, customers_each=customers_each)
    leaves = [leaf for found in made.values() for leaf in found]
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # not in the first contender's time
    _set_leaves(bench.url, leaves)
    contenders: dict[str, Callable[[], Run]] = {}
    for n in clients:
        contenders[f"peer {n}"] = lambda n=n: bench.pgbench(_BOOK_PEER.format(count=len(leaves)), n)  # type: ignore[misc]
        contenders[f"function {n}"] = lambda n=n: bench.pgbench(_BOOK_OURS.format(count=len(leaves)), n)  # type: ignore[misc]
    found = _rounds(bench, contenders)
    for n in clients:
        peer, ours = found[f"peer {n}"], found[f"function {n}"]
        many = f"{len(leaves):,} customers in {groups:,} groups"
        _show(report, f"{many}: hand-written function, {n} in flight", peer)
        _show(report, f"{many}: function path, {n} in flight", ours, "hand-written function",
              ours.per_second / peer.per_second)  # fmt: skip
    best = [max(found[f"{way} {n}"].per_second for n in clients) for way in ("peer", "function")]
    return best[0], best[1]


def _caps(report: Report, bench: Bench) -> None:
    """A small cap, many callers: it is reached exactly, the rest is refused."""
    cap = 2_000
    ((group, leaves),) = add_groups(bench.url, groups=1, customers_each=4, cap_fen=cap).items()
    run, seen = bench.load("batch", group, leaves, 64)
    report.require(seen["accepted"] == cap, f"the cap of {cap} took {seen['accepted']} bookings of 1")
    _show(report, f"cap reached, {seen['refused']:,} refused: batch, 64 in flight", run)


def _http(report: Report, bench: Bench) -> None:
    """The API in front of one hot group, beside the empty reply of the same server."""
    outcome = subprocess.run(  # noqa: S603 - our own arguments
        [find_python(), "-m", "shouxin.bench.limits_http", bench.url, str(bench.seconds)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = json.loads(outcome.stdout.splitlines()[-1])
    report.add(
        Row("HTTP: empty reply, 64 connections", seen["empty"], "replies/s", seen["empty_p50"], seen["empty_p99"])
    )
    report.add(Row("HTTP: one booking per request, 64 connections", seen["booking"], "bookings/s", seen["p50"], seen["p99"],
                   peer="empty reply of the same server", ratio=seen["booking"] / seen["empty"]))  # fmt: skip


def _as_of(report: Report, bench: Bench, rows: int) -> None:
    """Balances of one node as of days in four years, with a snapshot per closed month."""
    months = 48
    ((group, _leaves),) = add_groups(bench.url, groups=1, customers_each=1).items()
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO limits_movement (operation, node_id, level, pending_fen, posted_fen, consumed_fen, earmarked_fen,"
            " cover_fen, business_date, recorded_at, is_late, cause) SELECT 'RELEASE', %s, 3, 0, 1, 0, 0, 0,"
            " date '2021-07-01' + (i * 1461 / %s)::integer, clock_timestamp(), false, '' FROM generate_series(0, %s - 1) i",
            [group, rows, rows],
        )
        connection.execute("UPDATE limits_node SET posted_fen = %s WHERE id = %s", [rows, group])
        connection.execute("UPDATE limits_node SET posted_fen = %s WHERE id IN (SELECT id FROM limits_node WHERE parent_id ="
                           " %s)", [rows, group])  # fmt: skip
        connection.execute("ANALYZE limits_movement")

        def ask() -> tuple[list[float], list[int]]:
            times, sums = [], []
            for number in range(24):
                start = time.perf_counter()
                row = connection.execute(
                    "SELECT posted_fen FROM limit_balance(%s, date '2021-07-20' + %s::integer, 'infinity')",
                    [group, number * 59],
                ).fetchone()
                times.append((time.perf_counter() - start) * 1e3)
                sums.append(row[0] if row else -1)
            return sorted(times), sums

        folded, expected = ask()
        for month in range(1, months):
            connection.execute(
                "SELECT limit_close_month(%s, (date '2021-07-01' + make_interval(months => %s))::date - 1)",
                [group, month],
            )
        with_snapshots, seen = ask()
    report.require(seen == expected, "as-of answers with snapshots differ from the folded journal")
    half = len(folded) // 2
    report.add(Row(f"as-of on {rows:,} movements of one node, folded", folded[half], "ms", folded[half], folded[-1]))
    report.add(Row(f"as-of on {rows:,} movements of one node, month snapshots", with_snapshots[half], "ms",
                   with_snapshots[half], with_snapshots[-1], peer="folded", ratio=folded[half] / with_snapshots[half]))  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="Fewer client counts and short runs; ends within 45 s.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--seconds", type=float, help="How long each run lasts.")
@click.option("--rounds", type=int, help="How often each contender runs; the median is shown.")
@click.option(
    "--kills", type=int, default=0, help="Kill server and client this often in mid-commit and count; nothing else."
)
def limits(quick: bool, as_json: bool, seconds: float | None, rounds: int | None, kills: int) -> None:
    """Bookings on the limit ledger: function path and batch writer beside pgbench and the ORM."""
    report = Report("limits")
    settings = (("shared_buffers", "256MB"), ("max_wal_size", "4GB"))
    with durable_server(settings) as server, tempfile.TemporaryDirectory() as work:
        if kills:
            _kill(report, server, Path(work), kills)
            report.finish(as_json=as_json)
            return
        bench = Bench(server, seconds or (1 if quick else 4), rounds or (1 if quick else 3), Path(work))
        with psycopg.connect(bench.url, autocommit=True) as connection:
            connection.execute(_PEER)
        subprocess.run(  # noqa: S603 - our own arguments
            [server.binaries.program("pgbench"), "-i", "-q", "-s", "5", bench.url], capture_output=True, check=True
        )
        for n in (8,) if quick else (1, 8, 32, 128):
            _show(report, f"pgbench TPC-B, {n} in flight", bench.pgbench(None, n))
        _hot(report, bench, (2,) if quick else (1, 2, 8, 32, 128), (64, 256), is_flush=False)
        peer_few, few = _spread(report, bench, (8,) if quick else (1, 8, 32, 128), 1_000)
        if not quick:
            peer_many, many = _spread(report, bench, (8, 32), 100_000, 10)
            report.add(Row("function path at 1,000,000 customers beside 1,000", many / few, "ratio",
                           peer="hand-written function's ratio", ratio=(many / few) / (peer_many / peer_few)))  # fmt: skip
        _caps(report, bench)
        if not quick:
            _http(report, bench)
        _as_of(report, bench, 100_000 if quick else 1_000_000)
        if not quick:
            _flush(report, bench)
        report.require(_sums_hold(bench), "counters are not the sums of the journal")
    report.finish(as_json=as_json)


def _flush(report: Report, bench: Bench) -> None:
    """Every durable commit waits 2 ms, as on a disk that others write to as well."""
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {DATABASE} SET commit_delay = 2000")
        connection.execute(f"ALTER DATABASE {DATABASE} SET commit_siblings = 0")
    _hot(report, bench, (2, 32), (64, 256, 1000), is_flush=True)


def _sums_hold(bench: Bench) -> bool:
    with psycopg.connect(bench.url, autocommit=True) as connection:  # the as-of case writes a journal of its own
        connection.execute("CREATE TEMP TABLE made_up AS SELECT node_id FROM limits_snapshot GROUP BY 1")
        row: Any = connection.execute(
            "SELECT count(*) FROM limits_node n LEFT JOIN (SELECT node_id, sum(pending_fen) AS s FROM limits_movement"
            " GROUP BY 1) m ON m.node_id = n.id WHERE n.pending_fen <> coalesce(m.s, 0)"
            " AND n.id NOT IN (SELECT node_id FROM made_up)"
        ).fetchone()
        tree: Any = connection.execute(
            "SELECT count(*) FROM (SELECT p.id FROM limits_node p JOIN limits_node c ON c.parent_id = p.id GROUP BY p.id"
            " HAVING p.pending_fen <> sum(c.pending_fen)) x"
        ).fetchone()
    return bool(row[0] == 0 and tree[0] == 0)


def _kill(report: Report, server: PrivateServer, work: Path, rounds: int) -> None:
    found = run_kills(server, work, rounds=rounds)
    report.add(Row(f"acknowledged bookings in {found.server_kills} kills of the server and {found.client_kills} of the client",
                   found.acknowledged, "bookings"))  # fmt: skip
    report.add(Row("acknowledged bookings lost", found.lost, "bookings"))
    report.add(Row("bookings doubled", found.doubled, "bookings"))
    report.require(found.lost == 0, f"{found.lost} acknowledged bookings are lost")
    report.require(found.doubled == 0, f"{found.doubled} bookings are doubled")
    report.require(found.counters_right and counters_are_sums(server.url(DATABASE)), "counters are not the sums")
