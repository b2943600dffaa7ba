"""The table of authorities: on the amount, just over it, one level up on exceptions, before it was in force."""

import datetime as dt
from dataclasses import replace

import pytest

from shouxin.domain.authority import AuthorityRow, CaseFacts, Level, level_for

DAY = dt.date(2025, 6, 30)
BRANCH = AuthorityRow(Level.BRANCH, 2_000, is_inclusive=True, valid_from=dt.date(2020, 1, 1))
HEAD = AuthorityRow(Level.HEAD_OFFICE, None, is_inclusive=True, valid_from=dt.date(2020, 1, 1))


def level(aggregate: int, *rows: AuthorityRow, day: dt.date = DAY, **options: object) -> Level | None:
    answer = level_for(rows or (BRANCH, HEAD), CaseFacts(aggregate), as_of=day, **options)  # type: ignore[arg-type]
    return answer.level if answer else None


def test_the_amount_itself_is_within_only_where_the_row_says_so() -> None:
    assert level(2_000) is Level.BRANCH
    assert level(2_001) is Level.HEAD_OFFICE
    assert level(2_000, replace(BRANCH, is_inclusive=False), HEAD) is Level.HEAD_OFFICE
    assert level(1_999, replace(BRANCH, is_inclusive=False), HEAD) is Level.BRANCH


def test_an_exception_moves_the_decision_one_level_up_and_never_above_the_meeting() -> None:
    assert level(100, exceptions=["x"]) is Level.HEAD_OFFICE
    assert level(3_000, exceptions=["x"]) is Level.MEETING
    assert level(3_000, exceptions=["x", "y"]) is Level.MEETING


def test_a_rule_may_demand_a_level_whatever_the_amount() -> None:
    assert level(1, at_least=Level.HEAD_OFFICE, at_least_reason="JS-05") is Level.HEAD_OFFICE


def test_the_table_has_no_answer_before_it_was_in_force_and_after_it_ended() -> None:
    assert level(1, day=dt.date(2019, 12, 31)) is None
    assert level(1, replace(BRANCH, valid_to=DAY), replace(HEAD, valid_to=DAY)) is None


def test_the_most_specific_row_of_a_level_speaks() -> None:
    """A row for low ratings narrows the branch although the general row would let it."""
    low = replace(BRANCH, aggregate_max_fen=0, ratings=("BB", "B"))
    rows = (BRANCH, low, HEAD)
    for grade, expected in (("BB", Level.HEAD_OFFICE), ("A", Level.BRANCH)):
        answer = level_for(rows, CaseFacts(500, rating=grade), as_of=DAY)
        assert answer is not None
        assert answer.level is expected


@pytest.mark.parametrize(("tenor", "expected"), [(12, Level.BRANCH), (13, Level.HEAD_OFFICE)])
def test_a_row_may_name_the_longest_term(tenor: int, expected: Level) -> None:
    rows = (replace(BRANCH, tenor_max_months=12), HEAD)
    answer = level_for(rows, CaseFacts(1, tenor_months=tenor), as_of=DAY)
    assert answer is not None
    assert answer.level is expected
