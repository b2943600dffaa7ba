"""What every call of the API shares: keys and scopes, findings, amounts, the idempotency gate."""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Schema
from ninja.responses import Status
from ninja.security import APIKeyHeader
from pydantic import ConfigDict

from shouxin.bank.scope import scope_of
from shouxin.bank.selectors import get_business_date
from shouxin.domain.money import Money, MoneyError
from shouxin.facilities.models import Facility
from shouxin.limits.models import IdempotencyKey, Node
from shouxin.limits.services import Answer, LedgerError
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.web.api.memory import ShortMemory
from shouxin.web.api_keys import RateLimit, hash_of
from shouxin.web.models import ApiClient

M = TypeVar("M", bound=Model)
_rates = RateLimit()
_memory = ShortMemory()
ID_MAX = 2**63 - 1


class Asked(Schema):
    """What a caller sends. A field that nobody reads is a misspelling, and is refused rather than passed over."""

    model_config = ConfigDict(extra="forbid")


class FindingOut(Schema):
    """One reason, as on the pages."""

    code: str
    severity: str
    message: str
    article: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)


class Findings(Schema):
    """Why a call was refused; every reason is listed."""

    findings: list[FindingOut]


class NodeOut(Schema):
    """One limit of a path; amounts in yuan."""

    node: int
    kind: str
    name: str
    article: str
    status: str
    cap: str | None
    used: str
    available: str | None
    currency: str = "CNY"


ERRORS = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Findings)
READ_ERRORS = {status: shape for status, shape in ERRORS.items() if status != 409}
AMOUNT_WORDS = '金额须为文字，单位元，大于 0，至多两位小数，如 "2000000.00"'
AmountText = Field(
    ...,
    description="元，大于 0，至多两位小数",
    examples=["2000000.00"],
    pattern=r"^([1-9][0-9]{0,14}(\.[0-9]{1,2})?|0\.([1-9][0-9]?|0[1-9]))$",
)


class Problem(Exception):  # noqa: N818 - an answer, not always an error
    """An answer other than the wished one, with its findings."""

    def __init__(self, status: int, *findings: Mapping[str, Any]) -> None:
        super().__init__(str(findings))
        self.status, self.findings = status, list(findings)


def message(code: str, text: str, article: str = "", **inputs: str) -> dict[str, Any]:
    return {"code": code, "severity": "refuse", "message": text, "article": article, "inputs": inputs}


def body_of(*findings: Mapping[str, Any]) -> dict[str, Any]:
    return {"findings": list(findings)}


class Key(APIKeyHeader):
    """The key of a client system in the header X-API-Key, with the scope that a call needs."""

    param_name = "X-API-Key"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    def _get_key(self, request: HttpRequest) -> str | None:
        # request.headers would read every header of the call first
        key: str | None = request.META.get("HTTP_X_API_KEY")
        return key

    def authenticate(self, request: HttpRequest, key: str | None) -> ApiClient | None:  # noqa: ARG002
        if not key:
            return None
        client = _client_with(hash_of(key))
        if client is None:
            return None
        if not _rates.allows(client.pk, client.calls_per_minute):
            raise Problem(429, message("TOO_MANY_CALLS", f"每分钟至多 {client.calls_per_minute} 次，请稍后再试。"))
        if self._scope not in client.scopes:
            raise Problem(403, message("SCOPE_MISSING", f"该密钥没有“{ApiClient.Scope(self._scope).label}”权限。"))
        return client


def client_of(request: HttpRequest) -> ApiClient:
    client: ApiClient = request.auth  # type: ignore[attr-defined]
    return client


def _client_with(key_hash: str) -> ApiClient | None:
    return _memory.get(
        ("key", key_hash),
        lambda: (
            ApiClient.objects.select_related("account__unit")
            .filter(key_hash=key_hash, revoked_at__isnull=True, account__is_active=True)
            .first()
        ),
    )


def business_date_now() -> dt.date:
    """The bank's day, as of at most a few seconds ago."""
    return _memory.get("day", get_business_date)


def customers_of(client: ApiClient) -> QuerySet[Customer]:
    """The customers that a client system may see: those of its account."""
    day = business_date_now()
    return visible_customers(_memory.get(("scope", client.pk, day), lambda: scope_of(client.account, as_of=day)))


@dataclass(frozen=True, slots=True)
class Place:
    """A facility in a client's view, and the root above it. A move meanwhile only changes who waits for whom."""

    facility_id: int
    group_id: int


def place_of(client: ApiClient, text: str) -> Place:
    """Where a booking on this contract belongs. Raises Problem(404) as ``find_facility`` does."""
    return _memory.get(("place", client.pk, text), lambda: _find_place(client, text))


def _find_place(client: ApiClient, text: str) -> Place:
    node = find_facility(client, text)
    above = Node.objects.values_list("parent__parent__parent_id", "parent__parent_id").get(pk=node.pk)
    return Place(node.pk, int(above[0] or above[1] or node.pk))


