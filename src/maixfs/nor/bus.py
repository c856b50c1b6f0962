"""What a flash driver asks of a SPI bus, and of the time that passes on it."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from maixfs.nor.device import Buffer


class SpiBus(Protocol):
    """A SPI master with one chip on it (mode 0 or 3, most significant bit first)."""

    def transfer(self, tx: Buffer, rx: int = 0, *, lines: int = 1) -> bytes:
        """Do one frame: select the chip, send ``tx``, read ``rx`` bytes, deselect it.

        ``tx`` is the command byte, then address, mode and dummy bytes and data, as many as the
        command has, most significant byte first. ``lines`` is how many data lines the command
        uses (1, 2 or 4); which of its phases use them is the command's own (0x6B: data only,
        0xEB: address, mode and data). An adapter with one line may leave ``lines`` alone: a
        driver that was made for one line never asks for more. Returns ``rx`` bytes.
        """


@runtime_checkable
class BusTime(Protocol):
    """A clock that a driver waits by: the host's, or that of a simulated chip."""

    def now(self) -> int:
        """Return nanoseconds since some fixed moment."""

    def sleep(self, nanoseconds: int) -> None:
        """Let at least so much time pass."""


class HostTime:
    """The time of the machine this runs on."""

    def now(self) -> int:
        """Return nanoseconds of the host's monotonic clock."""
        return time.monotonic_ns()

    def sleep(self, nanoseconds: int) -> None:
        """Sleep."""
        time.sleep(nanoseconds / 1_000_000_000)
