"""The verbs of ``os`` and ``pathlib`` on an image, written once over what ``Image`` supplies."""

from __future__ import annotations

import errno
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, TextIO, TypeAlias, overload

from maixfs.errors import NotEmptyError
from maixfs.filesystem import not_folder
from maixfs.image.content import Content
from maixfs.image.entries import Written
from maixfs.image.errors import TakenError
from maixfs.image.volume import Entries, ImageEntry, Volume
from maixfs.streams import BinaryMode, TextMode, parse_mode, text_options

ImagePath: TypeAlias = str | os.PathLike[str]
Buffer: TypeAlias = bytes | bytearray | memoryview


class ImageVerbs(ABC):
    """Files by their path in an image, under the names that Python programs know."""

    # What the image supplies

    @abstractmethod
    def volume(self, path: ImagePath | None) -> Volume:
        """Return the file system in which a path lies."""

    @abstractmethod
    def stat(self, path: ImagePath | ImageEntry) -> ImageEntry:
        """Return the file (or else the folder) of a path."""

    @abstractmethod
    def exists(self, path: ImagePath) -> bool:
        """Return whether there is a file or a folder of that path."""

    @abstractmethod
    def isdir(self, path: ImagePath) -> bool:
        """Return whether there is a folder of that path, and no file that has it as well."""

    @abstractmethod
    def scandir(self, path: ImagePath | None = None, *, recursive: bool = False) -> Entries:
        """Return what lies in a folder."""

    @abstractmethod
    def read_bytes(self, path: ImagePath | ImageEntry) -> bytes:
        """Return the bytes of a file."""

    @abstractmethod
    def write_bytes(
        self, path: ImagePath, data: Buffer | Content, *, meta: bytes | None = None
    ) -> Written:
        """Make ``data`` the contents of a file."""

    @abstractmethod
    def mkdir(self, path: ImagePath, *, parents: bool = False) -> bool:
        """Make a folder."""

    @abstractmethod
    def remove(self, path: ImagePath | ImageEntry, recursive: bool = False) -> Entries:
        """Remove a file, or with ``recursive`` a folder."""

    @abstractmethod
    def rename(self, old: ImagePath | ImageEntry, new: ImagePath, replace: bool = False) -> None:
        """Give a file or folder another path."""

    @abstractmethod
    def _open(self, path: ImagePath | ImageEntry, mode: str, options: dict[str, Any]) -> IO[Any]:
        """Open a file; the options are those of ``FileSystem.open`` that differ from its own."""

    @abstractmethod
    def _refuse_reading(self) -> None:
        """Raise ``ReadOnlyError``, or ``ClosedError``, where nothing can be changed."""

    # Opening

    @overload
    def open(
        self,
        path: ImagePath | ImageEntry,
        mode: TextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> TextIO: ...

    @overload
    def open(
        self,
        path: ImagePath | ImageEntry,
        mode: BinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> BinaryIO: ...

    @overload
    def open(
        self,
        path: ImagePath | ImageEntry,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...

    def open(
        self,
        path: ImagePath | ImageEntry,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open a file as the builtin ``open`` does; a new one is in the overlay until ``commit``.

        Text is UTF-8 unless ``encoding`` says else. Raises ``ReadOnlyError`` for writing an image
        that was opened for reading.
        """
        if not isinstance(mode, str):
            raise TypeError(f"mode must be str, not {type(mode).__name__}")
        if not isinstance(path, ImageEntry):
            path = path_text(path)
        options = {
            "buffering": buffering, "encoding": encoding, "errors": errors, "newline": newline
        }  # fmt: skip
        changed = {name: value for name, value in options.items() if value not in (None, -1)}
        return self._open(path, mode, changed)

    # Whole files

    def read_text(
        self,
        path: ImagePath | ImageEntry,
        encoding: str | None = None,
        errors: str | None = None,
    ) -> str:
        """Return the contents of a file as text, with ``\\n`` for each kind of line end."""
        text_options(parse_mode("r"), -1, encoding, errors, None)
        stream = io.BytesIO(self.read_bytes(path))
        return io.TextIOWrapper(stream, encoding or "utf-8", errors).read()

    def write_text(
        self,
        path: ImagePath,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Written:
        """Make ``data`` the contents of a file, as ``write_bytes``; the text is UTF-8 by default.

        ``newline`` replaces each ``\\n``; by default line ends stay as they are.
        """
        if not isinstance(data, str):
            raise TypeError(f"data must be str, not {type(data).__name__}")
        text_options(parse_mode("w"), -1, encoding, errors, newline)
        if newline in ("\r", "\r\n"):
            data = data.replace("\n", newline)
        return self.write_bytes(path, data.encode(encoding or "utf-8", errors or "strict"))

    # Looking

    def isfile(self, path: ImagePath) -> bool:
        """Return whether there is a file of that path."""
        return self.exists(path) and not self.isdir(path)

    def listdir(self, path: ImagePath | None = None) -> list[str]:
        """Return the names in a folder, sorted; ``None`` is the mount point."""
        return [entry.name for entry in self._inside(path)]

    def walk(self, top: ImagePath | None = None) -> Iterator[tuple[str, Entries, Entries]]:
        """Yield (path, folders, files) of a folder and of every folder below, as ``os.walk``.

        Take entries out of ``folders`` to skip them.
        """
        start = self._folder(top)
        return self._walk(start)

    def _walk(self, start: ImageEntry) -> Iterator[tuple[str, Entries, Entries]]:
        # A stack, not recursion: folders may be nested deeper than Python's calls. A folder of a
        # damaged volume may contain itself.
        stack, seen = [start], set[object]()
        while stack:
            folder = stack.pop()
            identity = (folder.volume.mount.point, folder.volume.identity(folder.inner))
            if folder is not start:
                if identity in seen:
                    continue
                seen.add(identity)
            entries = self.scandir(folder.path)
            folders = [entry for entry in entries if entry.is_dir]
            yield folder.path, folders, [entry for entry in entries if not entry.is_dir]
            stack.extend(reversed(folders))

    def _folder(self, path: ImagePath | None) -> ImageEntry:
        entry = self.stat("" if path is None else path)
        if not entry.is_dir:
            raise not_folder(entry.path)
        return entry

    def _inside(self, path: ImagePath | None) -> Entries:
        return self.scandir(self._folder(path).path)

    # Changing

    def makedirs(self, path: ImagePath, exist_ok: bool = False) -> None:
        """Make a folder and those above it that are missing.

        SPIFFS has folders in names alone: there is nothing to make, and a file that is written to
        ``path/name`` makes the folder appear.
        """
        self._refuse_reading()
        path = path_text(path)
        if self.isfile(path):
            raise TakenError(f"{path} is a file")
        if self.isdir(path):
            if not exist_ok:
                raise TakenError(f"{path} exists already")
        elif self.volume(path).has_folders:
            self.mkdir(path, parents=True)
        else:
            self.volume(path).place_of(f"{path.rstrip('/')}/x")  # raises where no file can be

    def rmdir(self, path: ImagePath) -> None:
        """Remove an empty folder; raises ``NotEmptyError``, ``NotFolderError``."""
        self._refuse_reading()
        path = path_text(path)
        if self._inside(path):
            raise NotEmptyError(f"{path}: the folder is not empty", errno=errno.ENOTEMPTY)
        self.remove(path, recursive=True)

    def rmtree(self, path: ImagePath) -> None:
        """Remove a folder and everything in it; raises ``NotFolderError`` for a file."""
        self._refuse_reading()
        self.remove(self._folder(path_text(path)), recursive=True)

    def replace(self, old: ImagePath | ImageEntry, new: ImagePath) -> None:
        """Give a file or folder another path; a file that has it is replaced."""
        self.rename(old, new, replace=True)


def path_text(path: ImagePath) -> str:
    """Return a path as ``str``; raises ``TypeError`` if it is not one (bytes included)."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str, not {type(text).__name__}")
    return text
