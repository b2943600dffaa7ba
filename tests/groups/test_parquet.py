"""Registers in Parquet: the same groups as from CSV, proofs that the second checker accepts, planted errors found."""

import csv
import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from shouxin.bench.registers import make_register, write_register
from shouxin.cli import cli
from shouxin.domain.evidence import MICRO_PERCENT_WHOLE, Evidence
from shouxin.domain.groups import arrays
from shouxin.groups.policy_settings import settings_from
from shouxin.intake.errors import BadInputError
from shouxin.intake.evidence_out import write_tables
from shouxin.intake.parquet_files import read_register, write_evidence
from shouxin.policy import load_book
from tests.oracle.cases import random_evidence

DAY = dt.date(2025, 6, 30)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def csv_tables(evidence: Evidence, folder: Path) -> None:
    """The evidence of a random case as CSV, holdings in shares."""
    period = ("", "")
    list(
        write_tables(
            {
                "entities": [
                    (e.id, e.name, e.kind.value, "", "", "", int(e.is_customer), "", str(e.total_votes or ""), "", "")
                    for e in evidence.entities.values()
                ],
                "holdings": [(h.holder, h.company, "", str(h.votes), "", *period, "") for h in evidence.holdings],
                "agreements": [(a.controller, a.company, a.kind, *period) for a in evidence.agreements],
                "kin": [(k.a, k.b, k.relation, k.kind, *period) for k in evidence.kin],
            },
            folder,
        )
    )
    if evidence.concert:
        with (folder / "concert.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = [("set_id", "member", "valid_from", "valid_to")]
            csv.writer(stream).writerows([*rows, *((c.set_id, c.member, "", "") for c in evidence.concert)])


def groups_in_csv(folder: Path) -> set[frozenset[str]]:
    members: defaultdict[str, set[str]] = defaultdict(set)
    with (folder / "groups.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["customer"] == "1":
                members[row["group"]].add(row["member"])
    return {frozenset(group) for group in members.values()}


def groups_in_parquet(folder: Path) -> set[frozenset[str]]:
    members: defaultdict[int, set[str]] = defaultdict(set)
    for row in pq.read_table(folder / "groups.parquet").to_pylist():
        members[row["group"]].add(str(row["member"]))
    return {frozenset(group) for group in members.values()}


@pytest.mark.parametrize("seed", range(12))
def test_csv_and_parquet_give_the_same_groups(tmp_path: Path, seed: int) -> None:
    evidence, _anchors = random_evidence(seed)
    csv_tables(evidence, tmp_path / "csv")
    assert run("convert", "parquet", tmp_path / "csv", tmp_path / "parquet").exit_code == 0
    for form in ("csv", "parquet"):
        result = run("identify", tmp_path / form, "--as-of", DAY, "--out", tmp_path / f"{form}_out")
        assert result.exit_code == 0, result.output
    assert groups_in_parquet(tmp_path / "parquet_out") == groups_in_csv(tmp_path / "csv_out")
    checked = run("check-proofs", tmp_path / "parquet_out")
    assert checked.exit_code == 0, checked.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up register of 3,000 holdings with its result beside it."""
    folder = tmp_path_factory.mktemp("made")
    write_register(make_register(3_000), folder / "register")
    result = run("identify", folder / "register", "--as-of", DAY, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder


def test_every_proof_of_a_made_register_holds(made: Path) -> None:
    checked = run("check-proofs", made / "out")
    assert checked.exit_code == 0, checked.output
    assert (
        int(checked.output.split()[0].replace(",", ""))
        == pq.read_table(made / "out" / "control.parquet").num_rows
        > 300
    )


def plant(made: Path, target: Path, table: str, change: Callable[[list[dict[str, Any]]], object]) -> Result:
    """Copy a result, change one table of it and check it."""
    target.mkdir()
    for file in (made / "out").iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    old = pq.read_table(target / f"{table}.parquet")
    rows = old.to_pylist()
    change(rows)
    plain = [pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in old.schema]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(plain)), target / f"{table}.parquet")
    return run("check-proofs", target)


def first_joint(rows: list[dict[str, Any]]) -> int:
    """The first contribution of the first step with two."""
    return next(
        at
        for at in range(1, len(rows))
        if (rows[at - 1]["anchor"], rows[at - 1]["unit_kind"], rows[at - 1]["company"])
        == (rows[at]["anchor"], rows[at]["unit_kind"], rows[at]["company"])
    )


PLANTED: dict[str, tuple[str, Callable[[list[dict[str, Any]]], object], str]] = {
    "votes raised": ("proofs", lambda rows: rows[0].update(votes=rows[0]["votes"] + 1), "votes differ"),
    "total lowered": ("proofs", lambda rows: rows[0].update(total=rows[0]["total"] - 1), "total differs"),
    "a stranger as holder": ("proofs", lambda rows: rows[0].update(holder=10**6), "votes differ"),
    "a contribution left out": ("proofs", lambda rows: rows.pop(first_joint(rows)), "not more than half"),
    "a proof left out": ("proofs", lambda rows: rows.pop(0), "without proof"),
    "a pair left out": ("control", lambda rows: rows.pop(0), "not listed"),
    "a pair invented": (
        "control",
        lambda rows: rows.append({**rows[0], "company": rows[-1]["anchor"]}),
        "without proof",
    ),
    "a member invented": ("groups", lambda rows: rows.append({**rows[0], "member": 999_999}), "member is not proved"),
    "an agreement invented": ("proofs", lambda rows: rows[0].update(votes=None), "no such agreement"),
    "somebody else's unit": ("proofs", lambda rows: rows[0].update(anchor=rows[-1]["anchor"]), ""),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_checker_finds_planted_errors(made: Path, tmp_path: Path, name: str) -> None:
    table, change, words = PLANTED[name]
    result = plant(made, tmp_path / "planted", table, change)
    assert result.exit_code == 2, name
    assert words in result.output


# --- the reader ---------------------------------------------------------------------------------------------------


def write(folder: Path, **tables: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def read(folder: Path, day: dt.date = DAY) -> arrays.Columns:
    return read_register(folder, as_of=day, settings=settings_from(load_book(), day), anchors=None).columns


def test_percent_and_shares_of_one_company_meet_in_one_unit(tmp_path: Path) -> None:
    """25 shares of 100 and 25.000001 % of them: more than half only together, and exactly."""
    folder = write(
        tmp_path,
        entities={"id": ["a", "b", "c"], "kind": ["org"] * 3, "total_votes": [None, None, 100]},
        holdings={
            "holder": ["a", "a"],
            "company": ["c", "b"],
            "votes": pa.array([25, 1], pa.int64()),
            "percent": pa.array([None, None], pa.decimal128(18, 6)),
        },
    )
    columns = read(folder)
    assert columns.votes.sum() == 26
    mixed = write(
        tmp_path / "mixed",
        entities={"id": ["a", "b", "c"], "kind": ["org"] * 3, "total_votes": [None, None, 100]},
        holdings={
            "holder": ["a", "b"],
            "company": ["c", "c"],
            "votes": pa.array([25, None], pa.int64()),
            "percent": pa.array([None, Decimal("25.000001")], pa.decimal128(18, 6)),
        },
    )
    columns = read(mixed)
    assert sorted(columns.votes.tolist()) == [25 * MICRO_PERCENT_WHOLE, 25_000_001 * 100]
    assert columns.declared.max() == 100 * MICRO_PERCENT_WHOLE


def test_only_the_rows_in_force_count(tmp_path: Path) -> None:
    days = [dt.date(2020, 1, 1), dt.date(2025, 6, 30)]
    folder = write(
        tmp_path,
        holdings={"holder": [5, 6], "company": [1, 1], "votes": [51, 60], "valid_from": days,
                  "valid_to": [dt.date(2025, 6, 30), None]},
    )  # fmt: skip
    assert read(folder).holder.tolist() == [6]
    assert read(folder, dt.date(2025, 6, 29)).holder.tolist() == [5]


def test_two_rows_of_one_holder_add_up(tmp_path: Path) -> None:
    folder = write(tmp_path, holdings={"holder": [2, 2, 3], "company": [1, 1, 1], "votes": [30, 30, 40]})
    found = arrays.identify(read(folder), settings_from(load_book(), DAY))
    assert found.units.anchor.tolist() == [2]
    assert found.units.via_votes.tolist() == [60]


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"holdings": {"holder": [1], "votes": [1]}}, "缺少列 company"),
        ({"holdings": {"holder": [1], "company": [2]}}, "votes 或 percent"),
        ({"holdings": {"holder": [1, None], "company": [2, 2], "votes": [1, 1]}}, "第 2 行，列“holder”"),
        ({"holdings": {"holder": [1, 1], "company": [2, 3], "votes": [1, -1]}}, "第 2 行，列“votes”：不能为负数"),
        ({"holdings": {"holder": [1], "company": [2], "votes": ["many"]}}, "须为整数"),
        ({"holdings": {"holder": [1], "company": [2], "percent": [100.5]}}, "须在 0 与 100 之间"),
        ({"holdings": {"holder": ["a"], "company": [2], "votes": [1]}}, "编号的类型不一致"),
        (
            {"holdings": {"holder": [1], "company": [2], "votes": [1]}, "entities": {"id": [1], "kind": ["org"]}},
            "1 个编号不在 entities",
        ),
        (
            {"holdings": {"holder": [1], "company": [2], "votes": [1]},
             "entities": {"id": [1, 2], "kind": ["org", "person"]}},
            "个人被登记为被持股企业",
        ),
        (
            {"holdings": {"holder": [1], "company": [2], "votes": [1]},
             "kin": {"a": [1, 3], "b": [3, 3], "relation": ["parent", "spouse"]}},
            "第 2 行：不能是自己的亲属",
        ),
        (
            {"holdings": {"holder": [1], "company": [2], "votes": [1]},
             "kin": {"a": [1], "b": [3], "relation": ["cousin"]}},
            "须为 parent 或 spouse",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path: Path, tables: dict[str, dict[str, Any]], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        read(write(tmp_path, **tables))


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "holdings.parquet").write_bytes(b"PAR1 not really")
    result = run("identify", tmp_path, "--as-of", DAY)
    assert result.exit_code == 2
    assert "不是 Parquet 文件" in result.output


def test_settings_for_the_engine_on_objects_are_refused_in_words(made: Path) -> None:
    result = run("identify", made / "register", "--as-of", DAY, "--closure", "transitive")
    assert result.exit_code == 2
    assert "CSV" in result.output


def test_a_checked_folder_written_from_memory_reads_the_same(tmp_path: Path) -> None:
    evidence, _ = random_evidence(3)
    assert dict(write_evidence(evidence, tmp_path))["holdings"] == len(evidence.holdings)
    columns = read(tmp_path)
    assert columns.votes.sum() == sum(h.votes for h in evidence.holdings)
    assert int(np.sum(columns.is_person)) == sum(e.kind.value == "person" for e in evidence.entities.values())
