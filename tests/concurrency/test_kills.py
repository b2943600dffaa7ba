"""kill -9 of the server and of the client in mid-commit loses nothing and doubles nothing.

``shouxin bench limits --kills 100`` does the same a hundred times.
"""

from pathlib import Path

from shouxin.bench.limits_bank import durable_server
from shouxin.bench.limits_kills import run_kills


def test_four_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    with durable_server() as server:
        found = run_kills(server, tmp_path, rounds=4)
    assert (found.server_kills, found.client_kills) == (2, 2)
    assert found.acknowledged > 0
    assert (found.lost, found.doubled, found.counters_right) == (0, 0, True)
