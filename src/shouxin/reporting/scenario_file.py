"""The form of a scenario file: what may be left out, and everything that is wrong with one, named by its place.

Only ``institution``, ``as_of`` and ``companies`` must be there. All faults are found before a database is started.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shouxin.policy.products import UnknownProductError, resolve_product

PARAMETERS: Mapping[str, str] = {
    "group_limit_pct": "group.limit.pct_net_capital",
    "meeting_threshold": "group.meeting_threshold",
    "control_pct_gt": "control.voting_pct",
    "lineal_gen": "kin.lineal_generations",
    "collateral_gen": "kin.collateral_generations",
    "spouse": "kin.include_spouse",
    "affinity": "kin.include_affinity",
    "closure": "group.closure",
    "warn_pct": "group.indicator.warn_pct",
    "le_threshold_pct": "le.threshold_pct",
    "le_single_pct": "le.single_nonbank_pct",
    "le_connected_pct": "le.connected_nonbank_pct",
    "dependence_test_pct": "le.dependence_test_pct",
    "dependence_income_pct": "le.dependence_income_pct",
    "intragroup_guarantee_warn_pct": "intragroup_guarantee.max_pct",
    "related_tx_pct": "related_tx.report_pct",
}
REQUIRED: Mapping[str, type] = {"institution": dict, "as_of": str, "companies": dict}
OPTIONAL: Mapping[str, Any] = {
    "params": {}, "persons": [], "parents": {}, "spouses": [], "holdings": {}, "deals": [],
    "deal_columns": ["customer", "branch", "product", "amount", "margin", "own_cd_pledge", "drawn"],
    "ccf": {}, "guarantees": [], "dependence": [], "rates": {}, "expected": {},
}  # fmt: skip
COLUMNS = frozenset({
    "customer", "branch", "product", "amount", "margin", "own_cd_pledge", "own_cd", "treasury", "drawn", "currency",
    "date", "maturity",
})  # fmt: skip
_NEEDS_OF_QUESTION = {
    "limit15_year_end": ("institution.net_capital_year_end",),
    "limit15_quarter_end": ("institution.net_capital_quarter_end",),
    "le_ratio_connected": ("institution.tier1_net_quarter_end",),
    "intragroup_guarantee_pct": ("group_line",),
}  # fmt: skip


def completed(document: object) -> dict[str, Any]:
    """The document with what was left out. Raises ScenarioFileError with every fault and its place."""
    problems = list(_faults(document))
    if problems:
        raise ScenarioFileError(problems)
    assert isinstance(document, Mapping)  # noqa: S101 - looked at just above
    return {**OPTIONAL, **document}


class ScenarioFileError(ValueError):
    """A file that is not of the form; every fault is listed and nothing was run."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def _faults(document: object) -> Iterator[str]:
    if not isinstance(document, Mapping):
        yield "文件不是一个 JSON 对象"
        return
    shapes: dict[str, type] = {**REQUIRED, **{name: type(value) for name, value in OPTIONAL.items()}}
    wrong = set()
    for name, shape in shapes.items():
        if name not in document:
            if name in REQUIRED:
                wrong.add(name)
                yield f"缺少 {name}"
        elif not isinstance(document[name], shape):
            wrong.add(name)
            yield f"{name}：应为{'对象' if shape is dict else '数组' if shape is list else '文字'}"
    if wrong:
        return
    whole = {**OPTIONAL, **document}
    yield from _faults_of_institution(whole)
    yield from _faults_of_people(whole)
    yield from _faults_of_holdings(whole)
    yield from _faults_of_deals(whole)
    yield from _faults_of_links(whole)
    yield from _faults_of_questions(whole)


def _faults_of_institution(document: Mapping[str, Any]) -> Iterator[str]:
    institution = document["institution"]
    if not str(institution.get("name", "")).strip():
        yield "institution.name：缺少机构名称"
    unit = institution.get("unit", "万元")
    if unit not in ("万元", "元", "分"):
        yield f"institution.unit：未知的单位 {unit}，可用 万元、元、分"
    known = sorted([*PARAMETERS, "net_of_margin"])
    yield from (
        f"params：未知的参数 {name}，可用 {'、'.join(known)}" for name in document["params"] if name not in known
    )
    yield from _day(document["as_of"], "as_of")
    for key in ("net_capital_year_end", "net_capital_quarter_end", "tier1_net_quarter_end"):
        figure = institution.get(key)
        if figure is None:
            continue
        if not isinstance(figure, Mapping) or {"date", "value"} - set(figure):
            yield f"institution.{key}：应为 {{date, value}}"
            continue
        yield from _day(figure["date"], f"institution.{key}.date")
        yield from _number(figure["value"], f"institution.{key}.value", above=Decimal(0))
    for currency, rate in document["rates"].items():
        yield from _number(rate, f"rates.{currency}", above=Decimal(0))


