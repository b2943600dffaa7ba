"""The way of a case: investigated by two on site, frozen, reviewed, decided at its level, carried out by operations.

What the matter itself requires (limits, minutes, exceptions) is judged by the room that owns it; this room keeps the
order of steps and that each is a different person with the right role. Every function is one transaction.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from shouxin.approvals.attachments import kind_of
from shouxin.approvals.models import Act, Authority, Case, Delegation, Minutes
from shouxin.approvals.selectors import (
    authority_rows,
    delegation_on,
    investigators_needed,
    may_decide_at,
    next_role,
    step_due_date,
)
from shouxin.audit import services as audit
from shouxin.bank.models import OrgUnit, RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.authority import CaseFacts, Level, LevelAnswer, level_for
from shouxin.domain.findings import Finding, Severity
from shouxin.policy import load_book

_Role = RoleAssignment.Role
MAY_INVESTIGATE = frozenset({_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD})
FILE_MAX_BYTES = 5 * 1024 * 1024
DIGEST_DIGITS_MIN = 12
"""How much of a digest must be given: pages and papers show its beginning, which is what people copy."""


class CaseError(Exception):
    """The act is not possible as the case stands; the text says what to do."""


class CaseRefusedError(CaseError):
    """A rule says no; all findings are there and nothing was written."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("；".join(finding.message for finding in findings))
        self.findings = list(findings)


