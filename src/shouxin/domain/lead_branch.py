"""Which branch leads a group: the one with the largest stock at the end of last quarter (JS-07 to JS-10).

A decision of the president's meeting goes before the computation (JS-08). The lead stays when its stock falls in the
month of initiation (JS-09); only a branch with neither stock nor approved amount hands over to the next (JS-10, A-10).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeadBranch:
    """The lead with the ranking it came from; ``minutes`` names the meeting that decided otherwise."""

    branch: str
    ranking: tuple[tuple[str, int], ...]
    reason: str
    minutes: str = ""


def rank_branches(
    stock_fen: Mapping[str, int],
    *,
    undrawn_fen: Mapping[str, int] | None = None,
    first_credit: Mapping[str, dt.date] | None = None,
    codes: Mapping[str, str] | None = None,
) -> list[tuple[str, int]]:
    """Branches by stock, largest first (A-06).

    Ties go to the larger undrawn approved amount, then to the earlier first credit, then to the lower branch code.
    """
    undrawn, first, code = undrawn_fen or {}, first_credit or {}, codes or {}
    return sorted(
        stock_fen.items(),
        key=lambda row: (
            -row[1], -undrawn.get(row[0], 0), first.get(row[0], dt.date.max), code.get(row[0], row[0]),
        ),
    )  # fmt: skip


def choose_lead(
    *,
    stock_at_quarter_end_fen: Mapping[str, int],
    has_credit_now: Mapping[str, bool],
    undrawn_fen: Mapping[str, int] | None = None,
    first_credit: Mapping[str, dt.date] | None = None,
    codes: Mapping[str, str] | None = None,
    meeting_choice: tuple[str, str] | None = None,
) -> LeadBranch | None:
    """The lead branch, or None when no branch has any credit.

    ``has_credit_now`` says per branch whether it still has a balance or a valid approved amount;
    ``meeting_choice`` is (branch, number of the minutes).
    """
    ranking = tuple(
        rank_branches(stock_at_quarter_end_fen, undrawn_fen=undrawn_fen, first_credit=first_credit, codes=codes)
    )
    if meeting_choice is not None:
        branch, minutes = meeting_choice
        return LeadBranch(branch, ranking, f"行长办公会指定（{minutes}）", minutes)
    for place, (branch, _) in enumerate(ranking, start=1):
        if has_credit_now.get(branch, False):
            reason = "上季末存量授信最大" if place == 1 else f"排名在前的机构已无授信，由第 {place} 位发起"
            return LeadBranch(branch, ranking, reason)
    return None
