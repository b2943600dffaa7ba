"""Set up and change the bank's own facts."""

import datetime as dt
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import CapitalFigure, Institution, OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of


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


class CapitalInputError(ValueError):
    """A capital figure that cannot be entered; the text says why and that nothing was saved."""


@transaction.atomic
def enter_capital_figure(
    *, actor: Staff, kind: str, date: dt.date, amount_fen: int, source: str, business_date: dt.date
) -> CapitalFigure:
    """The risk department enters net capital or net Tier 1 capital of a day (分); it counts once another approves it.

    Raises:
        CapitalInputError: another role, a day to come, nothing or less, no source, or a figure of that day is there.
    """
    roles = roles_of(actor, as_of=business_date)
    if RoleAssignment.Role.RISK_OFFICER not in roles or not actor.unit.is_head_office:
        raise CapitalInputError("资本数据由总行风险审查岗录入，没有保存。")
    if kind not in CapitalFigure.Kind.values:
        raise CapitalInputError("口径须为资本净额或一级资本净额，没有保存。")
    if date > business_date:
        raise CapitalInputError(f"报告日 {date} 晚于营业日 {business_date}，没有保存。")
    if amount_fen <= 0:
        raise CapitalInputError("资本金额须大于 0，没有保存。")
    if not source.strip():
        raise CapitalInputError("请填写来源（报表名称或文号），没有保存。")
    existing = CapitalFigure.objects.filter(kind=kind, date=date).first()
    if existing is not None:
        state = "待复核" if existing.entered_by_id and not existing.approved_by_id else "已在用"
        raise CapitalInputError(
            f"{existing.get_kind_display()} {date} 已有数据（{state}），同一天只能有一个，没有保存。"
        )
    try:
        with transaction.atomic():
            figure = CapitalFigure.objects.create(
                kind=kind, date=date, amount_fen=amount_fen, source=source.strip(), entered_by=actor
            )
    except IntegrityError as error:
        raise CapitalInputError(f"{date} 的数据刚由另一人录入，请刷新后查看，没有保存。") from error
    audit.record(
        actor=actor,
        action="bank.capital.entered",
        subject=("capital", figure.pk),
        summary=f"录入 {figure.get_kind_display()} {figure.date}",
        business_date=business_date,
    )
    return figure


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
