"""Read cases: whose turn it is, who may decide, what waits for whom, the table of authorities of a day."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from shouxin.approvals.models import Act, Authority, Case, Delegation
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import Reach, roles_of, scope_of
from shouxin.domain.authority import AuthorityRow, Level
from shouxin.policy import load_book

_Role = RoleAssignment.Role
_USE_KINDS = (Case.Kind.USE_PUBLIC, Case.Kind.USE_OTHER, Case.Kind.USE_EXEMPT)


def step_due_date(day: dt.date) -> dt.date:
    """When the next step should be done."""
    return day + dt.timedelta(days=load_book().whole("approval.step_days", day))


def investigators_needed(case: Case) -> int:
    """Two persons on site for a line; the use of one is asked for by its manager."""
    if case.kind in _USE_KINDS:
        return 0
    return load_book().whole("approval.investigators_min", case.created_date)


def _authorities_on(as_of: dt.date) -> QuerySet[Authority]:
    return Authority.objects.filter(
        Q(entered_by__isnull=True) | Q(approved_by__isnull=False),
        Q(valid_to__isnull=True) | Q(valid_to__gt=as_of),
        valid_from__lte=as_of,
    ).select_related("unit", "staff")


def authority_rows(as_of: dt.date) -> list[AuthorityRow]:
    """The table as it stands on a day."""
    return [row.as_row() for row in _authorities_on(as_of)]


def list_authorities() -> QuerySet[Authority]:
    return Authority.objects.select_related("unit", "staff", "entered_by", "approved_by")


def delegation_on(delegate: Staff, *, as_of: dt.date) -> list[Delegation]:
    """For whom somebody stands in on a day."""
    return list(
        Delegation.objects.filter(delegate=delegate, is_revoked=False, valid_from__lte=as_of, valid_to__gt=as_of)
        .select_related("delegator__unit")
        .prefetch_related("delegator__role_assignments")
    )


def may_decide_at(person: Staff, *, level: Level, case: Case, as_of: dt.date, with_delegation: bool = True) -> bool:
    """Whether this one person's own authority reaches the level: role, unit and row, theirs alone (BR-09)."""
    if _may_decide_alone(person, level=level, case=case, as_of=as_of):
        return True
    return with_delegation and any(
        _may_decide_alone(delegation.delegator, level=level, case=case, as_of=as_of)
        for delegation in delegation_on(person, as_of=as_of)
    )


def _may_decide_alone(person: Staff, *, level: Level, case: Case, as_of: dt.date) -> bool:
    return _may_decide(person, roles_of(person, as_of=as_of), level, case, _named_at(as_of))


def _may_decide(
    person: Staff, roles: frozenset[str], level: Level, case: Case, named: Mapping[int, frozenset[int | None]]
) -> bool:
    """Role, unit and, where rows of the level name persons, one's own name among them."""
    names = named.get(int(level), frozenset())
    is_named = not names or None in names or person.pk in names
    if level >= Level.HEAD_OFFICE:
        return person.unit.is_head_office and _Role.APPROVER in roles and is_named
    if person.unit.is_head_office:
        return _Role.APPROVER in roles
    return _Role.BRANCH_HEAD in roles and case.unit.path.startswith(person.unit.path) and is_named


def _named_at(as_of: dt.date) -> dict[int, frozenset[int | None]]:
    """Whom the table names by level; None stands for a row without a name, which leaves it to the role."""
    named: dict[int, frozenset[int | None]] = {}
    for level, staff in _authorities_on(as_of).values_list("level", "staff_id"):
        named[level] = named.get(level, frozenset()) | {staff}
    return named


def next_role(case: Case) -> str | None:
    """The step that waits."""
    steps: dict[str, str] = {
        Case.State.DRAFT.value: Act.Role.INVESTIGATE.value,
        Case.State.REVIEW.value: Act.Role.REVIEW.value,
        Case.State.DECIDE.value: Act.Role.DECIDE.value,
        Case.State.APPROVED.value: Act.Role.OPERATE.value,
    }
    return steps.get(case.state)


