"""The firmware's own heap: what models take, MicroPython's objects do not."""

from __future__ import annotations

from maixfs.kmodel import memory_budget


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
