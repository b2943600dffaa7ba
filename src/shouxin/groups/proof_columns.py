"""Replay the proofs of a Parquet result with joins over the evidence: nothing of the engine is used or believed.

For every contribution: its votes are those of the evidence, its holder is in the unit or was proved in an earlier step.
For every step: the total is the larger of the declared and the known votes, and the contributions pass half of it. The
control table holds what is proved and nothing else, and every member of a group is proved or is the unit itself.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

UNIT = ["unit_kind", "anchor"]
WHOLE = 100_000_000


class ProofColumnsError(Exception):
    """A proof that does not hold; the text says which and why."""


def check_proofs(result: Path, evidence: Path, about: Mapping[str, Any]) -> int:
    """Check every step; gives the number of proved companies.

    Raises:
        ProofColumnsError: the first thing that does not hold.
    """
    as_of = dt.date.fromisoformat(about["as_of"])
    proofs = _texts(pq.read_table(result / "proofs.parquet"), ("unit_kind", "anchor", "company", "holder"))
    holdings, totals = _votes(evidence, as_of)
    _check_votes(proofs, holdings, _agreements(evidence, as_of))
    steps = proofs.group_by([*UNIT, "step", "company", "total"]).aggregate(
        [("votes", "sum"), ("votes", "count"), ("holder", "count"), ("holder", "count_distinct")]
    )
    _check_steps(steps, totals)
    _check_holders(proofs, steps, _Families(evidence, as_of, about), _concert(evidence, as_of))
    _check_result(result, steps)
    return int(steps.num_rows)


def _fail_on(rows: pa.Table, what: str) -> None:
    if rows.num_rows:
        raise ProofColumnsError(f"{what}: {rows.slice(0, 1).to_pylist()[0]}")


def _texts(table: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """Ids as texts, so that files with numbers and files with texts compare alike."""
    for name in columns:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pc.cast(table[name], pa.string()))
    return table


def _in_force(folder: Path, name: str, as_of: dt.date) -> pa.Table | None:
    file = folder / f"{name}.parquet"
    if not file.is_file():
        return None
    table = pq.read_table(file)
    for column, holds in (("valid_from", pc.less_equal), ("valid_to", pc.greater)):
        if column in table.column_names and table[column].null_count < table.num_rows:
            days = pc.cast(table[column], pa.date32())
            table = table.filter(pc.or_kleene(pc.is_null(days), holds(days, pa.scalar(as_of))))
    return table


def _votes(evidence: Path, as_of: dt.date) -> tuple[pa.Table, pa.Table]:
    """Votes by (holder, company), own shares left out, and the total of each company, in one unit a company."""
    table = _in_force(evidence, "holdings", as_of)
    if table is None:
        raise ProofColumnsError(f"{evidence}: no holdings.parquet")
    table = _texts(table, ("holder", "company"))
    shares = (
        pc.fill_null(table["votes"], 0)
        if "votes" in table.column_names
        else pa.nulls(table.num_rows, pa.int64()).fill_null(0)
    )
    is_share = pc.is_valid(table["votes"]) if "votes" in table.column_names else pa.array([False] * table.num_rows)
    if "percent" in table.column_names:
        percent = pc.cast(pc.fill_null(table["percent"], 0), pa.decimal128(18, 6))
        micro = pc.cast(pc.multiply(percent, pa.scalar(Decimal(1_000_000))), pa.int64())
        is_share = pc.and_(is_share, pc.is_null(table["percent"]))
    else:
        micro = pa.nulls(table.num_rows, pa.int64()).fill_null(0)
    rows = pa.table({"holder": table["holder"], "company": table["company"], "shares": pc.cast(shares, pa.int64()),
                     "micro": micro, "is_share": is_share})  # fmt: skip
    of_company = rows.group_by("company").aggregate([("is_share", "any"), ("is_share", "all"), ("shares", "sum")])
    of_company = of_company.join(_declared(evidence), "company")
    declared = pc.fill_null(of_company["declared"], 0)
    whole = pc.if_else(pc.greater(declared, 0), declared, of_company["shares_sum"])
    is_mixed = pc.and_(of_company["is_share_any"], pc.invert(of_company["is_share_all"]))
    of_company = pa.table({
        "company": of_company["company"],
        "share_factor": pc.if_else(is_mixed, WHOLE, pc.if_else(of_company["is_share_all"], 1, 0)),
        "micro_factor": pc.if_else(is_mixed, whole, pc.if_else(of_company["is_share_all"], 0, 1)),
        "stated": pc.if_else(is_mixed, pc.multiply_checked(pc.if_else(is_mixed, whole, 0), WHOLE),
                             pc.if_else(of_company["is_share_all"], declared, WHOLE)),
    })  # fmt: skip
    rows = rows.join(of_company, "company")
    votes = pc.add_checked(
        pc.multiply_checked(rows["shares"], rows["share_factor"]),
        pc.multiply_checked(rows["micro"], rows["micro_factor"]),
    )
    rows = rows.append_column("votes", votes)
    known = rows.group_by(["company", "stated"]).aggregate([("votes", "sum")])
    total = pc.max_element_wise(known["stated"], known["votes_sum"])
    totals = pa.table({"company": known["company"], "true_total": total})
    others = rows.filter(pc.not_equal(rows["holder"], rows["company"]))
    held = others.group_by(["holder", "company"]).aggregate([("votes", "sum")])
    return held.rename_columns(["holder", "company", "true_votes"]), totals


def _declared(evidence: Path) -> pa.Table:
    file = evidence / "entities.parquet"
    table = pq.read_table(file) if file.is_file() else pa.table({"id": pa.array([], pa.string())})
    if "total_votes" not in table.column_names:
        return pa.table({"company": pa.array([], pa.string()), "declared": pa.array([], pa.int64())})
    return pa.table(
        {"company": pc.cast(table["id"], pa.string()), "declared": pc.cast(table["total_votes"], pa.int64())}
    )


def _agreements(evidence: Path, as_of: dt.date) -> pa.Table:
    table = _in_force(evidence, "agreements", as_of)
    if table is None:
        return pa.table({"holder": pa.array([], pa.string()), "company": pa.array([], pa.string())})
    table = _texts(table, ("controller", "company"))
    return (
        pa.table({"holder": table["controller"], "company": table["company"]})
        .group_by(["holder", "company"])
        .aggregate([])
    )


def _check_votes(proofs: pa.Table, holdings: pa.Table, agreements: pa.Table) -> None:
    _fail_on(proofs.filter(pc.equal(proofs["holder"], proofs["company"])), "a company holds itself")
    by_votes = proofs.filter(pc.is_valid(proofs["votes"])).join(holdings, ["holder", "company"])
    wrong = pc.not_equal(by_votes["votes"], pc.fill_null(by_votes["true_votes"], -1))
    _fail_on(by_votes.filter(wrong), "votes differ from the evidence")
    by_agreement = proofs.filter(pc.is_null(proofs["votes"]))
    _fail_on(by_agreement.join(agreements, ["holder", "company"], join_type="left anti"), "no such agreement")


def _check_steps(steps: pa.Table, totals: pa.Table) -> None:
    once = steps.group_by([*UNIT, "company"]).aggregate([("step", "count")])
    _fail_on(once.filter(pc.greater(once["step_count"], 1)), "proved twice")
    _fail_on(steps.filter(pc.not_equal(steps["holder_count"], steps["holder_count_distinct"])), "a holder counts twice")
    by_votes = steps.filter(pc.greater(steps["votes_count"], 0)).join(totals, "company")
    _fail_on(by_votes.filter(pc.less(by_votes["votes_count"], by_votes["holder_count"])), "votes beside an agreement")
    _fail_on(by_votes.filter(pc.not_equal(by_votes["total"], by_votes["true_total"])), "the total differs")
    short = pc.less_equal(by_votes["votes_sum"], pc.subtract(by_votes["total"], by_votes["votes_sum"]))
    _fail_on(by_votes.filter(short), "not more than half")
    alone = steps.filter(pc.equal(steps["votes_count"], 0))
    _fail_on(alone.filter(pc.greater(alone["holder_count"], 1)), "more than one agreement in a step")


def _check_holders(proofs: pa.Table, steps: pa.Table, families: "_Families", concert: pa.Table) -> None:
    """Every holder is in the unit or proved before; no unit controls its own members."""
    earlier = pa.table({**{name: steps[name] for name in UNIT}, "holder": steps["company"], "proved_at": steps["step"]})
    rows = proofs.join(earlier, [*UNIT, "holder"])
    is_proved = pc.fill_null(pc.less(rows["proved_at"], rows["step"]), False)
    is_anchor = pc.and_(pc.equal(rows["holder"], rows["anchor"]), pc.not_equal(rows["unit_kind"], "concert"))
    rest = rows.filter(pc.invert(pc.or_(is_proved, is_anchor)))
    _fail_on(rest.filter(pc.equal(rest["unit_kind"], "one")), "neither the unit nor proved before")
    in_set = rest.filter(pc.equal(rest["unit_kind"], "concert"))
    _fail_on(in_set.join(concert, ["anchor", "holder"], join_type="left anti"), "not in the concert set")
    family = rest.filter(pc.equal(rest["unit_kind"], "family")).group_by(["anchor", "holder"]).aggregate([])
    for anchor, holder in zip(family["anchor"].to_pylist(), family["holder"].to_pylist(), strict=True):
        if not families.is_near(anchor, holder):
            raise ProofColumnsError(f"{holder} is no living near relative of {anchor}")
    _fail_on(
        steps.filter(pc.and_(pc.equal(steps["company"], steps["anchor"]), pc.not_equal(steps["unit_kind"], "concert"))),
        "a unit does not control itself",
    )


def _concert(evidence: Path, as_of: dt.date) -> pa.Table:
    table = _in_force(evidence, "concert", as_of)
    if table is None:
        return pa.table({"anchor": pa.array([], pa.string()), "holder": pa.array([], pa.string())})
    table = _texts(table, ("set_id", "member"))
    return pa.table({"anchor": table["set_id"], "holder": table["member"]})


class _Families:
    """Near relatives by walking parent and spouse links, one pair at a time."""

    def __init__(self, evidence: Path, as_of: dt.date, about: Mapping[str, Any]) -> None:
        self._lineal, self._collateral = about["lineal_generations"], about["collateral_generations"]
        self._with_spouse = about["include_spouse"]
        self._parents: dict[str, set[str]] = {}
        self._spouses: set[tuple[str, str]] = set()
        kin = _in_force(evidence, "kin", as_of)
        if kin is not None:
            kin = _texts(kin, ("a", "b", "relation"))
            for row in kin.select(["a", "b", "relation"]).to_pylist():
                if row["relation"] == "parent":
                    self._parents.setdefault(row["b"], set()).add(row["a"])
                else:
                    self._spouses |= {(row["a"], row["b"]), (row["b"], row["a"])}
        self._dead = self._dead_on(evidence, as_of)

    @staticmethod
    def _dead_on(evidence: Path, as_of: dt.date) -> set[str]:
        file = evidence / "entities.parquet"
        table = pq.read_table(file) if file.is_file() else pa.table({})
        if "died" not in table.column_names:
            return set()
        gone = table.filter(pc.less_equal(pc.cast(table["died"], pa.date32()), pa.scalar(as_of)))
        return set(pc.cast(gone["id"], pa.string()).to_pylist())

    def _ancestors(self, person: str, steps: int) -> dict[str, set[int]]:
        """Ancestors and the person, with the distances at which they are reached."""
        found: dict[str, set[int]] = {person: {0}}
        edge = {person}
        for distance in range(1, steps + 1):
            edge = {parent for child in edge for parent in self._parents.get(child, ())}
            for parent in edge:
                found.setdefault(parent, set()).add(distance)
        return found

    def is_near(self, anchor: str, person: str) -> bool:
        """Spouse, lineal within the generations, or collateral by a common ancestor within its generations."""
        if person in self._dead:
            return False
        if self._with_spouse and (anchor, person) in self._spouses:
            return True
        reach = max(self._lineal, self._collateral) - 1
        mine, theirs = self._ancestors(anchor, reach), self._ancestors(person, reach)
        return any(
            (0 in (up, down) and up + down < self._lineal) or (up and down and max(up, down) < self._collateral)
            for common in mine.keys() & theirs.keys()
            for up in mine[common]
            for down in theirs[common]
        )


def _check_result(result: Path, steps: pa.Table) -> None:
    control = _texts(pq.read_table(result / "control.parquet"), ("unit_kind", "anchor", "company"))
    keys = [*UNIT, "company"]
    _fail_on(control.join(steps, keys, join_type="left anti"), "control without proof")
    _fail_on(steps.join(control, keys, join_type="left anti"), "proved and not listed")
    groups = _texts(pq.read_table(result / "groups.parquet"), ("unit_kind", "anchor", "member"))
    groups = groups.rename_columns(["company" if name == "member" else name for name in groups.column_names])
    rest = groups.join(steps, keys, join_type="left anti")
    _fail_on(
        rest.filter(pc.and_(pc.not_equal(rest["company"], rest["anchor"]), pc.not_equal(rest["unit_kind"], "concert"))),
        "a group's member is not proved",
    )
