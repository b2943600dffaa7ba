"""Recognition on its line, just over it, and on the day before its rule was in force."""

import datetime as dt
from decimal import Decimal

import pytest

from shouxin.domain.evidence import Agreement, Entity, Evidence, Holding, KinLink
from shouxin.domain.groups import identify
from shouxin.domain.parameters import NotInForceError
from shouxin.groups.policy_settings import NO_DEPENDENCE, settings_from
from shouxin.policy import load_book
from tests.domain.groups.test_determination import company, find, groups, hold, person

SINCE, BEFORE = dt.date(2003, 10, 23), dt.date(2003, 10, 22)


@pytest.mark.parametrize(
    ("percent", "linked"),
    [
        pytest.param("50", [], marks=pytest.mark.clause("JS-16", "BR-02", "HA-02", points="on")),
        pytest.param("50.000001", [["Q", "R"]], marks=pytest.mark.clause("JS-16", "BR-02", "HA-02", points="over")),
    ],
)
def test_a_third_legal_person_links_from_more_than_half(percent: str, linked: list[list[str]]) -> None:
    """P holds 80 % of R; with exactly half of Q it controls Q not, with a share more it does (basis 二)."""
    found = find(
        [company("P", is_customer=False), company("Q"), company("R")], hold("P", "Q", percent), hold("P", "R", "80")
    )
    assert groups(found) == linked


@pytest.mark.clause("JS-16", points="over")
def test_operating_control_links_as_equity_does() -> None:
    """P decides over Q by contract and holds 80 % of R: linked without a share of Q."""
    found = find(
        [company("P", is_customer=False), company("Q"), company("R")],
        Agreement(controller="P", company="Q", kind="contract"), hold("P", "R", "80"),
    )  # fmt: skip
    assert groups(found) == [["Q", "R"]]


@pytest.mark.parametrize(
    ("percent", "linked"),
    [
        pytest.param("50.000001", [["A", "B"]], marks=pytest.mark.clause("JS-15", points="on")),
        pytest.param("50", [], marks=pytest.mark.clause("JS-15", points="over")),
    ],
)
def test_companies_that_a_controller_founded(percent: str, linked: list[list[str]]) -> None:
    """周 founded A alone and B with another: linked where he controls B, not where he has half of it."""
    found = find(
        [person("周"), person("吴"), company("A"), company("B")],
        hold("周", "A", "100"), hold("周", "B", percent), hold("吴", "B", str(100 - Decimal(percent))),
    )  # fmt: skip
    assert groups(found) == linked


@pytest.mark.clause("JS-15", points="on")
def test_parent_and_subsidiary_of_a_registered_controller() -> None:
    found = find(
        [person("周"), company("P"), company("S"), company("A")],
        Agreement(controller="周", company="P", kind="actual_controller"), hold("P", "S", "100"),
        Agreement(controller="周", company="A", kind="actual_controller"),
    )  # fmt: skip
    assert groups(found) == [["A", "P", "S"]]


def family(of_e: str) -> tuple[list[Entity], tuple[object, ...]]:
    """兄 controls A, 弟 is his brother, 侄 the son of 弟; one of them controls E alone."""
    facts = (
        hold("兄", "A", "60"), hold(of_e, "E", "80"), KinLink(a="父", b="兄", relation="parent"),
        KinLink(a="父", b="弟", relation="parent"), KinLink(a="弟", b="侄", relation="parent"),
    )  # fmt: skip
    return [*(person(name) for name in ("父", "兄", "弟", "侄")), company("A"), company("E")], facts


@pytest.mark.parametrize(
    ("of_e", "linked"),
    [
        pytest.param("弟", [["A", "E"]], marks=pytest.mark.clause("JS-17", points="on")),
        pytest.param("侄", [], marks=pytest.mark.clause("JS-17", points="over")),
    ],
)
def test_a_relative_alone_is_enough_within_the_generations(of_e: str, linked: list[list[str]]) -> None:
    """A brother who alone controls E brings it in, a nephew (collateral, third generation) does not."""
    entities, facts = family(of_e)
    assert groups(find(entities, *facts)) == linked


@pytest.mark.clause("JS-15", "JS-16", "JS-17", "BR-02", "HA-02", points="before")
def test_before_the_rule_nothing_is_recognised() -> None:
    """On 2003-10-22 no rule says who controls; from the next day on the brother's company belongs to the group."""
    book = load_book()
    with pytest.raises(NotInForceError, match=r"控制所需表决权.*2003-10-22"):
        settings_from(book, BEFORE)
    settings = settings_from(book, SINCE)
    entities, facts = family("弟")
    evidence = Evidence(
        entities={entity.id: entity for entity in entities},
        holdings=tuple(f for f in facts if isinstance(f, Holding)),
        kin=tuple(f for f in facts if isinstance(f, KinLink)),
    )
    assert groups(identify(evidence, as_of=SINCE, settings=settings)) == [["A", "E"]]
    assert settings.dependence_percent == NO_DEPENDENCE, "economic dependence has been a rule since 2018 only"
    assert settings_from(book, dt.date(2018, 7, 1)).dependence_percent == 50


@pytest.mark.clause("A-20", points="on over")
def test_credit_makes_a_member_of_a_node() -> None:
    """N links P and Q without being one of them; with credit of its own it is the third."""
    facts = (hold("P", "N", "60"), hold("N", "Q", "60"))
    assert groups(find([company("P"), company("Q"), company("N", is_customer=False)], *facts)) == [["P", "Q"]]
    assert groups(find([company("P"), company("Q"), company("N")], *facts)) == [["N", "P", "Q"]]
