"""``shouxin bench import``: a customer list from a file into the bank, with every check and every search key.

Two peers in the same run: raw COPY of the very same finished rows into the same tables with the same indexes, which
knows nothing and checks nothing; and the usual stack of openpyxl, python-stdnum and bulk_create, without search keys.
"""

import multiprocessing
import os
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shouxin.bench.customer_list import follow_database
from shouxin.bench.report import Report, Row, peak_mib
from shouxin.pg.scratch import scratch_database

if TYPE_CHECKING:
    from shouxin.bank.models import Staff

TABLES = (
    "parties_party", "parties_customer", "parties_ownership", "parties_classification", "parties_contactpoint",
)  # fmt: skip
CLASSES = ["A 类", "B 类", "C 类", ""]
PEAK_MIB_MAX = 1_536
TITLES = ("客户名称", "类型", "统一社会信用代码", "手机", "邮箱", "地址", "邮编", "类别", "下一步", "下一步日期")


@click.command("import")
@click.option("--quick", is_flag=True, help="Small files, within 45 s.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--csv-rows", type=int, default=1_000_000, show_default=True)
@click.option("--xlsx-rows", type=int, default=200_000, show_default=True)
@click.option("--usual-rows", type=int, default=10_000, show_default=True, help="Rows of the usual stack's file.")
def customer_import(quick: bool, as_json: bool, csv_rows: int, xlsx_rows: int, usual_rows: int) -> None:
    """Import of a customer list beside raw COPY and beside openpyxl + python-stdnum + bulk_create."""
    if quick:
        csv_rows, xlsx_rows, usual_rows = 15_000, 3_000, 1_000
    report = Report("import")
    os.environ["DJANGO_SETTINGS_MODULE"] = "shouxin.settings"
    os.environ["SHOUXIN_ENVIRONMENT"] = "test"
    with tempfile.TemporaryDirectory(prefix="shouxin-bench-") as folder, scratch_database():
        _measure(report, Path(folder), csv_rows, xlsx_rows, usual_rows)
    report.finish(as_json=as_json)


def _measure(report: Report, folder: Path, csv_rows: int, xlsx_rows: int, usual_rows: int) -> None:
    """Files are written first, by a process of their own: the memory that is reported is the import's."""
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    follow_database()
    call_command("migrate", interactive=False, verbosity=0)
    from shouxin.bench import made_up_customers as made

    people = made.set_up(managers=4)
    files = {folder / "list.csv": csv_rows, folder / "list.xlsx": xlsx_rows}
    for path, count in [*files.items(), (folder / "usual.xlsx", usual_rows)]:
        writer = multiprocessing.get_context("fork").Process(target=_write_list, args=(path, count, CLASSES))
        connections.close_all()
        writer.start()
        writer.join()
    try:
        peaks = {path: _import(report, path, count, people.manager) for path, count in files.items()}
        usual = _usual_stack(report, folder / "usual.xlsx", usual_rows, people.manager)
        for path, (label, rate, cpu, peak) in peaks.items():
            report.add(
                Row(f"{label} beside the usual stack", rate, "rows/s", cpu_s=cpu, peak_mib=peak,
                    peer="openpyxl + stdnum + bulk_create", ratio=rate / usual)
            )  # fmt: skip
            report.require(peak < PEAK_MIB_MAX, f"{path.name}: {peak:,.0f} MiB at the peak")
    finally:
        connections.close_all()


def _empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}, reporting_importjob CASCADE")
        cursor.execute("CHECKPOINT")


def _write_list(path: Path, count: int, classes: list[str]) -> None:
    """A list as a branch keeps it, with a wrong credit code in every 1,000th row."""
    from shouxin.bench.made_up_customers import made_up

    pick = random.Random(5)  # noqa: S311 - made-up rows
    rows = (
        (
            row.name + str(n) if row.is_person else row.name, "个人" if row.is_person else "机构",
            row.uscc[:-1] + "O" if row.uscc and n % 1000 == 7 else row.uscc, row.phone, row.email,
            f"示范市河滨路 {n} 号", "310000", pick.choice(classes), pick.choice(("", "回访", "上门拜访")), "2025-07-01",
        )
        for n, row in enumerate(made_up(count))
    )  # fmt: skip
    if path.suffix == ".csv":
        import csv

        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(TITLES)
            writer.writerows(rows)
        return
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet("名单")
        sheet.write_row(0, 0, TITLES)
        for place, row in enumerate(rows, start=1):
            sheet.write_row(place, 0, row)


