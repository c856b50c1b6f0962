"""Layouts of new volumes: those of FatFs R0.13c and of mkfs.fat 4.2 (docs/SPEC.md, section 19).

Both choose the same numbers as their model for each size, down to the cases in which the model
gives up: a card made here must not differ from one that the board or a PC made. ``mkfs``
writes the volume.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from maixfs.fat import ondisk
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SECTORS_PER_CLUSTER = 128
"""64 KiB: the largest cluster that BPB_SecPerClus can express."""


class Request(NamedTuple):
    """What the caller asks of a volume; ``None`` leaves the choice to the plan."""

    sectors: int
    fat_type: int | None = None
    sectors_per_cluster: int | None = None
    fats: int | None = None
    geometry: tuple[int, int] | None = None
    """Heads and sectors per track that the BPB names."""


class Layout(NamedTuple):
    """Positions and sizes in a new volume; sectors are counted from its boot sector."""

    fat_type: int
    sectors: int
    sectors_per_cluster: int
    reserved: int
    fats: int
    fat_sectors: int
    root_entries: int
    clusters: int
    heads: int
    track: int
    """Sectors per track."""
    media: int = 0xF8

    @property
    def root_start(self) -> int:
        """First sector of the root directory."""
        return self.reserved + self.fats * self.fat_sectors

    @property
    def root_sectors(self) -> int:
        """Sectors of the root directory: its first cluster on FAT32."""
        if self.fat_type == 32:
            return self.sectors_per_cluster
        return self.root_entries * ondisk.ENTRY_SIZE // SECTOR


class Style(NamedTuple):
    """Bytes that differ between the two formatters."""

    oem_name: bytes
    type_names: dict[int, bytes]
    """BS_FilSysType by the type of the FAT."""
    fat_heads: dict[int, bytes]
    """First entries of a FAT by its type, without the first byte: that is the media byte."""
    boot: dict[int, tuple[bytes, bytes]]
    """Jump, and boot code with its message, by the type of the FAT."""
    clears_reserved: bool
    """Whether all sectors before the first FAT are filled with zeros."""
    stamps_all: bool
    """Whether the entry of the label has the dates of creation and access too."""


def aborted(what: str, hint: str | None = None) -> FatError:
    """Return the error for a volume that cannot be made (``MKFS_ABORTED``)."""
    return fat_error(FResult.MKFS_ABORTED, "", what, hint=hint)


# As FatFs does it

FATFS = Style(
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
_ROOT_ENTRIES = 512
_LEAST_SECTORS = 22
"""FatFs refuses smaller volumes at once."""
_LEAST_CLUSTERS = 16
"""FatFs refuses a volume with less room for data."""
_HEADS, _TRACK = 255, 63

_STEPS_16 = (1, 4, 16, 64, 256, 512)
"""Sizes in units of 2 MiB from which on FAT12 and FAT16 double their clusters."""
_STEPS_32 = (1, 2, 4, 8, 16, 32)
"""The same for FAT32, in units of 64 MiB."""


def plan_fatfs(request: Request) -> Layout:
    """Return the layout of FatFs for a volume.

    Without a type FAT12 and FAT16 are tried first, then FAT32: FatFs's ``FM_FAT | FM_FAT32``.
    FatFs cannot be asked for FAT12 or FAT16 alone: for a type that it would not choose, this
    takes the cluster size nearest to its choice that gives the type. Raises ``FatError``
    (``MKFS_ABORTED``) if no size does.
    """
    _check_size(request)
    layout = _search_fatfs(request)
    if request.fat_type in (None, layout.fat_type):
        return layout
    others = [] if request.sectors_per_cluster else list(_other_sizes(request, layout))
    if not others:
        raise aborted(
            f"{layout.clusters} clusters make FAT{layout.fat_type}, not FAT{request.fat_type}",
            "another cluster size gives another number of clusters",
        )
    return min(others, key=lambda other: abs(other.clusters - layout.clusters))


def plan_small(request: Request) -> Layout:
    """Return FatFs's FAT12 or FAT16, by the size (``FM_FAT`` alone); raises as ``plan_fatfs``."""
    _check_size(request)
    return _search_fatfs(request._replace(fat_type=16))


