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


def operation_label(code: str) -> str:
    """An act of the journal in words; an unknown code stands for itself."""
    return OPERATIONS.get(code, code)
