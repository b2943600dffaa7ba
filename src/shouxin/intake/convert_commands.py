"""``shouxin convert``: other people's forms into evidence tables."""

from pathlib import Path

import click

from shouxin.intake import ashare as ashare_tables
from shouxin.intake.errors import BadInputError


@click.group()
def convert() -> None:
    """Write evidence tables (CSV) from public data in another form."""


@convert.command()
@click.argument("source", metavar="SRC", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--merge-equal-names", is_flag=True, help="Take equal personal names for one person (for comparison only)."
)
def ashare(source: Path, out: Path, merge_equal_names: bool) -> None:
    """Listed companies with shareholders, officers and trading partners.

    SRC holds companies.csv, shareholders_top10.csv, officers.csv, suppliers_top5.csv and customers_top5.csv.
    """
    try:
        tables = ashare_tables.Converter(source, merge_equal_names=merge_equal_names).convert()
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise BadInputError(f"{source}: {type(error).__name__} {error}") from error
    for name, count in ashare_tables.write_tables(tables, out):
        click.echo(f"{name}.csv: {count:,} rows", err=True)
    click.echo(str(out))
