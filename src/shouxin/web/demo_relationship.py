"""The demo bank's customer relationships: people, calls, days, purchases, requests and cases at its companies.

Through the ordinary services like all of the demo, so that each page of a customer has something to show.
"""

import datetime as dt

from django.utils import timezone

from shouxin.bank.models import Institution, Staff
from shouxin.domain.money import FEN_PER_WAN
from shouxin.engagement import appointments, care, community, sales, services, value
from shouxin.engagement.models import Contact, RoleCard, SpecialDate
from shouxin.parties import profile, segments
from shouxin.parties.models import Customer
from shouxin.parties.ownership import add_assistant

# code: contacts (name, title, role card, level, telephone)
PEOPLE = {
    "A": (("陈建国", "总", "决策人", "owner", "13805710001"), ("沈丽", "总监", "财务总监", "manager", "13805710002")),
    "B": (("王强", "主任", "车间主任", "manager", "13805710003"), ("赵敏", "", "财务人员", "clerk", "13805710004")),
    "D": (("陈志强", "总", "决策人", "owner", "13805710005"), ("许洁", "经理", "采购", "manager", "13805710006")),
    "F": (("李大军", "总", "决策人", "owner", "13805710007"),),
}
SALES_WAN = {"A": 18_000, "B": 9_500, "C": 4_200, "D": 6_800, "E": 1_900, "F": 3_100}
MONTHLY_WAN = {"A": 42, "B": 21, "C": 9, "D": 16, "E": 5, "F": 11}
NOTES = (
    ("D", "visit", 5, "实地看了新仓库，库存周转较上季加快；老板提到下半年要增加两条运输线。"),
    ("D", "call", 12, "通知季末回访时间，许经理确认材料齐备。"),
    ("A", "visit", 20, "参加集团半年经营会，讨论统一授信到期续作。"),
    ("F", "call", 8, "询问运费回笼账户封闭管理的安排。"),
)


def furnish() -> None:
    """Write it all as of the demo's day."""
    day = Institution.objects.values_list("business_date", flat=True).get()
    assert day is not None  # noqa: S101 - the demo bank stands on the day of its example
    staff = {person.username: person for person in Staff.objects.select_related("unit")}
    customers = {
        str(customer.party.source_id): customer
        for customer in Customer.objects.filter(party__source_id__in=SALES_WAN).select_related("party", "main_owner")
    }
    people = _people(customers, day)
    _follow_ups(customers, people, day)
    _business(customers, staff, day)
    _interests(people, staff, day)
    segments.define_segment(
        actor=staff["hewei"], name="规模以上贸易与制造", sales_min_fen=4_000 * FEN_PER_WAN, business_date=day
    )


def _owner(customer: Customer) -> Staff:
    assert customer.main_owner is not None  # noqa: S101 - every company of the example has a manager
    return customer.main_owner


def _people(customers: dict[str, Customer], day: dt.date) -> dict[str, Contact]:
    cards = {card.name: card for card in RoleCard.objects.all()}
    made: dict[str, Contact] = {}
    for code, rows in PEOPLE.items():
        customer = customers[code]
        for name, title, card, level, phone in rows:
            made[name] = services.add_contact(
                actor=_owner(customer), customer=customer, business_date=day, name=name, title=title,
                role=cards.get(card), level=level, phone=phone,
            )  # fmt: skip
    leader = made["陈志强"]
    care.note_best_time(
        actor=_owner(customers["D"]), contact=leader, weekday=1, from_hour=9, to_hour=11, business_date=day
    )
    care.verify_decision_power(
        actor=_owner(customers["D"]), contact=leader, evidence="公司章程第 8 条，法定代表人", business_date=day
    )
    SpecialDate.objects.create(
        customer=customers["D"], contact=leader, occasion="生日", calendar="lunar", month=6, day=8, year=1975
    )
    return made


def _follow_ups(customers: dict[str, Customer], people: dict[str, Contact], day: dt.date) -> None:
    noon = timezone.make_aware(dt.datetime.combine(day, dt.time(10, 30)))
    for code, kind, days_ago, text in NOTES:
        services.record_activity(
            actor=_owner(customers[code]), customer=customers[code], kind=kind, text=text,
            happened_at=noon - dt.timedelta(days=days_ago), business_date=day,
            result="answered" if kind == "call" else "",
        )  # fmt: skip
    appointments.plan(
        actor=_owner(customers["D"]), customer=customers["D"], contact=people["陈志强"], way="phone",
        planned_at=noon + dt.timedelta(days=1), outline="季末回访：仓库扩建与用款计划", is_ready=True,
    )  # fmt: skip
    care.open_case(
        actor=Staff.objects.get(username="yaoj"), customer_number=customers["D"].number, business_date=day,
        text="客户来电，希望对账单改为每月电子版。",
    )  # fmt: skip


def _business(customers: dict[str, Customer], staff: dict[str, Staff], day: dt.date) -> None:
    for code, customer in customers.items():
        actor = _owner(customer)
        profile.update_profile(
            actor=actor, customer=customer, industry=customer.party.industry, org_type="company",
            trade_role="dealer" if code == "D" else "", annual_sales_fen=SALES_WAN[code] * FEN_PER_WAN,
            sales_year=day.year - 1, business_date=day,
        )  # fmt: skip
        for back in range(3):
            month = (day.replace(day=1) - dt.timedelta(days=28 * back)).replace(day=1)
            value.record_contribution(
                actor=actor, customer=customer, month=month, line="deposits",
                amount_fen=MONTHLY_WAN[code] * FEN_PER_WAN, business_date=day,
            )  # fmt: skip
    dealer, actor = customers["D"], _owner(customers["D"])
    for days_ago, quantity in ((240, 40), (30, 100)):
        bought = sales.record_purchase(
            actor=actor, customer=dealer, product="收款终端", quantity=quantity, amount_fen=quantity * 500_00,
            bought_date=day - dt.timedelta(days=days_ago), business_date=day,
        )  # fmt: skip
    sales.trace_end_sale(actor=actor, purchase=bought, end_customer=customers["B"], quantity=30, business_date=day)
    sales.trace_end_sale(actor=actor, purchase=bought, end_name="河滨农贸市场商户", quantity=40, business_date=day)
    care.add_site(
        actor=actor, customer=dealer, name="城西仓库", address="示范市河滨路 72 号", travel_minutes=25,
        facilities="二楼会议室有投影，可停车", business_date=day,
    )  # fmt: skip
    care.record_request(
        actor=actor, customer=dealer, kind="visit", text="上门培训收款终端对账", business_date=day,
        requested_date=day - dt.timedelta(days=9),
    )  # fmt: skip
    add_assistant(actor=staff["hewei"], customer=customers["D"], staff=staff["maj"], business_date=day)


def _interests(people: dict[str, Contact], staff: dict[str, Staff], day: dt.date) -> None:
    for name in ("陈志强", "王强", "许洁"):
        contact = people[name]
        services.note_preference(
            actor=_owner(contact.customer), contact=contact, category="运动", value="打篮球", source="拜访闲谈",
            business_date=day,
        )  # fmt: skip
    services.note_preference(
        actor=_owner(people["陈志强"].customer), contact=people["陈志强"], category="饮食", value="不饮酒，喜清淡",
        source="共餐", business_date=day,
    )  # fmt: skip
    community.note_skill(staff=staff["liujg"], name="篮球", level="校队教练")
