"""Background work of this room: imports run apart from the request that started them; the pool is swept every night."""

from pathlib import Path

from procrastinate.contrib.django import app

from shouxin.bank.models import Staff
from shouxin.bank.selectors import get_business_date
from shouxin.intake.evidence_files import EvidenceError
from shouxin.parties import pool
from shouxin.reporting import import_jobs
from shouxin.reporting.models import ImportJob


@app.task(name="reporting.run_import", queue="default", retry=3)
def run_import(job_id: int) -> dict[str, int]:
    """Write a started import; called again after a crash it goes on after the last part."""
    job = import_jobs.run(job_id=job_id)
    return {"created": job.created, "updated": job.updated, "skipped": job.skipped, "failed": job.failed}


@app.task(name="reporting.undo_import", queue="default", retry=3)
def undo_import(job_id: int, staff_id: int) -> dict[str, int]:
    """Take a big import back; called again after a crash it goes on with the effects that are left."""
    job = ImportJob.objects.get(pk=job_id)
    if job.state == ImportJob.State.UNDONE:
        return dict(job.undo_result)
    actor = Staff.objects.get(pk=staff_id)
    return import_jobs.undo(job=job, actor=actor, business_date=get_business_date())


@app.task(name="reporting.check_import", queue="default")
def check_import(job_id: int) -> int:
    """Read and check the rows of an uploaded file that is too big for the request; gives the number of rows."""
    job = ImportJob.objects.get(pk=job_id)
    try:
        job = import_jobs.check_job(job=job, path=Path(job.stored_path))
    except EvidenceError as error:
        ImportJob.objects.filter(pk=job_id).update(error=str(error)[:2000])
    return job.rows_read


@app.periodic(cron="30 1 * * *")
@app.task(name="reporting.recycle_pool", queue="default")
def recycle_pool(timestamp: int) -> int:  # noqa: ARG001
    """Send prospects that nobody followed back to the pool."""
    return pool.recycle(day=get_business_date())
