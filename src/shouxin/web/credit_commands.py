"""``shouxin credit``: statements, ratings, evaluations, servicing, freezes, reviews and releases from a JSON file."""

import json
import sys
from pathlib import Path

import click

from shouxin.web.case_commands import begin, data_option, json_option, person, show_document, who_option


@click.command()
@click.argument("act")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@who_option
@json_option
@data_option
@click.pass_context
def credit(context: click.Context, act: str, file: Path, username: str, as_json: bool, data: Path | None) -> None:
    """Carry out ACT with what FILE (JSON) says, as POST /api/v1/credit/ACT takes it. An unknown ACT lists them all.

    Exit 0 done, 2 refused with every reason and nothing written.
    """
    begin(context, data)
    from django.db import transaction
    from pydantic import ValidationError

    from shouxin.bank.selectors import get_business_date
    from shouxin.web.api.common import Problem
    from shouxin.web.api.credit_acts import ACTS, carry_out

    if act not in ACTS:
        raise click.UsageError("没有这项办理；有：" + "、".join(f"{name}（{one.title}）" for name, one in ACTS.items()))
    try:
        asked = ACTS[act].shape.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise click.UsageError(f"{file}: " + "; ".join(reasons)) from error
    except ValueError as error:
        raise click.UsageError(f"{file}: {error}") from error
    try:
        with transaction.atomic():
            status, answer = carry_out(person(username), act, asked, get_business_date())
            if status != 200:
                transaction.set_rollback(True)
    except Problem as problem:
        status, answer = problem.status, {"findings": problem.findings}
    if status != 200:
        if as_json:
            click.echo(json.dumps(answer, ensure_ascii=False, indent=1, default=str))
        for finding in answer["findings"]:
            click.echo(f"{finding['code']}  {finding['message']}", err=True)
        click.echo("未办理，没有写入任何内容。", err=True)
        sys.exit(2)
    show_document(answer, [f"{act}: " + json.dumps(answer["done"], ensure_ascii=False, default=str)], as_json=as_json)
