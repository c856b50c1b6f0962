"""Time as the board has it: a counter that runs and a way to let it run on."""

from __future__ import annotations

import time
from typing import Protocol

from maixfs.board.signals import Power


class Clock(Protocol):
    """Where a script's ``utime`` gets its time from."""

    def now(self) -> float:
        """Return seconds since some fixed moment; it never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` go by."""


class HostClock:
    """The host's own time: a script that sleeps really sleeps."""

    def now(self) -> float:
        """Return the host's monotonic time in seconds."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)


class SteppedClock:
    """Time that passes only while a script sleeps; nobody waits.

    ``step`` seconds are added at each look, so that a script which polls the clock in a loop
    comes to an end.
    """

    def __init__(self, start: float = 0.0, step: float = 0.0) -> None:
        self._seconds = start
        self._step = step

    def now(self) -> float:
        """Return the seconds that have passed so far."""
        self._seconds += self._step
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Put the clock on by ``seconds``."""
        self._seconds += seconds


class PoweredClock:
    """A clock for programs that run only while ``power`` lasts: later it raises what that does."""

    def __init__(self, clock: Clock, power: Power) -> None:
        self._clock = clock
        self._power = power

    def now(self) -> float:
        """Return the clock's seconds."""
        self._power.check()
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` go by."""
        self._power.check()
        self._clock.sleep(seconds)
        self._power.check()
