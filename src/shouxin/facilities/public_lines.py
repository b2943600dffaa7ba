"""公开额度授信: who may have one, what it may not be used for, what happens after a default.

CB+1 within the general line · CB+2 four conditions · CB+3 excluded products and events · CB+9 a default is cured within
30 days or the public line is cancelled at once, with a notice and a report to the approving branch; the general line
stays and is flagged.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from shouxin.approvals.models import Case
from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import FEN_PER_WAN, amount_en, format_wan, percent_text
from shouxin.domain.parameters import InForce
from shouxin.facilities.evaluating import find_rating, is_at_or_above, latest_statement, standing_statements
from shouxin.facilities.models import CustomerLine, Drawing, FinancialStatement, Overdue, PublicLine
from shouxin.limits.models import Hold
from shouxin.parties.models import Customer
from shouxin.policy import load_book
from shouxin.policy.products import find_product

_WIDE_INDUSTRIES = ("建筑", "房地产", "进出口")
_TRADE = "进出口"
_Role = RoleAssignment.Role
OPEN = (PublicLine.Status.ACTIVE, PublicLine.Status.CURING)


class PublicLineError(ValueError):
    """The act is not possible; the text says what to do. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Test:
    """One condition of a public line with its figures in words."""

    name: str
    text: str
    is_met: bool
    citation: str


def judge_within_general(*, amount_fen: int, general_fen: int | None, as_of: dt.date) -> list[Finding]:
    """The public line is a part of the same customer's general line (CB+1)."""
    rule = load_book().in_force("public_line.max_pct_general", as_of)
    if rule is None:
        return []
    if amount_fen <= 0:
        return [Finding("AMOUNT_NOT_POSITIVE", Severity.REFUSE, "公开额度须大于 0。", "CB+1")]
    if general_fen is None:
        return [Finding("NO_GENERAL_LINE", Severity.REFUSE, "该客户没有核定一般额度，不能公开授信。", "CB+1")]
    if rule.allows(Decimal(amount_fen) * 100 / general_fen if general_fen else Decimal("Infinity")):
        return []
    return [
        Finding(
            "PUBLIC_ABOVE_GENERAL", Severity.REFUSE,
            f"公开额度 {format_wan(amount_fen)} 万元超过一般额度 {format_wan(general_fen)} 万元，请调减。",
            rule.article, rule.citation, message_en="Above the general line.",
        )
    ]  # fmt: skip


def eligibility(customer: Customer, *, as_of: dt.date) -> list[Test]:
    """The four conditions with the two industry variants (CB+2). What is not known is not met.

    None before the conditions were in force.
    """
    if load_book().in_force("public_line.rating", as_of) is None:
        return []
    statement = latest_statement(customer.pk, as_of=as_of)
    return [
        _rating_test(customer, as_of),
        _leverage_test(customer, statement, as_of),
        _net_assets_test(customer, statement, as_of),
        _clean_test(customer, as_of),
    ]


def _rating_test(customer: Customer, as_of: dt.date) -> Test:
    needed = load_book().at("public_line.rating", as_of)
    rating = find_rating(customer=customer, as_of=as_of)
    grade = rating.grade if rating else "无"
    met = rating is not None and is_at_or_above(rating.grade, str(needed.value.text), as_of=as_of)
    return Test("信用等级", f"信用等级 {grade}，要求 {needed.value.text} 级以上", met, needed.citation)


def leverage_limit(customer: Customer, *, as_of: dt.date) -> InForce:
    """The asset-liability ratio that a customer's industry may have: construction and trade more than others."""
    book = load_book()
    if any(word in customer.party.industry for word in _WIDE_INDUSTRIES):
        return book.at("public_line.asset_liability_pct_wide", as_of)
    return book.at("public_line.asset_liability_pct", as_of)


def _leverage_test(customer: Customer, statement: FinancialStatement | None, as_of: dt.date) -> Test:
    needed = leverage_limit(customer, as_of=as_of)
    if statement is None or not statement.items.get("total_assets"):
        return Test("资产负债率", "没有可用的报表，不能核对资产负债率", False, needed.citation)
    ratio = Decimal(statement.items["total_liabilities"]) * 100 / statement.items["total_assets"]
    shown = percent_text(ratio, needed.decimal)
    text = f"资产负债率 {shown}（{statement.period_end_date}），要求不超过 {needed.decimal:f}%"
    return Test("资产负债率", text, needed.allows(ratio), needed.citation)


def _net_assets_test(customer: Customer, statement: FinancialStatement | None, as_of: dt.date) -> Test:
    book = load_book()
    is_trade = _TRADE in customer.party.industry
    needed = book.at("public_line.net_assets_trade", as_of) if is_trade else book.at("public_line.net_assets", as_of)
    if statement is None:
        return Test("净资产", "没有可用的报表，不能核对净资产", False, needed.citation)
    net = Decimal(statement.items["equity"]) / FEN_PER_WAN
    text = f"净资产 {net:,.2f} 万元，要求不低于 {needed.decimal:,f} 万元"
    return Test("净资产", text, needed.allows(net), needed.citation)


