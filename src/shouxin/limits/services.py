"""The Python face of the limit ledger: each function is one SQL call and returns its answer as a value.

Amounts are integer 分 in the limit's currency. Call inside the transaction that holds the rest of the act.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb
from psycopg.types.range import DateRange

from shouxin.groups.models import CustomerGroup
from shouxin.limits.models import Node
from shouxin.parties.models import Customer


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


@dataclass(frozen=True, slots=True)
class Refusal:
    """One broken rule of one limit."""

    code: str
    node: NodeState
    asked_fen: int
    reason: str
    valid_to: str | None


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


def reserve(
    *,
    caller: str,
    key: str,
    facility: Node,
    amount_fen: int,
    business_date: dt.date,
    expires_at: dt.datetime,
    actor_id: int | None,
    payload: Mapping[str, object] | None = None,
) -> Answer:
    """Reserve an amount on the whole path of a facility, or refuse with every reason. Once per (caller, key).

    Raises:
        KeyReusedError: the key was used with another payload.
    """
    asked = {"facility": facility.pk, "amount": amount_fen, "date": business_date, **(payload or {})}
    fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    answer = _call(
        "limit_reserve",
        (caller, key, fingerprint, uuid.uuid4(), facility.pk, amount_fen, business_date, expires_at, actor_id),
    )
    if answer["outcome"] == "key_reused":
        raise KeyReusedError("KEY_REUSED", "该请求编号已用于另一笔内容不同的请求，请换用新的编号。")
    return _read(answer)


def simulate(*, facility: Node, amount_fen: int, business_date: dt.date) -> Answer:
    """What reserve would answer now; nothing is locked or written."""
    return _read(_call("limit_simulate", (facility.pk, amount_fen, business_date)))


def post(*, hold_id: uuid.UUID, amount_fen: int, business_date: dt.date, actor_id: int | None) -> None:
    """Book part or all of a hold; the rest is given back. Raises LedgerError when the hold cannot be booked."""
    _require(_call("limit_post", (hold_id, amount_fen, business_date, actor_id)))


def void(*, hold_id: uuid.UUID, business_date: dt.date, reason: str, actor_id: int | None) -> None:
    """Give a reservation back. Raises LedgerError unless it is still pending."""
    _require(_call("limit_void", (hold_id, business_date, reason, actor_id)))


def release(*, hold_id: uuid.UUID, amount_fen: int, business_date: dt.date, reason: str, actor_id: int | None) -> None:
    """Take a repayment off a booking. Raises LedgerError above its balance."""
    _require(_call("limit_release", (hold_id, amount_fen, business_date, reason, actor_id)))


def set_cap(
    *,
    node: Node,
    amount_fen: int | None,
    valid_from: dt.date,
    valid_to: dt.date | None,
    approval: str,
    basis: Mapping[str, object],
    business_date: dt.date,
    actor_id: int | None,
    cure_by: dt.date | None = None,
) -> int:
    """Put a new cap in force; returns the excess it opens in 分, 0 when what is used fits."""
    answer = _call(
        "limit_set_cap",
        (
            node.pk,
            amount_fen,
            DateRange(valid_from, valid_to),
            approval,
            Jsonb(dict(basis)),
            business_date,
            actor_id,
            cure_by,
        ),
    )
    return int(answer["excess_fen"])


def set_status(*, node: Node, status: str, reason: str, business_date: dt.date, actor_id: int | None) -> None:
    """Freeze, suspend or reinstate one limit."""
    _call("limit_set_status", (node.pk, status, reason, business_date, actor_id))


def ensure_group_node(group: CustomerGroup) -> Node:
    """The root of a group's limits, made on first use. Its cap is the unified line (JS-11)."""
    node, _ = Node.objects.get_or_create(
        group=group, defaults={"kind": Node.Kind.GROUP, "name": group.name, "article": "JS-11"}
    )
    return node


def ensure_customer_node(customer: Customer) -> Node:
    """A customer's own limit (BR-12); on first use it hangs under a group of its own, so joining one is a move."""
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    if node is not None:
        return node
    alone = create_own_group_node(customer)
    return Node.objects.create(
        kind=Node.Kind.CUSTOMER, parent=alone, customer=customer, name=customer.party.name, article="BR-12"
    )


def create_own_group_node(customer: Customer) -> Node:
    """A group of one, for a customer in no group."""
    return Node.objects.create(kind=Node.Kind.GROUP, name=f"{customer.party.name}（单一客户）", article="CB-08")


def ensure_product_node(customer: Customer, *, product: str, name: str) -> Node:
    """The sub-limit of a product under a customer; without a cap it is bounded by the customer's."""
    parent = ensure_customer_node(customer)
    node, _ = Node.objects.get_or_create(
        customer=customer,
        product=product,
        kind=Node.Kind.PRODUCT,
        defaults={"parent": parent, "name": name, "article": "BR-12"},
    )
    return node


def add_facility_node(
    customer: Customer, *, product: str, product_name: str, name: str, valid_from: dt.date, valid_to: dt.date
) -> Node:
    """A leaf to reserve on: one contract with its period (UC-07)."""
    return Node.objects.create(
        kind=Node.Kind.FACILITY,
        parent=ensure_product_node(customer, product=product, name=product_name),
        customer=customer,
        product=product,
        name=name,
        article="UC-07",
        valid_from=valid_from,
        valid_to=valid_to,
    )


def move_customer(customer: Customer, *, to: Node, business_date: dt.date, reason: str, actor_id: int | None) -> int:
    """Hang a customer's limits under another group; returns the excess opened there in 分 (I12, I13)."""
    node = ensure_customer_node(customer)
    answer = _call("limit_move_customer", (node.pk, to.pk, business_date, reason, actor_id))
    return int(answer["excess_fen"])


_REFUSALS = {
    "HOLD_POSTED": "该笔预占已放款",
    "HOLD_VOIDED": "该笔预占已撤销",
    "HOLD_EXPIRED": "该笔预占已过期，请重新申请",
    "HOLD_PENDING": "该笔尚未放款",
    "POST_OUTSIDE_HOLD": "放款金额须大于 0 且不超过预占金额",
    "RELEASE_ABOVE_BALANCE": "归还金额须大于 0 且不超过余额",
    "LIMIT_FROZEN": "额度已冻结，不能放款",
}


def _require(answer: Mapping[str, Any]) -> None:
    if answer["outcome"] != "accepted":
        code = str(answer["code"])
        raise LedgerError(code, _REFUSALS.get(code, code))


def _call(function: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    marks = ", ".join(["%s"] * len(arguments))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({marks})", arguments)
        (answer,) = cursor.fetchone()
    if isinstance(answer, str) and answer:
        return dict(json.loads(answer))
    return dict(answer) if answer else {}


def _read(answer: Mapping[str, Any]) -> Answer:
    binding = answer.get("binding")
    return Answer(
        is_accepted=answer["outcome"] == "accepted",
        asked_fen=answer["asked_fen"],
        effective_available_fen=answer["effective_available_fen"],
        binding=NodeState.from_json(binding) if binding else None,
        path=tuple(NodeState.from_json(row) for row in answer["path"]),
        refusals=tuple(
            Refusal(
                row["code"], NodeState.from_json(row), row["asked_fen"], row.get("reason") or "", row.get("valid_to")
            )
            for row in answer["refusals"]
        ),
        hold_id=uuid.UUID(answer["hold"]) if answer.get("hold") else None,
        is_replayed=bool(answer.get("replayed")),
    )
