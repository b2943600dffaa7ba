"""``shouxin convert``: other people's forms into evidence tables."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from shouxin.intake import ashare as ashare_tables
from shouxin.intake import bods as bods_statements
from shouxin.intake import gedcom as gedcom_tree
from shouxin.intake.errors import BadInputError
from shouxin.intake.evidence_files import EvidenceError, read_evidence
from shouxin.intake.evidence_out import Rows, write_tables
from shouxin.intake.parquet_files import write_evidence

_OUT = click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.group()
def convert() -> None:
    """Write evidence tables (CSV) from public data in another form, or as Parquet for big registers."""


@convert.command()
@click.argument("source", metavar="SRC", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_OUT
@click.option(
    "--merge-equal-names", is_flag=True, help="Take equal personal names for one person (for comparison only)."
)
@_JSON
def ashare(source: Path, out: Path, merge_equal_names: bool, as_json: bool) -> None:
    """Listed companies with shareholders, officers and trading partners.

    SRC holds companies.csv, shareholders_top10.csv, officers.csv, suppliers_top5.csv and customers_top5.csv.
    """
    try:
        tables = ashare_tables.Converter(source, merge_equal_names=merge_equal_names).convert()
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source}: {type(error).__name__} {error}") from error
    _finish(tables, Counter(), out, as_json)


@convert.command()
@click.argument("source", metavar="SRC", type=click.Path(exists=True, path_type=Path))
@_OUT
@_JSON
def bods(source: Path, out: Path, as_json: bool) -> None:
    """Beneficial-ownership statements: SRC is a .json or .jsonl file, or a folder of them."""
    try:
        tables, left_out = bods_statements.convert(source)
    except (OSError, UnicodeDecodeError, bods_statements.BodsError) as error:
        raise BadInputError(f"{source}: {error}") from error
    _finish(tables, left_out, out, as_json)


@convert.command()
@click.argument("source", metavar="SRC", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_OUT
@_JSON
def gedcom(source: Path, out: Path, as_json: bool) -> None:
    """A family tree in GEDCOM 5.5: persons, parents and marriages; holdings.csv is left empty to fill."""
    try:
        tables, left_out = gedcom_tree.convert(source)
    except (OSError, gedcom_tree.GedcomError) as error:
        raise BadInputError(f"{source}: {error}") from error
    _finish(tables, left_out, out, as_json)


def _finish(tables: Mapping[str, Rows], left_out: Counter[str], out: Path, as_json: bool) -> None:
    counts = dict(write_tables(tables, out))
    for name, count in counts.items():
        click.echo(f"{name}.csv: {count:,} rows", err=True)
    reasons = {reason: count for reason, count in sorted(left_out.items()) if count}
    for reason, count in reasons.items():
        click.echo(f"left out: {count:,} {reason}", err=True)
    if as_json:
        document = {"out": str(out), "rows": counts, "left_out": reasons}
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        click.echo(str(out))


@convert.command()
@click.argument("source", metavar="SRC", type=click.Path(exists=True, path_type=Path))
@_OUT
@_JSON
def parquet(source: Path, out: Path, as_json: bool) -> None:
    """Evidence tables of SRC (CSV files or a workbook), checked row by row, as Parquet for big registers."""
    try:
        evidence, _ = read_evidence(source)
    except EvidenceError as error:
        click.echo("\n".join(map(str, error.errors)), err=True)
        raise BadInputError(f"{len(error.errors)} 处有误，没有写出任何内容。改正后重试。") from error
    counts = dict(write_evidence(evidence, out))
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
    else:
        for name, count in counts.items():
            click.echo(f"{name}: {count:,}")
