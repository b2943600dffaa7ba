"""The ledger's codes in words."""

OPERATIONS = {
    "RESERVE": "预占",
    "POST": "放款",
    "VOID": "撤销",
    "EXPIRE": "到期释放",
    "RELEASE": "归还",
    "REVERSE": "冲销",
    "EARMARK": "专项预留",
    "UNEARMARK": "释放预留",
    "SET_CAP": "核定额度",
    "TEMPORARY": "临时额度",
    "TRANSFER": "额度调剂",
    "FUNGIBLE": "额度串用",
    "RETURN": "额度归还",
    "MOVE": "成员变动",
    "MITIGANT": "缓释物变动",
    "FX_REVAL": "汇率重估",
    "FREEZE": "冻结",
    "UNFREEZE": "解冻",
    "FREEZE_SYSTEM": "系统冻结",
    "UNFREEZE_SYSTEM": "系统解冻",
    "STATUS_ACTIVE": "恢复",
    "STATUS_SUSPENDED": "暂停",
    "STATUS_EXPIRED": "到期",
    "STATUS_CLOSED": "关闭",
}
EXCESS_CAUSES = {
    "CAP_CUT": "额度压降",
    "FX_REVAL": "汇率重估",
    "MEMBERSHIP": "成员变动",
    "MITIGANT": "缓释物减少",
    "OVERRIDE": "特批",
}
REFUSALS = {  # why a limit takes nothing, in Chinese and in English
    "LIMIT_EXCEEDED": ("剩余额度不足", "not enough is left"),
    "LIMIT_FROZEN": ("额度已冻结", "the limit is frozen"),
    "LIMIT_SUSPENDED": ("额度已暂停", "the limit is suspended"),
    "LIMIT_EXPIRED": ("额度已到期", "the limit has expired"),
    "LIMIT_CLOSED": ("额度已关闭", "the limit is closed"),
    "LIMIT_NOT_YET_VALID": ("额度尚未生效", "the limit is not valid yet"),
    "LIMIT_PERIOD_OVER": ("已过额度期限", "the limit's period is over"),
    "LIMIT_IN_EXCESS": ("额度已超限，须先压降", "the limit is exceeded and has to be cured first"),
}


def operation_label(code: str) -> str:
    """An act of the journal in words; an unknown code stands for itself."""
    return OPERATIONS.get(code, code)
