"""Sixteen connections at once on two groups: the journal replayed in its order breaks no rule; planted races are caught."""

# ruff: noqa: E501, S608 - statements stand on one line; they hold no text from outside

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection
from psycopg.conninfo import make_conninfo

from shouxin.limits.sql import install
from tests.concurrency.replay import Tree, check, make_tree, run_workload
from tests.limits.planted import BOOKINGS, PATHS, Planted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url() -> str:
    wanted = ("dbname", "user", "password", "host", "port")
    parameters = django_connection.get_connection_params()
    return make_conninfo(**{name: parameters[name] for name in wanted if parameters.get(name)})


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def tree(connection: psycopg.Connection[Any]) -> Tree:
    return make_tree(connection, group_cap=600)


def test_nothing_is_broken_lost_or_doubled(url: str, connection: psycopg.Connection[Any], tree: Tree) -> None:
    log = run_workload(url, tree, workers=16, acts=60, seed=1)
    assert check(connection, log) == []
    assert log.accepted
    assert log.refused, "a workload without refusals proves little"


SLEEP = "PERFORM pg_sleep(0.002);"
RACES = [
    Planted("no row lock on the path", PATHS, "SELECT * INTO node FROM limits_node WHERE id = next_id FOR NO KEY UPDATE;",
            f"SELECT * INTO node FROM limits_node WHERE id = next_id; {SLEEP}"),
    Planted("the path is read before it is locked", PATHS,
            "    WHILE next_id IS NOT NULL LOOP\n        SELECT * INTO node FROM limits_node WHERE id = next_id FOR NO KEY UPDATE;\n",
            f"    DECLARE path limits_node[] := limit_path(leaf); BEGIN {SLEEP}\n"
            "    FOREACH node IN ARRAY path LOOP SELECT * INTO node FROM limits_node WHERE id = node.id FOR NO KEY UPDATE;\n"
            "        RETURN NEXT node; END LOOP; RETURN; END;\n    WHILE next_id IS NOT NULL LOOP\n"),
    Planted("the hold is not locked", BOOKINGS, "WHERE h.id = hold FOR UPDATE;", f"WHERE h.id = hold; {SLEEP}"),
    Planted("the idempotency gate is off", BOOKINGS,
            "PERFORM pg_advisory_xact_lock(hashtextextended(caller || E'\\x1f' || key, 11));\n    SELECT * INTO known",
            "RETURN NULL;\n    SELECT * INTO known"),
    Planted("the key is not waited for", BOOKINGS,
            "PERFORM pg_advisory_xact_lock(hashtextextended(caller || E'\\x1f' || key, 11));", ""),
]  # fmt: skip


@pytest.mark.parametrize("bug", RACES, ids=lambda bug: bug.name)
def test_a_planted_race_is_caught(bug: Planted, url: str, connection: psycopg.Connection[Any], tree: Tree) -> None:
    connection.execute(bug.statements())
    try:
        for seed in range(1, 9):
            try:
                log = run_workload(url, tree, workers=16, acts=40, seed=seed, death=0.3)
            except AssertionError:
                return
            if check(connection, log):
                return
        pytest.fail(f"nobody noticed that {bug.name}")
    finally:
        connection.execute(install())
