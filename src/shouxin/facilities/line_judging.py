"""What the rules say of any line: its term, the evaluation, other banks, ratings, who may have one at all.

Each kind of case adds its own in ``line_kinds``.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shouxin.approvals.models import Case
from shouxin.bank.selectors import find_limit_capital
from shouxin.domain.authority import CaseFacts, Level
from shouxin.domain.credit_rules import BRANCH_FORMS
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.facilities import rules
from shouxin.facilities.evaluating import POLICY_RESULTS, is_at_or_below
from shouxin.facilities.fact_words import FACT_NAMES, fact_words
from shouxin.facilities.models import Evaluation
from shouxin.parties.models import Customer, Party
from shouxin.policy import load_book


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that the rules say about a case on a day. ``facts`` are what must not change before the decision."""

    findings: list[Finding]
    facts: dict[str, Any]
    authority: CaseFacts
    exceptions: list[str] = field(default_factory=list)
    at_least: Level = Level.BRANCH
    at_least_reason: str = ""


def period_of(case: Case) -> tuple[dt.date, dt.date]:
    return dt.date.fromisoformat(case.payload["valid_from"]), dt.date.fromisoformat(case.payload["valid_to"])


def judge_term(valid_from: dt.date, valid_to: dt.date, *, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """A line ends after it begins and lasts no longer than the term; longer is an exception (UC-07)."""
    if valid_to <= valid_from:
        return [Finding("PERIOD_REVERSED", Severity.REFUSE, "额度的结束日须晚于起始日。", "UC-07")], []
    if valid_to <= as_of:
        return [
            Finding(
                "PERIOD_PAST", Severity.REFUSE,
                f"额度期限 {valid_from} 至 {valid_to}（不含）到 {as_of} 已经届满，不能核定，请改期限。", "UC-07",
                message_en="The period of the line has ended already.",
            )
        ], []  # fmt: skip
    far = _judge_start(valid_from, as_of=as_of)
    months = load_book().in_force("line.term_months", as_of)
    if months is None or valid_to <= add_months(valid_from, int(months.decimal)):
        return far, []
    text = f"额度期限 {valid_from} 至 {valid_to} 超过 {months.decimal:f} 个月"
    long = Finding("TERM_TOO_LONG", Severity.WARN, f"{text}，作为例外审批。", months.article, months.citation)
    return [*far, long], [text]


def _judge_start(valid_from: dt.date, *, as_of: dt.date) -> list[Finding]:
    """A start far behind or ahead of the day is said, with the day: most often it is a slip of the pen."""
    drift = load_book().in_force("line.start_drift_months", as_of)
    past = [
        Finding(
            "START_IN_THE_PAST", Severity.WARN,
            f"额度起始日 {valid_from} 早于营业日 {as_of}：批复之前不能支用，请核对。", "UC-07",
            message_en=f"The line starts on {valid_from}, before the business day {as_of}.",
        )
    ] if valid_from < as_of else []  # fmt: skip
    if drift is None:
        return past
    months = int(drift.decimal)
    if add_months(as_of, -months) <= valid_from <= add_months(as_of, months):
        return past
    side = "早于" if valid_from < as_of else "晚于"
    return [
        Finding(
            "START_FAR_AWAY", Severity.WARN,
            f"额度起始日 {valid_from} {side} {as_of} {months} 个月以上，请核对。", drift.article, drift.citation,
            message_en=f"The line starts on {valid_from}, more than {months} months away from {as_of}.",
        )
    ]  # fmt: skip


def judge_evaluation(
    evaluation: Evaluation | None, *, amount_fen: int, as_of: dt.date, who: str
) -> tuple[list[Finding], list[str]]:
    """CB-12 a valid evaluation · CB-13 the control amount, soft · CB-14 need · CB-16 credit policy."""
    book = load_book()
    valid = book.in_force("evaluation.valid_months", as_of)
    if evaluation is None:
        return [] if valid is None else [
            Finding(
                "EVALUATION_MISSING", Severity.REFUSE,
                f"{who} 没有有效期内的全面评价（有效 {valid.decimal:f} 个月），不能核定额度，请先完成评价。",
                valid.article, valid.citation, message_en="A valid overall evaluation is needed first.",
            )
        ], []  # fmt: skip
    findings: list[Finding] = []
    exceptions: list[str] = []
    control = evaluation.control_amount_fen or 0
    ceiling = book.in_force("line.max_pct_control", as_of)
    if ceiling is not None and not ceiling.allows(_percent_of(amount_fen, control)):
        over = amount_fen - control
        percent = f"{Decimal(over) * 100 / control:.1f}%" if control else "—"
        excess = f"超出 {rules.wan(over)}（{percent}）"
        text = f"申报 {rules.wan(amount_fen)} 超过测算的授信控制量 {rules.wan(control)}，{excess}"
        exceptions.append(text)
        findings.append(
            Finding(
                "ABOVE_CONTROL_AMOUNT",
                Severity.WARN,
                f"{text}；可作为例外审批，须写明理由。",
                ceiling.article,
                ceiling.citation,
                message_en=f"Exceeds the measured control amount by {rules.wan(over)} ({percent}).",
                inputs={"授信控制量": rules.wan(control), "申报额度": rules.wan(amount_fen)},
            )
        )
    findings += _judge_need(evaluation, amount_fen, as_of)
    findings += judge_other_banks(evaluation, as_of)
    conflicts = book.in_force("evaluation.conflict_results", as_of)
    findings += [] if conflicts is None else [
        Finding(
            "POLICY_CONFLICT", Severity.WARN,
            f"信贷政策：{tag['tag']} 为“{POLICY_RESULTS.get(tag['result'], tag['result'])}”，与本次申报冲突。",
            conflicts.article, conflicts.citation, message_en=f"Credit policy conflict: {tag['tag']}.",
        )
        for tag in evaluation.policy_tags
        if tag["result"] in conflicts.value.text
    ]  # fmt: skip
    return findings, exceptions


def _percent_of(fen: int, base_fen: int) -> Decimal:
    """How much of a base an amount is, in percent, unrounded; of nothing any amount is infinitely much."""
    return Decimal(fen) * 100 / base_fen if base_fen else Decimal("Infinity") if fen else Decimal(0)


def _judge_need(evaluation: Evaluation, amount_fen: int, as_of: dt.date) -> list[Finding]:
    """The customer's objective need is known (CB-14); a line above it is explained."""
    rule = load_book().in_force("line.max_pct_need", as_of)
    if rule is None:
        return []
    need = evaluation.need_fen
    if need is None:
        text = "缺少客户的客观信贷需求，案件不完整。"
        return [Finding("NEED_MISSING", Severity.REFUSE, text, rule.article, rule.citation)]
    if rule.allows(_percent_of(amount_fen, need)):
        return []
    text = f"申报 {rules.wan(amount_fen)} 大于客观需求 {rules.wan(need)}，请在例外理由中说明。"
    return [Finding("ABOVE_NEED", Severity.WARN, text, rule.article, rule.citation)]


def judge_other_banks(evaluation: Evaluation, as_of: dt.date) -> list[Finding]:
    """CB-15 the change of other banks' credit, and whether joint credit of several banks applies."""
    rule = load_book().in_force("evaluation.other_banks", as_of)
    if rule is None or rule.value.text != "yes":
        return []
    now, change = evaluation.other_banks_now_fen, evaluation.other_banks_change_fen
    if now is None or change is None:
        text = "缺少他行授信现有额与预计额，案件不完整。"
        return [Finding("OTHER_BANKS_MISSING", Severity.REFUSE, text, rule.article, rule.citation)]
    sign = "+" if change > 0 else "−" if change < 0 else ""
    findings = [
        Finding(
            "OTHER_BANKS_CHANGE", Severity.INFO,
            f"他行授信现有 {rules.wan(now)}，预计变化 {sign}{rules.wan(abs(change))}。", rule.article,
            rule.citation,
        )
    ]  # fmt: skip
    book = load_book()
    if "joint_credit.must_amount" not in book or not is_in_force("joint_credit.must_amount", as_of):
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


def is_in_force(key: str, as_of: dt.date) -> bool:
    return load_book().in_force(key, as_of) is not None


def judge_rating(
    grade: str | None, *, who: str, as_of: dt.date, is_group: bool = False
) -> tuple[list[Finding], list[str]]:
    """Rating first, then line (CB+12, of a group as a whole JS-03); a restricted rating moves the decision one level
    up (CB+6)."""
    book = load_book()
    rule = book.in_force("group.rating_required", as_of) if is_group else book.in_force("rating.valid_months", as_of)
    if rule is None or rule.value.text == "no":
        return [], []
    if grade is None:
        return [
            Finding(
                "RATING_MISSING", Severity.REFUSE, f"{who} 没有有效的信用等级，须先评级、后授信。", rule.article,
                rule.citation, message_en="A rating is needed first.", remedy="请风险审查岗先评级。",
            )
        ], []  # fmt: skip
    restricted = load_book().in_force("line.restricted_rating", as_of)
    if restricted is None:
        return [], []
    line = str(restricted.value.text)
    if not is_at_or_below(grade, line, as_of=as_of):
        return [], []
    text = f"信用等级 {grade} 不高于 {line}，限制使用"
    return [
        Finding("RATING_RESTRICTED", Severity.WARN, f"{text}，审批上收一级。", restricted.article, restricted.citation)
    ], [text]


def is_financial(party: Party, *, as_of: dt.date) -> bool:
    """A financial institution: a group's member like any other, but without a line of its own (A-16)."""
    book = load_book()
    return party.nature in book.items_in_force("line.financial_natures", as_of) or any(
        word in party.name for word in book.items_in_force("line.financial_words", as_of)
    )


def judge_eligible(customer: Customer, *, as_of: dt.date) -> list[Finding]:
    """Only non-financial legal persons have a line (CB-09)."""
    party = customer.party
    rule = load_book().in_force("line.financial_natures", as_of)
    if rule is None:
        return []
    if party.kind != party.Kind.ORGANISATION:
        text = f"{party.name} 是个人，不能核定额度授信。"
    elif is_financial(party, as_of=as_of):
        text = f"{party.name} 是金融机构，额度授信只对非金融类法人。"
    elif party.legal_form in (*BRANCH_FORMS, "个体工商户"):
        text = f"{party.name} 不是法人（{party.legal_form}），请以其法人为对象。"
    else:
        return []
    return [
        Finding(
            "NOT_ELIGIBLE", Severity.REFUSE, text, rule.article, rule.citation,
            message_en="Only non-financial legal persons have a line.",
        )
    ]  # fmt: skip


def capital_fact(as_of: dt.date) -> str:
    figure = find_limit_capital(as_of=as_of)
    return f"{figure.date} {figure.amount_fen}" if figure else ""


def tenor_of(valid_from: dt.date, valid_to: dt.date) -> int:
    return max(1, (valid_to.year - valid_from.year) * 12 + valid_to.month - valid_from.month)


def changed_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    """The facts of a submission that are other ones today; a decision may not stand on them."""
    changed = sorted(name for name in now if name in before and before[name] != now[name])
    if not changed:
        return []
    names = "、".join(FACT_NAMES.get(name, name) for name in changed)
    return [
        Finding(
            "FACTS_CHANGED", Severity.REFUSE,
            f"提交之后以下事实已变化：{names}。本次审批不能依据旧事实，请退回补充后重新提交。", "CB-12",
            message_en=f"Changed since submission: {', '.join(changed)}.", remedy="退回补充，重新核对后提交。",
            inputs={
                FACT_NAMES.get(name, name): f"{fact_words(name, before[name])} → {fact_words(name, now[name])}"
                for name in changed
            },
        )
    ]  # fmt: skip