def digest_of(payload: Mapping[str, Any]) -> str:
    """The digest that freezes a payload."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


@transaction.atomic
def open_case(
    *,
    actor: Staff,
    kind: str,
    subject: tuple[str, object],
    subject_name: str,
    unit: OrgUnit,
    payload: Mapping[str, Any],
    business_date: dt.date,
    exclusive_key: str = "",
) -> Case:
    """Begin a case. Raises CaseError when there is an open one on the same subject already."""
    if exclusive_key:
        existing = Case.objects.filter(exclusive_key=exclusive_key, state__in=Case.OPEN_STATES).first()
        if existing is not None:
            raise CaseError(
                f"{subject_name} 已有在办案件 {existing.number}（{existing.get_state_display()}），"
                f"请先办结或撤回，再发起新的。"
            )
    try:
        with transaction.atomic():
            case = Case.objects.create(
                number=f"SX{business_date:%Y%m%d}-{Case.objects.filter(created_date=business_date).count() + 1:04d}",
                kind=kind,
                subject_kind=subject[0],
                subject_id=str(subject[1]),
                subject_name=subject_name,
                exclusive_key=exclusive_key,
                unit=unit,
                payload=dict(payload),
                created_by=actor,
                created_date=business_date,
                due_date=step_due_date(business_date),
            )
    except IntegrityError as error:
        raise CaseError("同一对象的案件刚被另一人发起，请刷新后重试。") from error
    _trace(case, actor, "opened", f"发起{case.get_kind_display()}：{case.subject_name}", business_date)
    return case


@transaction.atomic
def amend(
    *, actor: Staff, case: Case, payload: Mapping[str, Any], business_date: dt.date,
    exception_reason: str | None = None,
) -> Case:  # fmt: skip
    """Change a draft; what has been submitted is frozen.

    Contents that somebody of this round has signed begin a new round: a signature stands for what was read.
    """
    case = _locked(case)
    if case.state != Case.State.DRAFT:
        raise CaseError(f"案件已{case.get_state_display()}，内容已冻结；如需修改请由审查或审批退回补充。")
    changed = [name for name in {**case.payload, **payload} if case.payload.get(name) != payload.get(name)]
    if exception_reason is not None and exception_reason != case.exception_reason:
        case.exception_reason = exception_reason
    elif not changed:
        return case
    Act.objects.create(case=case, round=case.round, role=Act.Role.AMEND, actor=actor, acted_date=business_date)
    if changed and case.acts.filter(round=case.round, role=Act.Role.INVESTIGATE).exists():
        case.round += 1
    case.payload = dict(payload)
    case.save(update_fields=["payload", "exception_reason", "round"])
    _trace(case, actor, "amended", f"修改案件 {case.number}", business_date, changed=sorted(changed))
    return case


@transaction.atomic
def investigate(*, actor: Staff, case: Case, opinion: str, is_on_site: bool, business_date: dt.date) -> Act:
    """A report of one investigator. Two persons on site are needed before submission.

    Raises:
        CaseError: another step, another role, no opinion, or not on site where the kind of case asks for it: nobody
            signs twice, so such a signature could never be made good.
    """
    case = _locked(case)
    _require_state(case, Case.State.DRAFT, "调查")
    if not roles_of(actor, as_of=business_date) & MAY_INVESTIGATE:
        raise CaseError("调查由客户经理或支行行长办理（审贷分离）。")
    if not opinion.strip():
        raise CaseError("请填写调查意见。")
    needed = investigators_needed(case)
    if needed and not is_on_site:
        raise CaseError(
            f"本案须由 {needed} 名调查人本人到现场调查并签署；未到现场不能签署，请到现场后勾选“本人到现场调查”再签。"
        )
    return _act(case, Act.Role.INVESTIGATE, actor, opinion=opinion, is_on_site=is_on_site, business_date=business_date)


@transaction.atomic
def submit(
    *,
    actor: Staff,
    case: Case,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    answer: LevelAnswer,
    exceptions: Sequence[str],
    exception_reason: str,
    business_date: dt.date,
    needs_review: bool = True,
    to_explain: Sequence[str] = (),
) -> Case:
    """Freeze the payload with its findings and send the case on.

    ``to_explain`` needs a written reason as exceptions do, but raises no level.

    Raises:
        CaseRefusedError: a rule refuses, or fewer than two persons investigated on site.
    """
    case = _locked(case)
    _require_state(case, Case.State.DRAFT, "提交")
    refusals = [finding for finding in findings if finding.is_refusal]
    refusals += _investigation_findings(case)
    unexplained = [*exceptions, *to_explain]
    if unexplained and not exception_reason.strip():
        refusals.append(
            Finding(
                "EXCEPTION_REASON_MISSING", Severity.REFUSE,
                f"本案有例外或须说明理由的事项（{'；'.join(unexplained)}），请写明理由。", "CB-13",
                "《额度授信管理办法（试行）》第六条", message_en="Exceptions need a written reason.",
                remedy="在提交审查处写明例外理由，再提交。",
            )
        )  # fmt: skip
    if refusals:
        raise CaseRefusedError(refusals)
    case.payload_digest = digest_of(case.payload)
    case.findings = [finding.stored() for finding in findings]
    case.facts = dict(facts)
    case.exceptions = list(exceptions)
    case.exception_reason = exception_reason
    case.level = int(answer.level)
    case.level_reasons = list(answer.reasons)
    case.state = Case.State.REVIEW if needs_review else Case.State.DECIDE
    case.submitted_at = timezone.now()
    case.due_date = step_due_date(business_date)
    case.save()
    Act.objects.create(case=case, round=case.round, role=Act.Role.SUBMIT, actor=actor, acted_date=business_date)
    _trace(
        case, actor, "submitted", f"提交 {case.number}，审批层级：{case.level_name}", business_date,
        digest=case.payload_digest,
    )  # fmt: skip
    return case


def _investigation_findings(case: Case) -> list[Finding]:
    acts = case.acts.filter(round=case.round, role=Act.Role.INVESTIGATE)
    needed = investigators_needed(case)
    on_site = sum(act.is_on_site for act in acts)
    if on_site >= needed:
        return []
    return [
        Finding(
            "INVESTIGATORS_MISSING", Severity.REFUSE,
            f"须有 {needed} 名调查人现场调查并签署意见，目前 {on_site} 名。", "BR-10",
            "集团客户授信流程：双人实地调查",
            message_en=f"{needed} investigators on site must sign; {on_site} have.",
            remedy="由另一名客户经理或支行行长到现场调查，并在本案签署意见。",
        )
    ]  # fmt: skip


@transaction.atomic
def review(*, actor: Staff, case: Case, agrees: bool, opinion: str, business_date: dt.date) -> Case:
    """The risk department's opinion, independent of the investigators; the case goes on either way."""
    case = _locked(case)
    _require_state(case, Case.State.REVIEW, "审查")
    _require_text(opinion, "审查意见")
    principal = _principal(actor, frozenset({_Role.RISK_OFFICER}), business_date, "审查由风险审查岗办理。")
    _act(case, Act.Role.REVIEW, actor, opinion=opinion, agrees=agrees, business_date=business_date, principal=principal)
    case.state = Case.State.DECIDE
    case.due_date = step_due_date(business_date)
    case.save(update_fields=["state", "due_date"])
    _trace(case, actor, "reviewed", f"审查 {case.number}：{'同意' if agrees else '不同意'}", business_date)
    return case


