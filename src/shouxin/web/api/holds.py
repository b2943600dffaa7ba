"""Reserve, post, void, release, reverse."""

import datetime as dt
import json
import uuid
from typing import Any

from django.db import DatabaseError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Router, Schema
from ninja.responses import Status

from shouxin.audit import services as audit
from shouxin.bank.models import Staff
from shouxin.bank.selectors import get_business_date
from shouxin.limits import services as limits
from shouxin.limits.admission import KeyBusyError, admission
from shouxin.limits.batch import Request
from shouxin.limits.ledger import read
from shouxin.limits.models import Hold, IdempotencyKey, Node
from shouxin.web.api.common import (
    ERRORS,
    READ_ERRORS,
    AmountText,
    Asked,
    Key,
    NodeOut,
    Problem,
    aware,
    body_of,
    business_date_now,
    caller_of,
    client_of,
    customers_of,
    fen_of,
    key_of,
    key_reused,
    message,
    node_out,
    once,
    outcome_unknown,
    place_of,
    refusals_of,
    still_running,
    yuan,
)
from shouxin.web.models import ApiClient

router = Router(tags=["holds"])
Currency = Field("CNY", pattern=r"^[A-Z]{3}$")
YEARS_MAX = dt.timedelta(days=3660)


class HoldIn(Asked):
    """A reservation that is asked for."""

    facility: str = Field(..., description="合同号，或合同额度编号", min_length=1, max_length=40)
    amount: str = AmountText
    currency: str = Currency
    expires_at: dt.datetime


class HoldOut(Schema):
    """A reservation and the limit that binds it."""

    id: uuid.UUID
    facility: int
    amount: str
    currency: str
    expires_at: dt.datetime
    effective_available_before: str | None
    binding: NodeOut | None


class HoldState(Schema):
    """A hold as it stands; amounts in yuan of its currency."""

    id: uuid.UUID
    state: str
    amount: str
    posted: str
    balance: str
    currency: str


class AmountIn(Asked):
    """How much of a hold, in its currency."""

    amount: str = AmountText
    currency: str = Currency


