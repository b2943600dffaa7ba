"""Contacts and follow-up history from a list file.

Follow-ups keep the author and the time that they had; they cannot be edited afterwards. A row that is there already is
counted as skipped, so a file may be read again.
"""

import datetime as dt
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils import timezone

from shouxin.bank.models import Staff
from shouxin.domain.identifiers import phone_digits
from shouxin.engagement.models import Activity, Contact, RoleCard
from shouxin.intake.customer_rows import PHONE_DIGITS_MIN, CellFinding
from shouxin.intake.list_files import CellError, read_day, refuse_scientific
from shouxin.parties.models import Customer
from shouxin.parties.search_index import index_customers
from shouxin.parties.selectors import visible_customers
from shouxin.reporting.import_kinds import Cells, Context, Effect, Found, PartRows, Ready, snapshot

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
NEEDED = {"contacts": ("customer", "name"), "follow_ups": ("customer", "at", "text")}
CONTACT_FIELDS = ("customer", "name", "title", "role", "level", "phone")
ACTIVITY_FIELDS = ("customer", "kind", "happened_at", "author", "author_name", "text")


class _Read(NamedTuple):
    """A line as what it becomes, the key by which it is the same as another, and what is wrong with it."""

    line: int
    key: tuple[Any, ...]
    made: Any
    wrong: list[CellFinding]


