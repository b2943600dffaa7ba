"""``shouxin bench list``: pages of the list and the search at ten thousand, a hundred thousand and a million customers.

Each request goes through the whole site in this process. Its peer is the floor under it: the very SQL statements of
that page, sent bare, and the template rendered alone; ``ratio`` is floor / page, 1 being no cost of our own at all.

As in production a page remembers what stands around the list for ten seconds (``shouxin.web.page_memory``); the cases
named so ask for it each time, and their floor has those statements too.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import click

from shouxin.bench.report import Report, Row, peak_mib, percentile
from shouxin.pg.scratch import scratch_database

SIZES, SIZES_QUICK = (10_000, 100_000, 1_000_000), (10_000, 30_000)
PAGES = {
    "first page": ("approver", "/customers/"),
    "first page, own list": ("manager", "/customers/"),
    "first page, branch": ("head", "/customers/"),
    "first page, branch, nothing remembered": ("head", "/customers/"),
    "class and branch": ("approver", "/customers/?class={class_a}&unit=B07"),
    "no next step": ("approver", "/customers/?quick=no-next-step"),
    "longest without contact": ("approver", "/customers/?order=last-contact"),
    "deep page": ("approver", "/customers/?after={deep}"),
    "search 2 characters": ("approver", "/customers/?q=鹏飞"),
    "search 2 characters, own list": ("manager", "/customers/?q=鹏飞"),
    "search 2 characters, branch": ("head", "/customers/?q=鹏飞"),
    "search absent": ("approver", "/customers/?q=沪硕"),
    "search common": ("approver", "/customers/?q=有限公司"),
    "search pinyin": ("approver", "/customers/?q=pengfei"),
    "search initials": ("approver", "/customers/?q=hzpff"),
    "search telephone": ("head", "/customers/?q=13900000123"),
    "search credit code": ("approver", "/customers/?q={code}"),
    "one box, everything": ("approver", "/search/?q=鹏飞"),
    "part of a page": ("manager", "/customers/?quick=mine"),
    "customer page": ("approver", "/customers/KH00000500/"),
}


@click.command("list")
@click.option("--quick", is_flag=True, help="Two small sizes, within 45 s.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--size", "sizes", multiple=True, type=int, help="Numbers of customers instead of the usual ones.")
def customer_list(quick: bool, as_json: bool, sizes: tuple[int, ...]) -> None:
    """Pages of the customer list and the search, at several sizes, beside their bare SQL and rendering."""
    report = Report("list")
    os.environ["DJANGO_SETTINGS_MODULE"] = "shouxin.settings"
    os.environ["SHOUXIN_ENVIRONMENT"] = "test"
    os.environ.setdefault("SHOUXIN_PAGE_MEMORY_SECONDS", "10")
    with scratch_database():
        _prepare()
        for size in sizes or (SIZES_QUICK if quick else SIZES):
            _measure(report, size, rounds=7 if quick else 41)
    _check_flat(report)
    report.finish(as_json=as_json)


def _prepare() -> None:
    """The tables, once for all sizes: migrations take longer than a small measurement."""
    import django
    from django.core.management import call_command

    django.setup()
    follow_database()
    call_command("migrate", interactive=False, verbosity=0)


def _empty() -> None:
    """Away with the bank of the size before, in the scratch database of this run."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # some tables refuse to be emptied
        cursor.execute(
            "TRUNCATE bank_institution, bank_orgunit, bank_staff, parties_party, parties_classscheme"
            " RESTART IDENTITY CASCADE"
        )
        cursor.execute("RESET session_replication_role")


