"""Credit cases over HTTP: list, open, change, investigate, submit, review, decide, put in force, send back, withdraw.

The client acts as its account: the roles, the view and the four eyes of that person hold as on the pages, by the same
services. A refusal is an answer with every finding, and nothing of it is written.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from ninja.responses import Status

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Case
from shouxin.approvals.selectors import cases_in_view
from shouxin.approvals.services import CaseError
from shouxin.bank.models import Staff
from shouxin.facilities import line_cases
from shouxin.parties.models import Customer
from shouxin.web.api.common import (
    ERRORS,
    READ_ERRORS,
    Asked,
    Key,
    Problem,
    business_date_now,
    client_of,
    key_of,
    message,
    newest_first,
    once,
)
from shouxin.web.api.exchange import (
    KINDS,
    AmendIn,
    CaseIn,
    CaseOut,
    CaseRow,
    Remark,
    Text,
    amended,
    case_of,
    opened,
    refused_by,
    row_of,
)
from shouxin.web.models import ApiClient

router = Router(tags=["cases"])
PAGE = 50


class SubmitIn(Asked):
    """Why there are exceptions, when there are."""

    exception_reason: str = Remark


class OpinionIn(Asked):
    """What somebody says."""

    opinion: str = Text


class InvestigateIn(OpinionIn):
    """An investigator's opinion."""

    is_on_site: bool = False


class ReviewIn(OpinionIn):
    """The review's opinion."""

    agrees: bool


