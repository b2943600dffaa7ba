"""Customers of a list file into the bank, thousands of rows by one statement, with the same checks as by hand.

A row is known by its customer number, credit code or identity number, an organisation also by its very name, a person
without a number by name and telephone together. What is blank never overwrites.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from shouxin.bank.models import Staff
from shouxin.bank.scope import DataScope, Reach
from shouxin.domain.identifiers import phone_digits
from shouxin.domain.search_text import SearchFields, pinyin_of, search_vector
from shouxin.intake.customer_rows import ListRow
from shouxin.parties.models import ContactPoint, Customer, CustomerClass, FormerName, Party
from shouxin.parties.search_index import index_customers
from shouxin.parties.selectors import visible_customers
from shouxin.parties.services import search_keys


@dataclass(frozen=True, slots=True)
class Checked:
    """One row after the check: what it is and whom it meets."""

    line: int
    row: ListRow
    state: str
    target_id: int | None = None
    column: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a line did; ``before`` holds what an undo puts back."""

    line: int
    is_new: bool
    target_id: int
    before: dict[str, Any] | None = None


@dataclass(slots=True)
class CustomerImport:
    """One import at work: whom it acts for, and what it has met in this file so far."""

    actor: Staff | None
    scope: DataScope | None
    business_date: dt.date
    _staff: dict[str, tuple[int, int]] = field(default_factory=dict)
    _classes: dict[str, CustomerClass] = field(default_factory=dict)
    _seen: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        people = Staff.objects.filter(is_active=True)
        self._staff = {name: (pk, unit) for name, pk, unit in people.values_list("username", "pk", "unit")}
        for chosen in CustomerClass.objects.filter(scheme__is_main=True):
            self._classes[chosen.name] = self._classes[chosen.code] = chosen

    # --- check ---------------------------------------------------------------------------------------------------

    def check(self, rows: Sequence[tuple[int, ListRow]]) -> list[Checked]:
        """What each row of a part of the file is; a fixed number of queries for the part."""
        known = _Known.of([row for _line, row in rows])
        found = [self._check_one(line, row, known) for line, row in rows]
        return self._out_of_scope(found)

    def _check_one(self, line: int, row: ListRow, known: "_Known") -> Checked:
        if row.owner and row.owner not in self._staff:
            return Checked(line, row, "error", None, "owner", f"没有在岗员工 {row.owner}（填写工号）")
        if row.customer_class and row.customer_class not in self._classes:
            names = "、".join(dict.fromkeys(c.name for c in self._classes.values()))
            return Checked(line, row, "error", None, "class", f"类别“{row.customer_class}”不在 {names} 之中")
        keys = _keys(row)
        first = next((self._seen[key] for key in keys if key in self._seen), None)
        if first is not None:
            return Checked(line, row, "duplicate", None, "", f"与第 {first} 行相同")
        self._seen.update(dict.fromkeys(keys, line))
        target = known.customer_of(row)
        if target is not None:
            return Checked(line, row, "update", target)
        if row.number and row.number in known.numbers_taken:
            return Checked(line, row, "error", None, "number", f"客户号 {row.number} 已属于另一客户")
        if not row.owner and self.actor is None:
            return Checked(line, row, "error", None, "owner", "新客户须填写客户经理工号")
        return Checked(line, row, "new")

    def _out_of_scope(self, found: list[Checked]) -> list[Checked]:
        """Customers that the importer does not see are not changed by the import either, nor named."""
        if self.scope is None or self.scope.reach is Reach.ALL:
            return found
        met = [c.target_id for c in found if c.target_id is not None]
        seen = set(visible_customers(self.scope).filter(pk__in=met).values_list("pk", flat=True))
        reason = "该客户已由其他人员或机构主办，不在您的数据范围内，未作更改"
        return [
            Checked(c.line, c.row, "error", None, "name", reason)
            if c.target_id is not None and c.target_id not in seen
            else c
            for c in found
        ]

    # --- write ---------------------------------------------------------------------------------------------------

    def write(self, rows: Sequence[Checked], *, stamp: dt.datetime) -> list[Effect]:
        """Write checked rows inside the caller's transaction; gives an effect for each that changed something."""
        new = [c for c in rows if c.state == "new"]
        updates = [c for c in rows if c.state == "update"]
        effects = self._create(new, stamp) if new else []
        return effects + (self._update(updates, stamp) if updates else [])

    def _create(self, rows: Sequence[Checked], stamp: dt.datetime) -> list[Effect]:
        parties = _parties_without_customer([c.row for c in rows])
        party_ids = [parties.get(_party_key(c.row)) for c in rows]
        fresh = iter(_next_ids("parties_party", party_ids.count(None)))
        party_of = [pk if pk is not None else next(fresh) for pk in party_ids]
        customer_ids = _next_ids("parties_customer", len(rows))
        out = _Copies()
        for checked, known, party_id, customer_id in zip(rows, party_ids, party_of, customer_ids, strict=True):
            row = checked.row
            owner = self._staff[row.owner] if row.owner else (self.actor.pk, self.actor.unit_id)  # type: ignore[union-attr]
            out.add(
                row, party_id, customer_id, owner, self._classes.get(row.customer_class), self, stamp, known is None
            )
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL shouxin.list_columns = 'given'")
            cursor.execute("SET LOCAL gin_pending_list_limit = '32MB'")
            out.send(cursor)
            cursor.execute("SET LOCAL shouxin.list_columns = ''")
        return [Effect(c.line, True, pk) for c, pk in zip(rows, customer_ids, strict=True)]

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
            added = [p for p in _contact_points(row) if (p[0], p[1]) not in points[customer.pk]]
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
    if row.number or row.uscc or row.identity_number:
        parts = (("n", row.number), ("u", row.uscc), ("i", row.identity_number))
        return [hash(part) for part in parts if part[1]]
    return [hash((row.kind, row.name, row.digits if row.kind == "person" else ""))]