@transaction.atomic
def send_back(*, actor: Staff, case: Case, opinion: str, business_date: dt.date) -> Case:
    """退回补充: a new round begins; what the earlier round said stays in the trail.

    The meeting resolved on what was frozen then, so its minutes are put to the new round by hand or anew. Digest, level
    and findings were those of the earlier contents: the case is a draft again and has none until it is submitted.
    """
    case = _locked(case)
    if case.state not in (Case.State.REVIEW, Case.State.DECIDE):
        raise CaseError(f"案件为“{case.get_state_display()}”，不能退回。")
    _require_text(opinion, "退回原因")
    roles = roles_of(actor, as_of=business_date)
    if next_role(case) is None or not roles & {_Role.RISK_OFFICER, _Role.APPROVER, _Role.BRANCH_HEAD}:
        raise CaseError("退回由审查人或审批人办理。")
    if actor.pk == case.created_by_id:
        raise CaseError("发起人可以撤回，不能退回自己的案件。")
    Act.objects.create(
        case=case, round=case.round, role=Act.Role.RETURN, actor=actor, opinion=opinion, acted_date=business_date
    )
    case.round += 1
    case.state = Case.State.DRAFT
    case.due_date = step_due_date(business_date)
    case.minutes = None
    case.payload_digest, case.level, case.level_reasons = "", None, []
    case.findings, case.facts, case.exceptions = [], {}, []
    case.save()
    _trace(case, actor, "returned", f"退回 {case.number}：{opinion}", business_date)
    return case


@transaction.atomic
def record_minutes(
    *, actor: Staff, number: str, meeting: str, held_date: dt.date, resolution: str, business_date: dt.date,
    attendees: str = "", file_name: str = "", file: bytes | None = None,
) -> Minutes:  # fmt: skip
    """Keep a meeting's minutes; the same number again gives the record that is there, with its scan when it had none.

    Raises:
        CaseError: no number or resolution, a day to come, a file that is too large or no paper, or the number stands
            for another meeting or another file already.
    """
    _require_text(number, "纪要编号")
    if len(number.strip()) > 80:
        raise CaseError("纪要编号最多 80 个字。")
    _require_text(resolution, "决议")
    if held_date > business_date:
        raise CaseError(f"开会日期 {held_date} 晚于营业日 {business_date}。")
    if file is not None and len(file) > FILE_MAX_BYTES:
        raise CaseError("附件超过 5 MB，请压缩后重传。")
    if file is not None and kind_of(file) is None:
        raise CaseError("附件不是 PDF、PNG、JPG 或 Word（docx）文件，请上传纪要扫描件；没有保存任何内容。")
    existing = Minutes.objects.filter(number=number.strip()).first()
    if existing is not None:
        if existing.meeting != meeting:
            raise CaseError(f"纪要 {number} 已登记为{existing.get_meeting_display()}。")
        if file is not None and existing.file is not None and bytes(existing.file) != file:
            raise CaseError(f"纪要 {number} 已附有另一份文件（{existing.file_name}），请核对编号。")
        if file is not None and existing.file is None:
            existing.file, existing.file_name = file, file_name
            existing.save(update_fields=["file", "file_name"])
            audit.record(
                actor=actor, action="approvals.minutes.scanned", subject=("minutes", existing.pk),
                summary=f"纪要 {number} 补附扫描件 {file_name}", business_date=business_date,
            )  # fmt: skip
        return existing
    minutes = Minutes.objects.create(
        number=number.strip(), meeting=meeting, held_date=held_date, resolution=resolution, attendees=attendees,
        file_name=file_name, file=file, recorded_by=actor,
    )  # fmt: skip
    audit.record(
        actor=actor, action="approvals.minutes.recorded", subject=("minutes", minutes.pk),
        summary=f"登记{minutes.get_meeting_display()}纪要 {number}", business_date=business_date,
    )  # fmt: skip
    return minutes


