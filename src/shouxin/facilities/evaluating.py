"""Statements, ratings and evaluations: what must be known about a customer or a group before a line is sized.

CB-12 an overall evaluation, still valid · CB-13 the control amount by measurement · CB-14 the objective need · CB-15
other banks now and expected · CB-16 credit policy · JS-03 a rating of the group as a whole · JS-04 its own measurement.
"""

import datetime as dt
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from shouxin.audit import services as audit
from shouxin.bank.models import RoleAssignment, Staff
from shouxin.bank.scope import roles_of, scope_of
from shouxin.domain.dates import add_months
from shouxin.domain.measurement import (
    METHODS,
    REQUIRED_ITEMS,
    STATEMENT_ITEMS,
    STATEMENT_SYNONYMS,
    Measured,
    control_amount_fen,
    imbalance_fen,
    impossible,
    ratios,
    shown,
)
from shouxin.domain.money import FEN_MAX, Money, MoneyError, format_wan
from shouxin.facilities.models import CreditRating, Evaluation, FinancialStatement
from shouxin.groups.models import CustomerGroup
from shouxin.intake.list_files import HEADER_ROW_MAX
from shouxin.parties.models import Customer
from shouxin.parties.selectors import visible_customers
from shouxin.policy import load_book

_Role = RoleAssignment.Role
_EVALUATE = frozenset({_Role.CUSTOMER_MANAGER, _Role.BRANCH_HEAD, _Role.RISK_OFFICER})
_HEADINGS = frozenset({"项目", "科目", "报表项目"})
_ORNAMENT = re.compile(r"^[一二三四五六七八九十]+、|^(?:其中|减|加)[:：]|[（(][^（()）]*[)）]$")
"""What printed statements put around an item: its number, 其中：, and notes in brackets."""
POLICY_RESULTS = {"supported": "支持", "neutral": "一般", "restricted": "限制", "exit": "退出"}


