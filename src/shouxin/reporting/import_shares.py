"""Holdings that come in add up to at most the whole of a company on every day, with those that are there already."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shouxin.domain.evidence import MICRO_PERCENT_WHOLE
from shouxin.groups.models import Holding
from shouxin.intake.evidence_files import RowError


class _Share(NamedTuple):
    """A share for a period, the end excluded; ``line`` is None for one that is in the database."""

    start: dt.date
    end: dt.date
    micro_percent: int
    line: int | None


def shares_above_the_whole(rows: Sequence[tuple[int, Any]], file: str) -> Iterator[RowError]:
    """One error for the last line that takes a company above 100 % on a day; votes in numbers are not percent."""
    lines: defaultdict[str, list[_Share]] = defaultdict(list)
    given = set()
    for line, row in rows:
        given.add((row.company, row.holder, row.valid_from))
        if row.is_percent:
            lines[row.company].append(
                _Share(row.valid_from or dt.date.min, row.valid_to or dt.date.max, row.votes, line)
            )
    kept = Holding.objects.filter(company__source_id__in=lines, is_percent=True).values_list(
        "company__source_id", "holder__source_id", "valid_from", "valid_to", "votes"
    )
    for company, holder, valid_from, valid_to, votes in kept:
        if (company, holder, valid_from) not in given:  # a line of the same start takes its place
            lines[company or ""].append(_Share(valid_from or dt.date.min, valid_to or dt.date.max, votes, None))
    for company, shares in lines.items():
        yield from _above(company, shares, file)


def _above(company: str, shares: list[_Share], file: str) -> Iterator[RowError]:
    named: set[int] = set()
    for day in sorted({share.start for share in shares}):
        held = [share for share in shares if share.start <= day < share.end]
        total = sum(share.micro_percent for share in held)
        own = sorted(share.line for share in held if share.line is not None)
        if total <= MICRO_PERCENT_WHOLE or not own or own[-1] in named:
            continue
        named.add(own[-1])
        whole = f"{total * 100 / MICRO_PERCENT_WHOLE:.6f}".rstrip("0").rstrip(".")
        since = "" if day == dt.date.min else f"{day} "
        places = f"第 {'、'.join(map(str, own))} 行" + ("与库中已有的" if len(own) < len(held) else "")
        yield RowError(
            file, own[-1], "percent", f"{company} {since}的持股合计 {whole}%，超过 100%（{places}），请核对比例或期间"
        )
