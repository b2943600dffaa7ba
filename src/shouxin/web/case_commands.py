"""``shouxin cases``, ``alerts``, ``dashboard`` and ``day-end``: the credit side without a browser.

Every command acts as one person (``--as``), in that person's view and with that person's roles, by the same functions
as pages and API. Exit 0 done, 2 refused or bad input with every finding and nothing written, 1 our own fault.
"""

import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from shouxin.pg.session import database

if TYPE_CHECKING:
    from shouxin.approvals.models import Case
    from shouxin.bank.models import Staff

data_option = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Where the private database lives."
)
who_option = click.option("--as", "username", required=True, help="User name of the person who acts.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def begin(context: click.Context, data: Path | None) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shouxin.settings")
    os.environ.setdefault("SHOUXIN_ENVIRONMENT", "demo")
    context.with_resource(database(data))
    import django

    django.setup()


def person(username: str) -> "Staff":
    from shouxin.bank.models import Staff

    found = Staff.objects.select_related("unit").filter(username=username, is_active=True).first()
    if found is None:
        raise click.UsageError(f"没有在岗员工 {username}")
    return found


def _refuse(findings: list[Mapping[str, Any]], *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"findings": findings}, ensure_ascii=False, indent=1))
    for finding in findings:
        click.echo(f"{finding['code']}  {finding['message']}  {finding['article']}", err=True)
    click.echo("未办理，没有写入任何内容。", err=True)
    sys.exit(2)


def show_document(document: Mapping[str, Any], lines: list[str], *, as_json: bool) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str) if as_json else "\n".join(lines))


# --- cases ----------------------------------------------------------------------------------------------------------


@click.group()
@data_option
@click.pass_context
def cases(context: click.Context, data: Path | None) -> None:
    """List, show, open, change and step credit cases."""
    begin(context, data)


@cases.command("list")
@who_option
@click.option(
    "--state", default=None,
    type=click.Choice(["draft", "review", "decide", "approved", "done", "refused", "withdrawn"]),
)  # fmt: skip
@json_option
def list_cases(username: str, state: str | None, as_json: bool) -> None:
    """Cases in a person's view, the newest first, 200 at most."""
    from shouxin.approvals.selectors import cases_in_view
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.api.exchange import KINDS, row_of

    found = cases_in_view(person(username), as_of=get_business_date()).filter(kind__in=KINDS.values())
    if state:
        found = found.filter(state=state)
    rows = [row_of(case) for case in found.order_by("-pk")[:200]]
    lines = [f"{r['number']}\t{r['kind']}\t{r['subject']}\t{r['amount'] or '-'}\t{r['state']}" for r in rows]
    show_document({"cases": rows}, lines or ["没有案件"], as_json=as_json)


@cases.command()
@click.argument("number")
@who_option
@json_option
def show(number: str, username: str, as_json: bool) -> None:
    """One case with its contents, findings and steps."""
    _written(username, as_json, lambda actor: _found(actor, number))