class EvaluationError(ValueError):
    """What was given makes no evaluation; every reason is listed and nothing was written."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("；".join(reasons))
        self.reasons = list(reasons)


# --- statements ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatementInput:
    """One period as read: figures in 分 by item key."""

    period_end_date: dt.date
    items: Mapping[str, int]
    where: str = ""


def judge_statement(statement: StatementInput) -> list[str]:
    """Why a statement cannot be taken: items missing, or it does not balance."""
    where = f"{statement.where}{statement.period_end_date}："
    missing = [STATEMENT_ITEMS[item] for item in REQUIRED_ITEMS if item not in statement.items]
    if missing:
        return [f"{where}缺少 {'、'.join(missing)}"]
    gap = imbalance_fen(statement.items)
    if gap:
        items = statement.items
        return [
            f"{where}不平衡：资产总计 {format_wan(items['total_assets'])} 万元，负债合计 + 所有者权益合计 "
            f"{format_wan(items['total_liabilities'] + items['equity'])} 万元，相差 {format_wan(gap)} 万元，"
            f"请核对后重传"
        ]
    return [f"{where}{reason}，请核对后重传" for reason in impossible(statement.items)]


def read_statements(data: bytes, *, name: str) -> list[StatementInput]:
    """Read a sheet: items in the first column, one period per further column, amounts in 万元.

    Raises:
        EvaluationError: not a workbook, or cells that cannot be read, each with sheet, row and column.
    """
    from python_calamine import CalamineWorkbook

    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except Exception as error:  # the reader raises its own kinds for each way a file can be broken
        raise EvaluationError([f"{name}：不是可读的 Excel 工作簿（{error}）"]) from error
    if not rows or len(rows[0]) < 2:
        raise EvaluationError([f"{name}：第 1 行须为“项目”和各期期末日期"])
    head = _header_row(rows)
    problems: list[str] = []
    periods = [_read_period(cell, f"{name} 第 {head} 行第 {c} 列", problems) for c, cell in _figures_of(rows[head - 1])]
    problems += _repeated(periods, name)
    figures = _read_figures(rows, head, len(periods), name, problems)
    if problems:
        raise EvaluationError(problems)
    return [StatementInput(p, f, f"{name} ") for p, f in zip(periods, figures, strict=True) if p is not None]


def _figures_of(row: Sequence[object]) -> list[tuple[int, object]]:
    """The cells beside the title with their columns, from 2; empty cells at the end of the row are none."""
    cells = list(row[1:])
    while len(cells) > 1 and not str(cells[-1]).strip():
        cells.pop()
    return list(enumerate(cells, start=2))


def _header_row(rows: Sequence[Sequence[object]]) -> int:
    """The row of the periods, from 1: titles of the sheet may stand above it."""
    for number, row in enumerate(rows[:HEADER_ROW_MAX], start=1):
        if str(row[0]).strip() in _HEADINGS or any(_as_date(cell) is not None for cell in row[1:]):
            return number
    return 1


def _read_figures(
    rows: Sequence[Sequence[object]], head: int, periods: int, name: str, problems: list[str]
) -> list[dict[str, int]]:
    """The figures of each period in 分 by item; what cannot be read is added to ``problems`` with its cell."""
    keys = {**STATEMENT_SYNONYMS, **{title: key for key, title in STATEMENT_ITEMS.items()}}
    figures: list[dict[str, int]] = [{} for _ in range(periods)]
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[head:], start=head + 1):
        printed = str(row[0]).strip()
        title = _ORNAMENT.sub("", printed) or printed
        if not title:
            continue
        if title not in keys:
            problems.append(
                f"{name} 第 {number} 行：不认识的项目“{printed}”，可用：{'、'.join(STATEMENT_ITEMS.values())}"
            )
            continue
        key = keys[title]
        if key in seen:
            problems.append(f"{name} 第 {number} 行：项目“{printed}”与第 {seen[key]} 行重复")
            continue
        seen[key] = number
        for column, cell in enumerate(row[1 : periods + 1], start=2):
            if str(cell).strip():
                try:
                    figures[column - 2][key] = Money.from_wan(_number_text(cell)).fen
                except MoneyError as error:
                    problems.append(f"{name} 第 {number} 行第 {column} 列：{error}")
    return figures


def _repeated(periods: Sequence[dt.date | None], name: str) -> list[str]:
    twice = sorted({period for period in periods if period is not None and periods.count(period) > 1})
    return [f"{name}：同一期间在文件中出现两次（{period}），请只保留一列" for period in twice]


def _number_text(cell: object) -> str:
    """A spreadsheet number as a text; what it has beyond a 分 is the noise of its binary form and is rounded off."""
    if isinstance(cell, bool) or not isinstance(cell, float | int) or not abs(cell) <= FEN_MAX:
        return str(cell)
    return f"{Decimal(repr(cell)).quantize(Decimal('0.000001')):f}"


def _as_date(cell: object) -> dt.date | None:
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    try:
        return dt.date.fromisoformat(str(cell).strip())
    except ValueError:
        return None


def _read_period(cell: object, where: str, problems: list[str]) -> dt.date | None:
    found = _as_date(cell)
    if found is None:
        problems.append(f"{where}：“{cell}”不是 年-月-日")
    return found


@transaction.atomic
def add_statements(
    *, actor: Staff, customer: Customer, statements: Sequence[StatementInput], scope: str, source: str,
    business_date: dt.date,
) -> list[FinancialStatement]:  # fmt: skip
    """Store several periods, all or none. Raises EvaluationError with every reason."""
    _require(actor, customer, business_date)
    problems = [reason for statement in statements for reason in judge_statement(statement)]
    if not statements:
        problems.append("没有可导入的报表期间")
    problems += _repeated([s.period_end_date for s in statements], source)
    problems += [
        f"{s.where}{s.period_end_date}：报告期末晚于营业日 {business_date}"
        for s in statements
        if s.period_end_date > business_date
    ]
    if problems:
        raise EvaluationError(problems)
    try:
        with transaction.atomic():
            stored = [
                FinancialStatement.objects.create(
                    customer=customer, scope=scope, period_end_date=s.period_end_date, items=dict(s.items),
                    source=source, entered_by=actor,
                )
                for s in statements
            ]  # fmt: skip
    except IntegrityError as error:
        raise EvaluationError(["同一期间的报表已录入，不重复导入；如有更正请先作废原报表"]) from error
    audit.record(
        actor=actor, action="facilities.statements.added", subject=("customer", customer.pk),
        summary=f"录入报表 {len(stored)} 期：{'、'.join(str(s.period_end_date) for s in statements)}",
        business_date=business_date,
    )  # fmt: skip
    return stored


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One item over the periods, as texts in 万元 or as ratios."""

    name: str
    cells: list[str]


def statement_table(customer_id: int, *, as_of: dt.date, periods: int = 4) -> tuple[list[dt.date], list[StatementRow]]:
    """Items and ratios of the last periods, oldest first, for the page and the print."""
    found = list(
        standing_statements(as_of).filter(
            customer_id=customer_id, scope=FinancialStatement.Scope.OWN, period_end_date__lte=as_of
        )[:periods]
    )[::-1]
    rows = [
        StatementRow(title, [format_wan(s.items[key]) if key in s.items else "—" for s in found])
        for key, title in STATEMENT_ITEMS.items()
        if any(key in s.items for s in found)
    ]
    year_days = load_book().whole("wc.year_days", as_of)
    computed = [
        ratios(s.items, found[place - 1].items if place else None, year_days=year_days) for place, s in enumerate(found)
    ]
    for name in computed[0] if computed else ():
        values = [row[name] for row in computed]
        if any(value is not None for value in values):
            rows.append(StatementRow(name, ["—" if value is None else shown(value) for value in values]))
    return [s.period_end_date for s in found], rows