@transaction.atomic
def minute_case(
    *, actor: Staff, case: Case, number: str, meeting: str, held_date: dt.date, resolution: str, business_date: dt.date,
    attendees: str = "", file_name: str = "", file: bytes | None = None,
) -> Case:  # fmt: skip
    """Record a meeting's minutes and put them to a case. Raises CaseError as the two steps do; nothing half-done."""
    minutes = record_minutes(
        actor=actor, number=number, meeting=meeting, held_date=held_date, resolution=resolution, attendees=attendees,
        file_name=file_name, file=file, business_date=business_date,
    )  # fmt: skip
    return attach_minutes(actor=actor, case=case, minutes=minutes, business_date=business_date)


@transaction.atomic
def attach_minutes(*, actor: Staff, case: Case, minutes: Minutes, business_date: dt.date) -> Case:
    """Put the meeting's minutes to the case before it is decided."""
    case = _locked(case)
    if not case.is_open or case.state == Case.State.APPROVED:
        raise CaseError(f"案件为“{case.get_state_display()}”，不能再附纪要。")
    refusal = why_no_minutes_by(actor=actor, case=case, business_date=business_date)
    if refusal:
        raise CaseError(refusal)
    case.minutes = minutes
    case.save(update_fields=["minutes"])
    Act.objects.create(
        case=case, round=case.round, role=Act.Role.ATTACH, actor=actor, opinion=minutes.number,
        acted_date=business_date,
    )  # fmt: skip
    _trace(
        case, actor, "minuted", f"{case.number} 附{minutes.get_meeting_display()}纪要 {minutes.number}", business_date
    )
    return case


def why_no_minutes_by(*, actor: Staff, case: Case, business_date: dt.date) -> str:
    """Why this person does not put minutes to this case; empty when they may (JS-13, BR-08).

    Minutes of a line are put by head office's risk department, which takes the case to the meeting: not by who decides
    on the strength of them, nor by who carries the decision out. The loan meeting's come with the release of its use.
    """
    if case.kind in (Case.Kind.USE_OTHER, Case.Kind.USE_PUBLIC):
        return ""
    if not actor.unit.is_head_office or _Role.RISK_OFFICER not in roles_of(actor, as_of=business_date):
        return "会议纪要由总行风险审查岗登记，审批人和落实人不为自己办理的案件登记纪要。"
    if may_decide_at(actor, level=Level(case.level or Level.MEETING), case=case, as_of=business_date):
        return "您可以审批本案，不能为自己的审批登记会议纪要，请由总行风险审查岗的另一人登记。"
    return ""


def approver_findings(*, actor: Staff, case: Case, business_date: dt.date) -> list[Finding]:
    """Why this person may not decide this case: wrong role, level or authority, their own case, no minutes."""
    findings = []
    level = Level(case.level or Level.MEETING)
    if not may_decide_at(actor, level=level, case=case, as_of=business_date):
        is_group = case.kind == Case.Kind.GROUP_LINE
        findings.append(
            Finding(
                "APPROVER_NOT_HEAD_OFFICE" if level > Level.BRANCH else "APPROVER_WITHOUT_AUTHORITY", Severity.REFUSE,
                "集团授信额度不论金额大小均由总行审批，请提交总行授信审批岗。" if is_group else
                f"本案须由{case.level_name}层级的审批人决定，您没有此项权限；两人的权限不能相加。",
                "JS-05" if is_group else "BR-09",
                "《集团客户统一授信管理办法》第二条" if is_group else "《银行集团客户授信业务风险管理办法》第六条",
                message_en="This case is decided by an approver of a higher level.",
            )
        )  # fmt: skip
    took_part = case.acts.filter(round=case.round, role__in=Act.SEPARATE, actor=actor).exists()
    if took_part or actor.pk == case.created_by_id:
        findings.append(
            Finding(
                "SAME_PERSON", Severity.REFUSE,
                "发起、调查、审查、审批和落实须为不同的人（审贷分离、四眼原则），请由另一人审批。", "BR-08",
                message_en="Maker and approver are two people.",
            )
        )  # fmt: skip
    if level is Level.MEETING and (case.minutes is None or case.minutes.meeting != Minutes.Meeting.PRESIDENT):
        findings.append(
            Finding(
                "MEETING_MINUTES_MISSING", Severity.REFUSE,
                "本案须先经行长办公会审议，请登记并附上会议纪要后再审批。", "JS-13",
                "《集团客户统一授信管理办法》第二条", message_en="Minutes of the president's meeting are needed first.",
            )
        )  # fmt: skip
    return findings


