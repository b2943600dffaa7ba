"""Read groups: who belongs to which group on a day, what the engine proposes, what waits for a decision."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from shouxin.groups.models import Candidate, CandidateMember, CustomerGroup, Determination, Membership, MergeTask


def memberships_on(as_of: dt.date, *, known_at: dt.datetime | None = None) -> QuerySet[Membership]:
    """Confirmed memberships valid on a day, as they were known at an instant (now by default)."""
    return Membership.objects.filter(valid__contains=as_of, recorded__contains=known_at or timezone.now())


def find_group_of(customer_id: int, *, as_of: dt.date) -> CustomerGroup | None:
    """The confirmed group of a customer on a day; there is never more than one."""
    membership = memberships_on(as_of).filter(customer_id=customer_id).select_related("group").first()
    return membership.group if membership else None


def list_members(group: CustomerGroup, *, as_of: dt.date) -> QuerySet[Membership]:
    return (
        memberships_on(as_of)
        .filter(group=group)
        .select_related("customer__party", "customer__unit")
        .order_by("customer__number")
    )


def find_latest_determination() -> Determination | None:
    return Determination.objects.order_by("-id").first()


def list_candidates(determination: Determination | None) -> QuerySet[Candidate]:
    """The proposals of one run with their member counts, biggest first."""
    if determination is None:
        return Candidate.objects.none()
    return (
        determination.candidates.select_related("anchor", "group")
        .annotate(member_count=Count("members", filter=Q(members__is_customer=True)))
        .order_by("-member_count", "id")
    )


def members_of_candidates(candidates: Iterable[Candidate]) -> dict[int, list[CandidateMember]]:
    """Members by candidate id, in one query."""
    found: defaultdict[int, list[CandidateMember]] = defaultdict(list)
    members = CandidateMember.objects.filter(candidate__in=list(candidates)).select_related(
        "party__customer", "ultimate"
    )
    for member in members:
        found[member.candidate_id].append(member)
    return dict(found)


def open_candidates_with(party_id: int) -> QuerySet[Candidate]:
    """Undecided proposals of the latest run that hold a party; its exposure counts in each (A-02)."""
    latest = find_latest_determination()
    if latest is None:
        return Candidate.objects.none()
    return latest.candidates.filter(
        status=Candidate.Status.PROPOSED, members__party_id=party_id, members__is_customer=True
    ).distinct()


def list_open_merge_tasks() -> QuerySet[MergeTask]:
    """合并认定 tasks of the latest run that nobody has decided yet."""
    latest = find_latest_determination()
    if latest is None:
        return MergeTask.objects.none()
    return latest.merge_tasks.filter(status=MergeTask.Status.OPEN).select_related("first", "second")
