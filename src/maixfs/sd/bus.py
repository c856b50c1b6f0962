"""The SPI bus of a card: the interface of adapters, and the exchanges of a driver over it.

A card is not a flash chip: the first clocks run with chip select high; a command, its response
and its data are several transfers under one select; and the driver needs each byte to know what
comes next. So the driver controls chip select, and every transfer goes both ways.

An adapter for real hardware takes a dozen lines. On Linux, with a ``/dev/spidev`` node and a pin
of its own for chip select (``SPI_NO_CS``, or CS wired to a GPIO)::

    class Spidev:
        def __init__(self, spi, pin): self.spi, self.pin = spi, pin
        def set_clock(self, hz): self.spi.max_speed_hz = hz
        def select(self): self.pin.off()
        def deselect(self): self.pin.on()
        def transfer(self, tx): return bytes(self.spi.xfer3(list(tx)))

An FT232H by pyftdi: ``port.exchange(tx, duplex=True, start=False, stop=False)`` with the select
pin driven through ``get_gpio()``, and ``port.set_frequency(hz)``. An adapter with exceptions of
its own should raise ``OSError`` instead, which drivers report as ``SdError``.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple, runtime_checkable

from maixfs.sd.clock import MILLISECOND, READ_LIMIT, WRITE_LIMIT_SDXC, byte_time
from maixfs.sd.commands import R1, START_BLOCK, Cmd, crc16, explain_r1, explain_token, frame
from maixfs.sd.device import Buffer
from maixfs.sd.errors import SdError

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class SdBus(Protocol):
    """A SPI master with one card slot on it (mode 0, most significant bit first)."""

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz`` or slower."""

    def select(self) -> None:
        """Set chip select low."""

    def deselect(self) -> None:
        """Set chip select high."""

    def transfer(self, tx: Buffer) -> bytes:
        """Send ``tx`` and return the bytes received meanwhile, as many as were sent."""


@runtime_checkable
class SkippingBus(Protocol):
    """A bus that can wait for a byte by itself, faster than byte by byte."""

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        """Receive bytes (sending 0xFF) until one is not ``value``, at most ``limit``.

        Returns the number of bytes received and the last of them.
        """


@runtime_checkable
class BusTime(Protocol):
    """The clock of a driver's timeouts: the host's, or that of a simulated card."""

    def time(self) -> int:
        """Return nanoseconds since an arbitrary fixed moment."""

    def sleep(self, nanoseconds: int) -> None:
        """Wait at least that long without traffic on the bus."""


class HostTime:
    """The monotonic clock of the host."""

    def time(self) -> int:
        """Return nanoseconds since an arbitrary fixed moment."""
        return time.monotonic_ns()

    def sleep(self, nanoseconds: int) -> None:
        """Sleep."""
        time.sleep(nanoseconds / 1_000_000_000)


class GuardedBus:
    """A bus whose failures are ``SdError`` and whose transfers return as many bytes as sent."""

    def __init__(self, bus: SdBus) -> None:
        self._bus = bus
        self.skips = isinstance(bus, SkippingBus)

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        _guarded(self._bus.set_clock, hz)

    def select(self) -> None:
        """Set chip select low."""
        _guarded(self._bus.select)

    def deselect(self) -> None:
        """Set chip select high."""
        _guarded(self._bus.deselect)

    def transfer(self, tx: Buffer) -> bytes:
        """Send ``tx`` and return the bytes received meanwhile."""
        received = _guarded(self._bus.transfer, tx)
        # A missing byte would shift all later ones, and data would pass for responses.
        if len(received) != len(tx):
            raise SdError(
                f"the bus returned {len(received)} of {len(tx)} bytes",
                hint="the adapter was unplugged or is defective",
            )
        return received

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        """Receive bytes as ``SkippingBus.skip`` does, one by one if the bus cannot."""
        if isinstance(self._bus, SkippingBus):
            return _guarded(self._bus.skip, value, limit)
        byte = value
        for count in range(1, limit + 1):
            byte = self.transfer(b"\xff")[0]
            if byte != value:
                return count, byte
        return limit, byte


