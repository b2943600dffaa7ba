"""Migrations of a database that has rows."""

from importlib import import_module

from django.db import connection

from shouxin.parties.services import add_customer, create_party
from tests.conftest import DAY, SmallBank


def test_the_list_columns_of_existing_customers_are_filled(small_bank: SmallBank) -> None:
    """The rows' deferred foreign keys are checked before their table is altered."""
    existing = import_module("shouxin.parties.migrations.0003_list_columns").EXISTING
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL shouxin.list_columns = 'given'")  # as before the triggers were there
        customer = add_customer(
            actor=None, party=create_party(kind="org", name="明远"), unit=small_bank.west,
            owner=small_bank.manager_west, business_date=DAY,
        )  # fmt: skip
        customer.refresh_from_db()
        assert customer.main_owner_id is None
        cursor.execute(existing)
    customer.refresh_from_db()
    assert customer.main_owner_id == small_bank.manager_west.pk
