"""Imports as jobs: staged with a check of every row, mended, run part by part, stopped, gone on with, undone.

Each part is one transaction that writes its rows, their effects and how far the job is; whatever ends a run between
two parts loses nothing and doubles nothing. ``created + updated + skipped + failed = rows read`` is a constraint.
"""

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Max
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.intake.customer_rows import match_columns
from shouxin.intake.evidence_files import EvidenceError, RowError
from shouxin.intake.list_files import ListFile, open_list
from shouxin.reporting.import_kinds import Context, Effect, Found, Importer, PartRows, Ready
from shouxin.reporting.import_tables import KINDS, Kind
from shouxin.reporting.models import CELL_BREAK, ImportEffect, ImportJob, ImportMapping, ImportRow

PART_ROWS = 5_000
"""Small enough that the next part is ready soon and a stop comes soon, big enough that a part costs little itself."""
_HELPED_FROM = 10_000
Progress = Callable[[ImportJob], None]


class ImportRefusedError(ValueError):
    """An act on a job that its state does not allow; the text says what is allowed."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- stage and check -----------------------------------------------------------------------------------------------


def stage_file(
    *,
    actor: Staff | None,
    path: Path,
    business_date: dt.date,
    name: str = "",
    table: str = "customers",
    columns: dict[str, str] | None = None,
    header_row: int | None = None,
) -> ImportJob:
    """Read a file into a job and check every row. ``columns`` maps titles of the file to columns of the table.

    Raises:
        EvidenceError: the file is no list, or a needed column is not there; no job is kept.
    """
    source = open_list(path, name=name, sheet=table, header_row=header_row, known=_known(table, columns))
    job = _keep_job(source, actor=actor, path=path, business_date=business_date, table=table, columns=columns)
    try:
        return check_job(job=job, path=path, source=source)
    except EvidenceError:
        discard(job)
        raise


def open_job(
    *,
    actor: Staff | None,
    path: Path,
    business_date: dt.date,
    name: str = "",
    table: str = "customers",
    columns: dict[str, str] | None = None,
    header_row: int | None = None,
) -> ImportJob:
    """Look at a file and keep a job for it; its rows are read by ``check_job``. Raises EvidenceError for no list."""
    source = open_list(path, name=name, sheet=table, header_row=header_row, known=_known(table, columns))
    return _keep_job(source, actor=actor, path=path, business_date=business_date, table=table, columns=columns)


def _keep_job(
    source: ListFile, *, actor: Staff | None, path: Path, business_date: dt.date, table: str,
    columns: dict[str, str] | None,
) -> ImportJob:  # fmt: skip
    places = places_of(source.titles, columns, table=table)
    return ImportJob.objects.create(
        table=table, file_name=source.name[:200], file_sha256=sha256_of(path), encoding=source.encoding,
        titles=list(source.titles), samples=source.samples(), places=places, started_by=actor,
        business_date=business_date, stored_path=str(path), header_row=source.header_row,
    )  # fmt: skip


def _known(table: str, columns: dict[str, str] | None) -> Callable[[tuple[str, ...]], int]:
    """How many titles of a row the table, or the given mapping, has a column for."""
    return lambda titles: len(places_of(titles, columns, table=table))


@transaction.atomic
def set_header_row(*, job: ImportJob, path: Path, header_row: int) -> ImportJob:
    """Take the titles from another row; what was checked before is dropped. Raises EvidenceError for no such row."""
    source = open_list(path, name=job.file_name, sheet=job.table, header_row=header_row)
    job = ImportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if job.state not in {ImportJob.State.STAGED, ImportJob.State.CHECKED}:
        raise ImportRefusedError(f"该导入{job.get_state_display()}，不能再改表头。")
    ImportRow.objects.filter(job=job).delete()
    job.header_row, job.titles, job.samples = source.header_row, list(source.titles), source.samples()
    job.places = places_of(source.titles, None, table=job.table)
    job.state = ImportJob.State.STAGED
    job.rows_read = job.new_rows = job.update_rows = job.duplicate_rows = job.error_rows = 0
    job.save(
        update_fields=["header_row", "titles", "samples", "places", "state", "rows_read", "new_rows", "update_rows",
                       "duplicate_rows", "error_rows"],
    )  # fmt: skip
    return job


@transaction.atomic
def check_job(
    *, job: ImportJob, path: Path, columns: dict[str, str] | None = None, source: ListFile | None = None
) -> ImportJob:
    """Read every row of a job's file and check it; again after another mapping. Raises EvidenceError."""
    source = source or open_list(path, name=job.file_name, sheet=job.table, header_row=job.header_row)
    job = ImportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if job.state not in {ImportJob.State.STAGED, ImportJob.State.CHECKED}:
        raise ImportRefusedError(f"该导入{job.get_state_display()}，不能再检查。")
    if columns is not None:
        job.places = places_of(source.titles, columns, table=job.table)
    kind = kind_of(job)
    missing = [kind.title(column) for column in kind.needed if column not in job.places]
    if missing:
        reason = f"缺少列 {'、'.join(missing)}；现有 {'、'.join(source.titles)}"
        raise EvidenceError([RowError(source.name, source.header_row, "", reason, "COLUMN_MISSING")])
    job.save(update_fields=["places"])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reporting_importrow WHERE job_id = %s", [job.pk])
    _check_into(job, source.rows())
    return job


