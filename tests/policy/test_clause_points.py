"""Marks name points that exist; the page of proofs says which are shown, which are not and which there cannot be."""

import pytest

from tests import clause_points


def test_a_mark_gives_each_of_its_requirements_the_points_in_their_order() -> None:
    assert clause_points.read_mark(("A", "B"), "before on") == [("A", "on before"), ("B", "on before")]
    assert clause_points.read_mark(("A",)) == [("A", "")]


def test_a_point_that_does_not_exist_or_is_denied_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(clause_points.MarkError, match="unknown point 'under'"):
        clause_points.read_mark(("A",), "under")
    monkeypatch.setitem(clause_points.NOT_APPLICABLE, "A", {"over": "has no line"})
    with pytest.raises(clause_points.MarkError, match="has no line"):
        clause_points.read_mark(("A",), "on over")


def test_the_page_tells_proved_missing_and_impossible_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clause_points.NOT_APPLICABLE, "A", {"before": "holds from the first day"})
    text = clause_points.page({"A": {"t::one": {"on"}, "t::two": {"over"}}, "B": {"t::three": set()}})
    assert "| A | ✓ | ✓ | n/a: holds from the first day | `t::one` (on)<br>`t::two` (over) |" in text
    assert "| B | – | – | – | `t::three` |" in text
    assert "2 requirements proved, 1 of them at every point" in text


def test_every_absence_has_a_point_and_a_reason_of_one_line() -> None:
    for requirement, absent in clause_points.NOT_APPLICABLE.items():
        assert set(absent) <= set(clause_points.POINTS), requirement
        assert all(10 < len(reason) < 140 and "\n" not in reason and "|" not in reason for reason in absent.values())
