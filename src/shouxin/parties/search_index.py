"""Keep what customers are found by: one statement for any number of them, the lexemes made in Python.

Rooms above this one hold what customers are found by too (follow-ups, people and their telephones); they register a
source here.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db import connection
from django.db.models import Lookup

from shouxin.domain.search_text import SearchFields, search_vector
from shouxin.parties.models import ContactPoint, Customer, FormerName, Party

TextSource = Callable[[Collection[int]], Mapping[int, list[str]]]
_text_sources: list[TextSource] = []
_digit_sources: list[TextSource] = []


def register_text_source(source: TextSource) -> None:
    """Add a reader of texts by customer id; called once when a room starts."""
    if source not in _text_sources:
        _text_sources.append(source)


def register_digit_source(source: TextSource) -> None:
    """Add a reader of telephone digits by customer id; called once when a room starts."""
    if source not in _digit_sources:
        _digit_sources.append(source)


@SearchVectorField.register_lookup
class Matches(Lookup[bool]):
    """``search__matches="'鹏飞'"``: the text index against a query made by ``search_query``."""

    lookup_name = "matches"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, values = self.process_lhs(compiler, connection)
        return f"{left} @@ %s::tsquery", (*values, self.rhs)


@SearchVectorField.register_lookup
class MatchesRowByRow(Matches):
    """The same, hidden from the text index: for a list whose order finds a page of many hits sooner than it sorts
    them all."""

    lookup_name = "matches_row_by_row"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, values = self.process_lhs(compiler, connection)
        return f"CASE WHEN {left} @@ %s::tsquery THEN true ELSE false END", (*values, self.rhs)


def index_customers(customer_ids: Iterable[int]) -> None:
    """Build the text index of these customers anew, in the caller's transaction."""
    ids = sorted(set(customer_ids))
    if not ids:
        return
    vectors = [search_vector(fields) for fields in _fields_of(ids)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE parties_customer c SET search = n.v::tsvector"
            " FROM unnest(%s::bigint[], %s::text[]) AS n(id, v) WHERE c.id = n.id",
            [ids, vectors],
        )


def index_customers_of_parties(party_ids: Iterable[int]) -> None:
    index_customers(Customer.objects.filter(party__in=list(party_ids)).values_list("pk", flat=True))


def _fields_of(ids: list[int]) -> Iterable[SearchFields]:
    customers = {c.pk: c for c in Customer.objects.filter(pk__in=ids).select_related("party")}
    contacts: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for point in ContactPoint.objects.filter(customer__in=ids):
        kept = point.digits if point.kind == ContactPoint.Kind.PHONE else point.value
        contacts[point.customer_id, point.kind].append(kept)
    former: defaultdict[int, list[str]] = defaultdict(list)
    for party, name in FormerName.objects.filter(party__customer__in=ids).values_list("party", "name"):
        former[party].append(name)
    texts, digits = _gathered(_text_sources, ids), _gathered(_digit_sources, ids)
    for pk in ids:
        customer = customers[pk]
        phones = [*contacts[pk, ContactPoint.Kind.PHONE], *digits[pk]]
        yield SearchFields(
            name=customer.party.name,
            is_person=customer.party.kind == Party.Kind.PERSON,
            number=customer.number,
            uscc=customer.party.uscc or "",
            former_names=tuple(former[customer.party_id]),
            digits=tuple(dict.fromkeys(d for d in phones if d)),
            mails=tuple(contacts[pk, ContactPoint.Kind.EMAIL]),
            texts=(*filter(None, [customer.next_step, customer.note, customer.party.short_name]), *texts[pk]),
        )


def _gathered(sources: list[TextSource], ids: list[int]) -> defaultdict[int, list[str]]:
    """What all registered sources say, by customer id."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for source in sources:
        for pk, words in source(ids).items():
            found[pk].extend(words)
    return found
