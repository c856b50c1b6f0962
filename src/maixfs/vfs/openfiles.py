"""The open files of a driver, and which of them no program can reach any more."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from maixfs.vfs.errors import VfsError
from maixfs.vfs.files import FileIO, TextIOWrapper
from maixfs.vfs.raw import RawFile


class ClosableFile(RawFile, Protocol):
    """A driver's file that knows whether it is closed."""

    @property
    def closed(self) -> bool:
        """Whether nothing is left to close."""


Raw = TypeVar("Raw", bound=ClosableFile)

_FEW = 16


def wrapped(raw: RawFile, letters: str) -> FileIO | TextIOWrapper:
    """Return the object that a program gets: the last ``b`` or ``t`` of a mode decides."""
    kinds = [letter for letter in letters if letter in "bt"]
    return FileIO(raw) if kinds[-1:] == ["b"] else TextIOWrapper(raw)


class OpenFiles(Generic[Raw]):
    """A driver's files and the objects that programs have of them."""

    def __init__(self) -> None:
        self._entries: list[tuple[weakref.ref[object], Raw]] = []
        self._limit = _FEW

    def add(self, raw: Raw, letters: str) -> FileIO | TextIOWrapper:
        """Return the program's object for ``raw``, opened with the mode ``letters``."""
        file = wrapped(raw, letters)
        if len(self._entries) >= self._limit:
            # Now and then, so that thousands of files are not looked through at every open.
            self._entries = [entry for entry in self._entries if not entry[1].closed]
            self._limit = max(_FEW, 2 * len(self._entries))
        self._entries.append((weakref.ref(file), raw))
        return file

    def __iter__(self) -> Iterator[Raw]:
        return (raw for _, raw in list(self._entries) if not raw.closed)

    def clear(self) -> None:
        """Forget all files."""
        self._entries.clear()

    def collect(self) -> int:
        """Close the files whose objects are gone, as the firmware's garbage collector does.

        Return how many there were. A close that fails is passed over.
        """
        kept, dropped = [], []
        for entry in self._entries:
            if entry[0]() is not None:
                kept.append(entry)
            elif not entry[1].closed:
                dropped.append(entry[1])
        self._entries = kept
        for raw in dropped:
            with suppress(VfsError):
                raw.close()
        return len(dropped)
