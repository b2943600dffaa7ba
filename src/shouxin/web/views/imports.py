"""Imports: upload a list, map its columns, check, mend, run, stop, undo."""

import csv
import io
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from shouxin.intake.evidence_files import EVIDENCE_TABLES, EvidenceError
from shouxin.reporting import import_jobs
from shouxin.reporting.exports import neutral
from shouxin.reporting.import_jobs import ImportRefusedError
from shouxin.reporting.import_tables import KINDS, Kind
from shouxin.reporting.models import ImportJob, ImportRow
from shouxin.reporting.tasks import check_import, run_import, undo_import
from shouxin.web.access import Role, Visit, page

CHECKED_AT_ONCE_BYTES = 2_000_000
UNDONE_AT_ONCE_ROWS = 2_000
UPLOAD_BYTES_MAX = 300_000_000
ROWS_SHOWN = 50
WORKERS = (Role.CUSTOMER_MANAGER, Role.BRANCH_HEAD)
IMPORTERS = (*WORKERS, Role.IDENTIFICATION_OFFICER)
OF_WORKERS = ("customers", "contacts", "follow_ups")
OF_OFFICERS = EVIDENCE_TABLES


def _kinds_of(visit: Visit) -> list[Kind]:
    """What somebody may import here; deals and capital come in by the command, in the hands of the bank's operators."""
    tables = (OF_WORKERS if visit.has(*WORKERS) else ()) + (
        OF_OFFICERS if visit.has(Role.IDENTIFICATION_OFFICER) else ()
    )
    return [KINDS[table] for table in tables]


def _kind_asked(visit: Visit, table: str) -> Kind:
    kinds = _kinds_of(visit)
    return next((kind for kind in kinds if kind.table == table), kinds[0])


def _uploads() -> Path:
    folder = Path(os.environ.get("SHOUXIN_UPLOADS") or Path(tempfile.gettempdir()) / f"shouxin-uploads-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _jobs_of(visit: Visit) -> QuerySet[ImportJob]:
    """One's own imports; a branch head also those of the branch and below."""
    jobs = ImportJob.objects.select_related("started_by__unit")
    if visit.has(Role.BRANCH_HEAD):
        return jobs.filter(started_by__unit__path__startswith=visit.actor.unit.path)
    return jobs.filter(started_by=visit.actor)


def _job(visit: Visit, pk: int) -> ImportJob:
    job = _jobs_of(visit).filter(pk=pk).first()
    if job is None:
        raise Http404
    return job


@page(*IMPORTERS)
def show_list(request: HttpRequest, visit: Visit) -> HttpResponse:
    if request.method == "POST":
        return _upload(request, visit)
    kind, jobs = _kind_asked(visit, request.GET.get("table", "")), list(_jobs_of(visit)[:50])
    for job in jobs:
        job.label = import_jobs.kind_of(job).label  # type: ignore[attr-defined]
    return render(
        request,
        "pages/import_list.html",
        {"jobs": jobs, "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")}],
         "kinds": _kinds_of(visit), "kind": kind, "columns": _columns(kind)},
    )  # fmt: skip


def _columns(kind: Kind) -> list[tuple[str, bool, str]]:
    """Each column's title, whether it is needed, and other titles that are understood."""
    return [(kind.title(c), c in kind.needed, "、".join(kind.columns[c][1:4])) for c in kind.columns]


def _upload(request: HttpRequest, visit: Visit) -> HttpResponse:
    kind, file = _kind_asked(visit, request.POST.get("table", "")), request.FILES.get("file")
    if file is None or not file.name:
        messages.error(request, _("请选择文件。"))
        return redirect("import_list")
    if (file.size or 0) > UPLOAD_BYTES_MAX:
        messages.error(request, _("文件超过 300 MB，请用命令 shouxin import 导入。"))
        return redirect("import_list")
    path = _uploads() / f"{uuid4().hex}{Path(file.name).suffix.lower()[:6]}"
    with path.open("wb") as out:
        for block in file.chunks():
            out.write(block)
    try:
        job = import_jobs.open_job(
            actor=visit.actor,
            path=path,
            business_date=visit.business_date,
            name=file.name,
            table=kind.table,
            header_row=_header_row(request),
        )
    except EvidenceError as error:
        path.unlink(missing_ok=True)
        for finding in error.errors[:5]:
            messages.error(request, str(finding))
        return redirect("import_list")
    known = import_jobs.find_mapping(table=job.table, titles=job.titles)
    if known is not None:
        job.places = import_jobs.places_of(job.titles, known.columns, table=job.table)
        job.save(update_fields=["places"])
    return redirect("import_detail", pk=job.pk)


