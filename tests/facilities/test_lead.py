"""Which branch leads a group, from the books of the worked example (JS-07 … JS-10)."""

import datetime as dt

import pytest

from shouxin.bank.models import OrgUnit
from shouxin.domain.exposure import stock_by_branch
from shouxin.facilities.lead import LeadError, compute_lead, find_lead, start_lead
from shouxin.facilities.models import Deal, Facility
from shouxin.facilities.selectors import deals_on, domain_deals
from shouxin.groups.selectors import memberships_on
from shouxin.limits.models import Node
from tests.demo import DAY, WAN, DemoBank


def ranking(bank: DemoBank, day: dt.date = DAY) -> list[tuple[str, int]]:
    return [(row.unit.name, row.stock_fen // WAN) for row in compute_lead(group=bank.group, as_of=day).rows]


def branch(name: str) -> OrgUnit:
    return OrgUnit.objects.get(name__contains=name)


def close_deals_of(name: str, day: dt.date) -> None:
    Deal.objects.filter(branch=branch(name)).update(closed_date=day)
    Node.objects.filter(facility__branch=branch(name)).update(cap_fen=None)


@pytest.mark.clause("JS-07")
def test_the_largest_stock_at_quarter_end_leads(demo_bank: DemoBank) -> None:
    """Acceptances net, as the rule says: 3,500. All margin products net: 2,880 > 2,500 > 900; 城西 leads either way."""
    assert [amount for _name, amount in ranking(demo_bank)] == [3500, 2500, 1000]
    ids = memberships_on(DAY).filter(group=demo_bank.group).values("customer")
    net = stock_by_branch(deal for _, deal in domain_deals(deals_on(DAY).filter(customer__in=ids), as_of=DAY))
    assert sorted((fen // WAN for fen in net.values()), reverse=True) == [2880, 2500, 900]
    assert max(net, key=net.__getitem__) == str(branch("城西").pk)
    computed = compute_lead(group=demo_bank.group, as_of=DAY)
    assert computed.lead == branch("城西")
    assert computed.quarter_end_date == dt.date(2025, 6, 30)
    decision = start_lead(actor=demo_bank.staff("wanghy"), group=demo_bank.group, business_date=DAY)
    assert (decision.branch, decision.ranking[0]["stock_fen"]) == (branch("城西"), 3_500 * WAN)


@pytest.mark.clause("JS-08")
def test_the_presidents_meeting_goes_before_the_ranking(demo_bank: DemoBank) -> None:
    ask = {"actor": demo_bank.staff("wanghy"), "group": demo_bank.group, "business_date": DAY}
    with pytest.raises(LeadError, match="会议纪要编号"):
        start_lead(**ask, meeting_branch=branch("城东"))
    decision = start_lead(**ask, meeting_branch=branch("城东"), minutes_number="纪要〔2025〕21 号")
    assert (decision.branch, decision.minutes_number) == (branch("城东"), "纪要〔2025〕21 号")
    assert demo_bank.group.lead_unit == branch("城东")


@pytest.mark.clause("JS-09")
def test_the_lead_stays_when_its_stock_falls_in_the_month(demo_bank: DemoBank) -> None:
    """城西 falls from 2,880 to 1,000 on 15 July; it led at the end of June and still does."""
    july = dt.date(2025, 7, 20)
    deals = Deal.objects.filter(branch=branch("城西"), is_drawn=True).order_by("pk")
    first = deals[0]
    deals.exclude(pk=first.pk).update(closed_date=dt.date(2025, 7, 15))
    computed = compute_lead(group=demo_bank.group, as_of=july)
    now = {row.unit: row.now_fen for row in computed.rows}
    assert now[branch("城西")] < now[branch("城东")], "城东 has more now"
    assert computed.lead == branch("城西")


@pytest.mark.clause("JS-10")
def test_only_without_any_credit_does_the_next_branch_lead(demo_bank: DemoBank) -> None:
    july = dt.date(2025, 7, 20)
    close_deals_of("城西", dt.date(2025, 7, 1))
    Facility.objects.filter(branch=branch("城西")).update(end_date=dt.date(2025, 7, 1))
    assert compute_lead(group=demo_bank.group, as_of=july).lead == branch("城东")
    close_deals_of("城东", dt.date(2025, 7, 1))
    Facility.objects.filter(branch=branch("城东")).update(end_date=dt.date(2025, 7, 1))
    assert compute_lead(group=demo_bank.group, as_of=july).lead == branch("营业部")


def test_a_branch_does_not_name_the_lead(demo_bank: DemoBank) -> None:
    with pytest.raises(LeadError, match="由总行确定"):
        start_lead(actor=demo_bank.staff("hewei"), group=demo_bank.group, business_date=DAY)
    assert find_lead(demo_bank.group, as_of=DAY) is None
