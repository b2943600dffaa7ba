"""Take an import back: what it made goes and what it changed comes back, unless somebody has worked on it since.

Each effect ends in one of four: reversed, kept (edited or used since), gone (no longer there), failed (refused by the
database; nothing of that row changed).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from django.db import IntegrityError, connection, transaction
from django.db.models import Model, ProtectedError

from shouxin.bank.models import CapitalFigure
from shouxin.engagement.models import Activity, Contact
from shouxin.groups import models as groups
from shouxin.parties.merging import foreign_keys_to
from shouxin.parties.models import ContactPoint, Customer, FormerName, Party
from shouxin.parties.search_index import index_customers, index_customers_of_parties
from shouxin.parties.services import search_keys
from shouxin.reporting.import_kinds import is_still, restore
from shouxin.reporting.models import ImportEffect

Undo = Callable[[Sequence[ImportEffect], dt.date], None]
"""Sets ``undo_state`` of each effect, inside the caller's transaction."""


# --- customers -------------------------------------------------------------------------------------------------------


def undo_customers(part: Sequence[ImportEffect], day: dt.date) -> None:
    stamps = {e.target_id: e.stamp for e in part if e.is_new}
    taken, there = _undo_created(stamps) if stamps else (set(), set())
    for effect in part:
        if effect.is_new:
            effect.undo_state = (
                "reversed" if effect.target_id in taken else "kept" if effect.target_id in there else "gone"
            )
            continue
        try:
            with transaction.atomic():
                effect.undo_state = _undo_updated(effect, day)
        except IntegrityError:
            effect.undo_state = "failed"


def _undo_created(stamps: Mapping[int, dt.datetime], *, takes_party: bool = True) -> tuple[set[int], set[int]]:
    """Take away customers that an import made and nobody has touched since: ids taken away, ids there at all.

    ``stamps`` is the moment of each one's making. Their parties go too, where nothing else refers to them.
    """
    locked = Customer.objects.select_for_update().filter(pk__in=stamps)
    rows = list(locked.values_list("pk", "party", "updated_at"))
    same = {pk: party for pk, party, at in rows if at == stamps[pk]}
    for pk in _worked_on(list(same)):
        del same[pk]
    used = _referenced("parties_customer", list(same), own={
        "parties_ownership", "parties_classification", "parties_contactpoint", "parties_customertag",
    })  # fmt: skip
    gone = [pk for pk in same if pk not in used]
    parties = [same[pk] for pk in gone] if takes_party else []
    with connection.cursor() as cursor:
        for table in ("parties_customertag", "parties_ownership", "parties_classification", "parties_contactpoint"):
            cursor.execute(f"DELETE FROM {table} WHERE customer_id = ANY(%s)", [gone])  # noqa: S608 - fixed names
        cursor.execute("DELETE FROM parties_customer WHERE id = ANY(%s)", [gone])
        kept = _referenced("parties_party", parties, own={"parties_formername"})
        free = [pk for pk in parties if pk not in kept]
        cursor.execute("DELETE FROM parties_formername WHERE party_id = ANY(%s)", [free])
        cursor.execute("DELETE FROM parties_party WHERE id = ANY(%s) AND source_id IS NULL", [free])
    return set(gone), {pk for pk, _, _ in rows}


_WORKED_ON = """
SELECT customer_id FROM parties_customertag WHERE customer_id = ANY(%(ids)s)
UNION SELECT customer_id FROM parties_classification WHERE customer_id = ANY(%(ids)s) AND decided_by_id IS NOT NULL
UNION SELECT customer_id FROM parties_ownership WHERE customer_id = ANY(%(ids)s)
   AND (kind <> 'main' OR origin <> 'imported' OR valid_to IS NOT NULL)
UNION SELECT customer_id FROM parties_contactpoint WHERE customer_id = ANY(%(ids)s)
   AND (checked_date IS NOT NULL OR NOT is_working)
"""


def _worked_on(ids: list[int]) -> set[int]:
    """Customers whose own parts show that somebody went on with them, even if their row was left as it was."""
    with connection.cursor() as cursor:
        cursor.execute(_WORKED_ON, {"ids": ids})
        return {pk for (pk,) in cursor.fetchall()}