def latest_statement(customer_id: int, *, as_of: dt.date) -> FinancialStatement | None:
    return (
        standing_statements(as_of)
        .filter(customer_id=customer_id, scope=FinancialStatement.Scope.OWN, period_end_date__lte=as_of)
        .first()
    )


def standing_statements(as_of: dt.date) -> QuerySet[FinancialStatement]:
    """Statements that are not voided on a day."""
    return FinancialStatement.objects.filter(Q(voided_date__isnull=True) | Q(voided_date__gt=as_of))


@transaction.atomic
def void_statement(
    *, actor: Staff, statement: FinancialStatement, reason: str, business_date: dt.date
) -> FinancialStatement:  # fmt: skip
    """Void a wrong statement: it is kept with the reason, counts no longer, and a right one may take its place.

    Raises:
        EvaluationError: no reason, voided already, or somebody without the role.
    """
    found = FinancialStatement.objects.select_for_update().select_related("customer").get(pk=statement.pk)
    _require(actor, found.customer, business_date)
    if found.voided_date is not None:
        raise EvaluationError([f"{found.period_end_date} 的报表已于 {found.voided_date} 作废"])
    if not reason.strip():
        raise EvaluationError(["请填写作废原因"])
    found.voided_date, found.voided_by, found.void_reason = business_date, actor, reason.strip()
    found.save(update_fields=["voided_date", "voided_by", "void_reason"])
    audit.record(
        actor=actor, action="facilities.statement.voided", subject=("customer", found.customer_id),
        summary=f"作废 {found.period_end_date} {found.get_scope_display()}报表：{reason.strip()}",
        business_date=business_date, details={"statement": found.pk, "items": found.items},
    )  # fmt: skip
    return found


# --- rating ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def rate(
    *, actor: Staff, grade: str, model: str, business_date: dt.date, customer: Customer | None = None,
    group: CustomerGroup | None = None, note: str = "",
) -> CreditRating:  # fmt: skip
    """Give a customer or a group its rating from today. Raises EvaluationError for an unknown grade or role."""
    if _Role.RISK_OFFICER not in roles_of(actor, as_of=business_date):
        raise EvaluationError(["评级由风险审查岗认定"])
    scale = load_book().items("rating.scale", business_date)
    if grade not in scale:
        raise EvaluationError([f"没有等级“{grade}”，可用：{'、'.join(scale)}"])
    if not model.strip():
        raise EvaluationError(["请填写评级模型"])
    months = load_book().whole("rating.valid_months", business_date)
    rating = CreditRating.objects.create(
        customer=customer, group=group, grade=grade, model=model, rated_date=business_date,
        valid_to=add_months(business_date, months), rated_by=actor, note=note,
    )  # fmt: skip
    subject = ("customer", customer.pk) if customer else ("group", group.pk if group else None)
    audit.record(
        actor=actor, action="facilities.rating.given", subject=subject,
        summary=f"评级 {grade}（{model}），有效至 {rating.valid_to}", business_date=business_date,
    )  # fmt: skip
    return rating


def find_rating(
    *, as_of: dt.date, customer: Customer | None = None, group: CustomerGroup | None = None
) -> CreditRating | None:
    """The rating in force on a day."""
    return CreditRating.objects.filter(
        customer=customer, group=group, rated_date__lte=as_of, valid_to__gt=as_of
    ).first()


def is_at_or_below(grade: str, line: str, *, as_of: dt.date) -> bool:
    """Whether a grade is as low as a line, by the scale of the day; an unknown grade counts as low."""
    scale = load_book().items("rating.scale", as_of)
    return grade not in scale or scale.index(grade) >= scale.index(line)


def is_at_or_above(grade: str, line: str, *, as_of: dt.date) -> bool:
    scale = load_book().items("rating.scale", as_of)
    return grade in scale and scale.index(grade) <= scale.index(line)


# --- evaluation ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What an evaluation is made of; inputs of methods in 万元 by method code, amounts in 分."""

    methods: Mapping[str, Mapping[str, Decimal]]
    need_fen: int | None
    other_banks_now_fen: int | None
    other_banks_expected_fen: int | None
    conclusion: str
    need_basis: str = ""
    other_institutions: int = 0
    policy_tags: tuple[tuple[str, str], ...] = ()


