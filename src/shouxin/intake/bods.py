"""Turn beneficial-ownership statements (BODS 0.2–0.4, JSON or JSON lines) into evidence tables.

What becomes what:

* share of votes, else of shares → holding. A range counts with what is certain: its minimum, and "more than 50" counts
  as 50.000001 %. Interests that are indirect are left out: the engine derives control from the direct ones.
* the right to appoint the board → agreement ``board_majority``, unless the share of seats is known to be half or less;
  rights by contract, by the articles or by law → agreement ``contract``.
* board member, chair, senior manager → post.
* everything else (trusts, nominees, other influence, unnamed parties) is counted and left out: it never links.

A record that changes over time is several statements. Each holds from its own day to the next one's; a closed record
ends on the end date of its interests or the day of the closing statement.
"""

import datetime as dt
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from shouxin.intake.evidence_out import Rows

HALF = Decimal(50)
SMALLEST = Decimal("0.000001")
VOTES = ("votingRights", "voting-rights")
SHARES = ("shareholding",)
BOARD = ("appointmentOfBoard", "appointment-of-board")
BY_RIGHT = (
    "rightsGrantedByContract",
    "rights-granted-by-contract",
    "controlViaCompanyRulesOrArticles",
    "controlByLegalFramework",
)
POSTS = {
    "boardMember": "董事",
    "boardChair": "董事长",
    "seniorManagingOfficial": "高级管理人员",
    "senior-managing-official": "高级管理人员",
}
PUBLIC = ("state", "stateBody", "publicBody")


