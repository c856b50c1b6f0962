"""``/freq.conf``: clocks and heap size, a raw C structure in a file of 16 bytes."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

NAME = "/freq.conf"
"""The file's name in SPIFFS."""

_RECORD = Struct("<IIB3xI")  # docs/SPEC.md: freq_cpu, freq_pll1, kpu_div, padding, gc_heap_size

SIZE = _RECORD.size
"""Bytes of the record, its three bytes of padding included."""

CPU_DEFAULT = 400_000_000
"""Hz (``CONFIG_CPU_DEFAULT_FREQ`` of every MaixPy project)."""
CPU_MAX = 600_000_000
CPU_MIN = 26_000_000
PLL1_DEFAULT = 400_000_000
PLL1_MAX = 1_200_000_000
PLL1_MIN = 26_000_000
KPU_MAX = 600_000_000
KPU_MIN = 26_000_000
HEAP_DEFAULT = 0x80000
"""Bytes of MicroPython's heap where the file gives none."""
HEAP_FALLBACK = 128 * 1024
"""Bytes of the heap when the one asked for does not fit into the memory."""
HEAP_LEAST = 0x8000
"""Bytes under which the interpreter has hardly room for its own; an estimate."""
RAM_SIZE = 6 * 1024 * 1024
"""General memory of a K210 in bytes (data sheet: 6 MiB, besides 2 MiB for the KPU)."""
FIRMWARE_RAM = 2560 * 1024
"""Bytes of that memory which code, static data and frame buffers take; an estimate."""
HEAP_MOST = RAM_SIZE - FIRMWARE_RAM
"""Bytes of the largest heap that leaves the firmware its own."""


class FreqConf(NamedTuple):
    """The record: clocks in Hz, the KPU's divider of PLL1, the heap in bytes."""

    freq_cpu: int = CPU_DEFAULT
    freq_pll1: int = PLL1_DEFAULT
    kpu_div: int = 1
    gc_heap_size: int = HEAP_DEFAULT

    def pack(self) -> bytes:
        """Return the 16 bytes of the file (padding zero)."""
        return _RECORD.pack(*self)

    @classmethod
    def unpack(cls, data: bytes, default: FreqConf) -> FreqConf:
        """Read a file's first 16 bytes; what a shorter one lacks is as in ``default``.

        The firmware reads over its defaults in memory, so half a record changes half of them.
        """
        return cls.stored(data, default).clamped(default)

    @classmethod
    def stored(cls, data: bytes, default: FreqConf) -> FreqConf:
        """Return the values as they stand in the file, whether the chip can take them or not."""
        head = data[:SIZE]
        return cls(*_RECORD.unpack(head + default.pack()[len(head) :]))

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

    @property
    def heap_fits(self) -> bool:
        """Whether the interpreter can run with the heap, and the firmware beside it."""
        return HEAP_LEAST <= self.gc_heap_size <= HEAP_MOST

    def fixed(self) -> FreqConf:
        """Return values with which a board starts, as near to these as can be."""
        safe = self.clamped(FreqConf())
        return safe if safe.heap_fits else safe._replace(gc_heap_size=HEAP_DEFAULT)


class FreqReport(NamedTuple):
    """What a ``/freq.conf`` says, what the firmware makes of it, and what is to be known."""

    stored: FreqConf
    used: FreqConf
    problems: tuple[str, ...]
    """With these a board may not start."""
    remarks: tuple[str, ...]


def examine(data: bytes) -> FreqReport:
    """Judge the content of a ``/freq.conf`` of any length."""
    stored = FreqConf.stored(data, FreqConf())
    used = stored.clamped(FreqConf())
    problems: list[str] = []
    remarks: list[str] = []
    if len(data) < SIZE:
        remarks.append(f"it has {len(data)} of {SIZE} bytes; the rest is as by default")
    for name, asked, made in (
        ("freq_cpu", stored.freq_cpu, used.freq_cpu),
        ("freq_pll1", stored.freq_pll1, used.freq_pll1),
    ):
        if asked != made:
            remarks.append(f"{name} {asked} Hz is out of range: the firmware takes {made}")
    if not KPU_MIN <= used.freq_kpu <= KPU_MAX:
        remarks.append(f"the KPU would run at {used.freq_kpu} Hz, its limit is {KPU_MAX}")
    heap = used.gc_heap_size
    if heap > HEAP_MOST:
        problems.append(
            f"a heap of {heap} bytes leaves the firmware no room: the board hangs at its start, "
            f"or falls back to {HEAP_FALLBACK}"
        )
    elif heap < HEAP_LEAST:
        problems.append(f"a heap of {heap} bytes is too small for the interpreter")
    return FreqReport(stored, used, tuple(problems), tuple(remarks))
