"""Who may do what with a payroll group, and the two ways an act is refused.

The county union 县联社 is head office; a credit union 信用社 is a branch. The county union fixes the rules,
investigates, confirms members, approves contracts and inspects (RC-03, RC-05, RC-09);
the credit union runs the group day by day.
"""

import datetime as dt
from collections.abc import Iterable

from django.db.models import QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import DataScope, roles_of, scope_of
from shouxin.domain.findings import Finding
from shouxin.parties.selectors import visible_customers
from shouxin.payroll_groups.models import Member, PayrollGroup

_Role = RoleAssignment.Role
CREDIT_UNION = frozenset({_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD})
CREDIT_UNION_HEAD = frozenset({_Role.BRANCH_HEAD})
"""Who speaks for the credit union."""
SECOND_PERSON = frozenset({_Role.BRANCH_HEAD, _Role.OPERATIONS})
"""Who pays out and refunds what another asked for."""
KEEPERS = frozenset({_Role.BRANCH_HEAD, _Role.OPERATIONS})
"""Who may keep the guarantee fund."""
COUNTY_RISK = frozenset({_Role.RISK_OFFICER})
COUNTY_APPROVER = frozenset({_Role.APPROVER})


NUMBER_LENGTH_MAX = 40
CONTRACT_YEARS_MAX = 30
"""Beyond it a date is a slip of the pen."""


class PayrollGroupError(ValueError):
    """The act is not possible; the text says why and what to do. Nothing was written."""


class PayrollRefusedError(PayrollGroupError):
    """Rules refuse the act; ``findings`` has every reason. Nothing was written."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = [finding for finding in findings if finding.is_refusal]
        super().__init__("；".join(f"{one.message}（{one.article}）" for one in self.findings))


def refuse_if_any(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that do not stop an act. Raises PayrollRefusedError with those that do."""
    found = list(findings)
    if any(finding.is_refusal for finding in found):
        raise PayrollRefusedError(found)
    return found


def groups_in_view(scope: DataScope) -> QuerySet[PayrollGroup]:
    """Groups whose employer is a customer in view."""
    return PayrollGroup.objects.filter(employer__in=visible_customers(scope)).select_related(
        "employer__party", "unit", "fund__custodian"
    )


def _names(roles: frozenset[str]) -> str:
    return "、".join(str(_Role(role).label) for role in sorted(roles))


def require(actor: Staff, group: PayrollGroup, roles: frozenset[str], *, day: dt.date) -> None:
    """Raises PayrollGroupError for somebody without any of the roles, or to whom the group is not in view."""
    if not roles_of(actor, as_of=day) & roles:
        raise PayrollGroupError(f"您没有此项权限：由{_names(roles)}办理。")
    if not groups_in_view(scope_of(actor, as_of=day)).filter(pk=group.pk).exists():
        raise PayrollGroupError("该集团不在您的数据范围内。")


def is_county_union(actor: Staff, roles: frozenset[str], *, day: dt.date) -> bool:
    """Whether somebody acts for the county union in one of these roles."""
    return actor.unit.is_head_office and bool(roles_of(actor, as_of=day) & roles)


def require_county_union(actor: Staff, roles: frozenset[str], *, day: dt.date, article: str) -> None:
    """Raises PayrollGroupError for everybody but the county union's people (RC-03, RC-05, RC-09)."""
    if not is_county_union(actor, roles, day=day):
        raise PayrollGroupError(f"由县联社（总行）{_names(roles)}办理，信用社不能办理（{article}）。")


def locked(group: PayrollGroup, *states: str) -> PayrollGroup:
    """The group's row under lock. Raises PayrollGroupError when it is in none of the states."""
    found = PayrollGroup.objects.select_for_update(of=("self",)).select_related("employer__party").get(pk=group.pk)
    if states and found.state not in states:
        names = "、".join(str(PayrollGroup.State(state).label) for state in states)
        raise PayrollGroupError(f"集团{found.get_state_display()}，此步骤只适用于：{names}。")
    return found


def locked_member(member: Member, *states: str) -> Member:
    """A member as they are now, under lock. Raises PayrollGroupError when they are in none of the states."""
    found = (
        Member.objects.select_for_update(of=("self",))
        .select_related("group__employer__party", "customer__party", "investigation")
        .get(pk=member.pk)
    )
    if states and found.state not in states:
        names = "、".join(str(Member.State(state).label) for state in states)
        raise PayrollGroupError(f"{found} {found.get_state_display()}，此步骤只适用于：{names}。")
    return found


RESERVED = "CD"
"""What numbers and vouchers of a debt that moves to others begin with."""


def free_number(text: str, what: str) -> str:
    """A number as somebody wrote it. Raises PayrollGroupError when it is empty, too long or reserved."""
    number = text.strip()
    if not number or len(number) > NUMBER_LENGTH_MAX:
        raise PayrollGroupError(f"请填写{what}，不超过 {NUMBER_LENGTH_MAX} 个字。")
    if number.upper().startswith(RESERVED):
        raise PayrollGroupError(f"{what}不能以 {RESERVED} 开头，此类编号留给债务转移。")
    return number


def sensible_day(day: dt.date, what: str, *, first: dt.date, last: dt.date) -> dt.date:
    """Raises PayrollGroupError for a day that makes no sense here."""
    if not first <= day <= last:
        raise PayrollGroupError(f"{what} {day} 须在 {first} 至 {last} 之间。")
    return day


def trace(actor: Staff | None, group: PayrollGroup, what: str, summary: str, day: dt.date) -> None:
    """One audit entry on the group."""
    audit.record(
        actor=actor, action=f"payroll_groups.{what}", subject=("payroll_group", group.pk), summary=summary,
        business_date=day,
    )  # fmt: skip