class RelationImport:
    """An import of ``contacts`` or ``follow_ups`` at work."""

    is_in_parts = True

    def __init__(self, context: Context, table: str) -> None:
        self._context = context
        self._columns = CONTACTS if table == "contacts" else FOLLOW_UPS
        self._needed = NEEDED[table]
        self._is_contacts = table == "contacts"
        self._roles = {card.name: card for card in RoleCard.objects.all()}
        self._staff = {key: person for person in Staff.objects.all() for key in (person.name, person.username)}
        self._seen: dict[tuple[Any, ...], tuple[int, tuple[Any, ...]]] = {}

    def check_rows(self, rows: Cells) -> Iterator[Found]:
        for read, state, findings in self._checked(rows):
            yield Found(read.line, state, findings)

    def made_ready(self, parts: Iterator[PartRows], *, has_many: bool) -> Generator[tuple[PartRows, Ready]]:  # noqa: ARG002
        for part in parts:
            yield part, Ready([(line, cells) for line, cells, state in part if state == "new"], timezone.now())

    def write(self, ready: Ready) -> tuple[Sequence[Effect], Sequence[Found]]:
        checked = list(self._checked(ready.rows))
        fresh = [read for read, state, _ in checked if state == "new"]
        late = [Found(read.line, state, findings) for read, state, findings in checked if state == "error"]
        made = [read.made for read in fresh]
        moved: dict[int, list[str | None]] = {}
        if self._is_contacts:
            Contact.objects.bulk_create(made, batch_size=5_000)
            index_customers({m.customer_id for m in made})
        else:
            Activity.objects.bulk_create(made, batch_size=5_000)
            moved = _move_last_contact(made)
            index_customers({m.customer_id for m in made})
        fields = CONTACT_FIELDS if self._is_contacts else ACTIVITY_FIELDS
        effects = []
        for read in fresh:
            kept: dict[str, Any] = {"after": snapshot(read.made, fields)}
            if read.made.customer_id in moved:
                kept["last_contact"] = moved.pop(read.made.customer_id)
            effects.append(Effect(read.line, True, read.made.pk, kept))
        return effects, late

    def _checked(self, rows: Cells) -> Iterator[tuple[_Read, str, Sequence[CellFinding]]]:
        read = self._read(rows)
        known = self._known({r.made.customer_id for r in read if not r.wrong})
        for r in read:
            details = self._details(r.made)
            if r.wrong:
                yield r, "error", r.wrong
            elif r.key in self._seen:
                line, before = self._seen[r.key]
                yield r, *_again(f"第 {line} 行", is_same=before == details)
            elif r.key in known:
                yield r, *_again("库中", is_same=known[r.key] == details)
            else:
                self._seen[r.key] = (r.line, details)
                yield r, "new", ()

    def _read(self, rows: Cells) -> list[_Read]:
        """Every row as what it becomes; wrong cells leave something harmless and their finding."""
        places = self._context.places
        texts = [{c: cells[p].strip() if p < len(cells) else "" for c, p in places.items()} for _, cells in rows]
        customers = self._customers_of({text.get("customer", "") for text in texts})
        found = []
        for (line, _), row in zip(rows, texts, strict=True):
            wrong = [CellFinding(c, "不能为空") for c in self._needed if not row.get(c)]
            customer = 0
            if name := row.get("customer", ""):
                try:
                    customer = customers.get(refuse_scientific(name), 0)
                    if not customer:
                        wrong.append(CellFinding("customer", f"没有客户“{name}”，或不在您的数据范围内"))
                except CellError as error:
                    wrong.append(CellFinding("customer", str(error)))
            make = self._contact if self._is_contacts else self._activity
            key, made = make(customer, row, wrong)
            found.append(_Read(line, key, made, wrong))
        return found

    def _customers_of(self, names: set[str]) -> dict[str, int]:
        """Customers by number, credit code and, where it is one's alone, by name; inside the importer's view."""
        scope = self._context.scope
        seen = Customer.objects.filter(merged_into__isnull=True) if scope is None else visible_customers(scope)
        rows = seen.filter(Q(number__in=names) | Q(party__uscc__in=names) | Q(party__name__in=names))
        found: dict[str, int] = {}
        twice: set[str] = set()
        for pk, number, code, name in rows.order_by().values_list("pk", "number", "party__uscc", "party__name"):
            if found.setdefault(name, pk) != pk:
                twice.add(name)
            found[number] = pk
            if code:
                found[code] = pk
        return {key: pk for key, pk in found.items() if key not in twice}

    def _contact(self, customer: int, row: dict[str, str], wrong: list[CellFinding]) -> tuple[tuple[Any, ...], Contact]:
        level, role, phone = row.get("level", ""), row.get("role", ""), row.get("phone", "")
        if level not in _LEVELS:
            wrong.append(CellFinding("level", f"层级“{level}”不在 老板、店长、店员 之中"))
        if role and role not in self._roles:
            wrong.append(CellFinding("role", f"没有角色“{role}”，现有 {'、'.join(self._roles)}"))
        try:
            refuse_scientific(phone)
            if phone and len(phone_digits(phone)) < PHONE_DIGITS_MIN:
                wrong.append(CellFinding("phone", f"“{phone[:20]}”不足 {PHONE_DIGITS_MIN} 位数字"))
        except CellError as error:
            wrong.append(CellFinding("phone", str(error)))
        made = Contact(
            customer_id=customer, name=row.get("name", "")[:80], title=row.get("title", "")[:20],
            role=self._roles.get(role), level=_LEVELS.get(level, ""), phone=phone[:40],
        )  # fmt: skip
        return (customer, made.name), made

    def _activity(
        self, customer: int, row: dict[str, str], wrong: list[CellFinding]
    ) -> tuple[tuple[Any, ...], Activity]:
        kind, author, text = row.get("kind", ""), row.get("author", ""), row.get("at", "")
        if kind not in _KINDS:
            wrong.append(CellFinding("kind", f"方式“{kind}”不在 {'、'.join(k for k in _KINDS if k)} 之中"))
        at = dt.datetime.min.replace(tzinfo=dt.UTC)
        try:
            at = _moment(text) if text else at
            if at > timezone.now():
                wrong.append(CellFinding("at", f"时间“{text}”晚于现在，跟进记录只记已发生的"))
        except CellError as error:
            wrong.append(CellFinding("at", str(error)))
        person = self._staff.get(author)
        made = Activity(
            customer_id=customer, kind=_KINDS.get(kind, "note"), happened_at=at, author=person,
            text=row.get("text", ""), author_name=(person.name if person else author)[:80], is_imported=True,
        )  # fmt: skip
        return (customer, at, made.text), made

    def _known(self, customers: set[int]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """What is there already, by its key, with what else the file may say of it."""
        if self._is_contacts:
            people = Contact.objects.filter(customer__in=customers)
            return {(contact.customer_id, contact.name): self._details(contact) for contact in people}
        activities = Activity.objects.filter(customer__in=customers)
        return dict.fromkeys(activities.values_list("customer", "happened_at", "text"), ())

    def _details(self, made: Contact | Activity) -> tuple[Any, ...]:
        """What a contact of one name may differ in, of the columns that the file has; nothing for a follow-up."""
        if not isinstance(made, Contact):
            return ()
        values = {"title": made.title, "role": made.role_id, "level": made.level, "phone": made.phone}
        return tuple(value for column, value in values.items() if column in self._context.places)


def _again(where: str, *, is_same: bool) -> tuple[str, tuple[CellFinding, ...]]:
    """A row whose key is there already: passed over when it says the same, refused when it says something else."""
    if is_same:
        return "duplicate", (CellFinding("", f"与{where}已有的相同，不再导入"),)
    return "error", (CellFinding("name", f"{where}已有同名联系人，内容不同；请在客户页修改，或以不同姓名区分"),)


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


def _move_last_contact(made: list[Activity]) -> dict[int, list[str | None]]:
    """Set the day of the last contact; gives by customer the day before and the day now, where it moved."""
    latest: dict[int, dt.date] = {}
    for activity in made:
        if activity.kind != Activity.Kind.NOTE:
            day = timezone.localdate(activity.happened_at)
            latest[activity.customer_id] = max(day, latest.get(activity.customer_id, day))
    moved: dict[int, list[str | None]] = {}
    rows = list(Customer.objects.filter(pk__in=latest))
    for customer in rows:
        before = customer.last_contact_date
        customer.last_contact_date = max(latest[customer.pk], before or dt.date.min)
        if customer.last_contact_date != before:
            moved[customer.pk] = [before.isoformat() if before else None, customer.last_contact_date.isoformat()]
    Customer.objects.bulk_update(rows, ["last_contact_date"], batch_size=5_000)
    return moved
