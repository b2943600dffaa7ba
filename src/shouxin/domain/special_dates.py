"""The day in a year on which something is kept that is remembered by month and day, of the sun or of the moon.

A day that a year does not have is kept on the last day before it: 29 February on the 28th, the 30th of a short month
on its 29th. A leap month is kept in that leap month where the year has it, else in the ordinary month of its number.
"""

import calendar
import datetime as dt

from lunar_python import Lunar, LunarYear


def solar_day(year: int, month: int, day: int) -> dt.date:
    """Month and day in a year of the sun's calendar."""
    return dt.date(year, month, min(day, calendar.monthrange(year, month)[1]))


def lunar_day(lunar_year: int, month: int, day: int, *, is_leap: bool = False) -> dt.date:
    """Month and day of a year of the moon's calendar as a day of the sun's."""
    months = {
        m.getMonth(): m.getDayCount() for m in LunarYear.fromYear(lunar_year).getMonths() if m.getYear() == lunar_year
    }
    chosen = -month if is_leap and -month in months else month
    solar = Lunar.fromYmd(lunar_year, chosen, min(day, months[chosen])).getSolar()
    return dt.date(solar.getYear(), solar.getMonth(), solar.getDay())


def next_occurrence(
    *, on_or_after: dt.date, month: int, day: int, is_lunar: bool = False, is_leap: bool = False
) -> dt.date:
    """The next day on which it is kept. A lunar year begins in the solar one and ends in the next."""
    years = range(on_or_after.year - 1, on_or_after.year + 3)
    days = (lunar_day(y, month, day, is_leap=is_leap) if is_lunar else solar_day(y, month, day) for y in years)
    return next(found for found in days if found >= on_or_after)
