"""The independent checker accepts every proof of the engine and none that was tampered with."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shouxin.groups.commands import check_proofs, identify, what_if

ENTITIES = """id,name,kind,customer,nature,died
A,宏达集团,org,1,民营,
B,宏达建材,org,1,民营,
C,宏达物流,org,1,民营,
X,外部,org,0,民营,
p,陈建国,person,0,,
q,陈芳,person,0,,
g,陈大山,person,0,,2001-01-01
h,陈老,person,0,,
u,陈叔,person,0,,
"""
HOLDINGS = """holder,company,percent,valid_from,valid_to
p,A,60,,
A,B,70,,
B,C,45,,
q,C,10,,
X,C,45,,
"""
KIN = "a,b,relation\np,q,parent\ng,p,parent\nh,g,parent\nh,u,parent\n"


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


def _uncle_as_kin(proof: dict[str, Any]) -> None:
    proof["family"].append({"person": "u", "path": ["p", "g", "h", "u"]})


def _the_dead_as_kin(proof: dict[str, Any]) -> None:
    proof["family"].append({"person": "g", "path": ["p", "g"]})


def _kin_twice_on_the_path(proof: dict[str, Any]) -> None:
    proof["family"][0]["path"] = ["p", "q", "p", "q"]


def _another_unit(proof: dict[str, Any]) -> None:
    proof["unit"] = "family:q"


def _one_with_family(proof: dict[str, Any]) -> None:
    proof["unit_kind"], proof["unit"] = "one", "one:p"


def _company_as_family(proof: dict[str, Any]) -> None:
    proof["anchor"], proof["unit"] = "X", "family:X"


def _nobody_in_concert(proof: dict[str, Any]) -> None:
    proof["unit_kind"], proof["unit"], proof["family"] = "concert", "concert:p", []


def _agreement_out_of_the_air(proof: dict[str, Any]) -> None:
    proof["steps"][-1]["via"] = [{"holder": "p", "agreement": "contract"}]


def _votes_of_a_stranger(proof: dict[str, Any]) -> None:
    proof["steps"][-1]["via"].append({"holder": "X", "votes": 45_000_000})


def _steps_in_the_wrong_order(proof: dict[str, Any]) -> None:
    proof["steps"].reverse()


def _a_holder_too_few(proof: dict[str, Any]) -> None:
    del proof["steps"][-1]["via"][-1]


def _another_company(proof: dict[str, Any]) -> None:
    proof["company"] = "X"


def _a_step_twice(proof: dict[str, Any]) -> None:
    proof["steps"].append(proof["steps"][0])


def _no_steps_at_all(proof: dict[str, Any]) -> None:
    del proof["steps"]


def _text_for_votes(proof: dict[str, Any]) -> None:
    proof["steps"][-1]["via"][0]["votes"] = "45000000"


@pytest.mark.parametrize(
    "tamper",
    [
        _more_votes, _no_steps, _first_step_gone, _smaller_total, _twice, _stranger_as_kin, _uncle_as_kin,
        _the_dead_as_kin, _kin_twice_on_the_path, _another_unit, _one_with_family, _company_as_family,
        _nobody_in_concert, _agreement_out_of_the_air, _votes_of_a_stranger, _steps_in_the_wrong_order,
        _a_holder_too_few, _another_company, _a_step_twice, _no_steps_at_all, _text_for_votes,
    ],
)  # fmt: skip
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


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("control.csv", "family:p,family,p,C", "family:p,family,p,C\nfamily:q,family,q,C", "has no proof"),
        ("control.csv", "family:p,family,p,C\n", "", "is proved and not listed"),
        ("groups.csv", "G1,p,A,", "G1,p,X,", "nothing proves X in group G1"),
    ],
)
def test_a_result_without_its_proof_is_named(folder: Path, file: str, old: str, new: str, said: str) -> None:
    text = (folder / file).read_bytes().decode().replace("\r\n", "\n")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    answer = CliRunner().invoke(check_proofs, [str(folder)])
    assert answer.exit_code == 2
    assert said in answer.output


def test_percent_beside_a_declared_total_and_shares_are_replayed(tmp_path: Path) -> None:
    """A declared total does not change what a percent means; percent and shares of one company are one unit."""
    (tmp_path / "entities.csv").write_text(
        "id,name,kind,total_votes\nA,a,org,\nB,b,org,5000\nC,c,org,1000000\n", encoding="utf-8"
    )
    (tmp_path / "holdings.csv").write_text(
        "holder,company,percent,votes\nA,B,60,\nB,C,,300001\nA,C,20,\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    answer = CliRunner().invoke(identify, [str(tmp_path), "--as-of", "2025-06-30", "--out", str(out), "--json"])
    assert json.loads(answer.stdout)["control_pairs"] == 2
    assert CliRunner().invoke(check_proofs, [str(out)]).output == "2 proofs hold\n"


@pytest.mark.parametrize("options", [["--closure", "transitive"], ["--in-laws", "member"], ["--control", "ultimate"]])
def test_proofs_of_other_readings_hold(tmp_path: Path, options: list[str]) -> None:
    """The wife's sister's husband's company: a chain of links; the son-in-law: an in-law."""
    tables = {
        "entities": "id,name,kind\nA,a,org\nB,b,org\nC,c,org\n" + "".join(f"{p},{p},person\n" for p in "pwfshdx"),
        "holdings": "holder,company,percent\np,A,60\nh,B,60\nx,C,60\n",
        "kin": "a,b,relation\np,w,spouse\nf,w,parent\nf,s,parent\ns,h,spouse\np,d,parent\nd,x,spouse\n",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    answer = CliRunner().invoke(
        identify, [str(tmp_path), "--as-of", "2025-06-30", "--out", str(out), "--json", *options]
    )
    expected = {"transitive": [["A", "B", "C"]], "member": [["A", "C"]], "ultimate": []}[options[1]]
    assert [group["members"] for group in json.loads(answer.stdout)["groups"]] == expected
    assert CliRunner().invoke(check_proofs, [str(out)]).exit_code == 0


def test_bad_rows_as_a_document(tmp_path: Path) -> None:
    (tmp_path / "entities.csv").write_text("id,name,kind\nA,a,org\n", encoding="utf-8")
    (tmp_path / "holdings.csv").write_text("holder,company,percent\nA,Z,101\nA,Z,10\n", encoding="utf-8")
    answer = CliRunner().invoke(identify, [str(tmp_path), "--as-of", "2025-06-30", "--json"])
    assert answer.exit_code == 2
    errors = json.loads(answer.stdout)["errors"]
    assert [(e["line"], e["code"]) for e in errors] == [(2, "PERCENT_RANGE"), (3, "ID_UNKNOWN")]


@pytest.mark.parametrize("text", ["who\np\n", "person\nA\n", "person\nnobody\n", 'person\n"p\n'])
def test_bad_anchors_are_refused(folder: Path, text: str) -> None:
    anchors = folder / "anchors.csv"
    anchors.write_text(text, encoding="utf-8")
    source = str(folder.parent / "in")
    answer = CliRunner().invoke(identify, [source, "--as-of", "2025-06-30", "--anchors", str(anchors)])
    assert answer.exit_code == 2, answer.output


@pytest.mark.parametrize("change", ["holding:q,C", "holding:q,C,x", "holding:q,C,NaN", "holding:Z,C,1", "gift:q,C,1",
                                    "holding:A,p,1", "agreement:q,C,friendship"])  # fmt: skip
def test_a_change_that_means_nothing_is_refused(folder: Path, change: str) -> None:
    source = str(folder.parent / "in")
    answer = CliRunner().invoke(what_if, [source, "--as-of", "2025-06-30", "--change", change])
    assert answer.exit_code == 2, answer.output


def test_what_if_with_an_agreement(folder: Path) -> None:
    answer = CliRunner().invoke(
        what_if,
        [str(folder.parent / "in"), "--as-of", "2025-06-30", "--change", "agreement:A,X,board_majority",
         "--change", "holding:A,C,40"],
    )  # fmt: skip
    assert answer.exit_code == 0
    assert "! HOLDINGS_ABOVE_TOTAL" in answer.output


def test_what_if_shows_both_and_writes_nothing(folder: Path) -> None:
    source = folder.parent / "in"
    before = sorted(path.name for path in source.iterdir())
    answer = CliRunner().invoke(what_if, [str(source), "--as-of", "2025-06-30", "--change", "holding:q,C,4", "--json"])
    assert answer.exit_code == 0
    document = json.loads(answer.stdout)
    assert [group["members"] for group in document["before"]] == [["A", "B", "C"]]
    assert [group["members"] for group in document["after"]] == [["A", "B"]]
    assert sorted(path.name for path in source.iterdir()) == before