def _measure(report: Report, size: int, *, rounds: int) -> None:
    from django.db import connections

    from shouxin.bench import made_up_customers as made

    _empty()
    people = made.set_up(managers=max(40, size // 500))
    started = time.perf_counter()
    made.load(size)
    click.echo(f"{size:,} customers written in {time.perf_counter() - started:.1f} s", err=True)
    try:
        clients = {"approver": _client(people.approver), "head": _client(people.branch_head),
                   "manager": _client(people.manager)}  # fmt: skip
        values = _values(size)
        for case, (who, address) in PAGES.items():
            _one_page(report, f"{case} · {size:,}", clients[who], address.format(**values), rounds)
        _check_answers(report, clients, size)
    finally:
        connections.close_all()


def follow_database() -> None:
    """Point Django, which may be at work already, at the scratch database of now."""
    from django.conf import settings
    from django.db import connections
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(os.environ["DATABASE_URL"])
    found = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    connections["default"].close()
    for name, key in found.items():
        value = str(parts.get(key, ""))
        settings.DATABASES["default"][name] = connections["default"].settings_dict[name] = value


def _client(staff: Any) -> Any:
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(staff, backend="shouxin.bank.backends.StaffBackend")
    return client


def _values(size: int) -> dict[str, object]:
    from shouxin.bench.made_up_customers import credit_code
    from shouxin.parties.models import Customer, CustomerClass
    from shouxin.reporting.customer_list import cursor_of

    deep = Customer.objects.order_by("-updated_at", "-pk")[size // 2]
    return {
        "class_a": CustomerClass.objects.get(code="A").pk,
        "deep": cursor_of((deep.updated_at, deep.pk), "updated"),
        "code": next(credit_code(n) for n in range(500) if Customer.objects.filter(party__uscc=credit_code(n))),
    }


def _one_page(report: Report, case: str, client: Any, address: str, rounds: int) -> None:
    from shouxin.web import page_memory

    headers = {"HX-Target": "customer-table", "HX-Request": "true"} if case.startswith("part") else {}

    def ask() -> Any:
        return client.get(address, headers=headers)

    def forget() -> None:
        page_memory.badges.clear()
        page_memory.choices.clear()

    asks_anew = "nothing remembered" in case
    forget()  # what an earlier size or person left behind
    answer = ask()
    report.require(answer.status_code == 200, f"{case}: {answer.status_code}")
    if asks_anew:
        forget()
    floor = _floor_of(ask)
    walls, cpus, floors = [], [], []
    for _ in range(rounds):
        if asks_anew:
            forget()
        cpu, wall = time.process_time(), time.perf_counter()
        ask()
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append(time.process_time() - cpu)
        floors.append(floor())
    p95 = percentile(walls, 0.95)
    report.add(
        Row(
            case, p95, "ms p95", p50_ms=median(walls), p99_ms=percentile(walls, 0.99), cpu_s=median(cpus),
            peak_mib=peak_mib(), peer="bare SQL + render", ratio=median(floors) / median(walls),
        )
    )  # fmt: skip


def _floor_of(ask: Callable[[], Any]) -> Callable[[], float]:
    """The bare statements of a page and its template alone, as one call that gives milliseconds."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with _rendering_seen(), CaptureQueriesContext(connection) as captured:
        answer = ask()
    statements = [q["sql"] for q in captured.captured_queries if q["sql"].lstrip().startswith(("SELECT", "WITH"))]
    template = answer.templates[0]
    context = _plain(answer.context)
    template.render(context)

    def floor() -> float:
        started = time.perf_counter()
        bare = connection.connection.cursor()
        for statement in statements:
            bare.execute(statement)
            bare.fetchall()
        template.render(context)
        return (time.perf_counter() - started) * 1000

    return floor


@contextmanager
def _rendering_seen() -> Iterator[None]:
    """Templates and contexts are kept for a moment; while they are, rendering is slower."""
    from django.test.utils import setup_test_environment, teardown_test_environment

    setup_test_environment()
    try:
        yield
    finally:
        teardown_test_environment()


def _plain(context_list: Any) -> Any:
    """The page's context with every query answered, so that rendering it again asks nothing of the database."""
    from django.db.models import QuerySet
    from django.template import Context

    values: dict[str, Any] = {}
    for context in reversed(list(context_list) if isinstance(context_list, list) else [context_list]):
        values.update(context.flatten())
    for name, value in values.items():
        if isinstance(value, QuerySet):
            values[name] = list(value)
    made = Context(values)
    made.request = values["request"]  # type: ignore[attr-defined]
    return made


def _check_answers(report: Report, clients: dict[str, Any], size: int) -> None:
    """What the pages found is what a plain look at every name finds."""
    from shouxin.parties.models import Customer
    from shouxin.parties.selectors import search_filter

    for text in ("鹏飞", "杭州", "沪硕"):
        found = Customer.objects.filter(search_filter(text)).count()
        there = Customer.objects.filter(party__name__contains=text).count()
        report.require(found == there, f"{text} at {size:,}: {found} found, {there} there")
    with _rendering_seen():
        rows = clients["manager"].get("/customers/").context["rows"]
    report.require(all(row.owner_name == "经理3" for row in rows), "the own list shows another's customer")


def _check_flat(report: Report) -> None:
    by_case: dict[str, list[float]] = {}
    for row in report.rows:
        by_case.setdefault(row.case.rsplit(" · ", 1)[0], []).append(row.p50_ms or 0)
    grown = {case: values[-1] / values[0] for case, values in by_case.items() if len(values) > 1}
    if grown:
        worst = max(grown, key=lambda case: grown[case])
        report.notes.append(
            f"median at the largest size / at the smallest: {median(grown.values()):.2f} over all pages, "
            f"most {grown[worst]:.2f} ({worst})"
        )
