"""The kinds of line cases: a group's unified line, a customer's general line, its public part, the end of a relation.

Each has two functions: ``judge`` says everything the rules say about it on a day and at which level it is decided,
``apply`` puts the decided case into force. To add a kind, add both to ``KINDS``.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shouxin.approvals.models import Case
from shouxin.approvals.services import CaseRefusedError
from shouxin.bank.models import Staff
from shouxin.bank.selectors import find_limit_capital
from shouxin.domain.authority import CaseFacts, Level
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import amount_en
from shouxin.facilities import connections, group_lines, public_lines, rules
from shouxin.facilities.evaluating import find_evaluation, find_rating, is_at_or_below
from shouxin.facilities.group_lines import LineProposal
from shouxin.facilities.line_judging import (
    Judgement,
    capital_fact,
    changed_facts,
    is_in_force,
    judge_eligible,
    judge_evaluation,
    judge_rating,
    judge_term,
    period_of,
    tenor_of,
)
from shouxin.facilities.line_standing import judge_standing, standing_of
from shouxin.facilities.models import CustomerLine
from shouxin.facilities.public_line_checks import judge_surroundings
from shouxin.facilities.selectors import group_total_fen, loans_total_fen, totals_of_customers
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import find_group_of, list_members, open_candidates_with
from shouxin.limits import services as limits
from shouxin.limits.models import Node
from shouxin.parties.models import Customer
from shouxin.policy import load_book

# --- a group's line -------------------------------------------------------------------------------------------------


def proposal_of(case: Case) -> LineProposal:
    """The case's payload as the group rules read it, with the decision's refused members."""
    valid_from, valid_to = period_of(case)
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
    rated, restricted = judge_rating(
        rating.grade if rating else None, who=f"集团 {group.name}", as_of=as_of, is_group=True
    )
    evaluated, above = judge_evaluation(evaluation, amount_fen=amount, as_of=as_of, who=f"集团 {group.name}")
    findings += [*term, *rated, *evaluated, *_balance_and_syndicate(members, amount, as_of)]
    findings += judge_sub_limits_below_use(proposal.sub_limits_fen, as_of=as_of)
    findings += connections.judge_related_line(member_ids=members, amount_fen=amount, as_of=as_of)
    standing = standing_of(members, as_of=as_of)
    stood, poor = judge_standing(standing, as_of=as_of)
    findings += stood
    needs_meeting = rules.judge_meeting(amount_fen=amount, minutes_number="", as_of=as_of)
    return Judgement(
        findings=findings,
        facts={
            "members": members,
            "capital": capital_fact(as_of),
            "evaluation": evaluation.pk if evaluation else None,
            "rating": rating.grade if rating else "",
            **standing.facts(),
        },
        authority=CaseFacts(
            aggregate_fen=amount, unit_path=case.unit.path, customer_class="group",
            rating=rating.grade if rating else "", tenor_months=tenor_of(proposal.valid_from, proposal.valid_to),
            guarantee=case.payload.get("guarantee", ""),
        ),
        exceptions=[*exceptions, *restricted, *above, *poor],
        at_least=Level.MEETING if needs_meeting else Level.HEAD_OFFICE,
        at_least_reason=(
            needs_meeting[0].message.replace(rules.ASKS_FOR_MINUTES, "")
            if needs_meeting
            else "集团授信额度不论金额大小均由总行审批（JS-05）"
        ),
    )  # fmt: skip


def _balance_and_syndicate(members: list[int], amount_fen: int, as_of: dt.date) -> list[Finding]:
    """The balance is held against capital as the line is (A-04); demand above the ratios suggests a syndicate."""
    findings: list[Finding] = []
    use = group_total_fen(members, as_of=as_of)
    if "balance" in load_book().items_in_force("group.limit.measure", as_of):
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
    capital = find_limit_capital(as_of=as_of)
    if capital is not None and is_in_force("syndicate.suggest_group_pct", as_of):
        suggest = load_book().at("syndicate.suggest_group_pct", as_of)
        if suggest.allows(Decimal(amount_fen) * 100 / capital.amount_fen):
            findings.append(
                Finding("SYNDICATE", Severity.INFO, "超出部分建议采用银团贷款。", suggest.article, suggest.citation)
            )
    return findings


def judge_sub_limits_below_use(limits_fen: Mapping[int, int], *, as_of: dt.date) -> list[Finding]:
    """A limit below what its customer uses today opens an excess the moment it is in force (UC-07)."""
    totals = totals_of_customers(list(limits_fen), as_of=as_of)
    names = dict(Customer.objects.filter(pk__in=limits_fen).values_list("pk", "party__name"))
    return [
        Finding(
            "SUB_LIMIT_BELOW_USE", Severity.WARN,
            f"{names[pk]} 的额度 {rules.wan(amount)} 低于现有用信 {rules.wan(totals[pk].control_use_fen)}，"
            f"生效后超出 {rules.wan(totals[pk].control_use_fen - amount)}，须压降，期间不能支用。", "UC-07",
            message_en=f"Below present use by {amount_en(totals[pk].control_use_fen - amount)}.",
            inputs={"额度": rules.wan(amount), "现有用信": rules.wan(totals[pk].control_use_fen)},
        )
        for pk, amount in sorted(limits_fen.items())
        if pk in names and 0 <= amount < totals[pk].control_use_fen
    ]  # fmt: skip


def _apply_group(case: Case, _actor: Staff, business_date: dt.date) -> dict[str, Any]:
    judged = _judge_group(case, business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *changed_facts(case.facts, judged.facts)]
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

    Of their credit and their loans the larger counts, so that either above the authority goes up (A-19). For an
    undecided customer the largest of the proposed groups counts (A-02).
    """
    group = find_group_of(customer.pk, as_of=as_of)
    if group is not None:
        others = {m.customer_id for m in list_members(group, as_of=as_of)} - {customer.pk}
        return amount_fen + _credit_or_loans(others, as_of)
    totals = [amount_fen]
    for candidate in open_candidates_with(customer.party_id):
        others = connections.customers_of(candidate) - {customer.pk}
        totals.append(amount_fen + _credit_or_loans(others, as_of))
    return max(totals)


