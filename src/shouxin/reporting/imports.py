"""Evidence, deals and capital from a list file: checked against the bank, then written set by set.

A blank cell never overwrites what is known. Every writer says what each line did, so that it can be undone.
"""

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone

from shouxin.bank.models import CapitalFigure, ExchangeRate, OrgUnit, Staff
from shouxin.bank.selectors import FigureMissingError
from shouxin.domain.dates import add_months
from shouxin.facilities.models import Deal, Facility
from shouxin.facilities.services import open_facility, take_over_deal
from shouxin.groups import models as groups
from shouxin.intake.customer_rows import CellFinding
from shouxin.intake.evidence_files import (
    MICRO,
    DealRow,
    EvidenceError,
    RawTable,
    RowError,
    parent_circles,
    read_table,
)
from shouxin.limits.services import LedgerError
from shouxin.parties.models import Customer, Ownership, Party
from shouxin.parties.search_index import index_customers, index_customers_of_parties
from shouxin.parties.selectors import parties_by_source_id
from shouxin.parties.services import search_keys
from shouxin.policy import load_book
from shouxin.policy.products import UnknownProductError, resolve_product
from shouxin.reporting.import_kinds import Cells, Context, Effect, Found, PartRows, Ready, snapshot
from shouxin.reporting.import_shares import shares_above_the_whole

BATCH = 5_000
Lines = list[tuple[int, Any]]


class TableImport:
    """An import of one of these tables: its rows refer to each other, so it comes in whole, in one transaction."""

    is_in_parts = False

    def __init__(self, context: Context, table: str) -> None:
        self._context = context
        self._table = table
        names = {place: column for column, place in context.places.items()}
        self._header = tuple(names.get(place, f"#{place}") for place in range(context.width))

    def _read(self, rows: Cells) -> tuple[Lines, list[RowError]]:
        raw = RawTable(self._table, self._header, [(line, list(cells)) for line, cells in rows], "")
        typed, errors = read_table(self._table, raw)
        return typed, [*errors, *_reference_errors(self._table, typed, self._table)]

    def check_rows(self, rows: Cells) -> Iterator[Found]:
        """What each row would do: it is written, looked at and taken back."""
        typed, errors = self._read(rows)
        wrong: defaultdict[int, list[CellFinding]] = defaultdict(list)
        for error in errors:
            wrong[error.line].append(CellFinding(error.column, error.reason))
        good = [(line, row) for line, row in typed if line not in wrong]
        done: dict[int, Effect] = {}
        try:
            with transaction.atomic():
                done = {e.line: e for e in self._write(good)}
                transaction.set_rollback(True)
        except EvidenceError as error:
            for found in error.errors:
                wrong[found.line].append(CellFinding(found.column, found.reason))
        for line, _ in rows:
            if line in wrong:
                yield Found(line, "error", wrong[line])
            elif line not in done:
                yield Found(line, "duplicate", (CellFinding("", "与库中已有的相同，不再导入"),))
            else:
                yield Found(line, "new" if done[line].is_new else "update")

    def made_ready(self, parts: Iterator[PartRows], *, has_many: bool) -> Generator[tuple[PartRows, Ready]]:  # noqa: ARG002
        for part in parts:
            yield part, Ready([(line, cells) for line, cells, state in part if state != "error"], timezone.now())

    def write(self, ready: Ready) -> tuple[Sequence[Effect], Sequence[Found]]:
        typed, errors = self._read(ready.rows)
        wrong: defaultdict[int, list[CellFinding]] = defaultdict(list)
        for error in errors:
            wrong[error.line].append(CellFinding(error.column, error.reason))
        effects = self._write([(line, row) for line, row in typed if line not in wrong])
        return effects, [Found(line, "error", found) for line, found in wrong.items()]

    def _write(self, rows: Lines) -> list[Effect]:
        return _WRITERS[self._table](rows, self._context.actor, self._context.day)


# --- references ----------------------------------------------------------------------------------------------------

_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "holdings": ("holder", "company"),
    "agreements": ("controller", "company"),
    "concert": ("member",),
    "kin": ("a", "b"),
    "posts": ("person", "company"),
    "dependence": ("dependent", "on"),
    "guarantees": ("guarantor", "debtor"),
}


def _known(table: str, rows: Lines) -> dict[str, Party]:
    ids = {getattr(row, column) for _line, row in rows for column in _REFERENCES.get(table, ())}
    return parties_by_source_id(ids)


