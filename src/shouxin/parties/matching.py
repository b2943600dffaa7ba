"""Find entries of the list that may be one: by telephone, mail address, address and name; a person decides."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from django.db import connection, transaction

from shouxin.domain.matching import NameIndex, near_addresses
from shouxin.parties.models import Customer, DuplicatePair, Party
from shouxin.policy import load_book

_SHARED = {
    "phone": ("电话相同", "p.digits <> '' AND p.digits", 60),
    "email": ("邮件地址相同", "lower(p.value)", 60),
    "address": ("地址相同", "p.value", 40),
}
_GROUP_MAX = 20
"""A telephone that more entries than this share is a switchboard or a mistake, no sign of one customer."""


def find_pairs(*, score_min: int) -> list[tuple[int, int, int, list[str]]]:
    """Pairs of live customers with score and reasons, the best first.

    Organisations by name and by what they share; persons only by what they share together with the very same name,
    and even so a person decides (A-32).
    """
    reasons: defaultdict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    for kind, (label, column, weight) in _SHARED.items():
        for first, second in _sharing(kind, column):
            reasons[first, second].append((weight, label))
    for first, second in _namesakes_at_near_addresses(score_min):
        reasons[first, second].append((60, "地址相近"))
    rows = list(
        Customer.objects.filter(merged_into__isnull=True, party__kind=Party.Kind.ORGANISATION)
        .order_by("pk")
        .values_list("pk", "party__name", "party__uscc")
    )
    index = NameIndex([name for _, name, _ in rows])
    for place, (pk, name, code) in enumerate(rows):
        for match in index.find(name, score_min=score_min):
            other, _, other_code = rows[match.place]
            if match.place > place and not (code and other_code and code != other_code):
                reasons[pk, other].append((match.score, match.reasons[0]))
    persons = dict(
        Customer.objects.filter(
            pk__in={pk for pair in reasons for pk in pair}, party__kind=Party.Kind.PERSON
        ).values_list("pk", "party__name")
    )
    found = []
    for (first, second), parts in reasons.items():
        if (first in persons or second in persons) and persons.get(first) != persons.get(second):
            continue
        score = min(100, max(weight for weight, _ in parts) + 15 * (len(parts) - 1))
        score = max(score, 85) if first in persons else score
        if score >= score_min:
            found.append((first, second, score, [label for _, label in parts]))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _sharing(kind: str, column: str) -> Iterable[tuple[int, int]]:
    condition, _, key = column.rpartition("AND ")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT array_agg(DISTINCT p.customer_id ORDER BY p.customer_id) FROM parties_contactpoint p"  # noqa: S608
            f" JOIN parties_customer c ON c.id = p.customer_id AND c.merged_into_id IS NULL"
            f" WHERE p.kind = %s {'AND ' + condition if condition else ''} GROUP BY {key}"
            f" HAVING count(DISTINCT p.customer_id) BETWEEN 2 AND %s",
            [kind, _GROUP_MAX],
        )
        for (ids,) in cursor.fetchall():
            yield from ((a, b) for i, a in enumerate(ids) for b in ids[i + 1 :])


def _namesakes_at_near_addresses(score_min: int) -> Iterable[tuple[int, int]]:
    """Persons of the very same name whose addresses differ in a few characters but in no number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(c.id ORDER BY c.id, t.id), array_agg(t.value ORDER BY c.id, t.id)"
            " FROM parties_contactpoint t JOIN parties_customer c ON c.id = t.customer_id AND c.merged_into_id IS NULL"
            " JOIN parties_party p ON p.id = c.party_id AND p.kind = 'person' WHERE t.kind = 'address'"
            " GROUP BY p.name HAVING count(DISTINCT c.id) BETWEEN 2 AND %s",
            [_GROUP_MAX],
        )
        for ids, addresses in cursor.fetchall():
            for (a, one), (b, other) in combinations(zip(ids, addresses, strict=True), 2):
                if a != b and one != other and near_addresses(one, other) >= score_min:
                    yield a, b


@transaction.atomic
def refresh_pairs(*, day: dt.date) -> int:
    """Look for pairs anew; what a person decided stays decided. Gives how many wait for somebody."""
    score_min = load_book().whole("crm.duplicate_score_min", day)
    DuplicatePair.objects.filter(state=DuplicatePair.State.OPEN).delete()
    DuplicatePair.objects.bulk_create(
        [
            DuplicatePair(first_id=first, second_id=second, score=score, reasons=reasons)
            for first, second, score, reasons in find_pairs(score_min=score_min)
        ],
        ignore_conflicts=True,
        batch_size=5_000,
    )
    return DuplicatePair.objects.filter(state=DuplicatePair.State.OPEN).count()