def _guarded(method: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call a method of a bus; raise its ``OSError`` as ``SdError`` with the same errno."""
    try:
        return method(*arguments)
    except SdError:
        # An OSError too, but it already names the command: a card behind another guarded bus.
        raise
    except OSError as reason:
        raise SdError(
            f"the SPI bus fails: {reason.strerror or reason}",
            errno=reason.errno or errno.EIO,
            hint="check the adapter, and whether another program uses it",
        ) from reason


_RESPONSE_BYTES = 16
"""A response comes within 8 bytes (NCR); some cards exceed that after power-up."""
_COMMAND_TRIES = 3
_PATIENCE = 2
"""Factor on the specification's limits before a timeout: adapters add latency."""
_POLL = 16
_POLL_SKIPPING = 1 << 14
"""Bytes between two readings of the clock, without and with a bus that waits by itself."""


class GarbledError(SdError):
    """Data was damaged on the bus; another try may succeed."""


class CardLostError(SdError):
    """The card was reset or removed; another initialisation may succeed."""


class Exchange:
    """The exchanges of a driver with a card: a command, a block in or out, a wait.

    Every wait ends: by the time of the bus (``BusTime``), and in case its clock stands still, by
    the number of bytes that pass in that time. ``crc_on``: the card checks what it receives.
    """

    def __init__(self, bus: SdBus, time: BusTime | None = None) -> None:
        self._bus = GuardedBus(bus)
        # A simulated bus has a clock of its own: the host's would pass no time during its waits.
        self.time: BusTime = time or (bus if isinstance(bus, BusTime) else HostTime())
        self.crc_on = False
        self.hz = 0
        self._poll = _POLL_SKIPPING if self._bus.skips else _POLL

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        self.hz = hz
        self._bus.set_clock(hz)

    def transfer(self, tx: Buffer) -> bytes:
        """Send and receive; raises ``SdError`` if the bus fails."""
        return self._bus.transfer(tx)

    def select(self) -> None:
        """Set chip select low."""
        self._bus.select()

    def release(self, count: int = 1) -> None:
        """Set chip select high and clock ``count`` bytes, so that the card releases MISO."""
        self._bus.deselect()
        self.transfer(b"\xff" * count)

    def wait_while(self, value: int, limit: int) -> int:
        """Return the first byte that is not ``value``, or ``value`` after ``limit`` ns."""
        limit *= _PATIENCE
        deadline = self.time.time() + limit
        left = limit // byte_time(self.hz) + 1
        # Bounded twice: by the clock, and by the bytes of that time if the clock stands still.
        while left > 0:
            count, byte = self._bus.skip(value, min(left, self._poll))
            if byte != value:
                return byte
            left -= max(1, count)
            if self.time.time() > deadline:
                break
        return value

    def command(self, number: int, argument: int = 0, extra: int = 0) -> bytes:
        """Send a command and return R1 and ``extra`` bytes after it; the card stays selected.

        R1 is 0xFF if there was no response. A command that the card received damaged is sent
        again.
        """
        answer = b"\xff"
        for _ in range(_COMMAND_TRIES):
            self.select()
            # Eight clocks before the command, in which some cards finish the last one.
            self.transfer(b"\xff")
            self.transfer(frame(number, argument))
            if number == Cmd.STOP:
                # The byte after CMD12 is stuffing with any value; it may look like a response.
                self.transfer(b"\xff")
            answer = bytes([self._response()])
            if answer[0] == 0xFF or not answer[0] & R1.CRC:
                break
            self.release()
        return answer + (self.transfer(b"\xff" * extra) if extra else b"")

    def app_command(self, number: int, argument: int = 0) -> bytes:
        """Send an application command and return R1, that of CMD55 if it was refused."""
        # The idle bit alone is no refusal: it is set until the initialisation has ended.
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

        Raises ``GarbledError`` for an error token or a wrong CRC, ``CardLostError`` if no token
        comes.
        """
        token = self.wait_while(0xFF, READ_LIMIT)
        if token != START_BLOCK:
            if token == 0xFF:
                raise CardLostError(
                    f"{what}: no data came within {READ_LIMIT * _PATIENCE // MILLISECOND} ms"
                    " (token 0xFF)",
                    hint="the card hangs or was removed: power it off and on",
                )
            # Noise on the line may have changed the command, so this is tried again as well.
            raise GarbledError(
                f"{what}: the card {explain_token(token)}",
                hint="the card cannot read this sector: save the others, replace the card",
            )
        block = self.transfer(b"\xff" * (length + 2))
        # Zero if data and CRC are intact; cards send a CRC even where they check none.
        if crc16(block):
            raise GarbledError(
                f"{what}: the data is damaged (CRC 0x{crc16(block[:-2]):04X}, the card sent"
                f" 0x{block[-2:].hex().upper()})",
                hint="the line is bad: shorter wires, a slower clock, a better contact",
            )
        return block[:length]

    def send(self, token: int, data: Buffer) -> int:
        """Send a block and return the data response, 0xFF if there is none."""
        check = crc16(data).to_bytes(2, "big")
        answer = self.transfer(b"\xff" + bytes([token]) + bytes(data) + check + b"\xff")
        # The response follows the CRC at once; some cards send one byte 0xFF before it.
        return answer[-1] if answer[-1] != 0xFF else self.transfer(b"\xff")[-1]

    def wait_ready(self, what: str, limit: int = WRITE_LIMIT_SDXC) -> None:
        """Wait until the card is not busy; raises ``SdError`` after ``limit`` nanoseconds."""
        if self.wait_while(0x00, limit) == 0x00:
            raise SdError(
                f"{what}: the card is still busy after {limit * _PATIENCE // MILLISECOND} ms"
                " (MISO 0x00)",
                hint="the card hangs or is worn out: power it off and on",
            )

    def expect_ready(self, r1: int, what: str) -> None:
        """Raise for a response other than 0x00.

        ``CardLostError`` if an initialisation may help, ``GarbledError`` if another try may,
        ``SdError`` otherwise.
        """
        if r1 == 0:
            return
        message = f"{what}: the card {explain_r1(r1)}"
        if r1 == 0xFF:
            raise CardLostError(message, hint="it was removed or lost power: check its contacts")
        if r1 & R1.IDLE:
            raise CardLostError(message, hint="the card reset itself: its power supply is weak")
        if r1 & R1.CRC:
            raise GarbledError(message, hint="the line is bad: shorter wires, a slower clock")
        raise SdError(message, hint=_hint_for(r1))


def _hint_for(r1: int) -> str | None:
    if r1 & (R1.PARAMETER | R1.ADDRESS):
        return "the card is smaller than it states, or addresses sectors differently"
    return "the card lacks a command that every card must have" if r1 & R1.ILLEGAL else None
