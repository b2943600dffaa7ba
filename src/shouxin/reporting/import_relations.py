"""Contacts and follow-up history from a list file, whole or not at all.

Follow-ups keep the author and the time that they had; they cannot be edited afterwards. A row that is there already is
counted as skipped, so a file may be read again.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.engagement.models import Activity, Contact, RoleCard
from shouxin.intake.customer_rows import match_columns
from shouxin.intake.evidence_files import EvidenceError, RowError
from shouxin.intake.list_files import CellError, open_list, read_day, refuse_scientific
from shouxin.parties.models import Customer
from shouxin.parties.search_index import index_customers
from shouxin.parties.selectors import visible_customers
from shouxin.reporting.imports import Outcome

CONTACTS: Mapping[str, tuple[str, ...]] = {
    "customer": ("客户", "客户号", "客户名称", "统一社会信用代码"),
    "name": ("姓名", "联系人"),
    "title": ("尊称", "称呼"),
    "role": ("角色", "职务"),
    "level": ("层级",),
    "phone": ("电话", "手机", "电话号码"),
}
FOLLOW_UPS: Mapping[str, tuple[str, ...]] = {
    "customer": ("客户", "客户号", "客户名称", "统一社会信用代码"),
    "kind": ("方式", "类型"),
    "at": ("时间", "跟进时间", "日期"),
    "author": ("跟进人", "作者", "客户经理", "工号"),
    "text": ("内容", "跟进内容", "记录"),
}
_KINDS = {str(label): value for value, label in Activity.Kind.choices} | {v: v for v in Activity.Kind.values}
_KINDS |= {"": "note", "电话": "call", "上门": "visit", "短信": "message", "邮件": "message"}
_LEVELS = {str(label): value for value, label in Contact.Level.choices} | {"": ""}


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a row becomes, and the key by which it is the same as another."""

    key: tuple[Any, ...]
    made: Contact | Activity


def import_relations(
    *, table: str, path: Path, actor: Staff | None, business_date: dt.date, skips_bad_rows: bool = False,
    is_dry_run: bool = False,
) -> Outcome:  # fmt: skip
    """Import ``contacts`` or ``follow_ups``. Raises EvidenceError for a wrong row, unless those may be skipped."""
    columns, needed = (CONTACTS, ("customer", "name")) if table == "contacts" else (
        FOLLOW_UPS, ("customer", "at", "text"),
    )  # fmt: skip
    source = open_list(path, sheet=table)
    places = match_columns(source.titles, columns)
    missing = [columns[c][0] for c in needed if c not in places]
    if missing:
        raise EvidenceError([RowError(source.name, 1, "", f"缺少列 {'、'.join(missing)}", "COLUMN_MISSING")])
    customers = _customers_in_view(actor, business_date)
    read = _contact_reader() if table == "contacts" else _activity_reader()
    ready, errors, count = [], [], 0
    for line, cells in source.rows():
        count += 1
        row = {c: cells[p].strip() if p < len(cells) else "" for c, p in places.items()}
        try:
            empty = next((columns[c][0] for c in needed if not row.get(c)), None)
            if empty:
                raise CellError(f"{empty}不能为空")
            customer = customers.get(refuse_scientific(row["customer"]))
            if customer is None:
                raise CellError(f"没有客户“{row['customer']}”，或不在您的数据范围内")
            ready.append(read(customer, row))
        except CellError as error:
            errors.append(RowError(source.name, line, "", str(error)))
    if errors and not skips_bad_rows:
        raise EvidenceError(errors)
    with transaction.atomic():
        created = _write(ready, table)
        audit.record(
            actor=actor, action="intake.table.imported", subject=("import", table), business_date=business_date,
            summary=f"导入 {table}（{source.name}）：新增 {created}，未变 {len(ready) - created}，失败 {len(errors)}",
        )  # fmt: skip
        if is_dry_run:
            transaction.set_rollback(True)
    return Outcome(created, 0, len(ready) - created, tuple(errors), count - len(ready))


