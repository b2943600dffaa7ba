"""The relationship with a customer: people, notes, days, calls, absence, consent."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import scope_of
from shouxin.domain.special_dates import lunar_day, next_occurrence
from shouxin.engagement import appointments, selectors, services
from shouxin.engagement.models import Activity, Appointment, Channel, Contact, RoleCard, SpecialDate, SuspectedLink
from shouxin.engagement.services import EngagementError
from shouxin.parties.handover import duties_of
from shouxin.parties.models import Customer
from shouxin.parties.selectors import referral_tree, search_filter, visible_customers
from shouxin.parties.services import add_prospect
from tests.conftest import DAY, SINCE, SmallBank

NOON = dt.datetime(2025, 6, 30, 12, tzinfo=dt.UTC)


@pytest.fixture
def customer(small_bank: SmallBank) -> Customer:
    return add(small_bank.manager_west, "明远贸易")


def add(owner: Staff, name: str) -> Customer:
    return add_prospect(actor=owner, name=name, kind="org", contacts=(), customer_class=None, business_date=DAY)


def person(bank: SmallBank, customer: Customer, name: str, **fields: object) -> Contact:
    return services.add_contact(actor=bank.manager_west, customer=customer, business_date=DAY, name=name, **fields)


def call(bank: SmallBank, customer: Customer, at: dt.datetime, result: str, contact: Contact | None = None,
         by: Staff | None = None, **fields: object) -> Activity:  # fmt: skip
    return services.record_activity(
        actor=by or bank.manager_west, customer=customer, kind="call", text="通话", happened_at=at, contact=contact,
        result=result, business_date=DAY, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.clause("HT-02")
def test_a_salutation_is_surname_and_title(small_bank: SmallBank, customer: Customer) -> None:
    """张 + 总 → 张总; a double surname stays whole."""
    assert selectors.salutation(person(small_bank, customer, "张建国", title="总")) == "张总"
    assert selectors.salutation(person(small_bank, customer, "欧阳明", title="主任")) == "欧阳主任"
    assert selectors.salutation(person(small_bank, customer, "李四")) == "李四"


@pytest.mark.clause("JR-03")
def test_a_couples_shop_has_both_spouses_as_contacts(small_bank: SmallBank, customer: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(org_type="couple_shop")
    husband = person(small_bank, customer, "张三", level="owner")
    assert not selectors.has_two_decision_makers(customer)
    wife = person(small_bank, customer, "李四", level="owner", spouse=husband)
    husband.refresh_from_db()
    assert (husband.spouse, wife.spouse) == (wife, husband)
    assert selectors.has_two_decision_makers(customer)


@pytest.mark.clause("JR-08")
def test_one_known_level_of_three_is_33_percent(small_bank: SmallBank, customer: Customer) -> None:
    person(small_bank, customer, "张三", level="owner")
    assert selectors.level_coverage(list(customer.contacts.all())) == (1, 3, 33)
    person(small_bank, customer, "李四", level="manager")
    person(small_bank, customer, "王五", level="clerk")
    assert selectors.level_coverage(list(customer.contacts.all())) == (3, 3, 100)


@pytest.mark.clause("SK-08")
def test_a_role_brings_its_indicators_and_topics_to_the_call_sheet(small_bank: SmallBank, customer: Customer) -> None:
    """财务总监 → cost and cash; 车间主任 → ease of use; family roles stand beside posts."""
    for name in ("财务总监", "车间主任"):
        person(small_bank, customer, f"某{name}", role=RoleCard.objects.get(name=name))
    found = {c.role.name: (i, t) for c, i, t in selectors.topics_for(list(customer.contacts.select_related("role")))}  # type: ignore[union-attr]
    assert found["财务总监"][0] == ["成本", "现金流"]
    assert "易用" in found["车间主任"][0]
    assert all(topics for _, topics in found.values())
    assert set(RoleCard.objects.values_list("kind", flat=True)) == {"post", "family"}


@pytest.mark.clause("HT-03")
def test_a_preference_has_source_and_date(small_bank: SmallBank, customer: Customer) -> None:
    contact = person(small_bank, customer, "张三")
    common = {"actor": small_bank.manager_west, "contact": contact, "category": "茶", "value": "龙井"}
    with pytest.raises(EngagementError, match="来源"):
        services.note_preference(source=" ", business_date=DAY, **common)  # type: ignore[arg-type]
    services.note_preference(source="5 月拜访", business_date=DAY, **common)  # type: ignore[arg-type]
    kept = contact.preferences.get()
    assert (kept.value, kept.source, kept.noted_date) == ("龙井", "5 月拜访", DAY)


@pytest.mark.clause("SK-13")
def test_a_birthday_in_seven_days_is_shown_and_last_years_words_are_refused(
    small_bank: SmallBank, customer: Customer
) -> None:
    def days(month: int, day: int, **fields: object) -> list[int]:
        SpecialDate.objects.all().delete()
        SpecialDate.objects.create(customer=customer, occasion="生日", month=month, day=day, **fields)
        return [a.days_left for a in selectors.days_ahead(Customer.objects.all(), day=DAY)]

    assert days(7, 7) == [7]
    assert days(7, 8) == []
    assert days(6, 30) == [0]
    assert days(6, 8, calendar="lunar") == [2], "the 8th of the 6th month of 2025 is 2 July"
    date = SpecialDate.objects.get()
    services.send_greeting(
        actor=small_bank.manager_west, special_date=date, text="生日快乐", business_date=dt.date(2024, 6, 30)
    )
    with pytest.raises(EngagementError, match="2024 年的祝辞相同"):
        services.send_greeting(actor=small_bank.manager_west, special_date=date, text=" 生日快乐 ", business_date=DAY)
    services.send_greeting(actor=small_bank.manager_west, special_date=date, text="愿您鹏程万里", business_date=DAY)
    assert date.greetings.count() == 2


@pytest.mark.parametrize(
    ("on_or_after", "month", "day", "options", "expected"),
    [
        (dt.date(2025, 2, 1), 2, 29, {}, dt.date(2025, 2, 28)),
        (dt.date(2024, 2, 1), 2, 29, {}, dt.date(2024, 2, 29)),
        (dt.date(2025, 1, 1), 8, 15, {"is_lunar": True}, dt.date(2025, 10, 6)),
        (dt.date(2025, 1, 1), 6, 1, {"is_lunar": True, "is_leap": True}, dt.date(2025, 7, 25)),
        (dt.date(2026, 1, 1), 6, 1, {"is_lunar": True, "is_leap": True}, dt.date(2026, 7, 14)),
        (dt.date(2025, 1, 1), 12, 30, {"is_lunar": True}, dt.date(2025, 1, 28)),
        (dt.date(2025, 1, 29), 12, 29, {"is_lunar": True}, dt.date(2026, 2, 16)),
    ],
)
def test_dates_of_both_calendars(
    on_or_after: dt.date, month: int, day: int, options: dict[str, bool], expected: dt.date
) -> None:
    """29 February, a lunar birthday, a leap month that a year has or has not, the last days of a lunar year."""
    assert next_occurrence(on_or_after=on_or_after, month=month, day=day, **options) == expected


def test_the_30th_of_a_short_month_is_its_29th() -> None:
    """The 12th month of lunar 2025 has 29 days: New Year's Eve is 16 February 2026."""
    assert lunar_day(2025, 12, 30) == lunar_day(2025, 12, 29) == dt.date(2026, 2, 16)


