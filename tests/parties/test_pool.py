"""Owners and the shared pool: one 主办, claims within limits, clocks by class, never a customer with credit."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import scope_of
from shouxin.limits.services import ensure_customer_node
from shouxin.parties import pool
from shouxin.parties.models import ClassScheme, Customer, CustomerClass, Ownership
from shouxin.parties.ownership import OwnershipError, add_assistant, cover_customers, transfer_customers
from shouxin.parties.pool import PoolError, claim, due_for_pool, recycle, release
from shouxin.parties.selectors import visible_customers
from shouxin.parties.services import add_prospect
from tests.conftest import DAY, SINCE, SmallBank


def add(owner: Staff, name: str, *, on: dt.date = DAY, customer_class: CustomerClass | None = None) -> Customer:
    return add_prospect(
        actor=owner, name=name, kind="org", contacts=(), customer_class=customer_class, business_date=on
    )


def second_manager(bank: SmallBank) -> Staff:
    staff = Staff.objects.create(username="second", name="二", unit=bank.west)
    RoleAssignment.objects.create(staff=staff, role="customer_manager", valid_from=SINCE)
    return staff


@pytest.mark.clause("CM-07")
def test_a_second_main_owner_is_refused_by_the_database(small_bank: SmallBank) -> None:
    customer = add(small_bank.manager_west, "甲")
    with pytest.raises(IntegrityError, match="one_open_main_owner"), transaction.atomic():
        Ownership.objects.create(customer=customer, staff=small_bank.manager_east, valid_from=DAY)
    add_assistant(actor=small_bank.head_west, customer=customer, staff=small_bank.manager_east, business_date=DAY)
    assert Customer.objects.get(pk=customer.pk).main_owner == small_bank.manager_west


def test_a_transfer_ends_one_interval_and_begins_another(small_bank: SmallBank) -> None:
    customer = add(small_bank.manager_west, "甲", on=DAY - dt.timedelta(days=10))
    with pytest.raises(OwnershipError, match="原因"):
        transfer_customers(
            actor=small_bank.head_west, customer_ids=[customer.pk], to_staff=small_bank.manager_east, reason=" ",
            business_date=DAY,
        )  # fmt: skip
    moved = transfer_customers(
        actor=small_bank.head_west, customer_ids=[customer.pk], to_staff=small_bank.manager_east, reason="搬迁",
        business_date=DAY,
    )  # fmt: skip
    customer.refresh_from_db()
    assert (moved, customer.main_owner, customer.unit) == (1, small_bank.manager_east, small_bank.east)
    rows = list(Ownership.objects.order_by("pk").values_list("valid_from", "valid_to"))
    assert rows == [(DAY - dt.timedelta(days=10), DAY), (DAY, None)]


def test_a_cover_ends_on_its_day(small_bank: SmallBank) -> None:
    add(small_bank.manager_west, "甲")
    substitute = second_manager(small_bank)
    with pytest.raises(OwnershipError, match="须晚于"):
        cover_customers(
            actor=small_bank.manager_west, absent=small_bank.manager_west, substitute=substitute, from_date=DAY,
            until_date=DAY, business_date=DAY,
        )  # fmt: skip
    until = DAY + dt.timedelta(days=5)
    cover_customers(
        actor=small_bank.manager_west, absent=small_bank.manager_west, substitute=substitute, from_date=DAY,
        until_date=until, business_date=DAY,
    )  # fmt: skip
    counts = [
        visible_customers(scope_of(substitute, as_of=day)).count() for day in (DAY, until - dt.timedelta(1), until)
    ]
    assert counts == [1, 1, 0]


def test_release_and_claim_with_cool_down_day_limit_and_capacity(
    small_bank: SmallBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [add(small_bank.manager_west, f"甲{n}").pk for n in range(25)]
    assert release(actor=small_bank.manager_west, customer_ids=ids, reason="无意向", business_date=DAY) == 25
    assert Customer.objects.filter(main_owner__isnull=True, pooled_date=DAY).count() == 25
    with pytest.raises(PoolError, match="2025-07-07 起方可再领"):
        claim(actor=small_bank.manager_west, customer_id=ids[0], business_date=DAY)
    for pk in ids[:20]:
        claim(actor=small_bank.manager_east, customer_id=pk, business_date=DAY)
    with pytest.raises(PoolError, match="每日最多 20 户"):
        claim(actor=small_bank.manager_east, customer_id=ids[20], business_date=DAY)
    claim(actor=small_bank.manager_east, customer_id=ids[20], business_date=DAY + dt.timedelta(days=1))
    with pytest.raises(PoolError, match="已被他人领取"):
        claim(actor=second_manager(small_bank), customer_id=ids[0], business_date=DAY)
    taken = Customer.objects.get(pk=ids[0])
    assert (taken.main_owner, taken.unit, taken.pooled_date) == (small_bank.manager_east, small_bank.east, None)


def test_a_customer_with_credit_never_goes_to_the_pool(small_bank: SmallBank) -> None:
    customer, other = add(small_bank.manager_west, "甲"), add(small_bank.manager_west, "乙")
    node = ensure_customer_node(customer)
    type(node).objects.filter(pk=node.pk).update(cap_fen=100)
    with pytest.raises(PoolError, match="授信敞口"):
        release(actor=small_bank.manager_west, customer_ids=[customer.pk, other.pk], reason="x", business_date=DAY)
    assert Customer.objects.filter(pooled_date__isnull=False).count() == 0
    late = DAY + dt.timedelta(days=400)
    assert recycle(day=late) == 1
    assert Customer.objects.get(pooled_date=late) == other
    assert recycle(day=late) == 0, "a second sweep finds nothing left to do"


def test_without_a_guard_nothing_is_recycled(small_bank: SmallBank, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = add(small_bank.manager_west, "甲")
    monkeypatch.setattr(pool, "_guard", [])
    with pytest.raises(RuntimeError, match="exposure guard"):
        release(actor=small_bank.manager_west, customer_ids=[customer.pk], reason="x", business_date=DAY)


def test_the_clock_runs_by_class_with_a_warning_before(small_bank: SmallBank) -> None:
    scheme = ClassScheme.objects.create(code="four", name="四类", is_main=True)
    classes = {
        code: CustomerClass.objects.create(scheme=scheme, code=code, name=code, follow_up_days=7, position=n)
        for n, code in enumerate("AD")
    }
    start = DAY - dt.timedelta(days=30)
    first = add(small_bank.manager_west, "甲", on=start, customer_class=classes["A"])
    add(small_bank.manager_west, "丁", on=start, customer_class=classes["D"])
    locked = add(small_bank.manager_west, "锁定", on=start, customer_class=classes["A"])
    Customer.objects.filter(pk=locked.pk).update(is_locked=True)
    rows = list(Customer.objects.select_related("main_class"))
    assert [(d.customer.party.name, d.remaining_days) for d in due_for_pool(rows, day=DAY)] == [("甲", 0), ("丁", 90)]
    assert [d.customer.pk for d in pool.candidates_for_pool(day=DAY - dt.timedelta(days=7))] == [first.pk]
    assert pool.candidates_for_pool(day=DAY - dt.timedelta(days=8)) == []
    assert recycle(day=DAY) == 0, "on the last day it is still theirs"
    Customer.objects.filter(pk=first.pk).update(last_contact_date=DAY - dt.timedelta(days=3))
    assert recycle(day=DAY + dt.timedelta(days=1)) == 0, "a contact starts the clock anew"
    Customer.objects.filter(pk=first.pk).update(last_contact_date=None)
    assert recycle(day=DAY + dt.timedelta(days=1)) == 1
