"""Cases about lines: proposing them, and their way through submission, decision and operation.

Submission, decision and operation all judge anew (``line_kinds``); what has changed since submission stops the
decision.
"""

import datetime as dt
from collections.abc import Mapping

from django.db import transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case
from shouxin.approvals.services import CaseError
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.domain.authority import LevelAnswer
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import case_contents, public_lines
from shouxin.facilities.lead import judge_initiation
from shouxin.facilities.line_judging import Judgement, changed_facts
from shouxin.facilities.line_kinds import KINDS
from shouxin.groups.models import CustomerGroup
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role


def propose_group_line(
    *, actor: Staff, group: CustomerGroup, amount_fen: int, sub_limits_fen: Mapping[int, int],
    valid_from: dt.date | None, valid_to: dt.date | None, business_date: dt.date,
    product_limits_fen: Mapping[int, Mapping[str, int]] | None = None, conditions: str = "", guarantee: str = "",
) -> Case:  # fmt: skip
    """The lead branch proposes a unified line. Raises CaseError for another branch or an open case (JS-07, A-09).

    Before the rule on lead branches was in force any branch does.
    """
    _require_initiator(actor, business_date)
    is_led = load_book().in_force("lead.rule", business_date) is not None
    lead = group.lead_unit if is_led else actor.unit
    if lead is None:
        raise CaseError("该集团尚未确定牵头行，请先由总行确定牵头行（JS-07、JS-08）。")
    if not actor.unit.is_head_office and not actor.unit.path.startswith(lead.path):
        raise CaseError(f"集团统一授信由牵头行 {lead.name} 发起（JS-07）。")
    stale = judge_initiation(group, as_of=business_date)
    if stale:
        raise CaseError(stale)
    return approvals.open_case(
        actor=actor, kind=Case.Kind.GROUP_LINE, subject=("group", group.pk), subject_name=group.name, unit=lead,
        payload=case_contents.group_line(
            amount_fen=amount_fen, sub_limits_fen=sub_limits_fen, product_limits_fen=product_limits_fen,
            valid_from=valid_from, valid_to=valid_to, conditions=conditions, guarantee=guarantee,
        ),
        business_date=business_date, exclusive_key=f"line:group:{group.pk}",
    )  # fmt: skip


def propose_customer_line(
    *, actor: Staff, customer: Customer, amount_fen: int, valid_from: dt.date | None, valid_to: dt.date | None,
    business_date: dt.date, product_limits_fen: Mapping[str, int] | None = None, guarantee: str = "",
    conditions: str = "", is_revolving: bool = True,
) -> Case:  # fmt: skip
    """Propose a customer's general line (一般额度授信)."""
    _require_initiator(actor, business_date)
    _require_in_view(actor, customer, business_date)
    return approvals.open_case(
        actor=actor, kind=Case.Kind.GENERAL_LINE, subject=("customer", customer.pk), subject_name=customer.party.name,
        unit=customer.unit,
        payload=case_contents.general_line(
            amount_fen=amount_fen, product_limits_fen=product_limits_fen, valid_from=valid_from, valid_to=valid_to,
            guarantee=guarantee, conditions=conditions, is_revolving=is_revolving,
        ),
        business_date=business_date, exclusive_key=f"line:customer:{customer.pk}",
    )  # fmt: skip


def propose_public_line(
    *, actor: Staff, customer: Customer, amount_fen: int, valid_from: dt.date | None, valid_to: dt.date | None,
    business_date: dt.date, is_renewal: bool = False,
) -> Case:  # fmt: skip
    """Propose to promise a part of the general line by certificate (公开额度授信, CB+1)."""
    _require_initiator(actor, business_date)
    _require_in_view(actor, customer, business_date)
    return approvals.open_case(
        actor=actor, kind=Case.Kind.PUBLIC_LINE, subject=("customer", customer.pk), subject_name=customer.party.name,
        unit=customer.unit,
        payload=case_contents.public_line(
            amount_fen=amount_fen, valid_from=valid_from, valid_to=valid_to, is_renewal=is_renewal
        ),
        business_date=business_date, exclusive_key=f"public:customer:{customer.pk}",
    )  # fmt: skip


def propose_exit(
    *, actor: Staff, customer: Customer, plan: str, until_date: dt.date | None, business_date: dt.date
) -> Case:
    """Propose to leave a customer: the line is cut to what is used, nothing new is drawn, then it is closed."""
    _require_initiator(actor, business_date)
    _require_in_view(actor, customer, business_date)
    return approvals.open_case(
        actor=actor, kind=Case.Kind.LINE_CHANGE, subject=("customer", customer.pk), subject_name=customer.party.name,
        unit=customer.unit, payload=case_contents.customer_exit(plan=plan, until_date=until_date),
        business_date=business_date, exclusive_key=f"line:customer:{customer.pk}",
    )  # fmt: skip


# --- the way of a case ----------------------------------------------------------------------------------------------


def judge(case: Case, *, as_of: dt.date) -> Judgement:
    """All that the rules say about a case on a day."""
    return KINDS[Case.Kind(case.kind)].judge(case, as_of)


def level_of(judged: Judgement, *, as_of: dt.date) -> LevelAnswer:
    """At which level a case so judged is decided. Raises CaseError when no authority speaks about it."""
    return approvals.level_of(
        judged.authority, as_of=as_of, exceptions=judged.exceptions, at_least=judged.at_least,
        at_least_reason=judged.at_least_reason,
    )  # fmt: skip


