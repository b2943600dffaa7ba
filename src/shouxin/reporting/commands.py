"""``shouxin scenario`` runs a bank from a file and compares its answers; ``shouxin import`` brings a table in."""

import csv
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import click

from shouxin.intake.errors import BadInputError
from shouxin.intake.evidence_files import TABLES
from shouxin.pg.scratch import scratch_database
from shouxin.pg.session import database


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document: each question with this product's answer.")
def scenario(file: Path, as_json: bool) -> None:
    """Run the bank in FILE in a scratch database and print its own answer to every question of `expected`.

    Exit code 0 when all answers are the expected ones, 2 when one differs or the file cannot be run.
    """
    document = _read(file)
    os.environ["DJANGO_SETTINGS_MODULE"] = "shouxin.settings"
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "test")
    with scratch_database():
        answers = _run(document)
    from shouxin.reporting.scenario import is_same

    expected = document.get("expected", {})
    different = [key for key, own in answers.items() if not is_same(key, expected[key], own)]
    if as_json:
        click.echo(json.dumps(answers, ensure_ascii=False, indent=1))
    else:
        for key, own in answers.items():
            click.echo(f"{'≠' if key in different else '='} {key}: {json.dumps(own, ensure_ascii=False)}")
    for key in different:
        click.echo(f"{key}: 期望 {json.dumps(expected[key], ensure_ascii=False, default=str)}，得到 "
                   f"{json.dumps(answers[key], ensure_ascii=False)}", err=True)  # fmt: skip
    click.echo(f"{len(answers) - len(different)} of {len(answers)} answers as expected", err=True)
    if different:
        sys.exit(2)