@pytest.mark.clause("TE-08")
def test_the_preferred_channel_is_proposed_first(small_bank: SmallBank, customer: Customer) -> None:
    contact = person(small_bank, customer, "张三", preferred_channel="fax")
    assert selectors.channels_for(contact)[0] == "fax"
    assert {"phone", "email", "fax", "visit", "letter"} <= set(Channel.values)


@pytest.mark.clause("CO-06")
def test_a_customer_who_opted_out_of_voice_is_not_in_the_batch(small_bank: SmallBank, customer: Customer) -> None:
    """The catalogue has newsletter, fax, voice, blog, sales letter and e-mail; consent is kept per channel."""
    assert {"newsletter", "fax", "voice", "blog", "sales_letter", "email"} <= set(Channel.values)
    other = add(small_bank.manager_west, "另一家")
    services.set_consents(
        actor=small_bank.manager_west, customer=customer, given={"voice": False, "email": True}, business_date=DAY
    )
    assert list(selectors.batch_for_channel(Customer.objects.all(), channel="voice")) == [other]
    assert selectors.batch_for_channel(Customer.objects.all(), channel="email").count() == 2
    assert "voice" not in selectors.channels_for(person(small_bank, customer, "张三"))


@pytest.mark.clause("CO-11")
def test_the_five_kinds_of_organisation_are_selectable() -> None:
    labels = {str(label) for label in Customer.OrgType.labels}
    assert {"法人", "公司", "科研机构", "非政府组织", "公共部门单位（PSU）"} <= labels


