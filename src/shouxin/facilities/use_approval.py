"""使用额度的审批: the use of a line is a case of its own, apart from the line (CB-01), at two speeds (CB+4).

Inside the public line the credit department reports to the responsible vice president; other use under the general
line goes to the loan approval meeting, one by one; fully cash-covered business is exempt. A restricted rating moves the
decision one level up (CB+6).
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Case, Minutes
from shouxin.approvals.services import CaseError
from shouxin.bank.models import Staff
from shouxin.domain.authority import Level, LevelAnswer
from shouxin.domain.findings import Finding
from shouxin.domain.money import format_wan
from shouxin.facilities.models import Drawing
from shouxin.policy import load_book
from shouxin.policy.products import find_product

if TYPE_CHECKING:
    from shouxin.facilities.services import DrawingRequest


def kind_of(drawing: Drawing, *, is_under_public_line: bool) -> Case.Kind:
    """Which of the three ways a drawing takes."""
    if is_under_public_line:
        return Case.Kind.USE_PUBLIC
    exempt = load_book().items_in_force("use.exempt_products", drawing.value_date)
    product = find_product(drawing.facility.product, as_of=drawing.value_date).code
    if drawing.counted_fen == 0 or product in exempt:
        return Case.Kind.USE_EXEMPT
    return Case.Kind.USE_OTHER


def open_for(
    *, drawing: Drawing, request: "DrawingRequest", findings: Sequence[Finding], business_date: dt.date
) -> Case:
    """The case of a reserved drawing, frozen as it was asked for."""
    is_restricted = any(finding.code == "RATING_RESTRICTED" for finding in findings)
    case = approvals.open_case(
        actor=drawing.requested_by,
        kind=kind_of(drawing, is_under_public_line=request.is_under_public_line),
        subject=("customer", drawing.facility.customer_id),
        subject_name=drawing.facility.customer.party.name,
        unit=drawing.facility.customer.unit,
        payload={
            "drawing": str(drawing.pk), "facility": drawing.facility.number, "amount_fen": drawing.amount_fen,
            "margin_fen": drawing.margin_fen, "counted_fen": drawing.counted_fen,
            "value_date": drawing.value_date.isoformat(),
        },
        business_date=business_date,
    )  # fmt: skip
    up = load_book().in_force("approval.exception_levels", drawing.value_date) if is_restricted else None
    level = Level(min(Level.BRANCH + int(up.decimal), Level.MEETING)) if up else Level.BRANCH
    reason = "信用等级受限，使用审批上收一级（CB+6）" if up else "额度内使用由经办行审批（CB+4）"
    case = approvals.submit(
        actor=drawing.requested_by, case=case, findings=list(findings), facts={},
        answer=LevelAnswer(level, None, (reason,)),
        exceptions=[], exception_reason="", business_date=business_date, needs_review=False,
    )  # fmt: skip
    drawing.case = case
    drawing.save(update_fields=["case"])
    return case


def needs_minutes(drawing: Drawing) -> bool:
    """Whether the loan meeting must have decided before the money goes out."""
    return drawing.case is not None and drawing.case.kind == Case.Kind.USE_OTHER and drawing.case.minutes_id is None


def decide(*, actor: Staff, drawing: Drawing, minutes_number: str, business_date: dt.date) -> None:
    """Decide the use with the release. Raises CaseError without the meeting's minutes or for a higher level."""
    case = drawing.case
    if case is None:
        return
    if needs_minutes(drawing):
        if not minutes_number.strip():
            raise CaseError("一般额度下的使用须经贷款审批会议逐笔审批（CB+4），请填写会议纪要编号后再放款。")
        minutes = approvals.record_minutes(
            actor=actor,
            number=minutes_number,
            meeting=Minutes.Meeting.LOAN,
            held_date=business_date,
            resolution=f"同意 {case.subject_name} 支用 {format_wan(drawing.amount_fen)} 万元",
            business_date=business_date,
        )
        case = approvals.attach_minutes(actor=actor, case=case, minutes=minutes, business_date=business_date)
    opinion = "报分管行长同意（公开额度内）" if case.kind == Case.Kind.USE_PUBLIC else "同意使用"
    case = approvals.decide(actor=actor, case=case, is_approved=True, opinion=opinion, business_date=business_date)
    approvals.finish(case=case, actor=actor, result={"drawing": str(drawing.pk)}, business_date=business_date)


def withdraw(*, actor: Staff, drawing: Drawing, reason: str, business_date: dt.date) -> None:
    """The drawing was given back; its case is kept as withdrawn."""
    if drawing.case is not None and drawing.case.is_open:
        approvals.close_withdrawn(case=drawing.case, actor=actor, reason=reason, business_date=business_date)
