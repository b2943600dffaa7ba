"""Who may decide a credit case: a dated table of authorities, asked with the facts of the case.

The table is keyed on the *aggregate of the group after the act*, never on the single request (BR-09). For each level
the most specific row that fits the case says how much that level may decide; the lowest level that may is the answer.
Exceptions move it one level up (CB+5, CB+6). Two persons' authorities never add up: a row speaks of one person.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from shouxin.domain.money import format_wan


class Level(IntEnum):
    """Levels of decision, the higher the number the higher the level."""

    BRANCH = 1
    HEAD_OFFICE = 2
    MEETING = 3


LEVEL_NAMES = {Level.BRANCH: "分支机构", Level.HEAD_OFFICE: "总行审批", Level.MEETING: "行长办公会"}


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """One row: this level may decide cases like this up to an amount, 分; an empty field fits everything."""

    level: Level
    aggregate_max_fen: int | None
    is_inclusive: bool
    valid_from: dt.date
    valid_to: dt.date | None = None
    unit_path: str = ""
    role: str = ""
    customer_class: str = ""
    ratings: tuple[str, ...] = ()
    product: str = ""
    guarantee: str = ""
    tenor_max_months: int | None = None
    article: str = ""
    citation: str = ""

    def fits(self, facts: "CaseFacts", day: dt.date) -> bool:
        """Whether the row speaks about this case on a day, whatever the amount."""
        return (
            self.valid_from <= day
            and (self.valid_to is None or day < self.valid_to)
            and facts.unit_path.startswith(self.unit_path)
            and self.customer_class in ("", facts.customer_class)
            and (not self.ratings or facts.rating in self.ratings)
            and (not self.product or set(facts.products) == {self.product})
            and self.guarantee in ("", facts.guarantee)
            and (self.tenor_max_months is None or facts.tenor_months <= self.tenor_max_months)
        )

    def admits(self, aggregate_fen: int) -> bool:
        """At the amount itself only where the row says so (含本数)."""
        if self.aggregate_max_fen is None:
            return True
        if self.is_inclusive:
            return aggregate_fen <= self.aggregate_max_fen
        return aggregate_fen < self.aggregate_max_fen

    @property
    def specificity(self) -> int:
        """How many conditions the row names; the longest unit path breaks ties."""
        named = (self.customer_class, self.ratings, self.product, self.guarantee, self.tenor_max_months)
        return sum(bool(value) for value in named) * 1000 + len(self.unit_path)


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the table is asked with. ``aggregate_fen``: the group's credit after the act, 分."""

    aggregate_fen: int
    unit_path: str = ""
    customer_class: str = ""
    rating: str = ""
    products: tuple[str, ...] = ()
    guarantee: str = ""
    tenor_months: int = 12


@dataclass(frozen=True, slots=True)
class LevelAnswer:
    """The level that must decide, the row that said so and every reason that raised it."""

    level: Level
    row: AuthorityRow | None
    reasons: tuple[str, ...] = field(default=())


def level_for(
    rows: Iterable[AuthorityRow],
    facts: CaseFacts,
    *,
    as_of: dt.date,
    exceptions: Sequence[str] = (),
    at_least: Level = Level.BRANCH,
    at_least_reason: str = "",
    levels_up: int = 1,
) -> LevelAnswer | None:
    """The lowest level that may decide, ``levels_up`` higher when there is any exception; None when the table has no
    answer.

    ``at_least`` is a level that a rule demands whatever the amount (JS-05: head office for every group line).
    """
    fitting = [row for row in rows if row.fits(facts, as_of)]
    chosen = _lowest(fitting, facts.aggregate_fen)
    if chosen is None:
        return None
    level, reasons = (
        chosen.level,
        [f"集团合计 {format_wan(facts.aggregate_fen)} 万元在{LEVEL_NAMES[chosen.level]}权限内"],
    )
    if exceptions and levels_up:
        level = Level(min(level + levels_up, Level.MEETING))
        reasons += [f"例外上收 {levels_up} 级：{text}" for text in exceptions]
    if at_least > level:
        level = at_least
        reasons.append(at_least_reason)
    return LevelAnswer(level, chosen, tuple(reasons))


def _lowest(rows: Sequence[AuthorityRow], aggregate_fen: int) -> AuthorityRow | None:
    for level in Level:
        of_level = [row for row in rows if row.level == level]
        if of_level:
            row = max(of_level, key=lambda row: (row.specificity, row.valid_from))
            if row.admits(aggregate_fen):
                return row
    return None