def _customers_in_view(actor: Staff | None, day: dt.date) -> dict[str, int]:
    """Customers by number, credit code and, where it is one's alone, by name; inside the importer's view."""
    rows = Customer.objects.filter(merged_into__isnull=True) if actor is None else visible_customers(
        scope_of(actor, as_of=day)
    )  # fmt: skip
    found: dict[str, int] = {}
    twice: set[str] = set()
    for pk, number, code, name in rows.order_by().values_list("pk", "number", "party__uscc", "party__name"):
        (twice.add(name) if name in found else found.setdefault(name, pk))
        found[number] = pk
        if code:
            found[code] = pk
    return {key: pk for key, pk in found.items() if key not in twice}


def _contact_reader() -> Callable[[int, dict[str, str]], _Ready]:
    roles = {card.name: card for card in RoleCard.objects.all()}

    def read(customer: int, row: dict[str, str]) -> _Ready:
        level, role = row.get("level", ""), row.get("role", "")
        if level not in _LEVELS:
            raise CellError(f"层级“{level}”不在 老板、店长、店员 之中")
        if role and role not in roles:
            raise CellError(f"没有角色“{role}”，现有 {'、'.join(roles)}")
        phone = refuse_scientific(row.get("phone", ""))
        made = Contact(
            customer_id=customer, name=row["name"][:80], title=row.get("title", "")[:20], role=roles.get(role),
            level=_LEVELS[level], phone=phone[:40],
        )  # fmt: skip
        return _Ready((customer, made.name), made)

    return read


def _activity_reader() -> Callable[[int, dict[str, str]], _Ready]:
    staff = {key: person for person in Staff.objects.all() for key in (person.name, person.username)}

    def read(customer: int, row: dict[str, str]) -> _Ready:
        kind = row.get("kind", "")
        if kind not in _KINDS:
            raise CellError(f"方式“{kind}”不在 {'、'.join(k for k in _KINDS if k)} 之中")
        at, author = _moment(row["at"]), row.get("author", "")
        person = staff.get(author)
        made = Activity(
            customer_id=customer, kind=_KINDS[kind], happened_at=at, author=person, text=row["text"],
            author_name=(person.name if person else author)[:80], is_imported=True,
        )  # fmt: skip
        return _Ready((customer, at, made.text), made)

    return read


def _moment(text: str) -> dt.datetime:
    """A day, with an hour where there is one; in the bank's own time zone."""
    day = read_day(text)
    if day is None:
        raise CellError("时间不能为空")
    try:
        at = dt.datetime.fromisoformat(text.replace("/", "-").strip())
    except ValueError:
        at = dt.datetime.combine(day, dt.time())
    return at if timezone.is_aware(at) else timezone.make_aware(at)


def _write(ready: list[_Ready], table: str) -> int:
    ids = {r.made.customer_id for r in ready}
    if table == "contacts":
        known: set[tuple[Any, ...]] = set(Contact.objects.filter(customer__in=ids).values_list("customer", "name"))
    else:
        known = set(Activity.objects.filter(customer__in=ids).values_list("customer", "happened_at", "text"))
    fresh = {r.key: r.made for r in ready if r.key not in known}
    if table == "contacts":
        Contact.objects.bulk_create([m for m in fresh.values() if isinstance(m, Contact)], batch_size=5_000)
        return len(fresh)
    Activity.objects.bulk_create([m for m in fresh.values() if isinstance(m, Activity)], batch_size=5_000)
    _move_last_contact([m for m in fresh.values() if isinstance(m, Activity)])
    index_customers({m.customer_id for m in fresh.values()})
    return len(fresh)


def _move_last_contact(made: list[Activity]) -> None:
    latest: dict[int, dt.date] = {}
    for activity in made:
        if activity.kind != Activity.Kind.NOTE:
            day = timezone.localdate(activity.happened_at)
            latest[activity.customer_id] = max(day, latest.get(activity.customer_id, day))
    rows = list(Customer.objects.filter(pk__in=latest))
    for customer in rows:
        customer.last_contact_date = max(latest[customer.pk], customer.last_contact_date or dt.date.min)
    Customer.objects.bulk_update(rows, ["last_contact_date"], batch_size=5_000)
