"""Blocks and pages that an edit finds empty, or has to wipe before it programs them."""

from __future__ import annotations

from maixfs.nor import NorChip
from maixfs.nor.device import blank
from maixfs.spiffs import Geometry, ondisk
from maixfs.spiffs.check import leftover_pages


def empty_blocks(image: memoryview, geometry: Geometry) -> int:
    """Return the blocks in which nothing was written, as a mount counts them."""
    area = image[geometry.base : geometry.base + geometry.size].cast("H")
    return area[:: geometry.block_size // 2].tolist().count(ondisk.ID_FREE)


def wipe_free_pages(chip: NorChip, image: memoryview, geometry: Geometry) -> None:
    """Set every free page of an area to 0xFF: programming clears bits only."""
    for page in leftover_pages(image, geometry):
        chip.poke(geometry.page_address(page), blank(geometry.page_size))
