"""The HTTP API at /api/v1 with its page at /api/docs. Each call translates in, makes one call, translates out."""

import logging
from typing import Any

import psycopg
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from shouxin.web.api.alerts import router as alerts
from shouxin.web.api.cases import router as cases
from shouxin.web.api.common import AMOUNT_WORDS, Problem, body_of, message, outcome_unknown
from shouxin.web.api.credit import router as credit
from shouxin.web.api.customers import router as customers
from shouxin.web.api.holds import router as holds
from shouxin.web.api.limits import router as limits
from shouxin.web.api.payroll import router as payroll

log = logging.getLogger(__name__)
api = NinjaAPI(
    title="Shouxin 授信·守信",
    version="1",
    description="额度预占、放款、归还与查询。金额为字符串（元，两位小数）并带币种；写入须带 Idempotency-Key。",
    docs_url="/docs",
    urls_namespace="api",
)
api.add_router("/v1", holds)
api.add_router("/v1", limits)
api.add_router("/v1", customers)
api.add_router("/v1", cases)
api.add_router("/v1", alerts)
api.add_router("/v1", payroll)
api.add_router("/v1", credit)


@api.exception_handler(Problem)
def _problem(request: HttpRequest, error: Problem) -> HttpResponse:
    return api.create_response(request, {"findings": error.findings}, status=error.status)


@api.exception_handler(psycopg.OperationalError)
@api.exception_handler(InterfaceError)
@api.exception_handler(OperationalError)
def _broken_off(request: HttpRequest, error: Exception) -> HttpResponse:
    """A lost connection, a shutdown, a deadlock: never an answer that reads as a refusal."""
    log.warning("outcome unknown: %r", error)
    return _problem(request, outcome_unknown())


@api.exception_handler(AuthenticationError)
def _no_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:  # noqa: ARG001
    body = body_of(message("KEY_INVALID", "缺少有效的 X-API-Key。"))
    answer = api.create_response(request, body, status=401)
    answer["WWW-Authenticate"] = "X-API-Key"
    return answer


@api.exception_handler(ValidationError)
def _bad_input(request: HttpRequest, error: ValidationError) -> HttpResponse:
    findings = [message("INPUT_INVALID", _said(problem)) for problem in error.errors]
    return api.create_response(request, {"findings": findings}, status=422)


def _said(problem: dict[str, Any]) -> str:
    """Where and what; an amount in words rather than as a pattern."""
    place = [str(part) for part in problem["loc"]]
    is_amount = place[-1:] == ["amount"] and problem["type"].startswith("string")
    return f"{'.'.join(place)}：{AMOUNT_WORDS if is_amount else problem['msg']}"


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    return api.create_response(request, body_of(message("REQUEST_UNREADABLE", str(error))), status=error.status_code)


def _leave_sign_in_to_keys(urls: Any) -> Any:
    """The site's sign-in does not apply here: each call carries a key. The page about the API is open."""
    for pattern in urls[0]:
        pattern.callback.login_required = False
    return urls


urls = _leave_sign_in_to_keys(api.urls)


@login_not_required
def unknown_address(request: HttpRequest, rest: str) -> JsonResponse:  # noqa: ARG001
    """An address that no call has, answered in the shape of every other refusal."""
    return JsonResponse(body_of(message("ADDRESS_UNKNOWN", "没有这个接口，见 /api/docs。")), status=404)
