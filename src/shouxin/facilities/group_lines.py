"""The unified line of a group: judged on the group's total, decided at head office, allocated to its members.

JS-05 every amount is approved by head office · JS-11 at most 15 % of year-end net capital · JS-13 above the meeting
threshold the president's meeting comes first · BR-12 a sub-limit for each member, together within the line.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.db import transaction

from shouxin.approvals.models import Case
from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.findings import Finding
from shouxin.facilities import rules
from shouxin.facilities.models import GroupLine
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy.products import find_product


@dataclass(frozen=True, slots=True)
class LineProposal:
    """What is proposed for a group; amounts in 分, sub-limits by customer id, the end date is excluded."""

    group: CustomerGroup
    amount_fen: int
    sub_limits_fen: Mapping[int, int]
    valid_from: dt.date
    valid_to: dt.date
    minutes_number: str = ""
    product_limits_fen: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    refused_members: frozenset[int] = frozenset()

    def without_refused(self) -> "LineProposal":
        """The line that is approved when some members' plans are not: less by exactly theirs (CB+12)."""
        refused = sum(self.sub_limits_fen.get(member, 0) for member in self.refused_members)
        return replace(
            self,
            amount_fen=self.amount_fen - refused,
            sub_limits_fen={
                member: 0 if member in self.refused_members else amount
                for member, amount in self.sub_limits_fen.items()
            },
            product_limits_fen={
                member: limits
                for member, limits in self.product_limits_fen.items()
                if member not in self.refused_members
            },
        )


class LineRefusedError(Exception):
    """The line may not be approved; every reason is in ``findings`` and nothing was written."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("；".join(finding.message for finding in findings))
        self.findings = findings


def check_line(*, proposal: LineProposal, approver: Staff, as_of: dt.date) -> list[Finding]:
    """Every rule about a proposed line and who approves it, broken ones and warnings."""
    return [
        *rules.judge_approver(
            is_head_office=approver.unit.is_head_office,
            is_approver=RoleAssignment.Role.APPROVER in roles_of(approver, as_of=as_of),
            as_of=as_of,
        ),
        *rules.judge_meeting(amount_fen=proposal.amount_fen, minutes_number=proposal.minutes_number, as_of=as_of),
        *check_amounts(proposal=proposal, as_of=as_of),
    ]


def check_amounts(*, proposal: LineProposal, as_of: dt.date) -> list[Finding]:
    """What the rules say about the figures alone: the whole against capital, the parts against the whole."""
    members = {membership.customer_id for membership in list_members(proposal.group, as_of=as_of)}
    return [
        *rules.judge_group_total(amount_fen=proposal.amount_fen, as_of=as_of),
        *rules.judge_allocation(
            line_fen=proposal.amount_fen, sub_limits_fen=proposal.sub_limits_fen, member_ids=members, as_of=as_of
        ),
        *rules.judge_product_limits(
            sub_limits_fen=proposal.sub_limits_fen, product_limits_fen=proposal.product_limits_fen, as_of=as_of
        ),
    ]


@transaction.atomic
def approve_line(*, proposal: LineProposal, proposer: Staff, approver: Staff, business_date: dt.date) -> GroupLine:
    """Put a group's line and its members' sub-limits in force.

    Raises:
        LineRefusedError: any rule refuses; nothing is written.
    """
    findings = check_line(proposal=proposal, approver=approver, as_of=business_date)
    refusals = [finding for finding in findings if finding.is_refusal]
    if proposer.pk == approver.pk:
        refusals.append(rules.same_person_finding())
    if refusals:
        raise LineRefusedError(refusals)
    return put_in_force(
        proposal=proposal, proposer=proposer, approver=approver, findings=findings, business_date=business_date
    )


@transaction.atomic
def put_in_force(
    *,
    proposal: LineProposal,
    proposer: Staff,
    approver: Staff,
    findings: list[Finding],
    business_date: dt.date,
    case: Case | None = None,
) -> GroupLine:
    """Write a decided line and its caps: members and their products first, the group last, all in one transaction."""
    line = GroupLine.objects.create(
        group=proposal.group,
        amount_fen=proposal.amount_fen,
        sub_limits={str(customer): amount for customer, amount in proposal.sub_limits_fen.items()},
        product_limits={str(customer): dict(row) for customer, row in proposal.product_limits_fen.items()},
        refused_members=sorted(proposal.refused_members),
        case=case,
        valid_from=proposal.valid_from,
        valid_to=proposal.valid_to,
        minutes_number=proposal.minutes_number,
        findings=[finding.stored() for finding in findings],
        legal_basis=rules.legal_basis(as_of=business_date),
        proposed_by=proposer,
        approved_by=approver,
    )
    approval = f"统一授信批复 {line.pk:04d}"
    group_node = limits.ensure_group_node(proposal.group)
    for membership in list_members(proposal.group, as_of=business_date):
        node = limits.ensure_customer_node(membership.customer)
        limits.set_cap(
            node=node,
            amount_fen=proposal.sub_limits_fen[membership.customer_id],
            valid_from=proposal.valid_from,
            valid_to=proposal.valid_to,
            approval=approval,
            basis={"article": "BR-12", "line": line.pk},
            business_date=business_date,
            actor_id=approver.pk,
        )
        put_product_caps(
            customer=membership.customer,
            caps_fen=proposal.product_limits_fen.get(membership.customer_id, {}),
            valid_from=proposal.valid_from,
            valid_to=proposal.valid_to,
            approval=approval,
            business_date=business_date,
            actor_id=approver.pk,
        )
        limits.move_customer(
            membership.customer, to=group_node, business_date=business_date, reason=approval, actor_id=approver.pk
        )
    limits.set_cap(
        node=group_node,
        amount_fen=proposal.amount_fen,
        valid_from=proposal.valid_from,
        valid_to=proposal.valid_to,
        approval=approval,
        basis={"article": "JS-11", "line": line.pk, "minutes": proposal.minutes_number},
        business_date=business_date,
        actor_id=approver.pk,
    )
    audit.record(
        actor=approver,
        action="facilities.group_line.approved",
        subject=("group", proposal.group.pk),
        summary=f"{approval}：{proposal.group.name} {rules.wan(proposal.amount_fen)}",
        business_date=business_date,
        details={"line": line.pk, "proposed_by": proposer.username},
    )
    return line


def put_product_caps(
    *,
    customer: Customer,
    caps_fen: Mapping[str, int],
    valid_from: dt.date,
    valid_to: dt.date,
    approval: str,
    business_date: dt.date,
    actor_id: int,
) -> None:
    """Cap a customer's products as decided; one that is not named is bounded by the member alone."""
    named = {find_product(product, as_of=business_date).code: amount for product, amount in caps_fen.items()}
    for product, amount in named.items():
        rule = find_product(product, as_of=business_date)
        limits.set_cap(
            node=limits.ensure_product_node(customer, product=product, name=rule.name),
            amount_fen=amount,
            valid_from=valid_from,
            valid_to=valid_to,
            approval=approval,
            basis={"article": "BR-12"},
            business_date=business_date,
            actor_id=actor_id,
        )
    for node in Node.objects.filter(customer=customer, kind=Node.Kind.PRODUCT, cap_fen__isnull=False):
        if node.product not in named:
            limits.set_cap(
                node=node,
                amount_fen=None,
                valid_from=valid_from,
                valid_to=valid_to,
                approval=approval,
                basis={"article": "BR-12"},
                business_date=business_date,
                actor_id=actor_id,
            )
