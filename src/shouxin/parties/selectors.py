"""Read parties and customers, always through one person's data scope."""

import datetime as dt
import re

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery

from shouxin.bank.scope import DataScope, Reach
from shouxin.domain.identifiers import phone_digits
from shouxin.parties.models import Classification, ContactPoint, Customer, CustomerClass, Ownership, Party


def visible_customers(scope: DataScope) -> QuerySet[Customer]:
    """The customers that a person may see. Every list, search, count, export and page starts here."""
    match scope.reach:
        case Reach.ALL:
            return Customer.objects.all()
        case Reach.UNIT_AND_BELOW:
            return Customer.objects.filter(unit__path__startswith=scope.unit_path)
        case Reach.OWN:
            looked_after = Ownership.objects.filter(
                customer=OuterRef("pk"), staff=scope.staff_id, valid_to__isnull=True
            )
            return Customer.objects.filter(Exists(looked_after))
        case Reach.NOTHING:
            return Customer.objects.none()


def with_validity(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Add ``is_valid``: a name, a working contact way and a class (CL-01, A-30)."""
    has_contact = Exists(ContactPoint.objects.filter(customer=OuterRef("pk"), is_working=True))
    has_class = Exists(Classification.objects.filter(customer=OuterRef("pk"), valid_to__isnull=True))
    return customers.annotate(is_valid=ExpressionWrapper(Q(has_contact) & Q(has_class), BooleanField()))


def with_list_columns(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Add what a list row shows: class in the main scheme, owner, first telephone. No query per row."""
    open_class = Classification.objects.filter(
        customer=OuterRef("pk"), valid_to__isnull=True, scheme__is_main=True
    ).values("customer_class__name")[:1]
    owner = Ownership.objects.filter(customer=OuterRef("pk"), valid_to__isnull=True, kind=Ownership.Kind.MAIN).values(
        "staff__name"
    )[:1]
    phone = ContactPoint.objects.filter(customer=OuterRef("pk"), kind=ContactPoint.Kind.PHONE, is_working=True).values(
        "value"
    )[:1]
    return customers.select_related("party", "unit").annotate(
        class_name=Subquery(open_class), owner_name=Subquery(owner), phone=Subquery(phone)
    )


def search_filter(text: str) -> Q:
    """Match a name, a credit code, a customer number, pinyin initials or telephone digits.

    Two Chinese characters are enough. An empty text matches everything.
    """
    text = text.strip()
    if not text:
        return Q()
    found = Q(party__name__contains=text) | Q(number__iexact=text)
    if re.fullmatch(r"[0-9A-Za-z]{4,18}", text):
        found |= Q(party__uscc__istartswith=text)
    if re.fullmatch(r"[A-Za-z]{2,}", text):
        found |= Q(party__pinyin_initials__startswith=text.lower()) | Q(party__pinyin__startswith=text.lower())
    digits = phone_digits(text) if re.fullmatch(r"[\d\s()+\-（）]{4,}", text) else ""
    if len(digits) >= 4:
        found |= Q(
            Exists(ContactPoint.objects.filter(customer=OuterRef("pk"), digits__contains=digits).exclude(digits=""))
        )
    return found


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
    return list(Customer.objects.filter(same).select_related("party", "unit")[:limit])
