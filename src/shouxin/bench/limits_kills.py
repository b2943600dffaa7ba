"""kill -9 in mid-commit, of the server and of the client in turn; then count what was promised and is not there, and
what was booked twice.

A client process books by the function and in batches and writes each acknowledged key to a file of its own; a key is
acknowledged only after the answer came. After a kill the server is started again on what is on disk.
"""

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from shouxin.bench.limits_bank import DATABASE, add_groups, counters_are_sums, find_python, kill_server
from shouxin.pg.server import PrivateServer

_CLIENT_SECONDS_MAX = 20


@dataclass(slots=True)
class Kills:
    """What the rounds found. Lost: acknowledged and gone. Doubled: one key with two bookings."""

    rounds: int = 0
    server_kills: int = 0
    client_kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    counters_right: bool = True


def run_kills(server: PrivateServer, folder: Path, *, rounds: int, seed: int = 1) -> Kills:
    """Kill and count; every second time the server, else the client."""
    facilities = next(iter(add_groups(server.url(DATABASE), groups=1, customers_each=8).values()))
    dice, found = random.Random(seed), Kills()  # noqa: S311 - when to kill, no secret
    known: set[str] = set()
    for number in range(rounds):
        acknowledged = folder / f"acknowledged-{number}"
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [find_python(), "-m", "shouxin.bench.limits_kills", server.url(DATABASE), str(acknowledged),
             ",".join(map(str, facilities))],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_for_first(acknowledged, process)
        time.sleep(dice.random() * 0.3)
        if number % 2 == 0:
            kill_server(server)
            found.server_kills += 1
            process.kill()
            process.wait()
            server.start()
        else:
            process.send_signal(signal.SIGKILL)
            process.wait()
            found.client_kills += 1
        known |= set(acknowledged.read_text().split("\n")[:-1])
        found.rounds += 1
    _count(server.url(DATABASE), known, found)
    return found


def _wait_for_first(acknowledged: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _CLIENT_SECONDS_MAX
    while not acknowledged.exists() or acknowledged.stat().st_size == 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the booking client did not come up")
        time.sleep(0.01)


def _count(url: str, known: set[str], found: Kills) -> None:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT i.key, count(DISTINCT m.hold_id) FROM limits_idempotencykey i"
            " JOIN limits_movement m ON m.hold_id = (limit_told(i) ->> 'hold')::uuid"
            " AND m.operation = 'RESERVE' AND m.level = 0"
            " GROUP BY i.key"
        ).fetchall()
        doubles = connection.execute(
            "SELECT count(*) - count(DISTINCT hold_id) FROM limits_movement WHERE operation = 'RESERVE' AND level = 0"
        ).fetchone()
        orphans = connection.execute(
            "SELECT count(*) FROM limits_hold h WHERE NOT EXISTS"
            " (SELECT 1 FROM limits_idempotencykey i WHERE i.key = replace(h.id::text, '-', ''))"
        ).fetchone()
    there = {key for key, _ in rows}
    found.acknowledged = len(known)
    found.lost = len(known - there)
    found.doubled = (doubles[0] if doubles else 0) + (orphans[0] if orphans else 0)
    found.counters_right = counters_are_sums(url)


def _book(url: str, acknowledged: Path, facilities: list[int]) -> None:
    """The client: books until it is killed; a key goes to the file only after its answer."""
    import uuid

    connection = psycopg.connect(url, autocommit=True)
    one = "SELECT limit_reserve('kill', %s, 'f', %s, %s, 1, '2025-06-30', now() + interval '1 day', NULL)"
    many = (
        "SELECT sum(cardinality(told)) FROM limit_reserve_batch(array_fill('kill'::text, ARRAY[20]), %s::text[],"
        " array_fill('f'::text, ARRAY[20]), %s::uuid[], %s::bigint[], array_fill(1::bigint, ARRAY[20]),"
        " array_fill(now() + interval '1 day', ARRAY[20]), array_fill(NULL::bigint, ARRAY[20]), '2025-06-30')"
        " WHERE answer ->> 'outcome' = 'accepted'"
    )
    with acknowledged.open("w") as file:
        for number in range(10**9):
            if number % 3:
                hold = uuid.uuid4()
                connection.execute(one, [hold.hex, hold, facilities[number % len(facilities)]])
                file.write(f"{hold.hex}\n")
            else:
                holds = [uuid.uuid4() for _ in range(20)]
                leaves = [facilities[n % len(facilities)] for n in range(20)]
                connection.execute(many, [[h.hex for h in holds], holds, leaves])
                file.write("".join(f"{hold.hex}\n" for hold in holds))
            file.flush()


if __name__ == "__main__":
    _book(sys.argv[1], Path(sys.argv[2]), [int(text) for text in sys.argv[3].split(",")])
