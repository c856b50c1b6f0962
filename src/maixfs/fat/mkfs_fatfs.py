"""The layout that FatFs R0.13c gives a new volume (docs/SPEC.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError
from maixfs.fat.mkfs_layout import MAX_SECTORS_PER_CLUSTER, Layout, Style, Wish, aborted
from maixfs.sd.device import SECTOR

STYLE = Style(
    oem_name=b"MSDOS5.0",
    type_names={12: b"FAT     ", 16: b"FAT     ", 32: b"FAT32   "},
    fat_heads={
        12: b"\xff\xff",
        16: b"\xff\xff\xff",
        32: b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f",
    },
    boot=dict.fromkeys((12, 16, 32), (b"\xeb\xfe\x90", b"")),
    clears_reserved=False,
    stamps_all=False,
)
ROOT_ENTRIES = 512
LEAST_SECTORS = 22
"""FatFs refuses less outright."""
LEAST_CLUSTERS = 16
_HEADS, _TRACK = 255, 63

_STEPS_16 = (1, 4, 16, 64, 256, 512)
"""Sizes in units of 2 MiB from which on FAT12 and FAT16 double their clusters."""
_STEPS_32 = (1, 2, 4, 8, 16, 32)
"""The same for FAT32, in units of 64 MiB."""


def plan(wish: Wish) -> Layout:
    """Return the layout of FatFs for a volume.

    Without a type FAT12 and FAT16 are tried first, then FAT32: FatFs's ``FM_FAT | FM_FAT32``.
    For a type that FatFs would not choose by itself the nearest cluster size that gives it is
    taken. Raises ``FatError`` (``MKFS_ABORTED``) where there is none.
    """
    _check_size(wish)
    layout = _search(wish)
    if wish.fat_type in (None, layout.fat_type):
        return layout
    others = [] if wish.sectors_per_cluster else list(_other_sizes(wish, layout))
    if not others:
        raise aborted(
            f"{layout.clusters} clusters make FAT{layout.fat_type}, not FAT{wish.fat_type}",
            "another cluster size gives another number of clusters",
        )
    return min(others, key=lambda other: abs(other.clusters - layout.clusters))


def plan_small(wish: Wish) -> Layout:
    """Return FatFs's FAT12 or FAT16, whichever it comes to (``FM_FAT`` alone); raises as above."""
    _check_size(wish)
    return _search(wish._replace(fat_type=16))


def _check_size(wish: Wish) -> None:
    if wish.sectors < LEAST_SECTORS:
        raise aborted(f"{wish.sectors} sectors are too few: FAT needs {LEAST_SECTORS} at least")


def _other_sizes(wish: Wish, layout: Layout) -> Iterator[Layout]:
    """Yield the layouts of the wished type that other cluster sizes than ``layout``'s give."""
    for power in range(MAX_SECTORS_PER_CLUSTER.bit_length()):
        if 1 << power != layout.sectors_per_cluster:
            with suppress(FatError):
                other = _search(wish._replace(sectors_per_cluster=1 << power))
                if other.fat_type == wish.fat_type:
                    yield other


