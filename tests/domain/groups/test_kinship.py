"""Generations are counted with oneself as 1; brothers and sisters are the only near collaterals."""

import datetime as dt

import pytest

from shouxin.domain.evidence import Entity, EntityKind, Evidence, KinLink
from shouxin.domain.groups.kinship import FamilyTree, kin_term
from tests.domain.groups import worked

DAY = dt.date(2025, 6, 30)
LIMITS = {"lineal_generations": 3, "collateral_generations": 2, "include_spouse": True}


def tree_of(*links: KinLink, **extra: Entity) -> FamilyTree:
    people = {name: Entity(name, name, EntityKind.PERSON) for link in links for name in (link.a, link.b)} | extra
    return FamilyTree.of(Evidence(entities=people, kin=links).on(DAY))


def parent(a: str, b: str, kind: str = "blood") -> KinLink:
    return KinLink(a=a, b=b, relation="parent", kind=kind)


def test_the_family_of_the_demo_bank() -> None:
    tree = FamilyTree.of(worked.evidence().on(DAY))
    near = tree.near_relatives("陈建国", **LIMITS)
    assert set(near) == {"李秀英", "陈大山", "陈明", "陈芳", "陈小宇", "陈建军"}
    assert (near["陈小宇"].generation, near["陈建军"].generation) == (3, 2)
    in_laws = tree.in_laws("陈建国", near, lineal_generations=3, collateral_generations=2)
    assert {"王强", "周婷"} <= set(in_laws)


@pytest.mark.parametrize(
    ("a", "b", "is_near"), [("陈建军", "陈亮", True), ("陈明", "陈建军", False), ("陈明", "陈亮", False)]
)
def test_the_pairs_of_the_demo_bank(a: str, b: str, is_near: bool) -> None:
    tree = FamilyTree.of(worked.evidence().on(DAY))
    assert (b in tree.near_relatives(a, **LIMITS)) is is_near
    assert (a in tree.near_relatives(b, **LIMITS)) is is_near


def test_half_siblings_and_adopted_children_are_near() -> None:
    tree = tree_of(parent("父", "甲"), parent("父", "乙"), parent("母", "甲"), parent("父", "养女", "adoptive"))
    assert set(tree.near_relatives("甲", **LIMITS)) == {"父", "母", "乙", "养女"}


def test_uncles_cousins_and_great_grandparents_are_not() -> None:
    tree = tree_of(
        parent("曾祖", "祖"), parent("祖", "父"), parent("祖", "叔"), parent("父", "我"), parent("叔", "堂弟")
    )
    assert set(tree.near_relatives("我", **LIMITS)) == {"父", "祖"}


def test_a_marriage_ends_with_its_date_and_the_dead_still_connect() -> None:
    ended = KinLink(a="我", b="前夫", relation="spouse", valid_to=dt.date(2020, 1, 1))
    father = Entity("父", "父", EntityKind.PERSON, died_date=dt.date(2019, 1, 1))
    tree = tree_of(ended, parent("父", "我"), parent("父", "兄"), 父=father)
    assert set(tree.near_relatives("我", **LIMITS)) == {"兄"}


def test_terms_know_sex_and_the_mothers_side() -> None:
    links = (parent("外婆", "母"), parent("母", "我"), KinLink(a="我", b="伴", relation="spouse"))
    people = {
        "外婆": Entity("外婆", "外婆", EntityKind.PERSON, sex="F"),
        "母": Entity("母", "母", EntityKind.PERSON, sex="F"),
    }
    evidence = Evidence(entities={n: Entity(n, n, EntityKind.PERSON) for n in ("我", "伴")} | people, kin=links)
    register = evidence.on(DAY)
    near = FamilyTree.of(register).near_relatives("我", **LIMITS)
    assert [kin_term(near[n], register) for n in ("母", "外婆", "伴")] == ["母亲", "外祖母", "配偶"]
