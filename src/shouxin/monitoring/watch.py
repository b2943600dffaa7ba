"""Look at the books and raise what they show: after each act on a customer, and for everybody at the end of the day."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from shouxin.bank.models import Staff
from shouxin.bank.scope import DataScope, Reach
from shouxin.domain.credit_rules import GRADE_NAMES, GRADE_NAMES_EN, days_overdue
from shouxin.domain.findings import Finding
from shouxin.domain.money import amount_en, format_wan
from shouxin.facilities import connections, public_lines, rules, servicing
from shouxin.facilities import services as drawings
from shouxin.facilities.models import AssetClass, Deal, Drawing, Overdue, PublicLine, RelatedTransaction
from shouxin.facilities.selectors import deals_on, find_line, group_total_fen
from shouxin.groups.models import CustomerGroup
from shouxin.groups.selectors import find_group_of, list_members, memberships_on
from shouxin.limits.models import Excess, Node
from shouxin.monitoring.alerts import is_watching, raise_alert
from shouxin.monitoring.allocation import idle_limits
from shouxin.monitoring.early_signals import basis_of, raise_early_signals
from shouxin.monitoring.models import Alert
from shouxin.monitoring.payroll_watch import watch_payrolls
from shouxin.monitoring.reviews import plan_reviews
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book


def watch_customer(customer: Customer, *, as_of: dt.date) -> list[Alert]:
    """What a customer's books show today: branches, excess, arrears, class."""
    if not is_watching(as_of):
        return []
    found = [*_second_branch(customer, as_of), *_excess(customer, as_of), *_arrears(customer, as_of)]
    grade = servicing.customer_grade(customer.pk, as_of=as_of)
    if grade != "pass":
        found.append(
            raise_alert(
                code="W06", customer=customer, business_date=as_of,
                level=Alert.Level.RED if grade != "mention" else Alert.Level.WARN,
                message=f"{customer.party.name} 五级分类为{GRADE_NAMES[grade]}。",
                message_en=f"{customer.party.name} is classified {GRADE_NAMES_EN[grade]}.",
            )
        )  # fmt: skip
    return found


def _second_branch(customer: Customer, as_of: dt.date) -> list[Alert]:
    """CB-18: the first credit at a second branch is flagged the same day."""
    if not servicing.is_multi_branch(customer.pk, as_of=as_of):
        return []
    branches = servicing.branches_of(customer.pk, as_of=as_of)
    text = "、".join(f"{unit.name} {format_wan(fen)} 万元" for unit, fen in branches)
    english = ", ".join(f"{unit.name} {amount_en(fen)}" for unit, fen in branches)
    return [
        raise_alert(
            code="W02", customer=customer, business_date=as_of, level=Alert.Level.INFO,
            message=f"{customer.party.name} 在 {len(branches)} 家机构有授信：{text}；请总行指定管理行。",
            message_en=f"{customer.party.name} has credit at {len(branches)} branches: {english}. Head office names "
            f"the managing branch.",
        )
    ]  # fmt: skip


def _excess(customer: Customer, as_of: dt.date) -> list[Alert]:
    nodes = Node.objects.filter(customer=customer, excess_cause__isnull=False, kind__in=["CUSTOMER", "PRODUCT"])
    return [
        raise_alert(
            code="W03",
            customer=customer,
            business_date=as_of,
            level=Alert.Level.RED,
            key=f"W03:{node.pk}",
            message=f"{node.get_kind_display()}额度 {node.name}：用信 {format_wan(node.used_fen)} 万元，超过额度 "
            f"{format_wan(node.cap_fen or 0)} 万元，支用已停止，须压降 "
            f"{format_wan(node.used_fen - (node.cap_fen or 0))} 万元。",
            message_en=f"Limit {node.name}: {amount_en(node.used_fen)} used, above its {amount_en(node.cap_fen or 0)}; "
            f"nothing can be drawn until {amount_en(node.used_fen - (node.cap_fen or 0))} have been reduced.",
        )
        for node in nodes
    ]


def _arrears(customer: Customer, as_of: dt.date) -> list[Alert]:
    book = load_book()
    warn, red = book.at("signal.overdue_warn_days", as_of), book.at("signal.overdue_red_days", as_of)
    found = []
    for overdue in Overdue.objects.filter(deal__customer=customer, cured_date__isnull=True, since_date__lte=as_of):
        days = days_overdue(overdue.since_date, as_of)
        level = Alert.Level.INFO
        if red.allows(Decimal(days)):
            level = Alert.Level.RED
        elif warn.allows(Decimal(days)):
            level = Alert.Level.WARN
        owed = f"本金 {format_wan(overdue.principal_fen)} 万元、利息 {format_wan(overdue.interest_fen)} 万元"
        owed_en = f"principal {amount_en(overdue.principal_fen)}, interest {amount_en(overdue.interest_fen)}"
        found.append(
            raise_alert(
                code="W05" if overdue.is_forced_advance else "W04", customer=customer, business_date=as_of, level=level,
                key=f"W04:{overdue.pk}", message=f"{customer.party.name} 逾期 {days} 天，{owed}。",
                message_en=f"{customer.party.name} is {days} days overdue: {owed_en}.",
                inputs={
                    "逾期天数": f"{days} 天", "应还日": str(overdue.since_date),
                    "逾期本金": f"{format_wan(overdue.principal_fen)} 万元",
                    "欠息": f"{format_wan(overdue.interest_fen)} 万元",
                    "依据": f"{warn.value.citation}（{warn.value.article}）",
                },
            )
        )  # fmt: skip
    return found