_LOOK_UP = {
    column: "SELECT v, c.id FROM unnest(%s::text[]) AS v "  # noqa: S608 - three fixed conditions
    f"JOIN parties_party p ON {condition} JOIN parties_customer c ON c.party_id = p.id"
    " WHERE c.merged_into_id IS NULL ORDER BY c.id DESC"
    for column, condition in {
        "uscc": "upper(p.uscc) = v",
        "identity_number": "p.identity_number = v",
        "name": "p.name = v AND p.kind = 'org'",
    }.items()
} | {"number": "SELECT c.number, c.id FROM parties_customer c WHERE c.number = ANY(%s) AND c.merged_into_id IS NULL"}


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
        persons = (
            ContactPoint.objects.filter(
                digits__in=digits, customer__party__kind="person", customer__merged_into__isnull=True
            ).values_list("customer__party__name", "digits", "customer")
            if digits
            else []
        )
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
        cursor.execute(
            "SELECT v, p.id FROM unnest(%(keys)s::text[]) AS v JOIN parties_party p ON upper(p.uscc) = v"
            " WHERE NOT EXISTS (SELECT FROM parties_customer c WHERE c.party_id = p.id)"
            " UNION ALL SELECT v, p.id FROM unnest(%(keys)s::text[]) AS v JOIN parties_party p"
            " ON p.identity_number = v WHERE NOT EXISTS (SELECT FROM parties_customer c WHERE c.party_id = p.id)",
            {"keys": keys},
        )
        return dict(cursor.fetchall())


def _next_ids(table: str, count: int) -> list[int]:
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [f"{table}_id_seq", count])
        return [row[0] for row in cursor.fetchall()]


