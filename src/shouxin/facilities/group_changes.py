"""Decide a change of a group and let the limits follow at once: one transaction, so neither is ever without the other.

A customer that joins moves with all its use under the group's node; one that leaves gets a group of its own. The new
group's line need not suffice: what is above it becomes an excess with owner and cure date, never a refusal to see it.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from shouxin.bank.models import Staff
from shouxin.groups import judgement
from shouxin.groups.models import CustomerGroup, GroupChange
from shouxin.groups.selectors import memberships_on
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer


@dataclass(frozen=True, slots=True)
class Decided:
    """The change as decided, and what moving its members opened above their lines, in 分."""

    change: GroupChange
    excess_fen: int


@transaction.atomic
def decide_change(
    *, actor: Staff, change: GroupChange, is_approved: bool, decision: str, business_date: dt.date
) -> Decided:
    """Approve or refuse a proposal about a group; limits follow an approval. Raises DecisionError as ``decide``."""
    decided = judgement.decide(
        actor=actor, change=change, is_approved=is_approved, decision=decision, business_date=business_date
    )
    excess = 0
    if is_approved:
        for group in _touched(decided):
            excess += follow_membership(group=group, actor=actor, business_date=business_date)
    return Decided(decided, excess)


def _touched(change: GroupChange) -> list[CustomerGroup]:
    groups = [change.group] if change.group else []
    if change.task is not None:
        for candidate in (change.task.first, change.task.second):
            groups += [group for group in (candidate.group, candidate.updates) if group and group not in groups]
    return groups


@transaction.atomic
def follow_membership(*, group: CustomerGroup, actor: Staff, business_date: dt.date) -> int:
    """Hang the limits of a group's members under its node and of those who left under their own.

    Gives the excess that this opens, in 分. A group without a node has no line yet; its members keep their own nodes
    until the line is approved.
    """
    node = Node.objects.filter(group=group, kind=Node.Kind.GROUP).first()
    if node is None:
        return 0
    members = set(memberships_on(business_date).filter(group=group).values_list("customer_id", flat=True))
    under = set(Node.objects.filter(parent=node, kind=Node.Kind.CUSTOMER).values_list("customer_id", flat=True))
    excess = 0
    for customer in Customer.objects.filter(pk__in=members ^ under).select_related("party").order_by("pk"):
        target = node if customer.pk in members else _next_home(customer, business_date)
        reason = f"{group.name} 成员变更：{'加入' if customer.pk in members else '离开'}"
        excess += limits.move_customer(
            customer, to=target, business_date=business_date, reason=reason, actor_id=actor.pk
        )
    return excess


def _next_home(customer: Customer, business_date: dt.date) -> Node:
    """Where a customer's limits go that leaves a group: its other group's node, or a group of its own."""
    other = memberships_on(business_date).filter(customer=customer).select_related("group").first()
    node = Node.objects.filter(group=other.group, kind=Node.Kind.GROUP).first() if other else None
    return node or limits.create_own_group_node(customer)
