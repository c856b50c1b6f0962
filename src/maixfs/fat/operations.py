"""What is done with paths: finding, opening, making, removing, renaming; whole trees.

A path is followed component by component, as FatFs follows it. Each operation that changes
something ends with ``writer.flush()``, where FatFs calls sync_fs.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maixfs.fat.codepage import oem_to_unicode
from maixfs.fat.errors import FatError, FResult, fat_error, full_error
from maixfs.fat.file import CHANGING, lose_name, open_found
from maixfs.fat.names import make_name, path_text, split_path
from maixfs.fat.ondisk import (
    ACCESSED,
    AFTER_NT,
    ATTRIBUTES,
    CREATED,
    ENTRY_SIZE,
    NAME_LENGTH,
    WRITTEN,
    Attribute,
)
from maixfs.sd.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.fat.directory import Directory, Tree
    from maixfs.fat.entries import FatEntry, Item
    from maixfs.fat.file import FatFile
    from maixfs.fat.names import NewName

Path = bytes | str

_DIRECTORY = int(Attribute.DIRECTORY)
_READ_ONLY = int(Attribute.READ_ONLY)
_ARCHIVE = int(Attribute.ARCHIVE)
_SETTABLE = int(Attribute.READ_ONLY | Attribute.HIDDEN | Attribute.SYSTEM | Attribute.ARCHIVE)
_new_tuple = tuple.__new__  # half the cost of the constructor, in every open and stat
_DEPTH = 4096
"""Most folders above one another where a walk goes up; a longer way is a circle."""


class Place(NamedTuple):
    """Where a path ended.

    ``item`` is the entry, ``None`` if ``directory`` does not contain the name. Both ``item`` and
    ``name`` are ``None`` if the path is ``/`` or empty, or ends in dots at the root.
    """

    directory: Directory
    item: Item | None
    name: NewName | None

    @property
    def has_no_name(self) -> bool:
        """Whether the path ends in dots or names the place where it starts."""
        return self.name is None or self.name.dot


def checked(path: Path) -> bytes:
    """Return a path that is no ``str``; raises ``TypeError`` unless it is ``bytes``."""
    if not isinstance(path, bytes):
        raise TypeError(f"a path is bytes or str, not {type(path).__name__}")
    return path


def is_root(path: Path) -> bool:
    """Return True for a path of separators alone, and for the empty one."""
    return not (path.strip("/\\") if isinstance(path, str) else checked(path).strip(b"/\\"))


def shown(path: Path) -> str:
    """Return a path for a message."""
    return path if isinstance(path, str) else oem_to_unicode(path)


def follow(volume: Tree, path: Path) -> Place:
    """Follow ``path`` from the root or the current directory.

    Raises ``NO_PATH`` where a folder on the way is missing or is a file, ``INVALID_NAME``,
    ``INT_ERR``, ``DISK_ERR``. As in FatFs, a name is looked at before its folder is.
    """
    text = path if isinstance(path, str) else path_text(checked(path))
    cut = text.rfind("/") + 1
    folder = text[:cut]
    known = volume.paths.get(folder)
    if known is not None and not volume.writer.waiting:  # no look on the way writes anything
        component = text[cut:]
        if component and "\\" not in component:
            name = make_name(component)
            directory = volume.directory(known)
            item = directory.find(name)
            if item is not None or not name.dot:
                return _new_tuple(Place, (directory, item, name))
    absolute, names = split_path(text)
    cluster = 0 if absolute else volume.cwd
    last = len(names) - 1
    for index, component in enumerate(names):
        # The name before its folder, as in FatFs: a bad name is INVALID_NAME also where the folder
        # could not be read.
        name = make_name(component)
        directory = volume.directory(cluster)
        item = directory.find(name)
        if index == last and folder + component == text:
            volume.remember_path(folder, cluster)
        if item is None:
            if not name.dot:
                if index < last:
                    raise fat_error(FResult.NO_PATH, shown(path))
                return Place(directory, None, name)
            # The root has no dot entries. FatFs stays in the folder where it looks for them.
            if index == last:
                return Place(directory, None, None)
            continue
        if index == last:
            return Place(directory, item, name)
        if not directory.is_folder(item):
            raise fat_error(
                FResult.NO_PATH, shown(path), "a file is taken for a folder", errno=errno.ENOTDIR
            )
        cluster = directory.first_cluster(item)
    return Place(volume.directory(cluster), None, None)


def find(volume: Tree, path: Path) -> tuple[Directory, Item]:
    """Return what ``path`` names; raises ``NO_FILE``, and ``INVALID_NAME`` for an origin."""
    place = follow(volume, path)
    if place.name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no entry")
    if place.item is None:
        raise fat_error(FResult.NO_FILE, shown(path))
    return place.directory, place.item


def find_named(volume: Tree, path: Path) -> tuple[Directory, Item]:
    """Return what ``path`` names, which must not be dots (``INVALID_NAME``)."""
    place = follow(volume, path)
    if place.item is not None and place.has_no_name:
        raise fat_error(FResult.INVALID_NAME, shown(path), "dots name no entry here")
    if place.name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no entry")
    if place.item is None:
        raise fat_error(FResult.NO_FILE, shown(path))
    return place.directory, place.item


def find_slot(volume: Tree, folder: int, slot: int) -> tuple[Directory, Item]:
    """Return the entry in ``slot`` of the folder at cluster ``folder``.

    Raises ``NO_FILE`` where that is no short entry that is listed, ``INT_ERR``.
    """
    directory = volume.directory(folder)
    item = directory.item_at(slot)
    if item is None or not item.listed:
        raise fat_error(FResult.NO_FILE, f"slot {slot} of the folder at cluster {folder:#x}")
    return directory, item


def find_directory(volume: Tree, path: Path) -> Directory:
    """Return the folder that ``path`` names; raises ``NO_PATH`` if it does not exist."""
    place = follow(volume, path)
    if place.name is None:
        return place.directory
    if place.item is None:
        raise fat_error(FResult.NO_PATH, shown(path))
    if not place.directory.is_folder(place.item):
        raise fat_error(FResult.NO_PATH, shown(path), "this is a file", errno=errno.ENOTDIR)
    return volume.directory(place.directory.first_cluster(place.item))


def open_file(volume: Tree, path: Path, flags: int) -> FatFile:
    """Open or create a file (f_open); see ``file.open_found`` for the errors.

    Raises ``NO_PATH``, ``INVALID_NAME`` and ``WRITE_PROTECTED`` too.
    """
    if flags & CHANGING:
        volume.check_writable()
    else:
        volume.check_mounted()
    directory, item, name = follow(volume, path)
    if name is None:
        raise fat_error(FResult.INVALID_NAME, shown(path), "this names no file")
    return open_found(directory, item, name, flags, path if isinstance(path, str) else shown(path))


def open_slot(volume: Tree, folder: int, slot: int, flags: int) -> FatFile:
    """Open the file whose short entry is ``slot`` of the folder at cluster ``folder``."""
    if flags & CHANGING:
        volume.check_writable()
    else:
        volume.check_mounted()
    directory, item = find_slot(volume, folder, slot)
    return open_found(directory, item, None, flags, directory.entry(item).name)


def make_folder(volume: Tree, path: Path) -> None:
    """Make an empty folder (f_mkdir).

    Raises ``EXIST``, ``NO_PATH``, ``INVALID_NAME``, ``DENIED`` when the volume or the folder
    above is full, ``INT_ERR``, ``WRITE_PROTECTED``.
    """
    volume.check_writable()
    place = follow(volume, path)
    if place.item is not None or place.name is None:
        raise fat_error(FResult.EXIST, shown(path))
    date, time = volume.clock()
    runs = volume.allocator.start(1)
    if not runs:
        raise full_error(shown(path), "no free cluster for the folder")
    cluster = runs[0][0]
    try:
        # Complete before an entry leads to it: a cut here costs a cluster, while an entry first
        # would show old contents as files.
        _lay_out(volume, cluster, place.directory.cluster, date, time)
        rest = _folder_fields(volume, cluster, date, time)
        place.directory.register(place.name, _DIRECTORY, rest)
    except BaseException:
        # f_mkdir gives the cluster back too where the entry finds no room.
        volume.forget_directory(cluster)
        volume.allocator.free_chain(cluster)
        raise
    volume.writer.flush()


def _folder_fields(volume: Tree, cluster: int, date: int, time: int) -> bytes:
    """Return what follows the name of a folder: no time of creation, as in FatFs."""
    high = cluster >> 16 if volume.wide else 0
    return AFTER_NT.pack(0, 0, 0, 0, high, time, date, cluster & 0xFFFF, 0)


def _lay_out(volume: Tree, cluster: int, parent: int, date: int, time: int) -> None:
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
    # The folder above a first level is 0, on FAT32 too, where the root has a cluster number: every
    # system expects that.
    for slot, (dots, target) in enumerate(((b".", cluster), (b"..", parent))):
        fields = _folder_fields(volume, target, date, time)
        directory.put_raw(slot, dots.ljust(NAME_LENGTH) + bytes((_DIRECTORY, 0)) + fields)


def remove(volume: Tree, path: Path) -> None:
    """Remove a file or an empty folder (f_unlink).

    A file that is open stays readable and writable through its open files. Raises ``NO_FILE``,
    ``NO_PATH``, ``INVALID_NAME`` for the root and dots, ``DENIED`` for an entry that is read-only,
    not empty (ENOTEMPTY) or the current folder, ``WRITE_PROTECTED``; ``INT_ERR`` for a damaged
    chain, after the entry was removed.
    """
    volume.check_writable()
    _remove(volume, *find_named(volume, path), path)


def remove_slot(volume: Tree, folder: int, slot: int) -> None:
    """Remove the file or empty folder in ``slot`` of a folder; see ``remove``."""
    volume.check_writable()
    directory, item = find_slot(volume, folder, slot)
    _remove(volume, directory, item, directory.entry(item).name)


def _remove(volume: Tree, directory: Directory, item: Item, path: Path) -> None:
    entry = directory.entry(item)
    if entry.attributes & _READ_ONLY:
        raise fat_error(FResult.DENIED, shown(path), "this is read-only")
    if entry.is_dir:
        _check_empty(volume, entry.cluster, path)
    # The entry before its chain: a cut in between leaves clusters that nothing leads to, and they
    # only cost room until a check frees them. Freed first, they could be in two files.
    directory.remove(item)
    try:
        if item.node is not None:
            item.node.orphan()
        elif entry.cluster:
            if entry.is_dir:
                volume.forget_directory(entry.cluster)
            volume.allocator.free_chain(entry.cluster)
    finally:
        # Also where the chain is damaged: the entry is gone, and the rest of it stays lost.
        volume.writer.flush()


def _check_empty(volume: Tree, cluster: int, path: Path) -> None:
    if cluster == volume.cwd:
        raise fat_error(FResult.DENIED, shown(path), "this is the current directory")
    if next(volume.directory(cluster).list_items(), None) is not None:
        raise fat_error(
            FResult.DENIED, shown(path), "the folder is not empty", errno=errno.ENOTEMPTY
        )


def rename(volume: Tree, old: Path, new: Path, *, guarded: bool = True) -> None:
    """Give a file or folder another name or place (f_rename).

    Open files follow it. With ``guarded=False`` they lose it, as in FatFs: they record nothing
    from then on (``FatFile.lose_name``).

    ``new`` must not exist, but may be the same name in other case. Raises ``NO_FILE``,
    ``NO_PATH``, ``INVALID_NAME``, ``EXIST``, ``DENIED`` without room in the folder,
    ``WRITE_PROTECTED``; if ``guarded``, ``INVALID_PARAMETER`` for a folder that would come to
    lie in itself, which FatFs does, and loses it.
    """
    volume.check_writable()
    _rename(volume, *find_named(volume, old), new, guarded=guarded)


def rename_slot(volume: Tree, folder: int, slot: int, new: Path) -> None:
    """Rename or move the entry in ``slot`` of a folder; see ``rename``."""
    volume.check_writable()
    _rename(volume, *find_slot(volume, folder, slot), new, guarded=True)


def _rename(volume: Tree, directory: Directory, item: Item, new: Path, *, guarded: bool) -> None:
    directory.pins += 1  # whatever the other path leads through
    try:
        place = follow(volume, new)
        if place.name is None or (place.item is not None and place.item is not item):
            at_start = not split_path(new).names and place.directory is directory
            raise fat_error(_taken(item, at_start=at_start), shown(new))
        # FatFs does not look: the folder would be cut off from the root with all that is in it.
        if guarded and directory.is_folder(item) and place.directory is not directory:
            _check_outside(volume, directory.first_cluster(item), place.directory.cluster, new)
        if not guarded and item.node is not None:
            lose_name(item.node)
        _move(volume, directory, item, place)
    finally:
        directory.pins -= 1
    volume.writer.flush()


def _taken(item: Item, *, at_start: bool) -> FResult:
    """Return the error for a target that is there, or is the folder of ``item`` itself."""
    if at_start and item.slot == 0:
        return FResult.INVALID_NAME  # FatFs takes the first slot for the same entry
    return FResult.EXIST


def _move(volume: Tree, directory: Directory, item: Item, place: Place) -> None:
    """Write the new entry, let the folder know what is above it, remove the old entry."""
    attributes = directory.attributes(item)
    folder = None
    # Read before anything changes: a folder whose dot entries are damaged stays where it is.
    if attributes & _DIRECTORY:
        if place.directory is not directory:
            folder = volume.directory(directory.first_cluster(item))
            folder.load(2)
    else:
        # f_rename marks a file as changed, and leaves its times.
        attributes |= _ARCHIVE
    at = item.slot * ENTRY_SIZE + AFTER_NT.offset
    rest = bytes(directory.data[at : at + AFTER_NT.size])
    # New entry first, old one last: a cut shows two names of one chain, which a check reports, and
    # not none.
    new_item = place.directory.register(place.name, attributes, rest)
    if folder is not None or not _in_one_sector(directory, item, place.directory, new_item):
        # The deletion of the old entry may share a sector with a part of the new one, or with
        # something that waits longer. Nothing of it may land before the new entry is complete.
        try:
            volume.writer.flush_metadata()
        except BaseException:
            place.directory.remove(new_item)
            raise
    if folder is not None:
        folder.visit_slot(1)
        # FatFs looks at one byte; what is no dot entry stays.
        if folder.has_parent_entry():
            folder.put_cluster(1, place.directory.cluster)
    if item.node is not None:
        item.node.move(place.directory, new_item)
    directory.remove(item)


def _in_one_sector(directory: Directory, item: Item, target: Directory, new_item: Item) -> bool:
    """Return True if one sector holds all slots of both items: they change together then."""
    first, last = min(item.first, new_item.first), max(item.slot, new_item.slot)
    return directory is target and first * ENTRY_SIZE // SECTOR == last * ENTRY_SIZE // SECTOR


def _check_outside(volume: Tree, cluster: int, target: int, new: Path) -> None:
    """Raise if the folder at ``target`` is the one at ``cluster``, or lies in it."""
    # Up by the dot entries, with a bound: on a damaged card they can lead in a circle.
    for _ in range(_DEPTH):
        if target == cluster:
            raise fat_error(
                FResult.INVALID_PARAMETER, shown(new), "a folder cannot be moved into itself"
            )
        if target == 0:
            return
        target = volume.directory(target).parent()
    raise fat_error(FResult.INT_ERR, shown(new), "the folders above it form a circle")


def set_attributes(volume: Tree, path: Path, value: int, mask: int) -> None:
    """Set the attributes in ``mask`` to those of ``value`` (f_chmod)."""
    volume.check_writable()
    directory, item = find_named(volume, path)
    # Folder and label are what an entry is; f_chmod cannot change them.
    mask &= _SETTABLE
    attributes = value & mask | directory.attributes(item) & ~mask
    directory.put(item.slot, ATTRIBUTES, attributes)
    volume.writer.flush()


def set_times(
    volume: Tree,
    path: Path,
    modified: tuple[int, int] | None,
    created: tuple[int, int] | None,
    accessed: int | None,
) -> None:
    """Set times of an entry: pairs of date and time, and the date of access (f_utime)."""
    volume.check_writable()
    directory, item = find_named(volume, path)
    for part, pair in ((WRITTEN, modified), (CREATED, created)):
        if pair is not None:
            date, time = pair
            directory.put(item.slot, part, time, date)
    if accessed is not None:
        directory.put(item.slot, ACCESSED, accessed)
    volume.writer.flush()


def change_directory(volume: Tree, path: Path) -> None:
    """Make a folder the current one (f_chdir); raises ``NO_PATH``."""
    volume.check_mounted()
    place = follow(volume, path)
    # Relative paths that were remembered began at the old one.
    volume.paths.clear()
    if place.name is None:
        volume.cwd = place.directory.cluster
        return
    if place.item is None or not place.directory.is_folder(place.item):
        raise fat_error(FResult.NO_PATH, shown(path))
    volume.cwd = place.directory.first_cluster(place.item)


def current_directory(volume: Tree, most: int | None = None) -> bytes:
    """Return the path of the current directory, going up by the dot entries (f_getcwd).

    Raises ``INT_ERR`` where they lead nowhere, ``NOT_ENOUGH_CORE`` beyond ``most`` bytes.
    """
    volume.check_mounted()
    names: list[bytes] = []
    cluster, room = volume.cwd, most
    while cluster:
        folder = volume.directory(cluster)
        parent = folder.parent()
        folder.visit_slot(1)
        name = _name_in(volume, parent, cluster)
        if room is not None:
            room -= len(name) + 1
        if (room is not None and room < 0) or len(names) > _DEPTH:
            raise fat_error(FResult.NOT_ENOUGH_CORE)
        names.append(name)
        cluster = parent
    return b"/" + b"/".join(reversed(names))


def _name_in(volume: Tree, parent: int, cluster: int) -> bytes:
    directory = volume.directory(parent)
    for entry in directory.list_entries():
        if entry.cluster == cluster:
            return entry.oem_name
    raise fat_error(
        FResult.INT_ERR, f"the folder at cluster {cluster:#x}", "the one above does not have it"
    )


def check_all_written(about: str, written: int, wanted: int) -> None:
    """Raise ``DENIED`` if fewer bytes were written than were wanted."""
    if written < wanted:
        raise full_error(about, f"only {written} of {wanted} bytes fitted")


def walk(volume: Tree, path: Path) -> Iterator[tuple[str, FatEntry]]:
    """Yield path and entry of everything below a folder, folders before what they hold.

    A folder that was met before is not entered again. Raises ``INT_ERR`` where a folder is
    damaged, after what could be read of it.
    """
    volume.check_mounted()
    top = find_directory(volume, path)
    base = shown(path).replace("\\", "/").rstrip("/")
    seen = {top.cluster}
    stack = [(base, top.list_entries())]
    while stack:
        base, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        name = f"{base}/{entry.name}"
        yield name, entry
        volume.check_mounted()
        # Folders that lead back up would have no end.
        if entry.is_dir and entry.cluster not in seen:
            seen.add(entry.cluster)
            stack.append((name, volume.directory(entry.cluster).list_entries()))


def remove_tree(volume: Tree, path: Path) -> int:
    """Remove a file, or a folder with everything in it; returns how many entries that were.

    Everything is checked before anything changes: raises ``DENIED`` if an entry is read-only or
    the current folder. Damage in the tree does not stop the removal; clusters that cannot be
    reached are left to a check of the volume. Open files stay usable.
    """
    volume.check_writable()
    directory, item = find_named(volume, path)
    entries = _gather(volume, directory, item, shown(path))
    # The top entry first: nothing can reach the rest any more, so it may be freed in any order and
    # a cut leaves lost clusters only.
    directory.remove(item)
    try:
        for holder, inner in entries:
            _let_go(volume, inner, holder.entry(inner))
    finally:
        volume.writer.flush()
    return len(entries)


@contextmanager
def _passing_damage() -> Iterator[None]:
    """Pass over damaged chains and folders, but not over a card that fails."""
    try:
        yield
    except FatError as error:
        if error.result != FResult.INT_ERR:
            raise


def _gather(
    volume: Tree, directory: Directory, item: Item, about: str
) -> list[tuple[Directory, Item]]:
    """Return an entry and everything below it; raises ``DENIED``."""
    entries = [(directory, item)]
    seen = _above(volume, directory.cluster)
    for holder, inner in entries:  # grows while it is gone through
        entry = holder.entry(inner)
        attributes = entry.attributes
        if attributes & _READ_ONLY:
            raise fat_error(FResult.DENIED, about, f"{entry.name} is read-only")
        if not attributes & _DIRECTORY or entry.cluster in seen:
            continue
        cluster = entry.cluster
        if cluster == volume.cwd:
            raise fat_error(FResult.DENIED, about, f"{entry.name} is the current directory")
        seen.add(cluster)
        # What cannot be read is not freed: lost clusters are harmless, freeing a chain that is
        # another file's is not.
        with _passing_damage():
            below = volume.directory(cluster)
            entries.extend((below, other) for other in below.list_items())
    return entries


def _above(volume: Tree, cluster: int) -> set[int]:
    """Return a folder and those above it, as far as they can be found."""
    seen = {0, volume.geometry.root_cluster}
    with _passing_damage():
        while cluster not in seen:
            seen.add(cluster)
            cluster = volume.directory(cluster).parent()
    return seen


def _let_go(volume: Tree, item: Item, entry: FatEntry) -> None:
    """Free what an entry has, unless it is open."""
    if item.node is not None:
        item.node.orphan()
        return
    cluster = entry.cluster
    if entry.is_dir:
        volume.forget_directory(cluster)
    if cluster:
        with _passing_damage():
            volume.allocator.free_chain(cluster)
