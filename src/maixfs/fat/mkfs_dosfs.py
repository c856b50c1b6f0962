"""The layout that mkfs.fat 4.2 gives a new volume (docs/SPEC.md).

Byte for byte but for the text that the boot code shows, whose words are ours; it has the length
of mkfs.fat's. Labels come out in upper case, where mkfs.fat only warns.
"""

from __future__ import annotations

from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError
from maixfs.fat.mkfs_layout import MAX_SECTORS_PER_CLUSTER, Layout, Style, Wish, aborted
from maixfs.sd.device import SECTOR

_TEXT = (
    b"Nothing to start from here: this is a card for data.  Take it out,\r\n"
    b"then press a key to go on ... \r\n"
)
_TEXT_OFFSET = 29


def _boot_code(offset: int) -> bytes:
    """Return code for ``offset`` in the boot sector: it shows a text and waits for a key.

    The 29 bytes of real-mode x86 that formatters have in common: DS := CS, print the text at
    SI with INT 10h, wait with INT 16h, restart with INT 19h.
    """
    text = 0x7C00 + offset + _TEXT_OFFSET
    show = bytes.fromhex("ac22c0740b56b40ebb0700cd105eebf0")
    wait = bytes.fromhex("32e4cd16cd19ebfe")
    return b"\x0e\x1f\xbe" + text.to_bytes(2, "little") + show + wait + _TEXT


_CODE_16, _CODE_32 = 62, 90
"""Where the boot code starts: after the fields of FAT12 and FAT16, and of FAT32."""

STYLE = Style(
    oem_name=b"mkfs.fat",
    type_names={12: b"FAT12   ", 16: b"FAT16   ", 32: b"FAT32   "},
    fat_heads={
        12: b"\xff\xff",
        16: b"\xff\xff\xff",
        32: b"\xff\xff\x0f\xff\xff\xff\x0f\xf8\xff\xff\x0f",
    },
    boot={
        12: (b"\xeb\x3c\x90", _boot_code(_CODE_16)),
        16: (b"\xeb\x3c\x90", _boot_code(_CODE_16)),
        32: (b"\xeb\x58\x90", _boot_code(_CODE_32)),
    },
    clears_reserved=True,
    stamps_all=True,
)


class _Limits(NamedTuple):
    """What mkfs.fat allows of a type of FAT; it keeps away from the borders between types."""

    half_bytes: int
    """Twice the bytes of an entry."""
    least: int
    most: int


_LIMITS = {
    12: _Limits(3, 1, 4084),
    16: _Limits(4, 4087, 65524),
    32: _Limits(8, ondisk.FAT16_CLUSTERS + 1, 268435446),
}


class _Shape(NamedTuple):
    heads: int
    track: int
    media: int = 0xF8
    size: int = 4
    """Sectors of a cluster to begin with."""
    root_entries: int = 512


_FLOPPIES = {
    360: _Shape(2, 9, 0xFD, 2, 112),
    720: _Shape(2, 9, 0xF9, 2, 112),
    1200: _Shape(2, 15, 0xF9, 1, 224),
    1440: _Shape(2, 18, 0xF0, 1, 224),
    2880: _Shape(2, 36, 0xF0, 2, 224),
}
"""Volumes of exactly so many KiB are laid out as the diskettes of this size."""

_GIB = 1 << 21
_SIZES_32 = ((32 * _GIB, 64), (16 * _GIB, 32), (8 * _GIB, 16), (260 << 11, 8), (0, 1))
"""Above so many sectors FAT32 begins with so many in a cluster, as Microsoft's format does."""
_FROM_HERE_32 = _GIB // 2
_UNALIGNED = 8192
"""Volumes of up to so many sectors are packed without gaps."""
_LEAST_DATA = 32
"""KiB that must be left for data."""