def kind_of(job: ImportJob) -> Kind:
    return KINDS[job.table]


def places_of(titles: Sequence[str], columns: dict[str, str] | None, *, table: str = "customers") -> dict[str, int]:
    """The place of each column: by the given mapping, or by name and synonym."""
    known = KINDS[table].columns
    if not columns:
        return match_columns(tuple(titles), known)
    return {column: titles.index(title) for title, column in columns.items() if title in titles and column in known}


def _importer_of(job: ImportJob) -> Importer:
    actor = job.started_by
    scope = scope_of(actor, as_of=job.business_date) if actor else None
    return kind_of(job).importer(
        Context(actor=actor, scope=scope, day=job.business_date, places=job.places, width=len(job.titles))
    )


def _check_into(job: ImportJob, rows: Iterator[tuple[int, list[str]]]) -> None:
    """Check rows and keep them with what was found; the job's counts are set."""
    importer = _importer_of(job)
    counts = dict.fromkeys(ImportRow.State.values, 0)
    while part := list(islice(rows, PART_ROWS if importer.is_in_parts else None)):
        found = {f.line: f for f in importer.check_rows(part)}
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY reporting_importrow (job_id, line, text, state, findings, target_id) FROM STDIN") as copy,
        ):
            copy.write("".join([_row_line(job.pk, line, cells, found[line]) for line, cells in part]))
        for state, n in Counter(f.state for f in found.values()).items():
            counts[state] += n
    job.rows_read = sum(counts.values())
    job.new_rows, job.update_rows = counts["new"], counts["update"]
    job.duplicate_rows, job.error_rows = counts["duplicate"], counts["error"]
    job.state = ImportJob.State.CHECKED
    job.save(update_fields=["rows_read", "new_rows", "update_rows", "duplicate_rows", "error_rows", "state"])


_NULL = "\\N"


def _row_line(job_id: int, line: int, cells: list[str], found: Found) -> str:
    """A line for COPY."""
    joined = "".join(cells)
    if joined.isprintable() and "\\" not in joined:
        text = CELL_BREAK.join(cells)
    else:
        text = _escaped(CELL_BREAK.join(map(_without_breaks, cells)))
    findings = _escaped(json.dumps(found.findings, ensure_ascii=False)) if found.findings else _NULL
    return f"{job_id}\t{line}\t{text}\t{found.state}\t{findings}\t{found.target_id or _NULL}\n"


def _without_breaks(cell: str) -> str:
    return cell.replace(CELL_BREAK, " ").replace("\0", " ")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


@transaction.atomic
def fix_row(*, job: ImportJob, line: int, cells: list[str]) -> ImportRow:
    """Mend one row in place and check it again. Raises ImportRefusedError once the job has begun to run."""
    job = ImportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if job.state != ImportJob.State.CHECKED:
        raise ImportRefusedError("只有已检查、未运行的导入可以修改行。")
    row = ImportRow.objects.get(job=job, line=line)
    (found,) = _importer_of(job).check_rows([(line, cells)])
    for name, change in ((row.state, -1), (found.state, 1)):
        field = f"{name}_rows"
        setattr(job, field, getattr(job, field) + change)
    job.save(update_fields=["new_rows", "update_rows", "duplicate_rows", "error_rows"])
    ImportRow.objects.filter(job=job, line=line).update(
        text=CELL_BREAK.join(map(_without_breaks, cells)),
        state=found.state, findings=[list(f) for f in found.findings] or None, target_id=found.target_id,
    )  # fmt: skip
    return ImportRow.objects.get(job=job, line=line)


