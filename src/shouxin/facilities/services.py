"""Contracts, drawings and repayments. Each function is one use case in one transaction.

A drawing is judged by every rule at once; the limit ledger alone decides about limits, under its locks. The same
findings go to page, API and command.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import connection, transaction
from django.utils import timezone

from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.bank.selectors import get_rate
from shouxin.domain.findings import Finding
from shouxin.facilities import drawing_checks, rules, use_approval
from shouxin.facilities.models import Deal, Drawing, Facility, Precondition, Repayment
from shouxin.facilities.selectors import domain_deals
from shouxin.limits import services as limits
from shouxin.limits.models import Hold, Node
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy.products import find_product

RESERVATION_CALLER = "facilities.drawing"
_MAY_REQUEST = frozenset({RoleAssignment.Role.CUSTOMER_MANAGER, RoleAssignment.Role.BRANCH_HEAD})
_MAY_RELEASE = frozenset({RoleAssignment.Role.BRANCH_HEAD, RoleAssignment.Role.APPROVER})


class InvalidRequestError(ValueError):
    """Amounts or dates that make no drawing; the findings say which. Nothing is kept of it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("；".join(finding.message for finding in findings))
        self.findings = findings


class NotAllowedError(PermissionError):
    """The person may not do this; the text says who may."""


@dataclass(frozen=True, slots=True)
class DrawingRequest:
    """What somebody asks for. Amounts in 分 of the facility's currency."""

    facility: Facility
    amount_fen: int
    margin_fen: int
    value_date: dt.date
    maturity_date: dt.date | None = None
    purpose: str = ""
    is_under_public_line: bool = False
    commitment: Deal | None = None
    exception_reason: str = ""


@transaction.atomic
def open_facility(
    *,
    actor: Staff | None,
    customer: Customer,
    branch: OrgUnit,
    product: str,
    number: str,
    start_date: dt.date,
    end_date: dt.date,
    business_date: dt.date,
    currency: str = "CNY",
) -> Facility:
    """Open a contract with its leaf in the limit tree.

    Raises:
        UnknownProductError: outside the catalogue (CB-11).
        InvalidRequestError: no number, or a period that is no period (UC-07).
    """
    entry = find_product(product, as_of=business_date)
    if invalid := rules.judge_contract(number=number, start_date=start_date, end_date=end_date):
        raise InvalidRequestError(invalid)
    node = limits.add_facility_node(
        customer,
        product=entry.code,
        product_name=entry.name,
        name=number,
        valid_from=start_date,
        valid_to=end_date,
        booking_unit=branch,
    )
    facility = Facility.objects.create(
        number=number,
        customer=customer,
        branch=branch,
        product=entry.code,
        currency=currency,
        start_date=start_date,
        end_date=end_date,
        node=node,
    )
    audit.record(
        actor=actor,
        action="facilities.contract.opened",
        subject=("customer", customer.pk),
        summary=f"开立合同 {number}：{entry.name}，{branch.name}，{start_date} 至 {end_date}",
        business_date=business_date,
    )
    return facility


def gross_fen(request: DrawingRequest) -> int:
    """The whole amount in 分 of yuan, margin included."""
    return _yuan_of(request, request.amount_fen)


