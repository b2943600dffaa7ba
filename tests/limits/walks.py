"""Aimed walks through the ledger: each is a short story of acts whose counters the oracle follows step by step.

Random acts find most bugs in a while; these find each of the planted ones at once.
"""

from collections.abc import Callable
from typing import Any

from tests.limits.machine import DAYS, LedgerMachine

MAY, JUNE, JULY = DAYS
# Places by number: customers 0-2 (1 net), products 3-8 … see LedgerMachine. In set_cap: groups 0-2, customers 3-5,
# products 6-11, the non-revolving facility 12. In freeze: groups 0-2, customers 3-5, facilities 6-12.
NON_REVOLVING = 6


class Walk:
    """A machine whose counters are compared after each act."""

    def __init__(self) -> None:
        self.machine = LedgerMachine()

    def __getattr__(self, name: str) -> Callable[..., None]:
        act = getattr(self.machine, name)

        def checked(*arguments: Any, **named: Any) -> None:
            act(*arguments, **named)
            self.machine.counters_equal_the_oracle()
            self.machine.shares_add_up()
            self.machine.journal_adds_up_to_the_counters()

        return checked


def every_level_stops(walk: Walk) -> None:
    walk.reserve(0, "room + 1", JUNE, False)
    walk.reserve(0, "room", JUNE, False)
    walk.reserve(1, "room", JUNE, False)
    walk.reserve(1, "one", JUNE, False)
    walk.reserve(4, "room + 1", JUNE, False)
    walk.reserve(4, "room", JUNE, False)
    walk.send_a_key_again(0, 0)
    walk.send_a_key_again(1, 1)
    for key in range(6):
        walk.send_a_key_again(key, 0)
        walk.send_a_key_again(key, 1)


def blocked_lines(walk: Walk) -> None:
    walk.reserve(0, "half", JUNE, False)
    walk.set_status(0, "SUSPENDED")
    walk.reserve(0, "one", JUNE, False)
    walk.set_status(0, "ACTIVE")
    walk.freeze(0, True, True)
    walk.freeze(0, False, True)
    walk.post(0, "half", JUNE)
    walk.freeze(0, True, False)
    walk.post(0, "half", JUNE)
    walk.freeze(0, False, False)
    walk.freeze(0, False, True)
    walk.freeze(0, True, False)
    walk.void(0, JUNE)


def a_cut_cap_and_its_cure(walk: Walk) -> None:
    walk.reserve(0, "room", JUNE, False)
    walk.set_cap(6, 90, JUNE)
    walk.reserve(0, "one", JUNE, False)
    walk.reserve(NON_REVOLVING, "one", JUNE, False)
    walk.post(0, "half", JUNE)
    walk.reserve(0, "one", JUNE, False)


def one_hold_each_way(walk: Walk) -> None:
    walk.reserve(0, "half", JUNE, False)
    walk.post(0, "room + 1", JUNE)
    walk.post(0, "half", JUNE)
    walk.post(0, "half", JUNE)
    walk.release(0, "room + 1", JUNE)
    walk.release(0, "half", JUNE)
    walk.reverse(0, JUNE)
    walk.reverse(0, JUNE)
    walk.reserve(0, "half", JUNE, False)
    walk.sweep(JUNE, 3)
    walk.let_time_pass(1)
    walk.post(1, "one", JUNE)
    walk.sweep(JUNE, 3)
    walk.void(1, JUNE)


def a_line_that_does_not_revolve(walk: Walk) -> None:
    walk.reserve(NON_REVOLVING, "half", JUNE, False)
    walk.post(0, "half", JUNE)
    walk.release(0, "room", JUNE)
    walk.reserve(NON_REVOLVING, "room + 1", JUNE, False)
    walk.reserve(NON_REVOLVING, "room", JUNE, False)
    walk.reverse(0, JUNE)
    walk.reserve(NON_REVOLVING, "room", JUNE, False)


def cover_comes_and_goes(walk: Walk) -> None:
    walk.reserve(2, "half", JUNE, True)
    walk.reserve(2, "room", JUNE, True)
    walk.change_cover(30)
    walk.change_cover(90)
    walk.move(1, 1, JUNE)
    walk.void(0, JUNE)
    walk.reserve(3, "one", JUNE, True)
    walk.reserve(2, "many", JUNE, True)
    walk.change_cover(0)


def net_caps_take_more_gross(walk: Walk) -> None:
    walk.machine.oracle.nodes[walk.machine.products[2]].cap = 300
    from shouxin.limits.models import Node

    Node.objects.filter(pk=walk.machine.products[2]).update(cap_fen=300)
    walk.set_cap(4, 40, JUNE)
    walk.reserve(2, "room", JUNE, False)
    walk.reserve(2, "one", JUNE, True)


def members_move(walk: Walk) -> None:
    walk.reserve(0, "half", JUNE, False)
    walk.reserve(1, "half", JUNE, False)
    walk.post(0, "half", JUNE)
    walk.earmark(0, "half")
    walk.move(0, 1, MAY)
    walk.reserve(0, "one", JUNE, False)
    walk.move(0, 0, MAY)
    walk.post(1, "one", JUNE)
    walk.release_earmark(0)


def caps_shift(walk: Walk) -> None:
    walk.reserve(0, "half", JUNE, False)
    walk.reallocate(3, 4, "room + 1", True)
    walk.reallocate(3, 4, "half", True)
    walk.set_cap(7, 180, JUNE)
    walk.set_cap(6, 90, JUNE)
    walk.give_a_shift_back(0)
    walk.reallocate(3, 5, "half", False)
    walk.reallocate(0, 3, "one", False)


def room_set_apart(walk: Walk) -> None:
    walk.earmark(0, "room + 1")
    walk.earmark(0, "room")
    walk.reserve(0, "one", JUNE, False)
    walk.release_earmark(0)
    walk.reserve(0, "one", JUNE, False)


def closed_months(walk: Walk) -> None:
    walk.reserve(0, "half", MAY, False)
    for node in range(14):
        walk.remember_a_balance(node, MAY)
        walk.remember_a_balance(node, JULY)
    walk.reserve(1, "one", MAY, False)
    walk.close_a_month(MAY.replace(day=31))
    for node in range(14):
        walk.remember_a_balance(node, JULY)
    walk.reserve(1, "one", JUNE, False)
    walk.void(0, MAY)
    for node in range(14):
        walk.remember_a_balance(node, JULY)
    oracle = walk.machine.oracle
    for target, _day, _known_at, then in walk.machine.balances[-14:]:
        assert then[0] == oracle.sums(oracle.nodes[target]).pending, "what came late for a closed month is missing"
    walk.reserve(0, "half", MAY, False)


WALKS = (
    every_level_stops, blocked_lines, a_cut_cap_and_its_cure, one_hold_each_way, a_line_that_does_not_revolve,
    cover_comes_and_goes, net_caps_take_more_gross, members_move, caps_shift, room_set_apart, closed_months,
)  # fmt: skip


def run(story: Callable[[Walk], None]) -> None:
    """One walk in a transaction of its own that is rolled back."""
    walk = Walk()
    try:
        story(walk)
    finally:
        walk.machine.teardown()