def _reference_errors(table: str, rows: Lines, file: str) -> Iterable[RowError]:
    if table == "entities":
        seen: set[str] = set()
        for line, entity in rows:
            if entity.id in seen:
                yield RowError(file, line, "id", f"编号 {entity.id} 重复")
            seen.add(entity.id)
        yield from _taken_codes(rows, file)
    if table == "deals":
        yield from _deal_errors(rows, file)
    known = _known(table, rows)
    for line, row in rows:
        for column in _REFERENCES.get(table, ()):
            if getattr(row, column) not in known:
                reason = f"编号 {getattr(row, column)} 不在库中，请先导入 entities"
                yield RowError(file, line, column, reason)
    if table == "kin":
        yield from parent_circles(rows, file)
    if table == "holdings":
        yield from shares_above_the_whole(rows, file)


def _taken_codes(rows: Lines, file: str) -> Iterable[RowError]:
    """A credit code belongs to one entity, in the file and in the bank."""
    codes = [entity.uscc for _line, entity in rows if entity.uscc]
    owners = dict(Party.objects.filter(uscc__in=codes).values_list("uscc", "source_id"))
    seen: dict[str, str] = {}
    for line, entity in rows:
        if not entity.uscc:
            continue
        owner = owners.get(entity.uscc, entity.id)
        if seen.setdefault(entity.uscc, entity.id) != entity.id or owner != entity.id:
            yield RowError(file, line, "uscc", f"统一社会信用代码 {entity.uscc} 已属于另一主体")


def _deal_errors(rows: Lines, file: str) -> Iterable[RowError]:
    customers, branches = _customers_by_any_id(rows), _branches_by_any_name()
    currencies = set(ExchangeRate.objects.values_list("currency", flat=True)) | {"CNY"}
    for line, row in rows:
        if row.customer not in customers:
            yield RowError(file, line, "customer", f"没有编号或客户号为 {row.customer} 的客户")
        if row.branch not in branches:
            yield RowError(file, line, "branch", f"没有机构号或名称为 {row.branch} 的机构")
        if row.currency not in currencies:
            yield RowError(file, line, "currency", f"没有 {row.currency} 的汇率，请先录入汇率")
        try:
            resolve_product(row.product)
        except UnknownProductError as error:
            yield RowError(file, line, "product", str(error))


def _customers_by_any_id(rows: Lines) -> dict[str, Customer]:
    ids = {row.customer for _line, row in rows}
    found = Customer.objects.filter(Q(number__in=ids) | Q(party__source_id__in=ids)).select_related("party", "unit")
    return {key: customer for customer in found for key in (customer.number, customer.party.source_id or "")}


def _branches_by_any_name() -> dict[str, OrgUnit]:
    return {key: unit for unit in OrgUnit.objects.all() for key in (unit.code, unit.name)}


# --- writers -------------------------------------------------------------------------------------------------------


_ENTITY_FIELDS = ("name", "uscc", "legal_form", "nature", "industry", "country", "total_votes", "sex", "death_date")


def _entities(rows: Lines, actor: Staff | None, business_date: dt.date) -> list[Effect]:
    """Parties by the caller's id. Customers of the file stay parties until they are put on somebody's list."""
    existing = parties_by_source_id({entity.id for _line, entity in rows})
    new: list[tuple[int, Party]] = []
    changed: list[tuple[int, Party, dict[str, Any]]] = []
    for line, entity in rows:
        values = {
            "name": entity.name,
            "uscc": entity.uscc or None,
            "legal_form": entity.legal_form,
            "nature": entity.nature,
            "industry": entity.industry[:80],
            "country": entity.country,
            "total_votes": entity.total_votes,
            "sex": entity.sex,
            "death_date": entity.died_date,
        }
        party = existing.get(entity.id)
        if party is None:
            new.append((line, Party(kind=entity.kind.value, source_id=entity.id, **values, **search_keys(entity.name))))
            continue
        before = snapshot(party, _ENTITY_FIELDS)
        if _differs(party, values):
            for name, value in search_keys(party.name).items():
                setattr(party, name, value)
            changed.append((line, party, before))
    Party.objects.bulk_create([party for _, party in new], batch_size=BATCH)
    Party.objects.bulk_update(
        [party for _, party, _ in changed], [*_ENTITY_FIELDS, "pinyin", "pinyin_initials"], batch_size=BATCH
    )
    index_customers_of_parties(party.pk for _, party, _ in changed)
    effects = {line: _made(line, party, _ENTITY_FIELDS) for line, party in new}
    effects |= {line: _changed(line, party, before) for line, party, before in changed}
    listed = _put_on_list([entity.id for _line, entity in rows if entity.is_customer], actor, business_date)
    for line, entity in rows:
        if entity.id in listed:
            party_id, customer = listed[entity.id]
            same = Effect(line, False, party_id, {"before": {}, "after": {}})
            effect = effects.get(line, same)
            effects[line] = effect._replace(before={**(effect.before or {}), "customer": customer})
    return [effects[line] for line in sorted(effects)]