def save_mapping(*, actor: Staff | None, table: str, name: str, titles: Sequence[str], columns: dict[str, str]) -> None:
    """Keep how a file's columns are called, for the next file with the same titles."""
    ImportMapping.objects.update_or_create(
        table=table,
        name=name.strip()[:80] or "默认",
        defaults={"titles": list(titles), "columns": columns, "saved_by": actor},
    )


def find_mapping(*, table: str, titles: Sequence[str]) -> ImportMapping | None:
    return ImportMapping.objects.filter(table=table, titles=list(titles)).order_by("-pk").first()


# --- run -----------------------------------------------------------------------------------------------------------


def start(*, job: ImportJob, skips_bad_rows: bool) -> ImportJob:
    """Mark a checked or stopped job as running; of two at once, and of two jobs of one file, one is refused."""
    try:
        with transaction.atomic():
            job = ImportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
            if job.state not in {ImportJob.State.CHECKED, ImportJob.State.STOPPED, ImportJob.State.FAILED}:
                raise ImportRefusedError(f"该导入{job.get_state_display()}，不能开始。")
            if job.error_rows and not (skips_bad_rows or job.skips_bad_rows):
                raise ImportRefusedError(f"有 {job.error_rows} 行错误；请先修正，或选择跳过错误行。")
            job.skips_bad_rows = job.skips_bad_rows or skips_bad_rows
            job.state, job.is_stop_asked, job.error = ImportJob.State.RUNNING, False, ""
            job.started_at = job.started_at or timezone.now()
            job.number = job.number or _next_number()
            job.save(update_fields=["number", "skips_bad_rows", "state", "is_stop_asked", "error", "started_at"])
    except IntegrityError as error:
        raise ImportRefusedError("同一文件正在导入，请等它完成。") from error
    return job


def _next_number() -> int:
    """Numbers without gaps: the next one is taken under a lock and given back when the start does not happen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return (ImportJob.objects.aggregate(last=Max("number"))["last"] or 0) + 1


@transaction.atomic
def start_and_defer(*, job: ImportJob, skips_bad_rows: bool, defer: Callable[[int], object]) -> ImportJob:
    """Mark as running and hand to the worker in one transaction: both happen or neither."""
    job = start(job=job, skips_bad_rows=skips_bad_rows)
    defer(job.pk)
    return job


def ask_to_stop(*, job: ImportJob) -> None:
    """The run ends after the part it is at."""
    ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.RUNNING).update(is_stop_asked=True)


def run(*, job_id: int, part_rows: int = PART_ROWS, progress: Progress | None = None) -> ImportJob:
    """Write the rest of a running job. Called again after a crash it goes on where the last part was committed."""
    job = ImportJob.objects.select_related("started_by__unit").get(pk=job_id)
    if job.state != ImportJob.State.RUNNING:
        return job
    with _alone(job_id):
        try:
            _run_parts(job, part_rows, progress)
        except Exception as error:
            if not connection.in_atomic_block:
                ImportJob.objects.filter(pk=job_id).update(state=ImportJob.State.FAILED, error=repr(error)[:2000])
            raise
    return job


_LOCK = 7_210_355


@contextmanager
def _alone(job_id: int) -> Iterator[None]:
    """One process at a time works on a job. Raises ImportRefusedError for the second."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, job_id])
        if not cursor.fetchone()[0]:
            raise ImportRefusedError("该导入正在另一进程中运行。")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, job_id])


def _run_parts(job: ImportJob, part_rows: int, progress: Progress | None) -> None:
    """One part after the other; the next one is made ready while this one is written."""
    importer = _importer_of(job)
    parts = _parts(job, part_rows if importer.is_in_parts else 0)
    with closing(importer.made_ready(parts, has_many=job.rows_read - job.rows_done > _HELPED_FROM)) as made_ready:
        for rows, ready in made_ready:
            job.refresh_from_db(fields=["is_stop_asked"])
            if job.is_stop_asked:
                _finish(job, ImportJob.State.STOPPED)
                return
            with transaction.atomic():
                _write_part(job, importer, rows, ready)
            if progress:
                progress(job)
    job.refresh_from_db(fields=["is_stop_asked"])
    _finish(job, ImportJob.State.DONE)


