"""Signals that the system's own data show beside the books of a day: statements, ratings, other banks, evidence.

Each is judged by a dated parameter and raised once per fact (the statement, the rating, the evaluation, the change):
a closed alert does not come back until there is a new fact. Everything is read for many customers at a time.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import Q

from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of
from shouxin.domain.early_warning import Period, comparable, drop_pct, falls, leverage_pct, notches_down, turnover
from shouxin.domain.money import amount_en, format_wan
from shouxin.domain.parameters import InForce, NotInForceError
from shouxin.facilities import public_lines
from shouxin.facilities.evaluating import standing_statements
from shouxin.facilities.models import CreditRating, Evaluation, FinancialStatement
from shouxin.groups.models import Agreement, Guarantee, Holding, Post
from shouxin.monitoring.alerts import AlertError, raise_alert
from shouxin.monitoring.conduct_signals import conduct_of
from shouxin.monitoring.models import Alert
from shouxin.monitoring.shown import Shown
from shouxin.parties.models import Customer
from shouxin.policy import load_book

BATCH = 500
_FLOWS = {"sales": "销售收入", "net_profit": "净利润", "operating_cash_flow": "经营现金流"}
_FLOWS_EN = {"sales": "sales", "net_profit": "net profit", "operating_cash_flow": "operating cash flow"}
_TURNS = {
    "receivables": ("sales", "应收账款周转", "receivables"), "stock": ("cost_of_sales", "存货周转", "stock"),
}  # fmt: skip
_CONTROLLER = "actual_controller"
_JOINS = (":", "'")


@dataclass(slots=True)
class _Data:
    """What is known about one customer, newest first."""

    customer: Customer
    periods: list[Period] = field(default_factory=list)
    ratings: list[CreditRating] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    guaranteed_fen: int = 0
    statement_ends: list[dt.date] = field(default_factory=list)


def raise_early_signals(customers: Iterable[Customer], *, as_of: dt.date) -> list[Alert]:
    """Raise what the data of these customers show on a day and what has not been raised from the same facts before."""
    raised: list[Alert] = []
    try:
        load_book().at("alert.due_days", as_of)
    except NotInForceError:
        return raised  # alerts did not exist on that day
    waiting = iter(customers)
    while batch := tuple(islice(waiting, BATCH)):
        shown = list(_shown_by(batch, as_of))
        known = set(Alert.objects.filter(key__in=[s.key for _, s in shown]).values_list("key", flat=True))
        for customer, signal in shown:
            if signal.key in known:
                continue
            known.add(signal.key)
            raised.append(
                raise_alert(
                    code=signal.code, customer=customer, business_date=as_of, key=signal.key, message=signal.message,
                    message_en=signal.message_en, inputs={**signal.inputs, **basis_of(signal.line)},
                )
            )  # fmt: skip
    return raised


def basis_of(line: InForce) -> dict[str, str]:
    """The value a signal was held against, with its article, for the alert's inputs."""
    sign = {">=": "≥", "<=": "≤"}.get(line.parameter.comparison, line.parameter.comparison)
    unit = {"percent": "%", "days": " 天", "months": " 个月", "count": ""}.get(line.parameter.unit, "")
    text = line.value.text
    return {
        "阈值": "、".join(text) if isinstance(text, tuple) else f"{sign} {text}{unit}".strip(),
        "依据": f"{line.value.citation}（{line.value.article}）",
    }


def _shown_by(customers: Sequence[Customer], as_of: dt.date) -> Iterator[tuple[Customer, Shown]]:
    changes = _changes(customers, as_of)
    read = _read(customers, as_of)
    conduct = conduct_of(
        customers, as_of=as_of, statements={data.customer.pk: data.statement_ends for data in read},
        evaluations={data.customer.pk: data.evaluations for data in read},
    )  # fmt: skip
    for data in read:
        customer = data.customer
        for rule in (_leverage, _decline, _turnover, _investment, _guarantees, _downgrade, _other_banks):
            try:
                for shown in rule(data, as_of):
                    yield customer, shown
            except NotInForceError:
                continue  # the signal did not exist on that day
        for shown in (*changes.get(customer.party_id, ()), *conduct[customer.pk]):
            yield customer, shown


