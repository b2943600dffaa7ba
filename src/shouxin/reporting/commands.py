"""``shouxin scenario``: run a bank from a file and compare its answers with the expected ones."""

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from shouxin.pg.scratch import scratch_database


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


class BadInputError(click.ClickException):
    """The file cannot be used; exit code 2."""

    exit_code = 2