class BodsError(ValueError):
    """The text is no list of statements; the message says where."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """One version of who has which interests in whom."""

    record: str
    subject: str
    party: str
    interests: tuple[Mapping[str, Any], ...]
    statement_day: str
    is_closed: bool


def read(source: Path) -> list[dict[str, Any]]:
    """The statements of a file, or of all .json and .jsonl files of a folder in the order of their names."""
    files = [source] if source.is_file() else sorted([*source.glob("*.json"), *source.glob("*.jsonl")])
    if not files:
        raise BodsError(f"{source.name}：没有 .json 或 .jsonl 文件")
    return [statement for file in files for statement in _read_file(file)]


def _read_file(file: Path) -> Iterator[dict[str, Any]]:
    text = file.read_text(encoding="utf-8-sig")
    documents = [text] if file.suffix != ".jsonl" else text.splitlines()
    for number, document in enumerate(documents, start=1):
        if not document.strip():
            continue
        try:
            found = json.loads(document, parse_float=Decimal)
        except json.JSONDecodeError as error:
            line = error.lineno if file.suffix != ".jsonl" else number
            raise BodsError(f"{file.name} 第 {line} 行：不是 JSON：{error.msg}") from error
        for statement in found if isinstance(found, list) else [found]:
            if not isinstance(statement, dict) or not ({"recordType", "statementType"} & statement.keys()):
                raise BodsError(f"{file.name} 第 {number} 行：不是受益所有权声明（缺少 recordType 或 statementType）")
            yield statement


def convert(source: Path) -> tuple[dict[str, Rows], Counter[str]]:
    """The rows of each evidence table, and how many interests were left out, by reason."""
    entities: dict[str, tuple[str, ...]] = {}
    versions: defaultdict[str, list[Relationship]] = defaultdict(list)
    superseded: set[str] = set()
    statements = read(source)
    for statement in statements:
        superseded.update(statement.get("replacesStatements") or ())
    for statement in statements:
        kind = _kind(statement)
        if kind == "relationship":
            if statement.get("statementID") not in superseded:
                relationship = _relationship(statement)
                versions[relationship.record].append(relationship)
        else:
            entity = _entity(statement, kind)
            entities[entity[0]] = entity
    left_out: Counter[str] = Counter()
    tables: dict[str, Rows] = {"entities": list(entities.values()), "holdings": [], "agreements": [], "posts": []}
    for record in versions.values():
        for relationship, start, end in _periods(record):
            if relationship.party not in entities or relationship.subject not in entities:
                left_out["unnamed or unknown party"] += 1
            else:
                _interests(relationship, start, end, entities, tables, left_out)
    return {name: list(dict.fromkeys(rows)) for name, rows in tables.items()}, left_out


# --- one statement -------------------------------------------------------------------------------------------------


def _kind(statement: Mapping[str, Any]) -> str:
    name = str(statement.get("recordType") or statement.get("statementType"))
    old = {"entityStatement": "entity", "personStatement": "person", "ownershipOrControlStatement": "relationship"}
    kind = old.get(name, name)
    if kind not in ("entity", "person", "relationship"):
        raise BodsError(f"声明类型“{name}”不在 entity、person、relationship 之中")
    return kind


def _key(statement: Mapping[str, Any]) -> str:
    return str(statement.get("recordId") or statement.get("statementID") or statement.get("statementId"))


def _entity(statement: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    details = statement.get("recordDetails") or statement
    names = details.get("names") or []
    legal = next((name for name in names if name.get("type") in ("legal", "individual")), names[0] if names else {})
    name = str(details.get("name") or legal.get("fullName") or "（未具名）")
    described = details.get("entityType") or ""
    form = str(described.get("type") if isinstance(described, dict) else described)
    nature = "政府" if form in PUBLIC else ""
    died = _day(details.get("deathDate"))
    table_kind = "person" if kind == "person" else "org"
    return (_key(statement), name, table_kind, "", form if kind == "entity" else "", nature, "0", "", "", "", died)


def _relationship(statement: Mapping[str, Any]) -> Relationship:
    details = statement.get("recordDetails") or statement
    return Relationship(
        record=_key(statement),
        subject=_party(details.get("subject")),
        party=_party(details.get("interestedParty")),
        interests=tuple(details.get("interests") or ()),
        statement_day=_day(statement.get("statementDate")),
        is_closed=statement.get("recordStatus") == "closed",
    )


def _party(value: Any) -> str:
    """The id of a subject or interested party: a text, or in older forms an object that describes it."""
    if isinstance(value, dict):
        value = value.get("describedByEntityStatement") or value.get("describedByPersonStatement") or ""
    return str(value or "")


def _day(value: Any) -> str:
    """An ISO day; of a year or a month the first day; nothing when it is none."""
    match = re.match(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", str(value or ""))
    if match is None:
        return ""
    try:
        return dt.date(int(match[1]), int(match[2] or 1), int(match[3] or 1)).isoformat()
    except ValueError:
        return ""


# --- versions ------------------------------------------------------------------------------------------------------


def _periods(record: list[Relationship]) -> Iterator[tuple[Relationship, str, str]]:
    """Each version with the day it begins (empty: with its interests) and the day the next one takes over."""
    ordered = sorted(record, key=lambda version: version.statement_day)
    days = [""]
    for before, version in pairwise(ordered):
        started, earlier = _latest(version, "startDate"), _latest(before, "startDate")
        ended = _latest(version, "endDate") if version.is_closed else ""
        days.append(ended or (started if started > earlier else version.statement_day))
    for place, version in enumerate(ordered):
        end = days[place + 1] if place + 1 < len(ordered) else ""
        if version.is_closed:
            if len(ordered) > 1:
                continue  # what it closes ended on its day
            end = _latest(version, "endDate") or version.statement_day
        yield version, days[place], end


def _latest(version: Relationship, name: str) -> str:
    return max((_day(interest.get(name)) for interest in version.interests), default="")


# --- interests -----------------------------------------------------------------------------------------------------


def _interests(
    relationship: Relationship,
    start: str,
    end: str,
    entities: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, Rows],
    left_out: Counter[str],
) -> None:
    held: defaultdict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    if not relationship.interests:
        left_out["without any interest"] += 1
    for interest in relationship.interests:
        kind = str(interest.get("type") or "unknown")
        first, last = max(start, _day(interest.get("startDate"))), _earlier(end, _day(interest.get("endDate")))
        if first and last and last <= first:
            continue  # wholly replaced by a later version
        share = _certain_share(interest.get("share") or {})
        pair = (relationship.party, relationship.subject)
        if (interest.get("directOrIndirect") or interest.get("interestLevel")) == "indirect":
            left_out["indirect"] += 1
        elif kind in VOTES + SHARES and share is not None and entities[relationship.subject][2] == "org":
            held[first, last]["votes" if kind in VOTES else "shares"] = share
        elif kind in BOARD and (share is None or share > HALF):
            tables["agreements"].append((*pair, "board_majority", first, last))
        elif kind in BY_RIGHT:
            tables["agreements"].append((*pair, "contract", first, last))
        elif kind in POSTS and entities[relationship.party][2] == "person":
            tables["posts"].append((*pair, POSTS[kind], first, last))
        else:
            left_out[kind] += 1
    for (first, last), shares in held.items():
        votes = shares.get("votes", shares.get("shares", Decimal(0)))
        cash = f"{shares['shares']:f}" if "shares" in shares else ""
        row = (relationship.party, relationship.subject, f"{votes:f}", "", cash, first, last, "BODS")
        tables["holdings"].append(row)


def _earlier(*days: str) -> str:
    return min((day for day in days if day), default="")


def _certain_share(share: Mapping[str, Any]) -> Decimal | None:
    """What is surely held, with at most six decimals; None when nothing is said."""
    exact, least, above = share.get("exact"), share.get("minimum"), share.get("exclusiveMinimum")
    if exact is not None:
        surely = Decimal(str(exact))
    elif above is not None and not isinstance(above, bool):
        surely = Decimal(str(above)) + SMALLEST
    elif least is not None:  # older forms say with true or false whether the minimum itself is outside
        surely = Decimal(str(least)) + (SMALLEST if above is True else 0)
    else:
        return None
    return min(surely.quantize(SMALLEST, ROUND_DOWN), Decimal(100))
