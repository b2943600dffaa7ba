"""Read payroll groups: debts, fund, level, the report, what is missing. Amounts in 分."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Sum, When

from shouxin.domain.payroll_group import LEVEL_NAMES, Debt, level_of, months_without_payroll
from shouxin.payroll_groups.models import Contract, FundEntry, Loan, LoanEntry, Member, PayrollFile, PayrollGroup

_NET = Sum(
    Case(
        When(kind=FundEntry.Kind.REFUND, then=-F("amount_fen")),
        default=F("amount_fen"),
        output_field=BigIntegerField(),
    )
)


def debts_of(group: PayrollGroup) -> list[Debt]:
    """What each person owes, principal and interest; those who owe nothing too, those who were removed too."""
    rows = (
        Member.objects.filter(group=group)
        .annotate(owed=Sum(F("loans__principal_fen") + F("loans__interest_fen"), filter=Q(loans__state="out")))
        .order_by("pk")
        .values_list("customer__party__name", "owed")
    )
    return [Debt(name, int(owed or 0)) for name, owed in rows]


def owed_fen(member: Member) -> int:
    """Principal and interest that a member owes now."""
    return sum(loan.owed_fen for loan in member.loans.filter(state=Loan.State.OUT))


def principal_fen(member: Member) -> int:
    """Principal of a member's own loans and of those taken over."""
    return int(member.loans.filter(state=Loan.State.OUT).aggregate(total=Sum("principal_fen"))["total"] or 0)


def contract_on(group: PayrollGroup, *, day: dt.date) -> Contract | None:
    """The contract in force on a day; its end is excluded."""
    return group.contracts.filter(state=Contract.State.IN_FORCE, signed_date__lte=day, end_date__gt=day).first()


def latest_contract(group: PayrollGroup) -> Contract | None:
    """The contract in force or the last one that was."""
    return group.contracts.filter(state=Contract.State.IN_FORCE).order_by("-signed_date").first()


def level_name(group: PayrollGroup) -> str:
    """Whether the county union or a credit union manages the group (RC-04), in words."""
    return LEVEL_NAMES[level_code(group)]


def level_code(group: PayrollGroup) -> str:
    """``county`` or ``credit_union``: the employer's own unit counts besides its workplaces."""
    return level_of([group.unit_id, *(place.area_id for place in group.workplaces.all())])


def contributions_of(group: PayrollGroup) -> dict[int, int]:
    """What each member has in the fund, by member id: contributions less refunds."""
    entries = FundEntry.objects.filter(member__group=group)
    return dict(entries.values_list("member").annotate(net=_NET).order_by())


def net_of(entries: QuerySet[FundEntry]) -> int:
    """What some entries of the fund leave in it: contributions less refunds."""
    return int(entries.aggregate(net=_NET)["net"] or 0)


@dataclass(frozen=True, slots=True)
class Report:
    """The group seen as one (RC-02): its members' debts together, the largest, and its share."""

    limit_fen: int
    principal_fen: int
    interest_fen: int
    fund_fen: int
    members: int
    borrowers: int
    overdue_fen: int
    largest_name: str
    largest_fen: int

    @property
    def owed_fen(self) -> int:
        return self.principal_fen + self.interest_fen

    @property
    def largest_share(self) -> Decimal | None:
        """Percent of all that is owed; None when nothing is."""
        return Decimal(self.largest_fen) * 100 / self.owed_fen if self.owed_fen else None


def report_of(group: PayrollGroup, *, as_of: dt.date) -> Report:
    """The report of a day: debts are the sums of the entries up to it."""
    rows = (
        LoanEntry.objects.filter(loan__member__group=group, booked_date__lte=as_of)
        .values("loan__member", "loan__member__customer__party__name", "loan__due_date")
        .annotate(principal=Sum("principal_fen"), interest=Sum("interest_fen"))
    )
    owed: dict[int, int] = {}
    names: dict[int, str] = {}
    principal = interest = overdue = 0
    for row in rows:
        member = row["loan__member"]
        names[member] = row["loan__member__customer__party__name"]
        sum_of = row["principal"] + row["interest"]
        owed[member] = owed.get(member, 0) + sum_of
        principal, interest = principal + row["principal"], interest + row["interest"]
        if row["loan__due_date"] < as_of:
            overdue += sum_of
    largest = max(owed, key=lambda member: (owed[member], -member), default=None)
    contract = contract_on(group, day=as_of)
    return Report(
        limit_fen=contract.limit_fen if contract else 0, principal_fen=principal, interest_fen=interest,
        fund_fen=net_of(FundEntry.objects.filter(member__group=group, booked_date__lte=as_of)),
        members=members_on(group, day=as_of).count(), borrowers=sum(1 for fen in owed.values() if fen > 0),
        overdue_fen=overdue, largest_name=names[largest] if largest is not None and owed[largest] > 0 else "",
        largest_fen=owed[largest] if largest is not None else 0,
    )  # fmt: skip


def members_on(group: PayrollGroup, *, day: dt.date) -> QuerySet[Member]:
    """Who belonged to the group on a day: joined and not yet gone."""
    return group.members.filter(Q(left_date__isnull=True) | Q(left_date__gt=day), joined_date__lte=day)


def missing_months(group: PayrollGroup, *, as_of: dt.date) -> list[dt.date]:
    """Months that ended without a payroll file, oldest first; wages are owed through the union from the signing on."""
    first = group.contracts.filter(state=Contract.State.IN_FORCE).order_by("signed_date").first()
    if first is None or group.payroll_from is None or group.state == PayrollGroup.State.DISSOLVED:
        return []
    received = group.payrolls.filter(received_date__lte=as_of, voided_by__isnull=True).values_list("month", flat=True)
    return months_without_payroll(max(group.payroll_from, first.signed_date), received, as_of)


def absent_members(groups: Iterable[PayrollGroup]) -> list[tuple[Member, PayrollFile]]:
    """Members whom the group's latest payroll file does not pay: they may have left the employer."""
    found = []
    for group in groups:
        latest = group.payrolls.filter(voided_by__isnull=True).order_by("-month").first()
        if latest is None:
            continue
        paid = latest.wages.filter(amount_fen__gt=0).values("member")
        joined = group.members.filter(state=Member.State.ACTIVE, joined_date__lte=latest.received_date)
        found += [(member, latest) for member in joined.exclude(pk__in=paid).select_related("customer__party")]
    return found
