"""How much credit a customer can carry: the measurement methods M1-M7 behind one interface.

Each method names its inputs, so that a page can ask for them and show them beside the result. Amounts are 万元 as
Decimal; a result that cannot be computed is None with the reason, never a guess. The control amount is the least of
the results of the methods chosen (CB-13).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation, Overflow

from shouxin.domain.money import FEN_MAX, FEN_PER_WAN

Inputs = Mapping[str, Decimal]
ZERO = Decimal(0)
FIGURE_MAX = Decimal(FEN_MAX) / FEN_PER_WAN
"""The largest amount that can be booked, 万元; no input and no figure on the way may be beyond it."""
_MAY_BE_NEGATIVE = frozenset({"net_assets", "profit", "operating_cash_flow"})
"""A customer may have lost more than it owns, make a loss or burn cash; nothing else falls below 0."""
_SMALLEST = Decimal("1e-12")
_MUST_BE_POSITIVE = frozenset({"year_days"})
"""What a method divides by, whatever the customer's figures are."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input: its key, its name on the page and its unit."""

    key: str
    name: str
    unit: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """What a method found: 万元, or None with the reason; ``steps`` are the intermediate figures, named."""

    amount_wan: Decimal | None
    steps: tuple[tuple[str, Decimal], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One way of measuring with its inputs and where it comes from."""

    code: str
    name: str
    inputs: tuple[InputSpec, ...]
    compute: Callable[[Inputs], Measured]
    source: str

    def missing(self, inputs: Inputs) -> list[str]:
        return [spec.name for spec in self.inputs if spec.is_required and spec.key not in inputs]

    def run(self, inputs: Inputs) -> Measured:
        """The result, or None naming the inputs that are missing."""
        missing = self.missing(inputs)
        if missing:
            return Measured(None, (), f"缺少：{'、'.join(missing)}")
        wrong = [reason for spec in self.inputs if spec.key in inputs and (reason := _wrong(spec, inputs[spec.key]))]
        if wrong:
            return Measured(None, (), "；".join(wrong))
        return self._computed({spec.key: inputs.get(spec.key, ZERO) for spec in self.inputs})

    def _computed(self, inputs: Inputs) -> Measured:
        """The result, or None when it divides by nothing or is more than can be booked, with the inputs to look at."""
        given = "、".join(f"{spec.name} {inputs[spec.key]:f}" for spec in self.inputs if inputs[spec.key])
        try:
            found = self.compute(inputs)
        except (DivisionByZero, InvalidOperation, Overflow):
            return Measured(None, (), f"按所填数据不能测算，请更正：{given}")
        figures = [figure for _, figure in found.steps] + ([] if found.amount_wan is None else [found.amount_wan])
        if any(figure.copy_abs() > FIGURE_MAX for figure in figures):
            return Measured(None, (), f"测算结果超出可记账范围（{FIGURE_MAX:,f} 万元），请更正：{given}")
        return found


def _wrong(spec: InputSpec, figure: Decimal) -> str:
    """Why a figure cannot be an input, in words; empty when it can."""
    if not figure.is_finite() or figure.copy_abs() > FIGURE_MAX:
        return f"{spec.name}超出范围，最多 {FIGURE_MAX:,f} {spec.unit}，请更正"
    if figure.copy_abs() < _SMALLEST and figure:
        return f"{spec.name}的小数位数过多，请更正"
    if spec.key in _MUST_BE_POSITIVE and figure <= 0:
        return f"{spec.name}须大于 0，现为 {figure:f} {spec.unit}，不能测算，请更正"
    if spec.key not in _MAY_BE_NEGATIVE and figure < 0:
        return f"{spec.name}不能为负数，现为 {figure:f} {spec.unit}，请更正"
    return ""


def _at_least_zero(amount: Decimal) -> Decimal:
    return max(ZERO, amount)


def _net_assets(i: Inputs) -> Measured:
    effective = i["net_assets"] - i["doubtful_receivables"] - i["unrecognised_intangibles"]
    carried = effective * i["rating_factor"] * i["industry_factor"]
    return Measured(_at_least_zero(carried - i["other_banks"]), (("有效净资产", effective), ("可承担授信", carried)))


def _debt_capacity(i: Inputs) -> Measured:
    ratio = i["target_ratio_pct"] / 100
    if not ZERO < ratio < 1:
        return Measured(None, (), "目标资产负债率须在 0 与 100% 之间")
    capacity = i["net_assets"] * ratio / (1 - ratio)
    return Measured(
        _at_least_zero(capacity - i["interest_debt"] - i["other_liabilities"]), (("最大负债 D*", capacity),)
    )


def _formula(i: Inputs) -> Measured:
    by_assets = i["net_assets"] * i["industry_leverage"]
    by_sales = i["sales"] * i["sales_factor"]
    base = min(by_assets, by_sales) if i["sales_factor"] else by_assets
    total = base * i["rating_factor"] * i["share_pct"] / 100
    return Measured(_at_least_zero(total), (("按净资产", by_assets), ("按销售收入", by_sales), ("取小", base)))


def _working_capital(i: Inputs) -> Measured:
    """营运资金量 and the new loan need; the year has ``year_days`` days by policy."""
    days = i["stock_days"] + i["receivable_days"] - i["payable_days"] + i["prepayment_days"] - i["advance_days"]
    if days <= 0 or i["sales"] <= 0:
        return Measured(None, (("周转天数", days),), "周转天数或销售收入不大于 0，不能测算，请人工估算并说明理由")
    turns = i["year_days"] / days
    margin = i["profit"] / i["sales"]
    growth = i["expected_sales"] / i["sales"] - 1
    need = i["sales"] * (1 - margin) * (1 + growth) / turns
    new = need - i["own_funds"] - i["existing_loans"] - i["other_channels"]
    steps = (
        ("营运资金周转次数", turns), ("上年利润率（%）", margin * 100), ("预计增长率（%）", growth * 100),
        ("营运资金量", need),
    )  # fmt: skip
    return Measured(_at_least_zero(new), steps)


def _cash_flow(i: Inputs) -> Measured:
    return Measured(_at_least_zero(i["operating_cash_flow"] * i["coverage_factor"] * i["years"]), ())


def _group_top_down(i: Inputs) -> Measured:
    """The group's own measurement from consolidated statements; the members' sum only stands beside it (JS-04)."""
    whole = _debt_capacity(i)
    note = ""
    if whole.amount_wan is not None and i["members_sum"] > whole.amount_wan:
        note = "成员测算合计大于集团整体测算，以集团整体测算为准（JS-04）"
    return Measured(whole.amount_wan, (*whole.steps, ("成员测算合计（仅供分配）", i["members_sum"])), note)


def _low_risk(i: Inputs) -> Measured:
    return Measured(i["cash_cover"], (), "低风险业务：以现金类保障金额为限，不另测算")


def _specs(*rows: tuple[str, str, str, bool]) -> tuple[InputSpec, ...]:
    return tuple(InputSpec(*row) for row in rows)


_EQUITY = ("net_assets", "净资产", "万元", True)
_R = ("target_ratio_pct", "目标资产负债率 r*", "%", True)
_DEBT = ("interest_debt", "有息负债", "万元", True)
_OTHER = ("other_liabilities", "其他负债", "万元", True)

METHODS: Mapping[str, Method] = {
    method.code: method
    for method in (
        Method("M1", "净资产法", _specs(
            _EQUITY, ("doubtful_receivables", "呆滞应收款", "万元", False),
            ("unrecognised_intangibles", "不予认可的无形资产", "万元", False),
            ("rating_factor", "信用等级系数", "倍", True),
            ("industry_factor", "行业系数", "倍", True), ("other_banks", "他行授信", "万元", True),
        ), _net_assets, "有效净资产 × 等级系数 × 行业系数 − 他行授信"),
        Method("M2", "负债能力法", _specs(_EQUITY, _R, _DEBT, _OTHER), _debt_capacity,
               "D* = E × r*/(1 − r*)；额度 = D* − 有息负债 − 其他负债"),
        Method("M3", "公式法", _specs(
            _EQUITY, ("industry_leverage", "行业杠杆倍数", "倍", True), ("sales", "年销售收入", "万元", False),
            ("sales_factor", "销售收入系数", "倍", False), ("rating_factor", "信用等级系数", "倍", True),
            ("share_pct", "本行占全部银行授信的目标份额", "%", True),
        ), _formula, "净资产或销售收入 × 行业杠杆 × 等级系数 × 目标份额"),
        Method("M4", "流动资金需求法", _specs(
            ("sales", "上年销售收入", "万元", True), ("profit", "上年利润", "万元", True),
            ("expected_sales", "预计销售收入", "万元", True), ("stock_days", "存货周转天数", "天", True),
            ("receivable_days", "应收账款周转天数", "天", True), ("payable_days", "应付账款周转天数", "天", True),
            ("prepayment_days", "预付账款周转天数", "天", True), ("advance_days", "预收账款周转天数", "天", True),
            ("own_funds", "自有资金", "万元", False), ("existing_loans", "现有流动资金贷款", "万元", False),
            ("other_channels", "其他渠道营运资金", "万元", False), ("year_days", "一年天数", "天", True),
        ), _working_capital, "营运资金量 − 自有资金 − 现有流动资金贷款 − 其他渠道"),
        Method("M5", "现金流法", _specs(
            ("operating_cash_flow", "年经营性净现金流", "万元", True), ("coverage_factor", "覆盖系数", "倍", True),
            ("years", "还款年数", "年", True),
        ), _cash_flow, "经营现金流 × 系数 × 年数"),
        Method("M6", "集团整体法", _specs(_EQUITY, _R, _DEBT, _OTHER, ("members_sum", "成员测算合计", "万元", False)),
               _group_top_down, "合并报表的负债能力，自上而下分配"),
        Method("M7", "低风险业务", _specs(("cash_cover", "现金类保障", "万元", True)), _low_risk, "现金类保障全额覆盖"),
    )
}  # fmt: skip


def new_loan_need(total: Decimal, own: Decimal, existing: Decimal, other: Decimal) -> Decimal:
    """新增流动资金贷款额度, 万元, when the working capital itself is known: never below 0."""
    return _at_least_zero(total - own - existing - other)


def control_amount_fen(results: Sequence[Measured]) -> int | None:
    """授信控制量 in 分: the least of the measured amounts; None when none could be computed."""
    amounts = [result.amount_wan for result in results if result.amount_wan is not None]
    return int((min(amounts) * 1_000_000).to_integral_value(ROUND_DOWN)) if amounts else None


def shown(figure: Decimal) -> str:
    """Two decimals for the eye, more for counts of turns."""
    places = Decimal("0.0001") if abs(figure) < 100 and figure != figure.to_integral_value() else Decimal("0.01")
    return f"{figure.quantize(places, ROUND_HALF_UP):,f}"


# --- ratios of a statement ------------------------------------------------------------------------------------------

STATEMENT_ITEMS: Mapping[str, str] = {
    "cash": "货币资金",
    "receivables": "应收账款",
    "other_receivables": "其他应收款",
    "prepayments": "预付账款",
    "stock": "存货",
    "current_assets": "流动资产合计",
    "long_investments": "长期投资",
    "total_assets": "资产总计",
    "short_loans": "短期借款",
    "payables": "应付账款",
    "advances": "预收账款",
    "current_liabilities": "流动负债合计",
    "long_loans": "长期借款",
    "total_liabilities": "负债合计",
    "equity": "所有者权益合计",
    "sales": "主营业务收入",
    "cost_of_sales": "主营业务成本",
    "profit_before_tax": "税前利润",
    "net_profit": "净利润",
    "operating_cash_flow": "经营活动现金流量净额",
}
STATEMENT_SYNONYMS: Mapping[str, str] = {
    "营业收入": "sales", "营业成本": "cost_of_sales", "利润总额": "profit_before_tax", "资产总额": "total_assets",
    "负债总额": "total_liabilities", "股东权益合计": "equity", "净资产": "equity", "预付款项": "prepayments",
    "预收款项": "advances", "合同负债": "advances", "流动资产": "current_assets", "流动负债": "current_liabilities",
    "经营活动产生的现金流量净额": "operating_cash_flow",
}  # fmt: skip
"""What published statements call the same items."""
REQUIRED_ITEMS = ("total_assets", "total_liabilities", "equity")


_PARTS = (
    ("current_assets", "total_assets"), ("cash", "total_assets"), ("receivables", "total_assets"),
    ("stock", "total_assets"), ("current_liabilities", "total_liabilities"), ("short_loans", "total_liabilities"),
    ("long_loans", "total_liabilities"),
)  # fmt: skip
_NEVER_NEGATIVE = ("total_assets", "current_assets", "total_liabilities", "current_liabilities")


def impossible(items: Mapping[str, int]) -> list[str]:
    """What no statement can say although it balances: a part above its whole, a total below 0."""
    found = [f"{STATEMENT_ITEMS[key]}不能为负数" for key in _NEVER_NEGATIVE if items.get(key, 0) < 0]
    return found + [
        f"{STATEMENT_ITEMS[part]} {shown(Decimal(items[part]) / 1_000_000)} 万元大于{STATEMENT_ITEMS[whole]} "
        f"{shown(Decimal(items[whole]) / 1_000_000)} 万元"
        for part, whole in _PARTS
        if part in items and whole in items and items[part] > items[whole]
    ]


def imbalance_fen(items: Mapping[str, int]) -> int:
    """Assets − (liabilities + equity), 分; 0 on a statement that balances."""
    return items["total_assets"] - items["total_liabilities"] - items["equity"]


def ratios(
    items: Mapping[str, int], before: Mapping[str, int] | None = None, *, year_days: int
) -> dict[str, Decimal | None]:
    """Ratios of one period, in percent or days; turnover takes the average with the period before when there is one."""

    def share(part: str, whole: str) -> Decimal | None:
        return Decimal(items[part]) * 100 / items[whole] if part in items and items.get(whole) else None

    def days(balance: str, flow: str) -> Decimal | None:
        if balance not in items or not items.get(flow):
            return None
        average = Decimal(items[balance] + (before or items).get(balance, items[balance])) / 2
        return average * year_days / items[flow]

    def growth(item: str) -> Decimal | None:
        if not before or not before.get(item) or item not in items:
            return None
        return Decimal(items[item] - before[item]) * 100 / before[item]

    return {
        "资产负债率（%）": share("total_liabilities", "total_assets"),
        "流动比率（%）": share("current_assets", "current_liabilities"),
        "销售净利率（%）": share("net_profit", "sales"),
        "净资产收益率（%）": share("net_profit", "equity"),
        "销售增长率（%）": growth("sales"),
        "应收账款周转天数": days("receivables", "sales"),
        "存货周转天数": days("stock", "cost_of_sales"),
    }
