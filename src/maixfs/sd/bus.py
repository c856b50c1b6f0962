"""What a card driver asks of a SPI bus, and of the time that passes on it.

A card is not a flash chip: the first clocks run with chip select high, a command, its answer
and its data are several transfers under one select, and the driver looks at each byte before it
knows what comes next. So the driver holds chip select, and every transfer goes both ways.

A real adapter fits with a dozen lines. Linux, a ``/dev/spidev`` node with a pin of its own for
chip select (``SPI_NO_CS``, or CS wired to a GPIO)::

    class Spidev:
        def __init__(self, spi, pin): self.spi, self.pin = spi, pin
        def set_clock(self, hz): self.spi.max_speed_hz = hz
        def select(self): self.pin.off()
        def deselect(self): self.pin.on()
        def transfer(self, tx): return bytes(self.spi.xfer3(list(tx)))

An FT232H by pyftdi: ``port.exchange(tx, duplex=True, start=False, stop=False)`` with the select
pin driven through ``get_gpio()``, and ``port.set_frequency(hz)``. An adapter that reports faults
by exceptions of its own should turn them into ``OSError``, which the driver explains.
"""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from maixfs.sd.device import Buffer
from maixfs.sd.errors import SdError


class SdBus(Protocol):
    """A SPI master with one card slot on it (mode 0, most significant bit first)."""

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz`` or slower."""

    def select(self) -> None:
        """Pull chip select low."""

    def deselect(self) -> None:
        """Let chip select go high."""

    def transfer(self, tx: Buffer) -> bytes:
        """Send ``tx`` and return as many bytes that came in meanwhile."""


@runtime_checkable
class SkippingBus(Protocol):
    """A bus that can wait for a byte by itself, quicker than byte by byte."""

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        """Clock in bytes (sending 0xFF) until one is not ``value``, ``limit`` bytes at most.

        Returns how many came in and the last of them.
        """


@runtime_checkable
class BusTime(Protocol):
    """A clock that a driver waits by: the host's, or that of a simulated card."""

    def time(self) -> int:
        """Return nanoseconds since some fixed moment."""

    def sleep(self, nanoseconds: int) -> None:
        """Let at least so much time pass without anything on the bus."""


class HostTime:
    """The time of the machine this runs on."""

    def time(self) -> int:
        """Return nanoseconds of the host's monotonic clock."""
        return time.monotonic_ns()

    def sleep(self, nanoseconds: int) -> None:
        """Sleep."""
        time.sleep(nanoseconds / 1_000_000_000)


class GuardedBus:
    """A bus whose faults are ``SdError`` and whose answers are as long as what was sent."""

    def __init__(self, bus: SdBus) -> None:
        self._bus = bus
        self.skips = isinstance(bus, SkippingBus)

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        try:
            self._bus.set_clock(hz)
        except OSError as reason:
            raise _failed(reason) from reason

    def select(self) -> None:
        """Pull chip select low."""
        try:
            self._bus.select()
        except OSError as reason:
            raise _failed(reason) from reason

    def deselect(self) -> None:
        """Let chip select go high."""
        try:
            self._bus.deselect()
        except OSError as reason:
            raise _failed(reason) from reason

    def transfer(self, tx: Buffer) -> bytes:
        """Send ``tx`` and return as many bytes that came in meanwhile."""
        try:
            received = self._bus.transfer(tx)
        except OSError as reason:
            raise _failed(reason) from reason
        if len(received) != len(tx):
            raise SdError(
                f"the bus gave {len(received)} of {len(tx)} bytes",
                hint="the adapter was taken off or is at fault",
            )
        return received

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        """Do what ``SkippingBus.skip`` says, byte by byte where the bus has no better."""
        if isinstance(self._bus, SkippingBus):
            try:
                return self._bus.skip(value, limit)
            except OSError as reason:
                raise _failed(reason) from reason
        byte = value
        for count in range(1, limit + 1):
            byte = self.transfer(b"\xff")[0]
            if byte != value:
                return count, byte
        return limit, byte


def _failed(reason: OSError) -> SdError:
    return SdError(
        f"the SPI bus fails: {reason.strerror or reason}",
        hint="look at the adapter, and whether another program has it",
    )