def _clean_test(customer: Customer, as_of: dt.date) -> Test:
    needed = load_book().at("public_line.clean_years", as_of)
    years = int(needed.decimal)
    since = add_months(as_of, -12 * years)
    bad = Overdue.objects.filter(deal__customer=customer, since_date__gte=since, since_date__lte=as_of).count()
    text = f"最近 {years} 年逾期、欠息或垫款 {bad} 次，要求按时还本付息、没有违约"
    return Test("按时还本付息", text, bad == 0, needed.citation)


@transaction.atomic
def issue(
    *, customer: Customer, amount_fen: int, valid_from: dt.date, valid_to: dt.date, case: Case, is_exception: bool,
    actor: Staff, business_date: dt.date,
) -> PublicLine:  # fmt: skip
    """Issue the certificate of a decided public line; an earlier one is replaced."""
    tests = eligibility(customer, as_of=business_date)
    PublicLine.objects.filter(customer=customer, status__in=OPEN).update(status=PublicLine.Status.REPLACED)
    line = PublicLine.objects.create(
        customer=customer, amount_fen=amount_fen, valid_from=valid_from, valid_to=valid_to, case=case,
        certificate_number=f"GK{case.number.removeprefix('SX')}", is_exception=is_exception,
        eligibility=[{"name": t.name, "text": t.text, "is_met": t.is_met} for t in tests],
    )  # fmt: skip
    audit.record(
        actor=actor, action="facilities.public_line.issued", subject=("customer", customer.pk),
        summary=f"公开额度授信证书 {line.certificate_number}：{format_wan(amount_fen)} 万元，至 {valid_to}",
        business_date=business_date,
    )  # fmt: skip
    return line


def find_public_line(customer_id: int, *, as_of: dt.date) -> PublicLine | None:
    """The public line in force on a day, also while it is being cured."""
    return PublicLine.objects.filter(
        customer_id=customer_id, valid_from__lte=as_of, valid_to__gt=as_of, status__in=OPEN
    ).first()


def is_simple_renewal(*, customer: Customer, general_fen: int | None, as_of: dt.date) -> bool:
    """Whether a public line may go on the short way (CB+10): there was one, not cancelled, and the internal line is
    what it was when that one was decided."""
    rule = load_book().in_force("public_line.simple_renewal", as_of)
    if rule is None or rule.value.text != "yes":
        return False
    last = PublicLine.objects.filter(customer=customer, valid_from__lte=as_of).select_related("case").first()
    if last is None or last.status == PublicLine.Status.CANCELLED:
        return False
    return bool(last.case.facts.get("general_line_fen") == general_fen)


def excluded_products(as_of: dt.date) -> tuple[str, ...]:
    """What the certificate may not be used for (CB+3)."""
    return load_book().items_in_force("public_line.excluded_products", as_of)


def used_under(line: PublicLine) -> int:
    """What is drawn or reserved under the certificate, 分."""
    return used_by_customer([line.customer_id])[line.customer_id]


def used_by_customer(customer_ids: Collection[int]) -> dict[int, int]:
    """What is drawn or reserved under the certificates of some customers, 分; one query."""
    used = dict.fromkeys(customer_ids, 0)
    holds = Hold.objects.filter(
        drawing__facility__customer__in=customer_ids, drawing__case__kind=Case.Kind.USE_PUBLIC,
        drawing__state__in=[Drawing.State.RESERVED, Drawing.State.POSTED],
    ).annotate(line_customer=F("drawing__facility__customer"))  # fmt: skip
    for hold in holds:
        used[hold.line_customer] += hold.amount_fen if hold.state == Hold.State.PENDING else hold.balance_fen
    return used


