"""``Spiffs``: a SPIFFS as a ``FileSystem``, with folders made of the slashes in its names."""

from __future__ import annotations

import errno
from functools import lru_cache
from typing import TYPE_CHECKING

from maixfs.errors import FileSystemError, NameTooLongError, NotEmptyError, NotFoundError
from maixfs.filesystem import (
    Entry,
    FileSystem,
    StatVfs,
    already_there,
    is_folder,
    no_entry,
    not_folder,
    parent_of,
    refuse,
)
from maixfs.finding import Cost, Examination, examine
from maixfs.spiffs.core import SpiffsCore
from maixfs.spiffs.descriptor import OpenFlag
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.spiffs.state import DirEntry
from maixfs.streams import OpenMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.descriptor import Descriptor, StreamDescriptor
    from maixfs.spiffs.geometry import Geometry

SpiffsEntry = Entry[DirEntry | None]
"""A file with its ``DirEntry``; a folder, which SPIFFS does not store, has ``None``."""


class Spiffs(FileSystem[DirEntry | None]):
    """A mounted SPIFFS.

    ``Spiffs(device, geometry)`` mounts, ``Spiffs.format(device, geometry)`` makes an empty one.

    SPIFFS stores names, not folders; with ``folders`` (the default) the slashes in names make
    some. The path ``/a/b`` is the name ``/a/b``, or else ``a/b``, which some tools write. An empty
    folder exists in RAM only, until the file system is closed. A file ``/a`` beside a file
    ``/a/b``, which only other tools make, is listed as a file and as a folder; the path means the
    file. Renaming a folder renames its files one after the other.

    ``faithful`` leaves on flash what the C leaves, also where a full or damaged area then loses
    data (docs/SPEC.md, section 6.4); ``max_files`` and ``cache_pages`` are the C's resources,
    unlimited unless given. A read-only mount never writes. ``partial`` mounts read-only what there
    is of an area that is cut off or has lost blocks.
    """

    def __init__(
        self,
        device: NorDevice,
        geometry: Geometry,
        *,
        read_only: bool = False,
        faithful: bool = False,
        partial: bool = False,
        folders: bool = True,
        max_files: int | None = None,
        cache_pages: int | None = None,
    ) -> None:
        core = SpiffsCore(
            device,
            geometry,
            read_only=read_only,
            faithful=faithful,
            partial=partial,
            max_files=max_files,
            cache_pages=cache_pages,
        )
        self._take(core, folders=folders)

    @classmethod
    def of_core(cls, core: SpiffsCore, *, folders: bool = True) -> Spiffs:
        """Return the file system of an area that is mounted already."""
        fs = cls.__new__(cls)
        fs._take(core, folders=folders)
        return fs

    def _take(self, core: SpiffsCore, *, folders: bool) -> None:
        super().__init__()
        self.core = core
        self._folders = folders
        self._files_below: dict[str, int] = {}
        """Files under each folder, at any depth, as of ``_counted``."""
        self._counted = -1
        self._empty: set[str] = set()
        """Folders that were made or became empty since the mount."""

    @staticmethod
    def format(device: NorDevice, geometry: Geometry) -> None:
        """Erase the area and write an empty file system; everything in it is lost."""
        SpiffsCore.format(device, geometry)

    @property
    def closed(self) -> bool:
        """Whether the file system is no longer mounted."""
        return not self.core.mounted

    @property
    def read_only(self) -> bool:
        """Whether writing is refused."""
        return self.core.read_only

    @property
    def geometry(self) -> Geometry:
        """Shape of the area."""
        return self.core.geometry

    # Looking

    def _find(self, path: str) -> DirEntry | None:
        """Return the file of a path, whether its name has the leading slash or not."""
        # The board stores names with the slash, so that form wins.
        name = _raw(path)
        entry = self.core.find(name)
        return self.core.find(name[1:]) if entry is None and len(name) > 1 else entry

    def _resolve(self, target: str | SpiffsEntry) -> DirEntry:
        """Return the file of a path or an entry; raises for a folder and for what is not there."""
        if not isinstance(target, str):
            if target.native is None:
                raise is_folder(target.path)
            if not isinstance(target.native, DirEntry):
                raise TypeError("this entry is of another kind of file system")
            return self._current(target.native, target.path)
        entry = self._find(target)
        if entry is None:
            raise self._no_file(target)
        return entry

    def _current(self, entry: DirEntry, path: str) -> DirEntry:
        """Return the entry as it is now: writing moves its header to another page."""
        same = [
            other
            for other in self.core.scandir()
            if other.object_id == entry.object_id and other.raw_name == entry.raw_name
        ]
        # Of two headers with one id and name, the page says which one was meant.
        exact = [other for other in same if other.page == entry.page]
        if not same:
            raise no_entry(path)
        return (exact or same)[0]

    def _no_file(self, path: str) -> FileSystemError:
        return is_folder(path) if self._has_folder(path) else self._missing(path)

    def _missing(self, path: str) -> FileSystemError:
        above = self._file_above(path)
        return no_entry(path) if above is None else not_folder(above)

    def _file_above(self, path: str) -> str | None:
        """Return the first file among the folders above a path, if there is one."""
        if self._folders:
            while (path := parent_of(path)) != "/":
                if self._find(path) is not None:
                    return path
        return None

    def _has_folder(self, path: str) -> bool:
        if path == "/":
            return True
        return self._folders and (path in self._empty or path in self._counts())

    def _counts(self) -> dict[str, int]:
        """Return how many files are under each folder."""
        if self._counted != self.core.name_changes:
            self._files_below = {}
            for entry in self.core.scandir():
                self._count(_path_of(entry), 1)
            self._counted = self.core.name_changes
        return self._files_below

    def _count(self, path: str, step: int) -> None:
        folder = _folder_of(path)
        while folder != "/":
            left = self._files_below.get(folder, 0) + step
            if left:
                self._files_below[folder] = left
            else:
                del self._files_below[folder]
            folder = parent_of(folder)

    def _stat(self, path: str) -> SpiffsEntry:
        entry = None if path == "/" else self._find(path)
        if entry is not None:
            return _file(path, entry)
        if self._has_folder(path):
            return _folder(path)
        raise self._missing(path)

    def _scandir(self, target: str | SpiffsEntry) -> Iterator[SpiffsEntry]:
        path = target if isinstance(target, str) else target.path
        is_file = isinstance(target, Entry) and not target.is_dir
        if is_file or not self._has_folder(path):
            raise not_folder(path) if is_file or self._find(path) else self._missing(path)
        return self._list(path)

    def _list(self, top: str) -> Iterator[SpiffsEntry]:
        prefix = top if top == "/" else top + "/"
        seen: set[str] = set()
        # All at once: a header that moves while its folder is listed would be met again.
        for entry in list(self.core.scandir()):
            path = _path_of(entry)
            folder = _folder_of(path) if self._folders else "/"
            # Folders exist in names alone: each appears where its first file does.
            if folder == top:
                yield _file(path, entry)
            elif folder.startswith(prefix):
                name = folder[len(prefix) :].partition("/")[0]
                if name not in seen:
                    seen.add(name)
                    yield _folder(prefix + name)
        for path in sorted(self._empty):
            name = path[len(prefix) :]
            if path.startswith(prefix) and "/" not in name and name not in seen:
                yield _folder(path)

    # Changing

    def _open(self, target: str | SpiffsEntry, mode: OpenMode) -> StreamDescriptor:
        flags = _flags(mode)
        if mode.exclusive and not isinstance(target, str):
            raise spiffs_error(Code.FILE_EXISTS, target.path)
        if not isinstance(target, str):
            return self._open_entry(self._resolve(target), flags).as_stream()
        if not mode.creates:
            # Most paths are the name of a file: one search instead of two.
            try:
                return self.core.open_descriptor(_raw(target), flags).as_stream()
            except (NotFoundError, NameTooLongError):
                pass
        entry = self._find(target)
        if mode.exclusive and (entry is not None or self._has_folder(target)):
            raise spiffs_error(Code.FILE_EXISTS, target)
        if entry is not None:
            return self.core.open_descriptor(entry.raw_name, flags).as_stream()
        if mode.creates:
            return self._create(target, flags)
        raise self._no_file(target)

    def _open_entry(self, entry: DirEntry, flags: int) -> Descriptor:
        if self.core.count_named(entry.raw_name) == 1:
            return self.core.open_descriptor(entry.raw_name, flags)
        # Of two headers of one name an open by name takes the one that a descriptor remembers.
        return self.core.open_page(entry.page, flags)

    def _create(self, path: str, flags: int) -> StreamDescriptor:
        self._check_room_for(path)
        # The counts are brought up to date only if this call is the one change since.
        before = self.core.name_changes
        descriptor = self.core.open_descriptor(_raw(path), flags)
        self._note(path, 1, before)
        return descriptor.as_stream()

    def _check_room_for(self, path: str) -> None:
        """Raise where a new file would hide a folder, or lie in a file."""
        if self._has_folder(path):
            raise is_folder(path)
        above = self._file_above(path)
        if above is not None:
            raise not_folder(above)

    def _note(self, path: str, step: int, before: int) -> None:
        """Keep the counts up to date after one name came or went; ``before`` is from before it.

        Recounting after every change would make n files cost n².
        """
        if self._counted == before and self.core.name_changes == before + 1:
            self._count(path, step)
            self._counted = before + 1
        if step < 0:
            self._keep(_folder_of(path))

    def _keep(self, folder: str) -> None:
        """Let a folder outlive its last file, and those above it."""
        while self._folders and folder != "/":
            self._empty.add(folder)
            folder = parent_of(folder)

    def _mkdir(self, path: str) -> None:
        if not self._folders:
            refuse("SPIFFS has no folders, and this one was opened without them")
        # A folder that no name fits into would be of no use; the limit counts the whole path.
        self._check_name(path + "/x")
        if self._find(path) is not None or self._has_folder(path):
            raise already_there(path)
        if not self._has_folder(parent_of(path)):
            raise self._missing(path)
        self._empty.add(path)

    def _check_name(self, path: str) -> None:
        self.core.check_name(_raw(path))

    def _remove(self, target: str | SpiffsEntry) -> None:
        entry = self._resolve(target)
        before = self.core.name_changes
        self.core.remove_page(entry.page)
        self._note(_path_of(entry), -1, before)

    def _rmdir(self, target: str | SpiffsEntry) -> None:
        path = target if isinstance(target, str) else target.path
        if not self._has_folder(path):
            raise not_folder(path) if self._find(path) else self._missing(path)
        if path in self._counts() or any(other.startswith(path + "/") for other in self._empty):
            raise NotEmptyError(f"{path}: the folder is not empty", errno=errno.ENOTEMPTY)
        self._empty.discard(path)
        # It may have been the only entry in its folder, which must not vanish with it.
        self._keep(parent_of(path))

    def _rename(self, source: str | SpiffsEntry, target: str, *, replace: bool) -> None:
        path = source if isinstance(source, str) else source.path
        is_dir = self._find(path) is None if isinstance(source, str) else source.is_dir
        if is_dir and self._has_folder(path):
            self._rename_folder(path, target, replace=replace)
            return
        entry = self._resolve(source)
        self._check_name(target)
        occupant = self._find(target)
        if occupant is not None and occupant.page == entry.page:
            return
        if occupant is not None and not replace:
            raise spiffs_error(Code.CONFLICTING_NAME, target)
        if occupant is None:
            self._check_room_for(target)
        # Before the old file goes: power may be lost between the two, and then both have the
        # name. Removing first, as MaixPy's layer does, can leave neither.
        self.core.rename_page(entry.page, _raw(target))
        if occupant is not None:
            self.core.remove_page(self._current(occupant, target).page)
        self._keep(_folder_of(path))

    def _rename_folder(self, old: str, new: str, *, replace: bool) -> None:
        """Rename every file in a folder, after all new names were found to be possible."""
        is_file = self._find(new) is not None
        if is_file or self._has_folder(new):
            if not replace:
                raise spiffs_error(Code.CONFLICTING_NAME, new)
            raise not_folder(new) if is_file else is_folder(new)
        above = self._file_above(new)
        if above is not None:
            raise not_folder(above)
        moves = [
            (entry, new + _path_of(entry)[len(old) :])
            for entry in self.core.scandir()
            if _path_of(entry).startswith(old + "/")
        ]
        # All names before the first rename: SPIFFS has no transaction, and a name that is too long
        # would leave half of the folder behind.
        for _, path in moves:
            self._check_name(path)
        for entry, path in moves:
            self.core.rename_page(self._current(entry, path).page, _raw(path))
        moved = {path for path in self._empty if path == old or path.startswith(old + "/")}
        self._empty -= moved
        self._empty |= {new + path[len(old) :] for path in moved}
        if not moves:
            self._keep(new)
        self._keep(parent_of(old))

    # The whole

    def statvfs(self) -> StatVfs:
        """Return how much room there is, in data pages; the two spare blocks do not count."""
        self._check_open()
        geometry, usage = self.geometry, self.core.statvfs()
        pages = geometry.usable_pages * max(geometry.blocks - 2, 0)
        free = max(pages - usage.allocated, 0)
        size = geometry.data_size
        return StatVfs(size, size, pages, free, free, geometry.name_length - 1)

    def gc(self, length: int = 0) -> None:
        """Collect garbage until ``length`` bytes can be written at once; raises ``FullError``."""
        super().gc(length)
        self._check_writable("/")
        self.core.gc(length)

    def _check_writable(self, target: str | SpiffsEntry) -> None:
        self.core.check_writable()

    def _sync(self) -> None:
        return

    def _check(self, depth: Cost) -> Examination:
        from maixfs.spiffs.check import SpiffsCheck

        return examine("spiffs", SpiffsCheck.of_core(self.core), depth)

    def _close(self) -> None:
        self.core.unmount()

    def _abandon(self) -> None:
        self.core.abandon()


