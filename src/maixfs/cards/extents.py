"""Which sectors of a card have to be copied, and copying them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from maixfs.fat.chains import FatArray
from maixfs.host.files import HostFile
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay
from maixfs.sd.partitions import read_partitions

if TYPE_CHECKING:
    from maixfs.host.drafts import Progress

Extent: TypeAlias = tuple[int, int]
"""First sector and number of sectors."""
PIECE = 2048
"""Sectors that are copied at once, 1 MiB."""
_GAP = 2048
"""Shortest run of free sectors that is skipped; shorter ones are copied along."""


def data_extents(device: SectorDevice, start: int, sectors: int) -> Iterator[Extent]:
    """Yield the extents that are not holes in the host's file; all where holes are not known."""
    if isinstance(device, Overlay):
        end = start + sectors
        # What the overlay holds may lie in a hole of the file below.
        known = [*data_extents(device.below, start, sectors), *device.runs()]
        yield from without(start, end, [*without(start, end, known)])
        return
    if not isinstance(device, FileSectors):
        yield start, sectors
        return
    file = HostFile(device.path)
    try:
        for first, end in file.data_extents(start * SECTOR, (start + sectors) * SECTOR):
            # Holes end at the blocks of the host's file system, which may cut a sector: it counts
            # as data.
            low = first // SECTOR
            yield low, -(-end // SECTOR) - low
    finally:
        file.close()


def free_extents(table: FatArray, volume_start: int) -> Iterator[Extent]:
    """Yield the extents of free clusters of a volume, in sectors of the card."""
    import numpy as np

    geometry = table.geometry
    free = np.zeros(len(table.table) - 1, np.int8)  # from cluster 2 on, and one after the last
    free[:-1] = table.table[2:] == 0
    edges = np.flatnonzero(np.diff(free, prepend=np.int8(0)))
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        length = (end - first) * geometry.sectors_per_cluster
        # Each run is a read of its own: below 1 MiB reading on is faster than to seek.
        if length >= _GAP:
            yield volume_start + geometry.sector_of(first + 2), length


def without(start: int, end: int, gaps: Iterable[Extent]) -> Iterator[Extent]:
    """Yield the extents from ``start`` to ``end`` between the ``gaps``."""
    at = start
    for first, length in sorted(gaps):
        if first > at:
            yield at, min(first, end) - at
        at = max(at, first + length)
        if at >= end:
            return
    if at < end:
        yield at, end - at


def pieces_of(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Cut extents into pieces of at most ``PIECE`` sectors."""
    for start, length in extents:
        for offset in range(0, length, PIECE):
            yield start + offset, min(PIECE, length - offset)


def copy_extents(
    source: SectorDevice,
    destination: SectorDevice,
    extents: Iterable[Extent],
    *,
    shift: int = 0,
    progress: Progress | None = None,
    total: int = 0,
) -> None:
    """Copy extents to a blank destination, ``shift`` sectors further on; zeros stay holes.

    ``progress`` is called with the bytes done, out of ``total``.
    """
    buffer = memoryview(bytearray(PIECE * SECTOR))
    done = 0
    for sector, count in pieces_of(extents):
        view = buffer[: count * SECTOR]
        source.readinto(sector, view)
        if any_data(view):
            destination.write(sector + shift, view)
        done += len(view)
        if progress is not None:
            progress("copy", done, max(total, done))


def any_data(view: memoryview) -> bool:
    """Return True if a byte is not zero."""
    import numpy as np

    return bool(np.frombuffer(view, np.uint64).any())


def used_extents(device: SectorDevice) -> Iterator[Extent]:
    """Yield the extents of a card without free clusters.

    Sectors outside of readable volumes count as used. Raises ``SectorError``.
    """
    from maixfs.cards.plan import find_readable

    gaps: list[Extent] = []
    for place in read_partitions(device).partitions:
        volume = None if place.extended else find_readable(device, place.start)
        # Without a sound boot sector nothing says which clusters are free: all of it is copied.
        if volume is None or volume.change:
            continue
        end = place.start + min(volume.geometry.total_sectors, device.sectors - place.start)
        table = FatArray(device, place.start, volume.geometry)
        for start, length in free_extents(table, place.start):
            if start < end:
                gaps.append((start, min(length, end - start)))
    yield from without(0, device.sectors, gaps)
