"""Cases about lines: a customer's general line, its public part, a group's unified line, its end.

Each kind of case has two functions: ``judge`` says everything the rules say about it on a day and at which level it is
decided, ``apply`` puts the decided case into force. Submission, decision and operation all judge anew; what has changed
since submission stops the decision.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction

from shouxin.approvals import services as approvals
from shouxin.approvals.models import Act, Case
from shouxin.approvals.services import CaseError, CaseRefusedError
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.bank.selectors import find_year_end_capital
from shouxin.domain.authority import CaseFacts, Level, LevelAnswer
from shouxin.domain.credit_rules import BRANCH_FORMS
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import case_contents, connections, group_lines, public_lines, rules
from shouxin.facilities.evaluating import POLICY_RESULTS, find_evaluation, find_rating, is_at_or_below
from shouxin.facilities.group_lines import LineProposal
from shouxin.facilities.lead import judge_initiation
from shouxin.facilities.models import CustomerLine, Evaluation
from shouxin.facilities.selectors import group_total_fen
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import find_group_of, list_members, open_candidates_with
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer, Party
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role
FINANCIAL_NATURES = frozenset({"金融", "银行", "证券", "保险", "信托", "基金", "期货"})
_FINANCIAL_WORDS = ("银行", "证券", "保险", "信托", "期货", "基金管理", "金融租赁", "消费金融")


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that the rules say about a case on a day. ``facts`` are what must not change before the decision."""

    findings: list[Finding]
    facts: dict[str, Any]
    authority: CaseFacts
    exceptions: list[str] = field(default_factory=list)
    at_least: Level = Level.BRANCH
    at_least_reason: str = ""


# --- proposing ------------------------------------------------------------------------------------------------------


def propose_group_line(
    *, actor: Staff, group: CustomerGroup, amount_fen: int, sub_limits_fen: Mapping[int, int], valid_from: dt.date,
    valid_to: dt.date, business_date: dt.date, product_limits_fen: Mapping[int, Mapping[str, int]] | None = None,
    conditions: str = "", guarantee: str = "",
) -> Case:  # fmt: skip
    """The lead branch proposes a unified line. Raises CaseError for another branch or an open case (JS-07, A-09)."""
    _require_initiator(actor, business_date)
    lead = group.lead_unit
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
    *, actor: Staff, customer: Customer, amount_fen: int, valid_from: dt.date, valid_to: dt.date,
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
    *, actor: Staff, customer: Customer, amount_fen: int, valid_from: dt.date, valid_to: dt.date,
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


def propose_exit(*, actor: Staff, customer: Customer, plan: str, until_date: dt.date, business_date: dt.date) -> Case:
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
    return _KINDS[Case.Kind(case.kind)].judge(case, as_of)


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
        findings = [*judged.findings, *_changed_facts(case.facts, judged.facts)]
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
        *_changed_facts(case.facts, judged.facts),
    ]


@transaction.atomic
def operate(*, actor: Staff, case: Case, opinion: str, business_date: dt.date) -> Case:
    """Put an approved case into force: caps, certificate or run-off, in the same transaction as the step."""
    case = Case.objects.select_for_update(of=("self",)).select_related("unit", "minutes", "decided_by").get(pk=case.pk)
    if case.state != Case.State.APPROVED:
        raise CaseError(f"案件为“{case.get_state_display()}”，不能落实。")
    if approvals.digest_of(case.payload) != case.payload_digest:
        raise CaseError("案件内容与批准时不一致，不能落实。")
    result = _KINDS[Case.Kind(case.kind)].apply(case, actor, business_date)
    return approvals.operate(
        actor=actor, case=case, opinion=opinion, result={**case.result, **result}, business_date=business_date
    )


def _changed_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    changed = sorted(name for name in now if name in before and before[name] != now[name])
    if not changed:
        return []
    names = "、".join(_FACT_NAMES.get(name, name) for name in changed)
    return [
        Finding(
            "FACTS_CHANGED", Severity.REFUSE,
            f"提交之后以下事实已变化：{names}。本次审批不能依据旧事实，请退回补充后重新提交。", "CB-12",
            message_en=f"Changed since submission: {', '.join(changed)}.", remedy="退回补充，重新核对后提交。",
            inputs={_FACT_NAMES.get(name, name): f"{before[name]} → {now[name]}" for name in changed},
        )
    ]  # fmt: skip


