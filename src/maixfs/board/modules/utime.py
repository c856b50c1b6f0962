"""``utime``: ticks, sleep and the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import index
from types import ModuleType

from maixfs.board.clock import Clock
from maixfs.board.modules.kit import make_module, public
from maixfs.board.rtc import DateTuple, Rtc, date_of, seconds_of

TICKS_PERIOD = 1 << 62
"""Ticks wrap here: the positive small integers of a 64-bit MicroPython."""


class UTime:
    """What the module holds; times come from ``clock``. ``TypeError`` for a wrong kind of number:
    milli- and microseconds and ticks are whole."""

    def __init__(self, clock: Clock, rtc: Rtc, cpu_hz: int) -> None:
        self._clock = clock
        self._rtc = rtc
        self._cpu_hz = cpu_hz
        self._start = clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait; a negative time is none."""
        if not isinstance(seconds, int | float):
            raise TypeError(f"can't convert {type(seconds).__name__} to float")
        self._wait(seconds)

    def sleep_ms(self, milliseconds: int) -> None:
        """Wait."""
        self._wait(index(milliseconds) / 1_000)

    def sleep_us(self, microseconds: int) -> None:
        """Wait."""
        self._wait(index(microseconds) / 1_000_000)

    def ticks_ms(self) -> int:
        """Return milliseconds since power-on."""
        return self._ticks(1_000)

    def ticks_us(self) -> int:
        """Return microseconds since power-on."""
        return self._ticks(1_000_000)

    def ticks_cpu(self) -> int:
        """Return cycles of the processor since power-on."""
        return self._ticks(self._cpu_hz)

    def ticks(self) -> int:
        """Return milliseconds, under the name that OpenMV scripts use."""
        return self.ticks_ms()

    def ticks_add(self, ticks: int, delta: int) -> int:
        """Return the ticks ``delta`` later."""
        return (index(ticks) + index(delta)) % TICKS_PERIOD

    def ticks_diff(self, end: int, start: int) -> int:
        """Return the ticks from ``start`` to ``end``, negative where ``end`` came first."""
        half = TICKS_PERIOD // 2
        return (index(end) - index(start) + half) % TICKS_PERIOD - half

    def time(self) -> int:
        """Return seconds since 2000 by the board's calendar."""
        return self._rtc.seconds

    def localtime(self, seconds: int | None = None) -> DateTuple:
        """Return a date of 8 fields: of ``seconds``, or the calendar's now."""
        return self._rtc.now() if seconds is None else date_of(seconds)

    def mktime(self, date: Sequence[int]) -> int:
        """Return the seconds of a date of 8 or 9 fields."""
        if not 8 <= len(date) <= 9:
            raise TypeError(f"mktime needs a tuple of length 8 or 9 ({len(date)} given)")
        return seconds_of(date)

    def set_time(self, date: Sequence[int]) -> bool:
        """Set the calendar to year, month, day, hour, minute, second; tell whether it took."""
        try:
            year, month, day, hour, minute, second = date[:6]
            self._rtc.set(datetime(year, month, day, hour, minute, second))
        except ValueError:
            return False
        return True

    def clock(self) -> FrameClock:
        """Return a stop-watch for frames per second."""
        return FrameClock(self)

    def _ticks(self, per_second: int) -> int:
        return int((self._clock.now() - self._start) * per_second) % TICKS_PERIOD

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._clock.sleep(seconds)


class FrameClock:
    """``utime.clock()``: ``tick`` at the start of a frame, ``fps`` or ``avg`` at its end."""

    def __init__(self, time: UTime) -> None:
        self._time = time
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._start = self._ticks = self._frames = 0

    def tick(self) -> None:
        """Start a frame."""
        self._start = self._time.ticks_ms()

    def fps(self) -> float:
        """End a frame; return frames per second, counted anew every two seconds."""
        average = self.avg()
        if self._ticks >= 2_000:
            self._ticks = self._frames = 0
        return 1_000 / average if average else float("inf")

    def avg(self) -> float:
        """End a frame; return the milliseconds that frames took on average."""
        self._frames += 1
        self._ticks += self._time.ticks_ms() - self._start
        return self._ticks / self._frames


def utime(clock: Clock, rtc: Rtc, cpu_hz: int) -> ModuleType:
    """Return the module."""
    return make_module("utime", public(UTime(clock, rtc, cpu_hz)))