@cases.command("open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@who_option
@json_option
def open_case(file: Path, username: str, as_json: bool) -> None:
    """Open a case from a JSON file: kind, subject and contents, as the API takes them."""
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.api.exchange import CaseIn, opened

    data = _read(file, CaseIn)
    _written(username, as_json, lambda actor: opened(actor, data, get_business_date()))


@cases.command()
@click.argument("number")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@who_option
@json_option
def amend(number: str, file: Path, username: str, as_json: bool) -> None:
    """Put new contents from a JSON file into a draft or returned case."""
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.api.exchange import AmendIn, amended

    data = _read(file, AmendIn)
    _written(username, as_json, lambda actor: amended(actor, _found(actor, number), data, get_business_date()))


@cases.command()
@click.argument("number")
@click.argument(
    "what",
    type=click.Choice(
        ["investigate", "submit", "agree", "disagree", "approve", "refuse", "operate", "return", "withdraw"]
    ),
)
@who_option
@click.option("--opinion", default="", help="What the person says; for submit, the reason for exceptions.")
@click.option("--on-site", is_flag=True, help="For investigate: the person was there.")
@click.option("--digest", default="", help="For approve and refuse: the digest of the contents that were read.")
@json_option
def step(number: str, what: str, username: str, opinion: str, on_site: bool, digest: str, as_json: bool) -> None:
    """Take one step of a case as one person."""
    from shouxin.approvals import services as approvals
    from shouxin.bank.selectors import get_business_date
    from shouxin.facilities import line_cases

    def act(actor: "Staff") -> "Case":
        case = _found(actor, number)
        given: dict[str, Any] = {"actor": actor, "case": case, "business_date": get_business_date()}
        said = {**given, "opinion": opinion}
        steps: Mapping[str, Callable[[], object]] = {
            "investigate": lambda: approvals.investigate(**said, is_on_site=on_site),
            "submit": lambda: line_cases.submit(**given, exception_reason=opinion),
            "agree": lambda: approvals.review(**said, agrees=True),
            "disagree": lambda: approvals.review(**said, agrees=False),
            "approve": lambda: line_cases.decide(**said, is_approved=True, digest=_digest(digest)),
            "refuse": lambda: line_cases.decide(**said, is_approved=False, digest=_digest(digest)),
            "operate": lambda: line_cases.operate(**said),
            "return": lambda: approvals.send_back(**said),
            "withdraw": lambda: approvals.withdraw(**given, reason=opinion),
        }
        steps[what]()
        return case

    _written(username, as_json, act)


@cases.command()
@click.argument("number")
@who_option
@click.option("--minutes", "minutes_number", required=True, help="The minutes' own number.")
@click.option("--meeting", type=click.Choice(["president", "loan"]), default="president", show_default=True)
@click.option("--held-on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Day of the meeting.")
@click.option("--resolution", required=True, help="What it resolved.")
@click.option("--attendees", default="", help="Who was there.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The signed paper, scanned.")
@json_option
def minutes(
    number: str, username: str, minutes_number: str, meeting: str, held_on: dt.datetime, resolution: str,
    attendees: str, file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Record a meeting's minutes and put them to a case before it is decided (JS-13)."""
    from shouxin.approvals import services as approvals
    from shouxin.bank.selectors import get_business_date

    _written(
        username, as_json,
        lambda actor: approvals.minute_case(
            actor=actor, case=_found(actor, number), number=minutes_number, meeting=meeting, held_date=held_on.date(),
            resolution=resolution, attendees=attendees, business_date=get_business_date(),
            file_name=file.name if file else "", file=file.read_bytes() if file else None,
        ),
    )  # fmt: skip


def _digest(text: str) -> str:
    if not text:
        raise click.UsageError("审批须给出 --digest（shouxin cases show 显示的冻结摘要）。")
    return text


def _found(actor: "Staff", number: str) -> "Case":
    from shouxin.approvals.selectors import cases_in_view
    from shouxin.bank.selectors import get_business_date
    from shouxin.web.api.exchange import KINDS

    seen = cases_in_view(actor, as_of=get_business_date()).filter(kind__in=KINDS.values())
    case: Case | None = seen.filter(number=number).first()
    if case is None:
        raise click.UsageError(f"没有案件 {number}，或不在数据范围内。")
    return case


def _read(file: Path, shape: Any) -> Any:
    """A JSON file as the shape the API takes. Raises click.UsageError naming each field that cannot be used."""
    from pydantic import ValidationError

    try:
        return shape(**json.loads(file.read_text(encoding="utf-8-sig")))
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise click.UsageError(f"{file}：不是可读的 JSON 对象（{error}）。没有写入任何内容。") from error
    except ValidationError as error:
        wrong = "\n".join(f"  {'.'.join(map(str, e['loc']))}：{e['msg']}" for e in error.errors())
        raise click.UsageError(f"{file} 有误，没有写入任何内容：\n{wrong}") from error


def _written(username: str, as_json: bool, act: Callable[["Staff"], "Case"]) -> None:
    from django.db import transaction

    from shouxin.approvals.services import CaseError
    from shouxin.bank.selectors import get_business_date
    from shouxin.parties.models import Customer
    from shouxin.web.api.common import Problem
    from shouxin.web.api.exchange import case_of, refused_by

    actor = person(username)
    try:
        with transaction.atomic():
            number = act(actor).number
    except CaseError as error:
        _refuse(refused_by(error)[1]["findings"], as_json=as_json)
    except Problem as problem:
        _refuse(problem.findings, as_json=as_json)
    document = case_of(_found(actor, number), get_business_date())
    numbers = [member["customer"] for member in document["contents"].get("members", [])]
    names = dict(Customer.objects.filter(number__in=numbers).values_list("number", "party__name"))
    show_document(document, _lines_of(document, names), as_json=as_json)


def _lines_of(document: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """A case in plain lines: what it stands for, its contents and members, the findings, the steps taken."""
    contents = dict(document["contents"])
    members, products = contents.pop("members", []), contents.pop("products", {})
    labels = {
        "amount": "申报金额（元）", "valid_from": "起始日", "valid_to": "到期日（不含）", "guarantee": "担保方式",
        "conditions": "授信条件", "is_renewal": "续授信", "is_revolving": "可循环", "plan": "退出方案",
        "until_date": "完成日",
    }  # fmt: skip
    refused = set(document["result"].get("refused_members", []))
    shown = {True: "是", False: "否"}
    return [
        f"{document['number']}  {document['kind']}  {document['subject']}  {document['amount'] or '-'} 元  "
        f"{document['state']}",
        *(f"冻结摘要  {document['digest']}" for _ in [0] if document["digest"]),
        *(
            f"内容  {labels.get(name, name)}  {shown.get(value, value)}"
            for name, value in contents.items()
            if value != ""
        ),
        *(
            f"成员  {m['customer']}  {names[m['customer']]}  {m['amount']} 元"
            + ("  不予批准" if m["customer"] in refused else "")
            + "".join(f"  {code} {limit} 元" for code, limit in m["products"].items())
            for m in members
        ),
        *(f"产品  {code}  {limit} 元" for code, limit in products.items()),
        *(f"{f['severity']}  {f['code']}  {f['message']}  {f['article']}" for f in document["findings"]),
        *(_step_line(act) for act in document["acts"]),
    ]


def _step_line(act: Mapping[str, Any]) -> str:
    from shouxin.approvals.models import Act

    says = {True: "  同意", False: "  不同意", None: ""}[act["agrees"]]
    behalf = f"（代 {act['on_behalf_of']}）" if act["on_behalf_of"] else ""
    return (
        f"步骤  第 {act['round']} 轮  {act['date']}  {Act.Role(act['role']).label}  {act['person']}{behalf}{says}"
        f"  {act['opinion']}".rstrip()
    )


# --- dashboard, alerts, the end of a day ----------------------------------------------------------------------------


@click.command()
@who_option
@data_option
@json_option
@click.pass_context
def dashboard(context: click.Context, username: str, data: Path | None, as_json: bool) -> None:
    """Where the lines stand, in a person's view: sums, groups by share of capital, what needs somebody."""
    begin(context, data)
    from shouxin.web.api.exchange import dashboard_of

    shown = dashboard_of(person(username))
    lines = [f"{name}\t{value}" for name, value in shown.items() if name != "groups"]
    lines += [f"{g['name']}\t{g['used']}\t{g['share_percent'] or '-'}%\t{g['level']}" for g in shown["groups"]]
    show_document(shown, lines, as_json=as_json)


@click.group(invoke_without_command=True)
@click.option("--as", "username", help="User name of the person who acts.")
@click.option("--state", type=click.Choice(["open", "acted", "closed"]), default="open", show_default=True)
@data_option
@json_option
@click.pass_context
def alerts(context: click.Context, username: str | None, state: str, data: Path | None, as_json: bool) -> None:
    """Alerts in a person's view, the newest first, 200 at most; or act on one, or close it."""
    if context.invoked_subcommand is None and not username:
        raise click.MissingParameter(param_hint="'--as'", param_type="option", ctx=context)
    begin(context, data)
    if context.invoked_subcommand is not None or not username:
        return
    from shouxin.web.api.exchange import alert_of, alerts_seen_by

    rows = [alert_of(alert) for alert in alerts_seen_by(person(username)).filter(state=state).order_by("-pk")[:200]]
    lines = [f"{r['id']}\t{r['code']}\t{r['level']}\t{r['message']}\t{r['owner']}\t{r['due_date']}" for r in rows]
    show_document({"alerts": rows}, lines or ["没有预警"], as_json=as_json)


@alerts.command("act")
@click.argument("alert_id", type=click.IntRange(1, 2**63 - 1))
@who_option
@click.option("--action", required=True, help="What was done about it.")
@json_option
def act_on_alert(alert_id: int, username: str, action: str, as_json: bool) -> None:
    """Say what was done (处置), as the alert's owner or the risk department."""
    from shouxin.monitoring import alerts as services

    _settled(alert_id, username, as_json, lambda given: services.act(**given, action=action))


@alerts.command("close")
@click.argument("alert_id", type=click.IntRange(1, 2**63 - 1))
@who_option
@json_option
def close_alert(alert_id: int, username: str, as_json: bool) -> None:
    """Close what has been acted on (关闭), as another person of the risk department."""
    from shouxin.monitoring import alerts as services

    _settled(alert_id, username, as_json, lambda given: services.close(**given))


def _settled(alert_id: int, username: str, as_json: bool, act: Callable[[dict[str, Any]], object]) -> None:
    from shouxin.bank.selectors import get_business_date
    from shouxin.monitoring.alerts import AlertError
    from shouxin.web.api.exchange import alert_of, alerts_seen_by

    actor = person(username)
    alert = alerts_seen_by(actor).filter(pk=alert_id).first()
    if alert is None:
        raise click.UsageError(f"没有预警 {alert_id}，或不在数据范围内。")
    try:
        act({"actor": actor, "alert": alert, "business_date": get_business_date()})
    except AlertError as error:
        _refuse([{"code": "ALERT_REFUSED", "message": str(error), "article": "UC-06"}], as_json=as_json)
    shown = alert_of(alerts_seen_by(actor).get(pk=alert_id))
    show_document(shown, [f"{shown['id']}  {shown['code']}  {shown['state']}  {shown['action']}"], as_json=as_json)


@click.command("day-end")
@who_option
@data_option
@json_option
@click.pass_context
def day_end(context: click.Context, username: str, data: Path | None, as_json: bool) -> None:
    """Do the credit end of the bank's business day; again on the same day it changes nothing."""
    begin(context, data)
    from shouxin.bank.models import RoleAssignment
    from shouxin.bank.scope import roles_of
    from shouxin.bank.selectors import get_business_date
    from shouxin.monitoring import watch

    day, role = get_business_date(), RoleAssignment.Role
    if not roles_of(person(username), as_of=day) & {role.RISK_OFFICER, role.OPERATIONS}:
        raise click.UsageError(f"{username} 不是风险审查岗或运营岗，不能运行日终检查。")
    done = watch.end_of_day(as_of=day)
    shown = {
        "day": day, "alerts": done.alerts, "lowered": len(done.lowered), "cancelled": len(done.cancelled),
        "reviews": done.reviews,
    }  # fmt: skip
    lines = [
        f"{day} 日终检查：新预警 {done.alerts} 条，下调分类 {len(done.lowered)} 笔，"
        f"取消公开额度 {len(done.cancelled)} 份，列入调查 {done.reviews} 项"
    ]
    show_document(shown, lines, as_json=as_json)
