"""What a line case asks for: the contents by kind of case, as proposed and as changed while the case is a draft.

A case's contents are what its approvers read and what its digest freezes, so they hold plain texts and 分 only. They
are built here once for the proposal and for its change, by whatever way they came in: page, API or command.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import FEN_MAX, format_wan
from shouxin.facilities import rules

_Role = RoleAssignment.Role
MAY_INITIATE = frozenset({_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD})


def _period(valid_from: dt.date | None, valid_to: dt.date | None) -> dict[str, str]:
    """From and to as a case keeps them. Raises CaseRefusedError naming what is missing, or that it is reversed."""
    fields = (("起始日（valid_from）", valid_from), ("到期日（valid_to）", valid_to))
    findings = [rules.missing_finding(name) for name, value in fields if value is None]
    if findings or valid_from is None or valid_to is None:
        raise CaseRefusedError(findings)
    if valid_to <= valid_from:
        text = f"到期日 {valid_to} 须晚于起始日 {valid_from}。"
        raise CaseRefusedError([Finding("PERIOD_REVERSED", Severity.REFUSE, text, "UC-07")])
    return {"valid_from": valid_from.isoformat(), "valid_to": valid_to.isoformat()}


def _total(fen: int, what: str, article: str) -> int:
    """The amount that a case is about: above zero, since a case over nothing decides nothing (分)."""
    if fen == 0:
        text = f"{what}为 0，没有可以审批的金额（字段 amount）。"
        raise CaseRefusedError([Finding("AMOUNT_NOT_POSITIVE", Severity.REFUSE, text, article)])
    return _amount(fen, what)


def _amount(fen: int, what: str) -> int:
    """An amount that a ledger can hold and nobody owes to a limit: not negative, within the books (分)."""
    if not 0 <= fen <= FEN_MAX:
        raise CaseError(f"{what} {format_wan(fen)} 万元须不小于 0 且在可记账范围内，请改正。")
    return fen


def group_line(
    *, amount_fen: int, sub_limits_fen: Mapping[int, int], valid_from: dt.date | None, valid_to: dt.date | None,
    product_limits_fen: Mapping[int, Mapping[str, int]] | None = None, conditions: str = "", guarantee: str = "",
) -> dict[str, Any]:  # fmt: skip
    """A group's line by member and, within a member, by product; all 分. Raises CaseError for a negative amount."""
    return {
        "amount_fen": _total(amount_fen, "集团额度", "JS-04"),
        "sub_limits": {str(member): _amount(amount, "成员额度") for member, amount in sorted(sub_limits_fen.items())},
        "product_limits": {str(m): _products(row) for m, row in sorted((product_limits_fen or {}).items()) if row},
        **_period(valid_from, valid_to),
        "conditions": conditions,
        "guarantee": guarantee,
    }


def _products(limits_fen: Mapping[str, int]) -> dict[str, int]:
    return {code: _amount(amount, "产品额度") for code, amount in limits_fen.items()}


def general_line(
    *, amount_fen: int, valid_from: dt.date | None, valid_to: dt.date | None,
    product_limits_fen: Mapping[str, int] | None = None, guarantee: str = "", conditions: str = "",
    is_revolving: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """A customer's general line and its sub-limits by product (次级额度); all 分. Raises CaseError when negative."""
    return {
        "amount_fen": _total(amount_fen, "一般额度", "CB-07"),
        "product_limits": _products(product_limits_fen or {}),
        **_period(valid_from, valid_to),
        "guarantee": guarantee,
        "conditions": conditions,
        "is_revolving": is_revolving,
    }


def public_line(
    *, amount_fen: int, valid_from: dt.date | None, valid_to: dt.date | None, is_renewal: bool = False
) -> dict[str, Any]:
    """The part of a general line that is promised by certificate; 分."""
    return {
        "amount_fen": _total(amount_fen, "公开额度", "CB+1"),
        **_period(valid_from, valid_to),
        "is_renewal": is_renewal,
    }


def amount_standing_fen(case: Case) -> int | None:
    """What a case stands for now (分): what is asked for, or what was approved once it is decided (CB+12)."""
    asked: int | None = case.payload.get("amount_fen")
    in_force: int | None = case.result.get("amount_fen")
    if asked is None or in_force is not None:
        return in_force
    limits = case.payload.get("sub_limits", {})
    refused: int = sum(limits.get(str(member), 0) for member in case.result.get("refused_members", []))
    return asked - refused


def customer_exit(*, plan: str, until_date: dt.date | None) -> dict[str, Any]:
    """How and until when a customer is left. Raises CaseRefusedError naming what is missing."""
    fields = (("退出方案（plan）", plan.strip()), ("完成日（until_date）", until_date))
    missing = [rules.missing_finding(name, "CB+8") for name, value in fields if not value]
    if missing or until_date is None:
        raise CaseRefusedError(missing)
    return {"plan": plan, "until_date": until_date.isoformat()}


def may_amend(*, actor: Staff, case: Case, as_of: dt.date) -> bool:
    """Whether this person may change the case's contents now: a draft, and one's own or investigated by oneself."""
    if case.state != Case.State.DRAFT or not roles_of(actor, as_of=as_of) & MAY_INITIATE:
        return False
    return actor.pk == case.created_by_id or case.acts.filter(role=Act.Role.INVESTIGATE, actor=actor).exists()


@transaction.atomic
def amend(
    *, actor: Staff, case: Case, payload: Mapping[str, Any], exception_reason: str | None, business_date: dt.date
) -> Case:
    """Change a draft's or a returned case's contents, or only the reason for its exceptions.

    Contents that the investigators of this round have signed are no longer what they signed: a new round begins and
    both sign again. Raises CaseError for another person or a case that is frozen.
    """
    if case.kind not in _KINDS:
        raise CaseError("用信申请不在此修改，请撤销后重新申请。")
    if case.state == Case.State.DRAFT and not may_amend(actor=actor, case=case, as_of=business_date):
        raise CaseError("案件内容由发起人或调查人修改。")
    return approvals.amend(
        actor=actor, case=case, payload=payload, exception_reason=exception_reason, business_date=business_date
    )


_KINDS = frozenset({Case.Kind.GROUP_LINE, Case.Kind.GENERAL_LINE, Case.Kind.PUBLIC_LINE, Case.Kind.LINE_CHANGE})
