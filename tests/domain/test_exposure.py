"""What deals count for, on the figures of the demo bank."""

from decimal import Decimal

from shouxin.domain.exposure import (
    Deal,
    find_guarantee_cycle,
    intragroup_guarantees_fen,
    stock_by_branch,
    total,
    totals_by_customer,
)

LOAN = Deal("A", "城东", "loan", 1500)
ACCEPTANCE = Deal("B", "城东", "acceptance", 2000, margin_fen=1000, is_net_of_margin=True)
PLEDGED = Deal("D", "城西", "pledged", 500, own_cd_fen=500)
COMMITMENT = Deal("E", "营业部", "commitment", 200, is_drawn=False, conversion_factor=Decimal("0.2"))


def test_cash_cover_counts_only_where_the_policy_lets_it() -> None:
    assert ACCEPTANCE.control_use_fen == 1000
    assert Deal("B", "城东", "acceptance", 2000, margin_fen=1000).control_use_fen == 2000
    assert PLEDGED.control_use_fen == 0
    assert Deal("D", "城西", "pledged", 500, own_cd_fen=500, deducts_own_cd=False).control_use_fen == 500
    assert Deal("D", "城西", "pledged", 500, own_cd_fen=700).control_use_fen == 0, "more cover than debt is no credit"


def test_what_is_outside_the_scope_counts_nothing() -> None:
    outside = Deal("A", "城东", "x", 100, is_in_scope=False)
    assert (outside.gross_fen, outside.control_use_fen, outside.large_exposure_fen) == (0, 0, 0)


def test_conversion_is_for_the_large_exposure_only() -> None:
    assert COMMITMENT.control_use_fen == 200
    assert COMMITMENT.large_exposure_fen == 40


def test_sums_are_per_customer_over_all_branches_and_per_branch_without_commitments() -> None:
    deals = [LOAN, ACCEPTANCE, PLEDGED, COMMITMENT]
    assert {customer: sums.control_use_fen for customer, sums in totals_by_customer(deals).items()} == {
        "A": 1500, "B": 1000, "D": 0, "E": 200,
    }  # fmt: skip
    assert stock_by_branch(deals) == {"城东": 2500, "城西": 0}
    assert stock_by_branch(deals, net=False) == {"城东": 3500, "城西": 500}
    assert total(deals).gross_fen == 4200


def test_a_circle_of_guarantees_starts_with_its_first_party() -> None:
    """X20: A→D, D→E, E→B, B→A."""
    rows = [("A", "D", 700), ("D", "E", 600), ("E", "B", 1000), ("B", "A", 500)]
    assert find_guarantee_cycle(rows, list("ABCDE")) == ["A", "D", "E", "B"]
    assert intragroup_guarantees_fen(rows, "ABCDE") == 2800
    assert intragroup_guarantees_fen(rows, "ABD") == 1200
    assert find_guarantee_cycle(rows[:3], list("ABCDE")) == []


def test_a_chain_of_a_hundred_thousand_guarantees_is_walked_without_recursion() -> None:
    chain = [(str(n), str(n + 1), 1) for n in range(100_000)]
    assert find_guarantee_cycle(chain, []) == []
    circle = find_guarantee_cycle([*chain, ("100000", "0", 1)], ["5"])
    assert (len(circle), circle[0]) == (100_001, "5")
