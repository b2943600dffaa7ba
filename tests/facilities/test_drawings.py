"""Drawings in the demo bank: who may, what is counted, what refuses, and that nothing is booked twice."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from shouxin.approvals.services import CaseError
from shouxin.audit.models import Entry
from shouxin.bank.models import ExchangeRate
from shouxin.bank.services import create_unit
from shouxin.domain.money import Money
from shouxin.facilities.models import Deal, Drawing
from shouxin.facilities.services import (
    DrawingRequest,
    NotAllowedError,
    open_facility,
    release_drawing,
    request_drawing,
    withdraw_drawing,
)
from shouxin.limits import services as limits
from shouxin.limits.models import Hold, Node
from shouxin.parties.services import add_customer, create_party
from shouxin.policy.products import UnknownProductError, catalogue, find_product
from tests.conftest import SmallBank
from tests.demo import DAY, WAN, DemoBank


def codes(drawing: Drawing, severity: str = "refuse") -> list[tuple[str, str]]:
    return [(f["code"], f["article"]) for f in drawing.findings if f["severity"] == severity]


@pytest.mark.clause("X09", points="on")
def test_d_draws_200_of_its_200(demo_bank: DemoBank) -> None:
    """X09: member 900 of 900, group 6,680 of 7,000."""
    drawing = demo_bank.draw("D", "200")
    assert drawing.state == Drawing.State.RESERVED
    assert Node.objects.get(customer=demo_bank.customer("D"), kind="CUSTOMER").used_fen == 900 * WAN
    assert demo_bank.group.limit_node.used_fen == 6_680 * WAN
    assert codes(drawing, "warn") == [("GROUP_AT_WARN_LINE", "JS-12")]


@pytest.mark.clause("BR-12", "X10", points="over")
def test_d_draws_201_and_is_refused_by_its_sub_limit(demo_bank: DemoBank) -> None:
    """X10: free 200 at the member though the group has 520; the binding limit is named with what is free."""
    drawing = demo_bank.draw("D", "201")
    assert drawing.state == Drawing.State.REFUSED
    assert codes(drawing) == [("LIMIT_EXCEEDED", "BR-12")]
    finding = drawing.findings[0]
    assert "CUSTOMER 明远贸易有限公司" in finding["message"]
    assert "申请 201.00 万元，可用 200.00 万元" in finding["message"]
    assert finding["citation"]
    assert dict(finding["inputs"])["约束"] == "最紧的一级"
    assert not Hold.objects.filter(drawing=drawing).exists()
    assert demo_bank.group.limit_node.used_fen == 6_480 * WAN
    assert Entry.objects.filter(action="facilities.drawing.refused").exists()


@pytest.mark.clause("BR-12")
def test_a_member_without_a_sub_limit_cannot_draw(demo_bank: DemoBank) -> None:
    Node.objects.filter(customer=demo_bank.customer("D"), kind="CUSTOMER").update(cap_fen=None)
    drawing = demo_bank.draw("D", "1")
    assert codes(drawing) == [("MEMBER_WITHOUT_SUB_LIMIT", "BR-12")]


@pytest.mark.clause("UC-04", "JS-06", "HA-05", "BR-07", points="on over before")
def test_the_group_line_binds_when_the_member_still_has_room(demo_bank: DemoBank) -> None:
    """A member with 200 free cannot draw 50, nor 40.01, when the group has 40 left; 40 it can, but not before the
    line's first day."""
    Node.objects.filter(group=demo_bank.group).update(cap_fen=6_520 * WAN)
    drawing = demo_bank.draw("D", "50")
    assert codes(drawing) == [("LIMIT_EXCEEDED", "JS-11")]
    assert "GROUP 宏达系" in drawing.findings[0]["message"]
    assert codes(demo_bank.draw("D", "40.01")) == [("LIMIT_EXCEEDED", "JS-11")]
    assert demo_bank.draw("D", "40").state == Drawing.State.RESERVED
    Node.objects.filter(group=demo_bank.group).update(valid_from=DAY + dt.timedelta(days=1))
    early = demo_bank.draw("D", "0.01")
    assert codes(early) == [("LIMIT_NOT_YET_VALID", "UC-07")]
    assert "自 2025-07-01 起" in early.findings[0]["message"]


