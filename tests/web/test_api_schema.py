"""schemathesis sends made-up requests to the running service: no answer may leave what is described."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shouxin.facilities.services import open_facility
from shouxin.limits import services as limits
from shouxin.parties.services import add_customer, create_party
from shouxin.web.api_keys import create_client
from tests.conftest import DAY, SmallBank

EXAMPLES = 3
SECONDS_MAX = 240


@pytest.mark.django_db(transaction=True)
def test_the_running_service_answers_as_described(small_bank: SmallBank, live_server: Any, tmp_path: Path) -> None:
    customer = add_customer(
        actor=None, party=create_party(kind="org", name="明远"), unit=small_bank.west, owner=small_bank.manager_west,
        business_date=DAY,
    )  # fmt: skip
    open_facility(
        actor=None, customer=customer, branch=small_bank.west, product="working_capital_loan", number="HT-1",
        start_date=DAY, end_date=dt.date(2026, 1, 1), business_date=DAY,
    )  # fmt: skip
    limits.ensure_customer_node(customer)
    key = create_client(
        name="schemathesis",
        username="manager-west",
        scopes=["read", "book", "reverse", "cases"],
        calls_per_minute=10**6,
    )
    outcome = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{live_server.url}/api/openapi.json"),
            *("-H", f"X-API-Key: {key}", "-H", "Idempotency-Key: fuzz", "--max-examples", str(EXAMPLES)),
            *("--seed", "1", "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"),
            # A well-formed request may be refused by a rule (a past expiry): that is a 422 with findings.
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        capture_output=True, text=True, cwd=tmp_path, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]
