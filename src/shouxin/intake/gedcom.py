"""Turn a family tree in GEDCOM 5.5 into evidence tables: persons, parents, marriages.

A family record gives ``parent`` for each of husband and wife with each child — adoptive or step where the child's
record says so (PEDI) or the family names the tie to one parent (_FREL, _MREL) — and one ``spouse`` for the pair.

Dates in genealogies are often half known. A marriage holds from the first day that it can have begun to the last that
it can have lasted, so that in doubt a link is in force and a person looks at it. Who died on an unknown day has been
dead always. A divorce without a date leaves the marriage out. holdings.csv is written empty, for the user to fill.
"""

import calendar
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shouxin.intake.evidence_out import Rows

LINE = re.compile(r"\s*(\d{1,2}) +(?:(@[^@]+@) +)?([A-Za-z0-9_]+)(?: (.*))?")
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DATE = re.compile(r"(?:(\d{1,2}) )?(?:([A-Z]{3}) )?(\d{3,4})(?:/\d{1,2})?")
ALWAYS_DEAD = "0001-01-01"
_TIES = {"adopted": "adoptive", "step": "step", "foster": "step"}


class GedcomError(ValueError):
    """The text is no GEDCOM; the message says where."""


@dataclass(slots=True)
class Record:
    """One line with the lines below it."""

    tag: str
    value: str = ""
    id: str = ""
    below: list["Record"] = field(default_factory=list)

    def all(self, tag: str) -> Iterator["Record"]:
        return (record for record in self.below if record.tag == tag)

    def first(self, tag: str) -> "Record | None":
        return next(self.all(tag), None)

    def text(self, tag: str) -> str:
        found = self.first(tag)
        return found.value.strip() if found else ""


def read(file: Path) -> list[Record]:
    """The records of level 0. Raises GedcomError when a line has no level and tag."""
    top: list[Record] = []
    open_records: list[Record] = []
    for number, line in enumerate(_decode(file.read_bytes()).splitlines(), start=1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line.rstrip())
        level = int(match[1]) if match else -1
        if match is None or level > len(open_records):
            raise GedcomError(f"{file.name} 第 {number} 行：不是 GEDCOM 的“层次 标签 值”")
        record = Record(match[3].upper(), match[4] or "", match[2] or "")
        (open_records[level - 1].below if level else top).append(record)
        del open_records[level:]
        open_records.append(record)
    if not top or top[0].tag != "HEAD":
        raise GedcomError(f"{file.name} 第 1 行：GEDCOM 文件须以 0 HEAD 开头")
    return top


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def day_range(text: str) -> tuple[dt.date | None, dt.date | None]:
    """The first and the last day that a date phrase can mean; None where it is open or unreadable."""
    words = re.sub(r"@#DGREGORIAN@|\(.*?\)", "", text.upper()).strip()
    if "B.C." in words or words.startswith("@#"):
        return None, None
    for between in (r"BET (.+) AND (.+)", r"FROM (.+) TO (.+)"):
        if match := re.fullmatch(between, words):
            return _days(match[1])[0], _days(match[2])[1]
    qualifier, _, rest = words.partition(" ")
    if qualifier in ("BEF", "TO"):
        return None, _days(rest)[1]
    if qualifier in ("AFT", "FROM"):
        return _days(rest)[0], None
    return _days(rest if qualifier.rstrip(".") in ("ABT", "EST", "CAL", "INT", "ABOUT", "CIRCA") else words)


def _days(text: str) -> tuple[dt.date | None, dt.date | None]:
    match = DATE.fullmatch(text.strip())
    if match is None or (match[2] and match[2] not in MONTHS) or int(match[3]) == 0:
        return None, None
    year, month = int(match[3]), MONTHS.get(match[2] or "", 0)
    if not month:
        return dt.date(year, 1, 1), dt.date(year, 12, 31)
    last = calendar.monthrange(year, month)[1]
    if match[1]:
        day = min(max(int(match[1]), 1), last)  # 30 February stands in some files: the month is right
        return dt.date(year, month, day), dt.date(year, month, day)
    return dt.date(year, month, 1), dt.date(year, month, last)


def convert(file: Path) -> tuple[dict[str, Rows], Counter[str]]:
    """The rows of each evidence table, and how many links were left out, by reason."""
    records = read(file)
    people = {record.id: record for record in records if record.tag == "INDI"}
    left_out: Counter[str] = Counter()
    entities = [_entity(person) for person in people.values()]
    kin: dict[tuple[str, ...], None] = {}
    for family in (record for record in records if record.tag == "FAM"):
        for link in _links(family, people, left_out):
            kin[link] = None
    return {"entities": entities, "holdings": [], "kin": list(kin)}, left_out


def _name_of(person: Record) -> str:
    return re.sub(r"\s+", " ", person.text("NAME").replace("/", " ")).strip() or _id(person.id)


def _id(pointer: str) -> str:
    return pointer.strip("@")


def _entity(person: Record) -> tuple[str, ...]:
    sex = person.text("SEX")[:1].upper()
    died = ""
    death = person.first("DEAT")
    if death is not None and death.value.strip().upper() != "N":
        last = day_range(death.text("DATE"))[1]
        died = last.isoformat() if last else ALWAYS_DEAD
    elif person.first("BURI") is not None:
        died = ALWAYS_DEAD
    return (_id(person.id), _name_of(person), "person", "", "", "", "0", "", "", sex if sex in ("M", "F") else "", died)


def _links(family: Record, people: dict[str, Record], left_out: Counter[str]) -> Iterator[tuple[str, ...]]:
    parents = [(tag, record.value.strip()) for tag in ("HUSB", "WIFE") for record in family.all(tag)]
    known = [(tag, parent) for tag, parent in parents if parent in people]
    left_out["person without a record"] += len(parents) - len(known)
    for child in family.all("CHIL"):
        if child.value.strip() not in people:
            left_out["person without a record"] += 1
            continue
        for tag, parent in known:
            kind = _tie(family.id, child, people[child.value.strip()], "_FREL" if tag == "HUSB" else "_MREL")
            yield (_id(parent), _id(child.value.strip()), "parent", kind, "", "")
    if len(known) == 2 and known[0][1] != known[1][1]:
        period = _marriage(family)
        if period is None:
            left_out["divorce without a date"] += 1
        else:
            yield (_id(known[0][1]), _id(known[1][1]), "spouse", "", *period)


def _tie(family: str, child: Record, person: Record, relation_tag: str) -> str:
    said = child.text(relation_tag).lower()
    if not said:
        said = next((r.text("PEDI").lower() for r in person.all("FAMC") if r.value.strip() == family), "")
    return _TIES.get(said, "blood")


def _marriage(family: Record) -> tuple[str, str] | None:
    """The days of a marriage as texts; None when it ended on a day that nobody wrote down."""
    marriage, ends = family.first("MARR"), [*family.all("DIV"), *family.all("ANUL")]
    ends = [end for end in ends if end.value.strip().upper() != "N"]
    start = day_range(marriage.text("DATE"))[0] if marriage else None
    if not ends:
        return (start.isoformat() if start else "", "")
    last = max((day for end in ends if (day := day_range(end.text("DATE"))[1])), default=None)
    if last is None:
        return None
    return (start.isoformat() if start and start < last else "", last.isoformat())
