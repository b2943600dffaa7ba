"""Customers of a list file into the bank, thousands of rows by one statement, with the same checks as by hand.

A row is known by its customer number, credit code or identity number, an organisation also by its very name, a person
without a number by name and telephone together. What is blank never overwrites.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from shouxin.bank.models import Staff
from shouxin.bank.scope import Reach
from shouxin.intake.customer_lines import (
    TARGETS,
    HelperPreparer,
    HerePreparer,
    Part,
    Prepared,
    Preparer,
    Surroundings,
    contact_points,
    lines_of,
)
from shouxin.intake.customer_rows import CellFinding, ListRow, ReadRow, rows_reader
from shouxin.parties.models import ContactPoint, Customer, CustomerClass, FormerName, Party
from shouxin.parties.search_index import index_customers
from shouxin.parties.selectors import visible_customers
from shouxin.parties.services import search_keys
from shouxin.reporting.import_kinds import Cells, Context, Effect, Found, PartRows, Ready


class Checked(NamedTuple):
    """One row after the check: what it is, whom it meets, and everything that is wrong with it."""

    line: int
    row: ListRow
    state: str
    target_id: int | None = None
    findings: Sequence[CellFinding] = ()
    ready: Prepared | None = None


class CustomerImport:
    """One import at work: whom it acts for, and what it has met in this file so far."""

    is_in_parts = True

    def __init__(self, context: Context) -> None:
        self.actor, self.scope, self.business_date = context.actor, context.scope, context.day
        people = Staff.objects.filter(is_active=True)
        self._staff = {name: (pk, unit) for name, pk, unit in people.values_list("username", "pk", "unit")}
        self._classes: dict[str, CustomerClass] = {}
        for chosen in CustomerClass.objects.filter(scheme__is_main=True):
            self._classes[chosen.name] = self._classes[chosen.code] = chosen
        self._seen: dict[int, int] = {}
        self._read = rows_reader(context.places, context.width)
        classes = {name: (chosen.pk, chosen.scheme_id) for name, chosen in self._classes.items()}
        default = (self.actor.pk, self.actor.unit_id) if self.actor else None
        self._around = Surroundings(context.places, context.width, context.day, self._staff, classes, default)

    # --- check ---------------------------------------------------------------------------------------------------

    def check_rows(self, rows: Cells) -> Iterator[Found]:
        """What each row of a part of the file is."""
        for c in self.check(self._read(rows)):
            yield Found(c.line, c.state, c.findings, c.target_id)

    def check(self, rows: Sequence[ReadRow] | Sequence[Prepared]) -> list[Checked]:
        """What each row of a part of the file is; a fixed number of queries for the part."""
        known = _Known.of([read[1] for read in rows if not read[2]])
        return self._out_of_scope([self._check_one(read, known) for read in rows])

    def _check_one(self, read: ReadRow | Prepared, known: "_Known") -> Checked:
        line, row, wrong = read[0], read[1], read[2]
        if (row.owner and row.owner not in self._staff) or (
            row.customer_class and row.customer_class not in self._classes
        ):
            wrong = [*wrong, *self._unknown_names(row)]
        if wrong:
            return Checked(line, row, "error", None, wrong)
        seen, keys = self._seen, _keys(row)
        for key in keys:
            if key in seen:
                return Checked(line, row, "duplicate", None, (CellFinding("", f"与第 {seen[key]} 行相同"),))
        for key in keys:
            seen[key] = line
        target = known.customer_of(row)
        if target is not None:
            return Checked(line, row, "update", target)
        if row.number and row.number in known.numbers_taken:
            return Checked(line, row, "error", None, (CellFinding("number", f"客户号 {row.number} 已属于另一客户"),))
        if not row.owner and self.actor is None:
            return Checked(line, row, "error", None, (CellFinding("owner", "新客户须填写客户经理工号"),))
        return Checked(line, row, "new", None, (), read if isinstance(read, Prepared) else None)

    def _unknown_names(self, row: ListRow) -> Iterator[CellFinding]:
        if row.owner and row.owner not in self._staff:
            yield CellFinding("owner", f"没有在岗员工 {row.owner}（填写工号）")
        if row.customer_class and row.customer_class not in self._classes:
            names = "、".join(dict.fromkeys(c.name for c in self._classes.values()))
            yield CellFinding("class", f"类别“{row.customer_class}”不在 {names} 之中")

    def _out_of_scope(self, found: list[Checked]) -> list[Checked]:
        """Customers that the importer does not see are not changed by the import either, nor named."""
        if self.scope is None or self.scope.reach is Reach.ALL:
            return found
        met = [c.target_id for c in found if c.target_id is not None]
        if not met:
            return found
        seen = set(visible_customers(self.scope).filter(pk__in=met).values_list("pk", flat=True))
        hidden = (CellFinding("name", "该客户已由其他人员或机构主办，不在您的数据范围内，未作更改"),)
        return [
            Checked(c.line, c.row, "error", None, hidden) if c.target_id is not None and c.target_id not in seen else c
            for c in found
        ]

    # --- write ---------------------------------------------------------------------------------------------------

    def made_ready(self, parts: Iterator[PartRows], *, has_many: bool) -> Generator[tuple[PartRows, Ready]]:
        """Parts with their lines; of a big file the next part is prepared by a helper meanwhile."""
        preparer = HelperPreparer(self._around) if has_many else HerePreparer(self._around)
        with closing(preparer):
            coming = next(parts, None)
            stamp = self._hand_in(preparer, coming)
            while coming is not None:
                part, ready = coming, Ready(preparer.take(), stamp)
                coming = next(parts, None)
                stamp = self._hand_in(preparer, coming)
                yield part, ready

    def _hand_in(self, preparer: Preparer, part: PartRows | None) -> dt.datetime:
        """Set ids aside for the rows that passed the check; gaps stay where one turns out not to be new."""
        stamp = timezone.now()
        if part is not None:
            rows = [(line, cells) for line, cells, state in part if state in {"new", "update"}]
            ids = _next_ids("parties_customer", len(rows)), _next_ids("parties_party", len(rows))
            preparer.hand_in(Part(rows, *ids, stamp))
        return stamp

    def write(self, ready: Ready) -> tuple[list[Effect], list[Found]]:
        """Look prepared rows up again and write them inside the caller's transaction."""
        rows = self.check(ready.rows)
        new = [c for c in rows if c.state == "new"]
        updates = [c for c in rows if c.state == "update"]
        effects = self._create(new, ready.stamp) if new else []
        if updates:
            effects += self._update(updates, ready.stamp)
        return effects, [Found(c.line, "error", c.findings) for c in rows if c.state == "error"]

    def _create(self, rows: Sequence[Checked], stamp: dt.datetime) -> list[Effect]:
        known = _parties_without_customer([c.row for c in rows])
        lines: list[tuple[str, ...]] = []
        effects = []
        for line, row, _, _, _, ready in rows:
            assert ready is not None  # noqa: S101 - new rows were prepared
            party_id = known.get(_party_key(row)) if known else None
            if party_id is not None:
                made = lines_of(row, party_id, ready.customer_id, self._around, str(stamp), is_new_party=False)
            else:
                assert ready.lines is not None  # noqa: S101 - nothing is wrong with a new row
                made = ready.lines
            lines.append(made)
            effects.append(Effect(line, True, ready.customer_id))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL shouxin.list_columns = 'given'")
            # The text index takes many rows at once far cheaper than one by one.
            cursor.execute("SET LOCAL gin_pending_list_limit = '32MB'; SET LOCAL work_mem = '64MB'")
            for target, texts in zip(TARGETS, zip(*lines, strict=True), strict=True):
                if text := "".join(texts):
                    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                        copy.write(text)
            cursor.execute("SET LOCAL shouxin.list_columns = ''")
        return effects

    def _update(self, rows: Sequence[Checked], stamp: dt.datetime) -> list[Effect]:
        targets = [c.target_id for c in rows if c.target_id is not None]
        customers: dict[int, Customer] = {
            c.pk: c for c in Customer.objects.select_for_update().filter(pk__in=targets).order_by("pk")
        }
        parties = Party.objects.in_bulk([c.party_id for c in customers.values()])
        points: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
        for owner, kind, value in ContactPoint.objects.filter(customer__in=customers).values_list(
            "customer", "kind", "value"
        ):
            points[owner].add((kind, value))
        effects, new_points, renamed = [], [], []
        classes: list[tuple[int, CustomerClass]] = []
        for checked in rows:
            assert checked.target_id is not None  # noqa: S101 - an update has its target
            customer = customers[checked.target_id]
            party, row = parties[customer.party_id], checked.row
            before = _set_changed(customer, party, row)
            added = [p for p in contact_points(row) if (p[0], p[1]) not in points[customer.pk]]
            chosen = self._classes.get(row.customer_class)
            if chosen is not None and chosen.pk != customer.main_class_id:
                before["class"] = customer.main_class_id
                classes.append((customer.pk, chosen))
            if added:
                before["added"] = [[kind, value] for kind, value, *_ in added]
                new_points += [(customer.pk, *point) for point in added]
            if not before:
                continue
            if "name" in before:
                renamed.append(FormerName(party=party, name=before["name"], until_date=self.business_date))
            before["updated_at"] = customer.updated_at.isoformat()
            customer.updated_at = stamp
            effects.append(Effect(checked.line, False, customer.pk, before))
        touched = [customers[e.target_id] for e in effects]
        self._save_updates(touched, parties, renamed, new_points, classes)
        return effects

    def _save_updates(
        self, touched: list[Customer], parties: dict[int, Party], renamed: list[FormerName],
        points: list[tuple[Any, ...]], classes: list[tuple[int, CustomerClass]],
    ) -> None:  # fmt: skip
        if not touched:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE parties_customer c SET next_step = n.step, next_step_date = n.day,"
                " last_contact_date = n.contact, note = n.note, updated_at = n.at FROM unnest(%s::bigint[], %s::text[],"
                " %s::date[], %s::date[], %s::text[], %s::timestamptz[]) AS n(id, step, day, contact, note, at)"
                " WHERE c.id = n.id",
                [[c.pk for c in touched], [c.next_step for c in touched], [c.next_step_date for c in touched],
                 [c.last_contact_date for c in touched], [c.note for c in touched], [c.updated_at for c in touched]],
            )  # fmt: skip
            changed = [parties[c.party_id] for c in touched]
            cursor.execute(
                "UPDATE parties_party p SET name = n.name, pinyin = n.pinyin, pinyin_initials = n.initials,"
                " short_name = n.short, industry = n.industry FROM unnest(%s::bigint[], %s::text[], %s::text[],"
                " %s::text[], %s::text[], %s::text[]) AS n(id, name, pinyin, initials, short, industry)"
                " WHERE p.id = n.id"
                " AND (p.name, p.short_name, p.industry) IS DISTINCT FROM (n.name, n.short, n.industry)",
                [[p.pk for p in changed], [p.name for p in changed], [p.pinyin for p in changed],
                 [p.pinyin_initials for p in changed], [p.short_name for p in changed], [p.industry for p in changed]],
            )  # fmt: skip
            for customer, chosen in classes:
                cursor.execute(
                    "UPDATE parties_classification SET valid_to = %s WHERE customer_id = %s AND scheme_id = %s"
                    " AND valid_to IS NULL", [self.business_date, customer, chosen.scheme_id],
                )  # fmt: skip
                cursor.execute(
                    "INSERT INTO parties_classification (customer_id, scheme_id, customer_class_id, valid_from)"
                    " VALUES (%s, %s, %s, %s)", [customer, chosen.scheme_id, chosen.pk, self.business_date],
                )  # fmt: skip
        FormerName.objects.bulk_create(renamed, ignore_conflicts=True)
        ContactPoint.objects.bulk_create(
            [
                ContactPoint(customer_id=pk, kind=kind, value=value, digits=digits, postcode=postcode, contact_name=who)
                for pk, kind, value, digits, postcode, who in points
            ],
            ignore_conflicts=True,
        )
        index_customers(c.pk for c in touched)