_FACT_NAMES = {
    "members": "集团成员", "capital": "年末资本净额", "evaluation": "全面评价", "rating": "信用等级",
    "general_line_fen": "一般额度", "closure": "集团归属",
}  # fmt: skip


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


# --- judging: what all lines share ----------------------------------------------------------------------------------


def _period(case: Case) -> tuple[dt.date, dt.date]:
    return dt.date.fromisoformat(case.payload["valid_from"]), dt.date.fromisoformat(case.payload["valid_to"])


def judge_term(valid_from: dt.date, valid_to: dt.date, *, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """A line ends after it begins and lasts no longer than the term; longer is an exception (UC-07)."""
    if valid_to <= valid_from:
        return [Finding("PERIOD_REVERSED", Severity.REFUSE, "额度的结束日须晚于起始日。", "UC-07")], []
    months = load_book().at("line.term_months", as_of)
    if valid_to <= add_months(valid_from, int(months.decimal)):
        return [], []
    text = f"额度期限 {valid_from} 至 {valid_to} 超过 {months.decimal:f} 个月"
    return [Finding("TERM_TOO_LONG", Severity.WARN, f"{text}，作为例外审批。", months.article, months.citation)], [text]


def judge_evaluation(
    evaluation: Evaluation | None, *, amount_fen: int, as_of: dt.date, who: str
) -> tuple[list[Finding], list[str]]:
    """CB-12 a valid evaluation · CB-13 the control amount, soft · CB-14 need · CB-16 credit policy."""
    valid = load_book().at("evaluation.valid_months", as_of)
    if evaluation is None:
        return [
            Finding(
                "EVALUATION_MISSING", Severity.REFUSE,
                f"{who} 没有有效期内的全面评价（有效 {valid.decimal:f} 个月），不能核定额度，请先完成评价。",
                valid.article, valid.citation, message_en="A valid overall evaluation is needed first.",
            )
        ], []  # fmt: skip
    findings: list[Finding] = []
    exceptions: list[str] = []
    control = evaluation.control_amount_fen or 0
    if amount_fen > control:
        over = amount_fen - control
        percent = f"{Decimal(over) * 100 / control:.1f}%" if control else "—"
        text = f"超过测算的授信控制量 {rules.wan(over)}（{percent}）"
        exceptions.append(text)
        findings.append(
            Finding(
                "ABOVE_CONTROL_AMOUNT",
                Severity.WARN,
                f"申报 {rules.wan(amount_fen)}，{text}；可作为例外审批，须写明理由。",
                "CB-13",
                "《额度授信管理办法（试行）》第六条",
                message_en=f"Exceeds the measured control amount by {rules.wan(over)} ({percent}).",
                inputs={"授信控制量": rules.wan(control), "申报额度": rules.wan(amount_fen)},
            )
        )
    if evaluation.need_fen is None:
        findings.append(Finding("NEED_MISSING", Severity.REFUSE, "缺少客户的客观信贷需求，案件不完整。", "CB-14"))
    elif amount_fen > evaluation.need_fen:
        findings.append(
            Finding(
                "ABOVE_NEED", Severity.WARN,
                f"申报 {rules.wan(amount_fen)} 大于客观需求 {rules.wan(evaluation.need_fen)}，请说明。", "CB-14",
                "《额度授信管理办法（试行）》第六条（一）",
            )
        )  # fmt: skip
    findings += _other_banks(evaluation, as_of)
    findings += [
        Finding(
            "POLICY_CONFLICT", Severity.WARN,
            f"信贷政策：{tag['tag']} 为“{POLICY_RESULTS.get(tag['result'], tag['result'])}”，与本次申报冲突。", "CB-16",
            "《额度授信管理办法（试行）》第六条（三）", message_en=f"Credit policy conflict: {tag['tag']}.",
        )
        for tag in evaluation.policy_tags
        if tag["result"] in ("restricted", "exit")
    ]  # fmt: skip
    return findings, exceptions


def _other_banks(evaluation: Evaluation, as_of: dt.date) -> list[Finding]:
    """CB-15 the change of other banks' credit, and whether joint credit of several banks applies."""
    now, change = evaluation.other_banks_now_fen, evaluation.other_banks_change_fen
    if now is None or change is None:
        return [Finding("OTHER_BANKS_MISSING", Severity.REFUSE, "缺少他行授信现有额与预计额，案件不完整。", "CB-15")]
    sign = "+" if change > 0 else "−" if change < 0 else ""
    findings = [
        Finding(
            "OTHER_BANKS_CHANGE", Severity.INFO,
            f"他行授信现有 {rules.wan(now)}，预计变化 {sign}{rules.wan(abs(change))}。", "CB-15",
            "《额度授信管理办法（试行）》第六条（二）",
        )
    ]  # fmt: skip
    book = load_book()
    if "joint_credit.must_amount" not in book or not _in_force("joint_credit.must_amount", as_of):
        return findings
    total = Decimal(now) / 1_000_000
    if not book.at("joint_credit.institutions_min", as_of).allows(Decimal(evaluation.other_institutions)):
        return findings
    must, may = book.at("joint_credit.must_amount", as_of), book.at("joint_credit.may_amount", as_of)
    if must.allows(total) or may.allows(total):
        word = "必须" if must.allows(total) else "可以"
        findings.append(
            Finding(
                "JOINT_CREDIT",
                Severity.WARN if must.allows(total) else Severity.INFO,
                f"他行融资 {rules.wan(now)}、{evaluation.other_institutions} 家，{word}建立联合授信机制。",
                must.article,
                must.citation,
            )
        )
    return findings


def _in_force(key: str, as_of: dt.date) -> bool:
    return any(value.is_in_force(as_of) for value in load_book().parameter(key).values)


def _judge_rating(grade: str | None, *, who: str, article: str, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """Rating first, then line (CB+12, JS-03); a restricted rating moves the decision one level up (CB+6)."""
    if grade is None:
        return [
            Finding(
                "RATING_MISSING", Severity.REFUSE, f"{who} 没有有效的信用等级，须先评级、后授信。", article,
                message_en="A rating is needed first.", remedy="请风险审查岗先评级。",
            )
        ], []  # fmt: skip
    restricted = load_book().at("line.restricted_rating", as_of)
    line = str(restricted.value.text)
    if not is_at_or_below(grade, line, as_of=as_of):
        return [], []
    text = f"信用等级 {grade} 不高于 {line}，限制使用"
    return [Finding("RATING_RESTRICTED", Severity.WARN, f"{text}，审批上收一级。", "CB+6", restricted.citation)], [text]


def is_financial(party: Party) -> bool:
    """A financial institution: a group's member like any other, but without a line of its own (A-16)."""
    return party.nature in FINANCIAL_NATURES or any(word in party.name for word in _FINANCIAL_WORDS)


def judge_eligible(customer: Customer) -> list[Finding]:
    """Only non-financial legal persons have a line (CB-09)."""
    party = customer.party
    if party.kind != party.Kind.ORGANISATION:
        text = f"{party.name} 是个人，不能核定额度授信。"
    elif is_financial(party):
        text = f"{party.name} 是金融机构，额度授信只对非金融类法人。"
    elif party.legal_form in (*BRANCH_FORMS, "个体工商户"):
        text = f"{party.name} 不是法人（{party.legal_form}），请以其法人为对象。"
    else:
        return []
    return [
        Finding(
            "NOT_ELIGIBLE", Severity.REFUSE, text, "CB-09", "《额度授信管理办法（试行）》第三条",
            message_en="Only non-financial legal persons have a line.",
        )
    ]  # fmt: skip


def _capital_fact(as_of: dt.date) -> str:
    figure = find_year_end_capital(kind="net", as_of=as_of)
    return f"{figure.date} {figure.amount_fen}" if figure else ""


def _tenor(valid_from: dt.date, valid_to: dt.date) -> int:
    return max(1, (valid_to.year - valid_from.year) * 12 + valid_to.month - valid_from.month)


# --- a group's line -------------------------------------------------------------------------------------------------


def proposal_of(case: Case) -> LineProposal:
    """The case's payload as the group rules read it, with the decision's refused members."""
    valid_from, valid_to = _period(case)
    return LineProposal(
        group=CustomerGroup.objects.get(pk=case.subject_id),
        amount_fen=case.payload["amount_fen"],
        sub_limits_fen={int(member): amount for member, amount in case.payload["sub_limits"].items()},
        product_limits_fen={int(member): dict(row) for member, row in case.payload["product_limits"].items()},
        valid_from=valid_from,
        valid_to=valid_to,
        minutes_number=case.minutes.number if case.minutes else "",
        refused_members=frozenset(case.result.get("refused_members", [])),
    )


def _judge_group(case: Case, as_of: dt.date) -> Judgement:
    proposal = proposal_of(case)
    group, amount = proposal.group, proposal.amount_fen
    members = sorted(m.customer_id for m in list_members(group, as_of=as_of))
    rating = find_rating(group=group, as_of=as_of)
    evaluation = find_evaluation(group=group, as_of=as_of)
    findings = group_lines.check_amounts(proposal=proposal, as_of=as_of)
    if amount <= 0:
        findings.append(Finding("AMOUNT_NOT_POSITIVE", Severity.REFUSE, "集团额度须大于 0。", "JS-04"))
    term, exceptions = judge_term(proposal.valid_from, proposal.valid_to, as_of=as_of)
    rated, restricted = _judge_rating(
        rating.grade if rating else None, who=f"集团 {group.name}", article="JS-03", as_of=as_of
    )
    evaluated, above = judge_evaluation(evaluation, amount_fen=amount, as_of=as_of, who=f"集团 {group.name}")
    findings += [*term, *rated, *evaluated, *_balance_and_syndicate(members, amount, as_of)]
    findings += connections.judge_related_line(member_ids=members, amount_fen=amount, as_of=as_of)
    needs_meeting = rules.judge_meeting(amount_fen=amount, minutes_number="", as_of=as_of)
    return Judgement(
        findings=findings,
        facts={
            "members": members,
            "capital": _capital_fact(as_of),
            "evaluation": evaluation.pk if evaluation else None,
            "rating": rating.grade if rating else "",
        },
        authority=CaseFacts(
            aggregate_fen=amount, unit_path=case.unit.path, customer_class="group",
            rating=rating.grade if rating else "", tenor_months=_tenor(proposal.valid_from, proposal.valid_to),
            guarantee=case.payload.get("guarantee", ""),
        ),
        exceptions=[*exceptions, *restricted, *above],
        at_least=Level.MEETING if needs_meeting else Level.HEAD_OFFICE,
        at_least_reason=(
            needs_meeting[0].message if needs_meeting else "集团授信额度不论金额大小均由总行审批（JS-05）"
        ),
    )  # fmt: skip


def _balance_and_syndicate(members: list[int], amount_fen: int, as_of: dt.date) -> list[Finding]:
    """The balance is held against capital as the line is (A-04); demand above the ratios suggests a syndicate."""
    findings: list[Finding] = []
    use = group_total_fen(members, as_of=as_of)
    if "balance" in load_book().items("group.limit.measure", as_of):
        findings += [
            finding
            for finding in rules.judge_group_total(amount_fen=use, as_of=as_of, what="集团现有用信")
            if finding.is_refusal and finding.code not in ("CAPITAL_MISSING", "CAPITAL_EXPIRED")
        ]
    if use > amount_fen:
        findings.append(
            Finding(
                "LINE_BELOW_USE",
                Severity.WARN,
                f"申报额度 {rules.wan(amount_fen)} 低于现有用信 {rules.wan(use)}，"
                f"生效后超出 {rules.wan(use - amount_fen)}，"
                f"须压降，期间不能支用。",
                "UC-07",
            )
        )
    capital = find_year_end_capital(kind="net", as_of=as_of)
    if capital is not None and _in_force("syndicate.suggest_group_pct", as_of):
        suggest = load_book().at("syndicate.suggest_group_pct", as_of)
        if suggest.allows(Decimal(amount_fen) * 100 / capital.amount_fen):
            findings.append(
                Finding("SYNDICATE", Severity.INFO, "超出部分建议采用银团贷款。", suggest.article, suggest.citation)
            )
    return findings


def _apply_group(case: Case, _actor: Staff, business_date: dt.date) -> dict[str, Any]:
    judged = judge(case, as_of=business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *_changed_facts(case.facts, judged.facts)]
    if stops:
        raise CaseRefusedError(stops)
    proposal = proposal_of(case).without_refused()
    assert case.decided_by is not None  # noqa: S101 - an approved case has its approver by construction
    line = group_lines.put_in_force(
        proposal=proposal, proposer=case.created_by, approver=case.decided_by, findings=judged.findings,
        business_date=business_date, case=case,
    )  # fmt: skip
    return {"line": line.pk, "amount_fen": line.amount_fen}


# --- a customer's general line --------------------------------------------------------------------------------------


def _customer(case: Case) -> Customer:
    return Customer.objects.select_related("party", "unit").get(pk=case.subject_id)


def aggregate_after(customer: Customer, amount_fen: int, *, as_of: dt.date) -> int:
    """The group's credit after the act: this customer's new line and what the others of its group use (BR-09).

    For an undecided customer the largest of the proposed groups counts (A-02).
    """
    group = find_group_of(customer.pk, as_of=as_of)
    if group is not None:
        others = {m.customer_id for m in list_members(group, as_of=as_of)} - {customer.pk}
        return amount_fen + group_total_fen(others, as_of=as_of)
    totals = [amount_fen]
    for candidate in open_candidates_with(customer.party_id):
        others = connections.customers_of(candidate) - {customer.pk}
        totals.append(amount_fen + group_total_fen(others, as_of=as_of))
    return max(totals)


def _judge_customer(case: Case, as_of: dt.date) -> Judgement:
    customer, amount = _customer(case), case.payload["amount_fen"]
    valid_from, valid_to = _period(case)
    rating, evaluation = find_rating(customer=customer, as_of=as_of), find_evaluation(customer=customer, as_of=as_of)
    group = find_group_of(customer.pk, as_of=as_of)
    findings = judge_eligible(customer)
    if amount <= 0:
        findings.append(Finding("AMOUNT_NOT_POSITIVE", Severity.REFUSE, "额度须大于 0。", "CB-07"))
    if group is not None:
        findings.append(
            Finding(
                "MEMBER_OF_GROUP",
                Severity.REFUSE,
                f"{customer.party.name} 是集团 {group.name} 的成员，额度由集团统一授信核定，"
                "请由牵头行在集团案件中申报。",
                "JS-04",
                "《集团客户统一授信管理办法》第二条",
            )
        )
    if not customer.ownerships.filter(valid_to__isnull=True).exists():
        findings.append(Finding("NO_OWNER", Severity.REFUSE, "该客户没有主办客户经理，请先指定。", "BR-11"))
    aggregate = aggregate_after(customer, amount, as_of=as_of)
    findings += rules.judge_group_total(amount_fen=aggregate, as_of=as_of, what="额度生效后合计")
    findings += rules.judge_product_limits(
        sub_limits_fen={customer.pk: amount},
        product_limits_fen={customer.pk: case.payload["product_limits"]},
        as_of=as_of,
    )
    term, exceptions = judge_term(valid_from, valid_to, as_of=as_of)
    rated, restricted = _judge_rating(
        rating.grade if rating else None, who=customer.party.name, article="CB+12", as_of=as_of
    )
    evaluated, above = judge_evaluation(evaluation, amount_fen=amount, as_of=as_of, who=customer.party.name)
    turning, turns = _judge_revolving(customer, case.payload.get("is_revolving", True), as_of)
    return Judgement(
        findings=[*findings, *term, *rated, *evaluated, *turning],
        facts={
            "closure": group.pk if group else None,
            "capital": _capital_fact(as_of),
            "evaluation": evaluation.pk if evaluation else None,
            "rating": rating.grade if rating else "",
        },
        authority=CaseFacts(
            aggregate_fen=aggregate, unit_path=case.unit.path, customer_class="single",
            rating=rating.grade if rating else "", products=tuple(sorted(case.payload["product_limits"])),
            guarantee=case.payload.get("guarantee", ""), tenor_months=_tenor(valid_from, valid_to),
        ),
        exceptions=[*exceptions, *restricted, *above, *turns],
    )  # fmt: skip


def _judge_revolving(customer: Customer, is_revolving: bool, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """Whether what is repaid may be drawn again. One that may not counts what was ever drawn, so it begins unused."""
    rule = load_book().at("line.revolving", as_of)
    if is_revolving:
        if rule.value.text == "yes":
            return [], []
        text = "本机构额度默认不循环，本案申报可循环额度"
        return [
            Finding("REVOLVING_EXCEPTION", Severity.WARN, f"{text}，作为例外审批。", rule.article, rule.citation)
        ], [text]
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    if node is None or not (node.posted_fen or node.pending_fen or node.consumed_fen):
        return [], []
    return [
        Finding(
            "NOT_REVOLVING_WITH_USE", Severity.REFUSE,
            f"{customer.party.name} 额度项下已有用信，不能核定为不循环额度。", rule.article, rule.citation,
        )
    ], []  # fmt: skip


def _apply_customer(case: Case, actor: Staff, business_date: dt.date) -> dict[str, Any]:
    judged = judge(case, as_of=business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *_changed_facts(case.facts, judged.facts)]
    if stops:
        raise CaseRefusedError(stops)
    customer = _customer(case)
    valid_from, valid_to = _period(case)
    rating, evaluation = (
        find_rating(customer=customer, as_of=business_date),
        find_evaluation(customer=customer, as_of=business_date),
    )
    assert rating is not None  # noqa: S101 - judged just above
    assert evaluation is not None  # noqa: S101
    CustomerLine.objects.filter(customer=customer, status=CustomerLine.Status.ACTIVE).update(
        status=CustomerLine.Status.REPLACED
    )
    line = CustomerLine.objects.create(
        customer=customer, amount_fen=case.payload["amount_fen"], product_limits=case.payload["product_limits"],
        valid_from=valid_from, valid_to=valid_to, rating=rating.grade, evaluation=evaluation, case=case,
        is_restricted=is_at_or_below(
            rating.grade, load_book().text("line.restricted_rating", business_date), as_of=business_date
        ),
        legal_basis=rules.legal_basis(as_of=business_date),
    )  # fmt: skip
    approval = f"授信批复 {case.number}"
    node = limits.ensure_customer_node(customer)
    is_revolving = case.payload.get("is_revolving", True)
    if node.is_revolving != is_revolving:
        Node.objects.filter(pk=node.pk).update(is_revolving=is_revolving)
        node.refresh_from_db()
    excess = limits.set_cap(
        node=node, amount_fen=line.amount_fen, valid_from=valid_from,
        valid_to=valid_to, approval=approval, basis={"article": "CB-08", "line": line.pk}, business_date=business_date,
        actor_id=actor.pk,
    )  # fmt: skip
    group_lines.put_product_caps(
        customer=customer, caps_fen=line.product_limits, valid_from=valid_from, valid_to=valid_to, approval=approval,
        business_date=business_date, actor_id=actor.pk,
    )  # fmt: skip
    return {"line": line.pk, "amount_fen": line.amount_fen, "excess_fen": excess}


# --- public line ----------------------------------------------------------------------------------------------------


def _judge_public(case: Case, as_of: dt.date) -> Judgement:
    customer, amount = _customer(case), case.payload["amount_fen"]
    valid_from, valid_to = _period(case)
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    general = node.cap_fen if node is not None else None
    findings = judge_eligible(customer) + public_lines.judge_within_general(amount_fen=amount, general_fen=general)
    term, exceptions = judge_term(valid_from, valid_to, as_of=as_of)
    tests = public_lines.eligibility(customer, as_of=as_of)
    for test in tests:
        if not test.is_met:
            exceptions.append(f"不符合公开额度条件：{test.text}")
            findings.append(
                Finding(
                    "PUBLIC_LINE_CONDITION", Severity.WARN, f"{test.text}；作为例外审批，权限上收一级。", "CB+2",
                    test.citation, message_en="A condition of the public line is not met.",
                )
            )  # fmt: skip
    rating = find_rating(customer=customer, as_of=as_of)
    if rating is None:
        findings.append(Finding("RATING_MISSING", Severity.REFUSE, "没有有效的信用等级，须先评级。", "CB+12"))
    aggregate = aggregate_after(customer, max(general or 0, amount), as_of=as_of)
    is_simple = bool(case.payload.get("is_renewal"))  # CB+10: the internal line stays as it is
    return Judgement(
        findings=[*findings, *term],
        facts={"general_line_fen": general, "rating": rating.grade if rating else ""},
        authority=CaseFacts(
            aggregate_fen=aggregate, unit_path=case.unit.path, customer_class="public",
            rating=rating.grade if rating else "", tenor_months=_tenor(valid_from, valid_to),
        ),
        exceptions=[] if is_simple else exceptions,
    )  # fmt: skip


def _apply_public(case: Case, actor: Staff, business_date: dt.date) -> dict[str, Any]:
    judged = judge(case, as_of=business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *_changed_facts(case.facts, judged.facts)]
    if stops:
        raise CaseRefusedError(stops)
    valid_from, valid_to = _period(case)
    line = public_lines.issue(
        customer=_customer(case), amount_fen=case.payload["amount_fen"], valid_from=valid_from, valid_to=valid_to,
        case=case, is_exception=bool(case.exceptions), actor=actor, business_date=business_date,
    )  # fmt: skip
    return {"line": line.pk, "certificate": line.certificate_number}


# --- leaving a customer ---------------------------------------------------------------------------------------------


def _judge_exit(case: Case, as_of: dt.date) -> Judgement:
    customer = _customer(case)
    findings = []
    if not case.payload["plan"].strip():
        findings.append(Finding("PLAN_MISSING", Severity.REFUSE, "请写明压降退出计划。", "CB+8"))
    if dt.date.fromisoformat(case.payload["until_date"]) <= as_of:
        findings.append(Finding("EXIT_DATE_PAST", Severity.REFUSE, "退出期限须晚于今日。", "CB+8"))
    if not Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).exists():
        findings.append(Finding("NO_LINE", Severity.REFUSE, "该客户没有额度，不需要退出。", "CB+8"))
    use = group_total_fen([customer.pk], as_of=as_of)
    return Judgement(
        findings=findings, facts={},
        authority=CaseFacts(aggregate_fen=use, unit_path=case.unit.path, customer_class="exit"),
    )  # fmt: skip


def _apply_exit(case: Case, actor: Staff, business_date: dt.date) -> dict[str, Any]:
    from shouxin.facilities.line_life import start_run_off

    used = start_run_off(customer=_customer(case), case=case, actor=actor, business_date=business_date)
    return {"amount_fen": used}


@dataclass(frozen=True, slots=True)
class _Kind:
    judge: Callable[[Case, dt.date], Judgement]
    apply: Callable[[Case, Staff, dt.date], dict[str, Any]]


_KINDS: Mapping[Case.Kind, _Kind] = {
    Case.Kind.GROUP_LINE: _Kind(_judge_group, _apply_group),
    Case.Kind.GENERAL_LINE: _Kind(_judge_customer, _apply_customer),
    Case.Kind.PUBLIC_LINE: _Kind(_judge_public, _apply_public),
    Case.Kind.LINE_CHANGE: _Kind(_judge_exit, _apply_exit),
}
LINE_KINDS = frozenset(_KINDS)


def _require_initiator(actor: Staff, as_of: dt.date) -> None:
    if not roles_of(actor, as_of=as_of) & case_contents.MAY_INITIATE:
        raise CaseError("授信案件由客户经理或支行行长发起。")


def _require_in_view(actor: Staff, customer: Customer, as_of: dt.date) -> None:
    if not visible_customers(scope_of(actor, as_of=as_of)).filter(pk=customer.pk).exists():
        raise CaseError("该客户不在您的数据范围内。")