@transaction.atomic
def decide(
    *, actor: Staff, case: Case, is_approved: bool, opinion: str, business_date: dt.date,
    findings: Sequence[Finding] = (), digest: str = "",
) -> Case:  # fmt: skip
    """Approve or refuse. ``findings`` are those of today's re-validation; ``digest`` what the approver read.

    Raises:
        CaseRefusedError: wrong person, no minutes, or the facts changed since submission. A refusal of the case needs
            none of that but the right person.
    """
    case = _locked(case)
    _require_state(case, Case.State.DECIDE, "审批")
    _require_text(opinion, "审批意见")
    stops = approver_findings(actor=actor, case=case, business_date=business_date)
    if all(finding.code == "MEETING_MINUTES_MISSING" for finding in stops):  # a wrong person hears that first
        _require_as_read(case, digest)
    if is_approved:
        stops += [finding for finding in findings if finding.is_refusal]
    else:
        stops = [finding for finding in stops if finding.code != "MEETING_MINUTES_MISSING"]
    if stops:
        raise CaseRefusedError(stops)
    principal = _standing_for(actor, case, business_date)
    _act(
        case, Act.Role.DECIDE, actor, opinion=opinion, agrees=is_approved, business_date=business_date,
        principal=principal,
    )  # fmt: skip
    case.state = Case.State.APPROVED if is_approved else Case.State.REFUSED
    case.decided_by = actor
    case.decided_at = timezone.now()
    case.decided_date = business_date
    case.decision = opinion
    case.due_date = step_due_date(business_date) if is_approved else None
    case.save()
    _trace(case, actor, case.state, f"{case.get_state_display()} {case.number}：{opinion}", business_date)
    return case


def _require_as_read(case: Case, digest: str) -> None:
    """The contents are those that were submitted and, where a digest or its beginning is given, those it stands for."""
    given = digest.strip().lower()
    if given and len(given) < DIGEST_DIGITS_MIN:
        raise CaseError(f"冻结摘要至少给出前 {DIGEST_DIGITS_MIN} 位，收到 {len(given)} 位。")
    if digest_of(case.payload) != case.payload_digest or not case.payload_digest.startswith(given):
        raise CaseError("案件内容与提交时不一致，不能审批；请退回补充后重新提交。")


@transaction.atomic
def operate(*, actor: Staff, case: Case, opinion: str, result: Mapping[str, Any], business_date: dt.date) -> Case:
    """Operations put an approved case into force; the owner of the matter has done so in the same transaction."""
    case = _locked(case)
    _require_state(case, Case.State.APPROVED, "落实")
    principal = _principal(actor, frozenset({_Role.OPERATIONS}), business_date, "落实由授信操作岗办理。")
    _act(case, Act.Role.OPERATE, actor, opinion=opinion, agrees=True, business_date=business_date, principal=principal)
    return finish(case=case, actor=actor, result=result, business_date=business_date)


def finish(*, case: Case, actor: Staff, result: Mapping[str, Any], business_date: dt.date) -> Case:
    """Mark an approved case as in force."""
    case.state = Case.State.DONE
    case.result = dict(result)
    case.due_date = None
    case.save(update_fields=["state", "result", "due_date"])
    _trace(case, actor, "done", f"{case.number} 已生效", business_date)
    return case


@transaction.atomic
def withdraw(*, actor: Staff, case: Case, reason: str, business_date: dt.date) -> Case:
    """The initiating side takes an undecided case back; it is kept."""
    case = _locked(case)
    if case.state not in (Case.State.DRAFT, Case.State.REVIEW, Case.State.DECIDE):
        raise CaseError(f"案件为“{case.get_state_display()}”，不能撤回。")
    took_part = case.acts.filter(role=Act.Role.INVESTIGATE, actor=actor).exists()
    if actor.pk != case.created_by_id and not took_part:
        raise CaseError("只有发起人或调查人可以撤回。")
    _require_text(reason, "撤回原因")
    return close_withdrawn(case=case, actor=actor, reason=reason, business_date=business_date)


