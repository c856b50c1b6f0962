"""A simulated card on an SPI bus, byte for byte.

    bus = SpiSdSlave(SdCard(RamSectors(8 << 21)))     # an SdBus that is its own BusTime
    card = SpiSdCard(bus)

Every sequence of bytes is answered as a card would answer it: none raises or hangs.
"""

from __future__ import annotations

import re

from maixfs.sd.card import SdCard
from maixfs.sd.clock import SdClock, TimeBase
from maixfs.sd.device import Buffer
from maixfs.sd.spi_controller import CardController, Outlet

WAKE_CLOCKS = 74
"""Clocks with chip select high that a card needs after power-up (section 6.4.1)."""
_FRAME = 6
_RUN = 1 << 16
_START_MASK, _START = 0xC0, 0x40
_NOT_HIGH = re.compile(rb"[^\xff]")


class SpiSdSlave:
    """An ``SdBus`` with ``card`` on it; also its ``BusTime`` and a ``SkippingBus``.

    ``base`` is the clock of the board that the card is part of; ``clock`` is the card's.
    """

    def __init__(self, card: SdCard, base: TimeBase | None = None) -> None:
        self.card = card
        self.clock = SdClock(base)
        self._outlet = Outlet(self.clock)
        self._controller = CardController(card, self.clock, self._outlet)
        self._present = True
        self._selected = self._draining = False
        self._fresh = True
        self._wake_clocks = 0
        self._frame = bytearray()

    # Power and presence

    @property
    def driving(self) -> bool:
        """Whether the card drives MISO, so that no other chip on the bus can."""
        return self._present and (self._selected or self._draining)

    def power_cycle(self) -> None:
        """Switch the card's power off and on."""
        self._controller.power_on()
        self._wake_clocks = 0
        self._frame.clear()

    def remove(self) -> None:
        """Remove the card: from now on MISO stays high."""
        self._present = False

    # The bus

    def set_clock(self, hz: int) -> None:
        """Clock the bus at ``hz``."""
        self.clock.set_hz(hz)

    def select(self) -> None:
        """Set chip select low."""
        self._fresh = self._fresh or not self._selected
        self._selected = True
        self._draining = False

    def deselect(self) -> None:
        """Set chip select high: an incomplete command or block is discarded."""
        # The card releases MISO only at the next clock: ``_draining`` until then.
        self._draining = self._draining or self._selected
        self._selected = False
        self._frame.clear()
        self._controller.abort_block()

    def time(self) -> int:
        """Return nanoseconds of device time."""
        return self.clock.now

    def sleep(self, nanoseconds: int) -> None:
        """Let time pass without traffic on the bus."""
        self.clock.advance(nanoseconds)

    def transfer(self, tx: Buffer) -> bytes:
        """Send ``tx`` and return the bytes that the card sends meanwhile."""
        data = bytes(tx)
        if not self._selected:
            return self._clock_unselected(len(data))
        received = bytearray()
        while len(received) < len(data):
            at = len(received)
            if not self._present:
                received += self._silent(len(data) - at)
            elif self._controller.wanted:
                piece = data[at : at + self._controller.wanted]
                received += self._outlet.send(len(piece))
                self._controller.take(piece)
            else:
                received += self._listen(data, at)
        return self._on_the_line(bytes(received))

    def skip(self, value: int, limit: int) -> tuple[int, int]:
        """Receive bytes until one is not ``value``, as ``SkippingBus`` defines it."""
        count, byte = 0, value
        while count < limit and byte == value:
            run = self._run(limit - count)
            same = len(run) - len(run.lstrip(bytes([value])))
            taken = min(len(run), same + 1)
            byte = self.transfer(b"\xff" * taken)[-1]
            count += taken
        return count, byte

    def _run(self, limit: int) -> bytes:
        """Return some of the next bytes, at least one, without sending them."""
        # In these states the next byte changes the state, so only one can be foreseen.
        if self._draining or self._controller.wanted or self._frame:
            return self._on_the_line(b"\xff")
        if not self._present or not self._selected:
            return self._on_the_line(b"\xff" * min(limit, _RUN))
        return self._on_the_line(self._outlet.ahead(limit))

    def _listen(self, data: bytes, at: int) -> bytes:
        """Take bytes up to the end of a command, or to where a command or block may begin."""
        if self._frame:
            piece = data[at : at + _FRAME - len(self._frame)]
            sent = self._outlet.send(len(piece))
            self._frame += piece
            if len(self._frame) == _FRAME:
                self._execute()
            return sent
        # Hosts send 0xFF to read; only another byte can begin a command or a block. Long runs are
        # answered at once, which makes reading as fast as the medium.
        match = _NOT_HIGH.search(data, at)
        if match is None:
            return self._outlet.send(len(data) - at)
        if match.start() > at:
            return self._outlet.send(match.start() - at)
        sent = self._outlet.send(1)
        byte = data[at]
        if byte & _START_MASK == _START:
            self._frame.append(byte)
        elif self._controller.awaits_token and not self._outlet.busy:
            self._controller.token(byte)
        return sent

    def _execute(self) -> None:
        frame = bytes(self._frame)
        self._frame.clear()
        faults = self.card.faults
        # Real cards ignore commands before the 74 clocks; some need a select edge per command.
        if self._wake_clocks < WAKE_CLOCKS or (faults.needs_toggle and not self._fresh):
            return
        self._fresh = False
        if faults.flipped_commands > 0:
            faults.flipped_commands -= 1
            # In the argument: a flip in the number could turn a read into a write.
            frame = frame[:4] + bytes([frame[4] ^ 1]) + frame[5:]
        self._controller.execute(frame)
        if faults.dip_after > 0:
            faults.dip_after -= 1
            if not faults.dip_after:
                self._controller.dip()
        if faults.removed_after > 0:
            faults.removed_after -= 1
            if not faults.removed_after:
                self.remove()

    def _clock_unselected(self, count: int) -> bytes:
        """Clock bytes with chip select high; the card may still drive the first one."""
        first = b""
        if self._draining and count and self._present:
            first = b"\x00" if self._outlet.busy else b"\xff"
        self._draining = self._draining and not count
        self._wake_clocks += 8 * count
        self.clock.spend(count)
        return self._on_the_line(first + b"\xff" * (count - len(first)))

    def _silent(self, count: int) -> bytes:
        self.clock.spend(count)
        return b"\xff" * count

    def _on_the_line(self, data: bytes) -> bytes:
        line = self.card.faults.line
        return data if line is None else bytes([line]) * len(data)
