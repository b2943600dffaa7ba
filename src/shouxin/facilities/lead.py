"""The lead branch of a group from its books: stock by branch at the last quarter end, and the decision that is kept.

JS-07 the largest stock at the end of last quarter leads, acceptances counted net of margin. JS-08 or the branch that
the president's meeting names. JS-09 it stays when its stock falls later. JS-10 only without any credit the next leads.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Min, Q

from shouxin.approvals.models import Case
from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.dates import quarter_end_on_or_before
from shouxin.domain.exposure import stock_by_branch
from shouxin.domain.lead_branch import choose_lead
from shouxin.facilities.models import Deal, Facility, LeadDecision
from shouxin.facilities.selectors import deals_on, domain_deals
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import memberships_on
from shouxin.policy import load_book


class LeadError(Exception):
    """A lead branch that may not be set so; the text says why."""


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One branch in the ranking, amounts in 分: stock at the quarter end, stock today, undrawn today."""

    place: int
    unit: OrgUnit
    stock_fen: int
    now_fen: int
    undrawn_fen: int


@dataclass(frozen=True, slots=True)
class LeadComputation:
    """The ranking of a day with the branch that it makes the lead, None when no branch has any credit."""

    quarter_end_date: dt.date
    rows: list[LeadRow]
    lead: OrgUnit | None
    reason: str
    articles: tuple[str, ...]


def compute_lead(*, group: CustomerGroup, as_of: dt.date) -> LeadComputation:
    """Rank the branches of a group's members and name the lead by rule; nothing is stored."""
    book = load_book()
    in_force = book.in_force("lead.rule", as_of)
    net_products = set(book.items_in_force("lead.net_products", as_of))
    if in_force is None:
        raise LeadError(f"{as_of} 尚无确定牵头行的规定（JS-07），各行均可申报，不须确定牵头行。")
    rule = in_force.value.text
    if rule != "largest_stock":
        raise LeadError(f"参数 lead.rule 为 {rule}，本系统只按上季末存量排名；请由行长办公会指定牵头行（JS-08）。")
    members = set(memberships_on(as_of).filter(group=group).values_list("customer_id", flat=True))
    quarter_end = quarter_end_on_or_before(as_of)
    stock = _stock(members, quarter_end, net_products)
    now = _stock(members, as_of, net_products)
    undrawn = _undrawn(members, as_of)
    units = {str(unit.pk): unit for unit in OrgUnit.objects.filter(pk__in=[*stock, *now])}
    chosen = choose_lead(
        stock_at_quarter_end_fen=stock,
        has_credit_now={branch: bool(now.get(branch) or undrawn.get(branch)) for branch in stock},
        undrawn_fen=undrawn,
        first_credit=_first_credit(members, quarter_end),
        codes={branch: unit.code for branch, unit in units.items()},
    )
    ranking = chosen.ranking if chosen else tuple(sorted(stock.items(), key=lambda row: -row[1]))
    rows = [
        LeadRow(place, units[branch], fen, now.get(branch, 0), undrawn.get(branch, 0))
        for place, (branch, fen) in enumerate(ranking, start=1)
    ]
    return LeadComputation(
        quarter_end_date=quarter_end,
        rows=rows,
        lead=units[chosen.branch] if chosen else None,
        reason=chosen.reason if chosen else "各机构均无存量授信，也无有效批复额度",
        articles=("JS-07", "JS-10"),
    )


def _stock(members: set[int], day: dt.date, net_products: set[str]) -> dict[str, int]:
    """Drawn credit by branch id on a day; only the named products net of margin, nothing else deducted (A-05)."""
    deals = domain_deals(deals_on(day).filter(customer_id__in=members), as_of=day)
    counted = (
        replace(deal, is_net_of_margin=deal.product in net_products, deducts_own_cd=False, deducts_treasury=False)
        for _, deal in deals
    )
    return stock_by_branch(counted)


def _undrawn(members: set[int], day: dt.date) -> Mapping[str, int]:
    """What is approved and not drawn by branch, from the contracts in force that have a cap of their own."""
    undrawn: defaultdict[str, int] = defaultdict(int)
    contracts = Facility.objects.filter(
        Q(start_date__lte=day, end_date__gt=day), customer_id__in=members, node__cap_fen__isnull=False
    ).select_related("node")
    for contract in contracts:
        undrawn[str(contract.branch_id)] += max(0, (contract.node.cap_fen or 0) - contract.node.used_fen)
    return undrawn


