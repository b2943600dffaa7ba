"""Two entries become one and two again: every row that refers to one follows, and nothing else changes."""

import pytest
from django.db import connection

from shouxin.engagement.models import Activity, Contact
from shouxin.engagement.services import record_activity
from shouxin.limits.services import ensure_customer_node
from shouxin.parties import merging
from shouxin.parties.matching import refresh_pairs
from shouxin.parties.merging import MergeError, foreign_keys_to, merge_customers, undo_merge
from shouxin.parties.models import ContactPoint, Customer, DuplicatePair, Ownership
from shouxin.parties.selectors import search_filter
from shouxin.parties.services import ContactInput, add_prospect
from tests.conftest import DAY, SmallBank
from tests.engagement.test_engagement import NOON


def add(bank: SmallBank, name: str, *phones: str, kind: str = "org", **fields: str) -> Customer:
    contacts = tuple(ContactInput("phone", phone) for phone in phones)
    return add_prospect(
        actor=bank.manager_west, name=name, kind=kind, contacts=contacts, customer_class=None, business_date=DAY,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def dump() -> dict[str, list[tuple[object, ...]]]:
    tables = {table for table, _ in foreign_keys_to("parties_customer")} - {
        "parties_customermerge", "parties_duplicatepair",
    }  # fmt: skip
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(tables):
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
            skipped = {i for i, c in enumerate(cursor.description or ()) if c.name in {"updated_at", "search"}}
            found[table] = [tuple(v for i, v in enumerate(row) if i not in skipped) for row in cursor.fetchall()]
    return found


def test_every_foreign_key_to_a_customer_is_reviewed(db: None) -> None:
    """A table that is added later fails here until somebody has said how a merge treats it."""
    assert set(foreign_keys_to("parties_customer")) == set(merging.REVIEWED)


def test_a_merge_moves_everything_and_can_be_undone(small_bank: SmallBank) -> None:
    kept = add(small_bank, "明远贸易有限公司", "0571-88001234", uscc="91330100MA2DEM04XC")
    merged = add(small_bank, "明远贸易", "0571-88001234", "13812345678")
    record_activity(
        actor=small_bank.manager_west, customer=merged, kind="visit", text="谈扩建", happened_at=NOON, business_date=DAY
    )
    Contact.objects.create(customer=merged, name="张三")
    before = dump()
    done = merge_customers(actor=small_bank.head_west, kept=kept, merged=merged, reason="同一公司", business_date=DAY)
    assert Activity.objects.get().customer == Contact.objects.get().customer == kept
    assert set(kept.contact_points.values_list("value", flat=True)) == {"0571-88001234", "13812345678"}
    assert Ownership.objects.filter(valid_to__isnull=True).count() == 1
    live = Customer.objects.filter(merged_into__isnull=True)
    assert list(live) == [kept]
    for text in ("13812345678", "扩建", "明远贸易"):
        assert list(live.filter(search_filter(text))) == [kept], text
    undo_merge(actor=small_bank.head_west, merge=done, business_date=DAY)
    assert dump() == before
    with pytest.raises(MergeError, match="已撤销"):
        undo_merge(actor=small_bank.head_west, merge=done, business_date=DAY)


def test_what_must_not_become_one_is_refused_and_nothing_moves(small_bank: SmallBank) -> None:
    first = add(small_bank, "甲公司", uscc="91330100MA2DEM04XC")
    other_code = add(small_bank, "甲公司（二）", uscc="91330100MA2DEM01X9")
    person = add(small_bank, "甲", kind="person")
    with_credit = add(small_bank, "甲 公司")
    ensure_customer_node(with_credit)
    before = dump()
    for merged, reason in ((other_code, "统一社会信用代码不同"), (person, "机构与个人"), (with_credit, "请保留该户"),
                           (first, "两个未合并")):  # fmt: skip
        with pytest.raises(MergeError, match=reason):
            merge_customers(actor=small_bank.head_west, kept=first, merged=merged, reason="x", business_date=DAY)
    with pytest.raises(MergeError, match="理由"):
        merge_customers(actor=small_bank.head_west, kept=first, merged=person, reason=" ", business_date=DAY)
    assert dump() == before


def test_pairs_are_found_with_score_and_reasons_and_a_decision_stays(small_bank: SmallBank) -> None:
    """Legal form, brackets and width; a shared telephone; persons only by name and telephone together."""
    a, b = add(small_bank, "明远（杭州）贸易有限公司"), add(small_bank, "明远(杭州)贸易有限责任公司")
    c, d = add(small_bank, "张伟", "13812345678", kind="person"), add(small_bank, "张伟", "13812345678", kind="person")
    add(small_bank, "张伟", "13900000000", kind="person")
    add(small_bank, "建军钢构有限公司")
    assert refresh_pairs(day=DAY) == 2
    found = {(p.first, p.second): (p.score, p.reasons) for p in DuplicatePair.objects.all()}
    assert found[a, b] == (97, ["去掉法律形式、括号与全半角后名称相同"])
    assert found[c, d] == (85, ["电话相同"])
    DuplicatePair.objects.filter(first=c).update(state="different", decided_by=small_bank.head_west)
    assert refresh_pairs(day=DAY) == 1


def test_a_merge_that_was_undone_is_asked_about_again(small_bank: SmallBank) -> None:
    a, b = add(small_bank, "明远（杭州）贸易有限公司"), add(small_bank, "明远(杭州)贸易有限责任公司")
    refresh_pairs(day=DAY)
    record = merge_customers(actor=small_bank.head_west, kept=a, merged=b, reason="同一家", business_date=DAY)
    assert DuplicatePair.objects.get().state == "merged"
    undo_merge(actor=small_bank.head_west, merge=record, business_date=DAY)
    assert (DuplicatePair.objects.get().state, DuplicatePair.objects.get().decided_by) == ("open", None)


def test_namesakes_at_nearly_one_address_are_proposed(small_bank: SmallBank) -> None:
    """A few characters may differ, a house number may not; another name at the address is another person."""
    rows = (
        ("张伟", "杭州市西湖区河滨路18号"), ("张伟", "杭州西湖区河滨路 18 号"), ("张伟", "杭州市西湖区河滨路19号"),
        ("张芳", "杭州市西湖区河滨路18号2"),
    )  # fmt: skip
    people = []
    for name, address in rows:
        person = add(small_bank, name, kind="person")
        ContactPoint.objects.create(customer=person, kind="address", value=address)
        people.append(person)
    assert refresh_pairs(day=DAY) == 1
    pair = DuplicatePair.objects.get()
    assert (pair.first, pair.second, pair.reasons) == (people[0], people[1], ["地址相近"])
