"""Erasing blocks: the end of garbage collection, formatting, and mending an aborted erase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error

if TYPE_CHECKING:
    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.geometry import Geometry
    from maixfs.spiffs.volume import Volume


def erase_block(volume: Volume, block: int) -> None:
    """Erase a block, then write its erase count and, last, its magic.

    A block without magic is therefore one whose erase was cut short.
    """
    geometry = volume.geometry
    volume.device.erase(geometry.base + block * geometry.block_size, geometry.block_size)
    volume.free_blocks += 1
    _sign(volume.device, geometry, block, volume.max_erase_count)
    volume.max_erase_count = _count_after(volume.max_erase_count)
    first = block * geometry.pages_per_block + geometry.lookup_pages
    for page in range(first, first + geometry.usable_pages):
        entry = volume.lookup[page]
        if entry not in (ondisk.ID_FREE, ondisk.ID_DELETED):
            volume.ids.give_back(entry)
        volume.forget(page)
    volume.load_block(block)


def _count_after(count: int) -> int:
    """Return the erase count after ``count``; one past the turning point, found at mount, goes on.

    The C compares with the turning point only, in 16 bits.
    """
    count = count + 1 & 0xFFFF
    return 0 if count == ondisk.ERASE_COUNT_WRAP else count


def _sign(device: NorDevice, geometry: Geometry, block: int, erase_count: int) -> None:
    address = geometry.base + block * geometry.block_size + geometry.magic_offset
    device.program(address + 2, ondisk.U16.pack(erase_count))
    if geometry.use_magic:
        device.program(address, ondisk.U16.pack(geometry.magic(block)))


def erase_quick(volume: Volume, max_free_pages: int) -> bool:
    """Erase the first block that holds only deleted and at most so many free pages.

    Returns whether there was one. No file is touched.
    """
    usable = volume.geometry.usable_pages
    for block in range(volume.geometry.blocks):
        count = volume.counts[block]
        if count.free <= max_free_pages and count.deleted + count.free == usable:
            volume.deleted -= count.deleted
            erase_block(volume, block)
            return True
    return False


def format_area(device: NorDevice, geometry: Geometry) -> None:
    """Erase the whole area and sign every block with erase count 0.

    Raises ``SpiffsError`` -10028 where the geometry leaves no room for the magic.
    """
    check_magic_possible(geometry)
    for block in range(geometry.blocks):
        device.erase(geometry.base + block * geometry.block_size, geometry.block_size)
        _sign(device, geometry, block, 0)


def check_magic_possible(geometry: Geometry) -> None:
    """Raise -10028 where look-up entries fill the last look-up page."""
    if geometry.use_magic and not geometry.magic_possible:
        raise spiffs_error(
            Code.MAGIC_NOT_POSSIBLE,
            f"{geometry.usable_pages} look-up entries in pages of {geometry.page_size:#x}",
        )
