"""Opening a file, with FatFs's checks in FatFs's order."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.file import FatFile
from maixfs.fat.follow import Place, find_slot, follow, shown
from maixfs.fat.node import Node
from maixfs.fat.ondisk import Attribute
from maixfs.fat.openflag import OpenFlag
from maixfs.fat.register import register

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.follow import Path
    from maixfs.fat.slots import Item
    from maixfs.fat.volume import Volume

# Plain numbers: arithmetic on IntFlag costs more than the rest of an open.
_READ = int(OpenFlag.READ)
_WRITE = int(OpenFlag.WRITE)
_CREATE_NEW = int(OpenFlag.CREATE_NEW)
_CREATE_ALWAYS = int(OpenFlag.CREATE_ALWAYS)
_CREATING = _CREATE_ALWAYS | int(OpenFlag.OPEN_ALWAYS) | _CREATE_NEW
_AT_END = int(OpenFlag.APPEND) & ~int(OpenFlag.OPEN_ALWAYS)
_CHANGING = _CREATING | _WRITE | _AT_END
_DIRECTORY = int(Attribute.DIRECTORY)
_READ_ONLY = int(Attribute.READ_ONLY)
_ARCHIVE = int(Attribute.ARCHIVE)
_NEW_FILE = struct.Struct("<BHH14x")
"""An entry from DIR_CrtTimeTenth on, with its creation time and no cluster."""
_TIMES = struct.Struct("<HH")


def open_file(volume: Volume, path: Path, flags: int) -> FatFile:
    """Open or create a file; nothing goes to the card before its first ``sync``.

    Raises ``NO_FILE`` for what is missing and for a folder, ``NO_PATH``, ``INVALID_NAME``,
    ``DENIED`` for a read-only file, a folder to be written, or no room in the folder, ``EXIST``
    with CREATE_NEW, ``WRITE_PROTECTED``, ``INT_ERR``, ``DISK_ERR``.
    """
    if flags & _CHANGING:
        volume.check_writable()
    else:
        volume.check_mounted()
    place = follow(volume, path)
    if place.name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no file")
    if flags & _CREATING:
        item, made = _create(volume, place, path, flags)
    else:
        item, made = _existing(place, path, flags), False
    return _opened(volume, place.directory, item, flags, shown(path), made=made)


def open_slot(volume: Volume, folder: int, slot: int, flags: int) -> FatFile:
    """Open the file whose short entry is ``slot`` of the folder at cluster ``folder``."""
    if flags & _CHANGING:
        volume.check_writable()
    else:
        volume.check_mounted()
    directory, item = find_slot(volume, folder, slot)
    name = directory.entry(item).name
    place = Place(directory, item, None)
    item, made = (
        _create(volume, place, name, flags)
        if flags & _CREATING
        else (_existing(place, name, flags), False)
    )
    return _opened(volume, directory, item, flags, name, made=made)


def _opened(
    volume: Volume, directory: Directory, item: Item, flags: int, name: str, *, made: bool
) -> FatFile:
    first, size = directory.extent(item)
    node = item.node or Node(volume, directory, item, first, size)
    file = FatFile(node, flags, size, name, modified=made)
    if flags & _AT_END and file.size:
        file.seek(file.size)
    return file


def _existing(place: Place, path: Path, flags: int) -> Item:
    item = place.item
    if item is None:
        raise fat_error(FResult.NO_FILE, shown(path))
    attributes = place.directory.attributes(item)
    if attributes & _DIRECTORY:
        raise fat_error(FResult.NO_FILE, shown(path), "this is a folder")
    if flags & _WRITE and attributes & _READ_ONLY:
        raise fat_error(FResult.DENIED, shown(path), "the file is read-only")
    return item


def _create(volume: Volume, place: Place, path: Path, flags: int) -> tuple[Item, bool]:
    """Return the entry to open, and whether it is new or was emptied."""
    item = place.item
    if item is None:
        date, time = volume.clock()
        rest = _NEW_FILE.pack(0, time, date)
        return register(place.directory, place.name, _ARCHIVE, rest), True
    attributes = place.directory.attributes(item)
    if attributes & (_READ_ONLY | _DIRECTORY):
        what = "this is a folder" if attributes & _DIRECTORY else "the file is read-only"
        raise fat_error(FResult.DENIED, shown(path), what)
    if flags & _CREATE_NEW:
        raise fat_error(FResult.EXIST, shown(path))
    if flags & _CREATE_ALWAYS:
        _empty(volume, place.directory, item)
        return item, True
    return item, False


def _empty(volume: Volume, directory: Directory, item: Item) -> None:
    """Take size, clusters and attributes from a file; the hole is where allocation goes on."""
    first = directory.first_cluster(item)
    date, time = volume.clock()
    directory.write(item.slot, 11, bytes((_ARCHIVE,)))
    directory.write(item.slot, 14, _TIMES.pack(time, date))
    if volume.wide:
        directory.write(item.slot, 20, bytes(2))
    directory.write(item.slot, 26, bytes(6))
    if first:
        if item.node is None:
            volume.allocator.free_chain(first)
        else:
            item.node.empty()
        volume.space.last = first - 1
