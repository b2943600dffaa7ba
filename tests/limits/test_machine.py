"""The ledger beside an oracle of holds, over random acts."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.limits.machine import LedgerMachine


@pytest.mark.django_db
def test_no_sequence_of_acts_leads_away_from_the_oracle() -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
