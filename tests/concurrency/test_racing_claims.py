"""Eight people pick from the pool at once, each on a connection of their own: every customer goes to exactly one."""

import threading
from collections import Counter

import pytest
from django.db import connection, connections

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.parties import pool
from shouxin.parties.models import Customer, Ownership
from shouxin.parties.pool import PoolError, claim
from shouxin.parties.services import add_prospect
from tests.conftest import DAY, SINCE, SmallBank

PICKERS, CUSTOMERS = 8, 200


@pytest.mark.django_db(transaction=True)
def test_200_customers_and_8_pickers_make_exactly_200_successes(
    small_bank: SmallBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_refuse_over_limits", lambda *arguments: None)  # the race, not the day's limit
    ids = [
        add_prospect(
            actor=small_bank.manager_west, name=f"公司{n}", kind="org", contacts=(), customer_class=None,
            business_date=DAY,
        ).pk
        for n in range(CUSTOMERS)
    ]  # fmt: skip
    pool.release(actor=small_bank.manager_west, customer_ids=ids, reason="试", business_date=DAY)
    pickers = [Staff.objects.create(username=f"p{n}", name=f"p{n}", unit=small_bank.east) for n in range(PICKERS)]
    for picker in pickers:
        RoleAssignment.objects.create(staff=picker, role="customer_manager", valid_from=SINCE)
    outcomes: Counter[str] = Counter()
    together = threading.Barrier(PICKERS)

    def pick(picker: Staff) -> None:
        together.wait()
        for pk in ids:
            try:
                claim(actor=picker, customer_id=pk, business_date=DAY)
                outcomes["taken"] += 1
            except PoolError:
                outcomes["refused"] += 1
        connections.close_all()

    threads = [threading.Thread(target=pick, args=(picker,)) for picker in pickers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"taken": CUSTOMERS, "refused": CUSTOMERS * (PICKERS - 1)}
    open_ties = Ownership.objects.filter(valid_to__isnull=True, kind="main")
    assert open_ties.count() == open_ties.values("customer").distinct().count() == CUSTOMERS
    assert not Customer.objects.filter(pooled_date__isnull=False).exists()
    connection.close()
