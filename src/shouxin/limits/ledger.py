"""Asking the ledger: one SQL call and its answer as a value. Amounts are integer 分."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from shouxin.domain.money import format_yuan
from shouxin.limits import labels
from shouxin.limits.models import Node


class LedgerError(Exception):
    """The ledger would not do what was asked; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class KeyReusedError(LedgerError):
    """The idempotency key was used before with another payload."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """One limit of a path as the ledger saw it under its lock."""

    node_id: int
    kind: str
    name: str
    article: str
    status: str
    cap_fen: int | None
    used_fen: int
    available_fen: int | None

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "NodeState":
        return cls(
            row["node"],
            row["kind"],
            row["name"],
            row["article"],
            row["status"],
            row["cap_fen"],
            row["used_fen"],
            row["available_fen"],
        )

    @property
    def kind_label(self) -> str:
        return str(Node.Kind(self.kind).label)

    @property
    def status_label(self) -> str:
        return str(Node.Status(self.status).label)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One broken rule of one limit."""

    code: str
    node: NodeState
    asked_fen: int
    reason: str
    valid_to: str | None
    valid_from: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ledger decided: accepted with a hold, or refused with every broken limit and the binding one."""

    is_accepted: bool
    asked_fen: int
    effective_available_fen: int | None
    binding: NodeState | None
    path: tuple[NodeState, ...]
    refusals: tuple[Refusal, ...]
    hold_id: uuid.UUID | None
    is_replayed: bool


def refusal_text(refusal: Refusal) -> str:
    """One broken rule in words: which limit, why, what was asked and what is free, in 元."""
    words, _english = labels.REFUSALS.get(refusal.code, (refusal.code, refusal.code))
    free = max(0, refusal.node.available_fen or 0)
    amounts = f"（申请 {format_yuan(refusal.asked_fen)} 元，可用 {format_yuan(free)} 元）"
    reason = f"（{refusal.reason}）" if refusal.reason else ""
    is_short = refusal.code == "LIMIT_EXCEEDED"
    return f"{refusal.node.kind_label} {refusal.node.name}：{words}{amounts if is_short else reason}"


REFUSALS = {
    "HOLD_POSTED": "该笔预占已放款",
    "HOLD_VOIDED": "该笔预占已撤销",
    "HOLD_EXPIRED": "该笔预占已过期，请重新申请",
    "HOLD_PENDING": "该笔尚未放款",
    "POST_OUTSIDE_HOLD": "放款金额须大于 0 且不超过预占金额",
    "RELEASE_ABOVE_BALANCE": "归还金额须大于 0 且不超过余额",
    "LIMIT_FROZEN": "额度已冻结，不能放款",
    "HOLD_REVERSED": "该笔放款已冲销",
    "HOLD_NOT_EXPIRED": "该笔预占尚未到期",
    "LIMIT_IN_USE": "额度仍有占用，不能关闭",
    "NO_CAP_TO_RAISE": "该层没有自己的额度，不能调增临时额度",
    "NO_CAP_TO_MOVE": "调出与调入的额度都须有自己的上限",
    "NOT_SIDE_BY_SIDE": "两个额度须属同一集团且互不包含",
    "DONOR_SHORT": "调出方剩余额度不足",
    "RETURNED_ALREADY": "该笔调剂已归还",
    "ALLOCATION_ABOVE_PARENT": "下级额度合计将超过上级额度",
    "EARMARK_RELEASED": "该笔专项预留已释放",
    "COVER_NOT_AVAILABLE": "缓释物剩余可分配金额不足或不在有效期",
}


def require(answer: Mapping[str, Any]) -> None:
    if answer["outcome"] != "accepted":
        code = str(answer["code"])
        name = f"：{answer['name']}" if answer.get("name") else ""
        raise LedgerError(code, REFUSALS.get(code, code) + name)


def call(function: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    marks = ", ".join(["%s"] * len(arguments))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({marks})", arguments)
        (answer,) = cursor.fetchone()
    return read_json(answer)


def read_json(answer: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """What a function answered; the driver may hand it over as text."""
    if isinstance(answer, str) and answer:
        return dict(json.loads(answer))
    return dict(answer) if answer else {}


def read(answer: Mapping[str, Any]) -> Answer:
    binding = answer.get("binding")
    return Answer(
        is_accepted=answer["outcome"] == "accepted",
        asked_fen=answer["asked_fen"],
        effective_available_fen=answer["effective_available_fen"],
        binding=NodeState.from_json(binding) if binding else None,
        path=tuple(NodeState.from_json(row) for row in answer["path"]),
        refusals=tuple(
            Refusal(
                code=row["code"],
                node=NodeState.from_json(row),
                asked_fen=row["asked_fen"],
                reason=row.get("reason") or "",
                valid_to=row.get("valid_to"),
                valid_from=row.get("valid_from"),
            )
            for row in answer["refusals"]
        ),
        hold_id=uuid.UUID(answer["hold"]) if answer.get("hold") else None,
        is_replayed=bool(answer.get("replayed")),
    )
