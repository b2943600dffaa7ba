"""What the list repeats and what stands behind it in the database."""

import pytest
from django.db import IntegrityError, connection, transaction

from shouxin.parties.models import Classification, ClassScheme, CustomerClass
from shouxin.parties.services import add_prospect
from shouxin.parties.verify import list_breaches
from tests.conftest import DAY, SmallBank


def test_a_class_of_another_scheme_and_a_wrong_copy_are_found(small_bank: SmallBank) -> None:
    one, two = (ClassScheme.objects.create(code=c, name=c, is_main=c == "one") for c in ("one", "two"))
    chosen = CustomerClass.objects.create(scheme=one, code="A", name="A", follow_up_days=7, position=1)
    customer = add_prospect(
        actor=small_bank.manager_east, name="甲", kind="org", contacts=(), customer_class=None, business_date=DAY
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS class_is_of_that_scheme IMMEDIATE")
    with pytest.raises(IntegrityError, match="class_is_of_that_scheme"), transaction.atomic():
        Classification.objects.create(customer=customer, scheme=two, customer_class=chosen, valid_from=DAY)
    assert list_breaches() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE parties_customer DISABLE TRIGGER list_columns_are_derived")
        cursor.execute("UPDATE parties_customer SET main_owner_id = %s", [small_bank.manager_west.pk])
        cursor.execute("ALTER TABLE parties_customer ENABLE TRIGGER list_columns_are_derived")
    assert [number for number, _ in list_breaches()] == [customer.number]
