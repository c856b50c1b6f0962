"""The flash chip by its addresses, as the firmware's own driver reads it."""

from __future__ import annotations

from maixfs.board.signals import Power
from maixfs.host.interrupts import held
from maixfs.nor.chip import NorChip
from maixfs.nor.device import NorDevice

ADDRESS_BITS = 24
"""Bits of an address in a read command; what is above them is not sent."""


class RawFlash:
    """Reads through the driver ``flash`` over ``chip`` while the board has power."""

    def __init__(self, flash: NorDevice, chip: NorChip, power: Power) -> None:
        self._flash = flash
        self._chip = chip
        self._power = power

    def start(self, address: int) -> int:
        """Return where on the chip a read at ``address`` begins; past its end it starts again."""
        return address % (1 << ADDRESS_BITS) % self._flash.size

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes, around the end of the chip where they reach it."""
        start, size = self.start(address), self._flash.size
        with held(self._power):
            data = self._flash.read(start, min(length, size - start))
            if len(data) == length:
                return data
            whole = bytearray(data)
            while len(whole) < length:
                whole += self._flash.read(0, min(length - len(whole), size))
        return bytes(whole)

    def view(self, address: int, length: int) -> memoryview:
        """Return up to ``length`` bytes, not past the chip's end, unseen by its clock."""
        start = self.start(address)
        length = min(length, self._flash.size - start)
        window = self._chip.window()
        if window is None:
            return memoryview(self._chip.peek(start, length))
        return window[start : start + length]
