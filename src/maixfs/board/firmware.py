"""What the firmware that this board runs says about itself (MaixPy v0.6.3, MicroPython v1.11)."""

from __future__ import annotations

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

CPU_HZ = 400_000_000
"""CPU clock at first power-on, Hz (``CONFIG_CPU_DEFAULT_FREQ`` of every MaixPy project)."""

GC_HEAP_SIZE = 0x80000
"""Bytes of MicroPython's heap where ``/freq.conf`` gives none."""

GC_HEAP_FALLBACK = 128 * 1024
"""Bytes of the heap when the one asked for does not fit into the memory."""

PLL2_HZ = 45_158_400
"""Clock of the third PLL, Hz; the firmware sets it and never asks."""

RAM_SIZE = 6 * 1024 * 1024
"""General memory of a K210 in bytes (data sheet: 6 MiB, besides 2 MiB for the KPU)."""

FIRMWARE_RAM = 2560 * 1024
"""Bytes of that memory which code, static data and frame buffers take; an estimate."""
