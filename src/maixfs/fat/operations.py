"""Folders, removing, renaming, attributes: what FatFs does and finishes at once."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error, full_error
from maixfs.fat.follow import find_named, find_slot, follow, shown
from maixfs.fat.names import split_path
from maixfs.fat.ondisk import DIR_ENTRY, ENTRY_SIZE, Attribute
from maixfs.fat.register import register

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.follow import Path, Place
    from maixfs.fat.slots import Item
    from maixfs.fat.volume import Volume

_DIRECTORY = int(Attribute.DIRECTORY)
_READ_ONLY = int(Attribute.READ_ONLY)
_ARCHIVE = int(Attribute.ARCHIVE)
_SETTABLE = int(Attribute.READ_ONLY | Attribute.HIDDEN | Attribute.SYSTEM | Attribute.ARCHIVE)
_NEW_FOLDER = struct.Struct("<7xHHHHI")
"""An entry from DIR_CrtTimeTenth on: cluster and time of writing, no time of creation."""
_DEPTH = 4096
"""Folders above one another at most where a walk goes up; a longer way is a circle."""


def make_folder(volume: Volume, path: Path) -> None:
    """Make an empty folder (f_mkdir).

    Raises ``EXIST``, ``NO_PATH``, ``INVALID_NAME``, ``DENIED`` when the volume or the folder
    above is full, ``INT_ERR``, ``WRITE_PROTECTED``.
    """
    volume.check_writable()
    place = follow(volume, path)
    if place.item is not None or place.name is None:
        raise fat_error(FResult.EXIST, shown(path))
    runs = volume.allocator.start(1)
    if not runs:
        raise full_error(shown(path), "no free cluster for the folder")
    cluster = runs[0][0]
    rest = _folder_fields(volume, cluster)
    try:
        _lay_out(volume, cluster, place.directory.cluster, rest)
        register(place.directory, place.name, _DIRECTORY, rest)
    except BaseException:
        volume.forget_directory(cluster)
        volume.allocator.free_chain(cluster)
        raise
    volume.flush()


def _folder_fields(volume: Volume, cluster: int) -> bytes:
    date, time = volume.clock()
    return _fields_of(volume, cluster, date, time)


def _fields_of(volume: Volume, cluster: int, date: int, time: int) -> bytes:
    high = cluster >> 16 if volume.wide else 0
    return _NEW_FOLDER.pack(high, time, date, cluster & 0xFFFF, 0)


def _lay_out(volume: Volume, cluster: int, parent: int, rest: bytes) -> None:
    """Fill the new folder's cluster: zeros, and the two dot entries.

    Raises ``INT_ERR`` for the root's cluster, which a damaged FAT may say is free.
    """
    if cluster == volume.geometry.root_cluster:
        raise fat_error(
            FResult.INT_ERR, "the root", f"the FAT says that cluster {cluster} is free"
        )
    volume.forget_directory(cluster)
    directory = volume.directory(cluster)
    directory.add_cluster()
    date, time = int.from_bytes(rest[11:13], "little"), int.from_bytes(rest[9:11], "little")
    up = _fields_of(volume, parent, date, time)
    for slot, (dots, fields) in enumerate(((b".", rest), (b"..", up))):
        directory.write(slot, 0, dots.ljust(11) + bytes((_DIRECTORY, 0)) + fields)


def remove(volume: Volume, path: Path) -> None:
    """Remove a file or an empty folder (f_unlink).

    A file that is open lives on for those who have it open. Raises ``NO_FILE``, ``NO_PATH``,
    ``INVALID_NAME`` for the root and dots, ``DENIED`` for what is read-only, not empty or the
    current directory, ``WRITE_PROTECTED``; ``INT_ERR`` for a damaged chain, whose entry is
    gone then all the same.
    """
    volume.check_writable()
    _remove(volume, *find_named(volume, path), path)


def remove_slot(volume: Volume, folder: int, slot: int) -> None:
    """Remove the file or empty folder in ``slot`` of a folder; see ``remove``."""
    volume.check_writable()
    directory, item = find_slot(volume, folder, slot)
    _remove(volume, directory, item, directory.entry(item).name)


def _remove(volume: Volume, directory: Directory, item: Item, path: Path) -> None:
    entry = directory.entry(item)
    if entry.attributes & _READ_ONLY:
        raise fat_error(FResult.DENIED, shown(path), "this is read-only")
    if entry.is_dir:
        _check_empty(volume, entry.cluster, path)
    directory.remove(item)
    try:
        if item.node is not None:
            item.node.orphan()
        elif entry.cluster:
            if entry.is_dir:
                volume.forget_directory(entry.cluster)
            volume.allocator.free_chain(entry.cluster)
    finally:
        volume.flush()


def _check_empty(volume: Volume, cluster: int, path: Path) -> None:
    if cluster == volume.cwd:
        raise fat_error(FResult.DENIED, shown(path), "this is the current directory")
    if next(volume.directory(cluster).list_items(), None) is not None:
        raise fat_error(
            FResult.DENIED, shown(path), "the folder is not empty", errno=errno.ENOTEMPTY
        )


def rename(volume: Volume, old: Path, new: Path, *, guarded: bool = True) -> None:
    """Give a file or folder another name or place (f_rename).

    Open files follow it. Not ``guarded``, the entry stays as it was on the card, and they have
    no name from then on (``FatFile.lose_name``).

    ``new`` must not exist, but may be the same name in other letters. Raises ``NO_FILE``,
    ``NO_PATH``, ``INVALID_NAME``, ``EXIST``, ``DENIED`` without room in the folder,
    ``WRITE_PROTECTED``; if ``guarded``, ``INVALID_PARAMETER`` for a folder that would come to
    lie in itself, which FatFs does, and loses it.
    """
    volume.check_writable()
    _rename(volume, *find_named(volume, old), new, guarded=guarded)


def rename_slot(volume: Volume, folder: int, slot: int, new: Path) -> None:
    """Rename or move the entry in ``slot`` of a folder; see ``rename``."""
    volume.check_writable()
    _rename(volume, *find_slot(volume, folder, slot), new, guarded=True)


def _rename(volume: Volume, directory: Directory, item: Item, new: Path, *, guarded: bool) -> None:
    directory.pins += 1  # whatever the other path leads through
    try:
        place = follow(volume, new)
        if place.name is None or (place.item is not None and place.item is not item):
            at_start = not split_path(new).names and place.directory is directory
            raise fat_error(_taken(item, at_start=at_start), shown(new))
        if guarded and directory.is_folder(item) and place.directory is not directory:
            _check_outside(volume, directory.first_cluster(item), place.directory.cluster, new)
        if not guarded and item.node is not None:
            volume.lose_name(item.node)
        _move(volume, directory, item, place)
    finally:
        directory.pins -= 1
    volume.flush()


def _taken(item: Item, *, at_start: bool) -> FResult:
    """Return the error for a target that is there, or is the folder of ``item`` itself."""
    if at_start and item.slot == 0:
        return FResult.INVALID_NAME  # FatFs takes the first slot for the same entry
    return FResult.EXIST


def _move(volume: Volume, directory: Directory, item: Item, place: Place) -> None:
    """Write the new entry, let the folder know what is above it, remove the old entry."""
    attributes = directory.attributes(item)
    folder = None
    if attributes & _DIRECTORY:
        if place.directory is not directory:
            folder = volume.directory(directory.first_cluster(item))
            folder.load(2)
    else:
        attributes |= _ARCHIVE
    at = item.slot * ENTRY_SIZE
    rest = bytes(directory.data[at + 13 : at + ENTRY_SIZE])
    made = register(place.directory, place.name, attributes, rest)
    if folder is not None and folder.data[ENTRY_SIZE + 1] == ord("."):
        _point_up(volume, folder, place.directory.cluster)
    if item.node is not None:
        item.node.move(place.directory, made)
    directory.remove(item)


def _point_up(volume: Volume, folder: Directory, parent: int) -> None:
    """Let the second slot of a folder say what is above it now."""
    if volume.wide:
        folder.write(1, 20, (parent >> 16).to_bytes(2, "little"))
    folder.write(1, 26, (parent & 0xFFFF).to_bytes(2, "little"))


def _check_outside(volume: Volume, cluster: int, target: int, new: Path) -> None:
    """Raise if the folder at ``target`` is the one at ``cluster``, or lies in it."""
    for _ in range(_DEPTH):
        if target == cluster:
            raise fat_error(
                FResult.INVALID_PARAMETER, shown(new), "a folder cannot be moved into itself"
            )
        if target == 0:
            return
        target = parent_of(volume, target)
    raise fat_error(FResult.INT_ERR, shown(new), "the folders above it form a circle")


def parent_of(volume: Volume, cluster: int) -> int:
    """Return what the second slot of a folder says is above it."""
    directory = volume.directory(cluster)
    directory.load(2)
    fields = DIR_ENTRY.unpack_from(directory.data, ENTRY_SIZE)
    return int(fields[7] << 16 | fields[10] if volume.wide else fields[10])


def set_attributes(volume: Volume, path: Path, value: int, mask: int) -> None:
    """Set the attributes in ``mask`` to those of ``value`` (f_chmod)."""
    volume.check_writable()
    directory, item = find_named(volume, path)
    mask &= _SETTABLE
    attributes = value & mask | directory.attributes(item) & ~mask
    directory.write(item.slot, 11, bytes((attributes,)))
    volume.flush()


def set_times(
    volume: Volume,
    path: Path,
    modified: tuple[int, int] | None,
    created: tuple[int, int] | None,
    accessed: int | None,
) -> None:
    """Set times of an entry: pairs of date and time, and the date of access (f_utime)."""
    volume.check_writable()
    directory, item = find_named(volume, path)
    for at, pair in ((22, modified), (14, created)):
        if pair is not None:
            date, time = pair
            directory.write(item.slot, at, struct.pack("<HH", time, date))
    if accessed is not None:
        directory.write(item.slot, 18, struct.pack("<H", accessed))
    volume.flush()


def change_directory(volume: Volume, path: Path) -> None:
    """Make a folder the current one (f_chdir); raises ``NO_PATH``."""
    volume.check_mounted()
    place = follow(volume, path)
    volume.folders.clear()
    if place.name is None:
        volume.cwd = place.directory.cluster
        return
    if place.item is None or not place.directory.is_folder(place.item):
        raise fat_error(FResult.NO_PATH, shown(path))
    volume.cwd = place.directory.first_cluster(place.item)


def current_directory(volume: Volume, most: int | None = None) -> bytes:
    """Return the path of the current directory, going up by the dot entries (f_getcwd).

    Raises ``INT_ERR`` where they lead nowhere, ``NOT_ENOUGH_CORE`` beyond ``most`` bytes.
    """
    volume.check_mounted()
    names: list[bytes] = []
    cluster, room = volume.cwd, most
    while cluster:
        parent = parent_of(volume, cluster)
        name = _name_in(volume, parent, cluster)
        if room is not None:
            room -= len(name) + 1
        if (room is not None and room < 0) or len(names) > _DEPTH:
            raise fat_error(FResult.NOT_ENOUGH_CORE)
        names.append(name)
        cluster = parent
    return b"/" + b"/".join(reversed(names))


def _name_in(volume: Volume, parent: int, cluster: int) -> bytes:
    directory = volume.directory(parent)
    for item in directory.list_items():
        entry = directory.entry(item)
        if entry.cluster == cluster:
            return entry.oem_name
    raise fat_error(
        FResult.INT_ERR, f"the folder at cluster {cluster:#x}", "the one above does not have it"
    )


def check_all_written(about: str, written: int, wanted: int) -> None:
    """Raise ``DENIED`` if fewer bytes were written than were wanted."""
    if written < wanted:
        raise full_error(about, f"only {written} of {wanted} bytes fitted")
