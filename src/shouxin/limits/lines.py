"""Acts on lines: caps raised for a while or moved, room set apart, overrides, freezes by the system or two persons."""

import datetime as dt
import uuid

from django.db import transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.limits.ledger import Answer, LedgerError, call, read, require
from shouxin.limits.models import CapShift, Earmark, Node, Override, StatusRequest
from shouxin.limits.services import cure_date

_MAY_FREEZE = frozenset({RoleAssignment.Role.RISK_OFFICER, RoleAssignment.Role.APPROVER})


class LineActNotAllowedError(PermissionError):
    """The person may not do this; the text says who may."""


def raise_for_a_while(
    *, node: Node, amount_fen: int, start: dt.date, return_date: dt.date, approval: str, maker_id: int, checker_id: int
) -> CapShift:
    """临时额度: raise a cap until its return date. Raises LedgerError without a cap or above a parent's allocation."""
    answer = call("limit_raise_for_a_while", (node.pk, amount_fen, start, return_date, approval, maker_id, checker_id))
    require(answer)
    return CapShift.objects.get(pk=answer["shift"])


def reallocate(
    *,
    donor: Node,
    receiver: Node,
    amount_fen: int,
    business_date: dt.date,
    approval: str,
    maker_id: int,
    checker_id: int,
    return_date: dt.date | None = None,
) -> CapShift:
    """额度调剂: move part of one cap to another line of the same group (I9).

    Raises:
        LedgerError: the donor would keep less than it uses, or the lines do not stand side by side.
    """
    answer = call(
        "limit_reallocate",
        (donor.pk, receiver.pk, amount_fen, business_date, return_date, approval, maker_id, checker_id),
    )
    require(answer)
    return CapShift.objects.get(pk=answer["shift"])


def return_shift(*, shift: CapShift, business_date: dt.date, actor_id: int | None) -> int:
    """Give a shifted cap back; returns the excess this opens at the receiver, in 分."""
    answer = call("limit_return_shift", (shift.pk, business_date, actor_id, cure_date(business_date)))
    require(answer)
    return int(answer["excess_fen"])


def earmark(
    *, node: Node, amount_fen: int, purpose: str, business_date: dt.date, actor_id: int | None,
    until: dt.date | None = None,
) -> tuple[Answer, Earmark | None]:  # fmt: skip
    """专项预留: set room apart on a node; judged like a reservation. The earmark is None when refused."""
    identity = uuid.uuid4()
    answer = read(call("limit_earmark", (identity, node.pk, amount_fen, purpose, until, business_date, actor_id)))
    return answer, Earmark.objects.get(pk=identity) if answer.is_accepted else None


def release_earmark(*, earmark_id: uuid.UUID, business_date: dt.date, reason: str, actor_id: int | None) -> None:
    """Give room back that was set apart. Raises LedgerError when that was done before."""
    require(call("limit_release_earmark", (earmark_id, business_date, reason, actor_id)))


def grant_override(
    *,
    facility: Node,
    amount_fen: int,
    authority: str,
    reason: str,
    maker_id: int,
    checker_id: int,
    expires_at: dt.datetime,
    cure_by: dt.date,
) -> Override:
    """Allow one reservation above the caps of a facility's path; the token is used once, before it expires."""
    return Override.objects.create(
        facility=facility, amount_fen=amount_fen, authority=authority, reason=reason, maker_id=maker_id,
        checker_id=checker_id, expires_at=expires_at, cure_by_date=cure_by,
    )  # fmt: skip


def freeze_by_system(*, node: Node, is_on: bool, reason: str, business_date: dt.date) -> None:
    """Set or lift the system's freeze; a freeze by hand stays as it is."""
    require(call("limit_set_freeze", (node.pk, True, is_on, reason, business_date, None)))


@transaction.atomic
def propose_status(*, actor: Staff, node: Node, act: str, reason: str, business_date: dt.date) -> StatusRequest:
    """Ask for a freeze, its lifting, a suspension or a reinstatement; another person decides.

    Raises:
        LineActNotAllowedError: the person has no such role.
        LedgerError: no reason, a request for this limit is open already, or the act does not fit its state.
    """
    _require_role(actor, business_date)
    if not reason.strip():
        raise LedgerError("REASON_MISSING", "请写明原因。")
    Node.objects.select_for_update(no_key=True).get(pk=node.pk)
    _require_fitting(node.pk, act)
    if StatusRequest.objects.filter(node=node, state=StatusRequest.State.PROPOSED).exists():
        raise LedgerError("REQUEST_OPEN", "该额度已有一项待复核的申请，请先处理。")
    request = StatusRequest.objects.create(node=node, act=act, reason=reason.strip(), proposed_by=actor)
    _note(actor, request, "proposed", f"申请{request.get_act_display()}", business_date)
    return request


