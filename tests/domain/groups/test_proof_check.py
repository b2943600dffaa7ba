"""The independent checker accepts every proof of the engine and none that was tampered with."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shouxin.groups.commands import check_proofs, identify, what_if

ENTITIES = """id,name,kind,customer,nature
A,宏达集团,org,1,民营
B,宏达建材,org,1,民营
C,宏达物流,org,1,民营
X,外部,org,0,民营
p,陈建国,person,0,
q,陈芳,person,0,
"""
HOLDINGS = """holder,company,percent,valid_from,valid_to
p,A,60,,
A,B,70,,
B,C,45,,
q,C,10,,
X,C,45,,
"""
KIN = "a,b,relation\np,q,parent\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name, text in (("entities", ENTITIES), ("holdings", HOLDINGS), ("kin", KIN)):
        (source / f"{name}.csv").write_text(text, encoding="utf-8")
    answer = CliRunner().invoke(
        identify, [str(source), "--as-of", "2025-06-30", "--out", str(tmp_path / "out")], catch_exceptions=False
    )
    assert answer.exit_code == 0, answer.output
    return tmp_path / "out"


def proofs(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "proofs.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_output_files_are_as_written_and_every_proof_holds(folder: Path) -> None:
    assert (folder / "control.csv").read_text().splitlines()[0] == "unit,unit_kind,anchor,company"
    assert (folder / "groups.csv").read_text().splitlines()[:2] == [
        "group,anchor,member,basis,customer,ultimate",
        "G1,p,A,三,1,p",
    ]
    answer = CliRunner().invoke(check_proofs, [str(folder)])
    assert (answer.exit_code, answer.output) == (0, f"{len(proofs(folder))} proofs hold\n")


def _more_votes(proof: dict[str, Any]) -> None:
    proof["steps"][-1]["via"][0]["votes"] += 1


def _no_steps(proof: dict[str, Any]) -> None:
    proof["steps"] = []


def _first_step_gone(proof: dict[str, Any]) -> None:
    del proof["steps"][0]


def _smaller_total(proof: dict[str, Any]) -> None:
    proof["steps"][0]["total"] //= 2


def _twice(proof: dict[str, Any]) -> None:
    proof["steps"][-1]["via"] *= 2


def _stranger_as_kin(proof: dict[str, Any]) -> None:
    proof["family"] = [{"person": "X", "path": [proof["anchor"], "X"]}]


@pytest.mark.parametrize("tamper", [_more_votes, _no_steps, _first_step_gone, _smaller_total, _twice, _stranger_as_kin])
def test_a_tampered_proof_is_named(folder: Path, tamper: Callable[[dict[str, Any]], None]) -> None:
    rows = proofs(folder)
    place = next(i for i, row in enumerate(rows) if row["unit_kind"] == "family" and row["company"] == "C")
    changed = copy.deepcopy(rows)
    tamper(changed[place])
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in changed)
    (folder / "proofs.jsonl").write_text(text, encoding="utf-8")
    answer = CliRunner().invoke(check_proofs, [str(folder)])
    assert answer.exit_code == 2
    assert f"line {place + 1} does not hold" in answer.output


def test_what_if_shows_both_and_writes_nothing(folder: Path) -> None:
    source = folder.parent / "in"
    before = sorted(path.name for path in source.iterdir())
    answer = CliRunner().invoke(what_if, [str(source), "--as-of", "2025-06-30", "--change", "holding:q,C,4", "--json"])
    assert answer.exit_code == 0
    document = json.loads(answer.stdout)
    assert [group["members"] for group in document["before"]] == [["A", "B", "C"]]
    assert [group["members"] for group in document["after"]] == [["A", "B"]]
    assert sorted(path.name for path in source.iterdir()) == before
