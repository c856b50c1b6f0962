"""How much memory a board has for models."""

from __future__ import annotations

SRAM = 0x600000
"""Bytes of memory of the K210 that are not the KPU's; no model may be larger either."""
FIRMWARE = 0x200000
"""What MaixPy with everything in it takes of that, about."""
GC_HEAP = 0x80000
"""MicroPython's own heap, unless /freq.conf says otherwise."""
COPY_SLACK = 256
"""What the firmware allocates beyond a model, to place the copy at a round address."""
CONTEXT = 192
"""What it remembers of a loaded model."""
NODE_INTERPRETER = 288
"""What it needs in addition for a v4 model."""


def memory_budget(*, firmware: int = FIRMWARE, gc_heap: int = GC_HEAP) -> int:
    """Return how many bytes are left for models and everything else that programs load."""
    return max(0, SRAM - firmware - gc_heap)


def fits_memory(need: int, *, firmware: int = FIRMWARE, gc_heap: int = GC_HEAP) -> bool:
    """Whether a model that needs so many bytes can be loaded beside them, with nothing else."""
    overhead = COPY_SLACK + CONTEXT + NODE_INTERPRETER
    return need + overhead <= memory_budget(firmware=firmware, gc_heap=gc_heap)
