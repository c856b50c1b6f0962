"""Blocks: mount (magics, erase counts, one scan of the look-up), erase, format."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import compress
from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error

if TYPE_CHECKING:
    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.geometry import Geometry
    from maixfs.spiffs.volume import Volume

_UPPER = 1 if sys.byteorder == "little" else 0
"""Where the upper byte of a look-up entry in RAM lies."""
_HAS_INDEX_BIT = bytes(byte >= ondisk.ID_INDEX >> 8 for byte in range(256))


def mount(volume: Volume, *, partial: bool = False) -> None:
    """Fill ``volume`` from flash (docs/SPEC.md, section 7).

    One block with a wrong magic is an erase that a power loss interrupted: it is taken as empty.
    A faithful mount that may write erases it at once, as the C does, others before their first
    write. Two such blocks are -10025, as in the C. With ``partial`` any number of them may be
    missing but not all; of what is in them only pages count whose header agrees with the look-up.
    """
    geometry = volume.geometry
    check_magic_possible(geometry)
    _check_device(volume)
    missing = _load_blocks(volume)
    unsigned = None
    if partial and len(missing) < geometry.blocks:
        for block in missing:
            _keep_consistent(volume, block)
        volume.missing_blocks = tuple(missing)
    elif missing:
        # Erases come one after the other, so a power cut leaves one block without magic at most.
        # Two mean another geometry or other data.
        if len(missing) > 1:
            text = f"blocks {missing[0]} and {missing[1]} have no magic"
            raise spiffs_error(Code.NOT_A_FS, text)
        (unsigned,) = missing
    # Before the unsigned block is erased: that block gets this count and raises it, as in the C.
    volume.max_erase_count = _next_erase_count(volume.erase_counts)
    if unsigned is not None:
        volume.aborted_block = unsigned
        # A cut erase leaves any bits in the look-up. No page of the block is live: garbage
        # collection moves everything out before it erases.
        _take_as_empty(volume, unsigned)
        if volume.faithful and not volume.read_only:
            erase_block(volume, unsigned)
    count_pages(volume)
    _learn_index_pages(volume)


def _check_device(volume: Volume) -> None:
    geometry, device = volume.geometry, volume.device
    if not geometry.size:
        raise spiffs_error(Code.NOT_CONFIGURED, "a geometry without a size")
    if geometry.base + geometry.size > device.size:
        raise spiffs_error(
            Code.NOT_CONFIGURED,
            f"the area {geometry.base:#x}-{geometry.base + geometry.size:#x}"
            f" ends behind the chip ({device.size:#x} bytes)",
        )
    if geometry.erase_size % device.erase_size:
        raise spiffs_error(
            Code.NOT_CONFIGURED,
            f"erase size {geometry.erase_size:#x} on a chip that erases {device.erase_size:#x}",
        )


def _load_blocks(volume: Volume) -> list[int]:
    """Mirror all look-up pages; returns the blocks with a wrong magic."""
    geometry = volume.geometry
    magics = [volume.load_block(block) for block in range(geometry.blocks)]
    if not geometry.use_magic:
        return []
    return [block for block, magic in enumerate(magics) if magic != geometry.magic(block)]


def _keep_consistent(volume: Volume, block: int) -> None:
    """Take the pages of a block as free unless their headers agree with their look-up entries."""
    geometry = volume.geometry
    first = block * geometry.pages_per_block + geometry.lookup_pages
    for page in range(first, first + geometry.usable_pages):
        object_id, _, flags = volume.read_header(page)
        live = flags & (ondisk.USED | ondisk.FINAL | ondisk.DELET) == ondisk.DELET
        if volume.lookup[page] != object_id or not live:
            volume.lookup[page] = ondisk.ID_FREE
    volume.counts.touch(first)


def _next_erase_count(counts: list[int]) -> int:
    """Return the count for the next erased block.

    Counts that are more than half the range apart mean that the counter wrapped; then the lowest
    one is the newest.
    """
    # FFFF is a block that was erased and not signed: its age is not known.
    known = [count for count in counts if count != ondisk.ID_FREE]
    if not known:
        return 1
    low, high = min(known), max(known)
    return (low if high - low > ondisk.ID_FREE // 2 else high) + 1


def _take_as_empty(volume: Volume, block: int) -> None:
    geometry = volume.geometry
    first = block * geometry.pages_per_block + geometry.lookup_pages
    for page in range(first, first + geometry.usable_pages):
        volume.lookup[page] = ondisk.ID_FREE
    volume.counts.touch(first)


def count_pages(volume: Volume) -> None:
    """Set the counts of allocated and deleted pages and of free blocks from the look-up."""
    geometry, lookup = volume.geometry, volume.lookup
    free = lookup.count(ondisk.ID_FREE)
    lookup_pages = geometry.blocks * geometry.lookup_pages
    # The mirror has look-up pages as deleted, so that no search for a free page finds them.
    volume.deleted = lookup.count(ondisk.ID_DELETED) - lookup_pages
    volume.allocated = geometry.pages - lookup_pages - free - volume.deleted
    volume.free_blocks = volume.empty_blocks()


def _learn_index_pages(volume: Volume) -> None:
    for entry, pages in Counter(volume.lookup).items():
        if entry not in (ondisk.ID_FREE, ondisk.ID_DELETED):
            volume.ids.take(entry, pages)
    # The upper bytes alone show nearly all pages that are no index pages, at a tenth of the cost.
    lookup = volume.lookup
    marks = lookup.tobytes()[_UPPER::2].translate(_HAS_INDEX_BIT)
    for page in compress(range(len(lookup)), marks):
        if lookup[page] != ondisk.ID_FREE:
            volume.learn(page)


def erase_block(volume: Volume, block: int) -> None:
    """Erase a block, then write its erase count and, last, its magic."""
    geometry = volume.geometry
    volume.device.erase(geometry.base + block * geometry.block_size, geometry.block_size)
    # Also for a block that was free before: the C counts it again, and its rule of two empty
    # blocks is wrong until the next mount (docs/SPEC.md, section 6.4).
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
    volume.caches.spare = True  # the C drops the pages of an erased block from its cache


def _count_after(count: int) -> int:
    """Return the erase count after ``count``.

    It wraps at 0x8000. The C compares with that number only, in 16 bits, so that a higher count
    found at mount goes on to 0xFFFF.
    """
    count = count + 1 & 0xFFFF
    return 0 if count == ondisk.ERASE_COUNT_WRAP else count


def _sign(device: NorDevice, geometry: Geometry, block: int, erase_count: int) -> None:
    address = geometry.base + block * geometry.block_size + geometry.magic_offset
    # The magic goes last: it says that erase and count are complete, and its absence is the only
    # trace of a cut that the next mount looks for.
    device.program(address + ondisk.ERASE_COUNT.offset, ondisk.ERASE_COUNT.pack(erase_count))
    if geometry.use_magic:
        device.program(address, ondisk.MAGIC_WORD.pack(geometry.magic(block)))


def erase_quick(volume: Volume, max_free_pages: int) -> bool:
    """Erase the first block without live pages and with up to ``max_free_pages`` free ones.

    Returns whether there was one. No file changes.
    """
    usable = volume.geometry.usable_pages
    for block in range(volume.geometry.blocks):
        count = volume.counts[block]
        if count.free <= max_free_pages and count.deleted + count.free == usable:
            # The first match is taken, whatever its age: the C levels wear in full collections
            # only.
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
        # Every block starts at count 0 again: the C forgets the wear before a format.
        device.erase(geometry.base + block * geometry.block_size, geometry.block_size)
        _sign(device, geometry, block, 0)


def check_magic_possible(geometry: Geometry) -> None:
    """Raise -10028 where look-up entries fill the last look-up page."""
    if geometry.use_magic and not geometry.magic_possible:
        raise spiffs_error(
            Code.MAGIC_NOT_POSSIBLE,
            f"{geometry.usable_pages} look-up entries in pages of {geometry.page_size:#x}",
        )
