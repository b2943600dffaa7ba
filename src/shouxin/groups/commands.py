"""``identify``, ``check-proofs`` and ``what-if``: the group engine on files, without a database."""

import csv
import datetime as dt
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from shouxin.domain.evidence import Agreement, Entity, EntityKind, Evidence, Holding, Register
from shouxin.domain.groups import Determination, GroupSettings
from shouxin.domain.groups import identify as run
from shouxin.domain.groups.control import Step
from shouxin.domain.groups.determination import Star
from shouxin.domain.groups.lookthrough import closed_ring_text, direct_shares, look_through, percent_of
from shouxin.domain.groups.sentences import AGREEMENTS, sentence
from shouxin.domain.proof_check import ProofChecker, ProofError, ProofRules
from shouxin.groups.policy_settings import settings_from
from shouxin.intake.errors import BadInputError
from shouxin.intake.evidence_files import EvidenceError, read_csv, read_evidence
from shouxin.intake.parquet_marker import is_parquet
from shouxin.policy import load_book

CONTROL_HEADER = ("unit", "unit_kind", "anchor", "company")
GROUPS_HEADER = ("group", "anchor", "member", "basis", "customer", "ultimate")
LOOK_THROUGH_HEADER = ("company", "owner", "share_percent", "is_person", "beneficial")
FINDINGS_HEADER = ("code", "severity", "subject", "message")


class _Percent(click.ParamType[Decimal]):
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value} is not a number", param, ctx)
        if not number.is_finite() or not 0 <= number < 100:
            self.fail(f"{value} is not between 0 and 100", param, ctx)
        return number


class _Day(click.ParamType[dt.date]):
    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is not a date like 2025-06-30", param, ctx)


def _today() -> str:
    return dt.datetime.now(dt.UTC).astimezone().date().isoformat()


