"""Rows of a customer list as finished lines for COPY: everything about a new customer that needs no database.

This is most of the work of an import outside PostgreSQL, and none of it waits for anything, so a big file has it done
by a helper process (``python -m shouxin.intake.prepare_helper``) while the part before is being written.
"""

import contextlib
import datetime as dt
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol

from shouxin.domain.search_text import SearchFields, search_keys_and_vector
from shouxin.intake.customer_rows import ListRow, ReadRow, rows_reader

TARGETS = (
    "parties_party (id, kind, name, short_name, pinyin, pinyin_initials, uscc, legal_form, nature, industry, sex,"
    " identity_number, birth_date)",
    "parties_customer (id, party_id, number, stage, org_type, unit_id, next_step, next_step_date, last_contact_date,"
    " note, is_locked, main_owner_id, main_class_id, is_valid, search, created_at, updated_at)",
    "parties_ownership (customer_id, staff_id, kind, valid_from, origin)",
    "parties_classification (customer_id, scheme_id, customer_class_id, valid_from)",
    "parties_contactpoint (customer_id, kind, value, digits, postcode, contact_name, is_working)",
    "parties_formername (party_id, name)",
)
"""What is written, in the order of the lines of ``lines_of``: the party first, since the others refer to it."""
NULL = "\\N"
Cells = Sequence[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an import knows beforehand: columns, day, staff as number → (id, unit), classes as name → (id, scheme)."""

    places: Mapping[str, int]
    width: int
    day: dt.date
    staff: Mapping[str, tuple[int, int]]
    classes: Mapping[str, tuple[int, int]]
    default_owner: tuple[int, int] | None


class Part(NamedTuple):
    """Rows to prepare, with ids that nobody else will use: one for the customer and one for the party of each."""

    rows: Cells
    customer_ids: Sequence[int]
    party_ids: Sequence[int]
    stamp: dt.datetime


class Prepared(NamedTuple):
    """A row that was read, and its lines as a new customer; None when something is wrong with it."""

    line: int
    row: ListRow
    wrong: Sequence[Any]
    customer_id: int
    lines: tuple[str, ...] | None


class Preparer(Protocol):
    """Gives the prepared rows of a part; the next part may be handed in before they are asked for."""

    def hand_in(self, part: Part) -> None: ...

    def take(self) -> list[Prepared]: ...

    def close(self) -> None: ...


def prepare(part: Part, around: Surroundings) -> list[Prepared]:
    """Read the rows of a part and make the lines of those that nothing is wrong with."""
    read: list[ReadRow] = rows_reader(around.places, around.width)(part.rows)
    stamp = str(part.stamp)
    return [
        Prepared(line, row, wrong, customer_id, _lines_or_none(row, wrong, party_id, customer_id, around, stamp))
        for (line, row, wrong), party_id, customer_id in zip(read, part.party_ids, part.customer_ids, strict=True)
    ]


def _lines_or_none(
    row: ListRow, wrong: Sequence[Any], party_id: int, customer_id: int, around: Surroundings, stamp: str
) -> tuple[str, ...] | None:
    has_names = (not row.owner or row.owner in around.staff) and (
        not row.customer_class or row.customer_class in around.classes
    )
    if wrong or not has_names or not (row.owner or around.default_owner):
        return None
    return lines_of(row, party_id, customer_id, around, stamp)


def lines_of(
    row: ListRow, party_id: int, customer_id: int, around: Surroundings, stamp: str, *, is_new_party: bool = True
) -> tuple[str, ...]:
    """The lines of one new customer for each of ``TARGETS``; empty where there is nothing for a table."""
    owner = around.staff[row.owner] if row.owner else around.default_owner
    assert owner is not None  # noqa: S101 - rows without an owner are refused by the check
    chosen = around.classes.get(row.customer_class) if row.customer_class else None
    number = row.number or f"KH{party_id:08d}"
    pinyin, initials, vector = search_keys_and_vector(
        SearchFields(
            row.name, row.kind == "person", number, row.uscc, (row.former_name,) if row.former_name else (),
            (row.digits,) if row.digits else (), (row.email,) if row.email else (),
            tuple([t for t in (row.next_step, row.note, row.short_name) if t]),
        )
    )  # fmt: skip
    party = (
        f"{party_id}\t{row.kind}\t{_text(row.name)}\t{_text(row.short_name)}\t{pinyin}\t{initials}\t"
        f"{row.uscc or NULL}\t\t\t{_text(row.industry)}\t\t{row.identity_number or NULL}\t{row.birth_date or NULL}\n"
        if is_new_party
        else ""
    )
    points = contact_points(row)
    customer = (
        f"{customer_id}\t{party_id}\t{_text(number)}\tprospect\t\t{owner[1]}\t{_text(row.next_step)}\t"
        f"{row.next_step_date or NULL}\t{row.last_contact_date or NULL}\t{_text(row.note)}\tf\t{owner[0]}\t"
        f"{chosen[0] if chosen else NULL}\t{'t' if chosen and points else 'f'}\t{vector}\t{stamp}\t{stamp}\n"
    )
    return (
        party,
        customer,
        f"{customer_id}\t{owner[0]}\tmain\t{around.day}\timported\n",
        f"{customer_id}\t{chosen[1]}\t{chosen[0]}\t{around.day}\n" if chosen else "",
        "".join(
            [
                f"{customer_id}\t{kind}\t{_text(value)}\t{digits}\t{postcode}\t{_text(who)}\tt\n"
                for kind, value, digits, postcode, who in points
            ]
        ),
        f"{party_id}\t{_text(row.former_name)}\n" if row.former_name else "",
    )


def contact_points(row: ListRow) -> list[tuple[str, str, str, str, str]]:
    """Kind, value, digits, post code, contact name of each way that a row gives."""
    found = []
    if row.phone:
        found.append(("phone", row.phone, row.digits, "", row.contact_name))
    if row.email:
        found.append(("email", row.email, "", "", row.contact_name))
    if row.address:
        found.append(("address", row.address, "", row.postcode, ""))
    return found


def _text(value: str) -> str:
    """A text inside a COPY line; control characters were made blanks when the row was read."""
    return value.replace("\\", "\\\\") if "\\" in value else value


class HerePreparer:
    """Prepares in this process, when it is asked: for small files."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._part: Part | None = None

    def hand_in(self, part: Part) -> None:
        self._part = part

    def take(self) -> list[Prepared]:
        assert self._part is not None  # noqa: S101 - taken once after it was handed in
        part, self._part = self._part, None
        return prepare(part, self._around)

    def close(self) -> None:
        self._part = None


class HelperPreparer:
    """Prepares in a helper process while this one waits for the database."""

    def __init__(self, around: Surroundings) -> None:
        self._helper = subprocess.Popen(
            [sys.executable, "-m", "shouxin.intake.prepare_helper"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._send(around)

    def _send(self, thing: object) -> None:
        assert self._helper.stdin is not None  # noqa: S101 - asked for as a pipe
        pickle.dump(thing, self._helper.stdin, protocol=5)
        self._helper.stdin.flush()

    def hand_in(self, part: Part) -> None:
        self._send(part)

    def take(self) -> list[Prepared]:
        assert self._helper.stdout is not None  # noqa: S101 - asked for as a pipe
        found: list[Prepared] = pickle.load(self._helper.stdout)  # noqa: S301 - from our own helper
        return found

    def close(self) -> None:
        """The helper ends when nothing more can come."""
        for pipe in (self._helper.stdin, self._helper.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._helper.wait()


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """The helper's life: surroundings first, then parts until the pipe ends."""
    around: Surroundings = pickle.load(source)  # noqa: S301 - from the process that started this one
    while True:
        try:
            part: Part = pickle.load(source)  # noqa: S301 - as above
        except EOFError:
            return
        pickle.dump(prepare(part, around), out, protocol=5)
        out.flush()