@pytest.mark.parametrize(
    ("amount", "margin", "state"),
    [
        pytest.param("400", "200", "reserved", marks=pytest.mark.clause("JS-14", "X11", points="on")),
        pytest.param("402", "201", "refused", marks=pytest.mark.clause("JS-14", "X11", points="over")),
    ],
)
def test_an_acceptance_counts_net_of_its_margin(demo_bank: DemoBank, amount: str, margin: str, state: str) -> None:
    """X11: 400 with half margin uses 200, 402 with 201 uses 201."""
    customer = demo_bank.customer("D")
    facility = open_facility(
        actor=None, customer=customer, branch=customer.unit, product="银承", number="HT-银承", start_date=DAY,
        end_date=dt.date(2026, 6, 30), business_date=DAY,
    )  # fmt: skip
    request = DrawingRequest(
        facility, Money.from_wan(amount).fen, Money.from_wan(margin).fen, DAY, DAY + dt.timedelta(days=90)
    )
    drawing = request_drawing(actor=demo_bank.staff("liujg"), request=request, key="x11", business_date=DAY)
    assert drawing.state == state
    assert drawing.counted_fen == Money.from_wan(amount).fen - Money.from_wan(margin).fen


def test_the_scope_decides_what_is_net_of_margin() -> None:
    """An acceptance is; a letter of credit only where the flag is set for it too."""
    assert find_product("银承", as_of=DAY).is_net_of_margin
    assert find_product("信用证", as_of=DAY).is_net_of_margin
    from shouxin.policy import load_book

    literal = load_book("joint-stock-literal")
    assert find_product("银承", as_of=DAY, book=literal).is_net_of_margin
    assert not find_product("信用证", as_of=DAY, book=literal).is_net_of_margin


@pytest.mark.clause("UC-07")
def test_a_drawing_after_the_line_has_ended_is_refused(demo_bank: DemoBank) -> None:
    drawing = demo_bank.draw("D", "1", on=dt.date(2026, 6, 30))
    assert drawing.state == Drawing.State.REFUSED
    assert set(codes(drawing)) == {("LIMIT_PERIOD_OVER", "UC-07"), ("MATURITY_BEYOND_LINE", "UC-07")}


def test_one_key_is_one_drawing_and_another_payload_is_an_error(demo_bank: DemoBank) -> None:
    first = demo_bank.draw("D", "100", key="same")
    assert demo_bank.draw("D", "100", key="same").pk == first.pk
    assert Drawing.objects.count() == 1
    with pytest.raises(limits.KeyReusedError):
        demo_bank.draw("D", "99", key="same")


def test_a_refusal_is_remembered_for_its_key(demo_bank: DemoBank) -> None:
    first = demo_bank.draw("D", "201", key="same")
    Node.objects.filter(customer=demo_bank.customer("D"), kind="CUSTOMER").update(cap_fen=2_000 * WAN)
    assert demo_bank.draw("D", "201", key="same").pk == first.pk


def test_release_needs_a_second_person_and_makes_the_deal(demo_bank: DemoBank) -> None:
    drawing = demo_bank.draw("D", "200", by="hewei")
    with pytest.raises(NotAllowedError, match="四眼"):
        release_drawing(actor=demo_bank.staff("hewei"), drawing=drawing, business_date=DAY)
    with pytest.raises(CaseError, match=r"CB\+4"):
        release_drawing(actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY)
    deal = release_drawing(
        actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY, minutes_number="贷审 1 号"
    )
    assert deal.amount_fen == 200 * WAN
    assert Hold.objects.get(pk=drawing.hold_id).state == Hold.State.POSTED
    assert demo_bank.group.limit_node.used_fen == 6_680 * WAN
    with pytest.raises(limits.LedgerError, match="不能放款"):
        release_drawing(actor=demo_bank.staff("wanghy"), drawing=drawing, business_date=DAY)
    assert Deal.objects.filter(hold_id=drawing.hold_id).count() == 1


def test_the_database_itself_refuses_one_person_for_both(demo_bank: DemoBank) -> None:
    drawing = demo_bank.draw("D", "1")
    with pytest.raises(IntegrityError, match="drawing_four_eyes"), transaction.atomic():
        Drawing.objects.filter(pk=drawing.pk).update(released_by=drawing.requested_by)


def test_a_withdrawn_drawing_gives_its_place_back(demo_bank: DemoBank) -> None:
    drawing = demo_bank.draw("D", "200")
    withdraw_drawing(actor=demo_bank.staff("liujg"), drawing=drawing, reason="客户撤回", business_date=DAY)
    assert demo_bank.group.limit_node.used_fen == 6_480 * WAN