def measure(inputs: Mapping[str, Mapping[str, Decimal]], *, as_of: dt.date) -> list[tuple[str, Measured]]:
    """Run the methods; the year of M4 has as many days as the policy says unless given."""
    year = {"year_days": load_book().decimal("wc.year_days", as_of)} if "M4" in inputs else {}
    return [(code, METHODS[code].run({**year, **given} if code == "M4" else given)) for code, given in inputs.items()]


@transaction.atomic
def evaluate(
    *, actor: Staff, given: EvaluationInput, business_date: dt.date, customer: Customer | None = None,
    group: CustomerGroup | None = None,
) -> Evaluation:  # fmt: skip
    """Keep an overall evaluation with its measurements.

    Raises:
        EvaluationError: need, other banks or conclusion missing (CB-14, CB-15), no method that can be computed, or a
            group measured only by its members' sum (JS-04).
    """
    _require(actor, customer, business_date)
    problems = []
    if given.need_fen is None:
        problems.append("缺少客观需求（CB-14），请测算后填写")
    if given.other_banks_now_fen is None or given.other_banks_expected_fen is None:
        problems.append("缺少他行授信现有额与预计额（CB-15），没有请填 0")
    if any((fen or 0) < 0 for fen in (given.need_fen, given.other_banks_now_fen, given.other_banks_expected_fen)):
        problems.append("需求与他行授信不能为负数")
    if not given.conclusion.strip():
        problems.append("缺少评价结论（CB-12）")
    unknown = [code for code in given.methods if code not in METHODS]
    problems += [f"没有测算方法 {code}" for code in unknown]
    results = measure({c: v for c, v in given.methods.items() if c in METHODS}, as_of=business_date)
    problems += [f"{code} {METHODS[code].name}：{r.note}" for code, r in results if r.amount_wan is None]
    control = control_amount_fen([result for _, result in results])
    whole = load_book().items_in_force("group.measurement_methods", business_date)
    if group is not None and whole and not set(whole) & set(given.methods):
        names = "或".join(whole)
        problems.append(f"集团须按合并报表整体测算（{names}），成员测算合计不能代替（JS-04）")
    if control is None and not problems:
        problems.append("至少选一种能算出结果的测算方法（CB-13）")
    if problems:
        raise EvaluationError(problems)
    evaluation = Evaluation.objects.create(
        customer=customer, group=group, evaluated_date=business_date,
        valid_to=add_months(business_date, load_book().whole("evaluation.valid_months", business_date)),
        measurements=[_measurement_json(code, given.methods[code], result) for code, result in results],
        control_amount_fen=control, need_fen=given.need_fen, need_basis=given.need_basis,
        other_banks_now_fen=given.other_banks_now_fen, other_banks_expected_fen=given.other_banks_expected_fen,
        other_institutions=given.other_institutions,
        policy_tags=[{"tag": tag, "result": result} for tag, result in given.policy_tags],
        conclusion=given.conclusion, made_by=actor,
    )  # fmt: skip
    subject = ("customer", customer.pk) if customer else ("group", group.pk if group else None)
    audit.record(
        actor=actor,
        action="facilities.evaluation.made",
        subject=subject,
        summary=f"全面评价：授信控制量 {format_wan(control or 0)} 万元，"
        f"客观需求 {format_wan(given.need_fen or 0)} 万元",
        business_date=business_date,
    )
    return evaluation


def _measurement_json(code: str, inputs: Mapping[str, Decimal], result: Measured) -> dict[str, Any]:
    method = METHODS[code]
    return {
        "code": code,
        "name": method.name,
        "source": method.source,
        "inputs": [
            {"name": spec.name, "value": shown(inputs[spec.key]), "unit": spec.unit}
            for spec in method.inputs
            if spec.key in inputs
        ],
        "steps": [{"name": name, "value": shown(value)} for name, value in result.steps],
        "amount": shown(result.amount_wan) if result.amount_wan is not None else "",
        "note": result.note,
    }


def find_evaluation(
    *, as_of: dt.date, customer: Customer | None = None, group: CustomerGroup | None = None
) -> Evaluation | None:
    """The evaluation that is still valid on a day (CB-12)."""
    return Evaluation.objects.filter(
        customer=customer, group=group, evaluated_date__lte=as_of, valid_to__gt=as_of
    ).first()


def _require(actor: Staff, customer: Customer | None, as_of: dt.date) -> None:
    if not roles_of(actor, as_of=as_of) & _EVALUATE:
        raise EvaluationError(["评价与报表由客户经理、支行行长或风险审查岗办理"])
    if customer is not None and not visible_customers(scope_of(actor, as_of=as_of)).filter(pk=customer.pk).exists():
        raise EvaluationError(["该客户不在您的数据范围内"])