def _first_credit(members: set[int], day: dt.date) -> dict[str, dt.date]:
    """The day on which each branch first gave credit to one of the members."""
    rows = Deal.objects.filter(customer_id__in=members, start_date__lte=day).values_list("branch_id")
    return {str(branch): first for branch, first in rows.annotate(first=Min("start_date")).order_by()}


def judge_initiation(group: CustomerGroup, *, as_of: dt.date) -> str:
    """Why a case may not begin under the lead that stands; empty when it may (A-09).

    The lead that a ranking made holds for its quarter and for the case begun in it; a case begun in a later quarter
    ranks anew. What a meeting decided holds until the meeting decides again.
    """
    decision = find_lead(group, as_of=as_of)
    if load_book().in_force("lead.rule", as_of) is None:
        return ""
    if decision is None or decision.minutes_number or decision.quarter_end_date >= quarter_end_on_or_before(as_of):
        return ""
    now = compute_lead(group=group, as_of=as_of)
    if now.lead is None or now.lead == group.lead_unit:
        return ""
    return (
        f"牵头行 {decision.branch.name} 按 {decision.quarter_end_date} 的存量确定；按 {now.quarter_end_date} 应为 "
        f"{now.lead.name}，请先由总行重新确定牵头行（JS-07）。"
    )


def find_lead(group: CustomerGroup, *, as_of: dt.date) -> LeadDecision | None:
    """The decision in force on a day."""
    return group.lead_decisions.filter(started_date__lte=as_of).select_related("branch", "decided_by").first()


@transaction.atomic
def start_lead(
    *,
    actor: Staff,
    group: CustomerGroup,
    business_date: dt.date,
    meeting_branch: OrgUnit | None = None,
    minutes_number: str = "",
) -> LeadDecision:
    """Name the lead branch from today on: by the ranking, or as the president's meeting decided (JS-08).

    Raises:
        LeadError: not a credit officer of head office, a meeting's choice without minutes, or no branch has credit.
    """
    roles = roles_of(actor, as_of=business_date)
    allowed = {
        RoleAssignment.Role.APPROVER,
        RoleAssignment.Role.RISK_OFFICER,
        RoleAssignment.Role.IDENTIFICATION_OFFICER,
    }
    if not actor.unit.is_head_office or not roles & allowed:
        raise LeadError("牵头行由总行确定（JS-07、JS-08），请由总行授信审批、风险审查或集团认定岗办理。")
    if meeting_branch is not None and not minutes_number.strip():
        raise LeadError("行长办公会指定牵头行须填写会议纪要编号（JS-08）。")
    CustomerGroup.objects.select_for_update().get(pk=group.pk)
    open_case = Case.objects.filter(
        subject_kind="group", subject_id=str(group.pk), kind=Case.Kind.GROUP_LINE, state__in=Case.OPEN_STATES
    ).first()
    if open_case is not None and meeting_branch is None:
        raise LeadError(f"案件 {open_case.number} 尚未办结，办结前牵头行不变（JS-09）；行长办公会可以另行指定。")
    computed = compute_lead(group=group, as_of=business_date)
    branch = meeting_branch or computed.lead
    if branch is None:
        raise LeadError(f"{computed.reason}，请由行长办公会指定（JS-08）。")
    decision = LeadDecision.objects.create(
        group=group,
        branch=branch,
        quarter_end_date=computed.quarter_end_date,
        ranking=[{"branch": row.unit.code, "stock_fen": row.stock_fen} for row in computed.rows],
        reason=f"行长办公会指定（{minutes_number}）" if meeting_branch else computed.reason,
        minutes_number=minutes_number,
        started_date=business_date,
        decided_by=actor,
    )
    CustomerGroup.objects.filter(pk=group.pk).update(lead_unit=branch)
    audit.record(
        actor=actor,
        action="facilities.lead.started",
        subject=("group", group.pk),
        summary=f"牵头行：{branch.name}，{decision.reason}",
        business_date=business_date,
        details={"decision": decision.pk, "ranking": decision.ranking},
    )
    return decision