# --- what is there already -------------------------------------------------------------------------------------------


def _keys(row: ListRow) -> list[int]:
    """The keys by which a row is the same as another of the file, as small numbers that stay in memory."""
    if row.uscc and not row.number:
        return [hash(("u", row.uscc))]
    if row.number or row.uscc or row.identity_number:
        parts = (("n", row.number), ("u", row.uscc), ("i", row.identity_number))
        return [hash(part) for part in parts if part[1]]
    return [hash((row.kind, row.name, row.digits if row.kind == "person" else ""))]


# Each value is looked up by itself: a join over all of them would read the whole of a list that grows meanwhile.
_LOOK_UP = {
    column: "SELECT v, f.id FROM unnest(%s::text[]) AS v CROSS JOIN LATERAL ("  # noqa: S608 - three fixed conditions
    "SELECT c.id FROM parties_party p JOIN parties_customer c ON c.party_id = p.id"
    f" WHERE {condition} AND c.merged_into_id IS NULL ORDER BY c.id LIMIT 1) AS f"
    for column, condition in {
        "uscc": "upper(p.uscc) = v",
        "identity_number": "p.identity_number = v",
        "name": "p.name = v AND p.kind = 'org'",
    }.items()
} | {"number": "SELECT c.number, c.id FROM parties_customer c WHERE c.number = ANY(%s) AND c.merged_into_id IS NULL"}
_LOOK_UP_PERSONS = """
SELECT f.name, v, f.id FROM unnest(%s::text[]) AS v CROSS JOIN LATERAL (
  SELECT p.name, c.id FROM parties_contactpoint t
    JOIN parties_customer c ON c.id = t.customer_id JOIN parties_party p ON p.id = c.party_id
   WHERE t.digits = v AND t.digits <> '' AND p.kind = 'person' AND c.merged_into_id IS NULL OFFSET 0) AS f
"""
_LOOK_UP_PARTIES = """
SELECT v, f.id FROM unnest(%s::text[]) AS v CROSS JOIN LATERAL (
  SELECT p.id FROM parties_party p WHERE upper(p.uscc) = v
   UNION ALL SELECT p.id FROM parties_party p WHERE p.identity_number = v LIMIT 1) AS f
 WHERE NOT EXISTS (SELECT FROM parties_customer c WHERE c.party_id = f.id)
"""