def _read(customers: Sequence[Customer], as_of: dt.date) -> list[_Data]:
    found = {customer.pk: _Data(customer) for customer in customers}
    own = FinancialStatement.Scope.OWN
    for row in standing_statements(as_of).filter(customer__in=found, scope=own, period_end_date__lte=as_of):
        found[row.customer_id].periods.append(Period(row.period_end_date, row.items))
    for rating in CreditRating.objects.filter(customer__in=found, rated_date__lte=as_of).order_by("-rated_date", "-pk"):
        found[rating.customer_id or 0].ratings.append(rating)
    for evaluation in Evaluation.objects.filter(customer__in=found, evaluated_date__lte=as_of).order_by(
        "-evaluated_date", "-pk"
    ):
        found[evaluation.customer_id or 0].evaluations.append(evaluation)
    by_party = {customer.party_id: customer.pk for customer in customers}
    for guarantee in Guarantee.objects.filter(_in_force(as_of), guarantor__in=by_party):
        found[by_party[guarantee.guarantor_id]].guaranteed_fen += guarantee.amount_fen
    for data in found.values():
        data.statement_ends = sorted((period.end for period in data.periods), reverse=True)
        data.periods = comparable(data.periods)
    return list(found.values())


def _in_force(as_of: dt.date) -> Q:
    return Q(Q(valid_from__isnull=True) | Q(valid_from__lte=as_of), Q(valid_to__isnull=True) | Q(valid_to__gt=as_of))


# --- statements -----------------------------------------------------------------------------------------------------


