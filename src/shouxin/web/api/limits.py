"""Simulate, availability now or as of a day, groups with their limits and proofs."""

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from ninja.responses import Status

from shouxin.bank.selectors import get_business_date
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.limits import selectors
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.web.api.common import (
    READ_ERRORS,
    AmountText,
    Asked,
    FindingOut,
    Key,
    NodeOut,
    Problem,
    aware,
    client_of,
    customers_of,
    fen_of,
    find_facility,
    message,
    node_out,
    refusals_of,
    yuan,
)

router = Router(tags=["limits"])


@router.get("/ping", response={204: None}, summary="连通性")
def ping(request: HttpRequest) -> Status[None]:  # noqa: ARG001
    """An empty reply: whether the service can be reached, and what a call costs before it does anything."""
    return Status(204, None)


class SimulateIn(Asked):
    """A reservation to try; nothing is written."""

    facility: str
    amount: str = AmountText


class SimulateOut(Schema):
    """What a reservation would be told now."""

    is_accepted: bool
    effective_available: str | None
    currency: str = "CNY"
    binding: NodeOut | None
    path: list[NodeOut]
    findings: list[FindingOut]


class AvailabilityOut(Schema):
    """Own and effective availability of a facility, and its counters by business date as known at an instant."""

    facility: int
    currency: str = "CNY"
    own_available: str | None
    effective_available: str | None
    binding: NodeOut | None
    valid_at: dt.date
    known_at: dt.datetime
    pending: str
    posted: str
    consumed: str
    earmarked: str


class AvailabilityQuery(Schema):
    """Of which business date, as known when; both now by default."""

    valid_at: dt.date | None = None
    known_at: dt.datetime | None = None


class MemberOut(Schema):
    """One member that the client may see."""

    number: str
    name: str
    basis: str


class GroupOut(Schema):
    """A group with its line and its members."""

    number: str
    name: str
    limit: NodeOut | None
    members: list[MemberOut]


class ProofOut(Schema):
    """Why each member belongs to the group."""

    number: str
    members: list[dict[str, Any]]


@router.post("/simulate", auth=Key("read"), response={200: SimulateOut, **READ_ERRORS}, summary="试算")
def simulate(request: HttpRequest, data: SimulateIn) -> dict[str, Any]:
    """What a reservation of this amount would be told now."""
    node = find_facility(client_of(request), data.facility)
    answer = limits.simulate(facility=node, amount_fen=fen_of(data.amount, "CNY"), business_date=get_business_date())
    return {
        "is_accepted": answer.is_accepted, "effective_available": yuan(answer.effective_available_fen),
        "binding": node_out(answer.binding), "path": [node_out(state) for state in answer.path],
        "findings": refusals_of(answer),
    }  # fmt: skip


@router.get(
    "/facilities/{facility}/availability", auth=Key("read"), response={200: AvailabilityOut, **READ_ERRORS},
    summary="可用额度",
)  # fmt: skip
def availability(request: HttpRequest, facility: str, query: Query[AvailabilityQuery]) -> dict[str, Any]:
    """Own and effective availability and the counters: now, or those of ``valid_at`` as known at ``known_at``."""
    node = find_facility(client_of(request), facility)
    day = query.valid_at or get_business_date()
    try:
        known_at = aware(query.known_at) if query.known_at else timezone.now()
        balance = selectors.balance_as_of(node=node, valid_at=day, known_at=known_at)
    except (ValueError, OverflowError) as error:
        raise Problem(422, message("INSTANT_INVALID", "日期或时间超出可查询范围。")) from error
    if query.valid_at or query.known_at:
        path = selectors.path_as_of(node=node, valid_at=day, known_at=known_at)
        binding = selectors.binding_of(path)
        own, effective = path[0], binding.available_fen if binding else None
    else:
        answer = limits.simulate(facility=node, amount_fen=0, business_date=day)
        own, effective, binding = answer.path[0], answer.effective_available_fen, answer.binding
    return {
        "facility": node.pk, "own_available": yuan(own.available_fen),
        "effective_available": yuan(effective), "binding": node_out(binding),
        "valid_at": day, "known_at": known_at, "pending": yuan(balance.pending_fen), "posted": yuan(balance.posted_fen),
        "consumed": yuan(balance.consumed_fen), "earmarked": yuan(balance.earmarked_fen),
    }  # fmt: skip


@router.get("/groups/{number}", auth=Key("read"), response={200: GroupOut, **READ_ERRORS}, summary="集团")
def group(request: HttpRequest, number: str) -> dict[str, Any]:
    """A group with its line and the members that the client may see."""
    found, members = _find_group(request, number)
    node = Node.objects.filter(group=found).first()
    return {
        "number": found.number, "name": found.name, "limit": _limit(node),
        "members": [{"number": m.customer.number, "name": m.customer.party.name, "basis": m.basis} for m in members],
    }  # fmt: skip


@router.get("/groups/{number}/proof", auth=Key("read"), response={200: ProofOut, **READ_ERRORS}, summary="集团认定依据")
def proof(request: HttpRequest, number: str) -> dict[str, Any]:
    """The kept proof of each member that the client may see."""
    found, members = _find_group(request, number)
    return {
        "number": found.number,
        "members": [{"number": m.customer.number, "basis": m.basis, "evidence": m.evidence} for m in members],
    }


def _find_group(request: HttpRequest, number: str) -> tuple[CustomerGroup, list[Any]]:
    client = client_of(request)
    found = CustomerGroup.objects.filter(number=number).first() if "\0" not in number else None
    members = []
    if found is not None:
        visible = set(customers_of(client).filter(memberships__group=found).values_list("pk", flat=True))
        members = [m for m in list_members(found, as_of=get_business_date()) if m.customer_id in visible]
    if found is None or not members:
        raise Problem(404, message("GROUP_UNKNOWN", "没有这个集团，或不在该系统的数据范围内。"))
    return found, members


def _limit(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    return {
        "node": node.pk, "kind": node.kind, "name": node.name, "article": node.article, "status": node.status,
        "cap": yuan(node.cap_fen), "used": yuan(node.used_fen), "available": yuan(node.own_fen), "currency": "CNY",
    }  # fmt: skip