class DecideIn(OpinionIn):
    """The decision on exactly the contents whose digest is given."""

    approves: bool
    digest: str = Field(..., min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")
    refused_members: list[str] = Field(default_factory=list, max_length=500, description="不予批准的成员客户号")


class MinutesIn(Asked):
    """What a meeting resolved."""

    number: str = Field(..., min_length=1, max_length=80, pattern=r"^[^\x00]*\S[^\x00]*$")
    meeting: Literal["president", "loan"]
    held_date: dt.date
    resolution: str = Text
    attendees: str = Field("", max_length=400, pattern=r"^[^\x00]*$")


class CasePage(Schema):
    """One page, the newest first; ``next_cursor`` is empty on the last."""

    cases: list[CaseRow]
    next_cursor: str


class CaseQuery(Schema):
    """Which cases, and where the page before ended."""

    kind: Literal["", "group", "general", "public", "exit"] = ""
    state: Literal["", "draft", "review", "decide", "approved", "done", "refused", "withdrawn"] = ""
    cursor: str = Field("", pattern=r"^[0-9]{0,18}$")


Answer = Status[dict[str, Any]]


# --- reading --------------------------------------------------------------------------------------------------------


@router.get("/cases", auth=Key("read"), response={200: CasePage, **READ_ERRORS}, summary="授信案件")
def list_cases(request: HttpRequest, query: Query[CaseQuery]) -> dict[str, Any]:
    """Cases in the view of the client's account, the newest first."""
    found = _in_view(client_of(request)).filter(kind__in=KINDS.values())
    if query.kind:
        found = found.filter(kind=KINDS[query.kind])
    if query.state:
        found = found.filter(state=query.state)
    rows, after = newest_first(found, query.cursor, most=PAGE)
    return {"cases": [row_of(case) for case in rows], "next_cursor": after}


@router.get("/cases/{number}", auth=Key("read"), response={200: CaseOut, **READ_ERRORS}, summary="授信案件明细")
def read_case(request: HttpRequest, number: str) -> dict[str, Any]:
    """One case. A draft's findings are those of today, a submitted one's those of its submission."""
    return case_of(_find(client_of(request), number), business_date_now())


# --- writing --------------------------------------------------------------------------------------------------------


@router.post("/cases", auth=Key("cases"), response={201: CaseOut, **ERRORS}, summary="发起授信案件")
def open_case(request: HttpRequest, data: CaseIn) -> Answer:
    """Open a case of a line: the lead branch for a group, the customer's own for a customer."""
    return _written(request, {"open": data.dict()}, lambda actor, day: opened(actor, data, day), status=201)


@router.put("/cases/{number}", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="修改草稿或退回的案件")
def amend_case(request: HttpRequest, number: str, data: AmendIn) -> Answer:
    """Put new contents into a draft. Contents that investigators signed begin a new round."""
    case = _find(client_of(request), number)
    return _written(
        request, {"amend": number, **data.dict()}, lambda actor, day: amended(actor, case, data, day)
    )  # fmt: skip


@router.post(
    "/cases/{number}/investigate", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="签署调查意见"
)
def investigate(request: HttpRequest, number: str, data: InvestigateIn) -> Answer:
    """One investigator's opinion."""
    return _step(
        request, number, "investigate", data,
        lambda actor, case, day: approvals.investigate(
            actor=actor, case=case, opinion=data.opinion, is_on_site=data.is_on_site, business_date=day
        ),
    )  # fmt: skip


@router.post("/cases/{number}/submit", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="提交审查")
def submit(request: HttpRequest, number: str, data: SubmitIn) -> Answer:
    """Freeze the contents with what the rules say; every refusal is listed."""
    return _step(
        request, number, "submit", data,
        lambda actor, case, day: line_cases.submit(
            actor=actor, case=case, exception_reason=data.exception_reason, business_date=day
        ),
    )  # fmt: skip


@router.post("/cases/{number}/review", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="审查")
def review(request: HttpRequest, number: str, data: ReviewIn) -> Answer:
    """The risk department's opinion."""
    return _step(
        request, number, "review", data,
        lambda actor, case, day: approvals.review(
            actor=actor, case=case, agrees=data.agrees, opinion=data.opinion, business_date=day
        ),
    )  # fmt: skip


@router.post(
    "/cases/{number}/minutes", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="登记并附会议纪要"
)
def minutes(request: HttpRequest, number: str, data: MinutesIn) -> Answer:
    """Record what a meeting resolved and put it to the case."""
    return _step(
        request, number, "minutes", data,
        lambda actor, case, day: approvals.minute_case(actor=actor, case=case, business_date=day, **data.dict()),
    )  # fmt: skip


@router.post("/cases/{number}/decide", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="审批")
def decide(request: HttpRequest, number: str, data: DecideIn) -> Answer:
    """Approve or refuse what the digest stands for; today's facts are judged anew."""
    refused = Customer.objects.filter(number__in=data.refused_members).values_list("pk", flat=True)

    def act(actor: Staff, case: Case, day: dt.date) -> object:
        if len(refused) != len(set(data.refused_members)):
            raise CaseError("不予批准的成员中有不存在的客户号，请核对。")
        return line_cases.decide(
            actor=actor, case=case, is_approved=data.approves, opinion=data.opinion, business_date=day,
            digest=data.digest, refused_members=frozenset(refused),
        )  # fmt: skip

    return _step(request, number, "decide", data, act)


@router.post("/cases/{number}/operate", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="落实生效")
def operate(request: HttpRequest, number: str, data: OpinionIn) -> Answer:
    """Put an approved case into force."""
    return _step(
        request, number, "operate", data,
        lambda actor, case, day: line_cases.operate(actor=actor, case=case, opinion=data.opinion, business_date=day),
    )  # fmt: skip


@router.post("/cases/{number}/return", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="退回补充")
def send_back(request: HttpRequest, number: str, data: OpinionIn) -> Answer:
    """Send a case back; a new round begins."""
    return _step(
        request, number, "return", data,
        lambda actor, case, day: approvals.send_back(actor=actor, case=case, opinion=data.opinion, business_date=day),
    )  # fmt: skip


@router.post("/cases/{number}/withdraw", auth=Key("cases"), response={200: CaseOut, **ERRORS}, summary="撤回案件")
def withdraw(request: HttpRequest, number: str, data: OpinionIn) -> Answer:
    """Take an undecided case back; it is kept."""
    return _step(
        request, number, "withdraw", data,
        lambda actor, case, day: approvals.withdraw(actor=actor, case=case, reason=data.opinion, business_date=day),
    )  # fmt: skip


# --- inside ---------------------------------------------------------------------------------------------------------


def _step(
    request: HttpRequest, number: str, name: str, data: Schema, act: Callable[[Staff, Case, dt.date], object]
) -> Answer:
    case = _find(client_of(request), number)

    def do(actor: Staff, day: dt.date) -> Case:
        act(actor, case, day)
        return case

    return _written(request, {name: number, **data.dict()}, do)


def _written(
    request: HttpRequest, asked: Mapping[str, Any], act: Callable[[Staff, dt.date], Case], *, status: int = 200
) -> Answer:
    """Do a step once per Idempotency-Key as the client's account; a refusal leaves nothing behind."""
    client, key, day = client_of(request), key_of(request), business_date_now()

    def do() -> tuple[int, dict[str, Any]]:
        try:
            with transaction.atomic():
                case = act(client.account, day)
                return status, CaseOut(**case_of(_in_view(client).get(pk=case.pk), day)).model_dump(mode="json")
        except CaseError as error:
            return refused_by(error)

    return once(client, key, asked, do)


def _in_view(client: ApiClient) -> Any:
    return cases_in_view(client.account, as_of=business_date_now())


def _find(client: ApiClient, number: str) -> Case:
    case: Case | None = None
    if "\0" not in number:
        case = _in_view(client).filter(number=number, kind__in=KINDS.values()).first()
    if case is None:
        raise Problem(404, message("CASE_UNKNOWN", "没有这个案件，或不在该系统的数据范围内。"))
    return case