def _undo_updated(effect: ImportEffect, business_date: dt.date) -> str:
    """Put back what one row changed, unless somebody has worked on the customer since."""
    customer = (
        Customer.objects.select_for_update(of=("self",)).select_related("party").filter(pk=effect.target_id).first()
    )
    if customer is None:
        return "gone"
    before = dict(effect.before or {})
    if customer.updated_at != effect.stamp or ("class" in before and _was_classified_since(customer)):
        return "kept"
    changed_before = before.pop("updated_at", None)
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
    if changed_before:  # an earlier import of this customer can be undone after this one
        Customer.objects.filter(pk=customer.pk).update(updated_at=changed_before)
    index_customers([customer.pk])
    return "reversed"


def _was_classified_since(customer: Customer) -> bool:
    """An import decides in nobody's name; a class with a name beside it was given by a person later."""
    return customer.classifications.filter(
        scheme__is_main=True, valid_to__isnull=True, decided_by__isnull=False
    ).exists()


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


# --- rows of any other table -----------------------------------------------------------------------------------------


def _undo_rows(model: type[Model], part: Sequence[ImportEffect]) -> None:
    """Rows with a snapshot: whose values are still those that the import left goes, or gets its old values back."""
    table = model._meta.db_table
    rows = model._default_manager.select_for_update().in_bulk([e.target_id for e in part])
    used = _referenced(table, [e.target_id for e in part if e.is_new], own=set())
    for effect in part:
        row, kept = rows.get(effect.target_id), effect.before or {}
        if row is None:
            effect.undo_state = "gone"
        elif not is_still(row, kept["after"]) or (effect.is_new and effect.target_id in used):
            effect.undo_state = "kept"
        else:
            effect.undo_state = _take_back(row, effect)


def _take_back(row: Model, effect: ImportEffect) -> str:
    try:
        with transaction.atomic():
            if effect.is_new:
                row.delete()
            else:
                restore(row, (effect.before or {})["before"])
                row.save()
    except ProtectedError:
        return "kept"
    except IntegrityError:
        return "failed"
    return "reversed"


def _of(model: type[Model]) -> Undo:
    def undo(part: Sequence[ImportEffect], day: dt.date) -> None:  # noqa: ARG001
        _undo_rows(model, part)

    return undo


def undo_entities(part: Sequence[ImportEffect], day: dt.date) -> None:  # noqa: ARG001
    """Customers that the import put on the list go first; who stays on the list keeps the party too."""
    listed = {e.line: (e.before or {})["customer"] for e in part if "customer" in (e.before or {})}
    stamps = {pk: dt.datetime.fromisoformat(at) for pk, at in listed.values()}
    taken, _ = _undo_created(stamps, takes_party=False) if stamps else (set(), set())
    stays = {line for line, (pk, _) in listed.items() if pk not in taken}
    for effect in part:
        if effect.line in stays:
            effect.undo_state = "kept"
    rest = [e for e in part if not e.undo_state]
    changed = [e.target_id for e in rest if not e.is_new]
    _undo_rows(Party, rest)
    for party in Party.objects.filter(pk__in=changed):
        for key, text in search_keys(party.name).items():
            setattr(party, key, text)
        party.save(update_fields=["pinyin", "pinyin_initials"])
    index_customers_of_parties(changed)


def undo_contacts(part: Sequence[ImportEffect], day: dt.date) -> None:  # noqa: ARG001
    """People at customers go, and customers are not found by them any more."""
    _undo_rows(Contact, part)
    index_customers({(e.before or {})["after"]["customer"] for e in part})


def undo_follow_ups(part: Sequence[ImportEffect], day: dt.date) -> None:  # noqa: ARG001
    """Follow-ups go; the day of the last contact comes back where it is still the one that they set."""
    customers = {e.target_id: (e.before or {})["after"]["customer"] for e in part}
    _undo_rows(Activity, part)
    for effect in part:
        before, now = (effect.before or {}).get("last_contact", (None, None))
        if effect.undo_state == "reversed" and now is not None:
            Customer.objects.filter(pk=customers[effect.target_id], last_contact_date=now).update(
                last_contact_date=before
            )
    index_customers(Customer.objects.filter(pk__in={customers[e.target_id] for e in part}).values_list("pk", flat=True))


UNDO: Mapping[str, Undo] = {
    "customers": undo_customers,
    "contacts": undo_contacts,
    "follow_ups": undo_follow_ups,
    "entities": undo_entities,
    "holdings": _of(groups.Holding),
    "agreements": _of(groups.Agreement),
    "concert": _of(groups.ConcertMember),
    "kin": _of(groups.KinLink),
    "posts": _of(groups.Post),
    "dependence": _of(groups.Dependence),
    "guarantees": _of(groups.Guarantee),
    "capital": _of(CapitalFigure),
}
