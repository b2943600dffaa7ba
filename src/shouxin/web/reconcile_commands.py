"""``shouxin reconcile``: compare a product system's file with the ledger; its differences wait for another person."""

import os
from pathlib import Path

import click

from shouxin.pg.session import database


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--system", required=True, help="The product system that the file comes from.")
@click.option("--by", "username", required=True, help="User name of the risk officer who proposes the differences.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives.")
def reconcile(file: Path, system: str, username: str, data: Path | None) -> None:
    """Compare FILE (CSV: hold, facility, balance in yuan) with the ledger; exit 2 and nothing done on a bad line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    with database(data):
        import django

        django.setup()
        click.echo(compare(content=file.read_bytes(), system=system, username=username))


def compare(*, content: bytes, system: str, username: str) -> str:
    """Compare as a person; one line per difference. Raises click.UsageError for a bad file or a wrong person."""
    from shouxin.bank.models import RoleAssignment, Staff
    from shouxin.bank.scope import Reach, roles_of, scope_of
    from shouxin.bank.selectors import get_business_date
    from shouxin.limits import day
    from shouxin.web.views.reconciliations import text_of

    today = get_business_date()
    actor = Staff.objects.filter(username=username, is_active=True).first()
    if (
        actor is None
        or RoleAssignment.Role.RISK_OFFICER not in roles_of(actor, as_of=today)
        or scope_of(actor, as_of=today).reach is not Reach.ALL
    ):
        raise click.UsageError(f"{username} 不是总行风险管理岗，不能提出对账差异")
    try:
        run = day.reconcile(system=system[:40], business_date=today, text=text_of(content), actor=actor)
    except day.ReconciliationFileError as error:
        wrong = "\n".join(f"第 {e.line} 行 {e.column}：{e.reason}" for e in error.errors)
        raise click.UsageError(f"文件有误，未作比对：\n{wrong}") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    items = list(run.items.all())
    told = [f"{item.reference}\t{item.get_proposal_display()}\t{item.get_state_display()}" for item in items]
    return "\n".join([f"一致 {run.matched} 笔，差异 {len(items)} 笔", *told])
