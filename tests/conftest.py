"""The cast that the tests share: one small bank, and the page that says which requirement is proved by which test."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from tests import clause_points
from tests.demo import demo_bank

__all__ = ["demo_bank"]

DAY = dt.date(2025, 6, 30)
SINCE = dt.date(2020, 1, 1)
COVERAGE_PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"

_proved: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
"""Tests that passed by requirement, each with the points it proves."""


@dataclass(frozen=True)
class SmallBank:
    """Head office with its credit roles, two branches with a head and customer managers."""

    head_office: OrgUnit
    east: OrgUnit
    west: OrgUnit
    manager_east: Staff
    manager_west: Staff
    head_west: Staff
    risk_officer: Staff
    approver: Staff
    identification_officer: Staff
    second_identification_officer: Staff
    administrator: Staff
    second_manager_west: Staff
    operator: Staff


@pytest.fixture
def small_bank(db: None) -> SmallBank:
    """A bank with its people on 2025-06-30; passwords are not needed and so not hashed."""
    from shouxin.approvals.default_authority import create_default_authorities
    from shouxin.bank.models import CapitalFigure, Institution
    from shouxin.bank.services import create_unit

    Institution.objects.create(name="测试银行", policy_overlay="demo-rural-bank", business_date=DAY)
    head_office = create_unit(code="HO", name="总行", kind="head_office", parent=None)
    east = create_unit(code="E", name="城东支行", kind="branch", parent=head_office)
    west = create_unit(code="W", name="城西支行", kind="branch", parent=head_office)
    role = RoleAssignment.Role

    create_default_authorities()

    def person(username: str, unit: OrgUnit, *roles: str) -> Staff:
        staff = Staff.objects.create(username=username, name=username, unit=unit, joined_date=SINCE)
        for name in roles:
            RoleAssignment.objects.create(staff=staff, role=name, valid_from=SINCE)
        return staff

    CapitalFigure.objects.create(kind="net", date=dt.date(2024, 12, 31), amount_fen=50_000 * 1_000_000, source="G40")
    CapitalFigure.objects.create(kind="net", date=DAY, amount_fen=48_000 * 1_000_000, source="G40")
    CapitalFigure.objects.create(kind="tier1", date=DAY, amount_fen=39_000 * 1_000_000, source="G40")
    return SmallBank(
        head_office=head_office,
        east=east,
        west=west,
        manager_east=person("manager-east", east, role.CUSTOMER_MANAGER),
        manager_west=person("manager-west", west, role.CUSTOMER_MANAGER),
        head_west=person("head-west", west, role.BRANCH_HEAD),
        risk_officer=person("risk", head_office, role.RISK_OFFICER),
        approver=person("approver", head_office, role.APPROVER),
        identification_officer=person("identifier", head_office, role.IDENTIFICATION_OFFICER),
        second_identification_officer=person("identifier-2", head_office, role.IDENTIFICATION_OFFICER),
        administrator=person("administrator", head_office, role.ADMINISTRATOR),
        second_manager_west=person("colleague-west", west, role.CUSTOMER_MANAGER),
        operator=person("operator", head_office, role.OPERATIONS),
    )


RunJobs = Callable[[], list[Any]]


@pytest.fixture
def run_jobs(db: None) -> RunJobs:
    """Run the jobs deferred in this test, oldest first, in the test's own transaction; gives their results."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    done: set[int] = set()

    def run() -> list[Any]:
        results = []
        for job in ProcrastinateJob.objects.filter(status="todo").exclude(pk__in=done).order_by("pk"):
            done.add(job.pk)
            results.append(app.tasks[job.task_name].func(**job.args))
        return results

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-coverage", action="store_true", help="write docs/coverage.md from what ran")


def _clauses_of(item: pytest.Item) -> list[tuple[str, str]]:
    """The requirements of a test, each with its points."""
    return [
        found
        for mark in item.iter_markers("clause")
        for found in clause_points.read_mark(mark.args, mark.kwargs.get("points", ""))
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        try:
            _clauses_of(item)
        except clause_points.MarkError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Each report carries its test's requirements and points, from whichever process it comes."""
    report = yield
    report.clauses = _clauses_of(item)  # type: ignore[attr-defined]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for clause, points in getattr(report, "clauses", ()):
            _proved[clause].setdefault(report.nodeid, set()).update(points.split())


def pytest_terminal_summary(config: pytest.Config) -> None:
    if config.getoption("--write-coverage"):
        COVERAGE_PAGE.write_text(clause_points.page(_proved), encoding="utf-8")