@pytest.mark.clause("NC-01")
def test_a_referral_makes_a_tree(small_bank: SmallBank, customer: Customer) -> None:
    prospect, second = add(small_bank.manager_west, "新客"), add(small_bank.manager_west, "再新客")
    Customer.objects.filter(pk=prospect.pk).update(referred_by=customer)
    Customer.objects.filter(pk=second.pk).update(referred_by=prospect)
    tree = referral_tree(customer, scope=scope_of(small_bank.manager_west, as_of=DAY))
    assert [(r.customer, r.depth) for r in tree] == [(customer, 0), (prospect, 1), (second, 2)]
    assert referral_tree(customer, scope=scope_of(small_bank.manager_east, as_of=DAY)) == []
    with pytest.raises(IntegrityError, match="customer_not_referred_by_itself"), transaction.atomic():
        Customer.objects.filter(pk=customer.pk).update(referred_by=customer)


@pytest.mark.clause("NS-01")
def test_three_calls_in_two_days_hurry_and_forty_days_without_any_neglect(
    small_bank: SmallBank, customer: Customer
) -> None:
    for hours in (1, 20):
        call(small_bank, customer, NOON - dt.timedelta(hours=hours), "answered")
    customer.refresh_from_db()
    assert appointments.pace_hints(customer, now=NOON) == []
    call(small_bank, customer, NOON - dt.timedelta(hours=40), "answered")
    assert "急于求成" in appointments.pace_hints(customer, now=NOON)[0]
    customer.refresh_from_db()
    assert appointments.pace_hints(customer, now=NOON + dt.timedelta(days=39)) == []
    assert "松散" in appointments.pace_hints(customer, now=NOON + dt.timedelta(days=40))[0]


@pytest.mark.clause("NS-02")
def test_an_appointment_has_one_of_four_ways() -> None:
    assert [str(label) for label in Appointment.Way.labels] == ["电话", "电子邮件", "上门推销", "第三方引荐"]


@pytest.mark.clause("NS-03", "NS-05")
def test_a_call_without_a_name_warns_and_shows_the_gatekeeper(small_bank: SmallBank, customer: Customer) -> None:
    """The checklist has name, time, outline and confidence; the switchboard's number helps with the name."""
    person(small_bank, customer, "", gatekeeper="switchboard", phone="0571-88000000")
    bare = appointments.plan(
        actor=small_bank.manager_west, customer=customer, contact=None, way="phone", planned_at=NOON
    )
    gaps = appointments.preparation_gaps(bare)
    assert len(gaps) == 3
    assert "总机 0571-88000000" in gaps[0]
    ready = appointments.plan(
        actor=small_bank.manager_west, customer=customer, contact=person(small_bank, customer, "张三"), way="phone",
        planned_at=NOON, outline="问候、近况、需求", is_ready=True,
    )  # fmt: skip
    assert appointments.preparation_gaps(ready) == []


@pytest.mark.clause("NS-06")
def test_the_hour_in_which_most_calls_were_answered_is_suggested(small_bank: SmallBank, customer: Customer) -> None:
    """6 of 7 answered on Tuesdays from 9 to 10."""
    contact = person(small_bank, customer, "张三")
    tuesday = dt.datetime(2025, 4, 1, 1, 30, tzinfo=dt.UTC)  # 9:30 in Shanghai
    for week in range(7):
        call(small_bank, customer, tuesday + dt.timedelta(weeks=week), "answered" if week else "no_answer", contact)
    call(small_bank, customer, tuesday + dt.timedelta(hours=5), "answered", contact)
    assert [str(window) for window in appointments.best_times(contact)] == ["周二 9–10 时（7 次接通 6 次）"]


@pytest.mark.clause("NS-08")
def test_refusals_are_shown_beside_the_team_and_practice_is_kept_apart(
    small_bank: SmallBank, customer: Customer
) -> None:
    colleague = Staff.objects.create(username="b", name="b", unit=small_bank.west)
    for result in ("refused", "answered", "answered", "cold"):
        call(small_bank, customer, NOON, result)
    for result in ("refused", "refused", "refused", "no_answer"):
        call(small_bank, customer, NOON, result, by=colleague)
    call(small_bank, customer, NOON, "refused", is_practice=True)
    figures = appointments.call_figures(small_bank.manager_west, since=NOON - dt.timedelta(days=1))
    assert (figures.refused_percent, figures.team_refused_percent, figures.practice) == (25, 50, 1)


