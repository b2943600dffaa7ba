"""What a customer is: target groups, profile, lock, assistants, and the identity number whose reading is logged."""

import pytest
from django.db import IntegrityError

from shouxin.audit.models import Entry
from shouxin.parties import profile, segments
from shouxin.parties.models import Customer, Ownership, Party, Segment, SegmentList, SegmentMember
from shouxin.parties.ownership import OwnershipError, add_assistant, transfer_customers
from shouxin.parties.pool import PoolError, release
from shouxin.parties.selectors import visible_customers
from shouxin.parties.services import CustomerInputError, add_prospect
from tests.conftest import DAY, SmallBank
from tests.engagement.test_serving import add, seen_by
from tests.web.test_pages import sign_in

WAN = 1_000_000


@pytest.mark.clause("CM-01")
def test_manufacturers_from_two_thousand_wan_on_are_the_target_group_of_the_day(small_bank: SmallBank) -> None:
    """制造业 and 年销售 ≥ 2,000 万元: twelve are in, on the line counts, and the list is kept with its day."""
    actor = small_bank.manager_west

    def known(name: str, industry: str, sales_wan: int) -> Customer:
        customer = add(actor, name)
        profile.update_profile(
            actor=actor, customer=customer, industry=industry, annual_sales_fen=sales_wan * WAN, sales_year=2024,
            business_date=DAY,
        )  # fmt: skip
        return customer

    inside = [known(f"制造{n}", "通用设备制造业", 2000 + n) for n in range(12)]
    just_under = known("小厂", "制造业", 1999)
    known("贸易行", "批发业", 9000)
    add(actor, "不详")
    segment = segments.define_segment(
        actor=actor, name="规模制造", industry="制造业", sales_min_fen=2000 * WAN, business_date=DAY
    )
    assert set(segments.members_of(segment, seen_by(actor))) == set(inside)
    kept = segments.keep_list(actor=actor, segment=segment, customers=seen_by(actor), business_date=DAY)
    assert (kept.count, kept.as_of_date, kept.members.count()) == (12, DAY, 12)
    assert kept.criteria == "行业含“制造业”，年销售 ≥ 2,000.00 万元"
    marks = {"actor": actor, "segment": segment, "business_date": DAY}
    segments.mark(customer=just_under, is_in=True, reason="明年投产", **marks)  # type: ignore[arg-type]
    segments.mark(customer=inside[0], is_in=False, reason="已停产", **marks)  # type: ignore[arg-type]
    assert set(segments.members_of(segment, seen_by(actor))) == {*inside[1:], just_under}
    assert SegmentMember.objects.filter(segment_list=kept, customer=inside[0]).exists(), "the kept list stays"
    assert not segments.members_of(segment, seen_by(small_bank.manager_east)).exists()


def test_a_target_group_without_a_criterion_or_with_a_taken_name_is_refused(small_bank: SmallBank) -> None:
    client = sign_in(small_bank.manager_west)
    assert client.post("/segments/", {"name": "全部"}).status_code == 422
    assert client.post("/segments/", {"name": "制造", "industry": "制造"}).status_code == 302
    assert client.post("/segments/", {"name": "制造", "industry": "批发"}).status_code == 422
    segment = Segment.objects.get()
    client.post(f"/segments/{segment.pk}/act/", {"act": "keep"})
    assert SegmentList.objects.get().count == 0
    other = add(small_bank.manager_east, "他行客户")
    client.post(f"/segments/{segment.pk}/act/", {"act": "in", "customer": other.number, "reason": "x"})
    assert not segment.marks.exists(), "nobody marks a customer outside the view"


def test_a_locked_customer_is_neither_released_nor_transferred_until_it_is_unlocked(small_bank: SmallBank) -> None:
    customer = add(small_bank.manager_west, "明远贸易")
    url = f"/customers/{customer.number}/lock/"
    assert sign_in(small_bank.manager_west).post(url, {"reason": "x"}).status_code == 403
    head = sign_in(small_bank.head_west)
    head.post(url, {"act": "lock", "reason": " "})
    customer.refresh_from_db()
    assert not customer.is_locked, "a reason is needed"
    head.post(url, {"act": "lock", "reason": "正在谈判"})
    customer.refresh_from_db()
    assert (customer.is_locked, customer.lock_reason) == (True, "正在谈判")
    act = {"actor": small_bank.head_west, "customer_ids": [customer.pk], "reason": "调整", "business_date": DAY}
    with pytest.raises(OwnershipError, match="已锁定"):
        transfer_customers(to_staff=small_bank.second_manager_west, **act)  # type: ignore[arg-type]
    with pytest.raises(PoolError, match="锁定"):
        release(**act)  # type: ignore[arg-type]
    assert Ownership.objects.get().staff == small_bank.manager_west
    with pytest.raises(CustomerInputError, match="已锁定"):
        profile.lock_customer(actor=small_bank.head_west, customer=customer, reason="再锁", business_date=DAY)
    head.post(url, {"act": "unlock", "reason": "谈成"})
    assert transfer_customers(to_staff=small_bank.second_manager_west, **act) == 1  # type: ignore[arg-type]


