"""Days and periods. A period includes its start and excludes its end; None is open."""

import calendar
import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Period:
    """From a day (included) to a day (excluded); None on either side is open."""

    start: dt.date | None = None
    end: dt.date | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"期间的结束日 {self.end} 须晚于开始日 {self.start}")

    def __contains__(self, day: dt.date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)

    def overlaps(self, other: "Period") -> bool:
        return (self.end is None or other.start is None or other.start < self.end) and (
            other.end is None or self.start is None or self.start < other.end
        )


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of another month, or its last day: 31 January + 1 month is 28 or 29 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def quarter_end_before(day: dt.date) -> dt.date:
    """The last quarter end before a day, never the day itself: July 2025 → 2025-06-30."""
    first_of_quarter = dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return first_of_quarter - dt.timedelta(days=1)


def quarter_end_on_or_before(day: dt.date) -> dt.date:
    """The last quarter end that has come: 30 June on 30 June itself, whose figures are those of the day's end."""
    return quarter_end_before(day + dt.timedelta(days=1))


def year_end_on_or_before(day: dt.date) -> dt.date:
    """The last 31 December that is not after a day."""
    return day if (day.month, day.day) == (12, 31) else dt.date(day.year - 1, 12, 31)