@pytest.mark.clause("HT-08")
def test_an_absence_without_a_substitute_warns_and_one_with_covers(small_bank: SmallBank, customer: Customer) -> None:
    substitute = Staff.objects.create(username="b", name="b", unit=small_bank.west)
    RoleAssignment.objects.create(staff=substitute, role="customer_manager", valid_from=SINCE)
    common = {"actor": small_bank.manager_west, "from_date": DAY, "reason": "出差", "business_date": DAY}
    until = DAY + dt.timedelta(days=3)
    _, warnings = services.announce_absence(until_date=until, substitute=None, **common)  # type: ignore[arg-type]
    assert "没有指定代看人" in warnings[0]
    assert not visible_customers(scope_of(substitute, as_of=DAY)).exists()
    _, warnings = services.announce_absence(until_date=until, substitute=substitute, **common)  # type: ignore[arg-type]
    assert warnings == []
    assert visible_customers(scope_of(substitute, as_of=DAY)).get() == customer
    assert not visible_customers(scope_of(substitute, as_of=until)).exists()


def test_a_note_is_found_edited_for_seven_days_and_then_locked(small_bank: SmallBank, customer: Customer) -> None:
    note = services.record_activity(
        actor=small_bank.manager_west, customer=customer, kind="visit", text="老板想扩建冷库", happened_at=NOON,
        business_date=DAY,
    )  # fmt: skip
    customer.refresh_from_db()
    assert customer.last_contact_date == DAY
    assert Customer.objects.filter(search_filter("冷库")).get() == customer
    edit = {"actor": small_bank.manager_west, "activity": note, "text": "老板想扩建厂房"}
    services.edit_activity(now=note.created_at + dt.timedelta(days=7), **edit)  # type: ignore[arg-type]
    assert not Customer.objects.filter(search_filter("冷库")).exists()
    assert Customer.objects.filter(search_filter("厂房")).exists()
    assert note.versions.get().text == "老板想扩建冷库"
    with pytest.raises(EngagementError, match="锁定"):
        services.edit_activity(now=note.created_at + dt.timedelta(days=7, seconds=1), **edit)  # type: ignore[arg-type]
    with pytest.raises(EngagementError, match="本人"):
        services.edit_activity(now=timezone.now(), **{**edit, "actor": small_bank.head_west})  # type: ignore[arg-type]


def test_a_line_in_a_note_raises_a_suspected_link_for_the_officers(small_bank: SmallBank, customer: Customer) -> None:
    services.record_activity(
        actor=small_bank.manager_west, customer=customer, kind="visit", text="老板的弟弟开了新公司", happened_at=NOON,
        business_date=DAY, link_to="亮剑运输",
    )  # fmt: skip
    link = selectors.open_links(Customer.objects.all()).get()
    assert (link.customer, link.other_name) == (customer, "亮剑运输")
    services.decide_link(
        actor=small_bank.identification_officer, link=link, is_taken=True, decision="查工商登记", business_date=DAY
    )
    assert SuspectedLink.objects.get().state == "taken"
    with pytest.raises(EngagementError, match="已处理"):
        services.decide_link(
            actor=small_bank.identification_officer, link=link, is_taken=False, decision="x", business_date=DAY
        )


def test_completeness_says_how_much_is_known_and_what_is_missing(small_bank: SmallBank, customer: Customer) -> None:
    before = selectors.completeness(Customer.objects.get(pk=customer.pk))
    assert before.percent == 10
    assert "联系人" in before.missing
    person(small_bank, customer, "张三")
    assert selectors.completeness(Customer.objects.get(pk=customer.pk)).percent == 20


def test_an_open_appointment_keeps_somebody_from_leaving(small_bank: SmallBank, customer: Customer) -> None:
    appointments.plan(actor=small_bank.manager_west, customer=customer, contact=None, way="phone", planned_at=NOON)
    assert [str(d) for d in duties_of(small_bank.manager_west)] == [
        "主办客户 1 项（明远贸易）", "未完成的约访 1 项（明远贸易）",
    ]  # fmt: skip
    appointments.move_appointments([customer.pk], small_bank.manager_west.pk, small_bank.manager_east.pk)
    assert Appointment.objects.get().staff == small_bank.manager_east
