"""``/freq.conf``: clocks and heap size as a raw C structure (docs/SPEC.md, section 12.3)."""

from __future__ import annotations

from maixfs.record import Record, field
from maixfs.tuples import NamedTuple

NAME = "/freq.conf"
"""The file's name in SPIFFS."""

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
"""Bytes of MicroPython's heap if the file does not set one."""
HEAP_FALLBACK = 128 * 1024
"""Bytes of the heap if the configured one does not fit into memory."""
HEAP_MIN = 0x8000
"""Bytes that the interpreter itself needs; an estimate."""
RAM_SIZE = 6 * 1024 * 1024
"""Bytes of a K210's general memory (data sheet: 6 MiB, besides 2 MiB for the KPU)."""
FIRMWARE_RAM = 2560 * 1024
"""Bytes of that memory which code, static data and frame buffers take; an estimate."""
HEAP_MAX = RAM_SIZE - FIRMWARE_RAM
"""Bytes of the largest heap that leaves room for the firmware."""


class FreqConf(Record):
    """The content of the file; the defaults are MaixPy's."""

    freq_cpu: int = field("I", "clock of the processor, Hz", default=CPU_DEFAULT)
    freq_pll1: int = field("I", "clock of PLL1, Hz", default=PLL1_DEFAULT)
    kpu_div: int = field("B", "divider of PLL1 for the KPU; 0 means 1", default=1)
    gc_heap_size: int = field(
        "I", "bytes of MicroPython's heap; 0 means the default", at=12, default=HEAP_DEFAULT
    )

    @classmethod
    def load(cls, data: bytes, default: FreqConf) -> FreqConf:
        """Return the values that the firmware uses for a file's content of any length."""
        return cls.stored(data, default).clamped(default)

    @classmethod
    def stored(cls, data: bytes, default: FreqConf) -> FreqConf:
        """Return the values in the file, whether they are in the chip's limits or not.

        The firmware reads over its defaults in memory, so half a record changes half of them.
        """
        # A short file, as a full area leaves one, is not an error for the firmware.
        head = data[: cls.size]
        return cls.unpack(head + default.pack()[len(head) :])

    def clamped(self, default: FreqConf) -> FreqConf:
        """Return the values as the firmware limits them to what the chip can do."""
        # A divider of 0 means 1 and a heap of 0 the default, as in the firmware's own reader.
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
        """Whether the interpreter can run with the heap and leaves room for the firmware."""
        return HEAP_MIN <= self.gc_heap_size <= HEAP_MAX

    def fixed(self) -> FreqConf:
        """Return values with which a board starts; those that are right are kept."""
        safe = self.clamped(FreqConf())
        return safe if safe.heap_fits else safe.replace(gc_heap_size=HEAP_DEFAULT)


class FreqReport(NamedTuple):
    """The values in a ``/freq.conf``, the values that the firmware uses, and its problems."""

    stored: FreqConf
    used: FreqConf
    problems: tuple[str, ...]
    """Reasons why a board may not start."""
    remarks: tuple[str, ...]
    """Values that the firmware replaces."""


def examine(data: bytes) -> FreqReport:
    """Check the content of a ``/freq.conf``, which may have any length."""
    stored = FreqConf.stored(data, FreqConf())
    used = stored.clamped(FreqConf())
    problems: list[str] = []
    remarks: list[str] = []
    if len(data) < FreqConf.size:
        remarks.append(f"it has {len(data)} of {FreqConf.size} bytes; the rest is the default")
    for name, configured, clamped in (
        ("freq_cpu", stored.freq_cpu, used.freq_cpu),
        ("freq_pll1", stored.freq_pll1, used.freq_pll1),
    ):
        if configured != clamped:
            remarks.append(f"{name} {configured} Hz is out of range: the firmware takes {clamped}")
    if not KPU_MIN <= used.freq_kpu <= KPU_MAX:
        remarks.append(f"the KPU would run at {used.freq_kpu} Hz, its limit is {KPU_MAX}")
    heap = used.gc_heap_size
    if heap > HEAP_MAX:
        problems.append(
            f"a heap of {heap} bytes leaves the firmware no memory: the board hangs at its start,"
            f" or falls back to {HEAP_FALLBACK}"
        )
    elif heap < HEAP_MIN:
        problems.append(f"a heap of {heap} bytes is too small for the interpreter")
    return FreqReport(stored, used, tuple(problems), tuple(remarks))