def _check_size(request: Request) -> None:
    if request.sectors < _LEAST_SECTORS:
        raise aborted(
            f"{request.sectors} sectors are too few: FAT needs {_LEAST_SECTORS} at least"
        )


def _other_sizes(request: Request, layout: Layout) -> Iterator[Layout]:
    """Yield the layouts of the requested type that other cluster sizes than ``layout``'s give."""
    for power in range(MAX_SECTORS_PER_CLUSTER.bit_length()):
        if 1 << power != layout.sectors_per_cluster:
            with suppress(FatError):
                other = _search_fatfs(request._replace(sectors_per_cluster=1 << power))
                if other.fat_type == request.fat_type:
                    yield other


def _search_fatfs(request: Request) -> Layout:
    """Choose as FatFs does: the usual cluster size, and if that does not fit, one other."""
    if request.fat_type == 32:
        return _layout_32(request)
    size = request.sectors_per_cluster or _usual_size(request.sectors // 0x1000, _STEPS_16)
    layout = _layout_16(request, size)
    if _fits(layout):
        return layout
    # Too many or too few clusters: FatFs doubles their size either way, once. With FAT32 allowed
    # it stops at 32 KiB and goes on to FAT32.
    goes_on = layout.clusters > ondisk.FAT16_CLUSTERS and request.fat_type is None
    largest = MAX_SECTORS_PER_CLUSTER // 2 if goes_on else MAX_SECTORS_PER_CLUSTER
    if not request.sectors_per_cluster and 2 * size <= largest:
        layout = _layout_16(request, 2 * size)
    elif goes_on:
        return _layout_32(request)
    if not _fits(layout):
        raise _misfit_fatfs(layout)
    return layout


def _usual_size(units: int, steps: tuple[int, ...]) -> int:
    """Return the sectors of a cluster for a volume of ``units`` units of size."""
    return 1 << sum(step <= units for step in steps)


def _fits(layout: Layout) -> bool:
    return layout.fat_type == 12 or (
        ondisk.FAT12_CLUSTERS < layout.clusters <= ondisk.FAT16_CLUSTERS
    )


def _misfit_fatfs(layout: Layout) -> FatError:
    if layout.clusters > ondisk.FAT16_CLUSTERS:
        what = f"more than the {ondisk.FAT16_CLUSTERS} of FAT16"
        hint = "take larger clusters, or FAT32"
    else:
        what = "too few for FAT16 and too many for FAT12"
        hint = "take another cluster size"
    return aborted(f"clusters of {_bytes(layout)} bytes make {layout.clusters}: {what}", hint)


def _bytes(layout: Layout) -> int:
    return layout.sectors_per_cluster * SECTOR


def _layout_16(request: Request, size: int) -> Layout:
    """Lay out FAT12 or FAT16.

    FatFs decides the type before it subtracts FATs and root from the volume, so that a volume
    near the border gets FATs of the larger type.
    """
    # All sectors, FATs and root included; FatFs lays them out for this number and counts again at
    # mount.
    clusters = request.sectors // size
    if clusters > ondisk.FAT12_CLUSTERS:
        fat_type, fat_bytes = 16, clusters * 2 + 4
    else:
        fat_type, fat_bytes = 12, (clusters * 3 + 1) // 2 + 3
    return _laid_out(request, fat_type, size, 1, fat_bytes)


def _layout_32(request: Request) -> Layout:
    size = request.sectors_per_cluster or _usual_size(request.sectors // 0x20000, _STEPS_32)
    layout = _attempt_32(request, size)
    # With too few clusters FatFs halves their size, once.
    if layout.clusters <= ondisk.FAT16_CLUSTERS and not request.sectors_per_cluster and size > 1:
        layout = _attempt_32(request, size // 2)
    if layout.clusters <= ondisk.FAT16_CLUSTERS:
        raise _too_few(layout.clusters, size)
    return layout


def _attempt_32(request: Request, size: int) -> Layout:
    clusters = request.sectors // size
    if clusters <= ondisk.FAT16_CLUSTERS:
        raise _too_few(clusters, size)
    if clusters > ondisk.FAT32_CLUSTERS:
        raise aborted(
            f"{clusters} clusters are more than the {ondisk.FAT32_CLUSTERS} of FAT32",
            "take larger clusters",
        )
    return _laid_out(request, 32, size, 32, clusters * 4 + 8)


def _too_few(clusters: int, size: int) -> FatError:
    return aborted(
        f"{clusters} clusters of {size * SECTOR} bytes are too few for FAT32,"
        f" which has more than {ondisk.FAT16_CLUSTERS}",
        "take smaller clusters, FAT16, or a volume of 34 MiB or more",
    )


def _laid_out(request: Request, fat_type: int, size: int, reserved: int, fat_bytes: int) -> Layout:
    # FatFs makes a single FAT: half the writes, and no copy to repair from.
    fats = request.fats or 1
    fat_sectors = -(-fat_bytes // SECTOR)
    entries = 0 if fat_type == 32 else _ROOT_ENTRIES
    system = reserved + fat_sectors * fats + entries * ondisk.ENTRY_SIZE // SECTOR
    if request.sectors < system + size * _LEAST_CLUSTERS:
        raise aborted(
            f"{request.sectors} sectors are too few: FATs and root take {system},"
            f" and {_LEAST_CLUSTERS} clusters of {size} must follow",
            "take smaller clusters, or a larger volume",
        )
    heads, track = request.geometry or (_HEADS, _TRACK)
    return Layout(
        fat_type=fat_type,
        sectors=request.sectors,
        sectors_per_cluster=size,
        reserved=reserved,
        fats=fats,
        fat_sectors=fat_sectors,
        root_entries=entries,
        clusters=(request.sectors - system) // size,
        heads=heads,
        track=track,
    )


# As mkfs.fat does it

_TEXT = (
    b"Nothing to start from here: this is a card for data.  Take it out,\r\n"
    b"then press a key to go on ... \r\n"
)
_TEXT_OFFSET = 29


def _boot_code(offset: int) -> bytes:
    """Return boot code for ``offset`` of the boot sector: it shows a text and waits for a key.

    The 29 bytes of real-mode x86 that formatters have in common: DS := CS, print the text at
    SI with INT 10h, wait with INT 16h, restart with INT 19h.
    """
    text = 0x7C00 + offset + _TEXT_OFFSET
    show = bytes.fromhex("ac22c0740b56b40ebb0700cd105eebf0")
    wait = bytes.fromhex("32e4cd16cd19ebfe")
    return b"\x0e\x1f\xbe" + text.to_bytes(2, "little") + show + wait + _TEXT


_CODE_16, _CODE_32 = 62, 90
"""Where the boot code starts: after the fields of FAT12 and FAT16, and of FAT32."""

DOSFS = Style(
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
    """Numbers of clusters that mkfs.fat allows for a type of FAT.

    It stays away from the borders between the types, because systems draw them differently.
    """

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
    """What mkfs.fat derives from the size of the volume alone."""

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
"""By KiB: volumes of exactly the size of a diskette are laid out as that diskette."""

_GIB = 1 << 21
_SIZES_32 = ((32 * _GIB, 64), (16 * _GIB, 32), (8 * _GIB, 16), (260 << 11, 8), (0, 1))
"""(volume sectors, sectors per cluster) with which FAT32 starts above that volume size.

These are the limits of Microsoft's format command.
"""
_FROM_HERE_32 = _GIB // 2
"""Sectors from which on mkfs.fat takes FAT32 by itself."""
_UNALIGNED = 8192
"""Sectors up to which the areas of a volume are not aligned to clusters."""
_LEAST_DATA = 32
"""KiB that must be left for data."""


def plan_dosfs(request: Request) -> Layout:
    """Return the layout of mkfs.fat for a volume.

    Raises ``FatError`` (``MKFS_ABORTED``) where mkfs.fat finds no layout, and for a FAT32 of so
    few clusters that FatFs would take it for FAT16; there mkfs.fat only warns.
    """
    shape = _shape(request.sectors)
    heads, track = request.geometry or (shape.heads, shape.track)
    fat_type = request.fat_type or (32 if request.sectors >= _FROM_HERE_32 else None)
    if fat_type == 32:
        shape = shape._replace(size=_size_32(request.sectors), root_entries=0)
    # mkfs.fat drops the sectors after the last whole track.
    whole = request._replace(sectors=request.sectors // track * track, fat_type=fat_type)
    layout = _search_dosfs(whole, shape)._replace(heads=heads, track=track)
    data = layout.root_start + layout.root_entries * ondisk.ENTRY_SIZE // SECTOR
    if request.sectors // 2 < (data + 1) // 2 + _LEAST_DATA:
        raise aborted(
            f"{request.sectors} sectors leave less than {_LEAST_DATA} KiB for data",
            "make the volume larger, or its clusters",
        )
    return layout


def _shape(sectors: int) -> _Shape:
    """Return the usual geometry: the SD Association's, or LBA-assisted above 256 MiB."""
    if sectors // 2 in _FLOPPIES:
        return _FLOPPIES[sectors // 2]
    if sectors <= 256 << 11:
        heads = next((h for h, most in ((2, 16), (4, 32), (8, 128)) if sectors <= most << 11), 16)
        return _Shape(heads, 16 if sectors <= 2 << 11 else 32)
    return _Shape(next((h for h in (16, 32, 64, 128) if sectors <= h * 63 * 1024), 255), 63)


def _size_32(sectors: int) -> int:
    return next(size for above, size in _SIZES_32 if sectors > above)


def _search_dosfs(request: Request, shape: _Shape) -> Layout:
    """Double the clusters until a type fits; where two do, take the one with more clusters."""
    size = request.sectors_per_cluster or shape.size
    largest = request.sectors_per_cluster or MAX_SECTORS_PER_CLUSTER
    types = (request.fat_type,) if request.fat_type else (12, 16)
    while size <= largest:
        attempts = [_attempt(request, shape, fat_type, size) for fat_type in types]
        fitting = [layout for layout in attempts if layout]
        if fitting:
            return max(fitting, key=lambda layout: layout.clusters)
        size *= 2
    raise _misfit_dosfs(request)


def _misfit_dosfs(request: Request) -> FatError:
    kind = f"FAT{request.fat_type}" if request.fat_type else "FAT12 or FAT16"
    size = request.sectors_per_cluster
    clusters = f"clusters of {size * SECTOR} bytes" if size else "any size of clusters"
    return aborted(
        f"{request.sectors} sectors cannot be {kind} with {clusters}",
        "FAT12 has up to 4084 clusters, FAT16 4087 to 65524, FAT32 65526 and more",
    )


def _attempt(request: Request, shape: _Shape, fat_type: int, size: int) -> Layout | None:
    """Return the layout with ``size`` sectors per cluster; ``None`` if it has too few or many."""
    limits, fats = _LIMITS[fat_type], request.fats or 2
    # mkfs.fat aligns the areas of larger volumes to clusters, so that no cluster crosses an erase
    # unit of the card.
    unit = size if request.sectors > _UNALIGNED else 1
    reserved = _aligned(32 if fat_type == 32 else 1, unit)
    root = _aligned(-(-shape.root_entries * ondisk.ENTRY_SIZE // SECTOR), unit)
    space = request.sectors - reserved - root
    if space <= 0:
        return None
    # A FAT has two entries more than there are clusters, and each cluster an entry in each FAT.
    # This counts clusters too many by a few; what is left over in the FAT stays unused, as in
    # mkfs.fat.
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
        fat_type, request.sectors, size, reserved, fats, fat_sectors, entries, clusters, 0, 0,
        shape.media,
    )  # fmt: skip


def _aligned(sectors: int, unit: int) -> int:
    return -(-sectors // unit) * unit