def cases_in_view(person: Staff, *, as_of: dt.date) -> QuerySet[Case]:
    """Cases that somebody may see: head office all, a branch those begun in it, a manager those of the own unit.

    Who stands in for another sees beside these the cases whose step waits for that other, as long as it does.
    """
    own = _own_view(person, as_of=as_of)
    if not delegation_on(person, as_of=as_of):
        return own
    lent = [task.case.pk for task in tasks_of(person, as_of=as_of) if task.on_behalf_of]
    if not lent:
        return own
    cases = Case.objects.select_related("unit", "created_by", "minutes")
    return cases.filter(Q(pk__in=lent) | Q(pk__in=own.order_by().values("pk")))


def _own_view(person: Staff, *, as_of: dt.date) -> QuerySet[Case]:
    scope = scope_of(person, as_of=as_of)
    cases = Case.objects.select_related("unit", "created_by", "minutes")
    roles = roles_of(person, as_of=as_of)
    if scope.reach is Reach.ALL or (person.unit.is_head_office and _Role.OPERATIONS in roles):
        return cases
    own = Q(created_by=person) | Q(acts__actor=person)
    if scope.reach is Reach.UNIT_AND_BELOW or scope.reach is Reach.OWN:
        return cases.filter(own | Q(unit__path__startswith=scope.unit_path)).distinct()
    return cases.filter(own).distinct()


@dataclass(frozen=True, slots=True)
class Task:
    """One step that waits for this person."""

    case: Case
    role: str
    role_name: str
    is_overdue: bool
    on_behalf_of: str = ""


def tasks_of(person: Staff, *, as_of: dt.date) -> list[Task]:
    """我的待办: open cases whose next step this person may do and has not excluded themselves from, due first."""
    roles = roles_of(person, as_of=as_of)
    principals = [(d.delegator, roles_of(d.delegator, as_of=as_of)) for d in delegation_on(person, as_of=as_of)]
    own_view = _own_view(person, as_of=as_of)
    mine: frozenset[int] | None = None  # None: whatever is asked for is in the own view
    cases = own_view
    if principals:
        mine = frozenset(own_view.filter(state__in=Case.OPEN_STATES).order_by().values_list("pk", flat=True))
        cases = Case.objects.select_related("unit", "created_by")
    open_cases = cases.filter(state__in=Case.OPEN_STATES).prefetch_related("acts").order_by("due_date", "id")
    found = []
    named = _named_at(as_of)
    for case in open_cases:
        role = next_role(case)
        if role is None:
            continue
        taken = {a.actor_id for a in case.acts.all() if a.round == case.round and a.role in Act.SEPARATE}
        stands_for = ""
        can = (mine is None or case.pk in mine) and _can_do(person, roles, case, role, named)
        if not can and role != Act.Role.INVESTIGATE:  # an investigation is one's own, nobody stands in
            for principal, theirs in principals:
                if _can_do(principal, theirs, case, role, named):
                    can, stands_for = True, principal.name
                    break
        if role == Act.Role.INVESTIGATE:
            can = can and (person.pk == case.created_by_id or person.pk not in taken)
        elif person.pk in taken or (role == Act.Role.DECIDE and person.pk == case.created_by_id):
            can = False
        if can:
            late = case.due_date is not None and case.due_date < as_of
            found.append(Task(case, role, str(Act.Role(role).label), late, stands_for))
    return found


def _can_do(
    person: Staff,
    roles: frozenset[str],
    case: Case,
    role: str,
    named: Mapping[int, frozenset[int | None]],
) -> bool:
    if role == Act.Role.INVESTIGATE:
        return person.pk == case.created_by_id or (
            bool(roles & {_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD}) and person.unit.path.startswith(case.unit.path)
        )
    if role == Act.Role.REVIEW:
        return _Role.RISK_OFFICER in roles
    if role == Act.Role.OPERATE:
        return _Role.OPERATIONS in roles
    return _may_decide(person, roles, Level(case.level or Level.MEETING), case, named)
