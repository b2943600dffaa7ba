"""Read the register: what is in force on a day, what an article says, how far a version has been studied."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import Q, QuerySet

from shouxin.bank.models import Staff
from shouxin.domain.parameters import InForce
from shouxin.policy import load_book
from shouxin.rulebook.models import Clause, Document, LimitValue, Question, Version


def versions_on(as_of: dt.date) -> QuerySet[Version]:
    """The versions in force on a day, published ones only."""
    return (
        Version.objects.filter(in_force_from__lte=as_of, published_date__isnull=False)
        .filter(Q(in_force_to__isnull=True) | Q(in_force_to__gt=as_of))
        .select_related("document")
    )


def find_version(code: str, *, as_of: dt.date) -> Version | None:
    """The version of a document that judges an act of a day; none before it came into force (CB-02)."""
    return versions_on(as_of).filter(document__code=code).order_by("-number").first()


def clauses_of(requirement: str, *, as_of: dt.date) -> list[Clause]:
    """Where a requirement stands, the highest issuer first."""
    found = (
        Clause.objects.filter(requirement=requirement, version__in=versions_on(as_of))
        .select_related("version__document")
        .all()
    )
    return sorted(found, key=lambda clause: (clause.version.document.rank, clause.pk))


def documents_behind(*requirements: str, as_of: dt.date) -> list[Document]:
    """The documents in force on which requirements stand, each once, the highest issuer first (BR-01, JS-01, HA-01)."""
    found: dict[int, Document] = {}
    for requirement in requirements:
        for clause in clauses_of(requirement, as_of=as_of):
            found.setdefault(clause.version.document_id, clause.version.document)
    return sorted(found.values(), key=lambda document: (document.rank, document.pk))


@dataclass(frozen=True, slots=True)
class RankedValue:
    """One value for a parameter with the document that gives it."""

    value: Decimal
    issuer: str
    rank: int
    citation: str
    is_ruling: bool


def effective_limit(key: str, as_of: dt.date) -> InForce:
    """The parameter with the strictest value in force: the policy's own, or that of a document in the register.

    Only upper limits (``<=``, ``<``) are compared; the answer carries the citation of the document that rules.
    """
    in_force = load_book().at(key, as_of)
    if in_force.parameter.comparison not in {"<=", "<"}:
        return in_force
    return _strictest(in_force, _limit_values(key, as_of))


def stricter_limits(as_of: dt.date) -> dict[str, InForce]:
    """The parameters whose value of a day comes from the register, not from the policy itself; one query."""
    book = load_book()
    by_key: defaultdict[str, list[LimitValue]] = defaultdict(list)
    for row in limit_values_on(as_of):
        by_key[row.parameter].append(row)
    found = {}
    for key, rows in by_key.items():
        if key not in book or not any(value.is_in_force(as_of) for value in book.parameter(key).values):
            continue
        own = book.at(key, as_of)
        ruling = _strictest(own, rows) if own.parameter.comparison in {"<=", "<"} else own
        if ruling is not own:
            found[key] = ruling
    return found


def _strictest(in_force: InForce, rows: list[LimitValue]) -> InForce:
    stricter = [row for row in rows if Decimal(row.value) < in_force.decimal]
    if not stricter:
        return in_force
    row = min(stricter, key=lambda row: (Decimal(row.value), row.version.document.rank))
    value = replace(in_force.value, text=row.value, citation=_citation(row), article="HA-01")
    return InForce(in_force.parameter, value)


def limit_values_on(as_of: dt.date) -> QuerySet[LimitValue]:
    """Every value that a document in force gives to a limit (HA-01)."""
    return LimitValue.objects.filter(version__in=versions_on(as_of)).select_related("version__document")


def ranked_values(key: str, as_of: dt.date) -> list[RankedValue]:
    """Every value for a limit on a day, by rank of issuer, with the one that rules marked."""
    ruling = effective_limit(key, as_of)
    own = load_book().at(key, as_of)
    rows = [
        RankedValue(Decimal(r.value), r.version.document.get_issuer_display(), r.version.document.rank, _citation(r),
                    ruling.citation == _citation(r))
        for r in _limit_values(key, as_of)
    ]  # fmt: skip
    bank = Document.Issuer.BANK
    rows.append(RankedValue(own.decimal, str(bank.label), Document.RANK[bank], own.citation, ruling.value == own.value))
    return sorted(rows, key=lambda row: row.rank)


def _limit_values(key: str, as_of: dt.date) -> list[LimitValue]:
    return list(limit_values_on(as_of).filter(parameter=key))


def _citation(row: LimitValue) -> str:
    return f"《{row.version.document.title}》{row.article}"


@dataclass(frozen=True, slots=True)
class UnitProgress:
    """How far a unit has studied a version: percent, and who has not."""

    unit_name: str
    people: int
    received: int
    studied: int
    open_names: tuple[str, ...]

    @property
    def percent(self) -> Decimal:
        return Decimal(self.studied) * 100 / self.people if self.people else Decimal(0)


def study_progress(version: Version) -> list[UnitProgress]:
    """Completion by unit, the least complete first (CB-03)."""
    by_unit: defaultdict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for receipt in version.receipts.select_related("staff", "unit"):
        by_unit[receipt.unit.name].append(
            (receipt.staff.name, receipt.received_date is not None, receipt.studied_date is not None)
        )
    rows = [
        UnitProgress(
            name, len(people), sum(received for _, received, _ in people), sum(done for *_, done in people),
            tuple(person for person, _, done in people if not done),
        )
        for name, people in by_unit.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.percent, row.unit_name))


def open_questions() -> QuerySet[Question]:
    """Head office's queue, the oldest first."""
    return Question.objects.filter(replied_date__isnull=True).select_related(
        "version__document", "unit", "asked_by"
    ).order_by("id")  # fmt: skip


def to_study(person: Staff) -> QuerySet[Version]:
    """Versions that were sent to somebody and not yet studied."""
    return Version.objects.filter(receipts__staff=person, receipts__studied_date__isnull=True).select_related(
        "document"
    )


def unseen_replies(person: Staff) -> QuerySet[Question]:
    """Replies to one's own questions that one has not opened yet."""
    return Question.objects.filter(
        asked_by=person, replied_date__isnull=False, reply_seen_date__isnull=True
    ).select_related("version__document")
