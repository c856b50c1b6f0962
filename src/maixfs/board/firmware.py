"""The firmware: its constants, its memory, its raw flash reads and ``/freq.conf``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from maixfs.board.power import Power
from maixfs.firmware import FreqConf, freqconf
from maixfs.host.interrupts import held
from maixfs.kmodel import memory_budget
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

GC_HEAP_FALLBACK = freqconf.HEAP_FALLBACK
"""Bytes of the heap when the one asked for does not fit into the memory."""

PLL2_HZ = 45_158_400
"""Clock of the third PLL, Hz; the firmware sets it and never reads it."""

RAM_SIZE = freqconf.RAM_SIZE
"""General memory of a K210 in bytes (data sheet: 6 MiB, besides 2 MiB for the KPU)."""

FIRMWARE_RAM = freqconf.FIRMWARE_RAM
"""Bytes of that memory which code, static data and frame buffers take; an estimate."""


# Memory


class SystemMemory:
    """An estimate of the memory that firmware and a heap of ``gc_heap`` bytes leave."""

    def __init__(self, gc_heap: int) -> None:
        self._whole = memory_budget(gc_heap=gc_heap)
        self._taken = 0

    @property
    def free(self) -> int:
        """Bytes that are not in use."""
        return max(0, self._whole - self._taken)

    def take(self, size: int) -> None:
        """Allocate ``size`` bytes; a negative number frees them."""
        self._taken += size


# Raw flash

ADDRESS_BITS = 24
"""Bits of an address in a read command; higher bits are not sent."""


class RawFlash:
    """Reads of the flash by address, through the driver ``flash`` of ``chip``."""

    def __init__(self, flash: NorDevice, chip: NorChip, power: Power) -> None:
        self._flash = flash
        self._chip = chip
        self._power = power

    def start(self, address: int) -> int:
        """Return the chip address for ``address``, which wraps at the end of the chip."""
        return address % (1 << ADDRESS_BITS) % self._flash.size

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes; a read past the end of the chip goes on at its start."""
        start, size = self.start(address), self._flash.size
        with held(self._power):
            # The usual read does not wrap and needs no copy.
            data = self._flash.read(start, min(length, size - start))
            if len(data) == length:
                return data
            whole = bytearray(data)
            while len(whole) < length:
                whole += self._flash.read(0, min(length - len(whole), size))
        return bytes(whole)

    def view(self, address: int, length: int) -> memoryview:
        """Return up to ``length`` bytes, to the end of the chip at most; no time is charged."""
        start = self.start(address)
        length = min(length, self._flash.size - start)
        window = self._chip.window()
        if window is None:
            return memoryview(self._chip.peek(start, length))
        return window[start : start + length]


# /freq.conf


class FreqFile:
    """``/freq.conf`` on the SPIFFS; ``say`` receives what the firmware prints about it."""

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
        """Return the contents of the file; write the defaults if it cannot be opened."""
        with held(self._power):
            try:
                descriptor = self._fs().open_descriptor(freqconf.NAME, OpenFlag.RDONLY)
            except SpiffsError:
                self.save(self._default)
                return self._default
            try:
                data = descriptor.read(FreqConf.size)
            except SpiffsError:
                data = b""
            descriptor.close()
        # The firmware tests the number of bytes read only against 0: a short file is padded.
        if not data:
            self._say("maixpy can't load freq.conf\t\r\n")
            return self._default
        return FreqConf.load(data, self._default)

    def save(self, config: FreqConf) -> bool:
        """Write the record over the first bytes of the file; return True if the write succeeds.

        The last page is written when the file is closed. The firmware ignores errors there.
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
