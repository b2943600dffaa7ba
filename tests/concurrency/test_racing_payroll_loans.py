"""Eight loans of a payroll group released at once with room for five: exactly five are paid out."""

import datetime as dt
import threading
from collections import Counter

import pytest
from django.db import connection, connections

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.payroll_groups import lending
from shouxin.payroll_groups.models import Contract, Loan, LoanEntry
from shouxin.payroll_groups.rights import PayrollRefusedError
from shouxin.payroll_groups.verify import list_breaches
from tests.conftest import SINCE, SmallBank
from tests.payroll_groups import school as cast
from tests.payroll_groups.school import SIGNED, yuan


@pytest.mark.django_db(transaction=True)
def test_racing_releases_stop_exactly_at_the_limit(small_bank: SmallBank) -> None:
    school = cast.signed(small_bank, limit=400_000)
    loans = []
    for number in range(1, 9):
        cast.pay(school, number)
        loans.append(
            lending.request_loan(
                actor=school.clerk, member=school.member(number), number=f"借 {number}", amount_fen=yuan(80_000),
                due_date=dt.date(2026, 3, 1), business_date=SIGNED,
            )
        )  # fmt: skip
    releasers = [Staff.objects.create(username=f"r{n}", name=f"r{n}", unit=small_bank.west) for n in range(8)]
    for releaser in releasers:
        RoleAssignment.objects.create(staff=releaser, role="branch_head", valid_from=SINCE)
    outcomes: Counter[str] = Counter()
    together = threading.Barrier(len(loans))

    def release(releaser: Staff, loan: Loan) -> None:
        together.wait()
        try:
            lending.release_loan(actor=releaser, loan=loan, business_date=SIGNED)
            outcomes["out"] += 1
        except PayrollRefusedError as error:
            outcomes[error.findings[0].code] += 1
        connections.close_all()

    threads = [threading.Thread(target=release, args=pair) for pair in zip(releasers, loans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"out": 5, "PAYROLL_ABOVE_GROUP_LIMIT": 3}
    assert Contract.objects.get().owed_fen == yuan(400_000)
    assert LoanEntry.objects.count() == 5
    assert list_breaches() == []
    connection.close()
