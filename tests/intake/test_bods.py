"""Ownership statements become dated holdings, agreements and posts; what cannot be certain is counted, not guessed."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shouxin.groups.commands import identify
from shouxin.intake.convert_commands import convert
from shouxin.intake.evidence_files import read_evidence

DAY = dt.date(2025, 6, 30)


def entity(key: str, form: str = "registeredEntity") -> dict[str, Any]:
    return {"recordType": "entity", "recordId": key, "recordDetails": {"name": key, "entityType": {"type": form}}}


def person(key: str) -> dict[str, Any]:
    names = [{"type": "alternative", "fullName": "x"}, {"type": "legal", "fullName": key}]
    return {"recordType": "person", "recordId": key, "recordDetails": {"names": names}}


def link(key: str, party: Any, subject: str, *interests: dict[str, Any], **more: str) -> dict[str, Any]:
    details = {"subject": subject, "interestedParty": party, "interests": list(interests)}
    return {
        "recordType": "relationship",
        "recordId": key,
        "statementDate": "2020-01-01",
        "recordDetails": details,
        **more,
    }


def interest(kind: str = "shareholding", start: str = "2020-01-01", **more: Any) -> dict[str, Any]:
    return {"type": kind, "directOrIndirect": "direct", "startDate": start, **more}


def run(tmp_path: Path, statements: Any, name: str = "in.json") -> tuple[Any, Path]:
    source, out = tmp_path / name, tmp_path / "out"
    source.write_text(statements if isinstance(statements, str) else json.dumps(statements), encoding="utf-8")
    return CliRunner().invoke(convert, ["bods", str(source), str(out), "--json"]), out


@pytest.mark.parametrize(
    ("share", "votes"),
    [
        ({"exact": 50}, 50_000_000),
        ({"exclusiveMinimum": 50, "maximum": 75}, 50_000_001),
        ({"minimum": 25, "exclusiveMaximum": 50}, 25_000_000),
        ({"minimum": 50, "exclusiveMinimum": True}, 50_000_001),
        ({"exact": 33.33333399}, 33_333_333),
    ],
)
def test_only_what_is_certain_counts(tmp_path: Path, share: dict[str, Any], votes: int) -> None:
    answer, out = run(tmp_path, [entity("A"), person("p"), link("r", "p", "A", interest(share=share))])
    assert answer.exit_code == 0, answer.output
    (holding,) = read_evidence(out)[0].holdings
    assert (holding.holder, holding.company, holding.votes) == ("p", "A", votes)


def test_votes_before_shares_and_cash_beside(tmp_path: Path) -> None:
    shares, votes = interest(share={"exact": 20}), interest("votingRights", share={"exact": 60})
    _, out = run(tmp_path, [entity("A"), entity("B"), link("r", "B", "A", shares, votes)])
    (holding,) = read_evidence(out)[0].holdings
    assert (holding.votes, holding.cash_micro_percent) == (60_000_000, 20_000_000)


def test_board_contract_posts_and_what_is_left_out(tmp_path: Path) -> None:
    rows = [
        interest("appointmentOfBoard"), interest("rightsGrantedByContract"), interest("boardChair"),
        interest("otherInfluenceOrControl"), interest(directOrIndirect="indirect", share={"exact": 100}),
    ]  # fmt: skip
    answer, out = run(
        tmp_path, [entity("A"), person("p"), link("r", "p", "A", *rows), link("s", {"reason": "unknown"}, "A", rows[0])]
    )
    evidence, _ = read_evidence(out)
    assert {a.kind for a in evidence.agreements} == {"board_majority", "contract"}
    assert [p.post for p in evidence.posts] == ["董事长"]
    assert evidence.holdings == ()
    left_out = {"indirect": 1, "otherInfluenceOrControl": 1, "unnamed or unknown party": 1}
    assert json.loads(answer.stdout)["left_out"] == left_out


def test_versions_of_a_record_follow_one_another(tmp_path: Path) -> None:
    """100 % from 2002, 40 % from 2021, sold in 2023: on each day one figure."""
    base = [entity("A"), person("p")]
    versions = [
        link("r", "p", "A", interest(start="2002-01-01", share={"exact": 100}), statementDate="2002-02-01"),
        link("r", "p", "A", interest(start="2021-01-01", share={"exact": 40}), statementDate="2021-02-01"),
        link("r", "p", "A", interest(start="2021-01-01", share={"exact": 40}), statementDate="2023-03-01",
             recordStatus="closed"),
    ]  # fmt: skip
    _, out = run(tmp_path, base + versions)
    held = {}
    for year in (2001, 2020, 2022, 2024):
        register = read_evidence(out)[0].on(dt.date(year, 6, 30))
        held[year] = sum(register.votes_of.get("A", {}).values()) // 1_000_000
    assert held == {2001: 0, 2020: 100, 2022: 40, 2024: 0}


def test_the_older_form_and_json_lines(tmp_path: Path) -> None:
    old = [
        {"statementType": "entityStatement", "statementID": "A", "name": "A", "entityType": "registeredEntity"},
        {"statementType": "personStatement", "statementID": "p", "names": [{"fullName": "P"}]},
        {"statementType": "ownershipOrControlStatement", "statementID": "r", "statementDate": "2020-01-01",
         "subject": {"describedByEntityStatement": "A"}, "interestedParty": {"describedByPersonStatement": "p"},
         "interests": [{"type": "voting-rights", "share": {"exact": 51}}]},
    ]  # fmt: skip
    _, out = run(tmp_path, "\n".join(json.dumps(row) for row in old), "in.jsonl")
    assert read_evidence(out)[0].holdings[0].votes == 51_000_000


@pytest.mark.parametrize("text", ["{", "[1]", '{"name": "x"}', '[{"recordType": "pet"}]'])
def test_what_is_no_statement_is_said_and_nothing_written(tmp_path: Path, text: str) -> None:
    answer, out = run(tmp_path, text)
    assert (answer.exit_code, out.exists()) == (2, False), answer.output


@pytest.mark.skipif("SHOUXIN_TEST_DATA" not in os.environ, reason="SHOUXIN_TEST_DATA names no folder of public data")
def test_the_published_examples_are_read(tmp_path: Path) -> None:
    files = sorted((Path(os.environ["SHOUXIN_TEST_DATA"]) / "bods_examples").glob("*.json"))
    assert files
    for file in files:
        out = tmp_path / file.stem
        assert CliRunner().invoke(convert, ["bods", str(file), str(out)]).exit_code == 0, file.name
        answer = CliRunner().invoke(identify, [str(out), "--as-of", DAY.isoformat()])
        assert answer.exit_code == 0, (file.name, answer.output)