def _contact_points(row: ListRow) -> list[tuple[str, str, str, str, str]]:
    """Kind, value, digits, post code, contact name of each way that a row gives."""
    found = []
    if row.phone:
        found.append(("phone", row.phone, row.digits or phone_digits(row.phone), "", row.contact_name))
    if row.email:
        found.append(("email", row.email, "", "", row.contact_name))
    if row.address:
        found.append(("address", row.address, "", row.postcode, ""))
    return found


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


# --- COPY ------------------------------------------------------------------------------------------------------------

_PARTY = (
    "parties_party (id, kind, name, short_name, pinyin, pinyin_initials, uscc, legal_form, nature, industry, sex,"
    " identity_number, birth_date)"
)
_CUSTOMER = (
    "parties_customer (id, party_id, number, stage, org_type, unit_id, next_step, next_step_date, last_contact_date,"
    " note, is_locked, main_owner_id, main_class_id, is_valid, search, created_at, updated_at)"
)
_OWNER = "parties_ownership (customer_id, staff_id, kind, valid_from, origin)"
_CLASS = "parties_classification (customer_id, scheme_id, customer_class_id, valid_from)"
_POINT = "parties_contactpoint (customer_id, kind, value, digits, postcode, contact_name, is_working)"
_FORMER = "parties_formername (party_id, name)"


