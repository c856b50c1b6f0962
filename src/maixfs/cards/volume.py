"""A FAT volume read without its driver: every file that can still be reached, and why not.

The driver mounts what the firmware mounts and stops where that stops. This reader also takes
volumes that the firmware refuses, so that their files can be named and saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from maixfs.cards.fattable import FatTable
from maixfs.cards.folders import Folder, Item, child, read_folder, runs_of
from maixfs.cards.layout import Layout
from maixfs.errors import DamagedError
from maixfs.fat import ondisk
from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.label import label_text
from maixfs.sd.device import SectorDevice

MOST_ENTRIES = 2_000_000
"""Files and folders that are looked at: more than a card of 128 GiB has in practice."""
_PIECE = 2048
"""Sectors that are read in one go, 1 MiB."""


class Found(NamedTuple):
    """A file or folder with the place where it was found."""

    path: str
    item: Item


class VolumeReader:
    """Files and folders of the volume at sector ``start`` of ``device``; nothing is written."""

    def __init__(self, device: SectorDevice, start: int, layout: Layout) -> None:
        self.device = device
        self.start = start
        self.layout = layout

    @cached_property
    def table(self) -> FatTable:
        """The volume's first FAT, read when it is first asked for; raises ``SectorError``."""
        return FatTable(self.device, self.start, self.layout)

    def folder(self, cluster: int, clusters: int | None = None) -> Folder:
        """Return what the folder at ``cluster`` holds; 0 is the root.

        ``clusters`` is the length of its chain where that is known.
        """
        return read_folder(self._folder_bytes(cluster, clusters), self.layout.fat_type)

    def root_cluster(self) -> int:
        """Return the first cluster of the root; 0 where that lies outside of the clusters."""
        return self.layout.root_cluster

    def walk(self) -> Iterator[Found]:
        """Yield every file and folder, folders before what is in them; loops are cut."""
        seen = {self.root_cluster()}
        waiting = [("/", self.root_cluster())]
        left = MOST_ENTRIES
        while waiting:
            path, cluster = waiting.pop()
            for item in self.folder(cluster).items:
                left -= 1
                if left < 0:
                    raise too_many()
                found = Found(child(path, item.name), item)
                yield found
                if item.is_dir and item.cluster not in seen:
                    seen.add(item.cluster)
                    waiting.append((found.path, item.cluster))

    def label(self) -> str:
        """Return the label in the root, or the boot sector's where there is none."""
        return label_text(self.folder(self.root_cluster()).label or self.layout.label)

    def content(self, item: Item) -> Iterator[bytes]:
        """Yield the bytes of a file; raises ``DamagedError`` where its chain breaks."""
        left = item.size
        clusters = -(-left // self.layout.cluster_size)
        for first, count in self.table.runs(item.cluster, clusters):
            sectors = count * self.layout.cluster_sectors
            place = self.start + self.layout.sector_of(first)
            for offset, length in runs_of(sectors, _PIECE):
                data = self.device.read(place + offset, length)
                yield data if len(data) <= left else data[:left]
                left -= min(len(data), left)
        if left:
            what = f"its cluster chain ends {left} bytes before its size"
            raise fat_error(FResult.INT_ERR, item.name, what)

    def _folder_bytes(self, cluster: int, clusters: int | None) -> bytes:
        layout = self.layout
        if cluster == 0 and layout.fat_type != 32:
            sectors = layout.data_start - layout.root_start
            return self.device.read(self.start + layout.root_start, sectors)
        most = ondisk.MAX_DIRECTORY // layout.cluster_size or 1
        wanted = most if clusters is None else min(clusters, most)
        pieces: list[bytes] = []
        ends: set[int] = set()
        for first, count in self.table.runs(cluster, wanted):
            if first + count in ends:  # a circle
                break
            ends.add(first + count)
            place = self.start + layout.sector_of(first)
            pieces.append(self.device.read(place, count * layout.cluster_sectors))
        return b"".join(pieces)


def too_many() -> DamagedError:
    """Return the error for a volume that has more entries than anybody wants."""
    error = fat_error(
        FResult.INT_ERR, "", f"there are more than {MOST_ENTRIES} files and folders in it"
    )
    assert isinstance(error, DamagedError)
    return error
