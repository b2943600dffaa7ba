"""Use an employer's lists: staff who are named for the group, a month's wages. All of a file or nothing."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from shouxin.bank.models import Staff
from shouxin.intake.evidence_files import EvidenceError, RowError
from shouxin.intake.payroll_lists import StaffRow, WageRow
from shouxin.parties.models import Customer, Party
from shouxin.parties.services import CustomerInputError, add_prospect
from shouxin.payroll_groups import accounts, forming
from shouxin.payroll_groups.models import Member, PayrollFile, PayrollGroup
from shouxin.payroll_groups.rights import PayrollGroupError


@transaction.atomic
def name_members(
    *, actor: Staff, group: PayrollGroup, rows: Sequence[StaffRow], file_name: str, business_date: dt.date
) -> list[Member]:
    """Name everybody on the employer's list; people who are not known yet become prospects of the actor.

    Who has no own application in the list stays 未申请 (RC-07).

    Raises:
        EvidenceError: a row cannot be used; every such row is named and nobody was named for the group.
    """
    made: list[Member] = []
    errors: list[RowError] = []
    for row in rows:
        try:
            with transaction.atomic():
                made.append(
                    forming.name_member(
                        actor=actor, group=group, customer=_customer_of(actor, row, business_date),
                        employment=row.employment, post=row.post, monthly_income_fen=row.income_fen,
                        income_proof=row.income_proof, account_number=row.account, applied_date=row.applied,
                        business_date=business_date,
                    )
                )  # fmt: skip
        except (PayrollGroupError, CustomerInputError) as error:
            errors.append(RowError(file_name, row.line, "姓名", str(error), "ROW_REFUSED"))
    if errors:
        raise EvidenceError(errors)
    return made


def _customer_of(actor: Staff, row: StaffRow, day: dt.date) -> Customer:
    """The person with this identity number; the name must agree, for a number stands for one person (A-32)."""
    party = Party.objects.filter(identity_number=row.identity_number).select_related("customer").first()
    if party is None:
        return add_prospect(
            actor=actor, name=row.name, kind=Party.Kind.PERSON, contacts=(), customer_class=None,
            identity_number=row.identity_number, business_date=day,
        )  # fmt: skip
    if party.name != row.name:
        raise CustomerInputError({"name": f"身份证号属于另一姓名的人，名单上写的是 {row.name}，请核对"})
    customer = Customer.objects.filter(party=party).first()
    if customer is None:
        raise CustomerInputError({"name": f"{row.name} 已知为主体但不是客户，请先在客户名单中新增"})
    return customer


def receive_payroll(
    *, actor: Staff, group: PayrollGroup, month: dt.date, rows: Sequence[WageRow], file_name: str,
    business_date: dt.date,
) -> PayrollFile:  # fmt: skip
    """Keep a month's wages; members are found by account, identity number, or a name that only one of them has.

    Raises EvidenceError when two rows pay the same member, PayrollGroupError as ``accounts.receive_payroll``.
    """
    members = list(
        group.members.filter(state__in=[Member.State.ACTIVE, Member.State.QUALIFIED]).select_related("customer__party")
    )
    names = [str(member) for member in members]
    wages: dict[int, int] = {}
    errors = []
    for row in rows:
        found = next((member for member in members if _is_paid(row, member, names)), None)
        if found is None:
            continue
        if found.pk in wages:
            errors.append(RowError(file_name, row.line, "姓名", f"{found} 在文件中出现两次", "ROW_TWICE"))
        wages[found.pk] = row.amount_fen
    if errors:
        raise EvidenceError(errors)
    return accounts.receive_payroll(
        actor=actor, group=group, month=month, file_name=file_name, staff_count=len(rows),
        total_fen=sum(row.amount_fen for row in rows), wages_fen=wages, business_date=business_date,
    )  # fmt: skip


def _is_paid(row: WageRow, member: Member, names: Sequence[str]) -> bool:
    """Whether a row is this member's: the account decides before the identity number, that before the name."""
    if row.account and member.account_number:
        return row.account == member.account_number
    known = member.customer.party.identity_number
    if row.identity_number and known:
        return row.identity_number == known
    return row.name == str(member) and names.count(row.name) == 1