def judge_use(*, customer: Customer, product: str, counted_fen: int, as_of: dt.date) -> list[Finding]:
    """A drawing under the certificate: there is one, not being cured, for this product, with room (CB+3)."""
    line = find_public_line(customer.pk, as_of=as_of)
    if line is None:
        return [
            Finding(
                "NO_PUBLIC_LINE", Severity.REFUSE, "该客户没有有效的公开额度授信证书，不能在公开额度内支用。", "CB+1"
            )
        ]
    findings = []
    if line.status == PublicLine.Status.CURING:
        findings.append(
            Finding(
                "PUBLIC_LINE_CURING", Severity.REFUSE,
                f"公开额度因{line.default_kind}正在限期整改（至 {line.cure_by_date}），整改前不能支用。", "CB+9",
            )
        )  # fmt: skip
    excluded = load_book().in_force("public_line.excluded_products", as_of)
    rule = find_product(product, as_of=as_of)
    if excluded is not None and rule.code in excluded.value.text:
        findings.append(
            Finding(
                "PRODUCT_EXCLUDED_FROM_PUBLIC_LINE", Severity.REFUSE,
                f"{rule.name} 不得在公开额度内使用，请改按一般额度逐笔报批。", excluded.article, excluded.citation,
                message_en="This product may not be used under the public line.",
            )
        )  # fmt: skip
    room = line.amount_fen - used_under(line)
    if counted_fen > room:
        findings.append(
            Finding(
                "PUBLIC_LINE_EXCEEDED",
                Severity.REFUSE,
                f"公开额度 {line.certificate_number}：申请 {format_wan(counted_fen)} 万元，"
                f"可用 {format_wan(max(0, room))} 万元。",
                "CB+1",
            )
        )
    return findings


# --- default, cure, cancellation -------------------------------------------------------------------------------------


@transaction.atomic
def report_default(
    *, customer: Customer, kind: str, default_date: dt.date, business_date: dt.date
) -> PublicLine | None:
    """Order the cure of a default within the days of the policy; None when there is no public line in force.

    A default from before the rule was in force orders nothing.
    """
    cure = load_book().in_force("public_line.cure_days", default_date)
    if cure is None:
        return None
    line = PublicLine.objects.select_for_update().filter(customer=customer, status=PublicLine.Status.ACTIVE).first()
    if line is None:
        return None
    line.status, line.default_kind, line.default_date = PublicLine.Status.CURING, kind, default_date
    line.cure_by_date = default_date + dt.timedelta(days=int(cure.decimal))
    line.save(update_fields=["status", "default_kind", "default_date", "cure_by_date"])
    audit.record(
        actor=None,
        action="facilities.public_line.curing",
        subject=("customer", customer.pk),
        summary=f"公开额度 {line.certificate_number} {kind}，须于 {line.cure_by_date} 前整改",
        business_date=business_date,
    )
    return line


@transaction.atomic
def settle_cured(*, customer: Customer, business_date: dt.date) -> bool:
    """Give a public line back its force once nothing is overdue any more; whether it was."""
    line = PublicLine.objects.select_for_update().filter(customer=customer, status=PublicLine.Status.CURING).first()
    if line is None or Overdue.objects.filter(deal__customer=customer, cured_date__isnull=True).exists():
        return False
    line.status, line.cure_by_date = PublicLine.Status.ACTIVE, None
    line.save(update_fields=["status", "cure_by_date"])
    audit.record(
        actor=None, action="facilities.public_line.cured", subject=("customer", customer.pk),
        summary=f"公开额度 {line.certificate_number} 已整改", business_date=business_date,
    )  # fmt: skip
    return True


@transaction.atomic
def cancel_uncured(*, as_of: dt.date) -> list[PublicLine]:
    """Cancel every public line whose days of cure are over: notice, report, flag on the general line (CB+9)."""
    due = PublicLine.objects.select_for_update().filter(status=PublicLine.Status.CURING, cure_by_date__lt=as_of)
    return [
        cancel(line=line, reason=f"{line.default_kind}，{line.cure_by_date} 前未整改", actor=None, business_date=as_of)
        for line in due.order_by("pk")
    ]


@transaction.atomic
def cancel_for_event(
    *, actor: Staff, line: PublicLine, event: str, amount_fen: int, reason: str, business_date: dt.date
) -> PublicLine:
    """Head office cancels a public line because of an event that lets the bank do so (CB+3).

    Raises:
        PublicLineError: not head office's risk or approval people, no reason, an event below its line, or a
            certificate that is not in force.
    """
    roles = roles_of(actor, as_of=business_date)
    if not actor.unit.is_head_office or not roles & {_Role.RISK_OFFICER, _Role.APPROVER}:
        raise PublicLineError("公开额度由总行风险审查或授信审批岗取消。")
    if not reason.strip():
        raise PublicLineError("请写明取消的理由。")
    line = PublicLine.objects.select_for_update(of=("self",)).select_related("customer").get(pk=line.pk)
    if line.status not in OPEN:
        raise PublicLineError(f"证书 {line.certificate_number} 为“{line.get_status_display()}”，不能取消。")
    findings = judge_event(customer=line.customer, event=event, amount_fen=amount_fen, as_of=business_date)
    if not any(finding.code == "PUBLIC_LINE_EVENT" for finding in findings):
        why = findings[0].message if findings else "未达到调整或取消公开额度的条件。"
        raise PublicLineError(f"{EVENTS[event]}：{why}公开额度不能据此取消（CB+3）。")
    said = findings[0].message.partition("：")[0]
    return cancel(line=line, reason=f"{said}；{reason.strip()}"[:200], actor=actor, business_date=business_date)