def close_withdrawn(*, case: Case, actor: Staff, reason: str, business_date: dt.date) -> Case:
    """Keep a case as withdrawn; who may do so the caller has checked."""
    Act.objects.create(
        case=case, round=case.round, role=Act.Role.WITHDRAW, actor=actor, opinion=reason, acted_date=business_date
    )
    case.state = Case.State.WITHDRAWN
    case.due_date = None
    case.save(update_fields=["state", "due_date"])
    _trace(case, actor, "withdrawn", f"撤回 {case.number}：{reason}", business_date)
    return case


def level_of(
    facts: CaseFacts, *, as_of: dt.date, exceptions: Sequence[str] = (), at_least: Level = Level.BRANCH,
    at_least_reason: str = "",
) -> LevelAnswer:  # fmt: skip
    """The level that the table of authorities gives. Raises CaseError when no row speaks about the case."""
    up = load_book().in_force("approval.exception_levels", as_of)
    answer = level_for(
        authority_rows(as_of), facts, as_of=as_of, exceptions=exceptions, at_least=at_least,
        at_least_reason=at_least_reason, levels_up=int(up.decimal) if up else 0,
    )  # fmt: skip
    if answer is None:
        raise CaseError(f"授权表在 {as_of} 没有适用于本案的授权，请先由总行在授权表中登记。")
    return answer


# --- delegation and the table itself ----------------------------------------------------------------------------------


_DECIDES_NOTHING = frozenset({_Role.CUSTOMER_MANAGER, _Role.ADMINISTRATOR, _Role.AUDITOR})


@transaction.atomic
def delegate(
    *, actor: Staff, to: Staff, valid_from: dt.date, valid_to: dt.date, reason: str, business_date: dt.date
) -> Delegation:
    """Let another person act in one's place for a period.

    Raises:
        CaseError: to oneself or to somebody who decides nothing, reversed, past or too long a period, or another
            delegation of the same person in that time.
    """
    if to.pk == actor.pk:
        raise CaseError("不能委托给自己。")
    if not roles_of(actor, as_of=business_date) - _DECIDES_NOTHING:
        raise CaseError("您的岗位不作审查、审批或认定，没有可以委托的事项。")
    if not roles_of(to, as_of=valid_from) - _DECIDES_NOTHING:
        raise CaseError(f"{to.name} 的岗位（客户经理、系统管理或审计）不作审查、审批或认定，不能受托，请另选受托人。")
    if valid_to <= valid_from:
        raise CaseError("委托的结束日须晚于开始日。")
    if valid_from < business_date:
        raise CaseError(f"委托不能从过去的日期 {valid_from} 开始。")
    longest = load_book().at("approval.delegation_max_days", business_date)
    if not longest.allows(Decimal((valid_to - valid_from).days)):
        raise CaseError(f"委托最长 {longest.decimal:f} 天（{longest.citation}），请缩短期限。")
    _require_text(reason, "事由")
    try:
        with transaction.atomic():  # the table has the last word: no two of a person's delegations overlap
            delegation = Delegation.objects.create(
                delegator=actor, delegate=to, valid_from=valid_from, valid_to=valid_to, reason=reason
            )
    except IntegrityError as error:
        if "one_delegation_of_a_person_at_a_time" not in str(error):
            raise
        other = Delegation.objects.select_related("delegate").filter(
            delegator=actor, is_revoked=False, valid_from__lt=valid_to, valid_to__gt=valid_from
        ).first()  # fmt: skip
        said = f"{other.valid_from} 至 {other.valid_to} 已委托 {other.delegate.name}，" if other else ""
        raise CaseError(f"{said}期限重叠；请先撤回或改期限。") from error
    audit.record(
        actor=actor, action="approvals.delegation.given", subject=("staff", to.pk),
        summary=f"{actor.name} 委托 {to.name} 代办：{valid_from} 至 {valid_to}", business_date=business_date,
    )  # fmt: skip
    return delegation


@transaction.atomic
def revoke_delegation(*, actor: Staff, delegation: Delegation, business_date: dt.date) -> None:
    """Only the delegator takes it back."""
    if delegation.delegator_id != actor.pk:
        raise CaseError("只有委托人可以撤回委托。")
    Delegation.objects.filter(pk=delegation.pk).update(is_revoked=True)
    audit.record(
        actor=actor, action="approvals.delegation.revoked", subject=("staff", delegation.delegate_id),
        summary=f"撤回对 {delegation.delegate.name} 的委托", business_date=business_date,
    )  # fmt: skip