def _leverage(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W14: above what the industry may have, or up by the points of the parameter within a year."""
    book = load_book()
    rise_line = book.at("signal.leverage_rise_points", as_of)
    now = leverage_pct(data.periods[0].items) if data.periods else None
    if now is None:
        return
    end = data.periods[0].end
    inputs = {"资产负债率": f"{now:.2f}%", "报告期末": str(end)}
    limit = public_lines.leverage_limit(data.customer, as_of=as_of)
    if not limit.allows(now):
        text = f"资产负债率 {now:.2f}%（{end}），超过 {limit.decimal:f}%。"
        english = f"has liabilities of {now:.2f}% of its assets ({end}), above {limit.decimal:f}%."
        yield Shown("W14", f"W14:{data.customer.pk}:{end}", *_about(data, text, english), inputs, limit)
        return
    before = leverage_pct(data.periods[1].items) if len(data.periods) > 1 else None
    if before is not None and rise_line.allows(now - before):
        text = f"资产负债率一年上升 {now - before:.2f} 个百分点，至 {now:.2f}%（{end}）。"
        english = f"'s liabilities rose by {now - before:.2f} points of assets in a year, to {now:.2f}% ({end})."
        inputs["上年同期"] = f"{before:.2f}%"
        yield Shown("W14", f"W14:{data.customer.pk}:{end}", *_about(data, text, english), inputs, rise_line)


def _decline(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W15: sales, profit or cash flow fell for as many periods in a row as the parameter says."""
    line = load_book().at("signal.decline_periods", as_of)
    fallen = {item: falls(data.periods, item) for item in _FLOWS}
    found = [item for item, count in fallen.items() if line.allows(Decimal(count))]
    if not found:
        return
    end = data.periods[0].end
    inputs = {
        _FLOWS[item]: " → ".join(
            f"{format_wan(period.items[item])}" for period in reversed(data.periods[: fallen[item] + 1])
        )
        + " 万元"
        for item in found
    }
    names = "、".join(f"{_FLOWS[item]}连续 {fallen[item]} 期下降" for item in found)
    english = ", ".join(f"{_FLOWS_EN[item]} {fallen[item]} periods in a row" for item in found)
    said = _about(data, f"{names}（至 {end}）。", f": falling {english} (to {end}).")
    yield Shown("W15", f"W15:{data.customer.pk}:{end}", *said, inputs, line)


def _turnover(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W16: receivables or stock turn over slower than a year before, by the percentage of the parameter."""
    line = load_book().at("signal.turnover_drop_pct", as_of)
    if len(data.periods) < 2:
        return
    now, before = data.periods[0], data.periods[1]
    inputs: dict[str, str] = {}
    texts, english = [], []
    for balance, (flow, name, name_en) in _TURNS.items():
        old = turnover(before.items, flow=flow, balance=balance)
        new = turnover(now.items, flow=flow, balance=balance)
        drop = drop_pct(old, new) if old is not None and new is not None else None
        if drop is not None and line.allows(drop):
            inputs[name] = f"{old:.2f} → {new:.2f} 次"
            texts.append(f"{name}下降 {drop:.2f}%")
            english.append(f"{name_en} by {drop:.2f}%")
    if texts:
        key = f"W16:{data.customer.pk}:{now.end}"
        said = _about(
            data, f"{'、'.join(texts)}（{now.end}）。", f": turnover slower, {' and '.join(english)} ({now.end})."
        )
        yield Shown("W16", key, *said, inputs, line)


def _investment(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W24: long-term investment grew within a year by the percentage of the parameter, or began."""
    line = load_book().at("signal.investment_rise_pct", as_of)
    item = "long_investments"
    if len(data.periods) < 2 or item not in data.periods[0].items or item not in data.periods[1].items:
        return
    now, before = data.periods[0].items[item], data.periods[1].items[item]
    drop = drop_pct(before, now)
    has_begun = before <= 0 < now
    if not has_begun and (drop is None or not line.allows(-drop)):
        return
    end = data.periods[0].end
    growth = "新增" if has_begun or drop is None else f"增长 {-drop:.2f}%"
    text = f"长期投资一年{growth}：{format_wan(before)} → {format_wan(now)} 万元（{end}）。"
    inputs = {"长期投资": f"{format_wan(before)} → {format_wan(now)} 万元"}
    grown = "began" if has_begun or drop is None else f"grew by {-drop:.2f}%"
    english = f": long-term investment {grown} in a year, {amount_en(before)} → {amount_en(now)} ({end})."
    yield Shown("W24", f"W24:{data.customer.pk}:{end}", *_about(data, text, english), inputs, line)


def _guarantees(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W13: what the customer guarantees for others, held against its net assets."""
    line = load_book().at("guarantee.external_pct", as_of)
    equity = data.periods[0].items["equity"] if data.periods else 0
    if equity <= 0 or not data.guaranteed_fen:
        return
    share = Decimal(data.guaranteed_fen) * 100 / equity
    if line.allows(share):
        text = f"对外担保 {format_wan(data.guaranteed_fen)} 万元，占净资产 {share:.2f}%，达到 {line.decimal:f}%。"
        inputs = {
            "对外担保": f"{format_wan(data.guaranteed_fen)} 万元",
            "净资产": f"{format_wan(equity)} 万元（{data.periods[0].end}）",
            "占比": f"{share:.2f}%",
        }
        key = f"W13:{data.customer.pk}:{data.periods[0].end}:{data.guaranteed_fen}"
        english = (
            f"guarantees {amount_en(data.guaranteed_fen)} for others, {share:.2f}% of its net assets, at or above "
            f"{line.decimal:f}%."
        )
        yield Shown("W13", key, *_about(data, text, english), inputs, line)


# --- ratings, other banks -------------------------------------------------------------------------------------------


def _downgrade(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W21: the latest rating is lower than the one before by as many notches as the parameter says."""
    line = load_book().at("signal.rating_notches", as_of)
    if len(data.ratings) < 2:
        return
    now, before = data.ratings[0], data.ratings[1]
    fall = notches_down(load_book().items("rating.scale", as_of), before.grade, now.grade)
    if line.allows(Decimal(fall)):
        text = f"信用等级由 {before.grade}（{before.rated_date}）下调 {fall} 级至 {now.grade}（{now.rated_date}）。"
        inputs = {"原等级": before.grade, "现等级": now.grade, "下调级数": str(fall)}
        english = (
            f"was rated down by {fall} notches: {before.grade} ({before.rated_date}) → {now.grade} ({now.rated_date})."
        )
        yield Shown("W21", f"W21:{now.pk}", *_about(data, text, english), inputs, line)


def _other_banks(data: _Data, as_of: dt.date) -> Iterator[Shown]:
    """W22: other banks have reduced, or are expected to reduce, their credit by the percentage of the parameter."""
    line = load_book().at("signal.other_banks_drop_pct", as_of)
    known = [e for e in data.evaluations if e.other_banks_now_fen is not None]
    if not known:
        return
    latest = known[0]
    pairs = [("预计", "are expected to reduce", latest.other_banks_now_fen, latest.other_banks_expected_fen)]
    if len(known) > 1:
        pairs.insert(0, ("已", "have reduced", known[1].other_banks_now_fen, latest.other_banks_now_fen))
    for word, verb, before, now in pairs:
        drop = drop_pct(before, now) if before is not None and now is not None else None
        if drop is not None and line.allows(drop):
            change = f"{format_wan(before or 0)} → {format_wan(now or 0)} 万元"
            text = f"他行{word}压缩授信 {drop:.2f}%：{change}（{latest.evaluated_date} 评价）。"
            english = (
                f": other banks {verb} their credit by {drop:.2f}%, {amount_en(before or 0)} → {amount_en(now or 0)} "
                f"(evaluation of {latest.evaluated_date})."
            )
            yield Shown("W22", f"W22:{latest.pk}", *_about(data, text, english), {"他行授信": change}, line)
            return


def _about(data: _Data, text: str, english: str) -> tuple[str, str]:
    """The sentence about a customer in both languages."""
    name = data.customer.party.name
    return f"{name} {text}", f"{name}{'' if english[0] in _JOINS else ' '}{english}"


# --- evidence: holders, controllers, key posts ----------------------------------------------------------------------


def _changes(customers: Sequence[Customer], as_of: dt.date) -> dict[int, list[Shown]]:
    """W11 by party: what began or ended within the days of the parameter in a company that was known before."""
    try:
        line = load_book().at("signal.change_days", as_of)
        posts = load_book().items("signal.key_posts", as_of)
    except NotInForceError:
        return {}
    parties = {customer.party_id: customer for customer in customers}
    companies: dict[str, Any] = {"company__in": parties}
    rows: list[tuple[int, str, str, Any]] = [
        *((h.company_id, "股东", f"{h.holder.name} {_votes(h)}", h)
          for h in Holding.objects.filter(**companies).select_related("holder")),
        *((a.company_id, "实际控制人", a.controller.name, a)
          for a in Agreement.objects.filter(**companies, kind=_CONTROLLER).select_related("controller")),
        *((p.company_id, p.post, p.person.name, p)
          for p in Post.objects.filter(**companies, post__in=posts).select_related("person")),
    ]  # fmt: skip
    begun: defaultdict[tuple[int, dt.date], set[tuple[str, str]]] = defaultdict(set)
    ended: defaultdict[tuple[int, dt.date], set[tuple[str, str]]] = defaultdict(set)
    first: dict[tuple[int, str], dt.date] = {}
    for company, what, who, row in rows:
        since = row.valid_from or dt.date.min
        first[company, what] = min(since, first.get((company, what), since))
        if row.valid_from:
            begun[company, row.valid_from].add((what, who))
        if row.valid_to:
            ended[company, row.valid_to].add((what, who))
    found: defaultdict[int, list[Shown]] = defaultdict(list)
    for company, day in sorted({*begun, *ended}):
        if day > as_of or not line.allows(Decimal((as_of - day).days)):
            continue
        new = {x for x in begun[company, day] - ended[company, day] if first[company, x[0]] < day}
        old = ended[company, day] - begun[company, day]
        if new or old:
            inputs = {"变更日": str(day)}
            if old:
                inputs["变更前"] = "；".join(f"{what} {who}" for what, who in sorted(old))
            if new:
                inputs["变更后"] = "；".join(f"{what} {who}" for what, who in sorted(new))
            kinds = "、".join(sorted({what for what, _who in new | old}))
            text = f"{parties[company].party.name} 于 {day} 变更{kinds}：{inputs.get('变更前', '—')} → " \
                   f"{inputs.get('变更后', '—')}。"  # fmt: skip
            english = f"{parties[company].party.name} changed on {day}: {inputs.get('变更前', '—')} → " \
                      f"{inputs.get('变更后', '—')}."  # fmt: skip
            found[company].append(Shown("W11", f"W11:{company}:{day}", text, english, inputs, line))
    return found


def _votes(holding: Holding) -> str:
    if not holding.is_percent:
        return f"{holding.votes:,} 股"
    return f"{(Decimal(holding.votes) / 1_000_000).normalize():f}%"


# --- reported events ------------------------------------------------------------------------------------------------

_EVENT_CODES = {
    "litigation": "W13", "guarantee": "W13", "restructuring": "W12", "personnel": "W11", "accident": "W20",
    "investment": "W24",
}  # fmt: skip
_MAY_REPORT = frozenset({
    RoleAssignment.Role.CUSTOMER_MANAGER, RoleAssignment.Role.BRANCH_HEAD, RoleAssignment.Role.RISK_OFFICER,
})  # fmt: skip


def report_event(
    *, actor: Staff, customer: Customer, event: str, amount_fen: int, business_date: dt.date
) -> Alert | None:
    """Somebody reports an event of CB+3; one that reaches its line opens an alert, the others leave None.

    Raises AlertError for a person without the right to.
    """
    if not roles_of(actor, as_of=business_date) & _MAY_REPORT:
        raise AlertError("事项由客户经理、支行行长或风险审查岗报告。")
    findings = public_lines.judge_event(customer=customer, event=event, amount_fen=amount_fen, as_of=business_date)
    if not findings or findings[0].code == "NET_ASSETS_MISSING":
        return None
    finding = findings[0]
    return raise_alert(
        code=_EVENT_CODES[event], customer=customer, business_date=business_date, raised_by=actor,
        key=f"{_EVENT_CODES[event]}:event:{customer.pk}:{event}",
        message=f"{customer.party.name} {finding.message}", message_en=f"{customer.party.name}: {finding.english}",
        inputs={"涉及金额": f"{format_wan(amount_fen)} 万元", "依据": f"{finding.citation}（{finding.article}）"},
    )  # fmt: skip
