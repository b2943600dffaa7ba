"""Credit cases, alerts and the dashboard as they are exchanged: numbers, yuan as texts, findings in words.

The HTTP API and the command read and write the same shapes; both act as one person, in that person's view.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Literal

from django.db.models import QuerySet
from ninja import Field, Schema

from shouxin.approvals.models import Case
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.bank.selectors import get_business_date
from shouxin.domain.findings import Finding
from shouxin.facilities import case_contents, line_cases
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.monitoring.alerts import alerts_in_view
from shouxin.monitoring.models import Alert
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy.products import UnknownProductError, resolve_product
from shouxin.reporting import selectors
from shouxin.reporting.case_documents import findings_of
from shouxin.reporting.dashboard import credit_counts
from shouxin.web.api.common import FindingOut, Problem, fen_of, message, yuan

Text = Field(..., min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")
Remark = Field("", max_length=2000, pattern=r"^[^\x00]*$")
KINDS = {
    "group": Case.Kind.GROUP_LINE, "general": Case.Kind.GENERAL_LINE, "public": Case.Kind.PUBLIC_LINE,
    "exit": Case.Kind.LINE_CHANGE,
}  # fmt: skip


class MemberLimit(Schema):
    """A member's highest limit, and limits of products within it; yuan."""

    customer: str = Field(..., max_length=20)
    amount: str = Field(..., description="元，可为 0", pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$")
    products: dict[str, str] = Field(default_factory=dict, description="产品代码或名称 → 元")


class Contents(Schema):
    """What a case asks for. Which of these a case has depends on its kind."""

    amount: str = Field("", description="元；退出案件不填", pattern=r"^$|^[1-9][0-9]{0,14}(\.[0-9]{1,2})?$")
    currency: Literal["CNY"] = "CNY"
    valid_from: dt.date | None = None
    valid_to: dt.date | None = Field(None, description="到期日（不含）")
    members: list[MemberLimit] = Field(default_factory=list, max_length=500)
    products: dict[str, str] = Field(default_factory=dict, description="一般额度的产品额度：产品代码或名称 → 元")
    guarantee: str = Field("", max_length=40, pattern=r"^[^\x00]*$")
    conditions: str = Remark
    is_renewal: bool = False
    is_revolving: bool = True
    plan: str = Remark
    until_date: dt.date | None = None


class CaseIn(Contents):
    """A case to open: for a customer by its number, or for a group by its number."""

    kind: Literal["group", "general", "public", "exit"]
    subject: str = Field(..., min_length=1, max_length=40, pattern=r"^[^\x00]*$")


class AmendIn(Contents):
    """The contents of a draft anew, with the reason for its exceptions."""

    exception_reason: str = Remark


class ActOut(Schema):
    """One step that was taken."""

    round: int
    role: str
    person: str
    on_behalf_of: str
    agrees: bool | None
    opinion: str
    date: dt.date


class CaseRow(Schema):
    """A case in a list."""

    number: str
    kind: str
    subject: str
    unit: str
    state: str
    amount: str | None
    currency: str = "CNY"
    level: int | None
    exceptions: list[str]
    due_date: dt.date | None


class CaseOut(CaseRow):
    """A case with what it holds, what the rules say about it and who did what."""

    round: int
    contents: dict[str, Any]
    digest: str
    exception_reason: str
    minutes: str
    decision: str
    result: dict[str, Any]
    findings: list[FindingOut]
    acts: list[ActOut]


def refused_by(error: CaseError) -> tuple[int, dict[str, Any]]:
    """A refusal as an answer: every finding, or the one sentence."""
    found = error.findings if isinstance(error, CaseRefusedError) else []
    return 422, {"findings": [finding_out(f) for f in found] or [message("CASE_REFUSED", str(error))]}


def finding_out(finding: Finding) -> dict[str, Any]:
    """A finding with what to do behind its sentence."""
    text = f"{finding.message}{finding.advice}" if finding.advice else finding.message
    return {
        "code": finding.code, "severity": str(finding.severity), "message": text, "article": finding.article,
        "inputs": {name: str(value) for name, value in finding.inputs.items()},
    }  # fmt: skip


def kind_of(case: Case) -> str:
    """The name of a case's kind in the exchange."""
    return next(name for name, value in KINDS.items() if value == case.kind)


def opened(actor: Staff, data: CaseIn, day: dt.date) -> Case:
    """Open a case as somebody. Raises CaseError, or Problem for what is not there or not in view."""
    customers = visible_customers(scope_of(actor, as_of=day))
    if data.kind == "group":
        group = CustomerGroup.objects.select_related("lead_unit").filter(number=data.subject).first()
        members = [m.customer_id for m in list_members(group, as_of=day)] if group else []
        if group is None or not customers.filter(pk__in=members).exists():
            raise Problem(404, message("GROUP_UNKNOWN", "没有这个集团，或不在数据范围内。"))
        return line_cases.propose_group_line(actor=actor, group=group, business_date=day, **_group_contents(data))
    customer = customers.select_related("party", "unit").filter(number=data.subject).first()
    if customer is None:
        raise Problem(404, message("CUSTOMER_UNKNOWN", "没有这个客户，或不在数据范围内。"))
    propose: Mapping[str, Callable[..., Case]] = {
        "general": line_cases.propose_customer_line, "public": line_cases.propose_public_line,
        "exit": line_cases.propose_exit,
    }  # fmt: skip
    contents = _customer_contents(data.kind, data)
    return propose[data.kind](actor=actor, customer=customer, business_date=day, **contents)


def amended(actor: Staff, case: Case, data: AmendIn, day: dt.date) -> Case:
    """Put new contents into a draft as somebody."""
    build: Mapping[str, Callable[..., dict[str, Any]]] = {
        "group": case_contents.group_line, "general": case_contents.general_line,
        "public": case_contents.public_line, "exit": case_contents.customer_exit,
    }  # fmt: skip
    kind = kind_of(case)
    contents = _group_contents(data) if kind == "group" else _customer_contents(kind, data)
    return case_contents.amend(
        actor=actor, case=case, payload=build[kind](**contents), exception_reason=data.exception_reason,
        business_date=day,
    )  # fmt: skip


def _needed(data: Contents, *names: str) -> None:
    missing = [name for name in names if not getattr(data, name)]
    if missing:
        raise Problem(422, message("INPUT_INVALID", f"缺少 {'、'.join(missing)}，请补填后重新提交。"))


def _products(limits: Mapping[str, str]) -> dict[str, int]:
    try:
        return {resolve_product(name).code: fen_of(amount, "CNY") for name, amount in limits.items()}
    except UnknownProductError as error:
        raise Problem(422, message("PRODUCT_UNKNOWN", str(error), "CB-11")) from error


def _group_contents(data: Contents) -> dict[str, Any]:
    _needed(data, "amount", "members")
    numbers = [member.customer for member in data.members]
    known = dict(Customer.objects.filter(number__in=numbers).values_list("number", "pk"))
    unknown = sorted({m.customer for m in data.members} - set(known))
    if unknown:
        raise Problem(422, message("CUSTOMER_UNKNOWN", f"没有客户 {'、'.join(unknown)}。"))
    return {
        "amount_fen": fen_of(data.amount, data.currency),
        "sub_limits_fen": {known[m.customer]: _fen_or_zero(m.amount) for m in data.members},
        "product_limits_fen": {known[m.customer]: _products(m.products) for m in data.members},
        "valid_from": data.valid_from, "valid_to": data.valid_to, "conditions": data.conditions,
        "guarantee": data.guarantee,
    }  # fmt: skip


def _fen_or_zero(amount: str) -> int:
    return 0 if not amount.strip("0.") else fen_of(amount, "CNY")


def _customer_contents(kind: str, data: Contents) -> dict[str, Any]:
    if kind == "exit":
        return {"plan": data.plan, "until_date": data.until_date}
    _needed(data, "amount")
    contents: dict[str, Any] = {
        "amount_fen": fen_of(data.amount, data.currency), "valid_from": data.valid_from, "valid_to": data.valid_to,
    }  # fmt: skip
    if kind == "public":
        return {**contents, "is_renewal": data.is_renewal}
    return {
        **contents, "product_limits_fen": _products(data.products), "guarantee": data.guarantee,
        "conditions": data.conditions, "is_revolving": data.is_revolving,
    }  # fmt: skip


def row_of(case: Case) -> dict[str, Any]:
    return {
        "number": case.number,
        "kind": kind_of(case),
        "subject": case.subject_name,
        "unit": case.unit.name,
        "state": case.state,
        "amount": yuan(case_contents.amount_standing_fen(case)),
        "level": case.level,
        "exceptions": case.exceptions,
        "due_date": case.due_date,
    }


def case_of(case: Case, day: dt.date) -> dict[str, Any]:
    is_draft = case.state == Case.State.DRAFT
    judged = line_cases.judge(case, as_of=day) if is_draft else None
    found = judged.findings if judged else findings_of(case.findings)
    acts = case.acts.select_related("actor", "on_behalf_of")
    return {
        **row_of(case),
        "exceptions": judged.exceptions if judged else case.exceptions,
        "round": case.round,
        "contents": _contents_out(case),
        "digest": case.payload_digest,
        "exception_reason": case.exception_reason,
        "minutes": case.minutes.number if case.minutes else "",
        "decision": case.decision,
        "result": _result_out(case),
        "findings": [finding_out(finding) for finding in found],
        "acts": [
            {
                "round": act.round, "role": act.role, "person": act.actor.name, "agrees": act.agrees,
                "on_behalf_of": act.on_behalf_of.name if act.on_behalf_of else "", "opinion": act.opinion,
                "date": act.acted_date,
            }
            for act in acts
        ],
    }  # fmt: skip


def _contents_out(case: Case) -> dict[str, Any]:
    """The contents as they would be sent: yuan, customers by their numbers."""
    payload = dict(case.payload)
    contents: dict[str, Any] = {
        name: value for name, value in payload.items() if name not in ("amount_fen", "sub_limits", "product_limits")
    }
    if "amount_fen" in payload:
        contents["amount"] = yuan(payload["amount_fen"])
    if case.kind == Case.Kind.GROUP_LINE:
        numbers = dict(Customer.objects.filter(pk__in=list(payload["sub_limits"])).values_list("pk", "number"))
        contents["members"] = [
            {
                "customer": numbers[int(pk)], "amount": yuan(fen),
                "products": {code: yuan(limit) for code, limit in payload["product_limits"].get(pk, {}).items()},
            }
            for pk, fen in payload["sub_limits"].items()
        ]  # fmt: skip
    elif "product_limits" in payload:
        contents["products"] = {code: yuan(limit) for code, limit in payload["product_limits"].items()}
    return contents


def _result_out(case: Case) -> dict[str, Any]:
    """What the decision and its operation left, amounts in yuan, customers by their numbers."""
    refused = case.result.get("refused_members", [])
    numbers = Customer.objects.filter(pk__in=refused).order_by("number").values_list("number", flat=True)
    members = {"refused_members": list(numbers)} if refused else {}
    return members | {
        (name.removesuffix("_fen") if name.endswith("_fen") else name): yuan(value) if name.endswith("_fen") else value
        for name, value in case.result.items()
        if name not in ("line", "refused_members")
    }


# --- alerts and the dashboard ---------------------------------------------------------------------------------------


def alerts_seen_by(person: Staff) -> QuerySet[Alert]:
    """Alerts in somebody's view, ready to be shown."""
    day = get_business_date()
    seen = alerts_in_view(scope_of(person, as_of=day), as_of=day).values("pk")
    return (
        Alert.objects.filter(pk__in=seen)
        .select_related("customer", "group", "owner")
        .prefetch_related("notices__unit")
    )  # fmt: skip


def alert_of(alert: Alert) -> dict[str, Any]:
    """One alert with its figures and the branches told."""
    return {
        "id": alert.pk, "code": alert.code, "name": alert.name, "risk_type": alert.risk_type, "level": alert.level,
        "state": alert.state, "customer": alert.customer.number if alert.customer else "",
        "group": alert.group.number if alert.group else "", "message": alert.message,
        "message_en": alert.english,
        "inputs": {name: str(value) for name, value in alert.inputs.items()}, "opened_date": alert.opened_date,
        "event_date": alert.event_date, "evidence": alert.evidence,
        "owner": alert.owner.name if alert.owner else "", "due_date": alert.due_date, "action": alert.action,
        "notices": [
            {"unit": n.unit.name, "sent_date": n.sent_date, "read_date": n.read_date} for n in alert.notices.all()
        ],
    }  # fmt: skip


def dashboard_of(person: Staff) -> dict[str, Any]:
    """Where the lines stand in somebody's view: sums, groups by share of capital, what needs somebody; yuan."""
    day = get_business_date()
    scope = scope_of(person, as_of=day)
    totals, capital = selectors.totals_in_view(scope=scope, as_of=day), selectors.capital_on(day)
    counts = credit_counts(actor=person, scope=scope, as_of=day, business_date=day)
    return {
        "as_of": day, "currency": "CNY", "line": yuan(totals.line_fen), "used": yuan(totals.exposure_fen),
        "customers": totals.customers, "limit_percent": f"{capital.limit_percent:f}",
        "limit_source": capital.limit_citation,
        "warn_percent": f"{capital.warn_percent:f}", "renewable_lines": counts.renewable, "excesses": counts.excesses,
        "exceptions": counts.exceptions, "open_alerts": counts.alerts, "red_alerts": counts.red_alerts,
        "groups": [
            {
                "name": row.name, "is_confirmed": row.is_confirmed, "members": row.member_count,
                "used": yuan(row.exposure_fen), "line": yuan(row.line_fen), "level": row.level,
                "share_percent": None if row.share is None else f"{row.share:.4f}",
                "latest_share_percent": None if row.latest_share is None else f"{row.latest_share:.4f}",
            }
            for row in selectors.list_group_rows(scope=scope, as_of=day)[:50]
        ],
    }  # fmt: skip
