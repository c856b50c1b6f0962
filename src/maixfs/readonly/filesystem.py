"""File systems that are only read: a list of entries and a function that returns bytes.

Archives and formats of other programs derive from ``ReadOnlyFileSystem``, which supplies folders,
streams and the refusal of every change; docs/EXTENDING.md has a complete example.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from maixfs.errors import ClosedError, ReadOnlyError
from maixfs.filesystem import (
    Entry,
    FileSystem,
    Native,
    StatVfs,
    is_folder,
    no_entry,
    not_folder,
    parent_of,
)
from maixfs.finding import Cost, Examination
from maixfs.streams import NativeFile, OpenMode


class ReadOnlyFileSystem(FileSystem[Native]):
    """A file system that is complete when it is made; a driver supplies ``_read``.

    ``entries`` are its files and folders, in the order of the medium. Folders that only paths of
    files name are added. Of two entries of one path the first is found by the path.
    """

    def __init__(self, entries: Iterable[Entry[Native]]) -> None:
        super().__init__()
        self._closed = False
        self._known: dict[str, Entry[Any]] = {"/": Entry("/", True, 0, None, None)}
        self._folders: dict[str, list[Entry[Any]]] = {"/": []}
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry[Any]) -> None:
        above = parent_of(entry.path)
        if above not in self._folders:
            self._add(Entry(above, True, 0, None, None))
        if entry.is_dir and entry.path in self._folders:
            return
        self._folders[above].append(entry)
        self._known.setdefault(entry.path, entry)
        if entry.is_dir:
            self._folders[entry.path] = []

    @abstractmethod
    def _read(self, entry: Entry[Native], offset: int, size: int) -> bytes:
        """Return ``size`` bytes of a file from ``offset``, all of them inside of it."""

    @property
    def closed(self) -> bool:
        """Whether the file system was closed."""
        return self._closed

    @property
    def read_only(self) -> bool:
        """Return True."""
        return True

    def statvfs(self) -> StatVfs:
        """Return the sum of all files, in bytes; nothing is free."""
        self._check_open()
        used = sum(entry.size for files in self._folders.values() for entry in files)
        return StatVfs(1, 1, used, 0, 0, 255)

    def _open(self, target: str | Entry[Native], mode: OpenMode) -> NativeFile:
        entry = self._stat(target) if isinstance(target, str) else target
        if entry.is_dir:
            raise is_folder(entry.path)
        return _OpenFile(self, entry)

    def _stat(self, path: str) -> Entry[Native]:
        entry = self._known.get(path)
        if entry is None:
            raise no_entry(path)
        return entry

    def _scandir(self, target: str | Entry[Native]) -> Iterator[Entry[Native]]:
        entry = self._stat(target) if isinstance(target, str) else target
        if not entry.is_dir:
            raise not_folder(entry.path)
        return iter(self._folders[entry.path])

    def _check(self, depth: Cost) -> Examination:
        return Examination()

    def _check_writable(self, target: str | Entry[Native]) -> None:
        _refuse_change(target if isinstance(target, str) else target.path)

    def _mkdir(self, path: str) -> None:
        _refuse_change(path)

    def _remove(self, target: str | Entry[Native]) -> None:
        self._check_writable(target)

    def _rmdir(self, target: str | Entry[Native]) -> None:
        self._check_writable(target)

    def _rename(self, source: str | Entry[Native], target: str, *, replace: bool) -> None:
        self._check_writable(source)

    def _sync(self) -> None:
        pass

    def _close(self) -> None:
        self._closed = True

    def _abandon(self) -> None:
        self._closed = True


class _OpenFile:
    """An open file; implements ``NativeFile``."""

    def __init__(self, fs: ReadOnlyFileSystem[Any], entry: Entry[Any]) -> None:
        self._fs = fs
        self._entry = entry
        self.size = entry.size

    @property
    def lost(self) -> bool:
        return self._fs.closed

    def read_at(self, offset: int, size: int) -> bytes:
        if self._fs.closed:
            raise ClosedError("the file system is closed")
        return self._fs._read(self._entry, offset, size)

    def readinto_at(self, offset: int, buffer: memoryview) -> int:
        data = self.read_at(offset, min(len(buffer), self.size - offset))
        buffer[: len(data)] = data
        return len(data)

    def check_room(self, size: int) -> None:
        _refuse_change(self._entry.path)

    def write_at(self, offset: int, data: memoryview) -> int:
        _refuse_change(self._entry.path)

    def truncate(self, size: int) -> None:
        _refuse_change(self._entry.path)

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


def _refuse_change(path: str) -> NoReturn:
    raise ReadOnlyError(f"{path}: this file system is only read", errno=errno.EROFS)
