"""Background jobs: deferred with the transaction, done by a worker, once per run key."""

from typing import Any

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from shouxin.jobs.commands import run_worker
from shouxin.jobs.models import JobRun
from shouxin.jobs.services import JobBusyError, run_once
from shouxin.jobs.tasks import echo
from tests.conftest import RunJobs


@pytest.mark.django_db
def test_a_job_deferred_in_a_transaction_that_rolls_back_never_was() -> None:
    with transaction.atomic():
        echo.defer(text="x")
        transaction.set_rollback(True)
    assert not ProcrastinateJob.objects.exists()


def test_the_tests_own_helper_runs_what_waits(run_jobs: RunJobs) -> None:
    echo.defer(text="x")
    assert run_jobs() == ["x"]
    assert run_jobs() == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_what_waits_and_clears_it_away() -> None:
    echo.defer(text="x")
    run_worker(concurrency=1, once=True)
    assert not ProcrastinateJob.objects.exists()


@pytest.mark.django_db
def test_a_run_that_is_done_is_not_done_again() -> None:
    calls: list[int] = []

    def act() -> dict[str, Any]:
        calls.append(1)
        return {"expired": 3}

    assert run_once(job="j", run_key="2025-06-30", act=act) == {"expired": 3}
    assert run_once(job="j", run_key="2025-06-30", act=act) == {"expired": 3}
    assert run_once(job="j", run_key="2025-07-01", act=act) == {"expired": 3}
    assert len(calls) == 2


@pytest.mark.django_db(transaction=True)
def test_a_failed_run_keeps_its_error_and_may_be_tried_again() -> None:
    def fail() -> dict[str, Any]:
        raise ValueError("no rate")

    with pytest.raises(ValueError, match="no rate"):
        run_once(job="j", run_key="k", act=fail)
    assert JobRun.objects.get().state == JobRun.State.FAILED
    assert run_once(job="j", run_key="k", act=lambda: {"ok": True}) == {"ok": True}
    assert JobRun.objects.get().attempts == 2


@pytest.mark.django_db(transaction=True)
def test_two_processes_do_not_do_one_run_at_once() -> None:
    import psycopg

    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.ClientCursor}) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('j:k', 7))")
        with pytest.raises(JobBusyError):
            run_once(job="j", run_key="k", act=dict)
