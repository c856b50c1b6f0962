"""Folders as an examiner reads them: files, label, and parts of names that belong to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.entries import Slot, SlotKind, examine_slots, first_cluster

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
    """Entries of long names that no short one follows."""
    dot: int | None
    """Cluster in the entry ``.``, ``None`` where the first entry is another."""
    dotdot: int | None
    """Cluster in the entry ``..``, ``None`` where the second entry is another."""


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


def runs_of(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut ``total`` into (start, length) pieces of at most ``most``."""
    for start in range(0, total, most):
        yield start, min(most, total - start)