class ReasonIn(Asked):
    """Why."""

    reason: str = Field(..., min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$")


class ReverseIn(ReasonIn):
    """Why, and who authorised it: another person than the client's own account."""

    authorised_by: str = Field(..., description="授权人工号", min_length=1, max_length=40)


@router.post("/holds", auth=Key("book"), response={201: HoldOut, **ERRORS}, summary="预占额度")
def reserve(request: HttpRequest, data: HoldIn) -> HttpResponse | Status[dict[str, Any]]:
    """Reserve on the whole path, or 422 with every broken rule and the binding limit. Committed before it answers."""
    client, key = client_of(request), key_of(request)
    amount_fen = fen_of(data.amount, data.currency)
    place = place_of(client, data.facility)
    expires_at, day = _instant(data.expires_at), business_date_now()
    caller, payload = caller_of(client), {"currency": data.currency, "expires": expires_at}
    fingerprint = limits.fingerprint_of(facility_id=place.facility_id, amount_fen=amount_fen, payload=payload)
    try:
        if not _is_ahead(expires_at):
            answer = _answered_before(caller, key, fingerprint)
        elif data.currency == "CNY":
            asked = Request(
                caller,
                key,
                fingerprint,
                uuid.uuid4(),
                place.facility_id,
                amount_fen,
                expires_at,
                client.account_id,
                day,
            )
            raw = admission.reserve(asked, group_id=place.group_id)
            if raw["outcome"] == "key_reused":
                raise key_reused()
            answer = read(raw)
        else:
            with transaction.atomic():
                answer = limits.reserve(
                    caller=caller, key=key, facility=Node.objects.get(pk=place.facility_id), amount_fen=amount_fen,
                    business_date=day, payload=payload, expires_at=expires_at, actor_id=client.account_id,
                    currency=data.currency,
                )  # fmt: skip
    except KeyBusyError as error:
        raise still_running() from error
    except limits.KeyReusedError as error:
        raise key_reused() from error
    except limits.LedgerError as error:
        is_unknown = error.code == "OUTCOME_UNKNOWN"
        raise (outcome_unknown() if is_unknown else Problem(422, message(error.code, str(error)))) from error
    except OperationalError:
        raise  # broken off, not refused
    except DatabaseError as error:
        text = str(error).split("\n")[0]
        if text.startswith("no rate of"):
            raise Problem(422, message("RATE_MISSING", f"{day} 没有 {data.currency} 的汇率，不能折算。")) from error
        raise Problem(422, message("REQUEST_INVALID", text)) from error
    if not answer.is_accepted:
        return Status(422, body_of(*refusals_of(answer)))
    # Written out here, not by way of HoldOut: the same shape, which the fuzzing of the service holds it to.
    body = {
        "id": str(answer.hold_id), "facility": place.facility_id, "amount": yuan(amount_fen),
        "currency": data.currency, "expires_at": expires_at.isoformat(),
        "effective_available_before": yuan(answer.effective_available_fen), "binding": node_out(answer.binding),
    }  # fmt: skip
    return HttpResponse(
        json.dumps(body, ensure_ascii=False), status=201, content_type="application/json; charset=utf-8"
    )


@router.get("/holds/{hold_id}", auth=Key("read"), response={200: HoldState, **READ_ERRORS}, summary="查询预占")
def show(request: HttpRequest, hold_id: uuid.UUID) -> dict[str, Any]:
    """A hold as it stands."""
    return _state(_find(client_of(request), hold_id))


@router.post("/holds/{hold_id}/post", auth=Key("book"), response={200: HoldState, **ERRORS}, summary="放款记账")
def post(request: HttpRequest, hold_id: uuid.UUID, data: AmountIn) -> Status[dict[str, Any]]:
    """Book part or all of a reservation; the rest is given back."""
    client, key, day = client_of(request), key_of(request), get_business_date()
    hold, amount_fen = _find(client, hold_id), fen_of(data.amount, data.currency)
    _require_currency(hold, data.currency)

    def act() -> tuple[int, dict[str, Any]]:
        limits.post(hold_id=hold_id, amount_fen=amount_fen, business_date=day, actor_id=client.account_id)
        return 200, _state(Hold.objects.get(pk=hold_id))

    return once(client, key, {"act": "post", "hold": hold_id, "amount": amount_fen}, act)


@router.post("/holds/{hold_id}/void", auth=Key("book"), response={200: HoldState, **ERRORS}, summary="撤销预占")
def void(request: HttpRequest, hold_id: uuid.UUID, data: ReasonIn) -> Status[dict[str, Any]]:
    """Give a reservation back."""
    client, key, day = client_of(request), key_of(request), get_business_date()
    _find(client, hold_id)

    def act() -> tuple[int, dict[str, Any]]:
        limits.void(hold_id=hold_id, business_date=day, reason=data.reason, actor_id=client.account_id)
        return 200, _state(Hold.objects.get(pk=hold_id))

    return once(client, key, {"act": "void", "hold": hold_id, "reason": data.reason}, act)


@router.post("/holds/{hold_id}/release", auth=Key("book"), response={200: HoldState, **ERRORS}, summary="归还")
def release(request: HttpRequest, hold_id: uuid.UUID, data: AmountIn) -> Status[dict[str, Any]]:
    """Take a repayment off a booking."""
    client, key, day = client_of(request), key_of(request), get_business_date()
    hold, amount_fen = _find(client, hold_id), fen_of(data.amount, data.currency)
    _require_currency(hold, data.currency)

    def act() -> tuple[int, dict[str, Any]]:
        limits.release(
            hold_id=hold_id, amount_fen=amount_fen, business_date=day, reason=client.name, actor_id=client.account_id
        )
        return 200, _state(Hold.objects.get(pk=hold_id))

    return once(client, key, {"act": "release", "hold": hold_id, "amount": amount_fen}, act)


@router.post("/holds/{hold_id}/reverse", auth=Key("reverse"), response={200: HoldState, **ERRORS}, summary="冲销")
def reverse(request: HttpRequest, hold_id: uuid.UUID, data: ReverseIn) -> Status[dict[str, Any]]:
    """Take a wrong booking back; a second person has authorised it."""
    client, key, day = client_of(request), key_of(request), get_business_date()
    hold = _find(client, hold_id)

    def act() -> tuple[int, dict[str, Any]]:
        checker = _authoriser(client, data.authorised_by, day)
        reversed_fen = limits.reverse(
            hold_id=hold_id, business_date=day, reason=data.reason, maker_id=client.account_id, checker_id=checker.pk
        )
        audit.record(
            actor=checker, action="limits.hold.reversed", subject=("limit", hold.facility_id),
            summary=f"冲销 {hold_id}：{data.reason}", business_date=day,
            details={"hold": str(hold_id), "amount_fen": reversed_fen, "system": client.name},
        )  # fmt: skip
        return 200, _state(Hold.objects.get(pk=hold_id))

    return once(client, key, {"act": "reverse", "hold": hold_id, **data.dict()}, act)


def _authoriser(client: ApiClient, username: str, day: dt.date) -> Staff:
    from shouxin.bank.models import RoleAssignment
    from shouxin.bank.scope import roles_of

    checker = Staff.objects.filter(username=username, is_active=True).first() if "\0" not in username else None
    if checker is None or RoleAssignment.Role.APPROVER not in roles_of(checker, as_of=day):
        raise limits.LedgerError("NOT_AUTHORISED", "授权人须为在岗的授信审批人员。")
    if checker.pk == client.account_id:
        raise limits.LedgerError("FOUR_EYES", "发起人不能授权自己的冲销（四眼原则）。")
    return checker


def _instant(moment: dt.datetime) -> dt.datetime:
    try:
        return aware(moment)
    except (ValueError, OverflowError) as error:
        raise _expiry_invalid() from error


def _is_ahead(expires_at: dt.datetime) -> bool:
    now = timezone.now()
    try:
        return now < expires_at <= now + YEARS_MAX
    except OverflowError:
        return False


def _expiry_invalid() -> Problem:
    return Problem(422, message("EXPIRY_INVALID", "到期时间须晚于现在，且不超过十年。"))


def _answered_before(caller: str, key: str, fingerprint: str) -> limits.Answer:
    """The stored answer of a request that is repeated after its reservation's time; a new one is refused."""
    known = IdempotencyKey.objects.filter(caller=caller, key=key).first()
    if known is None:
        raise _expiry_invalid()
    if known.fingerprint != fingerprint:
        raise key_reused()
    return read(known.told)


def _find(client: ApiClient, hold_id: uuid.UUID) -> Hold:
    hold = Hold.objects.select_related("facility").filter(pk=hold_id).first()
    if hold is None or not customers_of(client).filter(pk=hold.facility.customer_id or 0).exists():
        raise Problem(404, message("HOLD_UNKNOWN", "没有这笔预占，或不在该系统的数据范围内。"))
    return hold


def _require_currency(hold: Hold, currency: str) -> None:
    if hold.currency != currency:
        raise Problem(422, message("CURRENCY_DIFFERS", f"该笔币种为 {hold.currency}，不能以 {currency} 记账。"))


def _state(hold: Hold) -> dict[str, Any]:
    is_foreign = hold.original_amount is not None
    return {
        "id": str(hold.pk), "state": hold.state, "currency": hold.currency,
        "amount": yuan(hold.original_amount if is_foreign else hold.amount_fen),
        "posted": yuan(hold.original_posted if is_foreign else hold.posted_fen),
        "balance": yuan(hold.original_balance if is_foreign else hold.balance_fen),
    }  # fmt: skip
