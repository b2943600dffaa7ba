"""What is to be said where a group stands against its own unified line."""

import datetime as dt

from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import amount_en
from shouxin.facilities.rules import wan


def judge_group_line(*, used_fen: int, line_fen: int | None, ended: dt.date | None = None) -> list[Finding]:
    """A group's use against the line in force, 分; nothing within it or without one (BR-12).

    ``ended`` is the day on which the last line ended when none is in force: what is used then stands above none.
    """
    if not used_fen or (line_fen is None and ended is None) or used_fen <= (line_fen or 0):
        return []
    over = used_fen - (line_fen or 0)
    what = f"统一授信额度 {wan(line_fen)}" if line_fen is not None else f"已于 {ended} 到期的统一授信额度"
    line_en = f"the unified line of {amount_en(line_fen)}" if line_fen is not None else f"a line that ended on {ended}"
    return [
        Finding(
            "GROUP_ABOVE_LINE",
            Severity.REFUSE,
            f"集团用信合计 {wan(used_fen)}，超过{what}，超出 {wan(over)}，压降前停止支用。",
            "BR-12",
            "《银行集团客户授信业务风险管理办法》第七条",
            message_en=f"The group uses {amount_en(used_fen)}, {amount_en(over)} above {line_en}; "
            f"nothing can be drawn.",
            remedy=f"压降 {wan(over)}，或申报{'调整' if line_fen is not None else '续'}授信；还款不受限。",
            inputs={
                "集团用信合计": wan(used_fen),
                "统一授信额度": wan(line_fen) if line_fen is not None else f"{ended} 到期",
                "超出": wan(over),
            },
        )
    ]
