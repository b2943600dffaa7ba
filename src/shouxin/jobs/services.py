"""Run a job once per run key, and go on with it after a crash.

A job is a function that may be called again from the start: it commits in steps and each step finds what is left to
do. ``run_once`` keeps the answer, so that the second call of a finished run gives the first one's result.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from shouxin.jobs.models import JobRun


class JobBusyError(Exception):
    """The same run is at work in another process; come back later."""


def run_once(*, job: str, run_key: str, act: Callable[[], Mapping[str, object]]) -> dict[str, object]:
    """Do ``act`` unless this run is done already, and give its result.

    Raises:
        JobBusyError: another process is doing this run now.
        Exception: whatever ``act`` raises; the run is marked as failed and may be called again.
    """
    with _claimed(f"{job}:{run_key}"):
        run, _ = JobRun.objects.get_or_create(job=job, run_key=run_key)
        if run.state == JobRun.State.DONE:
            return dict(run.result)
        _note(run, state=JobRun.State.RUNNING, attempts=run.attempts + 1, started_at=timezone.now(), error="")
        try:
            result = dict(act())
        except Exception as error:
            if not connection.needs_rollback:
                _note(run, state=JobRun.State.FAILED, finished_at=timezone.now(), error=repr(error)[:2000])
            raise
        _note(run, state=JobRun.State.DONE, finished_at=timezone.now(), result=result)
        return result


@contextmanager
def _claimed(name: str) -> Iterator[None]:
    """Hold a lock that ends with this connection, so that a killed worker leaves nothing behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 7))", [name])
        if not cursor.fetchone()[0]:
            raise JobBusyError(f"{name} is running already")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 7))", [name])


def _note(run: JobRun, **fields: object) -> None:
    for name, value in fields.items():
        setattr(run, name, value)
    run.save(update_fields=list(fields))