@transaction.atomic
def enter_authority(*, actor: Staff, business_date: dt.date, **fields: Any) -> Authority:
    """Enter a row of the table; it counts once another person of head office has approved it."""
    if not actor.unit.is_head_office:
        raise CaseError("授权表由总行登记。")
    row = Authority.objects.create(entered_by=actor, **fields)
    audit.record(
        actor=actor, action="approvals.authority.entered", subject=("authority", row.pk),
        summary=f"登记授权：{row.get_level_display()} {row.get_role_display()}", business_date=business_date,
    )  # fmt: skip
    return row


@transaction.atomic
def approve_authority(*, actor: Staff, row: Authority, business_date: dt.date) -> Authority:
    """A second person of head office puts a row in use."""
    row = Authority.objects.select_for_update().get(pk=row.pk)
    if not actor.unit.is_head_office or _Role.APPROVER not in roles_of(actor, as_of=business_date):
        raise CaseError("授权表由总行授信审批岗复核。")
    if row.entered_by_id == actor.pk:
        raise CaseError("登记人不能复核自己登记的授权（四眼原则）。")
    row.approved_by = actor
    row.save(update_fields=["approved_by"])
    audit.record(
        actor=actor, action="approvals.authority.approved", subject=("authority", row.pk),
        summary=f"复核授权 {row.pk}", business_date=business_date,
    )  # fmt: skip
    return row


# --- inside -----------------------------------------------------------------------------------------------------------


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(of=("self",)).select_related("unit", "minutes").get(pk=case.pk)


def _require_state(case: Case, state: str, act: str) -> None:
    if case.state != state:
        raise CaseError(f"案件为“{case.get_state_display()}”，不能{act}。")


def _require_text(text: str, name: str) -> None:
    if not text.strip():
        raise CaseError(f"请填写{name}。")


def _principal(actor: Staff, roles: frozenset[str], as_of: dt.date, who_may: str) -> Staff | None:
    """None when the person has the role; whom they stand in for when that person has it."""
    if roles_of(actor, as_of=as_of) & roles:
        return None
    for delegation in delegation_on(actor, as_of=as_of):
        if roles_of(delegation.delegator, as_of=as_of) & roles:
            return delegation.delegator
    raise CaseError(who_may)


def _standing_for(actor: Staff, case: Case, as_of: dt.date) -> Staff | None:
    level = Level(case.level or Level.MEETING)
    if may_decide_at(actor, level=level, case=case, as_of=as_of, with_delegation=False):
        return None
    for delegation in delegation_on(actor, as_of=as_of):
        if may_decide_at(delegation.delegator, level=level, case=case, as_of=as_of, with_delegation=False):
            return delegation.delegator
    return None


def _act(
    case: Case, role: str, actor: Staff, *, opinion: str, business_date: dt.date, agrees: bool | None = None,
    is_on_site: bool = False, principal: Staff | None = None,
) -> Act:  # fmt: skip
    people = set(case.acts.filter(round=case.round, role__in=Act.SEPARATE).values_list("actor_id", flat=True))
    if {actor.pk, principal.pk if principal else actor.pk} & people:
        raise CaseError("调查、审查、审批和落实须为不同的人，您已参与本案。")
    try:
        with transaction.atomic():
            act = Act.objects.create(
                case=case, round=case.round, role=role, actor=actor, on_behalf_of=principal, agrees=agrees,
                is_on_site=is_on_site, opinion=opinion, acted_date=business_date,
            )  # fmt: skip
    except IntegrityError as error:
        raise CaseError("该环节刚由另一人办理，请刷新。") from error
    _trace(case, actor, f"{role}d", f"{act.get_role_display()} {case.number}：{opinion}", business_date)
    return act


def _trace(case: Case, actor: Staff, what: str, summary: str, business_date: dt.date, **more: Any) -> None:
    audit.record(
        actor=actor,
        action=f"approvals.case.{what}",
        subject=(case.subject_kind, case.subject_id),
        summary=summary,
        business_date=business_date,
        details={"case": case.number, "kind": case.kind, **more},
    )
