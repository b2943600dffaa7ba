"""A private durable server with a limit tree to book on, for benchmarks and for killing."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from shouxin.pg.binaries import find_binaries
from shouxin.pg.server import DURABLE, PrivateServer

DATABASE = "bench"
CAP_FEN = 10**15


@contextmanager
def durable_server(settings: Sequence[tuple[str, str]] = ()) -> Iterator[PrivateServer]:
    """A server of its own with fsync on and every migration run; it leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="shouxin-bench-"))
    folder.chmod(0o755)
    server = PrivateServer(folder / "server", find_binaries(), (*DURABLE, ("max_connections", "200"), *settings))
    given = os.environ.get("DATABASE_URL")
    try:
        server.start()
        server.ensure_database(DATABASE)
        os.environ["DATABASE_URL"] = server.url(DATABASE)
        subprocess.run(  # noqa: S603 - our own arguments; apart, so that this process keeps its own settings
            [find_python(), "-W", "ignore", "-m", "shouxin", "manage", "migrate", "--verbosity", "0"], check=True
        )
        yield server
    finally:
        if given is None:
            os.environ.pop("DATABASE_URL", None)
        else:
            os.environ["DATABASE_URL"] = given
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def find_python() -> str:
    """The interpreter that runs us."""
    import sys

    return sys.executable


def add_groups(url: str, *, groups: int, customers_each: int, cap_fen: int = CAP_FEN) -> dict[int, list[int]]:
    """Groups with customers, each with one product and one facility; the facilities by group."""
    columns = (
        "kind, parent_id, name, article, product, currency, mode, measure, is_revolving, status, standing,"
        " is_frozen_manually, is_frozen_by_system, status_reason, cap_fen, pending_fen, posted_fen, consumed_fen,"
        " earmarked_fen, cover_fen"
    )
    values = "'CNY', 'CAP', 'GROSS', true, 'ACTIVE', 'ACTIVE', false, false, '', %s, 0, 0, 0, 0, 0"
    with psycopg.connect(url, autocommit=True) as connection:

        def level(kind: str, parents: Sequence[int | None], each: int, cap: int) -> list[int]:
            rows = connection.execute(
                f"INSERT INTO limits_node ({columns}) SELECT %s, p, %s, '', '', {values}"  # noqa: S608 - our own texts
                " FROM unnest(%s::bigint[]) WITH ORDINALITY u (p, o), generate_series(1, %s) g ORDER BY o RETURNING id",
                [kind, kind, cap, list(parents), each],
            )
            return [row[0] for row in rows.fetchall()]

        roots = level("GROUP", [None] * groups, 1, cap_fen)
        customers = level("CUSTOMER", roots, customers_each, CAP_FEN)
        products = level("PRODUCT", customers, 1, CAP_FEN)
        leaves = level("FACILITY", products, 1, CAP_FEN)
        connection.execute("ANALYZE limits_node")
    return {root: leaves[n * customers_each : (n + 1) * customers_each] for n, root in enumerate(roots)}


def kill_server(server: PrivateServer) -> None:
    """kill -9 to the server and each of its processes, as a power cut would."""
    pid = int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])
    children = subprocess.run(  # noqa: S603
        ["pgrep", "-P", str(pid)],  # noqa: S607
        capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    for process in [pid, *map(int, children)]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def counters_are_sums(url: str) -> bool:
    """Whether every node equals the fold of its movements and every inner node its children."""
    query = """
    SELECT NOT EXISTS (
        SELECT 1 FROM limits_node n LEFT JOIN (
            SELECT node_id, sum(pending_fen) AS pending, sum(posted_fen) AS posted FROM limits_movement GROUP BY 1
        ) m ON m.node_id = n.id
        WHERE (n.pending_fen, n.posted_fen) IS DISTINCT FROM (coalesce(m.pending, 0), coalesce(m.posted, 0))
    ) AND NOT EXISTS (
        SELECT 1 FROM limits_node p JOIN limits_node c ON c.parent_id = p.id GROUP BY p.id
        HAVING (p.pending_fen, p.posted_fen) IS DISTINCT FROM (sum(c.pending_fen), sum(c.posted_fen))
    )
    """
    with psycopg.connect(url) as connection:
        row: Any = connection.execute(query).fetchone()
    return bool(row[0])
