"""Which sectors of a card are in use: everything but the free clusters of FAT volumes."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.cards.bootsector import find_readable
from maixfs.cards.extents import Extent, free_extents, without
from maixfs.cards.fattable import FatTable
from maixfs.cards.places import read_table
from maixfs.sd.device import SectorDevice


def used_extents(device: SectorDevice) -> Iterator[Extent]:
    """Yield the extents of a card without what lies in free clusters.

    What is in no volume that can be read counts as used. Raises ``SectorError``.
    """
    gaps: list[Extent] = []
    for place in read_table(device).places:
        volume = None if place.extended else find_readable(device, place.start)
        if volume is None or volume.change:
            continue
        end = place.start + min(volume.layout.sectors, device.sectors - place.start)
        table = FatTable(device, place.start, volume.layout)
        for start, length in free_extents(table, place.start):
            if start < end:
                gaps.append((start, min(length, end - start)))
    yield from without(0, device.sectors, gaps)
