"""Device time: how long each exchange with a card would take on the board, in nanoseconds.

Two things take time: the bus, eight clocks per byte, and the card, which makes the host wait
before a block that is read and after one that is written. The time that the processor spends
between two bytes is not modelled, so a real board is somewhat slower than predicted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
MICROSECOND = 1_000

INIT_HZ = 200_000
"""Bus clock of the firmware while it initialises a card; cards allow 100 to 400 kHz."""
FAST_HZ = 25_000_000
"""Bus clock of the firmware afterwards, and the fastest of a card without CMD6 (high speed)."""

READ_LIMIT = 100 * MILLISECOND
WRITE_LIMIT = 250 * MILLISECOND
WRITE_LIMIT_SDXC = 500 * MILLISECOND
INIT_LIMIT = SECOND
"""Longest times of a card by the SD Physical Layer Simplified Specification (section 4.6.2, for
the initialisation 4.2.3): to read a block, to write one, the same on SDXC, ACMD41 until ready."""
ERASE_LIMIT = 250 * MILLISECOND
"""The same for each allocation unit (AU) of an erase, unless the card states another time."""


def byte_time(hz: int) -> int:
    """Return nanoseconds of one byte, eight clocks: 320 at 25 MHz, 40,000 at 200 kHz."""
    # Rounded up, so that the bus is never faster than its clock; a clock of 0 Hz, which a
    # misbehaving host may set, must not divide by zero.
    return -(-8 * SECOND // max(1, hz))


@dataclass(frozen=True, slots=True)
class SdTiming:
    """How long a card makes its host wait; in nanoseconds, ``response`` in bytes on the bus.

    The specification gives only limits, and makers do not publish times for single sectors over
    SPI. The defaults are of the order measured on mid-range micro SD cards. ``read_access``
    (half a millisecond; older cards state a TAAC of 1 to 1.5 ms) and ``write_busy`` (one sector
    by CMD24: 1 ms, as the card rewrites part of a page each time) matter most. ``next_access``
    and ``next_busy`` apply to the further blocks of CMD18 and CMD25, ``register_access`` to
    registers, ``init`` from the first ACMD41 until the card is ready (50 ms typical, 500 at most
    in SanDisk's product manual), ``stop_busy`` after the stop token of CMD25, ``erase_busy`` to
    each AU of 4 MiB.
    """

    response: int = 1
    read_access: int = 500 * MICROSECOND
    next_access: int = 20 * MICROSECOND
    register_access: int = 50 * MICROSECOND
    write_busy: int = 1 * MILLISECOND
    next_busy: int = 50 * MICROSECOND
    stop_busy: int = 1 * MILLISECOND
    erase_busy: int = 2 * MILLISECOND
    init: int = 50 * MILLISECOND


TYPICAL = SdTiming()
SLOWEST = SdTiming(
    response=8,
    read_access=READ_LIMIT,
    next_access=READ_LIMIT,
    register_access=READ_LIMIT,
    write_busy=WRITE_LIMIT,
    next_busy=WRITE_LIMIT,
    stop_busy=WRITE_LIMIT,
    erase_busy=ERASE_LIMIT,
    init=INIT_LIMIT,
)
"""The slowest card that the specification allows."""


class TimeBase(Protocol):
    """The clock of a board."""

    @property
    def now(self) -> int:
        """Nanoseconds since power-on."""

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""


class SdClock:
    """The clock of one card on its bus; ``now`` is in nanoseconds since power-on.

    ``base`` is the clock of the board that the card is part of; without one the card has its
    own. ``counts`` counts each command by name (``CMD17``) and the bytes on the bus (``bytes``).
    """

    def __init__(self, base: TimeBase | None = None) -> None:
        self._base = base
        self._own = 0
        self.counts: Counter[str] = Counter()
        self.set_hz(INIT_HZ)

    @property
    def now(self) -> int:
        """Nanoseconds since power-on."""
        return self._own if self._base is None else self._base.now

    def set_hz(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        self.hz = hz
        self.byte = byte_time(hz)

    def advance(self, nanoseconds: int) -> None:
        """Let time pass without traffic on the bus."""
        if self._base is None:
            self._own += nanoseconds
        else:
            self._base.advance(nanoseconds)

    def spend(self, count: int) -> None:
        """Let ``count`` bytes pass on the bus."""
        self.counts["bytes"] += count
        self.advance(count * self.byte)
