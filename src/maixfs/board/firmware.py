"""What the firmware that this board runs says about itself (MaixPy v0.6.3, MicroPython v1.11)."""

from __future__ import annotations

from maixfs.firmware import freqconf

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