@pytest.mark.parametrize(("who", "why"), [("zhoulp", "数据范围"), ("tangw", "没有此项权限"), ("admin", "没有此项权限")])
def test_only_who_looks_after_the_customer_may_ask(demo_bank: DemoBank, who: str, why: str) -> None:
    with pytest.raises(NotAllowedError, match=why):
        demo_bank.draw("D", "1", by=who)
    assert not Drawing.objects.exists()


@pytest.mark.clause("CB-08", points="on over before")
def test_one_line_covers_all_branches_products_and_currencies(small_bank: SmallBank) -> None:
    """Line 1,000: loan 600 at one branch, acceptance 300 at another, L/C of USD 10 at 7.2 at a third → 972 used, 28
    free; 29 and 28.01 are refused, 28 is not; the day before the line began nothing is drawn."""
    third = create_unit(code="N", name="营业部", kind="branch", parent=small_bank.head_office)
    branches = {"银承": small_bank.east, "信用证": third}
    customer = add_customer(
        actor=None, party=create_party(kind="org", name="示例制造有限公司"), unit=small_bank.west,
        owner=small_bank.manager_west, business_date=DAY,
    )  # fmt: skip
    limits.set_cap(
        node=limits.ensure_customer_node(customer), amount_fen=1_000 * WAN, valid_from=DAY,
        valid_to=dt.date(2026, 6, 30), approval="批复", basis={}, business_date=DAY, actor_id=None,
    )  # fmt: skip
    ExchangeRate.objects.create(currency="USD", date=DAY, rate="7.2", source="中间价")

    def draw(product: str, amount: str, currency: str = "CNY", on: dt.date = DAY) -> Drawing:
        facility = open_facility(
            actor=None, customer=customer, branch=branches.get(product, small_bank.west),
            product=product, number=f"HT-{product}-{amount}-{on}", start_date=on, end_date=dt.date(2026, 6, 30),
            business_date=DAY, currency=currency,
        )  # fmt: skip
        request = DrawingRequest(facility, Money.from_wan(amount).fen, 0, on, on + dt.timedelta(days=90))
        key = f"{product}{amount}{on}"
        return request_drawing(actor=small_bank.manager_west, request=request, key=key, business_date=DAY)

    assert draw("流贷", "600").state == draw("银承", "300").state == draw("信用证", "10", "USD").state == "reserved"
    node = Node.objects.get(customer=customer, kind="CUSTOMER")
    assert (node.used_fen, (node.cap_fen or 0) - node.used_fen) == (972 * WAN, 28 * WAN)
    assert codes(draw("流贷", "29")) == codes(draw("流贷", "28.01")) == [("LIMIT_EXCEEDED", "BR-12")]
    assert ("LIMIT_NOT_YET_VALID", "UC-07") in codes(draw("流贷", "1", on=DAY - dt.timedelta(days=1)))
    assert draw("流贷", "28").state == "reserved"
    deposit = draw("存款", "100")
    node.refresh_from_db()
    assert (deposit.state, deposit.counted_fen, node.used_fen) == ("refused", 0, 1_000 * WAN), "no credit (CB-06)"


@pytest.mark.clause("CB-11", points="on over")
def test_each_of_the_eleven_can_be_drawn_and_another_is_refused(demo_bank: DemoBank) -> None:
    """Every kind of the list can be drawn under a line; a product outside it is refused until it is added."""
    customer = demo_bank.customer("A")
    Node.objects.filter(customer=customer, kind="CUSTOMER").update(cap_fen=1_600 * WAN)
    kinds: set[str] = set()
    for product in catalogue().values():
        if not product.cb11:
            continue
        facility = open_facility(
            actor=None, customer=customer, branch=customer.unit, product=product.code, number=f"HT-{product.code}",
            start_date=DAY, end_date=dt.date(2026, 6, 30), business_date=DAY,
        )  # fmt: skip
        request = DrawingRequest(facility, WAN, 0, DAY, DAY + dt.timedelta(days=90))
        drawing = request_drawing(actor=demo_bank.staff("zhoulp"), request=request, key=product.code, business_date=DAY)
        assert drawing.state == Drawing.State.RESERVED, product.name
        kinds.add(product.cb11)
    assert kinds == {str(place) for place in range(1, 12)}
    with pytest.raises(UnknownProductError, match="CB-11"):
        open_facility(
            actor=None, customer=customer, branch=customer.unit, product="股票质押", number="HT-X", start_date=DAY,
            end_date=dt.date(2026, 6, 30), business_date=DAY,
        )  # fmt: skip