def find_facility(client: ApiClient, text: str) -> Node:
    """A facility by contract number or by the number of its limit, within the client's data scope."""
    node: Node | None = None
    contract = Facility.objects.select_related("node").filter(number=text).first() if "\0" not in text else None
    if contract is not None:
        node = contract.node
    elif text.isdecimal() and text.isascii() and int(text) <= ID_MAX:
        node = Node.objects.filter(pk=int(text), kind=Node.Kind.FACILITY).first()
    if node is None or not customers_of(client).filter(pk=node.customer_id or 0).exists():
        raise Problem(404, message("FACILITY_UNKNOWN", "没有这份合同，或不在该系统的数据范围内。"))
    return node


def newest_first(found: QuerySet[M], cursor: str, *, most: int) -> tuple[list[M], str]:
    """A page of what was found, newest first, from behind a cursor, and the cursor of the next; empty on the last."""
    return page_of(found, by="-pk", after=int(cursor) if cursor else None, most=most)


def page_of(found: QuerySet[M], *, by: str, after: object, most: int) -> tuple[list[M], str]:
    """A page in the order of one unique column (with "-" backwards) from behind a value, and the cursor of the next."""
    column = by.removeprefix("-")
    rows = found.order_by(by)
    if after is not None:
        rows = rows.filter(**{f"{column}__{'lt' if by.startswith('-') else 'gt'}": after})
    page = list(rows[: most + 1])
    return page[:most], str(getattr(page[most - 1], column)) if len(page) > most else ""


def fen_of(amount: str, currency: str) -> int:
    """Whole hundredths of a currency. Raises Problem(422) for what is no amount above zero."""
    try:
        money = Money.from_yuan(amount, currency)
    except MoneyError as error:
        raise Problem(422, message("AMOUNT_INVALID", str(error))) from error
    if money.fen <= 0:
        raise Problem(422, message("AMOUNT_INVALID", "金额须大于 0。"))
    return money.fen


def yuan(fen: int | None) -> str | None:
    """Yuan with two decimals and no separators."""
    if fen is None:
        return None
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def key_of(request: HttpRequest) -> str:
    """The Idempotency-Key of a write. Raises Problem(400) without one."""
    key = str(request.META.get("HTTP_IDEMPOTENCY_KEY", "")).strip()
    if not key or len(key) > 100 or not key.isprintable():
        raise Problem(
            400, message("IDEMPOTENCY_KEY_MISSING", "写入须带 Idempotency-Key 请求头（1 至 100 个可见字符）。")
        )
    return key


def caller_of(client: ApiClient) -> str:
    """Under which name a client's keys are kept: one key means one write, whichever it was."""
    return f"api.{client.pk}"


def once(
    client: ApiClient, key: str, asked: Mapping[str, Any], act: Callable[[], tuple[int, dict[str, Any]]]
) -> Status[dict[str, Any]]:
    """Do an act once per key of a client; the answer is kept with it, refusals too, and given again.

    Raises:
        Problem: 409 while the first is at work, 422 for another payload.
    """
    caller = caller_of(client)
    fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 11))", [caller, key])
            if not cursor.fetchone()[0]:
                raise still_running()
        known = IdempotencyKey.objects.filter(caller=caller, key=key).first()
        if known is not None:
            if known.fingerprint != fingerprint:
                raise key_reused()
            return Status(known.answer["status"], known.answer["body"])
        try:
            with transaction.atomic():
                status, body = act()
        except LedgerError as error:
            status, body = 422, body_of(message(error.code, str(error)))
        IdempotencyKey.objects.create(
            caller=caller, key=key, fingerprint=fingerprint, answer={"status": status, "body": body},
            recorded_at=timezone.now(),
        )  # fmt: skip
    return Status(status, body)


def outcome_unknown() -> Problem:
    """The database broke off: what was asked may have been booked or not; the key tells it."""
    return Problem(503, message("OUTCOME_UNKNOWN", "处理中断，结果未知，请用同一 Idempotency-Key 重试。"))


def still_running() -> Problem:
    return Problem(409, message("KEY_AT_WORK", "同一 Idempotency-Key 的第一笔请求仍在处理，请稍后用同一编号重试。"))


def key_reused() -> Problem:
    return Problem(422, message("KEY_REUSED", "该 Idempotency-Key 已用于内容不同的请求，请换用新的编号。"))


def node_out(state: Any) -> dict[str, Any] | None:
    """A limit's state in yuan."""
    if state is None:
        return None
    return {
        "node": state.node_id, "kind": state.kind, "name": state.name, "article": state.article,
        "status": state.status, "cap": yuan(state.cap_fen), "used": yuan(state.used_fen),
        "available": yuan(state.available_fen), "currency": "CNY",
    }  # fmt: skip


def refusals_of(answer: Answer) -> list[dict[str, Any]]:
    """The ledger's refusals as findings, in the words of the pages."""
    from shouxin.facilities.rules import findings_of_refusals

    return [
        {
            "code": f.code,
            "severity": str(f.severity),
            "message": f.message,
            "article": f.article,
            "inputs": dict(f.inputs),
        }
        for f in findings_of_refusals(answer)
    ]


def parse_hold(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Problem(404, message("HOLD_UNKNOWN", "没有这笔预占。")) from error


def aware(moment: dt.datetime) -> dt.datetime:
    """An instant; without a zone it is taken in the bank's."""
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
