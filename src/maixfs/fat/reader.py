"""A FAT volume read leniently: every file that can still be reached, and why others cannot.

The driver mounts what the firmware mounts and stops at damage. This reader goes on, and takes
volumes that the firmware refuses, so that their files can be named and saved. Nothing is written.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from maixfs.fat import ondisk
from maixfs.fat.chains import FatArray, PagedChains
from maixfs.fat.entries import Slot, SlotKind, examine_slots, first_cluster
from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.label import label_text
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.chains import Chains
    from maixfs.fat.geometry import FatGeometry
    from maixfs.sd.device import SectorDevice

MOST_ENTRIES = 2_000_000
"""Files and folders that are read at most; a card of 128 GiB has fewer in practice."""
_PIECE = 2048
"""Sectors that are read at once, 1 MiB."""

# Plain numbers: arithmetic on flags takes ten times as long, and every entry needs it.
_DIRECTORY = int(ondisk.Attribute.DIRECTORY)
_DOT = b".          "
_DOTDOT = b"..         "


class Item(NamedTuple):
    """A file or folder in a directory."""

    slot: int
    """Index of its short entry in the directory."""
    name: str
    """Its long name, or the short one in the case that its bits say."""
    short: bytes
    attributes: int
    size: int
    cluster: int
    times: tuple[int, int, int, int, int, int]
    """Write date and time, creation date, time and hundredths, date of the last access."""
    long_broken: bool = False
    """Whether the long name before it is damaged, so that only the short one counts."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self.attributes & _DIRECTORY)


class Folder(NamedTuple):
    """Contents of a directory."""

    items: list[Item]
    label: bytes | None
    """The volume's label, in the root."""
    orphans: int
    """Parts of long names that no short entry follows."""
    dot: int | None
    """Cluster in the entry ``.``; ``None`` where the first entry is another one."""
    dotdot: int | None
    """Cluster in the entry ``..``; ``None`` where the second entry is another one."""


def read_folder(data: bytes, fat_type: int) -> Folder:
    """Return the contents of a directory; never raises."""
    wide = fat_type == 32
    items: list[Item] = []
    label: bytes | None = None
    orphans = 0
    dots: list[int | None] = [None, None]
    for slot in examine_slots(data, parts=False):
        kind, raw = slot.kind, slot.raw
        if kind is SlotKind.FREE:
            break
        if kind is SlotKind.SHORT:
            items.append(_item(slot, wide=wide))
        elif kind is SlotKind.ORPHAN:
            orphans += 1
        elif kind is SlotKind.LABEL and label is None:
            label = raw[: ondisk.NAME_LENGTH]
    for at, name in enumerate((_DOT, _DOTDOT)):
        start = at * ondisk.ENTRY_SIZE
        if data[start : start + ondisk.NAME_LENGTH] == name:
            dots[at] = first_cluster(data, start, wide=wide)
    return Folder(items, label, orphans, *dots)


def _item(slot: Slot, *, wide: bool) -> Item:
    # Unpacked at once: reading field by field takes twice as long, and cards have many files.
    (
        short, attributes, _, tenths, create_time, create_date, access_date, high,
        write_time, write_date, low, size,
    ) = slot.entry  # fmt: skip
    return Item(
        slot.number,
        slot.name,
        short,
        attributes & ondisk.ATTR_LONG_NAME_MASK,
        size,
        high << 16 | low if wide else low,
        (write_date, write_time, create_date, create_time, tenths, access_date),
        slot.is_long_broken,
    )


def child(path: str, name: str) -> str:
    """Return the path of ``name`` in the folder ``path``."""
    return f"{path.rstrip('/')}/{name}"


class Found(NamedTuple):
    """A file or folder with the place where it was found."""

    path: str
    item: Item


class FatReader:
    """Files and folders of the volume at sector ``start`` of ``device``.

    ``geometry`` is one of ``decode_geometry``: FatFs need not accept it. With ``paged`` only the
    pages of the FAT that chains lead to are read, not all of it at once.
    """

    def __init__(
        self, device: SectorDevice, start: int, geometry: FatGeometry, *, paged: bool = False
    ) -> None:
        self.device = device
        self.start = start
        self.geometry = geometry
        self._paged = PagedChains(device, start, geometry) if paged else None

    @cached_property
    def table(self) -> FatArray:
        """The volume's first FAT, read when it is first used; raises ``SectorError``."""
        return FatArray(self.device, self.start, self.geometry)

    @property
    def chains(self) -> Chains:
        """What follows the chains of files and folders."""
        return self._paged or self.table

    def folder(self, cluster: int, clusters: int | None = None) -> Folder:
        """Return the contents of the folder at ``cluster``; 0 is the root of FAT12 and FAT16.

        ``clusters`` is the length of its chain where that is known. Raises ``SectorError``, or
        ``FatError`` where pages of the FAT cannot be read.
        """
        return read_folder(self._folder_bytes(cluster, clusters), self.geometry.fat_type)

    def walk(self) -> Iterator[Found]:
        """Yield every file and folder, each folder before its contents; loops are cut."""
        seen = {self.geometry.root_cluster}
        waiting = [("/", self.geometry.root_cluster)]
        left = MOST_ENTRIES
        while waiting:
            path, cluster = waiting.pop()
            for item in self.folder(cluster).items:
                left -= 1
                if left < 0:
                    what = f"there are more than {MOST_ENTRIES} files and folders in it"
                    raise fat_error(FResult.INT_ERR, "", what)
                found = Found(child(path, item.name), item)
                yield found
                if item.is_dir and item.cluster not in seen:
                    seen.add(item.cluster)
                    waiting.append((found.path, item.cluster))

    def label(self) -> str:
        """Return the label in the root, or without one that in the boot sector."""
        label = self.folder(self.geometry.root_cluster).label
        return label_text(label or self.geometry.label.encode("cp437").ljust(11))

    def content(self, item: Item) -> Iterator[bytes]:
        """Yield the bytes of a file; raises ``DamagedError`` where its chain breaks."""
        left = item.size
        geometry = self.geometry
        clusters = -(-left // geometry.cluster_size)
        for first, count in self.chains.runs(item.cluster, clusters):
            sectors = count * geometry.sectors_per_cluster
            place = self.start + geometry.sector_of(first)
            for offset in range(0, sectors, _PIECE):
                data = self.device.read(place + offset, min(_PIECE, sectors - offset))
                yield data if len(data) <= left else data[:left]
                left -= min(len(data), left)
        if left:
            what = f"its cluster chain ends {left} bytes before its size"
            raise fat_error(FResult.INT_ERR, item.name, what)

    def _folder_bytes(self, cluster: int, clusters: int | None) -> bytes:
        geometry = self.geometry
        if cluster == 0 and geometry.fat_type != 32:
            return self.device.read(self.start + geometry.root_start, geometry.root_sectors)
        most = ondisk.MAX_DIRECTORY // geometry.cluster_size or 1
        wanted = most if clusters is None else min(clusters, most)
        pieces: list[bytes] = []
        ends: set[int] = set()
        for first, count in self.chains.runs(cluster, wanted):
            if first + count in ends:  # a loop
                break
            ends.add(first + count)
            place = self.start + geometry.sector_of(first)
            pieces.append(self.device.read(place, count * geometry.sectors_per_cluster))
        return b"".join(pieces)