def _parts(job: ImportJob, part_rows: int) -> Iterator[PartRows]:
    """The rest of a job's rows in order, so many at a time; all at once for 0."""
    last = job.next_line
    while True:
        rest = ImportRow.objects.filter(job=job, line__gt=last).order_by("line").values_list("line", "text", "state")
        rest = rest[:part_rows] if part_rows else rest
        part = [(line, text.split(CELL_BREAK), state) for line, text, state in rest]
        if not part:
            return
        last = part[-1][0]
        yield part


def _write_part(job: ImportJob, importer: Importer, part: PartRows, ready: Ready) -> None:
    """One part: rows that the check passed are looked up again, since the bank went on since then, and written."""
    effects, late = importer.write(ready)
    _keep_effects(job, effects, ready.stamp)
    for found in late:
        ImportRow.objects.filter(job=job, line=found.line).update(
            state="error", findings=[list(f) for f in found.findings]
        )
    created = sum(e.is_new for e in effects)
    updated = len(effects) - created
    failed = sum(state == "error" for _, _, state in part) + len(late)
    job.created, job.updated, job.failed = job.created + created, job.updated + updated, job.failed + failed
    job.skipped += len(part) - created - updated - failed
    job.rows_done, job.next_line = job.rows_done + len(part), part[-1][0]
    job.save(update_fields=["created", "updated", "failed", "skipped", "rows_done", "next_line"])


def _keep_effects(job: ImportJob, effects: Sequence[Effect], stamp: dt.datetime) -> None:
    if not effects:
        return
    head, tail = f"{job.pk}\t", f"\t{stamp}\t\n"
    lines = [
        f"{head}{line}\t{'t' if is_new else 'f'}\t{target_id}\t"
        f"{_escaped(json.dumps(before, ensure_ascii=False)) if before else _NULL}{tail}"
        for line, is_new, target_id, before in effects
    ]
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY reporting_importeffect (job_id, line, is_new, target_id, before, stamp, undo_state) FROM STDIN"
        ) as copy,
    ):
        copy.write("".join(lines))


def _finish(job: ImportJob, state: str) -> None:
    job.state = state
    job.finished_at = timezone.now()
    with transaction.atomic():
        job.save(update_fields=["state", "finished_at"])
        audit.record(
            actor=job.started_by,
            action="intake.table.imported" if state == ImportJob.State.DONE else "intake.table.import_stopped",
            subject=("import", job.number),
            summary=f"导入{kind_of(job).label}（{job.file_name}）：新增 {job.created}，更新 {job.updated}，"
            f"未变 {job.skipped}，失败 {job.failed}",
            business_date=job.business_date,
        )
    if state == ImportJob.State.DONE and job.table == "customers":
        with connection.cursor() as cursor:
            cursor.execute("SELECT gin_clean_pending_list('customer_search')")


def remaining_seconds(job: ImportJob, *, now: dt.datetime) -> int | None:
    """What the rest will take at the pace so far; None before the first part."""
    if not job.rows_done or job.started_at is None:
        return None
    return int((now - job.started_at).total_seconds() / job.rows_done * (job.rows_read - job.rows_done))


# --- undo, failed rows -----------------------------------------------------------------------------------------------


BUCKETS = ("reversed", "kept", "gone", "failed")


