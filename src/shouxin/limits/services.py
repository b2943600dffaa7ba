"""The Python face of the limit ledger: each function is one SQL call and returns its answer as a value.

Amounts are integer 分 in the limit's currency. Call inside the transaction that holds the rest of the act.
What changes lines (caps, freezes, earmarks) is in ``lines``, cover and rates in ``measures``, the day in ``day``.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb
from psycopg.types.range import DateRange

from shouxin.bank.models import OrgUnit
from shouxin.groups.models import CustomerGroup
from shouxin.limits.ledger import Answer, KeyReusedError, LedgerError, NodeState, Refusal, call, read, require
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy.loader import load_book

__all__ = ["Answer", "CoverShare", "KeyReusedError", "LedgerError", "NodeState", "Refusal"]


@dataclass(frozen=True, slots=True)
class CoverShare:
    """How much of one mitigant shall cover a new hold, in 分."""

    mitigant_id: int
    share_fen: int


def cure_date(as_of: dt.date) -> dt.date:
    """By when an excess that opens on a day is to be cured."""
    return as_of + dt.timedelta(days=load_book().whole("limit.excess_cure_days", as_of))


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
    currency: str = "CNY",
    covers: Sequence[CoverShare] = (),
    override: uuid.UUID | None = None,
    may_borrow: bool = False,
) -> Answer:
    """Reserve an amount on the whole path of a facility, or refuse with every reason. Once per (caller, key).

    ``amount_fen`` is in hundredths of ``currency``; another than yuan is counted at the newest rates of the day and
    revalued later. ``covers`` take cash cover off where a cap limits the net exposure. ``override`` is a token that
    lets caps be passed once. ``may_borrow`` lets sibling products lend by the 串用 rules.

    Raises:
        KeyReusedError: the key was used with another payload.
    """
    options: dict[str, object] = {}
    if currency != "CNY":
        options["currency"] = currency
    if covers:
        options["covers"] = [{"mitigant": cover.mitigant_id, "share": cover.share_fen} for cover in covers]
    if override:
        options["override"] = str(override)
    if may_borrow:
        options["may_borrow"] = True
    fingerprint = fingerprint_of(facility_id=facility.pk, amount_fen=amount_fen, payload={**(payload or {}), **options})
    asked = (caller, key, fingerprint, uuid.uuid4(), facility.pk, amount_fen, business_date, expires_at, actor_id)
    answer = call("limit_reserve", (*asked, Jsonb(options)) if options else asked)
    if answer["outcome"] == "key_reused":
        raise KeyReusedError("KEY_REUSED", "该请求编号已用于另一笔内容不同的请求，请换用新的编号。")
    return read(answer)


def fingerprint_of(*, facility_id: int, amount_fen: int, payload: Mapping[str, object] | None = None) -> str:
    """What tells two requests with one key apart: what the caller asked, not the day on which it asks again."""
    asked = {"facility": facility_id, "amount": amount_fen, **(payload or {})}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def simulate(*, facility: Node, amount_fen: int, business_date: dt.date, cover_fen: int = 0) -> Answer:
    """What reserve would answer now; nothing is locked or written."""
    return read(call("limit_simulate", (facility.pk, amount_fen, business_date, cover_fen)))


def post(*, hold_id: uuid.UUID, amount_fen: int, business_date: dt.date, actor_id: int | None) -> None:
    """Book part or all of a hold; the rest is given back. Raises LedgerError when the hold cannot be booked."""
    require(call("limit_post", (hold_id, amount_fen, business_date, actor_id)))


def void(*, hold_id: uuid.UUID, business_date: dt.date, reason: str, actor_id: int | None) -> None:
    """Give a reservation back. Raises LedgerError unless it is still pending."""
    require(call("limit_void", (hold_id, business_date, reason, actor_id)))


def release(*, hold_id: uuid.UUID, amount_fen: int, business_date: dt.date, reason: str, actor_id: int | None) -> None:
    """Take a repayment off a booking. Raises LedgerError above its balance."""
    require(call("limit_release", (hold_id, amount_fen, business_date, reason, actor_id)))


def expire(*, hold_id: uuid.UUID, business_date: dt.date) -> None:
    """End a reservation whose time is over. Raises LedgerError before that, or when it is not pending."""
    require(call("limit_expire", (hold_id, business_date)))


def reverse(*, hold_id: uuid.UUID, business_date: dt.date, reason: str, maker_id: int, checker_id: int) -> int:
    """Take back a booking that was an error; returns what was still outstanding, in 分.

    Raises:
        LedgerError: it is no booking, or was reversed before.
        IntegrityError: maker and checker are one person (``reversal_four_eyes``).
    """
    answer = call("limit_reverse", (hold_id, business_date, reason, maker_id, checker_id))
    require(answer)
    return int(answer["reversed_fen"])


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
    """Put a new cap in force; returns the excess it opens in 分, 0 when what is used fits.

    Raises:
        LedgerError: the parent shares out its cap and this would go beyond it.
    """
    answer = call(
        "limit_set_cap",
        (
            node.pk,
            amount_fen,
            DateRange(valid_from, valid_to),
            approval,
            Jsonb(dict(basis)),
            business_date,
            actor_id,
            cure_by or cure_date(business_date),
        ),
    )
    require(answer)
    return int(answer["excess_fen"])


def set_status(*, node: Node, status: str, reason: str, business_date: dt.date, actor_id: int | None) -> None:
    """Freeze by hand, suspend, reinstate, expire or close one limit. Raises LedgerError when a used one is closed."""
    require(call("limit_set_status", (node.pk, status, reason, business_date, actor_id)))


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
    customer: Customer, *, product: str, product_name: str, name: str, valid_from: dt.date, valid_to: dt.date,
    booking_unit: OrgUnit | None = None,
) -> Node:  # fmt: skip
    """A leaf to reserve on: one contract with its period (UC-07) and the branch that booked it."""
    return Node.objects.create(
        kind=Node.Kind.FACILITY,
        parent=ensure_product_node(customer, product=product, name=product_name),
        customer=customer,
        product=product,
        name=name,
        booking_unit=booking_unit,
        article="UC-07",
        valid_from=valid_from,
        valid_to=valid_to,
    )


def move_customer(customer: Customer, *, to: Node, business_date: dt.date, reason: str, actor_id: int | None) -> int:
    """Hang a customer's limits under another group; returns the excess opened there in 分 (I12, I13)."""
    node = ensure_customer_node(customer)
    answer = call("limit_move_customer", (node.pk, to.pk, business_date, reason, actor_id, cure_date(business_date)))
    return int(answer["excess_fen"])
