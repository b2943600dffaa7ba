"""我的待办: all that waits for one person: steps of cases, freezes, alerts, reviews, renewals, payroll groups."""

import datetime as dt
from dataclasses import dataclass

from shouxin.approvals.models import Case
from shouxin.approvals.selectors import Task, tasks_of
from shouxin.bank.models import Staff
from shouxin.bank.scope import Reach, roles_of, scope_of
from shouxin.facilities import case_contents, line_life
from shouxin.facilities.models import LineFreeze
from shouxin.groups.models import CustomerGroup
from shouxin.limits.lines import requests_to_decide
from shouxin.limits.models import Node, StatusRequest
from shouxin.monitoring.alerts import AlertTask, tasks_of_owner
from shouxin.monitoring.models import Review
from shouxin.monitoring.reviews import reviews_to_do
from shouxin.parties.selectors import visible_customers
from shouxin.payroll_groups.waiting import Waiting, waiting_for


@dataclass(frozen=True, slots=True)
class LimitAct:
    """A freeze, a suspension or its end that another person asked for, with the root of its limit's tree."""

    request: StatusRequest
    root_id: int


@dataclass(frozen=True, slots=True)
class Todo:
    """What waits for a person on a day; each part the most urgent first."""

    steps: list[Task]
    freezes: list[LineFreeze]
    limit_acts: list[LimitAct]
    alerts: list[AlertTask]
    reviews: list[Review]
    renewals: list[line_life.LineRow]
    payroll: list[Waiting]

    @property
    def counts(self) -> dict[str, int]:
        """How many wait in each part that has some, in the order of the page."""
        parts = {
            "freezes": len(self.freezes) + len(self.limit_acts),
            "steps": len(self.steps),
            "alerts": len(self.alerts),
            "reviews": len(self.reviews),
            "renewals": len(self.renewals),
            "payroll": len(self.payroll),
        }
        return {part: count for part, count in parts.items() if count}


def todo_of(person: Staff, *, as_of: dt.date) -> Todo:
    """Everything that waits for a person; renewals from three months before a line's end, for who may propose it."""
    return Todo(
        steps=tasks_of(person, as_of=as_of),
        freezes=line_life.freezes_to_confirm(person, as_of=as_of),
        limit_acts=_limit_acts(person, as_of),
        alerts=tasks_of_owner(person, as_of=as_of),
        reviews=reviews_to_do(person, as_of=as_of),
        renewals=_renewals(person, as_of),
        payroll=waiting_for(person, as_of=as_of),
    )


def count_pressing(person: Staff, *, as_of: dt.date) -> int:
    """How many things wait now, for the badge on every page; renewals have three months and are not among them."""
    return (
        len(tasks_of(person, as_of=as_of))
        + len(line_life.freezes_to_confirm(person, as_of=as_of))
        + len(_limit_acts(person, as_of))
        + len(tasks_of_owner(person, as_of=as_of))
        + len(reviews_to_do(person, as_of=as_of))
        + len(waiting_for(person, as_of=as_of))
    )


def _limit_acts(person: Staff, as_of: dt.date) -> list[LimitAct]:
    """What this person may decide about limits whose tree is in view."""
    asked = [LimitAct(request, _root_of(request.node).pk) for request in requests_to_decide(person, as_of=as_of)]
    scope = scope_of(person, as_of=as_of)
    if not asked or scope.reach is Reach.ALL:
        return asked
    members = Node.objects.filter(customer__in=visible_customers(scope), parent__in=[act.root_id for act in asked])
    in_view = set(members.values_list("parent_id", flat=True))
    return [act for act in asked if act.root_id in in_view]


def _root_of(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _renewals(person: Staff, as_of: dt.date) -> list[line_life.LineRow]:
    """Lines in view whose renewal is due and not under way: a group's for its lead branch, a customer's for its own."""
    if not roles_of(person, as_of=as_of) & case_contents.MAY_INITIATE:
        return []
    last = line_life.renewable_until(as_of)
    due = line_life.list_lines(scope=scope_of(person, as_of=as_of), as_of=as_of, ending_by=last)
    due = [line for line in due if line.is_renewable]
    if not due:
        return []
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