def watch_group(group: CustomerGroup, *, as_of: dt.date) -> list[Alert]:
    """What a group's books show: closeness to the line of capital, excess, guarantees among members."""
    if not is_watching(as_of):
        return []
    members = [m.customer_id for m in list_members(group, as_of=as_of)]
    found = _share_of_capital(group, members, as_of)
    node = Node.objects.filter(group=group, excess_cause__isnull=False).first()
    if node is not None:
        over = node.used_fen - (node.cap_fen or 0)
        found.append(
            raise_alert(
                code="W03",
                group=group,
                business_date=as_of,
                level=Alert.Level.RED,
                message=f"集团用信 {format_wan(node.used_fen)} 万元，超过统一额度 "
                f"{format_wan(node.cap_fen or 0)} 万元，"
                f"超出 {format_wan(over)} 万元，支用已停止。",
                message_en=f"The group uses {amount_en(node.used_fen)}, {amount_en(over)} above its unified line of "
                f"{amount_en(node.cap_fen or 0)}; nothing can be drawn.",
            )
        )
    found += _idle_limits(group, members, as_of)
    return found + _guarantees_inside(group, as_of)


def _guarantees_inside(group: CustomerGroup, as_of: dt.date) -> list[Alert]:
    """W09 and its kin: what one signal shows stands in one alert, every ring and the share of the line together."""
    line = find_line(group.pk, as_of=as_of)
    shown = connections.group_guarantees(group, line_fen=line.amount_fen if line else None, as_of=as_of).findings
    by_code: dict[str, list[Finding]] = {}
    for finding in shown:
        by_code.setdefault(finding.article, []).append(finding)
    return [
        raise_alert(
            code=code, group=group, business_date=as_of, message="".join(each.message for each in findings),
            message_en=" ".join(each.english for each in findings),
            inputs={name: text for each in findings for name, text in _inputs_of(each).items()},
        )
        for code, findings in by_code.items()
    ]  # fmt: skip


_SHARES = ("GROUP_AT_WARN_LINE", "GROUP_ABOVE_QUARTER_END_SHARE", "GROUP_ABOVE_CAPITAL_SHARE")


def _share_of_capital(group: CustomerGroup, members: list[int], as_of: dt.date) -> list[Alert]:
    """W01 with the gravest finding: an alert has one sentence, and the same one on every run of a day."""
    use = group_total_fen(members, as_of=as_of)
    findings = rules.judge_group_total(amount_fen=use, as_of=as_of, what="集团用信")
    finding = max((each for each in findings if each.code in _SHARES), key=lambda each: each.is_refusal, default=None)
    if finding is None:
        return []
    level = Alert.Level.RED if finding.is_refusal else Alert.Level.WARN
    return [
        raise_alert(
            code="W01", group=group, business_date=as_of, level=level, message=finding.message,
            message_en=finding.english, inputs=_inputs_of(finding),
        )
    ]  # fmt: skip


def _idle_limits(group: CustomerGroup, members: list[int], as_of: dt.date) -> list[Alert]:
    """W03: room lies idle with one member while another has none left; raised once per idle limit."""
    found = []
    for idle in idle_limits(members, as_of=as_of):
        key = f"W03:{idle.node.pk}:idle:{idle.since}"
        if Alert.objects.filter(key=key).exists():
            continue  # what people have closed stays closed until the limit is used again
        names = "、".join(node.name for node in idle.full)
        cap = idle.node.cap_fen or 0
        line = load_book().at("signal.idle_limit_days", as_of)
        found.append(
            raise_alert(
                code="W03", group=group, business_date=as_of, key=key,
                message=f"{idle.node.name} 的额度 {format_wan(cap)} 万元已闲置 {idle.days} 天（自 {idle.since}），"
                f"而 {names} 的额度已用满，请考虑调剂。",
                message_en=f"The limit of {idle.node.name}, {amount_en(cap)}, has been unused for {idle.days} days "
                f"(since {idle.since}) while {', '.join(node.name for node in idle.full)} has no room left; consider "
                f"sharing it out anew.",
                inputs={
                    "闲置额度": f"{format_wan(cap)} 万元", "闲置天数": f"{idle.days} 天", "已用满": names,
                    **basis_of(line),
                },
            )
        )  # fmt: skip
    return found


def _inputs_of(finding: Finding) -> dict[str, str]:
    """The figures of a finding with its source, for the alert that it becomes."""
    source = f"{finding.citation}（{finding.article}）" if finding.citation else finding.article
    return {**finding.inputs, "依据": source}