class _Copies:
    """Lines for COPY of every table, made as text: a tuple at a time costs more than everything else."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {t: [] for t in (_PARTY, _CUSTOMER, _OWNER, _CLASS, _POINT, _FORMER)}

    def add(
        self, row: ListRow, party_id: int, customer_id: int, owner: tuple[int, int], chosen: CustomerClass | None,
        job: CustomerImport, stamp: dt.datetime, is_new_party: bool,
    ) -> None:  # fmt: skip
        name = row.name.replace("\\", "\\\\")
        day = job.business_date
        if is_new_party:
            pinyin, initials = pinyin_of(row.name)
            self._lines[_PARTY].append(
                f"{party_id}\t{row.kind}\t{name}\t{_text(row.short_name)}\t{pinyin}\t{initials}\t"
                f"{row.uscc or _NULL}\t\t\t{_text(row.industry)}\t\t{row.identity_number or _NULL}\t"
                f"{row.birth_date or _NULL}\n"
            )
        number = row.number or f"KH{party_id:08d}"
        points = _contact_points(row)
        texts = tuple(t for t in (row.next_step, row.note, row.short_name) if t)
        vector = search_vector(
            SearchFields(
                row.name, row.kind == "person", number, row.uscc, (row.former_name,) if row.former_name else (),
                (row.digits,) if row.digits else (), (row.email,) if row.email else (), texts,
            )
        )  # fmt: skip
        self._lines[_CUSTOMER].append(
            f"{customer_id}\t{party_id}\t{_text(number)}\tprospect\t\t{owner[1]}\t{_text(row.next_step)}\t"
            f"{row.next_step_date or _NULL}\t{row.last_contact_date or _NULL}\t{_text(row.note)}\tf\t{owner[0]}\t"
            f"{chosen.pk if chosen else _NULL}\t{'t' if chosen and points else 'f'}\t{vector}\t{stamp}\t{stamp}\n"
        )
        self._lines[_OWNER].append(f"{customer_id}\t{owner[0]}\tmain\t{day}\timported\n")
        if chosen:
            self._lines[_CLASS].append(f"{customer_id}\t{chosen.scheme_id}\t{chosen.pk}\t{day}\n")
        for kind, value, digits, postcode, who in points:
            self._lines[_POINT].append(
                f"{customer_id}\t{kind}\t{_text(value)}\t{digits}\t{postcode}\t{_text(who)}\tt\n"
            )
        if row.former_name:
            self._lines[_FORMER].append(f"{party_id}\t{_text(row.former_name)}\n")

    def send(self, cursor: Any) -> None:
        for target, lines in self._lines.items():
            if lines:
                with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                    copy.write("".join(lines))


_NULL = "\\N"


def _text(value: str) -> str:
    return value.replace("\\", "\\\\") if "\\" in value else value


# --- undo ------------------------------------------------------------------------------------------------------------


def undo_created(effects: Sequence[Any]) -> tuple[set[int], set[int]]:
    """Take away customers that an import made and nobody has touched since: ids taken away, ids kept."""
    stamps = {e.target_id: e.stamp for e in effects}
    locked = Customer.objects.select_for_update().filter(pk__in=stamps)
    same = {pk: party for pk, party, at in locked.values_list("pk", "party", "updated_at") if at == stamps[pk]}
    used = _referenced("parties_customer", list(same), own={
        "parties_ownership", "parties_classification", "parties_contactpoint", "parties_customertag",
    })  # fmt: skip
    gone = [pk for pk in same if pk not in used]
    parties = [same[pk] for pk in gone]
    with connection.cursor() as cursor:
        for table in ("parties_customertag", "parties_ownership", "parties_classification", "parties_contactpoint"):
            cursor.execute(f"DELETE FROM {table} WHERE customer_id = ANY(%s)", [gone])  # noqa: S608 - fixed names
        cursor.execute("DELETE FROM parties_customer WHERE id = ANY(%s)", [gone])
        kept = _referenced("parties_party", parties, own={"parties_formername"})
        free = [pk for pk in parties if pk not in kept]
        cursor.execute("DELETE FROM parties_formername WHERE party_id = ANY(%s)", [free])
        cursor.execute("DELETE FROM parties_party WHERE id = ANY(%s) AND source_id IS NULL", [free])
    return set(gone), set(stamps) - set(gone)


def undo_updated(effect: Any, business_date: dt.date) -> bool:
    """Put back what one row changed, unless somebody has worked on the customer since."""
    customer = Customer.objects.select_for_update(of=("self",)).select_related("party").get(pk=effect.target_id)
    if customer.updated_at != effect.stamp:
        return False
    before = dict(effect.before or {})
    for kind, value in before.pop("added", []):
        ContactPoint.objects.filter(customer=customer, kind=kind, value=value).delete()
    if "class" in before:
        _undo_class(customer, before.pop("class"), business_date)
    party = customer.party
    if "name" in before:
        FormerName.objects.filter(party=party, name=before["name"]).delete()
        for key, text in search_keys(before["name"]).items():
            setattr(party, key, text)
    for name in ("name", "short_name", "industry"):
        if name in before:
            setattr(party, name, before.pop(name))
    party.save(update_fields=["name", "short_name", "industry", "pinyin", "pinyin_initials"])
    for name, value in before.items():
        setattr(customer, name, dt.date.fromisoformat(value) if value and name.endswith("_date") else value)
    customer.save(update_fields=["next_step", "next_step_date", "last_contact_date", "note", "updated_at"])
    index_customers([customer.pk])
    return True


def _undo_class(customer: Customer, earlier: int | None, day: dt.date) -> None:
    rows = customer.classifications.filter(scheme__is_main=True).order_by("-pk")
    rows.filter(valid_to__isnull=True).delete()
    if earlier is not None:
        last = rows.filter(customer_class=earlier, valid_to=day).first() or rows.filter(customer_class=earlier).first()
        if last is not None:
            last.valid_to = None
            last.save(update_fields=["valid_to"])


def _referenced(table: str, ids: list[int], *, own: set[str]) -> set[int]:
    """Of some rows those that any table refers to, its own parts aside; every foreign key of the schema is asked."""
    from shouxin.parties.merging import foreign_keys_to

    found: set[int] = set()
    with connection.cursor() as cursor:
        for referring, column in foreign_keys_to(table):
            if referring in own or (table == "parties_party" and referring == "parties_customer"):
                continue
            cursor.execute(
                f'SELECT DISTINCT "{column}" FROM "{referring}" WHERE "{column}" = ANY(%s)',  # noqa: S608 - catalogue names
                [ids],
            )
            found |= {row[0] for row in cursor.fetchall()}
    return found
