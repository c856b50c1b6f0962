"""Time: the clock of a script, the calendar, and the time that storage takes on a board."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import MAXYEAR, datetime, timedelta
from typing import Protocol

from maixfs.board.power import Power
from maixfs.fat.entries import pack_time
from maixfs.nor.clock import SECOND
from maixfs.tuples import NamedTuple

# Clocks


class Clock(Protocol):
    """The source of time of a script's ``utime``."""

    def now(self) -> float:
        """Return seconds since some fixed moment; they never decrease."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class HostClock:
    """The time of the host: a script that sleeps waits."""

    def now(self) -> float:
        """Return the host's monotonic time in seconds."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)


class SteppedClock:
    """Time that passes only while a script sleeps; the host does not wait.

    Each reading adds ``step`` seconds, so that a script that polls the clock in a loop ends.
    """

    def __init__(self, start: float = 0.0, step: float = 0.0) -> None:
        self._seconds = start
        self._step = step

    def now(self) -> float:
        """Return the seconds that have passed, and add one step."""
        self._seconds += self._step
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Advance the clock by ``seconds``."""
        self._seconds += seconds


class PoweredClock:
    """A clock that works only while ``power`` is on; afterwards it raises what that raises."""

    def __init__(self, clock: Clock, power: Power) -> None:
        self._clock = clock
        self._power = power

    def now(self) -> float:
        """Return the clock's seconds."""
        self._power.check()
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._power.check()
        self._clock.sleep(seconds)
        self._power.check()  # another thread may have reset the board meanwhile


# The calendar

EPOCH = datetime(2000, 1, 1)
"""The epoch of MicroPython; the firmware sets its RTC to this moment at each start."""

DateTuple = tuple[int, int, int, int, int, int, int, int]


class Rtc:
    """The calendar of a board: it starts on 1 January 2000 at every power-on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The chip has no battery: every power-on starts at the epoch.
        self._offset = -clock.now()

    @property
    def seconds(self) -> int:
        """Whole seconds since 2000."""
        return int(self._clock.now() + self._offset)

    def set(self, moment: datetime) -> None:
        """Set the calendar to ``moment``."""
        self._offset = (moment - EPOCH).total_seconds() - self._clock.now()

    def now(self) -> DateTuple:
        """Return the calendar; its weekday counts from Sunday, as the SDK's RTC does."""
        moment = date_of(self.seconds)
        return (*moment[:6], (moment[6] + 1) % 7, moment[7])

    def fat_time(self) -> tuple[int, int]:
        """Return date and time as two words of a FAT entry; after 2107 the latest values."""
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
    """Return seconds since 2000; as in ``mktime``, fields of the date may be out of range.

    Raises ``OverflowError`` for a date outside the years 1 to 9999.
    """
    year, month, day, hour, minute, second = date[:6]
    # datetime refuses a month 13; mktime takes it for January of the next year.
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    try:
        moment = datetime(year, month, 1)
    except ValueError as reason:
        raise OverflowError("date value out of range") from reason
    moment += timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return int((moment - EPOCH).total_seconds())


# Storage time


class StorageTime(NamedTuple):
    """Device time in nanoseconds, of flash and card; 0 for a flash chip without a clock."""

    flash: int
    sd: int

    @property
    def total(self) -> int:
        """The sum: the processor waits for both."""
        return self.flash + self.sd

    def since(self, before: StorageTime) -> StorageTime:
        """Return the time that has passed since ``before``."""
        return StorageTime(self.flash - before.flash, self.sd - before.sd)


class ModelLoad(NamedTuple):
    """A model that a program loaded, and the time that reading it took."""

    function: str
    """``load`` or ``load_flash``."""
    source: int | str
    """The flash address or the path, the argument of the function."""
    size: int
    """Size of the model in bytes."""
    time: StorageTime

    @property
    def call(self) -> str:
        """The call as a program writes it."""
        source = f"0x{self.source:X}" if isinstance(self.source, int) else f'"{self.source}"'
        return f"kpu.{self.function}({source})"


class StorageClock:
    """The time of a board that only sleeps and waits for its storage.

    It is the sum of ``clock`` and the storage time; the processor takes no time.
    """

    def __init__(self, clock: Clock, storage: Callable[[], StorageTime]) -> None:
        self._clock = clock
        self._storage = storage

    def now(self) -> float:
        """Return the seconds of clock and storage."""
        return self._clock.now() + self._storage().total / SECOND

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` go by."""
        self._clock.sleep(seconds)