def _import(report: Report, path: Path, count: int, manager: "Staff") -> tuple[str, float, float, float]:
    """One file into empty tables and COPY of what it became; gives label, rows/s, CPU seconds and peak MiB."""
    from shouxin.bench import made_up_customers as made
    from shouxin.parties.models import Customer
    from shouxin.parties.selectors import search_filter
    from shouxin.reporting.import_jobs import import_now

    _empty()
    cpu, started = _cpu(), time.perf_counter()
    job = import_now(actor=manager, path=path, business_date=made.DAY, skips_bad_rows=True)
    wall, cpu = time.perf_counter() - started, _cpu() - cpu
    helper_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    peak = peak_mib() + helper_mib
    report.require(
        job.created + job.updated + job.skipped + job.failed == job.rows_read == count,
        f"{path.name}: counts do not add up to {count:,}",
    )
    report.require(Customer.objects.count() == job.created > 0, f"{path.name}: customers {job.created:,}")
    found = (
        Customer.objects.filter(search_filter("13900000000")).count()
        + Customer.objects.filter(search_filter("13800000000")).count()
    )
    report.require(found == 1, f"{path.name}: the first telephone finds {found}")
    copy_s = _raw_copy(path.parent)
    label, rate = f"{path.suffix.lstrip('.')} {count:,} rows", count / wall
    report.add(
        Row(f"{label}, checked and indexed", rate, "rows/s", cpu_s=cpu, peak_mib=peak,
            peer="COPY of the finished rows, same indexes", ratio=copy_s / wall)
    )  # fmt: skip
    report.notes.append(f"{label}: {wall:.1f} s, new {job.created:,}, twice {job.skipped:,}, wrong {job.failed:,}; "
                        f"COPY {copy_s:.1f} s")  # fmt: skip
    return label, rate, cpu, peak


def _cpu() -> float:
    """CPU seconds of this process and of its helpers that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _raw_copy(folder: Path) -> float:
    """Seconds that COPY takes for the finished rows of every table, indexes in place, constraints checked."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in TABLES:
            with (folder / table).open("wb") as out, cursor.copy(f"COPY {table} TO STDOUT") as copy:
                for block in copy:
                    out.write(block)
        _empty()
        cursor.execute("SET shouxin.list_columns = 'given'")
        cursor.execute("SET gin_pending_list_limit = '32MB'")
        started = time.perf_counter()
        for table in TABLES:
            with (folder / table).open("rb") as source, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                while block := source.read(1 << 20):
                    copy.write(block)
        cursor.execute("SELECT gin_clean_pending_list('customer_search')")
        seconds = time.perf_counter() - started
    for table in TABLES:
        (folder / table).unlink()
    return seconds


def _usual_stack(report: Report, path: Path, count: int, manager: "Staff") -> float:
    """Rows a second of openpyxl, python-stdnum and bulk_create into the same tables, without any search key."""
    try:
        import openpyxl
    except ImportError:
        report.notes.append("openpyxl is not installed: the usual stack is taken at 4,300 rows/s, as measured earlier")
        return 4_300.0
    import phonenumbers
    from stdnum.cn import uscc

    from shouxin.bench import made_up_customers as made
    from shouxin.parties.models import Classification, ContactPoint, Customer, CustomerClass, Ownership, Party

    _empty()
    classes = {c.name: c for c in CustomerClass.objects.all()}
    started = time.perf_counter()
    rows = openpyxl.load_workbook(path).active.iter_rows(min_row=2, values_only=True)
    kept = []
    for row in rows:
        if row[2] and not uscc.is_valid(row[2]):
            continue
        if not phonenumbers.is_possible_number(phonenumbers.parse(row[3], "CN")):
            continue
        kept.append(row)
    parties = Party.objects.bulk_create(
        [Party(kind="person" if r[1] == "个人" else "org", name=r[0], uscc=r[2] or None) for r in kept],
        batch_size=5_000,
    )
    customers = Customer.objects.bulk_create(
        [
            Customer(party=p, number=f"KH{p.pk:08d}", unit_id=manager.unit_id, next_step=r[8] or "",
                     next_step_date=r[9])
            for p, r in zip(parties, kept, strict=True)
        ],
        batch_size=5_000,
    )  # fmt: skip
    Ownership.objects.bulk_create(
        [Ownership(customer=c, staff=manager, valid_from=made.DAY) for c in customers], batch_size=5_000
    )
    ContactPoint.objects.bulk_create(
        [
            ContactPoint(customer=c, kind=kind, value=r[at], digits=r[at] if kind == "phone" else "")
            for c, r in zip(customers, kept, strict=True)
            for kind, at in (("phone", 3), ("email", 4), ("address", 5))
            if r[at]
        ],
        batch_size=5_000,
    )
    Classification.objects.bulk_create(
        [
            Classification(customer=c, scheme=classes[r[7]].scheme, customer_class=classes[r[7]], valid_from=made.DAY)
            for c, r in zip(customers, kept, strict=True)
            if r[7]
        ],
        batch_size=5_000,
    )
    rate = count / (time.perf_counter() - started)
    report.notes.append(f"the usual stack wrote {count:,} rows at {rate:,.0f} rows/s")
    return rate
