"""Use that rises by itself when cash cover is taken away: recorded always, opening an excess where it no longer fits.

The one act of the ledger that never asks whether there is room (I13): the exposure is there, refusing to see it would
not help. Amounts are 分 of yuan.
"""

import datetime as dt
import json
import uuid
from dataclasses import dataclass

from django.db import connection

from shouxin.limits.models import Node
from shouxin.limits.services import LedgerError, cure_date

CAUSE = "MITIGANT"


@dataclass(frozen=True, slots=True)
class Raised:
    """The hold that carries the use now, and what is above the caps of its path."""

    hold_id: uuid.UUID
    excess_fen: int


def raise_use(
    *, hold_id: uuid.UUID | None, facility: Node, amount_fen: int, business_date: dt.date, reason: str,
    actor_id: int | None,
) -> Raised:  # fmt: skip
    """Add to what a deal uses. Raises LedgerError when its hold is not booked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT facility_raise_use(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                hold_id,
                uuid.uuid4(),
                facility.pk,
                amount_fen,
                business_date,
                reason,
                CAUSE,
                actor_id,
                cure_date(business_date),
            ),
        )
        (answer,) = cursor.fetchone()
    reply = json.loads(answer) if isinstance(answer, str) else answer
    if reply["outcome"] != "accepted":
        raise LedgerError(str(reply["code"]), "该笔业务在额度账上没有已放款的占用，不能调整担保。")
    return Raised(uuid.UUID(reply["hold"]), int(reply["excess_fen"]))
