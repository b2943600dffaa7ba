"""What a frozen fact of a case was, in words that a reader knows: names, dates and amounts, never a record's id."""

import re
from collections.abc import Mapping
from typing import Any

from shouxin.domain.credit_rules import GRADE_NAMES
from shouxin.facilities import rules
from shouxin.facilities.line_standing import names_of
from shouxin.facilities.models import Evaluation
from shouxin.groups.models import CustomerGroup

FACT_NAMES = {
    "members": "集团成员", "capital": "年末资本净额", "evaluation": "全面评价", "rating": "信用等级",
    "general_line_fen": "一般额度", "closure": "集团归属", "classification": "五级分类", "overdue": "逾期",
}  # fmt: skip
NOTHING = "无"


def fact_words(name: str, value: Any) -> str:
    """One fact as it was stored with a case: an id, a list or a mapping of ids, 分, a date with 分, or a text."""
    if value in (None, "", [], {}):
        return "正常" if name == "classification" else NOTHING
    match name:
        case "evaluation":
            return _evaluation(value)
        case "closure":
            group = CustomerGroup.objects.filter(pk=value).first()
            return group.name if group else NOTHING
        case "members":
            return "、".join(_names(value).values())
        case "classification":
            return "、".join(f"{who} {GRADE_NAMES[value[pk]]}" for pk, who in _names(value).items())
        case "overdue":
            return "、".join(f"{who} 自 {value[pk]} 起" for pk, who in _names(value).items())
        case "general_line_fen":
            return rules.wan(value)
        case "capital":
            parts = re.fullmatch(r"(\S+) (\d+)", value)
            return f"{parts[1]} {rules.wan(int(parts[2]))}" if parts else str(value)
    return str(value)


def _evaluation(pk: int) -> str:
    found = Evaluation.objects.filter(pk=pk).first()
    if found is None:
        return NOTHING
    return f"{found.evaluated_date}（控制量 {rules.wan(found.control_amount_fen or 0)}，有效至 {found.valid_to}）"


def _names(ids: Any) -> Mapping[Any, str]:
    known = names_of([int(pk) for pk in ids])
    return {pk: known.get(int(pk), NOTHING) for pk in ids}
