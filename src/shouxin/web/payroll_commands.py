"""``shouxin payroll-groups``: list them, take in an employer's list of staff or a month's wages, without a browser.

Each acts as one person, in that person's view and with that person's roles, by the same functions as the pages.
"""

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from shouxin.web.case_commands import begin, data_option, json_option, person, show_document, who_option

if TYPE_CHECKING:
    from shouxin.bank.models import Staff
    from shouxin.payroll_groups.models import PayrollGroup

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group("payroll-groups")
@data_option
@click.pass_context
def payroll_groups(context: click.Context, data: Path | None) -> None:
    """Payroll groups 工薪联保集团: list, the employer's list of staff, a month's wages."""
    begin(context, data)


@payroll_groups.command("list")
@who_option
@json_option
def list_groups(username: str, as_json: bool) -> None:
    """Groups in a person's view with what they owe, 元, the newest first, 200 at most."""
    from shouxin.bank.scope import scope_of
    from shouxin.bank.selectors import get_business_date
    from shouxin.domain.money import format_yuan
    from shouxin.payroll_groups import selectors
    from shouxin.payroll_groups.rights import groups_in_view

    day = get_business_date()
    rows = []
    for group in groups_in_view(scope_of(person(username), as_of=day)).order_by("-pk")[:200]:
        report = selectors.report_of(group, as_of=day)
        rows.append(
            {
                "number": group.number, "employer": group.employer.party.name, "state": group.state,
                "members": report.members, "limit_yuan": format_yuan(report.limit_fen),
                "owed_yuan": format_yuan(report.owed_fen), "fund_yuan": format_yuan(report.fund_fen),
                "missing_months": [f"{month:%Y-%m}" for month in selectors.missing_months(group, as_of=day)],
            }
        )  # fmt: skip
    lines = [f"{r['number']}\t{r['employer']}\t{r['state']}\t{r['members']}\t{r['owed_yuan']} 元" for r in rows]
    show_document({"payroll_groups": rows}, lines or ["没有工薪联保集团"], as_json=as_json)


@payroll_groups.command()
@click.argument("number")
@_file
@who_option
@json_option
def members(number: str, file: Path, username: str, as_json: bool) -> None:
    """Name everybody on the employer's list FILE for group NUMBER; all of it or nothing."""
    from shouxin.bank.selectors import get_business_date
    from shouxin.intake.evidence_files import EvidenceError
    from shouxin.intake.payroll_lists import read_staff
    from shouxin.payroll_groups import listing
    from shouxin.payroll_groups.rights import PayrollGroupError

    actor = person(username)
    try:
        made = listing.name_members(
            actor=actor, group=_found(actor, number), rows=read_staff(file), file_name=file.name,
            business_date=get_business_date(),
        )  # fmt: skip
    except (EvidenceError, PayrollGroupError) as error:
        _refuse(error)
    rows = [{"name": str(member), "state": member.get_state_display()} for member in made]
    show_document({"members": rows}, [f"{r['name']}\t{r['state']}" for r in rows], as_json=as_json)


@payroll_groups.command()
@click.argument("number")
@_file
@click.option("--month", required=True, help="The month that was paid, 2025-05.")
@who_option
@json_option
def wages(number: str, file: Path, month: str, username: str, as_json: bool) -> None:
    """Keep a month's payroll FILE of group NUMBER; a month is kept once."""
    from shouxin.bank.selectors import get_business_date
    from shouxin.domain.money import format_yuan
    from shouxin.intake.evidence_files import EvidenceError
    from shouxin.intake.payroll_lists import read_wages
    from shouxin.payroll_groups import listing
    from shouxin.payroll_groups.rights import PayrollGroupError

    try:
        first = dt.date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise click.UsageError(f"月份“{month}”不是 年-月，如 2025-05") from error
    actor = person(username)
    try:
        kept = listing.receive_payroll(
            actor=actor, group=_found(actor, number), month=first, rows=read_wages(file), file_name=file.name,
            business_date=get_business_date(),
        )  # fmt: skip
    except (EvidenceError, PayrollGroupError) as error:
        _refuse(error)
    document = {
        "month": month, "people": kept.staff_count, "members": kept.wages.count(),
        "total_yuan": format_yuan(kept.total_fen),
    }  # fmt: skip
    line = f"{month}：{kept.staff_count} 人，其中成员 {document['members']} 人，合计 {document['total_yuan']} 元"
    show_document(document, [line], as_json=as_json)


def _found(actor: "Staff", number: str) -> "PayrollGroup":
    from shouxin.bank.scope import scope_of
    from shouxin.bank.selectors import get_business_date
    from shouxin.payroll_groups.rights import groups_in_view

    group = groups_in_view(scope_of(actor, as_of=get_business_date())).filter(number=number).first()
    if group is None:
        raise click.UsageError(f"没有联保集团 {number}，或不在 {actor.name} 的数据范围内")
    return group


def _refuse(error: Exception) -> NoReturn:
    click.echo(str(error), err=True)
    click.echo("未办理，没有写入任何内容。", err=True)
    sys.exit(2)
