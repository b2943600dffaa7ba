"""Acts on a credit file as they are exchanged: statements, evaluation, servicing, freezes, reviews, release.

One table: name of the act → its shape and the service that does it. The HTTP API and ``shouxin credit`` read the same
table, and both act as one person, in that person's view and with that person's roles.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ninja import Field

from shouxin.bank.models import Staff
from shouxin.bank.scope import scope_of
from shouxin.domain.money import Money, MoneyError
from shouxin.facilities import evaluating, line_life, servicing
from shouxin.facilities.evaluating import EvaluationError, EvaluationInput, StatementInput
from shouxin.facilities.line_life import LineError
from shouxin.facilities.models import Deal, Drawing, LineFreeze, Overdue
from shouxin.facilities.services import InvalidRequestError, NotAllowedError
from shouxin.facilities.servicing import ServicingError
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import list_members
from shouxin.limits.services import LedgerError
from shouxin.monitoring import reviews, watch
from shouxin.monitoring.alerts import AlertError
from shouxin.monitoring.models import Review
from shouxin.monitoring.reviews import ReviewError, reviews_in_view
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.web.api.common import AmountText, Asked, Problem, message
from shouxin.web.api.exchange import Remark, Text

REFUSALS = (EvaluationError, ServicingError, LineError, ReviewError, AlertError, NotAllowedError, InvalidRequestError)
"""What a service says when it will not; a text with every reason."""
Number = Field(..., min_length=1, max_length=64, pattern=r"^[^\x00]+$")
YuanOrNone = Field("0", pattern=r"^[0-9]{1,14}(\.[0-9]{1,2})?$", description="元，至多两位小数")


class Subject(Asked):
    """A customer or a group, by its number."""

    subject: str = Number


class Period(Asked):
    """One period of a statement: amounts in yuan by item."""

    period_end_date: dt.date
    items: dict[str, str] = Field(..., max_length=60)


class StatementsIn(Subject):
    scope: Literal["own", "consolidated"] = "own"
    source: str = Field(..., min_length=1, max_length=120, pattern=r"^[^\x00]*\S[^\x00]*$")
    periods: list[Period] = Field(..., min_length=1, max_length=12)


class RatingIn(Subject):
    grade: str = Field(..., min_length=1, max_length=8)
    model: str = Field(..., min_length=1, max_length=80, pattern=r"^[^\x00]*\S[^\x00]*$")
    note: str = Remark


class EvaluationIn(Subject):
    """Inputs of methods in 万元 as in the evaluation page, amounts in yuan."""

    methods: dict[str, dict[str, Decimal]] = Field(..., min_length=1, max_length=7)
    need: str = AmountText
    need_basis: str = Remark
    other_banks_now: str = YuanOrNone
    other_banks_expected: str = YuanOrNone
    conclusion: str = Text
    policy_tags: list[tuple[str, str]] = Field(default_factory=list, max_length=20)


class DealAct(Asked):
    deal: str = Number


class RepayIn(DealAct):
    amount: str = AmountText


class CoverIn(DealAct):
    kind: Literal["margin", "own_cd", "treasury"]
    after: str = YuanOrNone
    reason: str = Text
    has_happened: bool = False


class OverdueIn(DealAct):
    since_date: dt.date
    principal: str = YuanOrNone
    interest: str = YuanOrNone
    is_forced_advance: bool = False


class GradeIn(DealAct):
    grade: Literal["pass", "mention", "substandard", "doubtful", "loss"]
    reason: str = Text


class ReasonIn(Subject):
    reason: str = Text


class ReviewIn(Asked):
    review: int = Field(..., ge=1, le=2**31)
    report: str = Text
    has_major_change: bool = False


class OpinionIn(Asked):
    review: int = Field(..., ge=1, le=2**31)
    opinion: str = Text
    continues: bool = True


class ReleaseIn(Asked):
    drawing: UUID
    minutes_number: str = Field("", max_length=80, pattern=r"^[^\x00]*$")


class Act(NamedTuple):
    """One act: what it takes, what it does (gives what was written), and its name in Chinese."""

    shape: type[Asked]
    do: Callable[[Staff, Any, dt.date], Mapping[str, Any]]
    title: str


def _fen(text: str) -> int:
    """Yuan as whole 分; 0 and negative figures of a statement too. Raises Problem(422) for what is no amount."""
    try:
        return Money.from_yuan(text).fen
    except MoneyError as error:
        raise Problem(422, message("AMOUNT_INVALID", str(error))) from error


def _customer(actor: Staff, number: str, day: dt.date) -> Customer:
    found = visible_customers(scope_of(actor, as_of=day)).select_related("party").filter(number=number).first()
    if found is None:
        raise Problem(404, message("SUBJECT_UNKNOWN", "没有这个客户，或不在数据范围内。"))
    return found


def _subject(actor: Staff, number: str, day: dt.date) -> dict[str, Customer | CustomerGroup]:
    """The customer or group of a number in view, under the name that services take."""
    group = CustomerGroup.objects.filter(number=number).first()
    if group is not None:
        members = [member.customer_id for member in list_members(group, as_of=day)]
        if visible_customers(scope_of(actor, as_of=day)).filter(pk__in=members).exists():
            return {"group": group}
    return {"customer": _customer(actor, number, day)}


def _deal(actor: Staff, number: str, day: dt.date) -> Deal:
    seen = visible_customers(scope_of(actor, as_of=day))
    deal = Deal.objects.select_related("customer__party").filter(number=number, customer__in=seen).first()
    if deal is None:
        raise Problem(404, message("DEAL_UNKNOWN", "没有这笔业务，或不在数据范围内。"))
    return deal


def _open_freeze(actor: Staff, number: str, day: dt.date) -> LineFreeze:
    freeze = LineFreeze.objects.filter(**_subject(actor, number, day), lifted_date__isnull=True).first()
    if freeze is None:
        raise Problem(404, message("NOT_FROZEN", "额度没有冻结。"))
    return freeze


def _add_statements(actor: Staff, data: StatementsIn, day: dt.date) -> Mapping[str, Any]:
    periods = [
        StatementInput(one.period_end_date, {item: _fen(text) for item, text in one.items.items()})
        for one in data.periods
    ]
    made = evaluating.add_statements(
        actor=actor, customer=_customer(actor, data.subject, day), statements=periods, scope=data.scope,
        source=data.source, business_date=day,
    )  # fmt: skip
    return {"statements": [str(one.period_end_date) for one in made]}


def _rate(actor: Staff, data: RatingIn, day: dt.date) -> Mapping[str, Any]:
    made = evaluating.rate(
        actor=actor, grade=data.grade, model=data.model, note=data.note, business_date=day,
        **_subject(actor, data.subject, day),  # type: ignore[arg-type]
    )  # fmt: skip
    return {"grade": made.grade}


def _evaluate(actor: Staff, data: EvaluationIn, day: dt.date) -> Mapping[str, Any]:
    made = evaluating.evaluate(
        actor=actor, business_date=day,
        given=EvaluationInput(
            methods=data.methods, need_fen=_fen(data.need), need_basis=data.need_basis,
            other_banks_now_fen=_fen(data.other_banks_now),
            other_banks_expected_fen=_fen(data.other_banks_expected), conclusion=data.conclusion,
            policy_tags=tuple(data.policy_tags),
        ),
        **_subject(actor, data.subject, day),  # type: ignore[arg-type]
    )  # fmt: skip
    return {"evaluation": made.pk, "control_amount_fen": made.control_amount_fen}


def _repay(actor: Staff, data: RepayIn, day: dt.date) -> Mapping[str, Any]:
    done = servicing.repay(
        actor=actor, deal=_deal(actor, data.deal, day), amount_fen=_fen(data.amount), business_date=day
    )
    return {"freed_fen": done.counted_fen}


def _cover(actor: Staff, data: CoverIn, day: dt.date) -> Mapping[str, Any]:
    done = watch.change_cover(
        actor=actor, deal=_deal(actor, data.deal, day), kind=data.kind, after_fen=_fen(data.after),
        reason=data.reason, business_date=day, has_happened=data.has_happened,
    )  # fmt: skip
    return {"exposure_change_fen": done.change.counted_change_fen}


def _overdue(actor: Staff, data: OverdueIn, day: dt.date) -> Mapping[str, Any]:
    done = watch.record_overdue(
        actor=actor, deal=_deal(actor, data.deal, day), since_date=data.since_date, principal_fen=_fen(data.principal),
        interest_fen=_fen(data.interest), is_forced_advance=data.is_forced_advance, business_date=day,
    )  # fmt: skip
    return {"overdue": done.pk}


def _cure(actor: Staff, data: DealAct, day: dt.date) -> Mapping[str, Any]:
    overdue = Overdue.objects.filter(deal=_deal(actor, data.deal, day), cured_date__isnull=True).first()
    if overdue is None:
        raise Problem(404, message("NOT_OVERDUE", "没有登记逾期。"))
    servicing.cure_overdue(actor=actor, overdue=overdue, business_date=day)
    return {"overdue": overdue.pk}


def _classify(actor: Staff, data: GradeIn, day: dt.date) -> Mapping[str, Any]:
    deal = _deal(actor, data.deal, day)
    servicing.classify(actor=actor, deal=deal, grade=data.grade, reason=data.reason, business_date=day)
    return {"grade": servicing.grade_of(deal, as_of=day)}


def _freeze(actor: Staff, data: ReasonIn, day: dt.date) -> Mapping[str, Any]:
    subject = {"customer": None, "group": None, **_subject(actor, data.subject, day)}
    line_life.freeze(actor=actor, reason=data.reason, business_date=day, **subject)  # type: ignore[arg-type]
    return {"frozen": data.subject}


def _confirm_freeze(actor: Staff, data: Subject, day: dt.date) -> Mapping[str, Any]:
    line_life.confirm_freeze(actor=actor, record=_open_freeze(actor, data.subject, day), business_date=day)
    return {"confirmed": data.subject}


def _unfreeze(actor: Staff, data: ReasonIn, day: dt.date) -> Mapping[str, Any]:
    record = _open_freeze(actor, data.subject, day)
    line_life.unfreeze(actor=actor, record=record, reason=data.reason, business_date=day)
    return {"unfrozen": data.subject}


def _review(actor: Staff, pk: int, day: dt.date) -> Review:
    found = reviews_in_view(scope_of(actor, as_of=day), as_of=day).filter(pk=pk).first()
    if found is None:
        raise Problem(404, message("REVIEW_UNKNOWN", "没有这项授信后调查，或不在数据范围内。"))
    return found


def _report_review(actor: Staff, data: ReviewIn, day: dt.date) -> Mapping[str, Any]:
    done = reviews.report_review(
        actor=actor, review=_review(actor, data.review, day), report=data.report,
        has_major_change=data.has_major_change, business_date=day,
    )  # fmt: skip
    return {"state": done.state}


def _give_opinion(actor: Staff, data: OpinionIn, day: dt.date) -> Mapping[str, Any]:
    done = reviews.give_opinion(
        actor=actor, review=_review(actor, data.review, day), opinion=data.opinion, continues=data.continues,
        business_date=day,
    )  # fmt: skip
    return {"state": done.state}


def _release(actor: Staff, data: ReleaseIn, day: dt.date) -> Mapping[str, Any]:
    seen = visible_customers(scope_of(actor, as_of=day))
    drawing = Drawing.objects.filter(pk=data.drawing, facility__customer__in=seen).first()
    if drawing is None:
        raise Problem(404, message("DRAWING_UNKNOWN", "没有这笔支用，或不在数据范围内。"))
    deal = watch.release_drawing(actor=actor, drawing=drawing, business_date=day, minutes_number=data.minutes_number)
    return {"deal": deal.number}


ACTS: Mapping[str, Act] = {
    "statements": Act(StatementsIn, _add_statements, "财务报表"),
    "rating": Act(RatingIn, _rate, "信用评级"),
    "evaluation": Act(EvaluationIn, _evaluate, "全面评价"),
    "repay": Act(RepayIn, _repay, "还款"),
    "cover": Act(CoverIn, _cover, "担保变更"),
    "overdue": Act(OverdueIn, _overdue, "登记逾期"),
    "cure": Act(DealAct, _cure, "逾期已偿还"),
    "classify": Act(GradeIn, _classify, "五级分类"),
    "freeze": Act(ReasonIn, _freeze, "冻结"),
    "confirm-freeze": Act(Subject, _confirm_freeze, "复核冻结"),
    "unfreeze": Act(ReasonIn, _unfreeze, "解冻"),
    "review-report": Act(ReviewIn, _report_review, "授信后调查报告"),
    "review-opinion": Act(OpinionIn, _give_opinion, "风险部门意见"),
    "release-drawing": Act(ReleaseIn, _release, "放款"),
}


def carry_out(actor: Staff, name: str, data: Asked, day: dt.date) -> tuple[int, dict[str, Any]]:
    """Do an act; its answer, or 422 with the reasons. What has no subject in view raises Problem."""
    try:
        return 200, {"act": name, "done": dict(ACTS[name].do(actor, data, day))}
    except (*REFUSALS, LedgerError) as error:
        found = [dict(one.stored(), inputs=dict(one.inputs)) for one in getattr(error, "findings", [])]
        return 422, {"findings": found or [message(getattr(error, "code", "") or "REFUSED", str(error))]}
