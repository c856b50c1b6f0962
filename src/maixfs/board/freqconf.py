"""``/freq.conf``: clocks and heap size, a raw C structure in a file of 16 bytes."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from maixfs.board import firmware

NAME = "/freq.conf"
"""The file's name in SPIFFS."""

_RECORD = Struct("<IIB3xI")  # docs/SPEC.md: freq_cpu, freq_pll1, kpu_div, padding, gc_heap_size

SIZE = _RECORD.size
"""Bytes of the record, its three bytes of padding included."""

CPU_MAX = 600_000_000
CPU_MIN = 26_000_000
PLL1_DEFAULT = 400_000_000
PLL1_MAX = 1_200_000_000
PLL1_MIN = 26_000_000
KPU_MAX = 600_000_000
KPU_MIN = 26_000_000


class FreqConf(NamedTuple):
    """The record: clocks in Hz, the KPU's divider of PLL1, the heap in bytes."""

    freq_cpu: int = firmware.CPU_HZ
    freq_pll1: int = PLL1_DEFAULT
    kpu_div: int = 1
    gc_heap_size: int = firmware.GC_HEAP_SIZE

    def pack(self) -> bytes:
        """Return the 16 bytes of the file (padding zero)."""
        return _RECORD.pack(*self)

    @classmethod
    def unpack(cls, data: bytes, default: FreqConf) -> FreqConf:
        """Read a file's first 16 bytes; what a shorter one lacks is as in ``default``.

        The firmware reads over its defaults in memory, so half a record changes half of them.
        """
        head = data[:SIZE]
        return cls(*_RECORD.unpack(head + default.pack()[len(head) :])).clamped(default)

    def clamped(self, default: FreqConf) -> FreqConf:
        """Return what the firmware makes of values outside the chip's limits."""
        return FreqConf(
            min(max(self.freq_cpu, CPU_MIN), CPU_MAX),
            min(max(self.freq_pll1, PLL1_MIN), PLL1_MAX),
            self.kpu_div or 1,
            self.gc_heap_size or default.gc_heap_size,
        )

    @property
    def freq_kpu(self) -> int:
        """The KPU's clock in Hz."""
        return self.freq_pll1 // (self.kpu_div or 1)
