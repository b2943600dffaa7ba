"""What every kind of import is to the jobs: how it is checked, made ready, written and taken back."""

import datetime as dt
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from django.db.models import Model

from shouxin.bank.models import Staff
from shouxin.bank.scope import DataScope
from shouxin.intake.customer_rows import CellFinding

Cells = Sequence[tuple[int, list[str]]]
"""Rows of a file as (line, cells)."""
PartRows = list[tuple[int, list[str], str]]
"""Rows of a job as (line, cells, state of the check)."""


@dataclass(frozen=True, slots=True)
class Context:
    """For whom an import acts, on which day, and where the columns stand in the file."""

    actor: Staff | None
    scope: DataScope | None
    day: dt.date
    places: Mapping[str, int]
    width: int


class Found(NamedTuple):
    """What the check says of a line: its state, all that is wrong, and the row of the bank that it meets."""

    line: int
    state: str
    findings: Sequence[CellFinding] = ()
    target_id: int | None = None


class Effect(NamedTuple):
    """What a line did; ``before`` holds what an undo puts back."""

    line: int
    is_new: bool
    target_id: int
    before: dict[str, Any] | None = None


class Ready(NamedTuple):
    """A part as its importer needs it, and the moment that everything it writes is marked with."""

    rows: Any
    stamp: dt.datetime


class Importer(Protocol):
    """One import at work."""

    is_in_parts: bool
    """False where rows refer to each other, so that the table comes in whole or not at all."""

    def check_rows(self, rows: Cells) -> Iterable[Found]:
        """What each row is."""

    def made_ready(self, parts: Iterator[PartRows], *, has_many: bool) -> Generator[tuple[PartRows, Ready]]:
        """Each part with what was made of it."""

    def write(self, ready: Ready) -> tuple[Sequence[Effect], Sequence[Found]]:
        """Write a part in the caller's transaction: effects, and rows that turned out to be wrong since the check."""


def snapshot(row: Model, fields: Iterable[str]) -> dict[str, Any]:
    """Values of a row as they are kept beside an effect: what is the same later was not touched since."""
    values = {}
    for name in fields:
        value = getattr(row, row._meta.get_field(name).attname)  # type: ignore[union-attr]
        values[name] = value if value is None or isinstance(value, str | int | bool) else str(value)
    return values


def is_still(row: Model, values: Mapping[str, Any]) -> bool:
    """Whether a row has the values of a snapshot, however the database writes them."""
    for name, value in values.items():
        field = row._meta.get_field(name)
        if getattr(row, field.attname) != field.to_python(value):  # type: ignore[union-attr]
            return False
    return True


def restore(row: Model, values: Mapping[str, Any]) -> None:
    """Put values of a snapshot back into a row."""
    for name, value in values.items():
        field = row._meta.get_field(name)
        setattr(row, field.attname, field.to_python(value))  # type: ignore[union-attr]