@dataclass(slots=True)
class _Known:
    """Customers of the bank that rows of a part of the file may be."""

    by_number: dict[str, int]
    by_code: dict[str, int]
    by_identity: dict[str, int]
    by_name: dict[str, int]
    by_person: dict[tuple[str, str], int]
    numbers_taken: set[str]

    @classmethod
    def of(cls, rows: Sequence[ListRow]) -> "_Known":
        numbers = list({row.number for row in rows if row.number})
        codes = list({row.uscc for row in rows if row.uscc})
        identities = list({row.identity_number for row in rows if row.identity_number})
        bare = [row for row in rows if not (row.number or row.uscc or row.identity_number)]
        names = list({row.name for row in bare if row.kind == "org"})
        digits = list({row.digits for row in bare if row.kind == "person" and row.digits})

        def found(column: str, values: list[str]) -> dict[str, int]:
            if not values:
                return {}
            with connection.cursor() as cursor:
                cursor.execute(_LOOK_UP[column], [values])
                return dict(cursor.fetchall())

        by_number = found("number", numbers)
        persons: list[tuple[str, str, int]] = []
        if digits:
            with connection.cursor() as cursor:
                cursor.execute(_LOOK_UP_PERSONS, [digits])
                persons = cursor.fetchall()
        return cls(
            by_number,
            found("uscc", codes),
            found("identity_number", identities),
            found("name", names),
            {(name, number): pk for name, number, pk in persons},
            set(by_number),
        )

    def customer_of(self, row: ListRow) -> int | None:
        if row.number and row.number in self.by_number:
            return self.by_number[row.number]
        if row.uscc:
            return self.by_code.get(row.uscc)
        if row.identity_number:
            return self.by_identity.get(row.identity_number)
        if row.number:
            return None
        return self.by_name.get(row.name) if row.kind == "org" else self.by_person.get((row.name, row.digits))


