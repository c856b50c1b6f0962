"""The firmware: its constants, its memory, its raw flash reads and ``/freq.conf``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from maixfs.board.power import Power
from maixfs.firmware import freqconf
from maixfs.firmware.freqconf import FreqConf
from maixfs.host.interrupts import held
from maixfs.kmodel.memory import memory_budget
from maixfs.nor.chip import NorChip
from maixfs.nor.device import NorDevice
from maixfs.spiffs import OpenFlag, SpiffsCore, SpiffsError

# Constants

PLATFORM = "MaixPy"
"""``sys.platform``, and the first two fields of ``uos.uname()``."""

VERSION = (0, 6, 3)
"""``sys.implementation.version``: MaixPy puts its own version there, not MicroPython's."""

PYTHON_VERSION = (3, 4, 0)
"""The language version that MicroPython 1.11 claims, ``sys.version_info``."""

BUILD = "v0.6.3-2-gd8901fd22 on 2023-11-10"
"""``uos.uname().version``: the source's tag and the day of the build."""

MACHINE = "Sipeed_M1 with kendryte-k210"
"""``uos.uname().machine``: the same on all boards, whatever their name."""

CPU_HZ = freqconf.CPU_DEFAULT
"""CPU clock at first power-on, Hz."""

GC_HEAP_FALLBACK = freqconf.HEAP_FALLBACK
"""Bytes of the heap when the one asked for does not fit into the memory."""

PLL2_HZ = 45_158_400
"""Clock of the third PLL, Hz; the firmware sets it and never asks."""

RAM_SIZE = freqconf.RAM_SIZE
"""General memory of a K210 in bytes (data sheet: 6 MiB, besides 2 MiB for the KPU)."""

FIRMWARE_RAM = freqconf.FIRMWARE_RAM
"""Bytes of that memory which code, static data and frame buffers take; an estimate."""


# Memory


class SystemMemory:
    """So much as firmware and MicroPython's heap of ``gc_heap`` bytes leave, an estimate."""

    def __init__(self, gc_heap: int) -> None:
        self._whole = memory_budget(gc_heap=gc_heap)
        self._taken = 0

    @property
    def free(self) -> int:
        """Bytes that nobody holds."""
        return max(0, self._whole - self._taken)

    def take(self, size: int) -> None:
        """Hold ``size`` bytes more, or fewer for a negative number."""
        self._taken += size


# Raw flash

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


# /freq.conf


class FreqFile:
    """The file on the board's SPIFFS; ``say`` takes what the firmware prints about it."""

    def __init__(
        self,
        fs: Callable[[], SpiffsCore],
        power: Power,
        default: FreqConf,
        say: Callable[[str], object],
    ) -> None:
        self._fs = fs
        self._power = power
        self._default = default
        self._say = say

    def load(self) -> FreqConf:
        """Return what the file says; write it with the defaults where it cannot be opened."""
        with held(self._power):
            try:
                descriptor = self._fs().open_descriptor(freqconf.NAME, OpenFlag.RDONLY)
            except SpiffsError:
                self.save(self._default)
                return self._default
            try:
                data = descriptor.read(freqconf.SIZE)
            except SpiffsError:
                data = b""
            descriptor.close()
        if not data:
            self._say("maixpy can't load freq.conf\t\r\n")
            return self._default
        return FreqConf.unpack(data, self._default)

    def save(self, config: FreqConf) -> bool:
        """Write the record over the file's first bytes; tell whether it went in.

        Whether its last page reached the flash shows only when the file is closed, and the
        firmware does not look at that.
        """
        flags = OpenFlag.WRONLY | OpenFlag.CREAT
        with held(self._power):
            try:
                descriptor = self._fs().open_descriptor(freqconf.NAME, flags)
            except SpiffsError:
                return False
            try:
                descriptor.write(config.pack())
            except SpiffsError:
                return False
            finally:
                with suppress(SpiffsError):
                    descriptor.close()
        return True
