"""Dates and times as FAT has them: local time, in steps of two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

Clock = Callable[[], tuple[int, int]]
"""Says what time it is: the date and the time word of a directory entry."""

_FIRST, _LAST = 1980, 2107


def pack_time(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> tuple[int, int]:
    """Return the date and the time word; years are held between 1980 and 2107."""
    if year < _FIRST:
        return 1 << 5 | 1, 0
    if year > _LAST:
        year, month, day, hour, minute, second = _LAST, 12, 31, 23, 59, 58
    date = year - _FIRST << 9 | month << 5 | day
    return date, hour << 11 | minute << 5 | min(second, 59) // 2


def unpack_time(date: int, clock_time: int) -> tuple[int, int, int, int, int, int]:
    """Return year, month, day, hour, minute and second of two words, unchecked."""
    return (
        (date >> 9) + _FIRST, date >> 5 & 15, date & 31,
        clock_time >> 11, clock_time >> 5 & 63, (clock_time & 31) * 2,
    )  # fmt: skip


def host_clock() -> tuple[int, int]:
    """Return the host's local time."""
    return _words_of(int(time.time()))


@lru_cache(maxsize=2)
def _words_of(second: int) -> tuple[int, int]:
    return pack_time(*time.localtime(second)[:6])
