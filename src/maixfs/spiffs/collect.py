"""Take stock of a folder that is to become an area: which files, under which names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maixfs.errors import UsageError
from maixfs.spiffs.geometry import Geometry
from maixfs.spiffs.layout import MOST_FILES

HOST_LITTER = frozenset({b".DS_Store", b".git", b"Thumbs.db", b"desktop.ini"})
"""What hosts and version control leave in folders and no board has a use for."""
_MOST_ENTRIES = 4 * MOST_FILES
"""No area could hold more, and somebody may ask for all of a disk."""
_MOST_LINKS = 1000
"""Folders reached through links: links to folders with links can multiply without end."""
_NAMES_SHOWN = 3

_FOLDERS = "SPIFFS has no folders: these become part of names, which the firmware lists flat"
_EMPTY = "empty folders leave no trace"
_LITTER = "left out, as no board has a use for them"
_OUTSIDE = "left out, as they link to outside of the folder"
_CIRCLE = "left out, as they link to a folder that they are in"
_SPECIAL = "left out, as they are neither files nor folders"
_RAW = "not UTF-8, stored byte for byte"
_OF_SPIFFS = (_FOLDERS, _EMPTY, _RAW)
"""What does not matter to a file system with folders, and with names of text."""


class PackFile(NamedTuple):
    """A file to pack: its name as stored, the host's file, and its meta (``None``: not given)."""

    name: bytes
    content: Path
    meta: bytes | None = None


class PackPlan(NamedTuple):
    """What a folder gives: its files in the order of their names' bytes, and what to know."""

    files: tuple[PackFile, ...]
    warnings: tuple[str, ...]
    folders: tuple[bytes, ...] = ()
    """Names of the folders in it, in the order of their bytes."""

    def too_long(self, geometry: Geometry) -> tuple[bytes, ...]:
        """Return the names that have too many bytes for ``geometry``."""
        return tuple(file.name for file in self.files if len(file.name) >= geometry.name_length)


def collect(
    folder: Path | str,
    *,
    prefix: str = "/",
    follow_links: bool = False,
    everything: bool = False,
    real_folders: bool = False,
) -> PackPlan:
    """Return the files of ``folder`` and of the folders in it, for ``pack``.

    A name is ``prefix`` and the path in the folder, with slashes; bytes that are not UTF-8 are
    kept. The order depends on those bytes alone. Links are followed inside of the folder, and
    out of it with ``follow_links``. What hosts litter (``HOST_LITTER``) is left out unless
    ``everything`` is asked for. With ``real_folders`` they go where folders are, and nothing is
    said of them. Raises ``UsageError`` for a folder that cannot be read.
    """
    walk = _Walk(Path(folder), prefix.encode(), follow_links, everything)
    walk.run()
    said = walk.warnings(_OF_SPIFFS if real_folders else ())
    return PackPlan(tuple(sorted(walk.files)), said, tuple(sorted(walk.folders)))


class _Folder(NamedTuple):
    path: bytes
    name: bytes
    above: tuple[bytes, ...]
    """Real paths of this folder and those over it: a link to one of them is a circle."""


class _Walk:
    """One walk through a folder. Paths are bytes, so that no locale has a say in names."""

    def __init__(self, root: Path, prefix: bytes, follow_links: bool, everything: bool) -> None:
        self.files: list[PackFile] = []
        self.folders: list[bytes] = []
        self._root = os.path.realpath(os.fsencode(root))
        self._prefix = prefix
        self._follow_links = follow_links
        self._ignored = frozenset() if everything else HOST_LITTER
        self._entries = 0
        self._links = 0
        self._notes: dict[str, list[bytes]] = {}

    def run(self) -> None:
        """Visit every folder once for each way that leads to it."""
        waiting = [_Folder(self._root, self._prefix, (self._root,))]
        while waiting:
            folder = waiting.pop()
            entries = self._scan(folder)
            if folder.path != self._root:
                self.folders.append(folder.name.rstrip(b"/"))
            if not entries and folder.path != self._root:
                self._note(_EMPTY, folder.name)
            for entry in entries:
                name = folder.name + entry.name
                if entry.name in self._ignored:
                    self._note(_LITTER, name)
                elif _is(entry.is_dir):
                    waiting += self._enter(folder, entry, name + b"/")
                else:
                    self._add(entry, name)

    def warnings(self, unsaid: tuple[str, ...]) -> tuple[str, ...]:
        """Return one sentence for each kind of thing noticed, with the first few names."""
        return tuple(
            _sentence(text, sorted(names))
            for text, names in self._notes.items()
            if text not in unsaid
        )

    def _scan(self, folder: _Folder) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(folder.path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise UsageError(f"{os.fsdecode(folder.path)}: {error.strerror}") from error
        self._entries += len(entries)
        if self._entries > _MOST_ENTRIES or self._links > _MOST_LINKS:
            raise UsageError(
                f"{os.fsdecode(self._root)}: more than {_MOST_ENTRIES} entries,"
                f" or {_MOST_LINKS} links to folders"
            )
        return entries

    def _enter(self, folder: _Folder, entry: os.DirEntry[bytes], name: bytes) -> list[_Folder]:
        """Return the folder to visit, or none. Junctions are no links to Python, so all ask."""
        real = os.path.realpath(entry.path)
        if not self._may_follow(real):
            self._note(_OUTSIDE, name)
        elif real in folder.above:
            self._note(_CIRCLE, name)
        else:
            self._note(_FOLDERS, name)
            self._links += entry.is_symlink()
            return [_Folder(real, name, (*folder.above, real))]
        return []

    def _add(self, entry: os.DirEntry[bytes], name: bytes) -> None:
        if not _is(entry.is_file):
            self._note(_SPECIAL, name)
        elif entry.is_symlink() and not self._may_follow(os.path.realpath(entry.path)):
            self._note(_OUTSIDE, name)
        else:
            self.files.append(PackFile(name, Path(os.fsdecode(entry.path))))
            if name.decode("utf-8", "ignore").encode() != name:
                self._note(_RAW, name)

    def _may_follow(self, real: bytes) -> bool:
        if self._follow_links:
            return True
        try:
            return os.path.commonpath([self._root, real]) == self._root
        except ValueError:  # another drive
            return False

    def _note(self, text: str, name: bytes) -> None:
        self._notes.setdefault(text, []).append(name)


def _is(question: Callable[[], bool]) -> bool:
    """Return the answer; a link that leads to itself is nothing at all."""
    try:
        return question()
    except OSError:
        return False


def _sentence(text: str, names: list[bytes]) -> str:
    shown = ", ".join(name.decode("utf-8", "backslashreplace") for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{text}: {shown}" + (f" and {more} more" if more > 0 else "")
