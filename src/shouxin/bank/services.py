"""Set up and change the bank's own facts."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from shouxin.bank.models import OrgUnit, RoleAssignment, Staff


def create_unit(*, code: str, name: str, kind: str, parent: OrgUnit | None) -> OrgUnit:
    """Add a unit below another; its path is fixed here and nowhere else."""
    path = f"{parent.path if parent else '/'}{code}/"
    return OrgUnit.objects.create(code=code, name=name, kind=kind, parent=parent, path=path)


@transaction.atomic
def create_staff(
    *, username: str, name: str, unit: OrgUnit, roles: Iterable[str], password: str, since: dt.date
) -> Staff:
    """Add a member of staff with the roles held since a day."""
    staff = Staff.objects.create_user(username, password, name=name, unit=unit, joined_date=since)
    RoleAssignment.objects.bulk_create(RoleAssignment(staff=staff, role=role, valid_from=since) for role in roles)
    return staff
