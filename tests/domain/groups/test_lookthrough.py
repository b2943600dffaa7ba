"""Look-through shares: exact on pyramids, diamonds and rings, equal to adding up the paths by hand."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shouxin.domain.groups.lookthrough import control_paths, look_through

HALF = Fraction(1, 2)


def percent(**stakes: int) -> dict[str, Fraction]:
    return {holder: Fraction(share, 100) for holder, share in stakes.items()}


def test_a_pyramid_of_51_is_26_percent_look_through():
    """51 % of 51 % is full control and 26.01 % of the money (D8)."""
    found = look_through("y", {"y": percent(x=51), "x": percent(p=51)})

    assert found.share_of == {"x": Fraction(51, 100), "p": Fraction(2601, 10_000)}


def test_two_paths_of_a_diamond_add_up():
    shares = {"y": percent(a=30, b=40), "a": percent(p=100), "b": percent(p=50)}

    assert look_through("y", shares).share_of["p"] == HALF


def test_shares_that_a_ring_holds_in_itself_belong_to_those_outside():
    """x has 60 % of y, and y has 40 % of itself through z by half: 60 of the 80 % that anybody outside has."""
    shares = {"y": {"x": Fraction(60, 100), "z": Fraction(40, 100)}, "z": {"y": HALF, "w": HALF}}

    found = look_through("y", shares)

    assert found.share_of["x"] == Fraction(3, 4)
    assert found.share_of["w"] == Fraction(1, 4)
    assert found.share_of["z"] == Fraction(40, 100)
    assert found.singular_rings == ()


def test_a_closed_ring_without_outside_owner_is_reported_and_owns_nothing():
    """Two companies that hold all of one another: nobody owns them in the end, and no number is made up."""
    shares = {"a": percent(b=100), "b": percent(a=100), "y": percent(a=60, p=40)}

    found = look_through("y", shares)

    assert found.singular_rings == (("a", "b"),)
    assert found.share_of == {"p": Fraction(2, 5)}


def test_an_undisclosed_rest_belongs_to_nobody():
    assert sum(look_through("y", {"y": percent(p=30)}).share_of.values()) == Fraction(30, 100)


def test_a_company_that_nobody_holds():
    assert look_through("y", {}).share_of == {}


def test_a_chain_of_many_thousand_companies_needs_no_recursion():
    shares = {f"c{at}": {f"c{at + 1}": Fraction(1)} for at in range(20_000)}

    assert look_through("c0", shares).share_of["c20000"] == 1


def test_every_path_with_its_percentages_largest_first():
    shares = {"y": percent(a=30, b=40, p=5), "a": percent(p=100), "b": percent(p=50, a=50)}

    paths = control_paths({"p"}, "y", shares)

    assert [(path.entities, path.product) for path in paths] == [
        (("p", "a", "y"), Fraction(30, 100)),
        (("p", "a", "b", "y"), Fraction(20, 100)),
        (("p", "b", "y"), Fraction(20, 100)),
        (("p", "y"), Fraction(5, 100)),
    ]


@st.composite
def registers(draw: st.DrawFn) -> dict[str, dict[str, Fraction]]:
    """Up to six companies with rings, each with at least a tenth outside, so that there is a solution."""
    names = [f"c{at}" for at in range(draw(st.integers(1, 6)))]
    shares: dict[str, dict[str, Fraction]] = {}
    for company in names:
        others = [name for name in [*names, "p", "q"] if name != company]
        held = draw(st.dictionaries(st.sampled_from(others), st.integers(1, 9), max_size=4))
        total = max(10, sum(held.values()) + 1)
        shares[company] = {holder: Fraction(part, total) for holder, part in held.items()}
    return shares


@given(registers())
def test_equals_the_series_of_powers(shares: dict[str, dict[str, Fraction]]):
    """The second oracle: A + A² + A³ + … added up until nothing changes, in floating point."""
    names = sorted({*shares, *(holder for held in shares.values() for holder in held)})
    place = {name: at for at, name in enumerate(names)}
    direct = np.zeros((len(names), len(names)))
    for company, held in shares.items():
        for holder, share in held.items():
            direct[place[holder], place[company]] = float(share)
    power, summed = direct.copy(), direct.copy()
    for _ in range(3_000):
        power = power @ direct
        summed += power
        if power.max(initial=0) < 1e-14:
            break

    found = look_through("c0", shares)

    for name in names:
        if name != "c0":
            expected = summed[place[name], place["c0"]] / (1 + summed[place[name], place[name]])
            assert abs(float(found.share_of.get(name, 0)) - expected) < 1e-9