@lru_cache(maxsize=32)  # arithmetic on IntFlag costs as much as the rest of an open
def _flags(mode: OpenMode) -> int:
    flags = OpenFlag(0)
    for wanted, flag in (
        (mode.reads, OpenFlag.RDONLY),
        (mode.writes, OpenFlag.WRONLY),
        (mode.creates, OpenFlag.CREAT),
        (mode.truncates, OpenFlag.TRUNC),
    ):
        flags |= flag if wanted else OpenFlag(0)
    return int(flags)


def _raw(path: str) -> bytes:
    """Return the name that is stored for a path: UTF-8, other bytes from surrogate escapes."""
    return path.encode("utf-8", "surrogateescape")


def _path_of(entry: DirEntry) -> str:
    """Return the path of a file: its name with one leading slash."""
    return "/" + entry.name.removeprefix("/")


_ODD = frozenset(("", ".", ".."))


def _folder_of(path: str) -> str:
    """Return the folder that lists a file.

    That is the one above it. A name with an empty component, ``.`` or ``..`` is listed in the
    last folder before that: no path can name a folder behind it.
    """
    parts = path[1:].split("/")
    if _ODD.isdisjoint(parts):
        return parent_of(path)
    first = next(at for at, part in enumerate(parts) if part in _ODD)
    return "/" + "/".join(parts[:first])


def _file(path: str, entry: DirEntry) -> SpiffsEntry:
    return Entry(path, is_dir=False, size=entry.size, modified=None, native=entry)


def _folder(path: str) -> SpiffsEntry:
    return Entry(path, is_dir=True, size=0, modified=None, native=None)
