"""Entries of a FAT directory as a looker-on sees them, with what is wrong about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.names import read_long, short_text

# Plain numbers: arithmetic on flags takes ten times as long, and every entry needs it.
_DIRECTORY = int(ondisk.Attribute.DIRECTORY)
_VOLUME_ID = int(ondisk.Attribute.VOLUME_ID)
_NOT_ARCHIVE = ~int(ondisk.Attribute.ARCHIVE)
_DOT = b".          "
_DOTDOT = b"..         "


class Item(NamedTuple):
    """A file or folder in a directory."""

    slot: int
    """Which entry of its directory the short one is."""
    name: str
    """Its long name, or the short one in the case that its bits say."""
    short: bytes
    attributes: int
    size: int
    cluster: int
    times: tuple[int, int, int, int, int, int]
    """Write date and time, creation date, time and hundredths, date of the last access."""
    long_broken: bool = False
    """Whether the entries of a long name before it are no good, so only the short one counts."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self.attributes & _DIRECTORY)


class Folder(NamedTuple):
    """What a directory holds."""

    items: list[Item]
    label: bytes | None
    """The volume's label, in the root."""
    orphans: int
    """Entries of long names that no short one follows."""
    dot: int | None
    """Cluster in the entry ``.``, ``None`` where the first entry is another."""
    dotdot: int | None
    """Cluster in the entry ``..``, ``None`` where the second entry is another."""


def read_folder(data: bytes, fat_type: int) -> Folder:
    """Return what the bytes of a directory say."""
    reader = _Reader(fat_type)
    for slot, start in enumerate(range(0, len(data), ondisk.ENTRY_SIZE)):
        if data[start] == ondisk.ENTRY_END:
            break
        reader.take(slot, data[start : start + ondisk.ENTRY_SIZE])
    reader.drop_long()
    dot, dotdot = (_dot_cluster(data, at, fat_type) for at in (0, 1))
    return Folder(reader.items, reader.label, reader.orphans, dot, dotdot)


class _Reader:
    """Takes entry after entry, and joins the parts of long names."""

    def __init__(self, fat_type: int) -> None:
        self.items: list[Item] = []
        self.label: bytes | None = None
        self.orphans = 0
        self._fat_type = fat_type
        self._long: list[bytes] = []

    def take(self, slot: int, raw: bytes) -> None:
        attributes = raw[11] & ondisk.ATTR_LONG_NAME_MASK
        if raw[0] == ondisk.ENTRY_FREE:
            self.drop_long()
        elif attributes == ondisk.ATTR_LONG_NAME:
            if raw[0] & ondisk.LAST_LONG_ENTRY:
                self.drop_long()
            self._long.append(raw)
        elif attributes & _NOT_ARCHIVE == _VOLUME_ID:
            self.drop_long()
            self.label = raw[:11] if self.label is None else self.label
        elif raw[:1] == b".":  # FatFs passes over all of these
            self.drop_long()
        else:
            self.items.append(self._item(slot, raw))
            self._long.clear()

    def drop_long(self) -> None:
        """Count the parts of a long name that belong to nothing."""
        self.orphans += len(self._long)
        self._long.clear()

    def _item(self, slot: int, raw: bytes) -> Item:
        entry = ondisk.DirEntry.unpack(raw)
        long = read_long(b"".join(self._long), entry.DIR_Name) if self._long else None
        return Item(
            slot,
            long or short_text(entry.DIR_Name, entry.DIR_NTRes),
            entry.DIR_Name,
            entry.DIR_Attr & ondisk.ATTR_LONG_NAME_MASK,
            entry.DIR_FileSize,
            _cluster_of(entry, self._fat_type),
            (
                entry.DIR_WrtDate, entry.DIR_WrtTime,
                entry.DIR_CrtDate, entry.DIR_CrtTime, entry.DIR_CrtTimeTenth,
                entry.DIR_LstAccDate,
            ),
            bool(self._long) and long is None,
        )  # fmt: skip


def _cluster_of(entry: ondisk.DirEntry, fat_type: int) -> int:
    high = entry.DIR_FstClusHI << 16 if fat_type == 32 else 0
    return high | entry.DIR_FstClusLO


def _dot_cluster(data: bytes, index: int, fat_type: int) -> int | None:
    raw = data[index * ondisk.ENTRY_SIZE : (index + 1) * ondisk.ENTRY_SIZE]
    if raw[:11] != (_DOT, _DOTDOT)[index]:
        return None
    return _cluster_of(ondisk.DirEntry.unpack(raw), fat_type)


def child(path: str, name: str) -> str:
    """Return the path of ``name`` in the folder ``path``."""
    return f"{path.rstrip('/')}/{name}"


def runs_of(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut ``total`` into (start, length) pieces of at most ``most``."""
    for start in range(0, total, most):
        yield start, min(most, total - start)
