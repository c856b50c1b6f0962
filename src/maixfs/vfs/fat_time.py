"""Times as FAT stores them and as a MicroPython program sees them."""

from __future__ import annotations

_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_FIRST_YEAR = 1980
_YEARS = 0x7F
MILLENNIUM = (0x2821, 0)
"""2000-01-01 00:00:00, the time of every root (docs/SPEC.md, section 20.1)."""


def late_date(date: int) -> int:
    """Return ``date`` as MaixPy writes it: with the whole year where years since 1980 belong.

    Seven bits of 2024 are 104: the file is of 2084 to everybody else.
    """
    return (year_of(date) & _YEARS) << 9 | date & 0x1FF


def year_of(date: int) -> int:
    """Return the year of a FAT date."""
    return (date >> 9 & _YEARS) + _FIRST_YEAR


def seconds_since_2000(date: int, time: int) -> int:
    """Return the seconds from 2000-01-01 to a FAT time; negative before it.

    Nothing is checked: the 31st of February is the 2nd or 3rd of March. A month 0 counts as
    January and a month past 13 as 13 (the firmware reads beside its table there).
    """
    year = year_of(date)
    month, day = date >> 5 & 0xF, date & 0x1F
    leaps = (year - 1997) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (year - 2000) * 365 + leaps + _DAYS_BEFORE[min(max(month, 1), 13) - 1] + day - 1
    if month > 2 and is_leap:
        days += 1
    hour, minute, second = time >> 11 & 0x1F, time >> 5 & 0x3F, (time & 0x1F) * 2
    return ((days * 24 + hour) * 60 + minute) * 60 + second