def _yuan_of(request: DrawingRequest, fen: int) -> int:
    if request.facility.currency == "CNY":
        return fen
    rate = get_rate(currency=request.facility.currency, as_of=request.value_date).rate
    return int((Decimal(fen) * rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def counted_fen(request: DrawingRequest) -> int:
    """How much of the line a drawing uses, in 分 of yuan: net of margin where the policy says so (JS-14, CB-08).

    Drawing on a commitment uses nothing more: the commitment itself holds the place (X12).
    """
    entry = find_product(request.facility.product, as_of=request.value_date)
    if not entry.is_in_scope:
        return 0
    return _yuan_of(request, request.amount_fen - (request.margin_fen if entry.is_net_of_margin else 0))


def _new_use_fen(request: DrawingRequest, counted: int) -> int:
    """What a drawing adds to the line's use: nothing when it comes out of a commitment that counts already."""
    return 0 if request.commitment is not None else counted


def check_drawing(*, request: DrawingRequest) -> tuple[list[Finding], limits.Answer | None]:
    """Everything that a drawing would be told now, and the ledger's own answer; nothing is written."""
    if invalid := rules.judge_shape(request):
        return invalid, None
    counted = counted_fen(request)
    added = _new_use_fen(request, counted)
    gross = gross_fen(request) if added else 0
    findings = rules.judge_drawing(request=request, counted_fen=added, gross_fen=gross)
    answer = None
    if added > 0:
        answer = limits.simulate(facility=request.facility.node, amount_fen=added, business_date=request.value_date)
        findings = [*findings, *rules.findings_of_refusals(answer)]
    findings += drawing_checks.strictest_finding(drawing_checks.Asked(request, added, gross), answer)
    return sorted(findings, key=lambda finding: not finding.is_refusal), answer


@transaction.atomic
def request_drawing(*, actor: Staff, request: DrawingRequest, key: str, business_date: dt.date) -> Drawing:
    """Ask for a drawing: it is reserved on the whole path, or refused with every reason; both are kept.

    ``key`` makes the act happen once: the same key gives the same drawing back.

    Raises:
        InvalidRequestError: no positive amount, a margin above it, or reversed dates.
        NotAllowedError: the person has no such role, or the customer is outside their view.
        KeyReusedError: the key was used for another request.
    """
    _require_view(actor, request.facility.customer, _MAY_REQUEST, business_date, "支用由客户经理或支行行长发起")
    if invalid := rules.judge_shape(request):
        raise InvalidRequestError(invalid)
    if invalid := rules.judge_commitment(request):
        raise InvalidRequestError(invalid)
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"shouxin:drawing:{actor.pk}:{key}")
    _wait_for_same_key(identity)
    existing = Drawing.objects.filter(pk=identity).first()
    if existing is not None:
        _require_same(existing, request)
        return existing
    counted = counted_fen(request)
    added = _new_use_fen(request, counted)
    gross = gross_fen(request) if added else 0
    findings = rules.judge_drawing(request=request, counted_fen=added, gross_fen=gross)
    is_refused = any(finding.is_refusal for finding in findings)
    answer: limits.Answer | None = None
    if added > 0 and is_refused:
        answer = limits.simulate(facility=request.facility.node, amount_fen=added, business_date=request.value_date)
    elif added > 0:
        days = rules.reservation_days(as_of=business_date)
        answer = limits.reserve(
            caller=RESERVATION_CALLER,
            key=f"{actor.pk}:{key}",
            facility=request.facility.node,
            amount_fen=added,
            business_date=request.value_date,
            expires_at=timezone.now() + dt.timedelta(days=days),
            actor_id=actor.pk,
            payload={"amount": request.amount_fen, "margin": request.margin_fen, "purpose": request.purpose},
        )
    if answer is not None:
        findings = [*findings, *rules.findings_of_refusals(answer)]
    is_refused = any(finding.is_refusal for finding in findings)
    if is_refused:
        findings += drawing_checks.strictest_finding(drawing_checks.Asked(request, added, gross), answer)
    findings.sort(key=lambda finding: not finding.is_refusal)
    drawing = Drawing.objects.create(
        id=identity,
        facility=request.facility,
        amount_fen=request.amount_fen,
        margin_fen=request.margin_fen,
        counted_fen=counted,
        value_date=request.value_date,
        maturity_date=request.maturity_date,
        purpose=request.purpose,
        state=Drawing.State.REFUSED if is_refused else Drawing.State.RESERVED,
        findings=[finding.stored() for finding in findings],
        hold_id=answer.hold_id if answer and not is_refused else None,
        commitment=request.commitment,
        requested_by=actor,
    )
    if not is_refused:
        use_approval.open_for(drawing=drawing, request=request, findings=findings, business_date=business_date)
    audit.record(
        actor=actor,
        action=f"facilities.drawing.{drawing.state}",
        subject=("customer", request.facility.customer_id),
        summary=rules.drawing_summary(drawing),
        business_date=business_date,
        details={"drawing": str(drawing.pk), "findings": drawing.findings},
    )
    return drawing


def _refuse_above_cap(facility: Facility) -> None:
    """What was reserved before an excess is not paid out while it lasts (BR-12); a commitment made earlier is."""
    node: Node | None = facility.node
    while node is not None:
        if node.excess_cause:
            raise limits.LedgerError(
                "LIMIT_IN_EXCESS",
                f"{node.get_kind_display()}额度 {node.name} 已超限：用信 {rules.wan(node.used_fen)}，"
                f"额度 {rules.wan(node.cap_fen or 0)}，压降前不能放款（BR-12）；请先压降，或撤销本笔预占。",
            )
        node = node.parent


@transaction.atomic
def release_drawing(*, actor: Staff, drawing: Drawing, business_date: dt.date, minutes_number: str = "") -> Deal:
    """放款: a second person decides the use and books a reserved drawing; the deal stands from its value date.

    Outside the public line the loan meeting decides case by case, so its minutes are needed (CB+4).

    Raises:
        NotAllowedError: the person asked for it, or may not release.
        CaseError: the minutes are missing, or a higher level decides this use.
        LedgerError: the reservation is gone, a limit is frozen, or stands above its cap since the reservation.
    """
    drawing = Drawing.objects.select_for_update().select_related("facility__customer").get(pk=drawing.pk)
    facility = drawing.facility
    _require_view(actor, facility.customer, _MAY_RELEASE, business_date, "放款由支行行长或授信审批岗办理")
    if drawing.requested_by_id == actor.pk:
        raise NotAllowedError("申请人不能为自己的支用放款，请由另一人办理（四眼原则）。")
    if drawing.state != Drawing.State.RESERVED:
        raise limits.LedgerError("DRAWING_NOT_RESERVED", f"该笔支用为“{drawing.get_state_display()}”，不能放款。")
    if drawing.hold_id is not None and drawing.commitment_id is None:
        _refuse_above_cap(facility)
    use_approval.decide(actor=actor, drawing=drawing, minutes_number=minutes_number, business_date=business_date)
    if drawing.commitment_id is not None:
        drawing.hold_id = _use_commitment(drawing, actor)
    elif drawing.hold_id is not None:
        limits.post(
            hold_id=drawing.hold_id,
            amount_fen=drawing.counted_fen,
            business_date=drawing.value_date,
            actor_id=actor.pk,
        )
    deal = Deal.objects.create(
        number=f"{facility.number}-{Deal.objects.filter(facility=facility).count() + 1:02d}",
        customer=facility.customer,
        branch=facility.branch,
        facility=facility,
        hold_id=drawing.hold_id,
        product=facility.product,
        currency=facility.currency,
        amount_fen=drawing.amount_fen,
        margin_fen=drawing.margin_fen,
        start_date=drawing.value_date,
        maturity_date=drawing.maturity_date,
    )
    drawing.state = Drawing.State.POSTED
    drawing.released_by = actor
    drawing.released_at = timezone.now()
    drawing.save(update_fields=["state", "hold", "released_by", "released_at"])
    audit.record(
        actor=actor,
        action="facilities.drawing.released",
        subject=("customer", facility.customer_id),
        summary=rules.drawing_summary(drawing),
        business_date=business_date,
        details={"drawing": str(drawing.pk), "deal": deal.number},
    )
    return deal


@transaction.atomic
def withdraw_drawing(*, actor: Staff, drawing: Drawing, reason: str, business_date: dt.date) -> None:
    """Give a reserved drawing back. Raises LedgerError unless it is still reserved."""
    drawing = Drawing.objects.select_for_update().select_related("facility__customer").get(pk=drawing.pk)
    _require_view(
        actor, drawing.facility.customer, _MAY_REQUEST | _MAY_RELEASE, business_date, "撤销由经办或放款人办理"
    )
    if drawing.state != Drawing.State.RESERVED:
        raise limits.LedgerError("DRAWING_NOT_RESERVED", f"该笔支用为“{drawing.get_state_display()}”，不能撤销。")
    if drawing.hold_id is not None:
        limits.void(hold_id=drawing.hold_id, business_date=business_date, reason=reason, actor_id=actor.pk)
    drawing.state = Drawing.State.VOIDED
    drawing.save(update_fields=["state"])
    use_approval.withdraw(actor=actor, drawing=drawing, reason=reason, business_date=business_date)
    audit.record(
        actor=actor,
        action="facilities.drawing.withdrawn",
        subject=("customer", drawing.facility.customer_id),
        summary=f"{rules.drawing_summary(drawing)}，原因：{reason}",
        business_date=business_date,
        details={"drawing": str(drawing.pk)},
    )


@transaction.atomic
def add_precondition(*, actor: Staff, facility: Facility, text: str, business_date: dt.date) -> Precondition:
    """Put a condition before a contract's drawings."""
    _require_view(actor, facility.customer, _MAY_REQUEST, business_date, "放款前提由客户经理或支行行长登记")
    row = Precondition.objects.create(facility=facility, text=text)
    audit.record(
        actor=actor,
        action="facilities.precondition.added",
        subject=("customer", facility.customer_id),
        summary=f"{facility.number} 放款前提：{text}",
        business_date=business_date,
    )
    return row


@transaction.atomic
def meet_precondition(*, actor: Staff, row: Precondition, evidence: str, business_date: dt.date) -> Precondition:
    """A condition is met, with what shows it."""
    may = frozenset({RoleAssignment.Role.OPERATIONS, RoleAssignment.Role.BRANCH_HEAD})
    _require_view(actor, row.facility.customer, may, business_date, "放款前提由授信操作岗或支行行长确认落实")
    row = Precondition.objects.select_for_update(of=("self",)).select_related("facility").get(pk=row.pk)
    if row.met_date is not None:
        raise NotAllowedError("该放款前提已落实。")
    row.met_date, row.met_by, row.evidence = business_date, actor, evidence
    row.save(update_fields=["met_date", "met_by", "evidence"])
    audit.record(
        actor=actor,
        action="facilities.precondition.met",
        subject=("customer", row.facility.customer_id),
        summary=f"{row.facility.number} 放款前提已落实：{row.text}（{evidence}）",
        business_date=business_date,
    )
    return row


def _use_commitment(drawing: Drawing, actor: Staff) -> uuid.UUID:
    """Turn a part of a commitment into a booking: its place is given back and taken again in one transaction (X12)."""
    assert drawing.commitment_id is not None  # noqa: S101 - the caller asked
    commitment = Deal.objects.select_for_update().get(pk=drawing.commitment_id)
    if commitment.is_drawn or commitment.closed_date is not None or commitment.amount_fen < drawing.amount_fen:
        raise limits.LedgerError("COMMITMENT_TOO_SMALL", "贷款承诺的未提取金额不足，请核对承诺余额。")
    if commitment.hold_id is not None:
        held = Hold.objects.get(pk=commitment.hold_id).balance_fen
        share = min(held, held * drawing.amount_fen // commitment.amount_fen)
        limits.release(
            hold_id=commitment.hold_id,
            amount_fen=share,
            business_date=drawing.value_date,
            reason=f"提取承诺 {commitment.number}",
            actor_id=actor.pk,
        )
    if commitment.amount_fen == drawing.amount_fen:
        commitment.closed_date = drawing.value_date
    else:
        Repayment.objects.create(
            deal=commitment,
            amount_fen=drawing.amount_fen,
            counted_fen=0,
            repaid_date=drawing.value_date,
            recorded_by=actor,
        )
        commitment.amount_fen -= drawing.amount_fen
    commitment.save(update_fields=["amount_fen", "closed_date"])
    answer = limits.reserve(
        caller="facilities.commitment",
        key=str(drawing.pk),
        facility=drawing.facility.node,
        amount_fen=drawing.counted_fen,
        business_date=drawing.value_date,
        expires_at=timezone.now() + dt.timedelta(days=1),
        actor_id=actor.pk,
    )
    if answer.hold_id is None:
        raise limits.LedgerError(
            "COMMITMENT_REFUSED", "；".join(finding.message for finding in rules.findings_of_refusals(answer))
        )
    limits.post(
        hold_id=answer.hold_id, amount_fen=drawing.counted_fen, business_date=drawing.value_date, actor_id=actor.pk
    )
    return answer.hold_id


def _require_view(
    actor: Staff, customer: Customer, roles: frozenset[RoleAssignment.Role], as_of: dt.date, who_may: str
) -> None:
    if not roles_of(actor, as_of=as_of) & roles:
        raise NotAllowedError(f"您没有此项权限：{who_may}。")
    if not visible_customers(scope_of(actor, as_of=as_of)).filter(pk=customer.pk).exists():
        raise NotAllowedError("该客户不在您的数据范围内。")


def _wait_for_same_key(identity: uuid.UUID) -> None:
    """Two requests with one key come one after the other; the second then finds the first one's drawing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(identity)])


def _require_same(drawing: Drawing, request: DrawingRequest) -> None:
    same = (drawing.facility_id, drawing.amount_fen, drawing.margin_fen, drawing.value_date) == (
        request.facility.pk,
        request.amount_fen,
        request.margin_fen,
        request.value_date,
    )
    if not same:
        raise limits.KeyReusedError("KEY_REUSED", "该请求编号已用于另一笔内容不同的支用。")


@transaction.atomic
def take_over_deal(
    *,
    facility: Facility,
    number: str,
    product: str,
    amount_fen: int,
    start_date: dt.date,
    margin_fen: int = 0,
    own_cd_fen: int = 0,
    treasury_fen: int = 0,
    is_drawn: bool = True,
    maturity_date: dt.date | None = None,
) -> Deal:
    """Bring a deal that exists already onto the books and into the ledger (上线移植). Raises LedgerError if refused."""
    deal = Deal(
        number=number,
        customer=facility.customer,
        branch=facility.branch,
        facility=facility,
        product=find_product(product, as_of=start_date).code,
        currency=facility.currency,
        amount_fen=amount_fen,
        margin_fen=margin_fen,
        own_cd_fen=own_cd_fen,
        treasury_fen=treasury_fen,
        is_drawn=is_drawn,
        start_date=start_date,
        maturity_date=maturity_date,
    )
    ((_, seen),) = domain_deals([deal], as_of=start_date)
    if seen.control_use_fen:
        answer = limits.reserve(
            caller="facilities.take_over",
            key=number,
            facility=facility.node,
            amount_fen=seen.control_use_fen,
            business_date=start_date,
            expires_at=timezone.now() + dt.timedelta(days=1),
            actor_id=None,
        )
        if answer.hold_id is None:
            raise limits.LedgerError("TAKE_OVER_REFUSED", f"{number} 超出额度，不能移植。")
        limits.post(hold_id=answer.hold_id, amount_fen=seen.control_use_fen, business_date=start_date, actor_id=None)
        deal.hold_id = answer.hold_id
    deal.save()
    return deal
