"""Which customers have credit here or may draw it: they never go back to the shared pool."""

from collections.abc import Collection

from django.db.models import Q

from shouxin.facilities.models import Deal, Facility
from shouxin.limits.models import Node
from shouxin.payroll_groups.models import Member, PayrollGroup


def customers_with_exposure(customer_ids: Collection[int]) -> set[int]:
    """Of some customers those with a limit or use, a contract, a deal, or a place in a payroll group."""
    ids = list(customer_ids)
    nodes = Node.objects.filter(Q(cap_fen__gt=0) | Q(used_fen__gt=0), customer__in=ids)
    found = set(nodes.values_list("customer", flat=True))
    found |= set(Facility.objects.filter(customer__in=ids).values_list("customer", flat=True))
    found |= set(Deal.objects.filter(customer__in=ids).values_list("customer", flat=True))
    members = Member.objects.filter(customer__in=ids, state__in=Member.OPEN)
    found |= set(members.values_list("customer", flat=True))
    groups = PayrollGroup.objects.filter(employer__in=ids, state__in=PayrollGroup.OPEN)
    found |= set(groups.values_list("employer", flat=True))
    return {pk for pk in found if pk is not None}
