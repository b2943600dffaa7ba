"""Payroll groups over HTTP, to read: the list with its sums, one group with its members. Amounts are yuan."""

import datetime as dt
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from shouxin.bank.scope import scope_of
from shouxin.domain.money import format_yuan
from shouxin.payroll_groups import selectors
from shouxin.payroll_groups.models import PayrollGroup
from shouxin.payroll_groups.rights import groups_in_view
from shouxin.web.api.common import READ_ERRORS, Key, Problem, business_date_now, client_of, message, newest_first
from shouxin.web.models import ApiClient

router = Router(tags=["payroll groups"])
PAGE = 50


class PayrollGroupOut(Schema):
    """One group with what its members owe together, the largest of them, and the guarantee fund."""

    number: str
    employer: str
    state: str
    level: str
    as_of: dt.date
    currency: str = "CNY"
    members: int
    limit: str
    principal: str
    interest: str
    fund: str
    overdue: str
    largest_borrower: str
    largest: str
    missing_payrolls: list[str]


class PayrollGroupPage(Schema):
    """One page, the newest first; ``next_cursor`` is empty on the last."""

    payroll_groups: list[PayrollGroupOut]
    next_cursor: str


class MemberOut(Schema):
    """One member; names only, no identity numbers."""

    customer: str
    name: str
    state: str
    limit: str
    owed: str
    fund: str


class PayrollGroupDetail(PayrollGroupOut):
    """A group with its members."""

    people: list[MemberOut]


class PageQuery(Schema):
    """Where the page before ended."""

    cursor: str = Field("", pattern=r"^[0-9]{0,18}$")


@router.get(
    "/payroll-groups", auth=Key("read"), response={200: PayrollGroupPage, **READ_ERRORS}, summary="工薪联保集团"
)
def list_groups(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """Groups in the view of the client's account, the newest first."""
    day = business_date_now()
    rows, after = newest_first(_in_view(client_of(request), day), query.cursor, most=PAGE)
    return {"payroll_groups": [_row(group, day) for group in rows], "next_cursor": after}


@router.get(
    "/payroll-groups/{number}", auth=Key("read"), response={200: PayrollGroupDetail, **READ_ERRORS},
    summary="工薪联保集团明细",
)  # fmt: skip
def read_group(request: HttpRequest, number: str) -> dict[str, Any]:
    """One group with its members."""
    day = business_date_now()
    group = _in_view(client_of(request), day).filter(number=number).first()
    if group is None:
        raise Problem(404, message("PAYROLL_GROUP_UNKNOWN", "没有这个联保集团，或不在该系统的数据范围内。"))
    members = group.members.select_related("customer__party").annotate(
        principal=Sum("loans__principal_fen"), interest=Sum("loans__interest_fen")
    )
    paid = selectors.contributions_of(group)
    people = [
        {
            "customer": member.customer.number, "name": str(member), "state": member.state,
            "limit": _plain(member.limit_fen), "owed": _plain((member.principal or 0) + (member.interest or 0)),
            "fund": _plain(paid.get(member.pk, 0)),
        }
        for member in members.order_by("pk")
    ]  # fmt: skip
    return {**_row(group, day), "people": people}


def _in_view(client: ApiClient, day: dt.date) -> Any:
    return groups_in_view(scope_of(client.account, as_of=day)).prefetch_related("workplaces")


def _plain(fen: int) -> str:
    return format_yuan(fen).replace(",", "")


def _row(group: PayrollGroup, day: dt.date) -> dict[str, Any]:
    report = selectors.report_of(group, as_of=day)
    return {
        "number": group.number, "employer": group.employer.party.name, "state": group.state,
        "level": selectors.level_code(group), "as_of": day, "members": report.members,
        "limit": _plain(report.limit_fen), "principal": _plain(report.principal_fen),
        "interest": _plain(report.interest_fen), "fund": _plain(report.fund_fen),
        "overdue": _plain(report.overdue_fen), "largest_borrower": report.largest_name,
        "largest": _plain(report.largest_fen),
        "missing_payrolls": [f"{month:%Y-%m}" for month in selectors.missing_months(group, as_of=day)],
    }  # fmt: skip