def _header_row(request: HttpRequest) -> int | None:
    """The row of the titles that somebody typed; None where nothing was, so that it is found."""
    text = request.POST.get("header_row", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


@page(*IMPORTERS)
def sample(request: HttpRequest, visit: Visit) -> HttpResponse:
    """An empty list with all columns and, of customers, one line of example."""
    kind = _kind_asked(visit, request.GET.get("table", ""))
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(kind.title(column) for column in kind.columns)
    if example := _EXAMPLES.get(kind.table):
        writer.writerow([example.get(name, "") for name in kind.columns])
    response = HttpResponse(stream.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{kind.table}-sample.csv"'
    return response


_EXAMPLES: dict[str, dict[str, str]] = {
    "customers": {
        "name": "示范贸易有限公司", "kind": "机构", "phone": "0571-88001234", "address": "示范市河滨路 18 号",
        "postcode": "310000", "next_step": "电话约访", "next_step_date": "2025-07-15",
    },
    "contacts": {"customer": "示范贸易有限公司", "name": "王芳", "title": "总", "phone": "13800001234"},
    "follow_ups": {"customer": "示范贸易有限公司", "kind": "拜访", "at": "2025-06-10 14:30", "author": "王伟",
                   "text": "谈新厂房的用款计划"},
}  # fmt: skip


@page(*IMPORTERS)
def show(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    job = _job(visit, pk)
    kind = import_jobs.kind_of(job)
    context: dict[str, Any] = {
        "job": job,
        "kind": kind,
        "visit": visit,
        "remaining": import_jobs.remaining_seconds(job, now=timezone.now()),
        "percent": int(job.rows_done * 100 / job.rows_read) if job.rows_read else 0,
        "crumbs": [{"url": reverse("customer_list"), "label": _("客户名单")},
                   {"url": reverse("import_list"), "label": _("导入")}],
    }  # fmt: skip
    if request.headers.get("HX-Target") == "import-progress":
        return render(request, "pages/_import_progress.html", context)
    if job.state in {ImportJob.State.STAGED, ImportJob.State.CHECKED}:
        context["mapping"] = _mapping(job)
        context["choices"] = [("", _("（不导入）"))] + [
            (c, kind.title(c) + ("*" if c in kind.needed else "")) for c in kind.columns
        ]
    context |= _rows(request, job)
    context["states"] = [
        ("new", _("新增"), job.new_rows), ("update", _("更新"), job.update_rows),
        ("duplicate", _("重复"), job.duplicate_rows), ("error", _("错误"), job.error_rows),
    ]  # fmt: skip
    return render(request, "pages/import_detail.html", context)


def _rows(request: HttpRequest, job: ImportJob) -> dict[str, Any]:
    """One page of rows in one state; the next page starts after the last line of this one."""
    state = request.GET.get("state", "error" if job.error_rows else "all")
    after = int(text) if (text := request.GET.get("after", "")).isdecimal() and len(text) < 10 else 0
    rows = ImportRow.objects.filter(job=job, line__gt=after).order_by("line")
    if state in ImportRow.State.values:
        rows = rows.filter(state=state)
    found = list(rows[: ROWS_SHOWN + 1]) if job.rows_read else []
    shown = found[:ROWS_SHOWN]
    return {
        "state": state,
        "rows": [_row(row, job) for row in shown],
        "after": shown[-1].line if len(found) > ROWS_SHOWN else None,
    }


def _row(row: ImportRow, job: ImportJob) -> dict[str, Any]:
    """A row with its cells, each with what is wrong with it, and what concerns no column of the file."""
    cells = [*row.cells, *[""] * (len(job.titles) - len(row.cells))][: len(job.titles)]
    by_place: dict[int, list[str]] = {}
    others = []
    for column, reason in row.findings or ():
        place = job.places.get(column)
        if place is None:
            others.append(f"{import_jobs.title_of(column, job)}：{reason}" if column else reason)
        else:
            by_place.setdefault(place, []).append(reason)
    return {
        "line": row.line,
        "is_wrong": row.state == ImportRow.State.ERROR,
        "label": row.get_state_display(),
        "cells": [
            {"title": title, "text": text, "wrong": "；".join(by_place.get(place, ()))}
            for place, (title, text) in enumerate(zip(job.titles, cells, strict=True))
        ],
        "others": others,
    }


def _mapping(job: ImportJob) -> list[dict[str, object]]:
    """Each column of the file with three of its values and what it is taken for."""
    by_place = {place: column for column, place in job.places.items()}
    samples = [*job.samples, *[[]] * len(job.titles)]
    return [
        {"place": n, "title": title, "column": by_place.get(n, ""), "samples": samples[n]}
        for n, title in enumerate(job.titles)
    ]


@require_POST
@page(*IMPORTERS)
def check(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Take the chosen columns and check every row."""
    job = _job(visit, pk)
    kind = import_jobs.kind_of(job)
    chosen = [request.POST.get(f"column-{n}", "") for n in range(len(job.titles))]
    columns = {title: column for title, column in zip(job.titles, chosen, strict=True) if column in kind.columns}
    path = Path(job.stored_path)
    if not path.is_file():
        messages.error(request, _("上传的文件已不在，请重新上传。"))
        return redirect("import_detail", pk=pk)
    if request.POST.get("act") == "header":
        return _take_header(request, job, path)
    doubled = [c for c, n in Counter(c for c in chosen if c).items() if n > 1]
    if doubled:
        titles = "、".join(kind.title(column) for column in doubled)
        messages.error(request, _("有两列都对应到“%(titles)s”，请只选一列。") % {"titles": titles})
        return redirect("import_detail", pk=pk)
    if request.POST.get("save_as", "").strip():
        import_jobs.save_mapping(
            actor=visit.actor, table=job.table, name=request.POST["save_as"], titles=job.titles, columns=columns
        )
    try:
        if path.is_file() and path.stat().st_size > CHECKED_AT_ONCE_BYTES:
            job.places = import_jobs.places_of(job.titles, columns, table=job.table)
            job.save(update_fields=["places"])
            check_import.defer(job_id=job.pk)
            messages.info(request, _("正在后台检查，稍后刷新本页。"))
        else:
            import_jobs.check_job(job=job, path=path, columns=columns)
    except EvidenceError as error:
        messages.error(request, str(error.errors[0]))
    except ImportRefusedError as error:
        messages.error(request, str(error))
    return redirect("import_detail", pk=pk)


def _take_header(request: HttpRequest, job: ImportJob, path: Path) -> HttpResponse:
    """Read the titles from the row that somebody names."""
    try:
        import_jobs.set_header_row(job=job, path=path, header_row=_header_row(request) or 0)
    except EvidenceError as error:
        messages.error(request, str(error.errors[0]))
    except ImportRefusedError as error:
        messages.error(request, str(error))
    return redirect("import_detail", pk=job.pk)


@require_POST
@page(*IMPORTERS)
def fix(request: HttpRequest, visit: Visit, pk: int, line: int) -> HttpResponse:
    job = _job(visit, pk)
    cells = [request.POST.get(f"cell-{n}", "") for n in range(len(job.titles))]
    try:
        row = import_jobs.fix_row(job=job, line=line, cells=cells)
        if row.state == ImportRow.State.ERROR:
            reasons = "；".join(import_jobs.reasons_of(row, job))
            messages.error(request, _("第 %(line)s 行仍有错误：%(reason)s") % {"line": line, "reason": reasons})
    except (ImportRefusedError, ImportRow.DoesNotExist) as error:
        messages.error(request, str(error))
    return redirect("import_detail", pk=pk)


@require_POST
@page(*IMPORTERS)
def act(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:
    """Run, stop, go on, undo or discard."""
    job = _job(visit, pk)
    wanted = request.POST.get("act", "")
    try:
        if wanted == "run":
            import_jobs.start_and_defer(
                job=job, skips_bad_rows=request.POST.get("skip") == "1", defer=lambda pk: run_import.defer(job_id=pk)
            )
            Path(job.stored_path).unlink(missing_ok=True)
        elif wanted == "resume":
            run_import.defer(job_id=job.pk)
        elif wanted == "stop":
            import_jobs.ask_to_stop(job=job)
        elif wanted == "undo" and job.created + job.updated > UNDONE_AT_ONCE_ROWS and import_jobs.kind_of(job).undo:
            undo_import.defer(job_id=job.pk, staff_id=visit.actor.pk)
            messages.info(request, _("正在后台撤销，稍后刷新本页。"))
        elif wanted == "undo":
            result = import_jobs.undo(job=job, actor=visit.actor, business_date=visit.business_date)
            messages.info(
                request,
                _("已撤销 %(reversed)s 行；导入后改动过而保留 %(kept)s 行；已不存在 %(gone)s 行；失败 %(failed)s 行。")
                % result,
            )
        elif wanted == "discard":
            import_jobs.discard(job)
            Path(job.stored_path).unlink(missing_ok=True)
            return redirect("import_list")
    except ImportRefusedError as error:
        messages.error(request, str(error))
    return redirect("import_detail", pk=pk)


@page(*IMPORTERS)
def failed(request: HttpRequest, visit: Visit, pk: int) -> HttpResponse:  # noqa: ARG001
    """The rows that were not imported, in the file's own columns and 错误."""
    job = _job(visit, pk)
    stream = io.StringIO()
    csv.writer(stream).writerows([neutral(cell) for cell in row] for row in import_jobs.failed_rows(job))
    response = HttpResponse(stream.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-errors.csv"'
    return response
