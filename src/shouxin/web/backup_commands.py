"""``shouxin backup`` and ``shouxin restore``: the whole state in one file, checked by ``verify`` when it is back."""

import os
import subprocess
from pathlib import Path

import click
import psycopg

from shouxin.pg.binaries import find_binaries
from shouxin.pg.session import database

_DATA = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives."
)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_DATA
@click.option("--replace", is_flag=True, help="Write over a file that is there already.")
def backup(file: Path, data: Path | None, replace: bool) -> None:
    """Write the whole database to FILE, as of one moment, while everybody works on.

    Sessions and passwords' hashes are in it: keep it as safe as the database. A run that breaks off leaves no FILE.
    """
    if file.exists() and not replace:
        raise click.UsageError(f"{file} exists already; give another name or --replace.")
    part = file.with_name(f"{file.name}.part")
    with database(data) as url:
        try:
            _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}", f"--dbname={url}")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{file}: {file.stat().st_size:,} bytes")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_DATA
def restore(file: Path, data: Path | None) -> None:
    """Fill an empty database from FILE, bring it up to this version, and check it as ``shouxin verify`` does.

    A database that holds anything is left alone. All or nothing: what fails half-way leaves the database empty.
    """
    with database(data, is_owner=True) as url:
        _require_empty(url)
        _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction",
             f"--dbname={url}", str(file))  # fmt: skip
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        from shouxin.web.verify_commands import all_breaches

        breaches = all_breaches()
    for breach in breaches:
        click.echo(f"{breach.rule} {breach.subject}: {breach.message}", err=True)
    if breaches:
        raise click.exceptions.Exit(2)
    click.echo(f"{file}: restored and sound")


def _require_empty(url: str) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname = current_schema()"
        ).fetchone()
    if row is None or row[0]:
        raise click.UsageError(
            "The database is not empty, nothing was changed. Restore into a new folder with --data, or an empty one."
        )


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs; its own words when it fails."""
    found = find_binaries().program(program)
    ran = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - found by us
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        raise click.UsageError(f"{program}: {said[0] if said else ran.returncode}")