def plan(wish: Wish) -> Layout:
    """Return mkfs.fat's layout for a volume.

    Raises ``FatError`` (``MKFS_ABORTED``) where it finds none, and for a FAT32 of so few
    clusters that FatFs would take it for FAT16.
    """
    shape = _shape(wish.sectors)
    heads, track = wish.geometry or (shape.heads, shape.track)
    fat_type = wish.fat_type or (32 if wish.sectors >= _FROM_HERE_32 else None)
    if fat_type == 32:
        shape = shape._replace(size=_size_32(wish.sectors), root_entries=0)
    whole = wish._replace(sectors=wish.sectors // track * track, fat_type=fat_type)
    layout = _search(whole, shape)._replace(heads=heads, track=track)
    data = layout.root_start + layout.root_entries * ondisk.ENTRY_SIZE // SECTOR
    if wish.sectors // 2 < (data + 1) // 2 + _LEAST_DATA:
        raise aborted(
            f"{wish.sectors} sectors leave less than {_LEAST_DATA} KiB for data",
            "make the volume larger, or its clusters",
        )
    return layout


def _shape(sectors: int) -> _Shape:
    """Return the usual geometry of a volume: SD Association's, or LBA-assisted from 256 MiB."""
    if sectors // 2 in _FLOPPIES:
        return _FLOPPIES[sectors // 2]
    if sectors <= 256 << 11:
        heads = next((h for h, most in ((2, 16), (4, 32), (8, 128)) if sectors <= most << 11), 16)
        return _Shape(heads, 16 if sectors <= 2 << 11 else 32)
    return _Shape(next((h for h in (16, 32, 64, 128) if sectors <= h * 63 * 1024), 255), 63)


def _size_32(sectors: int) -> int:
    return next(size for above, size in _SIZES_32 if sectors > above)


def _search(wish: Wish, shape: _Shape) -> Layout:
    """Double the clusters until a type fits."""
    size = wish.sectors_per_cluster or shape.size
    largest = wish.sectors_per_cluster or MAX_SECTORS_PER_CLUSTER
    types = (wish.fat_type,) if wish.fat_type else (12, 16)
    while size <= largest:
        fitting = [made for made in (_attempt(wish, shape, t, size) for t in types) if made]
        if fitting:
            return max(fitting, key=lambda layout: layout.clusters)
        size *= 2
    raise _misfit(wish)


def _misfit(wish: Wish) -> FatError:
    kind = f"FAT{wish.fat_type}" if wish.fat_type else "FAT12 or FAT16"
    size = wish.sectors_per_cluster
    clusters = f"clusters of {size * SECTOR} bytes" if size else "any size of clusters"
    return aborted(
        f"{wish.sectors} sectors cannot be {kind} with {clusters}",
        "FAT12 has up to 4084 clusters, FAT16 4087 to 65524, FAT32 65526 and more",
    )


def _attempt(wish: Wish, shape: _Shape, fat_type: int, size: int) -> Layout | None:
    """Return the layout with ``size`` sectors in a cluster, if it has a right number of them."""
    limits, fats = _LIMITS[fat_type], wish.fats or 2
    unit = size if wish.sectors > _UNALIGNED else 1
    reserved = _aligned(32 if fat_type == 32 else 1, unit)
    root = _aligned(-(-shape.root_entries * ondisk.ENTRY_SIZE // SECTOR), unit)
    space = wish.sectors - reserved - root
    if space <= 0:
        return None
    # The entries of two clusters that are none, and those of each cluster in every FAT.
    first = (
        2
        * (space * SECTOR + fats * limits.half_bytes)
        // (2 * size * SECTOR + fats * limits.half_bytes)
    )
    fat_bytes = ((first + 2) * limits.half_bytes + 1) // 2
    fat_sectors = _aligned(-(-fat_bytes // SECTOR), unit)
    clusters = (space - fats * fat_sectors) // size
    most = min(limits.most, fat_sectors * 2 * SECTOR // limits.half_bytes)
    if not limits.least <= clusters <= most:
        return None
    entries = root * SECTOR // ondisk.ENTRY_SIZE if unit > 1 else shape.root_entries
    return Layout(
        fat_type, wish.sectors, size, reserved, fats, fat_sectors, entries, clusters, 0, 0,
        shape.media,
    )  # fmt: skip


def _aligned(sectors: int, unit: int) -> int:
    return -(-sectors // unit) * unit