def _search(wish: Wish) -> Layout:
    """Choose as FatFs does: the usual cluster size, and where that does not fit, one other."""
    if wish.fat_type == 32:
        return _layout_32(wish)
    size = wish.sectors_per_cluster or _usual_size(wish.sectors // 0x1000, _STEPS_16)
    layout = _layout_16(wish, size)
    if _fits(layout):
        return layout
    goes_on = layout.clusters > ondisk.FAT16_CLUSTERS and wish.fat_type is None
    largest = MAX_SECTORS_PER_CLUSTER // 2 if goes_on else MAX_SECTORS_PER_CLUSTER
    if not wish.sectors_per_cluster and 2 * size <= largest:
        layout = _layout_16(wish, 2 * size)
    elif goes_on:
        return _layout_32(wish)
    if not _fits(layout):
        raise _misfit(layout)
    return layout


def _usual_size(units: int, steps: tuple[int, ...]) -> int:
    """Return the sectors of a cluster for a volume of so many units of size."""
    return 1 << sum(step <= units for step in steps)


def _fits(layout: Layout) -> bool:
    return layout.fat_type == 12 or (
        ondisk.FAT12_CLUSTERS < layout.clusters <= ondisk.FAT16_CLUSTERS
    )


def _misfit(layout: Layout) -> FatError:
    if layout.clusters > ondisk.FAT16_CLUSTERS:
        what = f"more than the {ondisk.FAT16_CLUSTERS} of FAT16"
        hint = "take larger clusters, or FAT32"
    else:
        what = "too few for FAT16 and too many for FAT12"
        hint = "take another cluster size"
    return aborted(f"clusters of {_bytes(layout)} bytes make {layout.clusters}: {what}", hint)


def _bytes(layout: Layout) -> int:
    return layout.sectors_per_cluster * SECTOR


def _layout_16(wish: Wish, size: int) -> Layout:
    """Lay out FAT12 or FAT16; the type follows from the clusters before anything is taken off."""
    clusters = wish.sectors // size
    if clusters > ondisk.FAT12_CLUSTERS:
        fat_type, fat_bytes = 16, clusters * 2 + 4
    else:
        fat_type, fat_bytes = 12, (clusters * 3 + 1) // 2 + 3
    return _laid_out(wish, fat_type, size, 1, fat_bytes)


def _layout_32(wish: Wish) -> Layout:
    size = wish.sectors_per_cluster or _usual_size(wish.sectors // 0x20000, _STEPS_32)
    layout = _attempt_32(wish, size)
    if layout.clusters <= ondisk.FAT16_CLUSTERS and not wish.sectors_per_cluster and size > 1:
        layout = _attempt_32(wish, size // 2)
    if layout.clusters <= ondisk.FAT16_CLUSTERS:
        raise _too_few(layout.clusters, size)
    return layout


def _attempt_32(wish: Wish, size: int) -> Layout:
    clusters = wish.sectors // size
    if clusters <= ondisk.FAT16_CLUSTERS:
        raise _too_few(clusters, size)
    if clusters > ondisk.FAT32_CLUSTERS:
        raise aborted(
            f"{clusters} clusters are more than the {ondisk.FAT32_CLUSTERS} of FAT32",
            "take larger clusters",
        )
    return _laid_out(wish, 32, size, 32, clusters * 4 + 8)


def _too_few(clusters: int, size: int) -> FatError:
    return aborted(
        f"{clusters} clusters of {size * SECTOR} bytes are too few for FAT32,"
        f" which has more than {ondisk.FAT16_CLUSTERS}",
        "take smaller clusters, FAT16, or a volume of 34 MiB or more",
    )


def _laid_out(wish: Wish, fat_type: int, size: int, reserved: int, fat_bytes: int) -> Layout:
    fats = wish.fats or 1
    fat_sectors = -(-fat_bytes // SECTOR)
    entries = 0 if fat_type == 32 else ROOT_ENTRIES
    system = reserved + fat_sectors * fats + entries * ondisk.ENTRY_SIZE // SECTOR
    if wish.sectors < system + size * LEAST_CLUSTERS:
        raise aborted(
            f"{wish.sectors} sectors are too few: FATs and root take {system},"
            f" and {LEAST_CLUSTERS} clusters of {size} must follow",
            "take smaller clusters, or a larger volume",
        )
    heads, track = wish.geometry or (_HEADS, _TRACK)
    return Layout(
        fat_type=fat_type,
        sectors=wish.sectors,
        sectors_per_cluster=size,
        reserved=reserved,
        fats=fats,
        fat_sectors=fat_sectors,
        root_entries=entries,
        clusters=(wish.sectors - system) // size,
        heads=heads,
        track=track,
    )