def _credit_or_loans(customer_ids: set[int], as_of: dt.date) -> int:
    """What some customers use together, or what they owe in loans, whichever is more, as far as the policy asks."""
    rule = load_book().in_force("group.authority_measures", as_of)
    credit = group_total_fen(customer_ids, as_of=as_of)
    if rule is None or "loans" not in rule.value.text:
        return credit
    loans = loans_total_fen(customer_ids, as_of=as_of)
    return max(credit, loans) if "credit" in rule.value.text else loans


def _judge_customer(case: Case, as_of: dt.date) -> Judgement:
    customer, amount = _customer(case), case.payload["amount_fen"]
    valid_from, valid_to = period_of(case)
    rating, evaluation = find_rating(customer=customer, as_of=as_of), find_evaluation(customer=customer, as_of=as_of)
    group = find_group_of(customer.pk, as_of=as_of)
    findings = judge_eligible(customer, as_of=as_of)
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
    rated, restricted = judge_rating(rating.grade if rating else None, who=customer.party.name, as_of=as_of)
    evaluated, above = judge_evaluation(evaluation, amount_fen=amount, as_of=as_of, who=customer.party.name)
    findings += judge_sub_limits_below_use({customer.pk: amount}, as_of=as_of)
    turning, turns = _judge_revolving(customer, case.payload.get("is_revolving", True), as_of)
    standing = standing_of([customer.pk], as_of=as_of)
    stood, poor = judge_standing(standing, as_of=as_of)
    return Judgement(
        findings=[*findings, *term, *rated, *evaluated, *turning, *stood],
        facts={
            "closure": group.pk if group else None,
            "capital": capital_fact(as_of),
            "evaluation": evaluation.pk if evaluation else None,
            "rating": rating.grade if rating else "",
            **standing.facts(),
        },
        authority=CaseFacts(
            aggregate_fen=aggregate, unit_path=case.unit.path, customer_class="single",
            rating=rating.grade if rating else "", products=tuple(sorted(case.payload["product_limits"])),
            guarantee=case.payload.get("guarantee", ""), tenor_months=tenor_of(valid_from, valid_to),
        ),
        exceptions=[*exceptions, *restricted, *above, *turns, *poor],
    )  # fmt: skip


