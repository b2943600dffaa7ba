"""The catalogue of early-warning signals (UC-06) with the risk that each stands for (BR-05)."""

from collections.abc import Mapping
from dataclasses import dataclass

OVER_LENDING, SEVERAL_BRANCHES, ALLOCATION, OPERATION, TRANSACTIONS, RESTRUCTURING = (
    "过度授信", "多头授信", "不适当分配授信额度", "经营不善", "关联交易", "资产重组",
)  # fmt: skip
RISK_TYPES = (SEVERAL_BRANCHES, OVER_LENDING, ALLOCATION, OPERATION, TRANSACTIONS, RESTRUCTURING)
RISK_CODES: Mapping[str, str] = {
    SEVERAL_BRANCHES: "R1", OVER_LENDING: "R2", ALLOCATION: "R3", OPERATION: "R4", TRANSACTIONS: "R5",
    RESTRUCTURING: "R5",
}  # fmt: skip
"""The five risks of the rule (BR-05, HA-04). The fifth, assets or profits moved at unfair prices, has two names: by
related transactions, and by restructuring."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal; ``is_computed`` when the books show it, otherwise somebody reports it."""

    code: str
    name: str
    risk_type: str
    is_computed: bool = False


CATALOGUE: Mapping[str, Signal] = {
    signal.code: signal
    for signal in (
        Signal("W01", "集团授信合计接近上限", OVER_LENDING, True),
        Signal("W02", "新出现第二家分支授信", SEVERAL_BRANCHES, True),
        Signal("W03", "成员额度超限或分配不当", ALLOCATION, True),
        Signal("W04", "成员本金或利息逾期", OPERATION, True),
        Signal("W05", "垫款", OPERATION, True),
        Signal("W06", "成员五级分类下调", OPERATION, True),
        Signal("W07", "关联交易达净资产 10% 或未报告", TRANSACTIONS, True),
        Signal("W08", "关联交易价格偏离公允价格", TRANSACTIONS, True),
        Signal("W09", "循环或连环担保", TRANSACTIONS, True),
        Signal("W10", "集团内互保占比过高", TRANSACTIONS, True),
        Signal("W11", "股东、实际控制人、法定代表人变更", RESTRUCTURING, True),
        Signal("W12", "合并、分立、重组、破产", RESTRUCTURING),
        Signal("W13", "重大诉讼或对外担保", OPERATION, True),
        Signal("W14", "资产负债率超过规定或一年上升 10 个百分点", OPERATION, True),
        Signal("W15", "销售、利润、现金流连续下降", OPERATION, True),
        Signal("W16", "应收账款或存货周转下降 30%", OPERATION, True),
        Signal("W17", "资金挪用或流向无业务往来方", TRANSACTIONS),
        Signal("W18", "回避联系、拖延资料、转移主账户、更换审计", OPERATION, True),
        Signal("W19", "关键人员死亡、失踪、涉案", OPERATION),
        Signal("W20", "欠税、欠薪、欠租、停产", OPERATION),
        Signal("W21", "信用等级下调两级以上", OPERATION, True),
        Signal("W22", "他行压缩授信 30% 以上", SEVERAL_BRANCHES, True),
        Signal("W23", "行业政策变化", OPERATION, True),
        Signal("W24", "非主业投资扩张", OPERATION, True),
        Signal("W25", "代发工资缺月或成员离开单位", OPERATION, True),
    )
}
