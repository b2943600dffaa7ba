"""``shouxin scenario`` runs a bank from a file and compares its answers; ``shouxin import`` brings a table in."""

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from shouxin.intake.errors import BadInputError
from shouxin.intake.evidence_files import TABLES
from shouxin.pg.scratch import scratch_database
from shouxin.pg.session import database


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document: each question with this product's answer.")
def scenario(file: Path, as_json: bool) -> None:
    """Run the bank in FILE in a scratch database and print its own answer to every question of `expected`.

    Exit code 0 when all answers are the expected ones, 2 when one differs or the file cannot be run.
    """
    document = _read(file)
    os.environ["DJANGO_SETTINGS_MODULE"] = "shouxin.settings"
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "test")
    with scratch_database():
        answers = _run(document)
    from shouxin.reporting.scenario import is_same

    expected = document.get("expected", {})
    different = [key for key, own in answers.items() if not is_same(key, expected[key], own)]
    if as_json:
        click.echo(json.dumps(answers, ensure_ascii=False, indent=1))
    else:
        for key, own in answers.items():
            click.echo(f"{'≠' if key in different else '='} {key}: {json.dumps(own, ensure_ascii=False)}")
    for key in different:
        click.echo(f"{key}: 期望 {json.dumps(expected[key], ensure_ascii=False, default=str)}，得到 "
                   f"{json.dumps(answers[key], ensure_ascii=False)}", err=True)  # fmt: skip
    click.echo(f"{len(answers) - len(different)} of {len(answers)} answers as expected", err=True)
    if different:
        sys.exit(2)


@click.command("import")
@click.argument("table", type=click.Choice(TABLES))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "username", help="Staff number of who imports; new customers go on this person's list.")
@click.option("--dry-run", is_flag=True, help="Check and count only; nothing is written.")
@click.option("--skip-bad-rows", is_flag=True, help="Import the good rows; the bad ones go to FILE.errors.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Private database, as for demo.")
@click.option("--json", "as_json", is_flag=True)
def import_table(
    table: str,
    file: Path,
    username: str | None,
    dry_run: bool,
    skip_bad_rows: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Import one table from a CSV file or workbook into the bank's database.

    One wrong row means that nothing is written, unless --skip-bad-rows.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "demo")
    with database(data):
        counts = _import(table, file, username, dry_run=dry_run, skips_bad_rows=skip_bad_rows)
    click.echo(json.dumps(counts) if as_json else "  ".join(f"{name} {count}" for name, count in counts.items()))


def _import(table: str, file: Path, username: str | None, *, dry_run: bool, skips_bad_rows: bool) -> dict[str, int]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    from shouxin.bank.models import Staff
    from shouxin.bank.selectors import get_business_date
    from shouxin.intake.evidence_files import EvidenceError
    from shouxin.reporting import imports

    actor = Staff.objects.select_related("unit").filter(username=username).first() if username else None
    if username and actor is None:
        raise BadInputError(f"没有工号为 {username} 的员工")
    try:
        raw = imports.read_file(table, file)
        click.echo(f"{len(raw.rows):,} rows read ({raw.encoding})", err=True)
        outcome = imports.import_table(
            actor=actor,
            table=table,
            raw=raw,
            business_date=get_business_date(),
            skips_bad_rows=skips_bad_rows,
            is_dry_run=dry_run,
        )
    except EvidenceError as error:
        _write_errors(file, error.errors)
        for row in error.errors[:100]:
            click.echo(str(row), err=True)
        raise BadInputError(f"{len(error.errors)} 处有误，没有写入任何内容；全部列在 {file}.errors") from error
    if outcome.errors:
        _write_errors(file, list(outcome.errors))
    return {
        "read": outcome.read,
        "created": outcome.created,
        "updated": outcome.updated,
        "skipped": outcome.skipped,
        "failed": outcome.failed,
    }


def _write_errors(file: Path, errors: list[Any]) -> None:
    lines = [str(error) for error in errors]
    Path(f"{file}.errors").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file}: 不是有效的 JSON：{error}") from error
    needed = ("institution", "as_of", "persons", "companies", "holdings", "deals", "deal_columns")
    missing = [key for key in needed if not isinstance(document, dict) or key not in document]
    if missing:
        raise BadInputError(f"{file}: 缺少 {missing}")
    return dict(document)


def _run(document: dict[str, Any]) -> dict[str, Any]:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    click.echo("Preparing a scratch database …", err=True)
    call_command("migrate", interactive=False, verbosity=0)
    from shouxin.limits.services import LedgerError
    from shouxin.policy.products import UnknownProductError
    from shouxin.reporting.scenario import Answers, ScenarioError, store

    try:
        answers = Answers(store(document))
        return {key: answers.answer(key) for key in document.get("expected", {})}
    except (ScenarioError, UnknownProductError, LedgerError, KeyError, ValueError) as error:
        raise BadInputError(f"情景文件不能运行：{type(error).__name__} {error}") from error
    finally:
        connections.close_all()
