"""Handover: nobody leaves with something in hand, no step is skipped, everything moves or nothing does."""

import datetime as dt

import pytest

from shouxin.audit.models import Entry
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import scope_of
from shouxin.parties import handover as steps
from shouxin.parties.handover import HandoverError, StillHoldsError, disable_staff, duties_of, watched_customers
from shouxin.parties.models import Customer, Handover, Ownership
from shouxin.parties.ownership import add_assistant
from shouxin.parties.selectors import editable_customers, visible_customers
from shouxin.parties.services import add_prospect, set_next_step
from tests.conftest import DAY, SINCE, SmallBank


def colleague(bank: SmallBank, name: str) -> Staff:
    staff = Staff.objects.create(username=name, name=name, unit=bank.west)
    RoleAssignment.objects.create(staff=staff, role="customer_manager", valid_from=SINCE)
    return staff


def fill(owner: Staff, count: int) -> list[Customer]:
    return [
        add_prospect(actor=owner, name=f"公司{n}", kind="org", contacts=(), customer_class=None, business_date=DAY)
        for n in range(count)
    ]


def up_to_acceptance(bank: SmallBank, receivers: list[Staff], count: int) -> Handover:
    fill(bank.manager_west, count)
    handover = steps.draft(
        actor=bank.manager_west, from_staff=bank.manager_west, reason="离职", business_date=DAY, is_leaving=True
    )
    steps.review(actor=bank.head_west, handover=handover, business_date=DAY)
    chosen = {item.customer_id: receivers[n % len(receivers)] for n, item in enumerate(handover.items.all())}
    steps.assign(actor=bank.head_west, handover=handover, receivers=chosen, business_date=DAY)
    for item in handover.items.all():
        steps.record_visit(
            actor=bank.manager_west, item=item, visited_date=DAY, notice_date=DAY, notice_way="当面", business_date=DAY
        )
    steps.supervise(actor=bank.head_west, handover=handover, business_date=DAY)
    for receiver in receivers:
        steps.accept(actor=receiver, handover=handover, business_date=DAY)
    return handover


@pytest.mark.clause("CM-05")
def test_leaving_with_25_customers_waits_until_each_has_an_owner_and_90_days_of_watch_follow(
    small_bank: SmallBank,
) -> None:
    """A user leaves with 25 customers: refused while any is unassigned; the watch list has 25 for 90 days."""
    leaver, receivers = small_bank.manager_west, [colleague(small_bank, n) for n in "甲乙"]
    handover = up_to_acceptance(small_bank, receivers, 25)
    with pytest.raises(StillHoldsError, match="主办客户 25 项"):
        disable_staff(actor=small_bank.administrator, staff=leaver, business_date=DAY)
    assert Staff.objects.get(pk=leaver.pk).is_active
    steps.complete(actor=small_bank.head_west, handover=handover, business_date=DAY)
    assert Customer.objects.filter(main_owner__in=receivers).count() == 25
    assert duties_of(leaver) == []
    disable_staff(actor=small_bank.administrator, staff=leaver, business_date=DAY)
    assert not Staff.objects.get(pk=leaver.pk).is_active
    assert watched_customers(day=DAY + dt.timedelta(days=90)).count() == 25
    assert watched_customers(day=DAY + dt.timedelta(days=91)).count() == 0
    assert Entry.objects.filter(action="parties.handover.done").count() == 1


def test_one_unassigned_customer_stops_the_assignment(small_bank: SmallBank) -> None:
    receiver = colleague(small_bank, "甲")
    customers = fill(small_bank.manager_west, 3)
    handover = steps.draft(
        actor=small_bank.manager_west, from_staff=small_bank.manager_west, reason="调岗", business_date=DAY
    )
    steps.review(actor=small_bank.head_west, handover=handover, business_date=DAY)
    with pytest.raises(HandoverError, match="还有 1 户没有接收人"):
        steps.assign(
            actor=small_bank.head_west, handover=handover, business_date=DAY,
            receivers={c.pk: receiver for c in customers[:2]},
        )  # fmt: skip
    assert Handover.objects.get().state == "reviewed"


def test_no_step_is_skipped_and_no_person_does_two_that_exclude_each_other(small_bank: SmallBank) -> None:
    fill(small_bank.manager_west, 1)
    handover = steps.draft(
        actor=small_bank.manager_west, from_staff=small_bank.manager_west, reason="调岗", business_date=DAY
    )
    with pytest.raises(HandoverError, match="四眼"):
        steps.review(actor=small_bank.manager_west, handover=handover, business_date=DAY)
    for step in (steps.supervise, steps.accept, steps.complete):
        with pytest.raises(HandoverError, match="此步骤须在"):
            step(actor=small_bank.head_west, handover=handover, business_date=DAY)
    with pytest.raises(HandoverError, match="未完成的移交"):
        steps.draft(actor=small_bank.head_west, from_staff=small_bank.manager_west, reason="再来", business_date=DAY)
    steps.cancel(actor=small_bank.head_west, handover=handover, reason="不走了", business_date=DAY)
    assert Handover.objects.get().state == "cancelled"


def test_a_change_after_the_supervision_fails_loudly_and_nothing_moves(small_bank: SmallBank) -> None:
    receiver = colleague(small_bank, "甲")
    handover = up_to_acceptance(small_bank, [receiver], 3)
    touched = Customer.objects.order_by("pk")[1]
    set_next_step(
        actor=small_bank.manager_west, customer=touched, next_step="急事", next_step_date=DAY, business_date=DAY
    )
    with pytest.raises(HandoverError, match="公司1。没有移交任何一户"):
        steps.complete(actor=small_bank.head_west, handover=handover, business_date=DAY)
    assert Customer.objects.filter(main_owner=small_bank.manager_west).count() == 3
    steps.reopen_supervision(actor=small_bank.head_west, handover=handover, business_date=DAY)
    steps.supervise(actor=small_bank.head_west, handover=handover, business_date=DAY)
    steps.accept(actor=receiver, handover=handover, business_date=DAY)
    steps.complete(actor=small_bank.head_west, handover=handover, business_date=DAY)
    assert Customer.objects.filter(main_owner=receiver).count() == 3


def test_the_former_owner_looks_on_for_a_while_and_changes_nothing(small_bank: SmallBank) -> None:
    receiver = colleague(small_bank, "甲")
    handover = up_to_acceptance(small_bank, [receiver], 2)
    done = steps.complete(actor=small_bank.head_west, handover=handover, business_date=DAY)
    assert done.view_ends_date == DAY + dt.timedelta(days=30)

    def seen(day: dt.date) -> tuple[int, int]:
        scope = scope_of(small_bank.manager_west, as_of=day)
        return visible_customers(scope).count(), editable_customers(scope).count()

    assert seen(DAY) == (2, 0)
    assert seen(done.view_ends_date - dt.timedelta(days=1)) == (2, 0)
    assert seen(done.view_ends_date) == (0, 0)
    history = list(Ownership.objects.filter(customer=Customer.objects.order_by("pk").first()).order_by("pk"))
    assert [(tie.kind, tie.staff.username) for tie in history] == [
        ("main", "manager-west"), ("main", "甲"), ("former", "manager-west"),
    ]  # fmt: skip


def test_an_assistant_holds_something_too(small_bank: SmallBank) -> None:
    helper = colleague(small_bank, "甲")
    customer = fill(small_bank.manager_west, 1)[0]
    add_assistant(actor=small_bank.head_west, customer=customer, staff=helper, business_date=DAY)
    with pytest.raises(StillHoldsError, match="协办客户 1 项"):
        disable_staff(actor=small_bank.administrator, staff=helper, business_date=DAY)
