"""The table of authorities of a new bank. The institution confirms the amounts before going live."""

import datetime as dt

from shouxin.approvals.models import Authority
from shouxin.bank.models import RoleAssignment
from shouxin.domain.authority import Level
from shouxin.domain.money import FEN_PER_WAN

SINCE = dt.date(1999, 10, 20)
BRANCH_MAX_WAN = 2_000
_CITATION = "《授信业务转授权书》（示例，机构上线前确认）"


def create_default_authorities() -> list[Authority]:
    """A branch head decides small single customers, head office the rest; the meeting stands above (JS-13)."""
    role = RoleAssignment.Role
    rows = [
        Authority(
            level=Level.BRANCH, role=role.BRANCH_HEAD, aggregate_max_fen=BRANCH_MAX_WAN * FEN_PER_WAN,
            is_inclusive=True, valid_from=SINCE, article="BR-09", citation=_CITATION,
        ),
        Authority(
            level=Level.HEAD_OFFICE, role=role.APPROVER, aggregate_max_fen=None, valid_from=SINCE, article="BR-09",
            citation=_CITATION,
        ),
    ]  # fmt: skip
    return Authority.objects.bulk_create(rows)