@transaction.atomic
def cancel(*, line: PublicLine, reason: str, actor: Staff | None, business_date: dt.date) -> PublicLine:
    """Cancel a public line at once; the notice gets its number, the general line its flag."""
    line.status, line.cancelled_date, line.cancel_reason = PublicLine.Status.CANCELLED, business_date, reason
    line.notice_number = f"QX{line.certificate_number.removeprefix('GK')}"
    line.reported_date = business_date
    line.save(update_fields=["status", "cancelled_date", "cancel_reason", "notice_number", "reported_date"])
    CustomerLine.objects.filter(customer_id=line.customer_id, status=CustomerLine.Status.ACTIVE).update(
        flag=f"公开额度已于 {business_date} 取消：{reason}"[:200]
    )
    audit.record(
        actor=actor, action="facilities.public_line.cancelled", subject=("customer", line.customer_id),
        summary=f"取消公开额度 {line.certificate_number}：{reason}；通知书 {line.notice_number}，并报批准行",
        business_date=business_date,
    )  # fmt: skip
    return line


def latest_cancellation(customer_id: int) -> PublicLine | None:
    """The last cancelled certificate, until there is a new one: the flag that stands beside the general line."""
    if PublicLine.objects.filter(customer_id=customer_id, status__in=OPEN).exists():
        return None
    return PublicLine.objects.filter(customer_id=customer_id, status=PublicLine.Status.CANCELLED).first()


# --- events that let the bank adjust or cancel (CB+3) ---------------------------------------------------------------


EVENTS = {
    "investment": "项目投资超过前三年税后利润之和", "restructuring": "合并、分立、破产或重组", "litigation": "重大诉讼",
    "guarantee": "对外担保", "personnel": "重大人事变动", "accident": "重大事故或赔偿",
}  # fmt: skip
EVENTS_EN = {
    "investment": "A project", "restructuring": "A merger, split, bankruptcy or restructuring",
    "litigation": "Major litigation", "guarantee": "Guarantees for others", "personnel": "A change of key persons",
    "accident": "A grave accident or a large compensation",
}  # fmt: skip


def judge_event(*, customer: Customer, event: str, amount_fen: int, as_of: dt.date) -> list[Finding]:
    """Whether an event lets the bank adjust or cancel the public line.

    Litigation and guarantees from 30 % of net assets, an investment above three years' profit after tax, the other
    events always.
    """
    book, statement = load_book(), latest_statement(customer.pk, as_of=as_of)
    equity = statement.items["equity"] if statement else 0
    if event in ("litigation", "guarantee"):
        line = (
            book.in_force("litigation.pct", as_of)
            if event == "litigation"
            else book.in_force("guarantee.external_pct", as_of)
        )
        if line is None:
            return []
        if equity <= 0:
            return [Finding("NET_ASSETS_MISSING", Severity.WARN, "没有净资产数据，不能核对比例，请补录报表。", "CB+3")]
        share = Decimal(amount_fen) * 100 / equity
        if not line.allows(share):
            return []
        shown = percent_text(share, line.decimal)
        text = f"{EVENTS[event]} {format_wan(amount_fen)} 万元，占净资产 {shown}，达到 {line.decimal:f}%"
        english = f"{EVENTS_EN[event]} of {amount_en(amount_fen)}, {shown} of net assets, at or above " \
                  f"{line.decimal:f}%"  # fmt: skip
        return [_event_finding(text, english, line.citation)]
    years = book.in_force("public_line.investment_years", as_of)
    if years is None:
        return []
    if event == "investment":
        profits = standing_statements(as_of).filter(
            customer=customer, scope=FinancialStatement.Scope.OWN, period_end_date__lte=as_of,
            period_end_date__month=12,
        )[: int(years.decimal)]  # fmt: skip
        total = sum(s.items.get("net_profit", 0) for s in profits)
        if amount_fen <= total:
            return []
        profit = f"前 {years.decimal:f} 年税后利润之和 {format_wan(total)} 万元"
        profit_en = f"{years.decimal:f} years' profit after tax, {amount_en(total)}"
        english = f"A project of {amount_en(amount_fen)} exceeds {profit_en}"
        return [_event_finding(f"项目投资 {format_wan(amount_fen)} 万元，超过{profit}", english, years.citation)]
    return [_event_finding(EVENTS[event], EVENTS_EN[event], years.citation)]


def _event_finding(text: str, english: str, citation: str) -> Finding:
    return Finding(
        "PUBLIC_LINE_EVENT", Severity.WARN, f"{text}：银行可以调整或取消公开额度。", "CB+3", citation,
        message_en=f"{english}: the bank may adjust or cancel the public line.",
        remedy="由风险部门提出调整或取消意见。",
    )  # fmt: skip