def test_an_assistant_sees_the_customer_until_the_tie_ends(small_bank: SmallBank) -> None:
    customer = add(small_bank.manager_west, "明远贸易")
    colleague = small_bank.second_manager_west
    client, url = sign_in(small_bank.manager_west), f"/customers/{customer.number}/assistants/"
    client.post(url, {"staff": small_bank.manager_east.pk})
    assert not customer.ownerships.filter(kind="assistant").exists(), "only people of one's own unit"
    with pytest.raises(OwnershipError, match="已是主办"):
        add_assistant(actor=small_bank.head_west, customer=customer, staff=small_bank.manager_west, business_date=DAY)
    client.post(url, {"staff": colleague.pk})
    assert list(seen_by(colleague)) == [customer]
    assert "结束协办" in client.get(f"/customers/{customer.number}/").content.decode()
    tie, main = customer.ownerships.get(kind="assistant"), customer.ownerships.get(kind="main")
    client.post(url, {"end": main.pk})
    assert customer.ownerships.get(kind="main").valid_to is None, "a customer keeps its 主办"
    client.post(url, {"end": tie.pk})
    assert not seen_by(colleague).exists()


def test_an_identity_number_is_read_in_full_for_a_reason_and_each_reading_is_logged(small_bank: SmallBank) -> None:
    number = "330102197001011238"
    customer = add_prospect(
        actor=small_bank.manager_west, name="王建国", kind="person", contacts=(), customer_class=None,
        identity_number=number, business_date=DAY,
    )  # fmt: skip
    page, url = f"/customers/{customer.number}/", f"/customers/{customer.number}/identity/"
    client = sign_in(small_bank.manager_west)
    assert number not in client.get(page).content.decode()
    refused = client.post(url, {"reason": ""}, follow=True)
    assert number not in refused.content.decode()
    logged = Entry.objects.filter(action="parties.identity_number.read")
    assert not logged.exists()
    for times in (1, 2):
        shown = client.post(url, {"reason": "核对开户资料"})
        assert number in shown.content.decode()
        assert "no-store" in shown["Cache-Control"]
        assert logged.count() == times
    assert "核对开户资料" in logged[0].summary
    assert number not in logged[0].summary
    assert sign_in(small_bank.manager_east).post(url, {"reason": "x"}).status_code == 404
    assert sign_in(small_bank.operator).post(url, {"reason": "x"}).status_code == 403
    assert sign_in(small_bank.risk_officer).post(url, {"reason": "贷前核查"}).status_code == 200


def test_the_own_list_is_the_main_owners_and_every_other_open_tie(small_bank: SmallBank) -> None:
    """A view for a while ends by itself, whether or not somebody is the 主办 of others."""
    from shouxin.bank.scope import scope_of
    from shouxin.parties.ownership import cover_customers

    own = add(small_bank.second_manager_west, "自己的")
    covered = add(small_bank.manager_west, "代看的")
    cover_customers(
        actor=small_bank.head_west, absent=small_bank.manager_west, substitute=small_bank.second_manager_west,
        from_date=DAY, until_date=DAY.replace(month=7, day=2), business_date=DAY,
    )  # fmt: skip
    for day, expected in ((DAY, {own, covered}), (DAY.replace(month=7, day=1), {own, covered}),
                          (DAY.replace(month=7, day=2), {own})):  # fmt: skip
        assert set(visible_customers(scope_of(small_bank.second_manager_west, as_of=day))) == expected


def test_the_country_is_two_letters_and_home_when_empty(small_bank: SmallBank) -> None:
    customer = add(small_bank.manager_west, "离岸公司")
    assert customer.party.country == "CN"
    client = sign_in(small_bank.manager_west)
    client.post(f"/customers/{customer.number}/profile/", {"country": "hk"})
    customer.party.refresh_from_db()
    assert customer.party.country == "HK"
    client.post(f"/customers/{customer.number}/profile/", {"country": "1"})
    customer.party.refresh_from_db()
    assert customer.party.country == "HK", "refused, nothing written"
    with pytest.raises(IntegrityError, match="party_country_is_two_letters"):
        Party.objects.filter(pk=customer.party_id).update(country="h1")
