"""One act on many customers of the list, as one statement each: class and tags."""

import datetime as dt
from collections.abc import Collection

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.parties.models import Classification, Customer, CustomerClass, CustomerTag, Tag
from shouxin.parties.ownership import lock_customers
from shouxin.parties.services import CustomerInputError


@transaction.atomic
def classify_many(
    *, actor: Staff, customer_ids: Collection[int], customer_class: CustomerClass, business_date: dt.date
) -> int:
    """Give many customers a class; the earlier ones end that day. Gives how many changed."""
    ids = [customer.pk for customer in lock_customers(customer_ids)]
    changing = Classification.objects.filter(
        customer__in=ids, scheme=customer_class.scheme_id, valid_to__isnull=True
    ).exclude(customer_class=customer_class)
    changing.update(valid_to=business_date)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO parties_classification"
            " (customer_id, scheme_id, customer_class_id, valid_from, decided_by_id)"
            " SELECT i, %(scheme)s, %(class)s, %(day)s, %(by)s FROM unnest(%(ids)s::bigint[]) AS i"
            " WHERE NOT EXISTS (SELECT FROM parties_classification k"
            "  WHERE k.customer_id = i AND k.scheme_id = %(scheme)s AND k.valid_to IS NULL)",
            {"scheme": customer_class.scheme_id, "class": customer_class.pk, "day": business_date, "by": actor.pk,
             "ids": ids},
        )  # fmt: skip
        count: int = cursor.rowcount
    Customer.objects.filter(pk__in=ids).update(updated_at=timezone.now())
    _record(actor, "classified", f"{count} 户改为 {customer_class.name}", ids, business_date)
    return count


@transaction.atomic
def tag_many(*, actor: Staff, customer_ids: Collection[int], name: str, business_date: dt.date) -> int:
    """Put a tag on many customers, making it when it is new. Gives how many had it not yet."""
    name = name.strip()
    if not name or len(name) > 40:
        raise CustomerInputError({"tag": "请填写标签，最多 40 字"})
    tag, _ = Tag.objects.get_or_create(name=name)
    ids = list(Customer.objects.filter(pk__in=customer_ids).values_list("pk", flat=True))
    before = CustomerTag.objects.filter(tag=tag, customer__in=ids).count()
    CustomerTag.objects.bulk_create(
        [CustomerTag(customer_id=pk, tag=tag) for pk in ids], ignore_conflicts=True, batch_size=5_000
    )
    _record(actor, "tagged", f"{len(ids) - before} 户加上标签 {name}", ids, business_date)
    return len(ids) - before


def _record(actor: Staff, what: str, summary: str, ids: list[int], day: dt.date) -> None:
    audit.record(
        actor=actor,
        action=f"parties.customers.{what}",
        subject=("bulk", "customers"),
        summary=summary,
        business_date=day,
        details={"customers": ids[:1000], "count": len(ids)},
    )