@transaction.atomic
def submit(*, actor: Staff, case: Case, exception_reason: str, business_date: dt.date) -> Case:
    """Freeze the case with what the rules say. Raises CaseRefusedError with every refusal."""
    if actor.pk != case.created_by_id and not case.acts.filter(role=Act.Role.INVESTIGATE, actor=actor).exists():
        raise CaseError("案件由发起人或调查人提交。")
    judged = judge(case, as_of=business_date)
    return approvals.submit(
        actor=actor, case=case, findings=judged.findings, facts=judged.facts,
        answer=level_of(judged, as_of=business_date),
        exceptions=judged.exceptions, exception_reason=exception_reason, business_date=business_date,
        to_explain=[finding.message for finding in judged.findings if finding.code == "ABOVE_NEED"],
    )  # fmt: skip


@transaction.atomic
def decide(
    *, actor: Staff, case: Case, is_approved: bool, opinion: str, business_date: dt.date,
    refused_members: frozenset[int] = frozenset(), digest: str = "",
) -> Case:  # fmt: skip
    """Decide a case on today's facts. Members whose plans are refused reduce a group's line by theirs (CB+12).

    Raises:
        CaseRefusedError: wrong person or level, minutes missing, a rule says no today, or the facts changed.
    """
    case = Case.objects.select_for_update(of=("self",)).select_related("unit", "minutes").get(pk=case.pk)
    findings: list[Finding] = []
    if is_approved:
        judged = judge(case, as_of=business_date)
        findings = [*judged.findings, *changed_facts(case.facts, judged.facts)]
        findings += _higher_level(case, judged, business_date)
    decided = approvals.decide(
        actor=actor, case=case, is_approved=is_approved, opinion=opinion, business_date=business_date,
        findings=findings, digest=digest,
    )  # fmt: skip
    if refused_members and is_approved:
        unknown = refused_members - {int(member) for member in case.payload.get("sub_limits", {})}
        if unknown or case.kind != Case.Kind.GROUP_LINE:
            raise CaseError("只能对集团授信申报中的成员不予批准。")
        decided.result = {"refused_members": sorted(refused_members)}
        decided.save(update_fields=["result"])
    return decided


def approval_findings(*, actor: Staff, case: Case, business_date: dt.date) -> list[Finding]:
    """What would stop this person from approving now; for the page beside the decision form."""
    judged = judge(case, as_of=business_date)
    return [
        *approvals.approver_findings(actor=actor, case=case, business_date=business_date),
        *[finding for finding in judged.findings if finding.is_refusal],
        *changed_facts(case.facts, judged.facts),
    ]


@transaction.atomic
def operate(*, actor: Staff, case: Case, opinion: str, business_date: dt.date) -> Case:
    """Put an approved case into force: caps, certificate or run-off, in the same transaction as the step."""
    case = Case.objects.select_for_update(of=("self",)).select_related("unit", "minutes", "decided_by").get(pk=case.pk)
    if case.state != Case.State.APPROVED:
        raise CaseError(f"案件为“{case.get_state_display()}”，不能落实。")
    if approvals.digest_of(case.payload) != case.payload_digest:
        raise CaseError("案件内容与批准时不一致，不能落实。")
    _require_no_gap(case, business_date)
    result = KINDS[Case.Kind(case.kind)].apply(case, actor, business_date)
    return approvals.operate(
        actor=actor, case=case, opinion=opinion, result={**case.result, **result}, business_date=business_date
    )


def _require_no_gap(case: Case, as_of: dt.date) -> None:
    """A renewal decided ahead takes over on its own first day: before it, the line in force must not be cut (UC-07).

    Raises CaseError while there is such a line; a first line may be put into force ahead, it is drawn from its day on.
    """
    start = case.payload.get("valid_from")
    if not start or dt.date.fromisoformat(start) <= as_of:
        return
    if case.kind == Case.Kind.PUBLIC_LINE:
        certificate = public_lines.find_public_line(int(case.subject_id), as_of=as_of)
        end = certificate.valid_to if certificate else None
    else:
        of = {"group": case.subject_id} if case.subject_kind == "group" else {"customer": case.subject_id}
        node = Node.objects.filter(**of, kind=case.subject_kind.upper(), cap_fen__isnull=False).first()
        is_running = node is not None and (node.valid_from is None or node.valid_from <= as_of)
        end = node.valid_to if node is not None and is_running else None
    if end is not None and end > as_of:
        raise CaseError(
            f"新额度自 {start} 起，现有额度到 {end}（不含）前继续有效；现在落实会使它中断，请在 {start} 落实（UC-07）。"
        )


def _higher_level(case: Case, judged: Judgement, as_of: dt.date) -> list[Finding]:
    """Today's facts may need a higher level than the one the case was sent to."""
    answer = level_of(judged, as_of=as_of)
    if case.level is not None and answer.level > case.level:
        return [
            Finding(
                "LEVEL_RAISED", Severity.REFUSE,
                f"按今日事实本案须由更高层级审批（{'；'.join(answer.reasons)}），请退回后重新提交。", "BR-09",
                message_en="The case now needs a higher level.",
            )
        ]  # fmt: skip
    return []


def _require_initiator(actor: Staff, as_of: dt.date) -> None:
    if not roles_of(actor, as_of=as_of) & case_contents.MAY_INITIATE:
        raise CaseError("授信案件由客户经理或支行行长发起。")


def _require_in_view(actor: Staff, customer: Customer, as_of: dt.date) -> None:
    if not visible_customers(scope_of(actor, as_of=as_of)).filter(pk=customer.pk).exists():
        raise CaseError("该客户不在您的数据范围内。")
