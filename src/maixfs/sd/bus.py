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

from maixfs.sd.clock import MILLISECOND, READ_LIMIT, WRITE_LIMIT_SDXC, byte_time
from maixfs.sd.commands import R1, START_BLOCK, Cmd, crc16, explain_r1, explain_token, frame
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


_RESPONSE_BYTES = 16
"""A response comes within 8 bytes (NCR); real cards take their time with the first."""
_COMMAND_TRIES = 3
_PATIENCE = 2
"""Times the specification's limits before a card is given up: adapters add latency."""
_LOOKS = 16
_LOOKS_OF_SKIPPING = 1 << 14
"""Bytes between two looks at the clock, without and with a bus that waits by itself."""


class GarbledError(SdError):
    """What crossed the bus was damaged there; once more may do."""


class CardLostError(SdError):
    """The card has gone back to its start, or is gone; another initialisation may do."""


class Exchange:
    """What a driver does on ``bus``. ``crc_on``: the card checks what it gets."""

    def __init__(self, bus: SdBus, time: BusTime | None = None) -> None:
        self._bus = GuardedBus(bus)
        self.time: BusTime = time or (bus if isinstance(bus, BusTime) else HostTime())
        self.crc_on = False
        self.hz = 0
        self._looks = _LOOKS_OF_SKIPPING if self._bus.skips else _LOOKS

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        self.hz = hz
        self._bus.set_clock(hz)

    def transfer(self, tx: Buffer) -> bytes:
        """Send and receive. Raises ``SdError`` for a bus that fails."""
        return self._bus.transfer(tx)

    def select(self) -> None:
        """Pull chip select low."""
        self._bus.select()

    def release(self, count: int = 1) -> None:
        """Let chip select go high, and clock so many bytes for the card to let go of MISO."""
        self._bus.deselect()
        self.transfer(b"\xff" * count)

    def wait_while(self, value: int, limit: int) -> int:
        """Return the first byte that is not ``value``, or ``value`` after ``limit`` ns."""
        limit *= _PATIENCE
        deadline = self.time.time() + limit
        left = limit // byte_time(self.hz) + 1
        while left > 0:
            count, byte = self._bus.skip(value, min(left, self._looks))
            if byte != value:
                return byte
            left -= max(1, count)
            if self.time.time() > deadline:
                break
        return value

    def command(self, number: int, argument: int = 0, extra: int = 0) -> bytes:
        """Send a command and return R1 and ``extra`` bytes after it; the card stays selected.

        R1 is 0xFF where there was no response. A command that the card found damaged is sent
        again.
        """
        answer = b"\xff"
        for _ in range(_COMMAND_TRIES):
            self.select()
            self.transfer(b"\xff")
            self.transfer(frame(number, argument))
            if number == Cmd.STOP:
                self.transfer(b"\xff")
            answer = bytes([self._response()])
            if answer[0] == 0xFF or not answer[0] & R1.CRC:
                break
            self.release()
        return answer + (self.transfer(b"\xff" * extra) if extra else b"")

    def app_command(self, number: int, argument: int = 0) -> bytes:
        """Send an application command and return R1: CMD55's where that was refused."""
        answer = self.command(Cmd.APP)
        if answer[0] & ~R1.IDLE:
            return answer
        self.release()
        return self.command(number, argument)

    def _response(self) -> int:
        """Return R1, whose highest bit is 0, or 0xFF."""
        for _ in range(_RESPONSE_BYTES):
            byte = self.transfer(b"\xff")[0]
            if not byte & 0x80:
                return byte
        return 0xFF

    def receive(self, length: int, what: str) -> bytes:
        """Return a block of ``length`` bytes.

        Raises ``GarbledError`` for an error token or a wrong CRC, ``CardLostError`` for nothing.
        """
        token = self.wait_while(0xFF, READ_LIMIT)
        if token != START_BLOCK:
            if token == 0xFF:
                raise CardLostError(
                    f"{what}: no data came within {READ_LIMIT * _PATIENCE // MILLISECOND} ms"
                    " (token 0xFF)",
                    hint="the card hangs or was pulled out: power it off and on",
                )
            # It may be the answer to noise that the card took for a command: once more may do.
            raise GarbledError(
                f"{what}: the card {explain_token(token)}",
                hint="it cannot read what is there: save the rest, replace the card",
            )
        block = self.transfer(b"\xff" * (length + 2))
        if crc16(block):
            raise GarbledError(
                f"{what}: the data is damaged (CRC 0x{crc16(block[:-2]):04X}, the card sent"
                f" 0x{block[-2:].hex().upper()})",
                hint="the line is bad: shorter wires, a slower clock, a better contact",
            )
        return block[:length]

    def send(self, token: int, data: Buffer) -> int:
        """Send a block and return the data response, or 0xFF."""
        check = crc16(data).to_bytes(2, "big")
        answer = self.transfer(b"\xff" + bytes([token]) + bytes(data) + check + b"\xff")
        return answer[-1] if answer[-1] != 0xFF else self.transfer(b"\xff")[-1]

    def wait_ready(self, what: str, limit: int = WRITE_LIMIT_SDXC) -> None:
        """Wait until the card is not busy; raises ``SdError``."""
        if self.wait_while(0x00, limit) == 0x00:
            raise SdError(
                f"{what}: the card is still busy after {limit * _PATIENCE // MILLISECOND} ms"
                " (MISO 0x00)",
                hint="it hangs, or it is worn out: power it off and on",
            )

    def expect_ready(self, r1: int, what: str) -> None:
        """Raise for a response that is not 0x00: ``CardLostError`` where a start may help."""
        if r1 == 0:
            return
        said = f"{what}: the card {explain_r1(r1)}"
        if r1 == 0xFF:
            raise CardLostError(said, hint="it was pulled out or lost power: look at its contacts")
        if r1 & R1.IDLE:
            raise CardLostError(said, hint="it started again by itself: its power is too weak")
        if r1 & R1.CRC:
            raise GarbledError(said, hint="the line is bad: shorter wires, a slower clock")
        raise SdError(said, hint=_hint_for(r1))


def _hint_for(r1: int) -> str | None:
    if r1 & (R1.PARAMETER | R1.ADDRESS):
        return "the card is smaller than it says, or no card of the kind that it seems to be"
    return "it does not know a command that every card must know" if r1 & R1.ILLEGAL else None