def _made(line: int, made: Model, fields: Iterable[str]) -> Effect:
    return Effect(line, True, made.pk, {"after": snapshot(made, fields)})


def _changed(line: int, row: Model, before: dict[str, Any]) -> Effect:
    return Effect(line, False, row.pk, {"before": before, "after": snapshot(row, before)})


def _put_on_list(
    source_ids: list[str], actor: Staff | None, business_date: dt.date
) -> dict[str, tuple[int, list[Any]]]:
    """Entities that have credit here become customers of the actor's unit, looked after by the actor.

    Gives by source id the party and [customer, moment of its making], by which an undo sees who worked on it since.
    """
    if actor is None or not source_ids:
        return {}
    parties = Party.objects.filter(source_id__in=source_ids, customer__isnull=True, kind=Party.Kind.ORGANISATION)
    customers = [
        Customer(party=party, number=f"KH{party.pk:08d}", unit=actor.unit, stage=Customer.Stage.CUSTOMER)
        for party in parties
    ]
    Customer.objects.bulk_create(customers, batch_size=BATCH)
    Ownership.objects.bulk_create(
        [
            Ownership(customer=customer, staff=actor, valid_from=business_date, origin=Ownership.Origin.IMPORTED)
            for customer in customers
        ],
        batch_size=BATCH,
    )
    index_customers(customer.pk for customer in customers)
    return {str(c.party.source_id): (c.party_id, [c.pk, c.updated_at.isoformat()]) for c in customers}


def _differs(target: Any, values: Mapping[str, Any]) -> bool:
    """Set what is new; a blank never overwrites. True when anything changed."""
    changed = False
    for name, value in values.items():
        if value not in (None, "") and getattr(target, name) != value:
            setattr(target, name, value)
            changed = True
    return changed


def _evidence_writer(
    table: str, model: Any, key: tuple[str, ...], values_of: Callable[[Any, Mapping[str, Party]], dict[str, Any]]
) -> Callable[[Lines, Staff | None, dt.date], list[Effect]]:
    """Rows are the same by their key columns; the rest is updated."""
    fields = evidence_fields(model)

    def write(rows: Lines, actor: Staff | None, business_date: dt.date) -> list[Effect]:  # noqa: ARG001
        known = _known(table, rows)
        parties = [party.pk for party in known.values()]
        stored: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in model.objects.filter(**{f"{key[0]}__in": parties}).order_by("pk"):
            stored[tuple(getattr(row, name) for name in key)].append(row)
        new: list[tuple[int, Any]] = []
        changed: list[tuple[int, Any, dict[str, Any]]] = []
        for line, row in rows:
            values = values_of(row, known) | {"valid_from": row.valid_from, "valid_to": row.valid_to}
            # The same holder may stand twice at one company (two accounts): the n-th row meets the n-th stored one.
            alike = stored[tuple(values[name] for name in key)]
            if not alike:
                new.append((line, model(**values)))
                continue
            found = alike.pop(0)
            before = snapshot(found, fields)
            if _differs(found, values):
                changed.append((line, found, before))
        model.objects.bulk_create([made for _, made in new], batch_size=BATCH)
        if changed:
            model.objects.bulk_update([row for _, row, _ in changed], fields, batch_size=BATCH)
        effects = [_made(line, made, fields) for line, made in new]
        return effects + [_changed(line, row, before) for line, row, before in changed]

    return write


def evidence_fields(model: Any) -> list[str]:
    return [f.name for f in model._meta.concrete_fields if f.name not in {"id", "recorded_at"}]


CAPITAL_FIELDS = ("amount_fen", "source", "entered_by", "approved_by")


def _capital(rows: Lines, actor: Staff | None, business_date: dt.date) -> list[Effect]:  # noqa: ARG001
    effects = []
    for line, row in rows:
        figure = CapitalFigure.objects.filter(kind=row.kind, date=row.date).first()
        if figure is None:
            figure = CapitalFigure.objects.create(
                kind=row.kind, date=row.date, amount_fen=row.amount_fen, source=row.source or "导入", entered_by=actor
            )
            effects.append(_made(line, figure, CAPITAL_FIELDS))
            continue
        before = snapshot(figure, CAPITAL_FIELDS)
        if _differs(figure, {"amount_fen": row.amount_fen, "source": row.source}):
            figure.entered_by, figure.approved_by = actor, None
            figure.save()
            effects.append(_changed(line, figure, before))
    return effects