def _common(command: Any) -> Any:
    """The options that identify and what-if share; what is not given comes from the policy of the day."""
    options = (
        click.option("--control-over", type=_Percent(), help="Votes above this percentage control."),
        click.option("--closure", type=click.Choice(["anchor", "transitive"]), help="Families per anchor or chained."),
        click.option("--in-laws", type=click.Choice(["candidate", "member"]), help="In-laws as candidates or members."),
        click.option("--anchors", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="CSV with a column `person`: these anchors instead of those by parameter."),
        click.option("--non-linking", type=click.Choice(["policy", "none"]), default="policy", show_default=True,
                     help="Government bodies, custodians and nominees that never link by holding: those of the "
                     "policy, or none (for comparison only)."),
        click.option("--skip-bad-rows", is_flag=True, help="Report bad rows and go on without them."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("source", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--as-of", type=_Day(), required=True, help="The day to look at, like 2025-06-30.")
@_common
@click.option("--control", type=click.Choice(["all", "ultimate"]), default="all", show_default=True,
              help="Every control pair, or ultimate controllers only (for big registers).")  # fmt: skip
@click.option("--look-through", "with_shares", is_flag=True,
              help="Also lookthrough.csv: who owns the customers in the end, through all paths.")  # fmt: skip
@click.option(
    "--spark",
    "with_spark",
    is_flag=True,
    help="Read a Parquet register with Spark, for one that outgrows this machine (shouxin[spark], Java).",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write; the folder is made.")
def identify(
    source: Path, as_of: dt.date, control: str, with_shares: bool, out: Path | None, as_json: bool, **options: Any
) -> None:
    """Find the group customers in the evidence tables of DIR, with a proof of each membership.

    Writes control.csv, groups.csv, proofs.jsonl and findings.csv to --out. Needs no database. When DIR holds
    holdings.parquet, the engine on arrays is used: ultimate controllers only, and the result is Parquet too.
    """
    if with_shares and (out is None or is_parquet(source)):
        raise BadInputError("--look-through 需要 --out，并且只用于 CSV 或工作簿形式的证据表")
    if options["with_spark"] and not is_parquet(source):
        raise BadInputError("--spark 只用于 Parquet 形式的登记簿")
    if is_parquet(source):
        from shouxin.groups.array_commands import identify_parquet

        identify_parquet(source, as_of=as_of, out=out, as_json=as_json, options=options)
        return
    evidence, settings, anchors = _prepare(source, as_of, options, as_json=as_json)
    is_ultimate = control == "ultimate"
    found = run(evidence, as_of=as_of, settings=settings, anchors=anchors, only_ultimate=is_ultimate)
    _say(f"{len(found.stars)} controlling units, {len(found.groups)} groups of two or more customers")
    if out is not None:
        _write(found, settings, as_of, source, out, has_whole_proofs=is_ultimate)
        if with_shares:
            _write_look_through(out, evidence, found.register)
    summary = _summary(found, as_of)
    if as_json:
        click.echo(json.dumps(summary | {"groups": _groups_json(found)}, ensure_ascii=False, indent=1))
    else:
        for name, value in summary.items():
            click.echo(f"{name}: {value}")


@click.command("check-proofs")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--evidence", type=click.Path(exists=True, path_type=Path), help="The evidence, when it is not in DIR.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def check_proofs(folder: Path, evidence: Path | None, as_json: bool) -> None:
    """Replay every proof in DIR (written by identify --out) with a checker that shares nothing with the engine."""
    if (folder / "proofs.parquet").is_file():
        from shouxin.groups.array_commands import check_parquet

        count = check_parquet(folder, evidence)
    else:
        count = _check_lines(folder, evidence)
    click.echo(json.dumps({"proofs_hold": count}) if as_json else f"{count:,} proofs hold")


def _check_lines(folder: Path, evidence: Path | None) -> int:
    """Replay the proofs of a result in CSV and JSON lines; gives their number.

    Raises:
        BadInputError: no such result, or the first proof that does not hold.
    """
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        lines = (folder / "proofs.jsonl").read_text(encoding="utf-8").splitlines()
        control = [(row["unit"], row["company"]) for row in _rows_of(folder / "control.csv")]
        groups = [(row["group"], row["anchor"], row["member"]) for row in _rows_of(folder / "groups.csv")]
        rules, as_of = _rules_of(about), dt.date.fromisoformat(about["as_of"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise BadInputError(f"{folder}: not the output of identify --out: {error!r}") from error
    beside = next((path for path in (folder / "evidence", folder / "evidence.xlsx") if path.exists()), folder)
    facts, _ = _read(evidence or beside, skip_bad_rows=True)
    checker = ProofChecker(facts, as_of=as_of, rules=rules)
    proofs = []
    for number, line in enumerate(lines, start=1):
        try:
            proofs.append(json.loads(line))
            checker.check(proofs[-1])
        except (ProofError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise BadInputError(f"proofs.jsonl line {number} does not hold: {error}") from error
    try:
        checker.check_result(proofs, control, groups)
    except ProofError as error:
        raise BadInputError(str(error)) from error
    return len(lines)


def _rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _rules_of(about: Mapping[str, Any]) -> ProofRules:
    return ProofRules(control_percent=Decimal(about["control_over"]), **about["rules"])


@click.command("what-if")
@click.argument("source", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--as-of", type=_Day(), default=_today, show_default="today", help="The day to look at.")
@click.option("--change", "changes", multiple=True, required=True,
              help='"holding:HOLDER,COMPANY,PERCENT": then HOLDER has PERCENT of the votes of COMPANY. '
              '"agreement:CONTROLLER,COMPANY,KIND": then there is that agreement.')  # fmt: skip
@_common
def what_if(source: Path, as_of: dt.date, changes: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Show the groups before and after some changes of holdings or agreements; nothing is written."""
    evidence, settings, anchors = _prepare(source, as_of, options, as_json=as_json)
    changed = evidence
    for change in changes:
        changed = _apply(changed, change)
    before = run(evidence, as_of=as_of, settings=settings, anchors=anchors)
    after = run(changed, as_of=as_of, settings=settings, anchors=anchors)
    new = [finding for finding in after.suspicions if finding not in set(before.suspicions)]
    answer = {
        "before": _groups_json(before),
        "after": _groups_json(after),
        "new_findings": [asdict(finding) for finding in new],
    }
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    earlier = {frozenset(group["members"]) for group in answer["before"]}
    later = {frozenset(group["members"]) for group in answer["after"]}
    names = changed.entities
    for mark, groups in (("=", earlier & later), ("-", earlier - later), ("+", later - earlier)):
        for group in sorted(groups, key=lambda members: (-len(members), sorted(members))):
            click.echo(f"{mark} {'、'.join(names[member].name for member in sorted(group))}")
    for finding in new:
        click.echo(f"! {finding.code} {finding.message}")


# --- in ------------------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    click.echo(text, err=True)


def _read(source: Path, *, skip_bad_rows: bool, as_json: bool = False) -> tuple[Evidence, int]:
    try:
        evidence, skipped = read_evidence(source, skip_bad_rows=skip_bad_rows)
    except EvidenceError as error:
        raise _refusal(error, as_json=as_json) from error
    for row in skipped:
        _say(str(row))
    return evidence, len(skipped)


def _refusal(error: EvidenceError, *, as_json: bool = False) -> BadInputError:
    """Every bad row, on standard error or as one document."""
    if as_json:
        click.echo(json.dumps({"errors": [asdict(row) for row in error.errors]}, ensure_ascii=False, indent=1))
    else:
        _say("\n".join(map(str, error.errors)))
    return BadInputError(f"{len(error.errors)} 处有误，没有写出任何内容。改正后重试，或加 --skip-bad-rows。")


def _prepare(
    source: Path, as_of: dt.date, options: Mapping[str, Any], *, as_json: bool
) -> tuple[Evidence, GroupSettings, list[str] | None]:
    evidence, skipped = _read(source, skip_bad_rows=options["skip_bad_rows"], as_json=as_json)
    _say(
        f"{len(evidence.entities):,} entities, {len(evidence.holdings):,} holdings read"
        + (f", {skipped} bad rows skipped" if skipped else "")
    )
    return _with_customers(evidence), settings_of(as_of, options), _anchors(options["anchors"], evidence)


def settings_of(as_of: dt.date, options: Mapping[str, Any]) -> GroupSettings:
    """The settings of the policy of a day, with what the options of the command replace."""
    settings = settings_from(load_book(), as_of)
    if options["control_over"] is not None:
        settings = replace(settings, control_percent=options["control_over"])
    if options["closure"] is not None:
        settings = replace(settings, is_transitive=options["closure"] == "transitive")
    if options["in_laws"] is not None:
        settings = replace(settings, in_laws_are_members=options["in_laws"] == "member")
    if options["non_linking"] == "none":
        settings = replace(settings, non_linking_natures=(), non_linking_names=())
    return settings


def _with_customers(evidence: Evidence) -> Evidence:
    """Where no entity is marked as a customer, every organisation counts as one: a register has no customers."""
    if any(entity.is_customer for entity in evidence.entities.values()):
        return evidence
    marked: dict[str, Entity] = {
        key: replace(entity, is_customer=True) if entity.kind is EntityKind.ORGANISATION else entity
        for key, entity in evidence.entities.items()
    }
    return replace(evidence, entities=marked)


def _anchors(file: Path | None, evidence: Evidence) -> list[str] | None:
    if file is None:
        return None
    persons = persons_in(file)
    people = {entity.id for entity in evidence.entities.values() if entity.kind is EntityKind.PERSON}
    unknown = [person for person in persons if person not in people]
    if unknown:
        raise BadInputError(f"{file.name}: 编号 {'、'.join(unknown[:10])} 不是 entities 中的个人")
    return sorted(set(persons))


def persons_in(file: Path) -> list[str]:
    """The column ``person`` of an anchors file."""
    try:
        raw = read_csv(file)
    except EvidenceError as error:
        raise _refusal(error) from error
    if "person" not in raw.header:
        raise BadInputError(f"{file.name}: 缺少列 person")
    place = raw.header.index("person")
    return [cells[place].strip() for _line, cells in raw.rows if len(cells) > place]


def _apply(evidence: Evidence, change: str) -> Evidence:
    kind, _, rest = change.partition(":")
    parts = [part.strip() for part in rest.split(",")]
    if kind not in ("holding", "agreement") or len(parts) != 3:
        form = "holding:HOLDER,COMPANY,PERCENT or agreement:CONTROLLER,COMPANY,KIND"
        raise BadInputError(f"--change {change}: write it as {form}")
    holder, company, value = parts
    for entity in (holder, company):
        if entity not in evidence.entities:
            raise BadInputError(f"--change {change}: 编号 {entity} 不在 entities 中")
    if evidence.entities[company].kind is EntityKind.PERSON:
        raise BadInputError(f"--change {change}: {company} 是个人，不能被持股或控制")
    if kind == "agreement":
        if value not in AGREEMENTS:
            raise BadInputError(f"--change {change}: {value} 不在 {'、'.join(AGREEMENTS)} 之中")
        added = Agreement(controller=holder, company=company, kind=value)
        return replace(evidence, agreements=(*evidence.agreements, added))
    votes = _micro_percent(change, value)
    kept = tuple(row for row in evidence.holdings if (row.holder, row.company) != (holder, company))
    return replace(evidence, holdings=(*kept, Holding(holder=holder, company=company, votes=votes)))


def _micro_percent(change: str, percent: str) -> int:
    try:
        votes = Decimal(percent) * 1_000_000
    except InvalidOperation as error:
        raise BadInputError(f"--change {change}: {percent} 不是数字") from error
    if not votes.is_finite() or not 0 <= votes <= 100_000_000:
        raise BadInputError(f"--change {change}: {percent} 须在 0 与 100 之间")
    return int(votes)


# --- out -----------------------------------------------------------------------------------------------------------


def _summary(found: Determination, as_of: dt.date) -> dict[str, Any]:
    largest = max((len(group.customers) for group in found.groups), default=0)
    pairs = {(holder, company) for star in found.stars if star.unit.kind == "one"
             for holder in star.unit.members for company in star.steps}  # fmt: skip
    return {
        "as_of": as_of.isoformat(),
        "control_pairs": len(pairs),
        "groups_found": len(found.groups),
        "largest_group": largest,
        "overlaps": len(found.overlaps),
        "findings": len(found.suspicions),
    }


def _groups_json(found: Determination) -> list[dict[str, Any]]:
    return [
        {
            "group": group.label,
            "anchor": group.star.unit.anchor,
            "members": sorted(group.customers),
            "basis": group.members[0].basis,
        }
        for group in found.groups
    ]


def _write(
    found: Determination, settings: GroupSettings, as_of: dt.date, source: Path, out: Path, *, has_whole_proofs: bool
) -> None:
    """Write the result files. A whole proof is one line with all steps of a unit, instead of one line a company."""
    out.mkdir(parents=True, exist_ok=True)
    control = [
        (star.unit.id, star.unit.kind, star.unit.anchor, company)
        for star in found.stars
        for company in sorted(star.steps)
    ]
    _write_csv(out / "control.csv", CONTROL_HEADER, sorted(control))
    rows = [
        (group.label, group.star.unit.anchor, m.company, m.basis, int(m.is_customer), m.ultimate)
        for group in found.groups
        for m in group.members
    ]
    _write_csv(out / "groups.csv", GROUPS_HEADER, rows)
    findings = [(s.code, s.severity, s.subject, s.message) for s in found.suspicions]
    findings += [
        ("OVERLAP", "warn", f"{o.first}/{o.second}", "合并认定：共有成员 " + "、".join(o.shared))
        for o in found.overlaps
    ]
    _write_csv(out / "findings.csv", FINDINGS_HEADER, findings)
    with (out / "proofs.jsonl").open("w", encoding="utf-8") as stream:
        for star in found.stars:
            for company in [list(star.steps)[-1]] if has_whole_proofs else sorted(star.steps):
                steps = tuple(star.steps.values()) if has_whole_proofs else star.proof(company)
                proof = _proof(found, star, company, steps, settings)
                stream.write(json.dumps(proof, ensure_ascii=False) + "\n")
    (out / "run.json").write_text(json.dumps(_about(found, settings, as_of), ensure_ascii=False), encoding="utf-8")
    _copy_evidence(source, out / "evidence")
    _say(f"control.csv ({len(control):,} pairs), groups.csv, proofs.jsonl, findings.csv written to {out}")


def _write_look_through(out: Path, evidence: Evidence, register: Register) -> None:
    """Everybody's final share in each customer; closed rings that nobody owns go to the findings."""
    shares = direct_shares(evidence, register)
    line = load_book().decimal("owner.beneficial_pct", register.day)
    rows: list[tuple[object, ...]] = []
    rings: set[tuple[str, ...]] = set()
    for company in sorted(filter(register.is_customer, register.entities)):
        found = look_through(company, shares)
        rings.update(found.singular_rings)
        for owner, share in sorted(found.share_of.items(), key=lambda row: (-row[1], row[0])):
            is_beneficial = register.is_person(owner) and share * 100 >= Fraction(line)
            rows.append((company, owner, percent_of(share), int(register.is_person(owner)), int(is_beneficial)))
    _write_csv(out / "lookthrough.csv", LOOK_THROUGH_HEADER, rows)
    with (out / "findings.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(
            ("LOOK_THROUGH_RING", "warn", ring[0], closed_ring_text(ring, register)) for ring in sorted(rings)
        )
    _say(f"lookthrough.csv ({len(rows):,} shares, {len(rings)} closed rings)")


def _about(found: Determination, settings: GroupSettings, as_of: dt.date) -> dict[str, Any]:
    """What a run was asked, so that its proofs can be replayed by the same rules."""
    return {
        "as_of": as_of.isoformat(),
        "control_over": f"{settings.control_percent:f}",
        "groups": len(found.groups),
        "rules": {
            "control_includes_line": settings.control_includes_line,
            "lineal_generations": settings.lineal_generations,
            "collateral_generations": settings.collateral_generations,
            "include_spouse": settings.include_spouse,
            "in_laws_are_members": settings.in_laws_are_members,
            "is_transitive": settings.is_transitive,
        },
    }


def _copy_evidence(source: Path, target: Path) -> None:
    """Keep what the run saw beside its result, so that anybody can replay the proofs."""
    if source.is_file():
        shutil.copyfile(source, target.with_suffix(source.suffix))
        return
    target.mkdir(exist_ok=True)
    for file in sorted(source.glob("*.csv")):
        if file.parent.resolve() != target.resolve():
            shutil.copyfile(file, target / file.name)


def _proof(
    found: Determination, star: Star, company: str, steps: tuple[Step, ...], settings: GroupSettings
) -> dict[str, Any]:
    proof: dict[str, Any] = {
        "unit": star.unit.id,
        "unit_kind": star.unit.kind,
        "anchor": star.unit.anchor,
        "company": company,
        "steps": [_step(step) for step in steps],
        "sentences": [sentence(step, star.unit, found.register, settings.control_percent) for step in steps],
    }
    if star.unit.kin:
        used = {contribution.holder for step in steps for contribution in step.via}
        proof["family"] = [
            {"person": kin.person, "path": list(kin.path), "generation": kin.generation}
            for kin in star.unit.kin.values()
            if kin.person in used
        ]
    return proof


def _step(step: Step) -> dict[str, Any]:
    return {
        "company": step.company,
        "total": step.total,
        "via": [
            {"agreement": c.agreement, "holder": c.holder} if c.agreement else {"holder": c.holder, "votes": c.votes}
            for c in step.via
        ],
    }


def _write_csv(file: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