@transaction.atomic
def decide_status(*, actor: Staff, request: StatusRequest, is_agreed: bool, business_date: dt.date) -> None:
    """Carry out or turn down a request of another person.

    Raises:
        LineActNotAllowedError: the person proposed it, or has no such role.
        LedgerError: it was decided before, or the limit's state has changed so that the act no longer fits.
    """
    request = StatusRequest.objects.select_for_update(of=("self",)).select_related("node").get(pk=request.pk)
    _require_role(actor, business_date)
    if request.proposed_by_id == actor.pk:
        raise LineActNotAllowedError("申请人不能复核自己的申请，请由另一人办理（四眼原则）。")
    if request.state != StatusRequest.State.PROPOSED:
        raise LedgerError("DECIDED_ALREADY", f"该申请为“{request.get_state_display()}”，不能再办理。")
    request.state = StatusRequest.State.DONE if is_agreed else StatusRequest.State.REJECTED
    request.decided_by, request.decided_at = actor, timezone.now()
    request.save(update_fields=["state", "decided_by", "decided_at"])
    if is_agreed:
        _require_fitting(request.node_id, request.act)
        _apply(request, actor, business_date)
    verb = "复核通过" if is_agreed else "退回"
    _note(actor, request, "decided", f"{verb}{request.get_act_display()}", business_date)


def requests_to_decide(actor: Staff, *, as_of: dt.date) -> list[StatusRequest]:
    """Freezes, suspensions and their lifting that another person asked for, the oldest first; none without the role."""
    if not roles_of(actor, as_of=as_of) & _MAY_FREEZE:
        return []
    waiting = StatusRequest.objects.filter(state=StatusRequest.State.PROPOSED).exclude(proposed_by=actor)
    above = "node__parent__parent__parent"
    return list(waiting.select_related(above, "node__customer", "proposed_by").order_by("proposed_at", "pk"))


def _require_fitting(node_id: int, act: str) -> None:
    """An act changes something, and only what it says: reinstating opens no closed or expired line, lifts no freeze."""
    node = Node.objects.select_for_update(no_key=True).get(pk=node_id)
    standing, acts = Node.Status(node.standing), StatusRequest.Act
    is_suspended = standing == Node.Status.SUSPENDED
    problem = {
        acts.FREEZE: "已人工冻结，无需再次冻结" if node.is_frozen_manually else "",
        acts.UNFREEZE: "" if node.is_frozen_manually else "没有人工冻结可解除",
        acts.SUSPEND: "" if standing == Node.Status.ACTIVE else f"状态为“{standing.label}”，不能暂停",
        acts.REINSTATE: "" if is_suspended else f"状态为“{standing.label}”，只有暂停的额度可以恢复",
    }[acts(act)]
    if act == acts.REINSTATE and not problem and node.is_frozen_manually:
        problem = "仍在人工冻结中，请先解冻"
    if standing == Node.Status.CLOSED:
        problem = "已关闭，不能变更状态"
    if problem:
        raise LedgerError("STATUS_NOT_FITTING", f"{node.name} {problem}。")


def _apply(request: StatusRequest, actor: Staff, business_date: dt.date) -> None:
    act = StatusRequest.Act
    reason = (request.node_id, request.reason, business_date, actor.pk)
    if request.act in (act.FREEZE, act.UNFREEZE):
        node_id, why, day, who = reason
        require(call("limit_set_freeze", (node_id, False, request.act == act.FREEZE, why, day, who)))
        return
    status = Node.Status.SUSPENDED if request.act == act.SUSPEND else Node.Status.ACTIVE
    node_id, why, day, who = reason
    require(call("limit_set_status", (node_id, status, why, day, who)))


def _require_role(actor: Staff, as_of: dt.date) -> None:
    if not roles_of(actor, as_of=as_of) & _MAY_FREEZE:
        raise LineActNotAllowedError("您没有此项权限：冻结与解冻由风险审查或授信审批岗办理。")


def _note(actor: Staff, request: StatusRequest, step: str, what: str, business_date: dt.date) -> None:
    audit.record(
        actor=actor, action=f"limits.status.{step}", subject=("limit", request.node_id),
        summary=f"{what}：{request.node.name}，原因：{request.reason}", business_date=business_date,
        details={"request": request.pk, "act": request.act, "state": request.state},
    )  # fmt: skip