def _deals(rows: Lines, actor: Staff | None, business_date: dt.date) -> list[Effect]:
    """Deals that exist elsewhere, each under a contract of its customer, product, branch and currency, in the ledger.

    A deal is known by its number; without one, by its place among equal rows, so that a file may be read again.
    """
    customers, branches = _customers_by_any_id(rows), _branches_by_any_name()
    known = set(Deal.objects.values_list("number", flat=True))
    alike: Counter[object] = Counter()
    effects = []
    for line, row in rows:
        alike[row] += 1
        digest = hashlib.sha256(f"{row!r}{alike[row]}".encode()).hexdigest()[:16]
        number = row.number or f"DR-{digest}"
        if number in known:
            continue
        facility = _facility_for(row, customers[row.customer], branches[row.branch], actor, business_date)
        try:
            deal = take_over_deal(
                facility=facility,
                number=number,
                product=row.product,
                amount_fen=row.amount_fen,
                margin_fen=row.margin_fen,
                own_cd_fen=row.own_cd_fen,
                treasury_fen=row.treasury_fen,
                is_drawn=row.is_drawn,
                start_date=row.date,
                maturity_date=row.maturity,
            )
        except (LedgerError, FigureMissingError) as error:
            raise EvidenceError([RowError("deals", line, "amount", str(error))]) from error
        effects.append(Effect(line, True, deal.pk))
    return effects


def _facility_for(
    row: DealRow, customer: Customer, branch: OrgUnit, actor: Staff | None, business_date: dt.date
) -> Facility:
    """The contract that holds a taken-over deal: one that runs on its day, or a new one until its maturity."""
    product = resolve_product(row.product).code
    running = Facility.objects.filter(
        customer=customer, branch=branch, product=product, currency=row.currency,
        start_date__lte=row.date, end_date__gt=row.date,
    ).first()  # fmt: skip
    if running is not None:
        return running
    end = max(row.maturity or row.date, add_months(business_date, load_book().whole("line.term_months", business_date)))
    place = Facility.objects.filter(customer=customer).count() + 1
    return open_facility(
        actor=actor,
        customer=customer,
        branch=branch,
        product=product,
        number=f"YZ-{customer.number}-{place:03d}",
        start_date=row.date,
        end_date=end,
        business_date=business_date,
        currency=row.currency,
    )


_WRITERS: Mapping[str, Callable[[Lines, Staff | None, dt.date], list[Effect]]] = {
    "entities": _entities,
    "holdings": _evidence_writer(
        "holdings", groups.Holding, ("company_id", "holder_id", "valid_from"),
        lambda row, known: {
            "holder_id": known[row.holder].pk, "company_id": known[row.company].pk, "votes": row.votes,
            "is_percent": row.is_percent, "cash_micro_percent": row.cash_micro_percent, "source": row.source,
        },
    ),
    "agreements": _evidence_writer(
        "agreements", groups.Agreement, ("company_id", "controller_id", "kind", "valid_from"),
        lambda row, known: {
            "controller_id": known[row.controller].pk, "company_id": known[row.company].pk, "kind": row.kind,
        },
    ),
    "concert": _evidence_writer(
        "concert", groups.ConcertMember, ("member_id", "concert_set", "valid_from"),
        lambda row, known: {"concert_set": row.set_id, "member_id": known[row.member].pk},
    ),
    "kin": _evidence_writer(
        "kin", groups.KinLink, ("a_id", "b_id", "relation", "valid_from"),
        lambda row, known: {
            "a_id": known[row.a].pk, "b_id": known[row.b].pk, "relation": row.relation, "kind": row.kind,
        },
    ),
    "posts": _evidence_writer(
        "posts", groups.Post, ("company_id", "person_id", "post", "valid_from"),
        lambda row, known: {
            "person_id": known[row.person].pk, "company_id": known[row.company].pk, "post": row.post,
        },
    ),
    "dependence": _evidence_writer(
        "dependence", groups.Dependence, ("dependent_id", "depended_on_id", "kind", "valid_from"),
        lambda row, known: {
            "dependent_id": known[row.dependent].pk, "depended_on_id": known[row.on].pk, "kind": row.kind,
            "ratio_percent": Decimal(row.ratio_micro_percent) / MICRO,
        },
    ),
    "guarantees": _evidence_writer(
        "guarantees", groups.Guarantee, ("guarantor_id", "debtor_id", "amount_fen", "valid_from"),
        lambda row, known: {
            "guarantor_id": known[row.guarantor].pk, "debtor_id": known[row.debtor].pk, "amount_fen": row.amount_fen,
        },
    ),
    "deals": _deals,
    "capital": _capital,
}  # fmt: skip
