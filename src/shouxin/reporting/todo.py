"""我的待办: everything that waits for one person: steps of cases, freezes, reviews, renewals, payroll groups."""

import datetime as dt
from dataclasses import dataclass

from shouxin.approvals.models import Case
from shouxin.approvals.selectors import Task, tasks_of
from shouxin.bank.models import Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.facilities import case_contents, line_life
from shouxin.facilities.models import LineFreeze
from shouxin.groups.models import CustomerGroup
from shouxin.monitoring.models import Review
from shouxin.monitoring.reviews import reviews_to_do
from shouxin.payroll_groups.waiting import Waiting, waiting_for


@dataclass(frozen=True, slots=True)
class Todo:
    """What waits for a person on a day; each part the most urgent first."""

    steps: list[Task]
    freezes: list[LineFreeze]
    reviews: list[Review]
    renewals: list[line_life.LineRow]
    payroll: list[Waiting]


def todo_of(person: Staff, *, as_of: dt.date) -> Todo:
    """Everything that waits for a person; renewals from three months before a line's end, for who may propose it."""
    return Todo(
        steps=tasks_of(person, as_of=as_of),
        freezes=line_life.freezes_to_confirm(person, as_of=as_of),
        reviews=reviews_to_do(person, as_of=as_of),
        renewals=_renewals(person, as_of),
        payroll=waiting_for(person, as_of=as_of),
    )


def _renewals(person: Staff, as_of: dt.date) -> list[line_life.LineRow]:
    """Lines in view whose renewal is due and not under way: a group's for its lead branch, a customer's for its own."""
    if not roles_of(person, as_of=as_of) & case_contents.MAY_INITIATE:
        return []
    lines = line_life.list_lines(scope=scope_of(person, as_of=as_of), as_of=as_of)
    due = [line for line in lines if line.is_renewable]
    cases = Case.objects.filter(exclusive_key__in=[_key(line) for line in due], state__in=Case.OPEN_STATES)
    under_way = set(cases.values_list("exclusive_key", flat=True))
    groups = [line.subject_id for line in due if line.kind == "group"]
    leads = dict(CustomerGroup.objects.filter(pk__in=groups).values_list("pk", "lead_unit__path"))
    return [
        line
        for line in due
        if _key(line) not in under_way
        and (line.kind != "group" or person.unit.path.startswith(leads.get(line.subject_id) or "\0"))
    ]


def _key(line: line_life.LineRow) -> str:
    """What an open case on the line would be exclusive by."""
    return f"{_KEYS[line.kind]}:{line.subject_id}"


_KEYS = {"group": "line:group", "customer": "line:customer", "public": "public:customer"}
