"""Who may see which customers: the one function behind every page, call, command and export.

A customer manager sees the customers they look after, a branch head those of the branch and below, head-office
credit roles all of them (UC-13, UC-14). An administrator runs the system and sees no customer.
"""

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from shouxin.bank.models import OrgUnit, RoleAssignment, Staff

Role = RoleAssignment.Role

_ROLES_THAT_SEE_ALL = frozenset(
    {Role.RISK_OFFICER, Role.APPROVER, Role.IDENTIFICATION_OFFICER, Role.AUDITOR, Role.OPERATIONS}
)


class Reach(Enum):
    """How far a person's view goes, from nothing to the whole bank."""

    NOTHING = 0
    OWN = 1
    UNIT_AND_BELOW = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class DataScope:
    """The view of one person on one day."""

    staff_id: int
    unit_path: str
    reach: Reach
    as_of: dt.date
    unit_ids: tuple[int, ...] = ()
    """The units of a view by units, so that the database plans with what it knows of them."""


def roles_of(staff: Staff, *, as_of: dt.date) -> frozenset[str]:
    """The roles in force on a day; none for somebody who has left."""
    if not staff.is_active:
        return frozenset()
    return frozenset(
        assignment.role
        for assignment in staff.role_assignments.all()
        if assignment.valid_from <= as_of and (assignment.valid_to is None or as_of < assignment.valid_to)
    )


def scope_of(staff: Staff, *, as_of: dt.date) -> DataScope:
    """The widest reach that any of the person's roles gives."""
    roles = roles_of(staff, as_of=as_of)
    if roles & _ROLES_THAT_SEE_ALL and staff.unit.is_head_office:
        reach = Reach.ALL
    elif roles & (_ROLES_THAT_SEE_ALL | {Role.BRANCH_HEAD}):
        reach = Reach.UNIT_AND_BELOW
    elif Role.CUSTOMER_MANAGER in roles:
        reach = Reach.OWN
    else:
        reach = Reach.NOTHING
    units: tuple[int, ...] = ()
    if reach is Reach.UNIT_AND_BELOW:
        units = tuple(OrgUnit.objects.filter(path__startswith=staff.unit.path).values_list("pk", flat=True))
    return DataScope(staff_id=staff.pk, unit_path=staff.unit.path, reach=reach, as_of=as_of, unit_ids=units)
