"""Serving customers: sites, purchases, dealers, requests beside the policy, cases of anybody, value, occasions."""

import datetime as dt

import pytest
from django.db.models import QuerySet

from shouxin.audit.models import Entry
from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.engagement import care, community, quality, sales, services, value
from shouxin.engagement.models import Contribution, EndSale, Purchase, ServiceCase, ServiceRequest
from shouxin.engagement.sales import Loyalty
from shouxin.engagement.services import EngagementError
from shouxin.parties import matching, profile
from shouxin.parties.models import ClassScheme, ContactPoint, Customer, CustomerClass
from shouxin.parties.ownership import add_assistant, transfer_customers
from shouxin.parties.selectors import visible_customers
from shouxin.parties.services import ContactInput, add_prospect
from tests.conftest import DAY, SmallBank
from tests.web.test_pages import sign_in


def add(owner: Staff, name: str, **fields: object) -> Customer:
    fields.setdefault("customer_class", None)
    return add_prospect(
        actor=owner, name=name, kind="org", contacts=(), business_date=DAY,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def seen_by(staff: Staff) -> QuerySet[Customer]:
    return visible_customers(scope_of(staff, as_of=DAY))


@pytest.fixture
def customer(small_bank: SmallBank) -> Customer:
    return add(small_bank.manager_west, "明远贸易")


@pytest.fixture
def classes(db: None) -> dict[str, CustomerClass]:
    scheme = ClassScheme.objects.create(code="abcd", name="四类", is_main=True)
    return {
        code: CustomerClass.objects.create(scheme=scheme, code=code, name=f"{code} 类", follow_up_days=7, position=n)
        for n, code in enumerate("ABC")
    }


# --- people ----------------------------------------------------------------


def test_hours_and_decision_power_of_a_contact_are_kept_with_who_verified_them(
    small_bank: SmallBank, customer: Customer
) -> None:
    actor = small_bank.manager_west
    contact = services.add_contact(actor=actor, customer=customer, business_date=DAY, name="张总")
    noted = care.note_best_time(actor=actor, contact=contact, weekday=1, from_hour=9, to_hour=10, business_date=DAY)
    again = care.note_best_time(actor=actor, contact=contact, weekday=1, from_hour=9, to_hour=10, business_date=DAY)
    assert (noted, str(noted)) == (again, "周二 9–10 时")
    with pytest.raises(EngagementError, match="结束晚于开始"):
        care.note_best_time(actor=actor, contact=contact, weekday=1, from_hour=10, to_hour=10, business_date=DAY)
    with pytest.raises(EngagementError, match="依据"):
        care.verify_decision_power(actor=actor, contact=contact, evidence=" ", business_date=DAY)
    care.verify_decision_power(actor=actor, contact=contact, evidence="章程第 8 条", business_date=DAY)
    contact.refresh_from_db()
    kept = (contact.decision_verified_by, contact.decision_verified_date, contact.decision_evidence)
    assert kept == (actor, DAY, "章程第 8 条")
    page = sign_in(actor).get(f"/customers/{customer.number}/").content.decode()
    assert "周二 9–10 时" in page
    assert "章程第 8 条" in page
    care.drop_best_time(actor=actor, best_time=noted, business_date=DAY)
    assert not contact.best_times.exists()
    acts = set(Entry.objects.filter(action__startswith="engagement.").values_list("action", flat=True))
    assert {"engagement.best_time.noted", "engagement.best_time.dropped", "engagement.decision.verified"} <= acts


@pytest.mark.clause("TE-01")
def test_who_visits_is_told_the_distance_and_what_may_be_used_there(small_bank: SmallBank, customer: Customer) -> None:
    client, url = sign_in(small_bank.manager_west), f"/customers/{customer.number}/"
    client.post(f"{url}add/site/", {"name": "城东厂区", "distance_km": "12.5", "travel_minutes": "40",
                                    "facilities": "会议室有投影"})  # fmt: skip
    for page in (client.get(url), client.get(f"{url}call-sheet/")):
        text = page.content.decode()
        assert "城东厂区" in text
        assert "12.5 公里" in text
        assert "会议室有投影" in text
    with pytest.raises(EngagementError, match="场所名称"):
        care.add_site(actor=small_bank.manager_west, customer=customer, name=" ", business_date=DAY)


# --- purchases ----------------------------------------------------------------


def buy(bank: SmallBank, customer: Customer, day: dt.date, quantity: int = 1) -> Purchase:
    return sales.record_purchase(
        actor=bank.manager_west, customer=customer, product="理财", bought_date=day, quantity=quantity,
        business_date=DAY,
    )  # fmt: skip


@pytest.mark.clause("CM-03")
def test_one_purchase_is_one_off_and_the_second_makes_a_repeat_customer_the_same_day(
    small_bank: SmallBank, customer: Customer
) -> None:
    assert sales.loyalty_on(customer, DAY) == Loyalty.NONE
    buy(small_bank, customer, DAY - dt.timedelta(days=100))
    assert sales.loyalty_on(customer, DAY) == Loyalty.ONE_OFF
    buy(small_bank, customer, DAY)
    assert sales.loyalty_on(customer, DAY - dt.timedelta(days=1)) == Loyalty.ONE_OFF
    assert sales.loyalty_on(customer, DAY) == Loyalty.REPEAT
    changes = sales.loyalty_changes(customer, until=DAY)
    assert [(c.on, c.before, c.after) for c in changes] == [
        (DAY, Loyalty.ONE_OFF, Loyalty.REPEAT),
        (DAY - dt.timedelta(days=100), Loyalty.NONE, Loyalty.ONE_OFF),
    ]


def test_a_purchase_counts_for_its_window_and_five_years_running_make_a_customer_for_life(
    small_bank: SmallBank, customer: Customer
) -> None:
    first = DAY - dt.timedelta(days=365 * 4 + 10)
    for year in range(5):
        buy(small_bank, customer, first + dt.timedelta(days=365 * year))
    assert sales.loyalty_on(customer, DAY) == Loyalty.LIFETIME
    last_before = DAY - dt.timedelta(days=11)
    assert sales.loyalty_on(customer, last_before) != Loyalty.LIFETIME, "the fifth year is not bought in yet"
    bought = DAY - dt.timedelta(days=10)
    assert sales.loyalty_on(customer, bought + dt.timedelta(days=364)) != Loyalty.NONE
    assert sales.loyalty_on(customer, bought + dt.timedelta(days=365)) == Loyalty.NONE


def test_a_purchase_in_the_future_or_of_nothing_is_refused(small_bank: SmallBank, customer: Customer) -> None:
    with pytest.raises(EngagementError, match="晚于营业日"):
        buy(small_bank, customer, DAY + dt.timedelta(days=1))
    with pytest.raises(EngagementError, match="至少为 1"):
        buy(small_bank, customer, DAY, quantity=0)
    assert not Purchase.objects.exists()


@pytest.mark.clause("CM-02")
def test_thirty_of_a_hundred_units_have_an_unknown_end_customer(small_bank: SmallBank, customer: Customer) -> None:
    actor, end = small_bank.manager_west, add(small_bank.manager_west, "农户合作社")
    bought = buy(small_bank, customer, DAY, quantity=100)
    trace = {"actor": actor, "purchase": bought, "business_date": DAY}
    with pytest.raises(EngagementError, match="只有经销商"):
        sales.trace_end_sale(quantity=1, end_customer=end, **trace)  # type: ignore[arg-type]
    profile.update_profile(actor=actor, customer=customer, trade_role="dealer", business_date=DAY)
    sales.trace_end_sale(quantity=40, end_customer=end, **trace)  # type: ignore[arg-type]
    sales.trace_end_sale(quantity=30, end_name="散户甲", **trace)  # type: ignore[arg-type]
    (row,) = sales.dealer_report(seen_by(actor))
    assert (row.customer, row.sold, row.traced, row.unknown_percent) == (customer, 100, 70, 30)
    with pytest.raises(EngagementError, match="最多还可登记 30"):
        sales.trace_end_sale(quantity=31, end_name="散户乙", **trace)  # type: ignore[arg-type]
    assert EndSale.objects.count() == 2
    assert sales.dealer_report(seen_by(small_bank.manager_east)) == []


# --- requests and cases ----------------------------------------------------------------


@pytest.mark.clause("CM-04")
def test_a_fourth_free_visit_of_a_class_c_customer_in_a_month_alerts(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    actor = small_bank.manager_west
    customer = add(actor, "小店", customer_class=classes["C"])

    def ask(day: int, **fields: object) -> ServiceRequest:
        return care.record_request(
            actor=actor, customer=customer, kind="visit", text="上门教用手机银行", business_date=DAY,
            requested_date=DAY.replace(day=day), **fields,  # type: ignore[arg-type]
        )  # fmt: skip

    visits = [ask(1), ask(8), ask(15), ask(22)]
    assert [visit.is_over_policy for visit in visits] == [False, False, True, True]
    assert (visits[3].number_in_month, visits[3].allowed_in_month) == (4, 2)
    assert not ask(23, is_free=False).is_over_policy
    over = list(care.requests_over_policy(seen_by(actor), day=DAY))
    assert {request.pk for request in over} == {visits[2].pk, visits[3].pk}
    page = sign_in(actor).get("/").content.decode()
    assert "4 / 2" in page, "the owner's workbench says so"
    next_month = care.record_request(
        actor=actor, customer=customer, kind="visit", text="再来", business_date=DAY, requested_date=dt.date(2025, 7, 1)
    )
    assert not next_month.is_over_policy
    unreasonable = ask(24, unreasonable_reason="要求垫付")
    assert (unreasonable.is_unreasonable, unreasonable.unreasonable_reason) == (True, "要求垫付")


@pytest.mark.clause("SM-15")
def test_a_teller_without_any_role_opens_a_case_and_learns_nothing(small_bank: SmallBank, customer: Customer) -> None:
    teller = Staff.objects.create(username="teller", name="柜员", unit=small_bank.east, joined_date=DAY)
    client = sign_in(teller)
    assert not seen_by(teller).exists()
    answer = client.post("/service-cases/", {"customer_number": customer.number, "text": "客户来问对账单"}, follow=True)
    case = ServiceCase.objects.get()
    assert (case.customer, case.opened_by, case.state) == (customer, teller, "open")
    assert "明远贸易" not in answer.content.decode()
    assert client.post("/service-cases/", {"customer_number": "KH0", "text": "x"}).status_code == 422
    assert client.post(f"/service-cases/{case.pk}/answer/", {"answer": "好"}).status_code == 403
    assert (
        sign_in(small_bank.manager_east).post(f"/service-cases/{case.pk}/answer/", {"answer": "好"}).status_code == 404
    )
    sign_in(small_bank.manager_west).post(f"/service-cases/{case.pk}/answer/", {"answer": "已寄出"})
    case.refresh_from_db()
    assert (case.state, case.answered_by, case.answer) == ("answered", small_bank.manager_west, "已寄出")
    with pytest.raises(EngagementError, match="已答复"):
        care.answer_case(actor=small_bank.manager_west, case=case, answer="再答", business_date=DAY)


@pytest.mark.clause("SM-17")
def test_the_customers_page_has_products_and_support_history(small_bank: SmallBank, customer: Customer) -> None:
    care.open_case(actor=small_bank.operator, customer_number=customer.number, text="补打回单", business_date=DAY)
    buy(small_bank, customer, DAY)
    page = sign_in(small_bank.manager_west).get(f"/customers/{customer.number}/").content.decode()
    for anchor in ('href="#products"', 'id="products"', 'href="#service"', 'id="service"'):
        assert anchor in page
    assert "补打回单" in page
    assert "理财" in page


# --- value, quality, occasions ----------------------------------------------------------------


@pytest.mark.clause("CM-06")
def test_more_than_thirty_percent_in_one_persons_hands_warns_and_a_lonely_core_customer_is_listed(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    west, second = small_bank.manager_west, small_bank.second_manager_west
    core = add(west, "核心客户", customer_class=classes["A"])
    others = [add(second, f"客户{n}", customer_class=classes["C"]) for n in range(2)]

    def bring(customer: Customer, wan: int) -> None:
        value.record_contribution(
            actor=west, customer=customer, month=DAY, line="deposits", amount_fen=wan * 1_000_000, business_date=DAY
        )

    bring(core, 30)
    bring(others[0], 70)
    shares = {share.staff: share for share in value.owner_shares(seen_by(small_bank.head_west), day=DAY)}
    assert (str(shares[west].percent), shares[west].finding) == ("30.0", None), "on the line it does not warn"
    bring(core, 38)
    bring(others[0], 32)
    bring(others[1], 30)
    transfer_customers(
        actor=small_bank.head_west, customer_ids=[others[1].pk], to_staff=small_bank.head_west, reason="分散",
        business_date=DAY,
    )  # fmt: skip
    shares = {share.staff: share for share in value.owner_shares(seen_by(small_bank.head_west), day=DAY)}
    finding = shares[west].finding
    assert finding is not None
    assert "38.0 %" in finding.message
    assert "30 %" in finding.message
    assert finding.article == "CM-06"
    assert shares[small_bank.head_west].finding is None
    assert Contribution.objects.count() == 3, "the same month and line again corrects, it does not add"
    (lonely,) = value.core_with_few_contacts(seen_by(small_bank.head_west), day=DAY)
    assert (lonely.customer, lonely.contacts, lonely.needed) == (core, 1, 2)
    add_assistant(actor=small_bank.head_west, customer=core, staff=second, business_date=DAY)
    assert value.core_with_few_contacts(seen_by(small_bank.head_west), day=DAY) == []


@pytest.mark.clause("SM-16")
def test_completeness_and_duplicates_and_bounced_mail_are_figures_of_the_list(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    actor = small_bank.manager_west
    for n in range(4):
        for suffix in ("有限公司", "有限责任公司"):
            add_prospect(
                actor=actor, name=f"{'甲乙丙丁'[n]}山{'水木火土'[n]}林贸易{suffix}", kind="org",
                customer_class=classes["A"],
                contacts=(ContactInput("phone", f"1380000000{n}"), ContactInput("email", f"a{n}{len(suffix)}@x.cn")),
                business_date=DAY, org_type="company", next_step="拜访", next_step_date=DAY,
            )  # fmt: skip
    Customer.objects.update(last_contact_date=DAY)
    assert matching.refresh_pairs(day=DAY) == 4
    found = quality.quality_of(seen_by(actor))
    assert (found.customers, found.completeness_percent, found.duplicate_pairs, found.bounced_mails) == (8, 70, 4, 0)
    client = sign_in(actor)
    point = ContactPoint.objects.filter(kind="email")[0]
    assert (
        sign_in(small_bank.manager_east).post(f"/contact-points/{point.pk}/check/", {"works": "0"}).status_code == 404
    )
    client.post(f"/contact-points/{point.pk}/check/", {"works": "0"})
    found = quality.quality_of(seen_by(actor))
    assert (found.bounced_mails, found.completeness_percent) == (1, 68), "a mail that bounces is no known mail"
    page = client.get("/customer-quality/").content.decode()
    assert ">68 <" in page
    assert ">4 <" in page
    # The figure of the list is the mean of what each customer's page says.
    from shouxin.engagement.selectors import completeness

    each = [completeness(customer).percent for customer in seen_by(actor).select_related("party")]
    assert sum(each) // len(each) == 68


@pytest.mark.clause("QU-06")
def test_three_contacts_like_what_one_of_us_coaches(small_bank: SmallBank, customer: Customer) -> None:
    actor, coach = small_bank.manager_west, small_bank.second_manager_west
    community.note_skill(staff=coach, name="篮球", level="教练")
    community.note_skill(staff=actor, name="书法")
    west = Staff.objects.filter(unit=small_bank.west)
    for n in range(3):
        assert community.occasions(seen_by(actor), staff=west, day=DAY) == [], f"{n} contacts are too few"
        contact = services.add_contact(actor=actor, customer=customer, business_date=DAY, name=f"联系人{n}")
        services.note_preference(
            actor=actor, contact=contact, category="运动", value="打篮球", source="闲谈", business_date=DAY
        )
    (occasion,) = community.occasions(seen_by(actor), staff=west, day=DAY)
    assert (occasion.interest, len(occasion.contacts)) == ("篮球", 3)
    assert [(skill.staff, skill.level) for skill in occasion.hosts] == [(coach, "教练")]
    assert "篮球" in sign_in(actor).get("/community/").content.decode()
    assert community.occasions(seen_by(small_bank.manager_east), staff=west, day=DAY) == []
