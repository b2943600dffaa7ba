"""What waits for one person about payroll groups: who is to be looked at, decided, paid out, agreed to or mended."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from shouxin.bank.models import Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.payroll_groups import rights
from shouxin.payroll_groups.models import Contract, Departure, Inspection, Loan, Member, PayrollGroup


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing to do: what (in Chinese, as pages translate it), about whom, in which group, at which member."""

    what: str
    subject: str
    group: PayrollGroup
    member_id: int | None = None
    due_date: dt.date | None = None


def waiting_for(person: Staff, *, as_of: dt.date) -> list[Waiting]:
    """Everything of payroll groups that waits for a person; the acts are judged again when they are done."""
    in_view = rights.groups_in_view(scope_of(person, as_of=as_of)).filter(state__in=PayrollGroup.OPEN)
    ids = list(in_view.order_by().values_list("pk", flat=True))
    if not ids:
        return []
    groups = PayrollGroup.objects.filter(pk__in=ids).select_related("employer__party")
    roles = roles_of(person, as_of=as_of)
    found: list[Waiting] = []
    if rights.is_county_union(person, rights.COUNTY_RISK, day=as_of):
        found += _to_investigate(groups)
    if rights.is_county_union(person, rights.COUNTY_RISK | rights.COUNTY_APPROVER, day=as_of):
        found += _to_review(person, groups)
    if rights.is_county_union(person, rights.COUNTY_APPROVER, day=as_of):
        drafts = Contract.objects.filter(group__in=groups, state=Contract.State.DRAFT).exclude(prepared_by=person)
        found += [Waiting("批准合同", one.number, one.group) for one in drafts.select_related("group__employer__party")]
    if roles & rights.CREDIT_UNION_HEAD:
        found += _to_release(person, groups)
    if roles & rights.CREDIT_UNION:
        found += _to_mend(groups)
    return found


def _to_investigate(groups: QuerySet[PayrollGroup]) -> Iterator[Waiting]:
    for group in groups.filter(members__state=Member.State.APPLIED, members__investigation__isnull=True).distinct():
        yield Waiting("登记调查报告", group.employer.party.name, group)


def _to_review(person: Staff, groups: QuerySet[PayrollGroup]) -> Iterator[Waiting]:
    members = (
        Member.objects.filter(group__in=groups, state=Member.State.APPLIED, investigation__isnull=False)
        .exclude(investigation__investigator=person)
        .exclude(entered_by=person)
    )
    for member in members.select_related("group__employer__party", "customer__party"):
        yield Waiting("审查资格", str(member), member.group, member.pk)
    ready = groups.filter(state=PayrollGroup.State.FORMING, members__state=Member.State.QUALIFIED).exclude(
        members__state=Member.State.APPLIED
    )
    for group in ready.exclude(investigations__investigator=person).exclude(filed_by=person).distinct():
        yield Waiting("审查单位资格", group.employer.party.name, group)


def _to_release(person: Staff, groups: QuerySet[PayrollGroup]) -> Iterator[Waiting]:
    loans = Loan.objects.filter(member__group__in=groups, state=Loan.State.REQUESTED).exclude(requested_by=person)
    for loan in loans.select_related("member__group__employer__party", "member__customer__party"):
        yield Waiting("复核放款", f"{loan.member} {loan.number}", loan.member.group, loan.member_id)
    departures = Departure.objects.filter(
        member__group__in=groups, state=Departure.State.OPEN, union_agreed_by__isnull=True
    ).exclude(asked_by=person)
    for one in departures.select_related("member__group__employer__party", "member__customer__party"):
        yield Waiting("信用社同意", str(one), one.member.group, one.member_id)


def _to_mend(groups: QuerySet[PayrollGroup]) -> Iterator[Waiting]:
    open_ones = Inspection.objects.filter(group__in=groups, mended_date__isnull=True).exclude(demand="")
    for one in open_ones.select_related("group__employer__party"):
        yield Waiting("登记整改", one.demand, one.group, due_date=one.due_date)
