"""The prospect list: own list, classes, valid entries, fields, and who sees what."""

import pytest

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import Reach, scope_of
from shouxin.parties.models import ClassScheme, ContactPoint, Customer, CustomerClass
from shouxin.parties.search_index import index_customers
from shouxin.parties.selectors import search_filter, visible_customers
from shouxin.parties.services import ContactInput, CustomerInputError, add_prospect, classify
from tests.conftest import DAY, SINCE, SmallBank


@pytest.fixture
def classes(db: None) -> dict[str, CustomerClass]:
    scheme = ClassScheme.objects.create(code="prospect-four", name="准客户四类", is_main=True)
    return {
        code: CustomerClass.objects.create(
            scheme=scheme, code=code, name=f"{code} 类", follow_up_days=days, position=place
        )
        for place, (code, days) in enumerate((("A", 7), ("B", 14), ("C", 30)))
    }


def add(owner: Staff, name: str, *contacts: ContactInput, customer_class: CustomerClass | None = None) -> Customer:
    return add_prospect(
        actor=owner, name=name, kind="org", contacts=contacts, customer_class=customer_class, business_date=DAY
    )


PHONE = ContactInput("phone", "0571-88001234")


@pytest.mark.clause("CL-01")
def test_an_entry_is_valid_with_name_working_contact_and_class(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    """Without telephone, mail or address an entry is invalid and stands in the repair list."""
    owner = small_bank.manager_west
    complete = add(owner, "完整公司", PHONE, customer_class=classes["A"])
    no_contact = add(owner, "无联系公司", customer_class=classes["A"])
    no_class = add(owner, "未分类公司", PHONE)
    validity = {c.party.name: c.is_valid for c in Customer.objects.all()}
    assert validity == {complete.party.name: True, no_contact.party.name: False, no_class.party.name: False}
    ContactPoint.objects.filter(customer=complete).update(is_working=False)
    assert not Customer.objects.get(pk=complete.pk).is_valid
    with pytest.raises(CustomerInputError, match="名称"):
        add(owner, "  ")


@pytest.mark.clause("CL-02")
def test_the_list_is_classified_filtered_and_counted_by_class(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    """10 entries, 3 in class A → filter A = 3; each class has its own interval; history is kept."""
    for n in range(10):
        add(small_bank.manager_west, f"公司{n}", PHONE, customer_class=classes["A" if n < 3 else "B"])
    in_a = Customer.objects.filter(classifications__customer_class=classes["A"], classifications__valid_to__isnull=True)
    assert in_a.count() == 3
    assert len({c.follow_up_days for c in classes.values()}) == 3
    first = in_a.first()
    assert first is not None
    classify(actor=small_bank.manager_west, customer=first, customer_class=classes["C"], business_date=DAY)
    assert in_a.count() == 2
    assert [c.customer_class.code for c in first.classifications.order_by("pk")] == ["A", "C"]


@pytest.mark.clause("CL-03")
def test_everybody_fills_their_own_list_and_the_supervisor_sees_all(
    small_bank: SmallBank, classes: dict[str, CustomerClass]
) -> None:
    """U1 sees his 40 entries, not U2's; the branch head sees both; other branches and the administrator none."""
    second = Staff.objects.create(username="manager-west-2", name="二", unit=small_bank.west)
    RoleAssignment.objects.create(staff=second, role="customer_manager", valid_from=SINCE)
    for n in range(40):
        add(small_bank.manager_west, f"甲{n}")
    for n in range(5):
        add(second, f"乙{n}")

    def seen(staff: Staff) -> int:
        return visible_customers(scope_of(staff, as_of=DAY)).count()

    assert (seen(small_bank.manager_west), seen(second), seen(small_bank.head_west)) == (40, 5, 45)
    assert (seen(small_bank.manager_east), seen(small_bank.administrator), seen(small_bank.risk_officer)) == (0, 0, 45)


@pytest.mark.clause("NS-04")
def test_the_five_fields_exist_and_are_kept(small_bank: SmallBank) -> None:
    """Name, address, post code, telephone number and e-mail address."""
    customer = add(
        small_bank.manager_west,
        "明远贸易",
        PHONE,
        ContactInput("email", "a@example.com"),
        ContactInput("address", "河滨路 18 号", postcode="310000"),
    )
    kept = {(c.kind, c.value, c.postcode) for c in customer.contact_points.all()}
    assert customer.party.name == "明远贸易"
    assert kept == {
        ("phone", "0571-88001234", ""),
        ("email", "a@example.com", ""),
        ("address", "河滨路 18 号", "310000"),
    }


@pytest.mark.parametrize("text", ["鹏飞", "hangzpf", "hzpf", "88001234", "0571-88001234", "91330100ma2dem04"])
def test_one_box_finds_by_name_pinyin_digits_and_code(small_bank: SmallBank, text: str) -> None:
    customer = add(small_bank.manager_west, "杭州鹏飞纺织", PHONE)
    customer.party.uscc = "91330100MA2DEM04XC"
    customer.party.save()
    index_customers([customer.pk])
    add(small_bank.manager_west, "别家公司")
    wanted = {"hangzpf": []}.get(text, ["杭州鹏飞纺织"])
    assert [c.party.name for c in Customer.objects.filter(search_filter(text))] == wanted


def test_who_has_left_or_whose_role_has_ended_sees_nothing(small_bank: SmallBank) -> None:
    staff = small_bank.risk_officer
    staff.role_assignments.update(valid_to=DAY)
    assert scope_of(staff, as_of=DAY).reach is Reach.NOTHING
    manager = small_bank.manager_west
    manager.is_active = False
    assert scope_of(manager, as_of=DAY).reach is Reach.NOTHING
