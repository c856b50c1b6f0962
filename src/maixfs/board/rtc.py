"""The board's calendar: a clock that starts on 1 January 2000 at every power-on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import MAXYEAR, datetime, timedelta

from maixfs.board.clock import Clock
from maixfs.fat.entries import pack_time

EPOCH = datetime(2000, 1, 1)
"""MicroPython counts seconds from here; the firmware sets its RTC to this moment."""

DateTuple = tuple[int, int, int, int, int, int, int, int]


class Rtc:
    """Seconds since the epoch, run by ``clock`` from power-on or from the last ``set``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = -clock.now()

    @property
    def seconds(self) -> int:
        """Whole seconds since 2000."""
        return int(self._clock.now() + self._offset)

    def set(self, moment: datetime) -> None:
        """Put the calendar to ``moment``."""
        self._offset = (moment - EPOCH).total_seconds() - self._clock.now()

    def now(self) -> DateTuple:
        """Return the calendar; its weekday counts from Sunday, as the SDK's RTC does."""
        moment = date_of(self.seconds)
        return (*moment[:6], (moment[6] + 1) % 7, moment[7])

    def fat_time(self) -> tuple[int, int]:
        """Return the calendar as the date and the time of a FAT entry; after 2107 its last."""
        try:
            return pack_time(*date_of(self.seconds)[:6])
        except OverflowError:
            return pack_time(MAXYEAR, 12, 31, 0, 0, 0)


def date_of(seconds: int) -> DateTuple:
    """Return year, month, day, hour, minute, second, weekday (Monday 0), day of the year.

    Raises ``OverflowError`` for a moment beyond the year 9999.
    """
    moment = EPOCH + timedelta(seconds=seconds)
    day = moment.timetuple()
    return (*day[:6], day.tm_wday, day.tm_yday)


def seconds_of(date: Sequence[int]) -> int:
    """Return seconds since 2000 of a date whose fields may run over, as ``mktime`` takes it.

    Raises ``OverflowError`` for a date that no calendar holds.
    """
    year, month, day, hour, minute, second = date[:6]
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    try:
        moment = datetime(year, month, 1)
    except ValueError as reason:
        raise OverflowError("date value out of range") from reason
    moment += timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return int((moment - EPOCH).total_seconds())
