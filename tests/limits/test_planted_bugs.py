"""Tests of the tests: every planted bug is caught by an aimed walk beside the oracle."""

import pytest
from django.db import connection

from tests.limits.planted import SEQUENTIAL, Planted
from tests.limits.walks import WALKS, run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("story", WALKS, ids=lambda story: story.__name__)
def test_the_right_ledger_passes_every_walk(story) -> None:  # type: ignore[no-untyped-def]
    run(story)


@pytest.mark.parametrize("bug", SEQUENTIAL, ids=lambda bug: bug.name)
def test_it_is_caught(bug: Planted) -> None:
    with connection.cursor() as cursor:
        cursor.execute(bug.statements())
    caught = []
    for story in WALKS:
        try:
            run(story)
        except Exception as error:
            caught.append((story.__name__, type(error).__name__))
            break
    assert caught, "no walk noticed"