def _party_key(row: ListRow) -> str:
    return row.uscc or row.identity_number


def _parties_without_customer(rows: Iterable[ListRow]) -> dict[str, int]:
    """Parties that are known, as shareholders say, and now come onto the list."""
    keys = [key for row in rows if (key := _party_key(row))]
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_UP_PARTIES, [keys])
        return dict(cursor.fetchall())


def _next_ids(table: str, count: int) -> list[int]:
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [f"{table}_id_seq", count])
        return [row[0] for row in cursor.fetchall()]


def _set_changed(customer: Customer, party: Party, row: ListRow) -> dict[str, Any]:
    """Set what a row says and the bank does not have so; gives what stood there before, by field."""
    before: dict[str, Any] = {}
    for name in ("next_step", "next_step_date", "last_contact_date", "note"):
        value = getattr(row, name)
        old = getattr(customer, name)
        if value not in (None, "") and value != old:
            before[name] = old.isoformat() if isinstance(old, dt.date) else old
            setattr(customer, name, value)
    for name in ("short_name", "industry"):
        value, old = getattr(row, name), getattr(party, name)
        if value and value != old:
            before[name] = old
            setattr(party, name, value)
    if row.name != party.name and row.name != party.short_name:
        before["name"] = party.name
        party.name = row.name
        for key, text in search_keys(row.name).items():
            setattr(party, key, text)
    return before
