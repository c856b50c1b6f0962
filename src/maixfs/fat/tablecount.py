"""Counting the free entries of a FAT, of which a large card has millions.

On most cards they lie in long rows of nothing else, which one comparison counts. numpy is loaded
for what is left only where that is much: loading takes as long as counting a million entries.
"""

from __future__ import annotations

import sys
from array import array

from maixfs.fat.ondisk import FAT32_MASK

_BLOCK = 1 << 16
_EMPTY = bytes(_BLOCK)
_FEW = 1 << 19
"""Mixed entries that are counted sooner than numpy is loaded."""
_COUNTING = bytes(range((FAT32_MASK >> 24) + 1))
"""Values of the last byte of a FAT32 entry whose upper four bits, which do not count, are 0."""
_LANES = _BLOCK // 4
_MASKS = int.from_bytes(FAT32_MASK.to_bytes(4, "little") * _LANES, "little")
_CARRIES = _MASKS + int.from_bytes(b"\1\0\0\0" * _LANES, "little") & ~_MASKS


class FreeCounter:
    """Counts entries of ``size`` bytes (2 or 4) that are 0, piece by piece."""

    __slots__ = ("_mixed", "_size", "_zeros")

    def __init__(self, size: int) -> None:
        self._size = size
        self._zeros = bytes(size)
        self._mixed = 0

    def count(self, view: memoryview) -> int:
        """Return how many entries of ``view`` are free."""
        if self._size == 4 and "numpy" in sys.modules:
            return _count_in_numpy(view)
        return sum(
            self._count_block(bytes(view[at : at + _BLOCK])) for at in range(0, len(view), _BLOCK)
        )

    def _count_block(self, raw: bytes) -> int:
        if raw == _EMPTY:
            return _BLOCK // self._size
        odd = self._size == 4 and raw[3::4].translate(None, _COUNTING)
        if not odd and self._zeros not in raw:
            return 0
        if self._size == 2:
            return array("H", raw).count(0)
        self._mixed += _LANES
        if self._mixed > _FEW:
            return _count_in_numpy(raw)
        return _count_in_lanes(raw)


def _count_in_lanes(raw: bytes) -> int:
    """Count in one large number: what is not 0 carries a bit when all ones are added."""
    entries = int.from_bytes(raw.ljust(_BLOCK, b"\1"), "little")
    return _LANES - ((entries & _MASKS) + _MASKS & _CARRIES).bit_count()


def _count_in_numpy(raw: bytes | memoryview) -> int:
    import numpy as np

    entries = np.frombuffer(raw, "<u4")
    return len(entries) - int(np.count_nonzero(entries << 4))