def _faults_of_people(document: Mapping[str, Any]) -> Iterator[str]:
    people = set(map(str, document["persons"]))
    if len(people) != len(document["persons"]):
        yield "persons：同一人出现两次"
    both = sorted(people & set(document["companies"]))
    if both:
        yield f"persons：{'、'.join(both)} 同时是公司"
    for child, parents in document["parents"].items():
        for name in [child, *(parents if isinstance(parents, list) else [])]:
            if name not in people:
                yield f"parents.{child}：没有名为 {name} 的人"
        if not isinstance(parents, list) or len(parents) > 2:
            yield f"parents.{child}：应为至多两人的数组"
    for place, row in enumerate(document["spouses"], start=1):
        if not isinstance(row, list) or len(row) != 2:
            yield f"spouses 第 {place} 行：应为两人"
        else:
            yield from (f"spouses 第 {place} 行：没有名为 {name} 的人" for name in row if name not in people)
    for name in document.get("anchors") or []:
        if name not in people and name not in document["companies"]:
            yield f"anchors：没有名为 {name} 的人"


def _faults_of_holdings(document: Mapping[str, Any]) -> Iterator[str]:
    for company, holders in document["holdings"].items():
        if company not in document["companies"]:
            yield f"holdings.{company}：没有代号为 {company} 的公司"
        if not isinstance(holders, Mapping):
            yield f"holdings.{company}：应为 {{股东: 百分比}}"
            continue
        total = Decimal(0)
        for holder, share in holders.items():
            faults = list(_number(share, f"holdings.{company}.{holder}", least=Decimal(0)))
            yield from faults
            total += Decimal(0) if faults else Decimal(str(share))
        if total > 100:
            yield f"holdings.{company}：合计 {total:f}%，超过 100%"


def _faults_of_deals(document: Mapping[str, Any]) -> Iterator[str]:
    columns = document["deal_columns"]
    unknown = sorted(set(map(str, columns)) - COLUMNS)
    missing = sorted({"customer", "branch", "product", "amount"} - set(map(str, columns)))
    if unknown or missing:
        if unknown:
            yield f"deal_columns：未知的列 {'、'.join(unknown)}，可用 {'、'.join(sorted(COLUMNS))}"
        if missing:
            yield f"deal_columns：缺少列 {'、'.join(missing)}"
        return
    for place, values in enumerate(document["deals"], start=1):
        where = f"deals 第 {place} 行"
        if not isinstance(values, list) or len(values) != len(columns):
            given = len(values) if isinstance(values, list) else 0
            yield f"{where}有 {given} 列，应为 {len(columns)} 列"
            continue
        yield from _faults_of_deal(dict(zip(columns, values, strict=True)), where, document)


def _faults_of_deal(row: Mapping[str, Any], where: str, document: Mapping[str, Any]) -> Iterator[str]:
    if row["customer"] not in document["companies"]:
        yield f"{where}：没有名为 {row['customer']} 的客户"
    if not str(row["branch"] or "").strip():
        yield f"{where}：缺少机构"
    try:
        if not resolve_product(str(row["product"])).is_credit:
            yield f"{where}：{row['product']} 不是授信产品"
    except UnknownProductError as error:
        yield f"{where}：{error}"
    faults = list(_number(row["amount"], f"{where} amount", above=Decimal(0)))
    yield from faults
    for name in ("margin", "own_cd_pledge", "own_cd", "treasury"):
        wrong = list(_number(row.get(name, 0), f"{where} {name}", least=Decimal(0)))
        yield from wrong
        if not wrong and not faults and Decimal(str(row.get(name, 0))) > Decimal(str(row["amount"])):
            yield f"{where} {name}：{row[name]} 大于金额 {row['amount']}"
    for name in ("date", "maturity"):
        if row.get(name):
            yield from _day(row[name], f"{where} {name}")
    currency = row.get("currency") or "CNY"
    if currency != "CNY" and currency not in document["rates"]:
        yield f"{where}：rates 中没有 {currency} 的汇率"


def _faults_of_links(document: Mapping[str, Any]) -> Iterator[str]:
    for name, width, figure in (("guarantees", 3, 2), ("dependence", 4, 3)):
        for place, row in enumerate(document[name], start=1):
            where = f"{name} 第 {place} 行"
            if not isinstance(row, list) or len(row) != width:
                yield f"{where}：应为 {width} 列"
                continue
            yield from _number(row[figure], where, above=Decimal(0))
    for product, factor in document["ccf"].items():
        yield from _number(factor, f"ccf.{product}", least=Decimal(0))
        try:
            resolve_product(product)
        except UnknownProductError as error:
            yield f"ccf：{error}"


def _faults_of_questions(document: Mapping[str, Any]) -> Iterator[str]:
    for question in document["expected"]:
        needs = _NEEDS_OF_QUESTION.get(question, ())
        if question.startswith("le_ratio"):
            needs = ("institution.tier1_net_quarter_end",)
        for need in needs:
            first, _dot, second = need.partition(".")
            if first not in document or (second and second not in document[first]):
                yield f"expected.{question}：文件中没有 {need}"
    if "group_line" in document:
        yield from _number(document["group_line"], "group_line", above=Decimal(0))


def _day(text: object, where: str) -> Iterator[str]:
    try:
        dt.date.fromisoformat(str(text))
    except ValueError:
        yield f"{where}：“{text}”不是 年-月-日"


def _number(
    value: object, where: str, *, least: Decimal | None = None, above: Decimal | None = None
) -> Iterator[str]:  # fmt: skip
    """Nothing for an exact number within its bounds; a text of digits is one too."""
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) and value is not None else Decimal("NaN")
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        yield f"{where}：“{value}”不是数字"
    elif above is not None and number <= above:
        yield f"{where}：{value} 须大于 {above}"
    elif least is not None and number < least:
        yield f"{where}：{value} 不能小于 {least}"
