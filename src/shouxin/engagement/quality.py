"""How complete and how right the list is (SM-16): facts known, ways that no longer work, entries that may be one."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Case, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from shouxin.engagement.models import Contact
from shouxin.parties.models import ContactPoint, Customer, DuplicatePair

FACTS = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures over some customers; ``completeness_percent`` is the mean of each customer's, None without any."""

    customers: int
    completeness_percent: int | None
    to_repair: int
    bounced_mails: int
    dead_phones: int
    duplicate_pairs: int


def quality_of(customers: QuerySet[Customer]) -> Quality:
    """The same ten facts as on a customer's page, for many customers in a fixed number of statements."""
    ids = customers.order_by().values("pk")
    known = sum((_one(condition) for condition in _facts()), Value(0))
    figures = (
        Customer.objects.filter(pk__in=ids)
        .annotate(known=known)
        .aggregate(n=Count("pk"), mean=Avg("known"), bad=Count("pk", filter=Q(is_valid=False)))
    )
    dead = ContactPoint.objects.filter(customer__in=ids, is_working=False)
    mean = figures["mean"]
    return Quality(
        customers=figures["n"],
        completeness_percent=None if mean is None else int(mean * 100 / FACTS),
        to_repair=figures["bad"],
        bounced_mails=dead.filter(kind=ContactPoint.Kind.EMAIL).count(),
        dead_phones=dead.filter(kind=ContactPoint.Kind.PHONE).count(),
        duplicate_pairs=DuplicatePair.objects.filter(
            state=DuplicatePair.State.OPEN, first__in=ids, second__in=ids
        ).count(),
    )


def _facts() -> list[Any]:
    works = ContactPoint.objects.filter(customer=OuterRef("pk"), is_working=True)
    person = Contact.objects.filter(customer=OuterRef("pk")).exclude(name="")
    return [
        (Q(party__uscc__isnull=False) & ~Q(party__uscc=""))
        | (Q(party__identity_number__isnull=False) & ~Q(party__identity_number="")),
        ~Q(party__industry="", party__sex=""),
        Q(Exists(works.filter(kind=ContactPoint.Kind.PHONE))),
        Q(Exists(works.filter(kind__in=[ContactPoint.Kind.EMAIL, ContactPoint.Kind.ADDRESS]))),
        Q(Exists(person)),
        Q(main_class__isnull=False),
        Q(main_owner__isnull=False),
        ~Q(next_step=""),
        Q(last_contact_date__isnull=False),
        ~Q(org_type=""),
    ]


def _one(condition: Any) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
