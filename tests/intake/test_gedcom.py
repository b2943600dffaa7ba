"""A family tree in GEDCOM becomes the same near relatives that a plain count over its own lines gives."""

import datetime as dt
import os
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner

from shouxin.domain.evidence import Evidence
from shouxin.domain.groups.kinship import FamilyTree
from shouxin.intake.convert_commands import convert
from shouxin.intake.evidence_files import read_evidence
from shouxin.intake.gedcom import day_range

LIMITS = {"lineal_generations": 3, "collateral_generations": 2, "include_spouse": True}
DAY = dt.date(2025, 6, 30)
TREE = """0 HEAD
1 CHAR UTF-8
0 @G@ INDI
1 NAME Old /Chen/
1 SEX M
1 DEAT
2 DATE MAR 1990
0 @F@ INDI
1 NAME Father /Chen/
1 SEX M
0 @U@ INDI
1 NAME Uncle /Chen/
1 SEX M
0 @M@ INDI
1 NAME Mother /Li/
1 SEX F
0 @X@ INDI
1 NAME First /Wife/
1 SEX F
0 @H@ INDI
1 NAME Half /Chen/
0 @A@ INDI
1 NAME Adopted /Chen/
1 FAMC @N2@
2 PEDI adopted
0 @B@ INDI
1 NAME Own /Chen/
0 @C@ INDI
1 NAME Cousin /Chen/
0 @N1@ FAM
1 HUSB @G@
1 CHIL @F@
1 CHIL @U@
0 @N0@ FAM
1 HUSB @F@
1 WIFE @X@
1 MARR
2 DATE 3 MAY 1980
1 DIV
2 DATE 1985
1 CHIL @H@
0 @N2@ FAM
1 HUSB @F@
1 WIFE @M@
1 MARR
2 DATE BET 1986 AND 1988
1 CHIL @A@
1 CHIL @B@
0 @N3@ FAM
1 HUSB @U@
1 CHIL @C@
0 TRLR
"""


def converted(tmp_path: Path, source: Path) -> Evidence:
    answer = CliRunner().invoke(convert, ["gedcom", str(source), str(tmp_path / "out")], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return read_evidence(tmp_path / "out")[0]


def near_by_counting(text: str) -> dict[str, set[str]]:
    """Parents, grandparents, children, grandchildren, brothers and sisters, spouses, from the lines alone."""
    people = set(re.findall(r"^0 @([^@]+)@ INDI", text, re.MULTILINE))
    parents: defaultdict[str, set[str]] = defaultdict(set)
    spouses: defaultdict[str, set[str]] = defaultdict(set)
    for family in re.split(r"^0 ", text, flags=re.MULTILINE):
        if not re.match(r"@[^@]+@ FAM\s", family):
            continue
        couple = [p for p in re.findall(r"^1 (?:HUSB|WIFE) @([^@]+)@", family, re.MULTILINE) if p in people]
        for child in re.findall(r"^1 CHIL @([^@]+)@", family, re.MULTILINE):
            parents[child].update(couple)
        ended = re.search(r"^1 (?:DIV|ANUL)(?! N)", family, re.MULTILINE)
        if len(couple) == 2 and not ended:
            spouses[couple[0]].add(couple[1])
            spouses[couple[1]].add(couple[0])
    children: defaultdict[str, set[str]] = defaultdict(set)
    for child, known in parents.items():
        for parent in known:
            children[parent].add(child)
    near = {}
    for person in people:
        up, down = parents[person], children[person]
        grand = {g for p in up for g in parents[p]} | {g for c in down for g in children[c]}
        siblings = {s for p in up for s in children[p]}
        near[person] = (up | down | grand | siblings | spouses[person]) - {person}
    return near


def near_by_engine(evidence: Evidence) -> dict[str, set[str]]:
    """The dead stay in, so that the count is of the tree and not of a day."""
    living = replace(evidence, entities={k: replace(e, died_date=None) for k, e in evidence.entities.items()})
    tree = FamilyTree.of(living.on(DAY))
    return {person: set(tree.near_relatives(person, **LIMITS)) for person in living.entities}


def test_a_small_tree(tmp_path: Path) -> None:
    source = tmp_path / "tree.ged"
    source.write_text(TREE, encoding="utf-8")
    evidence = converted(tmp_path, source)
    near = near_by_engine(evidence)
    assert near == near_by_counting(TREE)
    assert near["B"] == {"F", "M", "G", "A", "H"}, "the half-brother, the adopted child; not uncle, cousin, first wife"
    assert evidence.entities["G"].died_date == dt.date(1990, 3, 31)
    marriages = {(k.a, k.b): (k.valid_from, k.valid_to) for k in evidence.kin if k.relation == "spouse"}
    assert marriages["F", "X"] == (dt.date(1980, 5, 3), dt.date(1985, 12, 31))
    assert marriages["F", "M"] == (dt.date(1986, 1, 1), None)
    assert {k.kind for k in evidence.kin if k.b == "A"} == {"adoptive"}


@pytest.mark.parametrize(
    ("phrase", "first", "last"),
    [
        ("19 AUG 1946", "1946-08-19", "1946-08-19"), ("FEB 1900", "1900-02-01", "1900-02-28"),
        ("ABT 1750", "1750-01-01", "1750-12-31"), ("BEF 1800", None, "1800-12-31"), ("AFT 1800", "1800-01-01", None),
        ("BET 1800 AND MAR 1802", "1800-01-01", "1802-03-31"), ("30 FEB 1700/01", "1700-02-28", "1700-02-28"),
        ("44 B.C.", None, None), ("(unknown)", None, None), ("", None, None),
    ],
)  # fmt: skip
def test_half_known_dates(phrase: str, first: str | None, last: str | None) -> None:
    days = [day.isoformat() if day else None for day in day_range(phrase)]
    assert days == [first, last]


def test_what_is_no_gedcom_is_said_and_nothing_written(tmp_path: Path) -> None:
    source = tmp_path / "tree.ged"
    source.write_text("0 HEAD\nnot a line\n", encoding="utf-8")
    answer = CliRunner().invoke(convert, ["gedcom", str(source), str(tmp_path / "out")])
    assert (answer.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "第 2 行" in answer.output


@pytest.mark.skipif("SHOUXIN_TEST_DATA" not in os.environ, reason="SHOUXIN_TEST_DATA names no folder of public data")
@pytest.mark.parametrize(("name", "people", "family_size"), [("royal92.ged", 3010, 8), ("pres2020.ged", 2322, 6)])
def test_real_trees(tmp_path: Path, name: str, people: int, family_size: int) -> None:
    source = Path(os.environ["SHOUXIN_TEST_DATA"]) / "kinship_gedcom" / name
    content = source.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    near = near_by_engine(converted(tmp_path, source))
    assert len(near) == people
    assert near == near_by_counting(text)
    assert median(len(relatives) + 1 for relatives in near.values()) == family_size