def undo(*, job: ImportJob, actor: Staff | None, business_date: dt.date, part_rows: int = 2_000) -> dict[str, int]:
    """Take an import back: what it made goes, what it changed comes back, unless somebody has worked on it since.

    Gives counts that add up to created + updated: reversed, kept (edited or used since), gone (not there any more),
    failed.

    Raises:
        ImportRefusedError: it did not run or is undone already, or imports of its kind cannot be taken back.
    """
    kind = kind_of(job)
    if kind.undo is None:
        raise ImportRefusedError(f"{kind.label}的导入不能撤销：{kind.why_not}。")
    if job.state not in {ImportJob.State.DONE, ImportJob.State.STOPPED, ImportJob.State.FAILED}:
        raise ImportRefusedError(f"该导入{job.get_state_display()}，不能撤销。")
    with _alone(job.pk):
        while part := list(ImportEffect.objects.filter(job=job, undo_state="").order_by("-line")[:part_rows]):
            with transaction.atomic():
                kind.undo(part, business_date)
                _keep_undo_states(job, part)
    states = ImportEffect.objects.filter(job=job).order_by().values_list("undo_state").annotate(n=Count("line"))
    result = dict.fromkeys(BUCKETS, 0) | dict(states)
    with transaction.atomic():
        ImportJob.objects.filter(pk=job.pk).update(state=ImportJob.State.UNDONE, undo_result=result)
        audit.record(
            actor=actor,
            action="intake.import.undone",
            subject=("import", job.number),
            summary=f"撤销导入{kind.label}（{job.file_name}）：已撤销 {result['reversed']}，"
            f"导入后改动而保留 {result['kept']}，已不存在 {result['gone']}，失败 {result['failed']}",
            business_date=business_date,
        )
    return result


def _keep_undo_states(job: ImportJob, part: Sequence[ImportEffect]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reporting_importeffect e SET undo_state = n.state FROM unnest(%s::int[], %s::text[]) n(line, state)"
            " WHERE e.job_id = %s AND e.line = n.line",
            [[e.line for e in part], [e.undo_state for e in part], job.pk],
        )


def failed_rows(job: ImportJob) -> Iterator[list[str]]:
    """The rows that were not imported, in the file's own columns and one more: 错误."""
    yield [*job.titles, "错误"]
    for row in ImportRow.objects.filter(job=job, state="error").order_by("line").iterator():
        cells = [*row.cells, *[""] * (len(job.titles) - len(row.cells))][: len(job.titles)]
        yield [*cells, f"第 {row.line} 行：" + "；".join(reasons_of(row, job))]


def reasons_of(row: ImportRow, job: ImportJob) -> list[str]:
    """What is wrong with a row, each with the title of its column."""
    return [f"{title_of(column, job)}：{reason}" if column else reason for column, reason in row.findings or ()]


def title_of(column: str, job: ImportJob) -> str:
    """A column as the file calls it, or as people do where the file has none."""
    place = job.places.get(column)
    return str(job.titles[place]) if place is not None else kind_of(job).title(column)


# --- in one go, for the command line ---------------------------------------------------------------------------------


def import_now(
    *,
    actor: Staff | None,
    path: Path,
    business_date: dt.date,
    table: str = "customers",
    skips_bad_rows: bool = False,
    is_dry_run: bool = False,
    columns: dict[str, str] | None = None,
    header_row: int | None = None,
    progress: Progress | None = None,
    refused: Callable[[ImportJob], None] | None = None,
) -> ImportJob:
    """Stage, check and run a file. A dry run keeps nothing and counts what would be done.

    ``refused`` is called with a job that goes no further, while its rows are still there.

    Raises:
        EvidenceError: a row is wrong and bad rows are not to be skipped; nothing is kept.
        ImportRefusedError: the same file is being imported now.
    """
    job = stage_file(
        actor=actor, path=path, business_date=business_date, columns=columns, table=table, header_row=header_row
    )
    if job.error_rows and not skips_bad_rows:
        errors = [
            RowError(job.file_name, row.line, title_of(column, job) if column else "", reason)
            for row in ImportRow.objects.filter(job=job, state="error").order_by("line")[:10_000]
            for column, reason in row.findings or ()
        ]
        if refused:
            refused(job)
        discard(job)
        raise EvidenceError(errors)
    if is_dry_run:
        job.created, job.updated = job.new_rows, job.update_rows
        job.skipped, job.failed = job.duplicate_rows, job.error_rows
        discard(job)
        return job
    start(job=job, skips_bad_rows=skips_bad_rows)
    return run(job_id=job.pk, progress=progress)


def discard(job: ImportJob) -> None:
    """Forget a job that never ran, with its rows."""
    if job.state not in {ImportJob.State.STAGED, ImportJob.State.CHECKED}:
        raise ImportRefusedError("已运行的导入不能丢弃，可以撤销。")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM reporting_importrow WHERE job_id = %s", [job.pk])
        cursor.execute("DELETE FROM reporting_importjob WHERE id = %s", [job.pk])
