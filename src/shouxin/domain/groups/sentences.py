"""Say a proof in Chinese: one sentence per step, with kin terms and percentages."""

from decimal import Decimal

from shouxin.domain.evidence import Register
from shouxin.domain.groups.control import Step, percent_text
from shouxin.domain.groups.determination import FAMILY, Unit
from shouxin.domain.groups.kinship import kin_term

AGREEMENTS = {
    "board_majority": "可任命董事会多数成员",
    "voting_agreement": "按表决权协议行使多数表决权",
    "contract": "按协议控制其经营决策",
    "actual_controller": "登记为实际控制人",
}


def sentence(step: Step, unit: Unit, register: Register, control_percent: Decimal) -> str:
    """陈明（儿子）31% + 李秀英（配偶）20% = 51% > 50% → 控制明远贸易."""
    company = register.name(step.company)
    if step.via[0].agreement:
        kind = AGREEMENTS.get(step.via[0].agreement, step.via[0].agreement)
        return f"{_holder(step.via[0].holder, unit, register)}{kind} → 控制{company}"
    parts = [f"{_holder(c.holder, unit, register)} {percent_text(c.votes, step.total)}" for c in step.via]
    line = f"{control_percent.normalize():f}%"
    if len(parts) == 1:
        return f"{parts[0]} > {line} → 控制{company}"
    return f"{' + '.join(parts)} = {percent_text(step.votes, step.total)} > {line} → 控制{company}"


def _holder(holder: str, unit: Unit, register: Register) -> str:
    name = register.name(holder)
    if unit.kind == FAMILY:
        if holder == unit.anchor:
            return f"{name}（本人）"
        if holder in unit.kin:
            return f"{name}（{kin_term(unit.kin[holder], register)}）"
    return name