def _judge_revolving(customer: Customer, is_revolving: bool, as_of: dt.date) -> tuple[list[Finding], list[str]]:
    """Whether what is repaid may be drawn again. One that may not counts what was ever drawn, so it begins unused."""
    rule = load_book().in_force("line.revolving", as_of)
    if rule is None:
        return [], []
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
    judged = _judge_customer(case, business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *changed_facts(case.facts, judged.facts)]
    if stops:
        raise CaseRefusedError(stops)
    customer = _customer(case)
    valid_from, valid_to = period_of(case)
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
    valid_from, valid_to = period_of(case)
    node = Node.objects.filter(customer=customer, kind=Node.Kind.CUSTOMER).first()
    general = node.cap_fen if node is not None else None
    findings = judge_eligible(customer, as_of=as_of) + public_lines.judge_within_general(
        amount_fen=amount, general_fen=general, as_of=as_of
    )
    findings += judge_surroundings(customer=customer, valid_to=valid_to, as_of=as_of)
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
    if rating is None and is_in_force("rating.valid_months", as_of):
        findings.append(Finding("RATING_MISSING", Severity.REFUSE, "没有有效的信用等级，须先评级。", "CB+12"))
    aggregate = aggregate_after(customer, max(general or 0, amount), as_of=as_of)
    asks = bool(case.payload.get("is_renewal"))
    is_simple = asks and public_lines.is_simple_renewal(customer=customer, general_fen=general, as_of=as_of)
    if asks and not is_simple:
        findings.append(
            Finding(
                "RENEWAL_NOT_SIMPLE", Severity.WARN,
                "没有可续办的公开额度，或核定以来一般额度已变化：不能从简，按新申报审批。", "CB+10", "额度授信问答",
                message_en="There is no public line to renew, or the internal line has changed: the usual way.",
            )
        )  # fmt: skip
    standing = standing_of([customer.pk], as_of=as_of)
    stood, poor = judge_standing(standing, as_of=as_of)
    return Judgement(
        findings=[*findings, *term, *stood],
        facts={"general_line_fen": general, "rating": rating.grade if rating else "", **standing.facts()},
        authority=CaseFacts(
            aggregate_fen=aggregate, unit_path=case.unit.path, customer_class="public",
            rating=rating.grade if rating else "", tenor_months=tenor_of(valid_from, valid_to),
        ),
        exceptions=poor if is_simple else [*exceptions, *poor],
    )  # fmt: skip


def _apply_public(case: Case, actor: Staff, business_date: dt.date) -> dict[str, Any]:
    judged = _judge_public(case, business_date)
    stops = [*[f for f in judged.findings if f.is_refusal], *changed_facts(case.facts, judged.facts)]
    if stops:
        raise CaseRefusedError(stops)
    valid_from, valid_to = period_of(case)
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
        authority=CaseFacts(
            aggregate_fen=aggregate_after(customer, use, as_of=as_of), unit_path=case.unit.path, customer_class="exit"
        ),
    )  # fmt: skip


def _apply_exit(case: Case, actor: Staff, business_date: dt.date) -> dict[str, Any]:
    from shouxin.facilities.line_life import start_run_off

    used = start_run_off(customer=_customer(case), case=case, actor=actor, business_date=business_date)
    return {"amount_fen": used}


@dataclass(frozen=True, slots=True)
class LineKind:
    judge: Callable[[Case, dt.date], Judgement]
    apply: Callable[[Case, Staff, dt.date], dict[str, Any]]


KINDS: Mapping[Case.Kind, LineKind] = {
    Case.Kind.GROUP_LINE: LineKind(_judge_group, _apply_group),
    Case.Kind.GENERAL_LINE: LineKind(_judge_customer, _apply_customer),
    Case.Kind.PUBLIC_LINE: LineKind(_judge_public, _apply_public),
    Case.Kind.LINE_CHANGE: LineKind(_judge_exit, _apply_exit),
}
LINE_KINDS = frozenset(KINDS)
