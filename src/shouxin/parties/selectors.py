"""Read parties and customers, always through one person's data scope."""

import datetime as dt
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from shouxin.bank.scope import DataScope, Reach
from shouxin.domain.identifiers import phone_digits
from shouxin.domain.search_text import search_query
from shouxin.parties import search_index  # noqa: F401 - registers the lookup that search_filter uses
from shouxin.parties.models import Classification, ContactPoint, Customer, CustomerClass, Ownership, Party


def editable_customers(scope: DataScope) -> QuerySet[Customer]:
    """The customers in view that a person may change: not those that are only looked on after a handover."""
    if scope.reach is not Reach.OWN:
        return visible_customers(scope)
    return _own_customers(scope, but_not=Ownership.Kind.FORMER)


def visible_customers(scope: DataScope) -> QuerySet[Customer]:
    """The customers that a person may see. Every list, search, count, export, timeline and page starts here.

    Besides the reach of their roles, people see whom they assist, whom they cover for somebody absent, and for a while
    whom they handed over. A customer that was merged into another is seen as that other.
    """
    customers = Customer.objects.filter(merged_into__isnull=True)
    match scope.reach:
        case Reach.ALL:
            return customers
        case Reach.UNIT_AND_BELOW:
            # Few, if any, lie outside the units: read them first, or the list could not walk its index.
            looked_after = customers_looked_after(staff_id=scope.staff_id, as_of=scope.as_of)
            outside = list(
                looked_after.exclude(customer__unit__in=scope.unit_ids).values_list("customer_id", flat=True)
            )
            in_units = Q(unit__in=scope.unit_ids)
            return customers.filter(in_units | Q(pk__in=outside) if outside else in_units)
        case Reach.OWN:
            return _own_customers(scope)
        case Reach.NOTHING:
            return customers.none()


def _own_customers(scope: DataScope, *, but_not: str = "") -> QuerySet[Customer]:
    """Whose 主办 one is, by the index of the list, and the few to whom one has another tie, read first."""
    ties = customers_looked_after(staff_id=scope.staff_id, as_of=scope.as_of)
    besides = ties.exclude(kind=Ownership.Kind.MAIN, valid_to__isnull=True).exclude(kind=but_not)
    others = list(besides.values_list("customer_id", flat=True))
    own = Q(main_owner=scope.staff_id)
    return Customer.objects.filter(own | Q(pk__in=others) if others else own, merged_into__isnull=True)


def customers_looked_after(*, staff_id: int, as_of: dt.date) -> QuerySet[Ownership]:
    """Every open tie of a person to customers on a day, of whatever kind."""
    return Ownership.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=as_of), staff=staff_id, valid_from__lte=as_of
    ).order_by()


def list_pool() -> QuerySet[Customer]:
    """Prospects in the shared pool, the longest there first. Everybody who may pick sees their names, nothing more."""
    found = Customer.objects.filter(pooled_date__isnull=False, merged_into__isnull=True)
    return found.select_related("party", "unit").order_by("pooled_date", "pk")


def with_list_columns(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Add what a list row shows: class in the main scheme, owner, first telephone. No query per row."""
    phone = ContactPoint.objects.filter(customer=OuterRef("pk"), kind=ContactPoint.Kind.PHONE, is_working=True).values(
        "value"
    )[:1]
    return customers.select_related("party", "unit").annotate(
        class_name=F("main_class__name"), owner_name=F("main_owner__name"), phone=Subquery(phone)
    )


def search_filter(text: str, *, finds_part_of_phone: bool = True, hits_are_many: bool = False) -> Q:
    """Match names and former names, codes, pinyin and initials, telephones, mail addresses and follow-up texts.

    Two Chinese characters are enough. An empty text matches everything, one that is only signs nothing. Where hits
    are many, the rows are looked at one after the other in the order asked for.
    """
    text = text.strip()
    if not text:
        return Q()
    query = search_query(text, finds_part_of_phone=finds_part_of_phone)
    lookup = "search__matches_row_by_row" if hits_are_many else "search__matches"
    return Q(**{lookup: query}) if query else Q(pk__in=[])


def find_customer(*, number: str) -> Customer | None:
    return Customer.objects.select_related("party", "unit").filter(number=number).first()


def current_owner(customer: Customer) -> Ownership | None:
    return customer.ownerships.filter(valid_to__isnull=True, kind=Ownership.Kind.MAIN).select_related("staff").first()


def classification_on(customer: Customer, *, as_of: dt.date) -> list[Classification]:
    """The class in each scheme on a day."""
    return list(
        customer.classifications.filter(valid_from__lte=as_of)
        .filter(Q(valid_to__isnull=True) | Q(valid_to__gt=as_of))
        .select_related("scheme", "customer_class")
    )


def list_classes() -> QuerySet[CustomerClass]:
    return CustomerClass.objects.select_related("scheme")


def parties_by_source_id(source_ids: set[str]) -> dict[str, Party]:
    """Parties by the caller's own ids, in one query."""
    return {party.source_id: party for party in Party.objects.filter(source_id__in=source_ids) if party.source_id}


def find_similar(*, name: str, phone: str, limit: int = 5) -> list[Customer]:
    """Customers of the whole bank with this very name or telephone: possible duplicates of a new one."""
    same = Q(party__name=name.strip())
    digits = phone_digits(phone) if phone else ""
    if digits:
        same |= Q(Exists(ContactPoint.objects.filter(customer=OuterRef("pk"), digits=digits)))
    found = Customer.objects.filter(same, merged_into__isnull=True)
    return list(found.select_related("party", "unit", "main_owner__unit")[:limit])


@dataclass(frozen=True, slots=True)
class Referral:
    """One customer of a referral tree with how deep it stands; the root is 0."""

    customer: Customer
    depth: int


def referral_tree(customer: Customer, *, scope: DataScope) -> list[Referral]:
    """Who was referred by whom from one customer down, parents before children, inside one's view (NC-01)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE tree AS (SELECT id, 0 AS depth, ARRAY[id] AS way FROM parties_customer WHERE id = %s"
            " UNION ALL SELECT c.id, t.depth + 1, t.way || c.id FROM parties_customer c JOIN tree t"
            " ON c.referred_by_id = t.id WHERE NOT c.id = ANY(t.way) AND t.depth < 20)"
            " SELECT id, depth FROM tree ORDER BY way",
            [customer.pk],
        )
        rows = cursor.fetchall()
    if len(rows) == 1:
        return [Referral(customer, 0)]
    seen = visible_customers(scope).select_related("party").in_bulk([pk for pk, _ in rows])
    return [Referral(seen[pk], depth) for pk, depth in rows if pk in seen]
