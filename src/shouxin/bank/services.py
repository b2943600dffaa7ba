"""Set up and change the bank's own facts."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import CapitalFigure, Institution, OrgUnit, RoleAssignment, Staff


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


class FourEyesError(PermissionError):
    """The same person may not do both halves of an act."""


@transaction.atomic
def approve_capital_figure(*, actor: Staff, figure: CapitalFigure, business_date: dt.date) -> CapitalFigure:
    """Put an entered capital figure in use. Raises FourEyesError for the person who entered it."""
    figure = CapitalFigure.objects.select_for_update().get(pk=figure.pk)
    if figure.entered_by_id == actor.pk:
        raise FourEyesError("录入人不能复核自己的资本数据，请由另一人复核（四眼原则）。")
    figure.approved_by = actor
    figure.save(update_fields=["approved_by"])
    audit.record(
        actor=actor,
        action="bank.capital.approved",
        subject=("capital", figure.pk),
        summary=f"复核 {figure.get_kind_display()} {figure.date}",
        business_date=business_date,
    )
    return figure


class SetUpAlreadyError(Exception):
    """The bank has been set up before."""


@transaction.atomic
def set_up(*, name: str, administrator: str, password: str) -> Institution:
    """Create the institution, its head office and a first administrator.

    Raises:
        SetUpAlreadyError: there is an institution already; nothing is changed.
    """
    existing = Institution.objects.select_for_update().first()
    if existing is not None:
        raise SetUpAlreadyError(f"{existing.name} has been set up already; nothing was changed.")
    institution = Institution.objects.create(name=name)
    head_office = create_unit(code="HO", name="总行", kind=OrgUnit.Kind.HEAD_OFFICE, parent=None)
    create_staff(
        username=administrator,
        name="系统管理员",
        unit=head_office,
        roles=[RoleAssignment.Role.ADMINISTRATOR],
        password=password,
        since=timezone.localdate(),
    )
    return institution
