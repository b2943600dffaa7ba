"""Who holds, governs, marries, guards and depends on whom: dated facts as frozen values, and the register of one day.

Votes are whole numbers: shares, or percent × 10⁶ where a source only gives percent. Ids are the caller's own texts.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

_Fact = TypeVar("_Fact", bound="Dated")

MICRO_PERCENT_WHOLE = 100_000_000
"""100 % as percent × 10⁶."""


class EntityKind(StrEnum):
    ORGANISATION = "org"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Entity:
    """An organisation or a person. ``customer``: has credit here, so may be a member (UC-08)."""

    id: str
    name: str
    kind: EntityKind
    is_customer: bool = False
    uscc: str = ""
    legal_form: str = ""
    nature: str = ""
    industry: str = ""
    country: str = "CN"
    total_votes: int | None = None
    sex: str = ""
    died_date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Dated:
    """In force from a day (included) to a day (excluded); None is open."""

    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def is_in_force(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding(Dated):
    """A stake of ``votes`` shares, or of ``votes`` micro-percent when ``is_percent``."""

    holder: str
    company: str
    votes: int
    is_percent: bool = True
    cash_micro_percent: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Dated):
    """Control without the votes (UC-09): board majority, voting agreement, contract, actual controller."""

    controller: str
    company: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcertMember(Dated):
    """One party of a set acting in concert 一致行动."""

    set_id: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KinLink(Dated):
    """``parent``: a is a parent of b; ``spouse``: a and b are married."""

    a: str
    b: str
    relation: str
    kind: str = "blood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post(Dated):
    person: str
    company: str
    post: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence(Dated):
    """``dependent`` takes ``ratio_micro_percent`` of its yearly income (or purchases …) from ``on`` (D12)."""

    dependent: str
    on: str
    ratio_micro_percent: int
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee(Dated):
    guarantor: str
    debtor: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known, of all days."""

    entities: Mapping[str, Entity]
    holdings: tuple[Holding, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    concert: tuple[ConcertMember, ...] = ()
    kin: tuple[KinLink, ...] = ()
    posts: tuple[Post, ...] = ()
    dependence: tuple[Dependence, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()

    def on(self, day: dt.date) -> "Register":
        """The facts in force on a day, indexed for reading."""
        return Register.of(self, day)


@dataclass(frozen=True, slots=True)
class Register:
    """The facts of one day with the look-ups that the rules need. Votes of one company are in one unit.

    ``votes_of[company][holder]`` are summed votes, own shares left out (D3); ``total[company]`` is the larger of the
    declared total and what is known to be held (D2), so that an undisclosed rest controls nothing.
    """

    day: dt.date
    entities: Mapping[str, Entity]
    votes_of: Mapping[str, Mapping[str, int]]
    stakes_of: Mapping[str, tuple[tuple[str, int], ...]]
    total: Mapping[str, int]
    known: Mapping[str, int]
    agreements_of: Mapping[str, tuple[tuple[str, str], ...]]
    concert_sets: Mapping[str, frozenset[str]]
    kin: tuple[KinLink, ...]
    posts: tuple[Post, ...]
    dependence: tuple[Dependence, ...]
    guarantees: tuple[Guarantee, ...]
    over_total: Mapping[str, int] = field(default_factory=dict)
    """Companies of which more is known to be held than was declared, with what was declared."""

    @classmethod
    def of(cls, evidence: Evidence, day: dt.date) -> "Register":
        votes_of, total, known, over = _votes(evidence, day)
        stakes: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for company in sorted(votes_of):
            for holder, votes in votes_of[company].items():
                stakes[holder].append((company, votes))
        agreements: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for agreement in _in_force(evidence.agreements, day):
            agreements[agreement.controller].append((agreement.company, agreement.kind))
        concert: defaultdict[str, set[str]] = defaultdict(set)
        for member in _in_force(evidence.concert, day):
            concert[member.set_id].add(member.member)
        return cls(
            day=day,
            entities=evidence.entities,
            votes_of=votes_of,
            stakes_of={holder: tuple(rows) for holder, rows in stakes.items()},
            total=total,
            known=known,
            agreements_of={holder: tuple(sorted(rows)) for holder, rows in agreements.items()},
            concert_sets={name: frozenset(members) for name, members in sorted(concert.items())},
            kin=tuple(_in_force(evidence.kin, day)),
            posts=tuple(_in_force(evidence.posts, day)),
            dependence=tuple(_in_force(evidence.dependence, day)),
            guarantees=tuple(_in_force(evidence.guarantees, day)),
            over_total=over,
        )

    def name(self, entity_id: str) -> str:
        entity = self.entities.get(entity_id)
        return entity.name if entity else entity_id

    def is_person(self, entity_id: str) -> bool:
        entity = self.entities.get(entity_id)
        return entity is not None and entity.kind is EntityKind.PERSON

    def is_dead(self, entity_id: str) -> bool:
        entity = self.entities.get(entity_id)
        return entity is not None and entity.died_date is not None and entity.died_date <= self.day

    def is_customer(self, entity_id: str) -> bool:
        entity = self.entities.get(entity_id)
        return entity is not None and entity.is_customer and entity.kind is EntityKind.ORGANISATION


def _in_force(facts: Iterable[_Fact], day: dt.date) -> Iterable[_Fact]:
    return (fact for fact in facts if fact.is_in_force(day))


def _votes(
    evidence: Evidence, day: dt.date
) -> tuple[dict[str, dict[str, int]], dict[str, int], dict[str, int], dict[str, int]]:
    """Votes per company and holder in one unit, totals by D2, what is known, and what companies above it declared."""
    rows: defaultdict[str, list[Holding]] = defaultdict(list)
    for holding in _in_force(evidence.holdings, day):
        rows[holding.company].append(holding)
    votes_of: dict[str, dict[str, int]] = {}
    total: dict[str, int] = {}
    known: dict[str, int] = {}
    over: dict[str, int] = {}
    for company, holdings in rows.items():
        entity = evidence.entities.get(company)
        declared, share_factor, percent_factor = _units(holdings, entity.total_votes if entity else None)
        votes: defaultdict[str, int] = defaultdict(int)
        held = 0
        for holding in holdings:
            amount = holding.votes * (percent_factor if holding.is_percent else share_factor)
            held += amount
            if holding.holder != company:
                votes[holding.holder] += amount
        votes_of[company] = dict(sorted(votes.items()))
        total[company] = max(declared, held)
        known[company] = held
        if declared and held > declared:
            over[company] = declared
    return votes_of, total, known, dict(sorted(over.items()))


def _units(holdings: list[Holding], declared: int | None) -> tuple[int, int, int]:
    """(declared total, factor of a share, factor of a micro-percent) in one whole-number unit for a company."""
    has_percent = any(holding.is_percent for holding in holdings)
    has_shares = any(not holding.is_percent for holding in holdings)
    if not has_percent:
        return declared or 0, 1, 0
    if not has_shares:
        return MICRO_PERCENT_WHOLE, 0, 1
    whole = declared or sum(holding.votes for holding in holdings if not holding.is_percent)
    return whole * MICRO_PERCENT_WHOLE, MICRO_PERCENT_WHOLE, whole