@dataclass(frozen=True, slots=True)
class DayEnd:
    """What the end of a day did."""

    alerts: int
    lowered: list[AssetClass]
    cancelled: list[PublicLine]
    reviews: int


@transaction.atomic
def end_of_day(*, as_of: dt.date) -> DayEnd:
    """Floors of classes, uncured public lines, every customer and group with credit, reviews that come due.

    Running it twice on a day changes nothing the second time.
    """
    lowered = servicing.lower_to_floors(as_of=as_of)
    cancelled = public_lines.cancel_uncured(as_of=as_of)
    before = Alert.objects.count()
    with_credit = deals_on(as_of).values("customer_id").distinct()
    customers = Customer.objects.filter(pk__in=with_credit).select_related("party").order_by("pk")
    for customer in customers:
        watch_customer(customer, as_of=as_of)
    raise_early_signals(customers, as_of=as_of)
    watch_payrolls(as_of=as_of)
    watch_payrolls(as_of=as_of)
    for group in CustomerGroup.objects.filter(status="active").select_related("responsible").order_by("pk"):
        watch_group(group, as_of=as_of)
    unreported = RelatedTransaction.objects.filter(must_report=True, reported_date__isnull=True, due_date__lt=as_of)
    for row in unreported if is_watching(as_of) else ():
        raise_alert(
            code="W07", customer=row.customer, business_date=as_of, key=f"W07:{row.pk}",
            message=f"{row.customer.party.name} 应于 {row.due_date} 前报告关联交易，尚未报告齐全。",
            message_en=f"{row.customer.party.name} had to report a related transaction by {row.due_date}; the report "
            f"is not complete.",
        )  # fmt: skip
    return DayEnd(Alert.objects.count() - before, lowered, cancelled, plan_reviews(as_of=as_of))


# --- acts whose consequences are seen the same day ------------------------------------------------------------------


def _after(customer: Customer, as_of: dt.date) -> list[Alert]:
    group = find_group_of(customer.pk, as_of=as_of)
    return [*watch_customer(customer, as_of=as_of), *(watch_group(group, as_of=as_of) if group else [])]


@transaction.atomic
def release_drawing(*, actor: Staff, drawing: Drawing, business_date: dt.date, minutes_number: str = "") -> Deal:
    """Release, and look at the customer at once: a second branch is flagged on the day of its first credit."""
    deal = drawings.release_drawing(
        actor=actor, drawing=drawing, business_date=business_date, minutes_number=minutes_number
    )
    _after(deal.customer, business_date)
    return deal


@transaction.atomic
def change_cover(
    *, actor: Staff, deal: Deal, kind: str, after_fen: int, reason: str, business_date: dt.date,
    has_happened: bool = False,
) -> servicing.CoverOutcome:  # fmt: skip
    """Change cash cover; an excess raises W03 to every branch with a member."""
    outcome = servicing.change_cover(
        actor=actor, deal=deal, kind=kind, after_fen=after_fen, reason=reason, business_date=business_date,
        has_happened=has_happened,
    )  # fmt: skip
    _after(deal.customer, business_date)
    return outcome


@transaction.atomic
def record_overdue(
    *, actor: Staff, deal: Deal, since_date: dt.date, principal_fen: int, interest_fen: int, business_date: dt.date,
    is_forced_advance: bool = False,
) -> Overdue:  # fmt: skip
    """Record arrears, lower the class to what the days allow, tell every branch."""
    overdue = servicing.record_overdue(
        actor=actor, deal=deal, since_date=since_date, principal_fen=principal_fen, interest_fen=interest_fen,
        business_date=business_date, is_forced_advance=is_forced_advance,
    )  # fmt: skip
    servicing.lower_to_floors(as_of=business_date)
    _after(deal.customer, business_date)
    return overdue


@transaction.atomic
def record_transaction(
    *, actor: Staff, customer: Customer, given: connections.TransactionInput, business_date: dt.date
) -> RelatedTransaction:
    """Keep a customer's related transaction and raise what it shows (W07, W08)."""
    row = connections.record_transaction(actor=actor, customer=customer, given=given, business_date=business_date)
    findings = connections.judge_transaction(given, as_of=given.traded_date) if is_watching(business_date) else []
    for finding in findings:
        code = "W08" if finding.code == "PRICE_NOT_FAIR" else "W07"
        raise_alert(
            code=code, customer=customer, business_date=business_date, key=f"{code}:{row.pk}", message=finding.message,
            message_en=finding.english, inputs=_inputs_of(finding),
        )  # fmt: skip
    return row


def open_excesses(*, scope: DataScope, as_of: dt.date) -> list[Excess]:
    """Limits above their cap, the largest first: of customers that somebody sees and of groups with such a member."""
    found = Excess.objects.filter(closed_at__isnull=True)
    if scope.reach is not Reach.ALL:
        customers = visible_customers(scope)
        groups = memberships_on(as_of).filter(customer__in=customers).values("group")
        found = found.filter(Q(node__customer__in=customers) | Q(node__group__in=groups))
    return list(found.select_related("node__customer__party", "node__group").order_by("-amount_fen"))
