"""Bytes of unknown origin, and the columns in which a search looks at them."""

from __future__ import annotations

import sys

from maixfs.spiffs import ondisk
from maixfs.spiffs.geometry import Geometry, GeometryError

SECTOR = 4096
"""Every area starts at an erase unit, and no chip's unit is smaller (docs/SPEC.md, section 1)."""
BLANK = 0xFFFF


class Dump:
    """An image to search: its bytes and its little-endian words, without a copy.

    Only whole words count: an odd last byte is not seen.
    """

    def __init__(self, image: bytes | bytearray | memoryview) -> None:
        flat = memoryview(image).cast("B")
        self.size = len(flat) & ~1
        self.view = flat[: self.size].toreadonly()
        if sys.byteorder == "little":
            self.words = self.view.cast("H")
        else:
            self.words = memoryview(ondisk.u16_array(self.view))
        self._columns: dict[int, list[int]] = {}

    def column(self, offset: int) -> list[int]:
        """Return the word ``offset`` bytes behind the start of each sector."""
        if offset not in self._columns:
            self._columns[offset] = self.words[offset // 2 :: SECTOR // 2].tolist()
        return self._columns[offset]

    def bytes_at(self, address: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``address``."""
        return bytes(self.view[address : address + length])

    def whole_blocks(self, geometry: Geometry) -> int:
        """Return how many of an area's blocks lie in the image."""
        return max(0, min(geometry.blocks, (self.size - geometry.base) // geometry.block_size))


def frame(
    base: int,
    blocks: int,
    block_size: int,
    page_size: int,
    *,
    magic: bool = True,
    length: bool = True,
) -> Geometry | None:
    """Return a geometry whose header layout is still open, or ``None`` where there can be none."""
    try:
        return Geometry(
            size=blocks * block_size,
            block_size=block_size,
            page_size=page_size,
            use_magic=magic,
            use_magic_length=magic and length,
            base=base,
        )
    except GeometryError:
        return None