@click.command("import")
@click.argument("table", type=click.Choice(["customers", "contacts", "follow_ups", *TABLES]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--as", "username", help="Staff number of who imports; new customers go on this person's list.")
@click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="JSON file {title in FILE: column}, or see the saved mappings in the site.")  # fmt: skip
@click.option("--header-row", type=click.IntRange(1, 20), help="Row of the column titles; found when not given.")
@click.option("--dry-run", is_flag=True, help="Check and count only; nothing is written.")
@click.option("--skip-bad-rows", is_flag=True, help="Import the good rows; the bad ones go to FILE.errors.")
@click.option("--undo", "undo_job", type=int, help="Number of a finished import to take back.")
@click.option("--resume", "resume_job", type=int, help="Number of an import that was cut off.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Private database, as for demo.")
@click.option("--json", "as_json", is_flag=True)
def import_table(
    table: str,
    file: Path | None,
    username: str | None,
    mapping: Path | None,
    header_row: int | None,
    dry_run: bool,
    skip_bad_rows: bool,
    undo_job: int | None,
    resume_job: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Import one table from a CSV file or workbook into the bank's database.

    created, updated, skipped and failed add up to the rows read. One wrong row means that nothing is written, unless
    --skip-bad-rows; the wrong ones go to FILE.errors in the same columns. Every import has a number by which it is
    resumed or undone; deals stand in the ledger and cannot be undone.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "demo")
    if file is None and undo_job is None and resume_job is None:
        raise click.UsageError("give FILE, or --undo JOB, or --resume JOB")
    with database(data):
        _set_up()
        counts = _import(table, file, username, mapping, dry_run=dry_run, skips_bad_rows=skip_bad_rows,
                         header_row=header_row, undo_job=undo_job, resume_job=resume_job)  # fmt: skip
    click.echo(json.dumps(counts) if as_json else "  ".join(f"{name} {count}" for name, count in counts.items()))


def _set_up() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def _actor(username: str | None) -> Any:
    from shouxin.bank.models import Staff

    actor = Staff.objects.select_related("unit").filter(username=username).first() if username else None
    if username and actor is None:
        raise BadInputError(f"没有工号为 {username} 的员工")
    return actor


def _import(
    table: str, file: Path | None, username: str | None, mapping: Path | None, *, dry_run: bool, skips_bad_rows: bool,
    undo_job: int | None, resume_job: int | None, header_row: int | None,
) -> dict[str, int]:  # fmt: skip
    from shouxin.bank.selectors import get_business_date
    from shouxin.intake.evidence_files import EvidenceError
    from shouxin.reporting import import_jobs
    from shouxin.reporting.models import ImportJob

    actor, day = _actor(username), get_business_date()
    job = ImportJob.objects.filter(number=undo_job or resume_job or 0, table=table).first()
    if (undo_job or resume_job) and job is None:
        raise BadInputError(f"没有编号为 {undo_job or resume_job} 的 {table} 导入")
    try:
        if undo_job and job is not None:
            return import_jobs.undo(job=job, actor=actor, business_date=day)
        if resume_job and job is not None:
            if job.state != ImportJob.State.RUNNING:
                job = import_jobs.start(job=job, skips_bad_rows=skips_bad_rows)
            job = import_jobs.run(job_id=job.pk, progress=_say_progress)
        else:
            assert file is not None  # noqa: S101 - asked for by the caller
            Path(f"{file}.errors").unlink(missing_ok=True)
            columns = json.loads(mapping.read_text(encoding="utf-8-sig")) if mapping else None
            job = import_jobs.import_now(
                actor=actor, path=file, business_date=day, table=table, skips_bad_rows=skips_bad_rows,
                is_dry_run=dry_run, columns=columns, header_row=header_row, progress=_say_progress,
                refused=lambda job: _write_failed(file, job),
            )  # fmt: skip
    except EvidenceError as error:
        _refuse_with_errors(file or Path("import"), error)
    except (import_jobs.ImportRefusedError, json.JSONDecodeError) as error:
        raise BadInputError(str(error)) from error
    if file is not None and job.failed and not dry_run:
        _write_failed(file, job)
    return {"job": job.number or 0, "read": job.rows_read, "created": job.created, "updated": job.updated,
            "skipped": job.skipped, "failed": job.failed}  # fmt: skip


def _write_failed(file: Path, job: Any) -> None:
    from shouxin.reporting import import_jobs

    with Path(f"{file}.errors").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(import_jobs.failed_rows(job))


def _say_progress(job: Any) -> None:
    from django.utils import timezone

    from shouxin.reporting.import_jobs import remaining_seconds

    left = remaining_seconds(job, now=timezone.now())
    click.echo(f"{job.rows_done:,} of {job.rows_read:,} rows, about {left or 0} s left", err=True)


def _refuse_with_errors(file: Path, error: Any) -> NoReturn:
    """Say what is wrong; a file that was no list at all has no rows that could be written beside it."""
    for row in error.errors[:100]:
        click.echo(str(row), err=True)
    listed = f"；全部列在 {file}.errors" if Path(f"{file}.errors").exists() else ""
    raise BadInputError(f"{len(error.errors)} 处有误，没有写入任何内容{listed}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file}: 不是有效的 JSON：{error}") from error
    from shouxin.reporting.scenario_file import ScenarioFileError, completed

    try:
        return completed(document)
    except ScenarioFileError as error:
        raise BadInputError(f"{file} 不能运行，没有建库：\n{error}") from error


def _run(document: dict[str, Any]) -> dict[str, Any]:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    click.echo("Preparing a scratch database …", err=True)
    call_command("migrate", interactive=False, verbosity=0)
    from shouxin.limits.services import LedgerError
    from shouxin.policy.products import UnknownProductError
    from shouxin.reporting.scenario import Answers, ScenarioError, store

    try:
        answers = Answers(store(document))
        return {key: answers.answer(key) for key in document.get("expected", {})}
    except (ScenarioError, UnknownProductError, LedgerError, KeyError, ValueError) as error:
        raise BadInputError(f"情景文件不能运行：{type(error).__name__} {error}") from error
    finally:
        connections.close_all()
