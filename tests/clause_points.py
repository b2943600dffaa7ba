"""Which points of a requirement a test proves, which points a requirement has not, and the page that shows both.

A requirement with a line (an amount, a share, a term, a count, a day) is proved at three points: on the line, just over
it, and on a day before it was in force. One without a line has the same three in its own way: the case that is allowed,
the nearest one that is refused or told apart, and the day before. A test names what it proves in its mark::

    @pytest.mark.clause("JS-13", points="on over before")

Marks without ``points`` say that the test proves the requirement, and nothing about its points.
"""

from collections.abc import Iterable, Mapping

POINTS = {"on": "on the line", "over": "just over it", "before": "before in force"}
"""Word in the mark, heading on the page."""

NOT_APPLICABLE: dict[str, dict[str, str]] = {
    "CB-01": {"before": "the parts of the rule as a menu; what they hold is dated, the menu is not"},
    "CB-05": {"over": "a basis is printed or it is not; nothing is held against it"},
    "CB-06": {"before": "what credit is has no day; which of it is in scope on a day is CB-11"},
    "CB-10": {"before": "a letter is written today; none of a past day is printed anew"},
    "CB+11": {"over": "a text about purposes; nothing is held against it"},
    "UC-02": {"over": "a view of all members together; nothing is refused by it"},
    "UC-14": {"before": "who sees and manages what follows the present unit of a customer"},
}
"""Requirement, point, why it has no such point."""

_FIRST_DAYS = {
    "X01": "JS-11", "X03": "JS-13", "X04": "JS-13", "X05": "A-04", "X06": "JS-11", "X07": "JS-11", "X08": "BR-12",
    "X09": "BR-12", "X10": "BR-12", "X11": "JS-14", "X12": "A-26", "X13": "JS-06", "X14": "JS-06", "X23": "JS-05",
    "Y02": "JS-16", "Y03": "JS-06", "Y04": "JS-17", "Y05": "JS-17", "Y06": "JS-17", "Y07": "JS-16", "Y08": "BR-03",
    "Y10": "A-27", "Y11": "CB-19", "7.9": "CB+9",
}  # fmt: skip
"""Figures of the worked example, all of 2025, and the requirement that shows the first day of their rule."""
_OTHER_SIDES = {
    ("X01", "over"): "X07", ("X03", "over"): "X04", ("X04", "on"): "X03", ("X05", "over"): "A-04",
    ("X06", "over"): "X07", ("X07", "on"): "X06", ("X09", "over"): "X10", ("X10", "on"): "X09",
}  # fmt: skip
"""Figures that stand on one side of a line, and where its other side is proved."""
NOT_APPLICABLE |= {
    "BR-11": {"before": "a column of the table that is never empty; the database knows no group without"},
    "A-15": {"before": "says who the customer is, the same on every day"},
    "A-20": {"before": "says what a member is, the same on every day"},
}
for _name, _shown_by in _FIRST_DAYS.items():
    NOT_APPLICABLE.setdefault(_name, {})["before"] = (
        f"an example of 2025; the rule's first day is proved with {_shown_by}"
    )
for (_name, _side), _shown_by in _OTHER_SIDES.items():
    NOT_APPLICABLE.setdefault(_name, {})[_side] = f"the other side of the same line is {_shown_by}"

for _number in (2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 16, 17, 18, 19):
    NOT_APPLICABLE.setdefault(f"RC-{_number:02d}", {})["before"] = (
        "a step of forming, lending or leaving, which is done today; its dated numbers are RC-06, RC-11 and RC-15"
    )
for _name in ("Z01", "Z02", "Z03", "Z04", "Z05", "Z06", "Z07", "Z08", "Z09", "W25"):
    NOT_APPLICABLE.setdefault(_name, {})["before"] = "an example of 2024; the dated numbers are RC-06, RC-11 and RC-15"
NOT_APPLICABLE["RC-02"]["over"] = "a report; nothing is held against it"
NOT_APPLICABLE["RC-20"] = {
    "over": "a rule is on trial or it is not", "before": "the flag belongs to a version, whose days are CB-02",
}  # fmt: skip

Proved = Mapping[str, Mapping[str, set[str]]]
"""Requirement, test that passed, points that this test proves."""


class MarkError(ValueError):
    """A mark names a point that does not exist, or one that the requirement is said not to have."""


def read_mark(names: Iterable[object], points: object = "") -> list[tuple[str, str]]:
    """The requirements of one mark, each with the words of its points in their order, one space between them."""
    words = str(points).split()
    if unknown := [word for word in words if word not in POINTS]:
        raise MarkError(f"unknown point {unknown[0]!r}; the points are {', '.join(POINTS)}")
    for name in names:
        if absent := [word for word in words if word in NOT_APPLICABLE.get(str(name), {})]:
            raise MarkError(f"{name} is said to have no point {absent[0]!r}: {NOT_APPLICABLE[str(name)][absent[0]]}")
    return [(str(name), " ".join(word for word in POINTS if word in words)) for name in names]


def is_complete(requirement: str, tests: Mapping[str, set[str]]) -> bool:
    """Whether every point that the requirement has is proved."""
    shown = set().union(*tests.values()) if tests else set()
    return all(word in shown or word in NOT_APPLICABLE.get(requirement, {}) for word in POINTS)


def page(proved: Proved) -> str:
    """docs/coverage.md as text: a row for each requirement, its points, its tests."""
    complete = sum(is_complete(requirement, tests) for requirement, tests in proved.items())
    lines = [
        "# Which requirement is proved by which test",
        "",
        "Written by `make coverage-page` from the tests that ran and passed; do not edit by hand.",
        "",
        f"{len(proved)} requirements proved, {complete} of them at every point they have. A point is proved (✓), not",
        "marked by any test (–), or does not exist for that requirement (n/a, with the reason). Without a line of its",
        "own a requirement is shown by what is allowed, what is nearest to it and refused, and the day before.",
        "",
        f"| requirement | {' | '.join(POINTS.values())} | tests that passed |",
        f"|---|{'---|' * len(POINTS)}---|",
    ]
    for requirement, tests in sorted(proved.items()):
        shown = set().union(*tests.values()) if tests else set()
        cells = [_cell(requirement, word, shown) for word in POINTS]
        names = "<br>".join(_test_cell(test, tests[test]) for test in sorted(tests))
        lines.append(f"| {requirement} | {' | '.join(cells)} | {names} |")
    return "\n".join([*lines, ""])


def _cell(requirement: str, word: str, shown: set[str]) -> str:
    if word in shown:
        return "✓"
    reason = NOT_APPLICABLE.get(requirement, {}).get(word)
    return f"n/a: {reason}" if reason else "–"


def _test_cell(test: str, points: set[str]) -> str:
    words = " ".join(word for word in POINTS if word in points)
    return f"`{test}`{f' ({words})' if words else ''}"
