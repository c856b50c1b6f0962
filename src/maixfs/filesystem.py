"""The one interface of every file system of maixfs, with the verbs of ``os`` and ``pathlib``.

A driver has a native core, which knows the C's flags and error numbers, and a thin class on top
that derives from ``FileSystem`` and supplies a dozen primitives; everything else is written once,
here. Paths are ``str`` or path-like, start at the root whether they have a leading slash or not,
and are separated by ``/``; ``.`` and ``..`` are resolved before a driver sees them.
"""

from __future__ import annotations

import errno
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Generic,
    NoReturn,
    TextIO,
    TypeAlias,
    TypeVar,
    overload,
)  # fmt: skip
from weakref import ref

from maixfs.errors import (
    ClosedError,
    ExistsError,
    FileSystemError,
    IsFolderError,
    NotFolderError,
    NotFoundError,
    UsageError,
)  # fmt: skip
from maixfs.finding import Cost, Examination
from maixfs.streams import (
    BinaryMode,
    NativeFile,
    OpenMode,
    OpenStreams,
    RawFile,
    TextMode,
    WritableFile,
    parse_mode,
    python_stream,
    text_options,
)
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Buffer: TypeAlias = bytes | bytearray | memoryview
Native = TypeVar("Native")
PathLike: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Entry(Generic[Native]):
    """A file or a folder, as a listing or ``stat`` found it.

    It can be passed to ``open``, ``read_bytes``, ``remove`` and the like in place of its path,
    and then means this entry even where its name leads elsewhere or to nothing: of two entries of
    one name on a damaged medium, or of a name that no path can hold.
    """

    path: str
    """Absolute, from the root of the file system."""
    is_dir: bool
    size: int
    """Bytes; 0 for a folder."""
    modified: float | None
    """Seconds since 1970; ``None`` where the file system keeps no time."""
    native: Native
    """The driver's own record of it."""

    @property
    def name(self) -> str:
        """The last component of the path; empty for the root."""
        return self.path.rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return not self.is_dir


class StatVfs(NamedTuple):
    """Room on a file system, under the names of ``os.statvfs``."""

    f_bsize: int
    """Allocation unit, bytes."""
    f_frsize: int
    """The same; ``f_blocks`` and the others count in it."""
    f_blocks: int
    f_bfree: int
    f_bavail: int
    """Free units that files can take."""
    f_namemax: int
    """Longest name, in the units of the file system (bytes or UTF-16 units)."""


class FileSystem(ABC, Generic[Native]):
    """A mounted file system; a context manager that closes it.

    Operations raise ``FileSystemError`` (an ``OSError``) with CPython's errno, ``ClosedError`` (a
    ``ValueError``) once the file system is closed, and ``TypeError`` for an argument of a wrong
    type, before anything changes.
    """

    def __init__(self) -> None:
        self._streams: OpenStreams = {}

    # Primitives that a driver supplies. Paths are normalised: absolute, no trailing slash.

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the file system is no longer mounted."""

    @property
    @abstractmethod
    def read_only(self) -> bool:
        """Whether writing is refused."""

    @abstractmethod
    def _open(self, target: str | Entry[Native], mode: OpenMode) -> NativeFile:
        """Open a file; the caller handles append mode."""

    @abstractmethod
    def _stat(self, path: str) -> Entry[Native]:
        """Return the entry of a path, the root included."""

    @abstractmethod
    def _scandir(self, target: str | Entry[Native]) -> Iterator[Entry[Native]]:
        """Yield the entries of a folder in the order of the medium."""

    @abstractmethod
    def _mkdir(self, path: str) -> None:
        """Make an empty folder in an existing one."""

    @abstractmethod
    def _remove(self, target: str | Entry[Native]) -> None:
        """Remove a file."""

    @abstractmethod
    def _rmdir(self, target: str | Entry[Native]) -> None:
        """Remove an empty folder."""

    @abstractmethod
    def _rename(self, source: str | Entry[Native], target: str, *, replace: bool) -> None:
        """Move a file or a folder; ``replace``: replace an existing file."""

    @abstractmethod
    def statvfs(self) -> StatVfs:
        """Return how much room there is."""

    @abstractmethod
    def _sync(self) -> None:
        """Write everything that the driver holds in RAM."""

    @abstractmethod
    def _close(self) -> None:
        """End the mount after writing everything."""

    @abstractmethod
    def _abandon(self) -> None:
        """End the mount and write nothing; what open files write afterwards goes nowhere."""

    @abstractmethod
    def _check(self, depth: Cost) -> Examination:
        """Examine the medium, as far as ``depth`` goes."""

    def _identity(self, entry: Entry[Native]) -> object:
        """Return what tells a folder from all others, ``None`` where there can be no circle."""
        return None

    def gc(self, length: int = 0) -> None:
        """Collect garbage until ``length`` bytes can be written at once, where the file system
        has garbage (SPIFFS); elsewhere do nothing. Raises ``FullError``."""
        _check_size("length", length)
        self._check_open()

    # Opening

    @overload
    def open(
        self,
        file: PathLike | Entry[Native],
        mode: TextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> TextIO: ...

    @overload
    def open(
        self,
        file: PathLike | Entry[Native],
        mode: BinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> BinaryIO: ...

    @overload
    def open(
        self,
        file: PathLike | Entry[Native],
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]: ...

    def open(
        self,
        file: PathLike | Entry[Native],
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open a file as the builtin ``open`` does; text is UTF-8 unless ``encoding`` says else.

        The stream is flushed and closed by ``close`` of the file system at the latest.
        """
        if type(mode) is not str or type(buffering) is not int:
            _check_type("mode", mode, str)
            _check_type("buffering", buffering, int)
        parsed = parse_mode(mode)
        text = None
        if not parsed.binary or (encoding, errors, newline) != (None, None, None):
            # Every argument is checked before the driver may create or empty a file.
            text = text_options(parsed, buffering, encoding, errors, newline)
        target = file if isinstance(file, Entry) else normalise(file)
        if self.closed:
            self._check_open()
        kind = RawFile
        if parsed.writes:
            self._check_writable(target)
            kind = WritableFile
        name = target if isinstance(target, str) else target.path
        raw = kind(self._open(target, parsed), name, parsed, self._streams)
        stream = python_stream(raw, parsed, buffering, text)
        self._streams[id(raw)] = ref(raw)
        return stream

    # Whole files

    def read_bytes(self, file: PathLike | Entry[Native]) -> bytes:
        """Return the contents of a file."""
        with self.open(file, "rb", buffering=0) as stream:
            return stream.read()

    def read_text(
        self,
        file: PathLike | Entry[Native],
        encoding: str | None = None,
        errors: str | None = None,
    ) -> str:
        """Return the contents of a file as text, with ``\\n`` for each kind of line end."""
        with self.open(file, "r", encoding=encoding, errors=errors) as stream:
            return stream.read()

    def write_bytes(self, file: PathLike | Entry[Native], data: Buffer) -> int:
        """Make ``data`` the contents of a file, which is created if it is missing.

        Returns the number of bytes. Raises ``FullError`` where not all of them fit.
        """
        view = bytes_view(data)
        # Without a buffer: one write lets the driver see the whole length, and SPIFFS makes room
        # once.
        with self.open(file, "wb", buffering=0) as stream:
            return _write_all(stream, view)

    def write_text(
        self,
        file: PathLike | Entry[Native],
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make ``data`` the contents of a file; returns the number of characters."""
        _check_type("data", data, str)
        data.encode(encoding or "utf-8", errors or "strict")  # before the file is emptied
        with self.open(file, "w", encoding=encoding, errors=errors, newline=newline) as stream:
            return stream.write(data)

    # Looking

    def stat(self, path: PathLike | Entry[Native]) -> Entry[Native]:
        """Return the entry of a file or a folder; of the root too. Raises ``NotFoundError``."""
        target = self._target(path)
        self._check_open()
        return self._stat(target) if isinstance(target, str) else target

    def exists(self, path: PathLike) -> bool:
        """Return whether there is a file or a folder of that path."""
        return self._peek(path) is not None

    def isfile(self, path: PathLike) -> bool:
        """Return whether the path is a file."""
        entry = self._peek(path)
        return entry is not None and not entry.is_dir

    def isdir(self, path: PathLike) -> bool:
        """Return whether the path is a folder."""
        entry = self._peek(path)
        return entry is not None and entry.is_dir

    def _peek(self, path: PathLike) -> Entry[Native] | None:
        self._check_open()
        try:
            return self._stat(normalise(path))
        except ValueError:
            return None  # a null character, or one that has no bytes on this medium
        except FileSystemError as error:
            # As os.path.exists: a path that cannot be is not there. Damage is still an error.
            if error.errno in _ABSENT:
                return None
            raise

    def scandir(self, path: PathLike | Entry[Native] = "/") -> Iterator[Entry[Native]]:
        """Return the entries of a folder, in the order of the medium.

        Raises ``NotFoundError`` or ``NotFolderError`` at once; what is damaged raises after the
        entries before it.
        """
        target = self._target(path)
        self._check_open()
        return self._scandir(target)

    def listdir(self, path: PathLike | Entry[Native] = "/") -> list[str]:
        """Return the names in a folder, in the order of the medium."""
        return [entry.name for entry in self.scandir(path)]

    def walk(
        self, top: PathLike | Entry[Native] = "/"
    ) -> Iterator[tuple[str, list[Entry[Native]], list[Entry[Native]]]]:
        """Yield (path, folders, files) of a folder and of every folder below, as ``os.walk``.

        Take entries out of ``folders`` to skip them.
        """
        target = self._target(top)
        self._check_open()
        return self._walk(target)

    def _walk(
        self, target: str | Entry[Native]
    ) -> Iterator[tuple[str, list[Entry[Native]], list[Entry[Native]]]]:
        # A stack, not recursion: folders may be nested deeper than Python's calls. It is filled
        # after the yield, so that folders which the caller took out are skipped.
        stack, seen = [target], set[object]()
        while stack:
            target = stack.pop()
            if isinstance(target, Entry) and (identity := self._identity(target)) is not None:
                # On a damaged medium a folder may contain itself, or one above it.
                if identity in seen:
                    continue
                seen.add(identity)
            # A whole folder before its entries are given out, because the caller may change it
            # meanwhile.
            entries = list(self._scandir(target))
            folders = [entry for entry in entries if entry.is_dir]
            path = target if isinstance(target, str) else target.path
            yield path, folders, [entry for entry in entries if not entry.is_dir]
            stack.extend(reversed(folders))

    def glob(self, pattern: str) -> Iterator[Entry[Native]]:
        """Yield the entries whose path matches; ``**`` stands for any folders."""
        _check_type("pattern", pattern, str)
        self._check_open()
        return self._glob("/", [part for part in pattern.split("/") if part not in ("", ".")])

    def _glob(self, folder: str | Entry[Native], parts: list[str]) -> Iterator[Entry[Native]]:
        if not parts:
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            while rest[:1] == ["**"]:
                rest = rest[1:]
            # No folder at all is a match for ``**`` too.
            yield from self._glob(folder, rest or ["*"])
            for _, folders, _ in self._walk(folder):
                for below in folders:
                    yield from self._glob(below, rest or ["*"])
            return
        matches = _matcher(head)
        for entry in list(self._scandir(folder)):
            if matches(entry.name):
                if not rest:
                    yield entry
                elif entry.is_dir:
                    yield from self._glob(entry, rest)

    # Changing

    def mkdir(self, path: PathLike) -> None:
        """Make a folder; raises ``ExistsError``, and ``NotFoundError`` without the one above."""
        target = normalise(path)
        self._check_open()
        self._check_writable(target)
        if target == "/":
            raise ExistsError("/: the root is always there", errno=errno.EEXIST)
        self._mkdir(target)

    def makedirs(self, path: PathLike, exist_ok: bool = False) -> None:
        """Make a folder and those above it that are missing."""
        target = normalise(path)
        self._check_open()
        self._check_writable(target)
        missing: list[str] = []
        while target != "/" and not self.exists(target):
            missing.append(target)
            target = parent_of(target)
        # Nothing is made before the whole way was looked at.
        if not self.isdir(target):
            raise not_folder(target) if missing else already_there(target)
        if not missing and not exist_ok:
            raise already_there(target)
        for folder in reversed(missing):
            self._mkdir(folder)

    def remove(self, path: PathLike | Entry[Native]) -> None:
        """Remove a file; raises ``IsFolderError`` for a folder."""
        target = self._target(path)
        self._check_open()
        self._check_writable(target)
        self._remove(target)

    def rmdir(self, path: PathLike | Entry[Native]) -> None:
        """Remove an empty folder; raises ``NotEmptyError``, ``NotFolderError``."""
        target = self._target(path)
        self._check_open()
        self._check_writable(target)
        if _is_root(target):
            raise _root("removed")
        self._rmdir(target)

    def rmtree(self, path: PathLike | Entry[Native]) -> None:
        """Remove a folder and everything in it, deepest entries first."""
        target = self._target(path)
        self._check_open()
        self._check_writable(target)
        top = self._stat(target) if isinstance(target, str) else target
        if not top.is_dir:
            raise not_folder(top.path)
        # Backwards, so that every folder is empty when its turn comes.
        for _, folders, files in [*self.walk(top)][::-1]:
            for entry in files:
                self._remove(entry)
            for entry in folders:
                self._rmdir(entry)
        if top.path != "/":
            self._rmdir(top)

    def rename(self, source: PathLike | Entry[Native], target: PathLike) -> None:
        """Rename or move a file or a folder; raises ``ExistsError`` where ``target`` is there."""
        self._move(source, target, replace=False)

    def replace(self, source: PathLike | Entry[Native], target: PathLike) -> None:
        """Rename or move; a file at ``target`` is replaced (``os.replace``)."""
        self._move(source, target, replace=True)

    def _move(self, source: PathLike | Entry[Native], target: PathLike, *, replace: bool) -> None:
        old, new = self._target(source), normalise(target)
        self._check_open()
        self._check_writable(old)
        path = old if isinstance(old, str) else old.path
        if new == "/" or _is_root(old):
            raise _root("moved or replaced")
        # ``os.rename`` of a name onto itself succeeds and changes nothing, but the file must
        # exist.
        if new == path and isinstance(old, str):
            self._stat(path)
            return
        # FatFs would do it and lose the folder with all that is in it.
        if new.startswith(path + "/"):
            if not (self._stat(path) if isinstance(old, str) else old).is_dir:
                raise not_folder(path)
            raise FileSystemError(
                f"{path}: a folder cannot be moved into itself", errno=errno.EINVAL
            )
        self._rename(old, new, replace=replace)

    # The whole

    def sync(self) -> None:
        """Flush every open stream and write everything that is held in RAM.

        All streams are flushed even where one fails; the first error is raised afterwards.
        """
        self._check_open()
        failure: Exception | None = None
        for raw in self._open_streams():
            try:
                raw.flush_all()
            except (OSError, ValueError) as error:
                failure = failure or error
        if not self.read_only:
            self._sync()
        if failure is not None:
            raise failure

    def check(self, depth: Cost = Cost.CONTENT) -> Examination:
        """Return the findings about the file system, worst first, and what was not checked.

        ``depth`` limits what is read. What open streams hold is written first; the examination
        itself writes nothing, and damage does not raise.
        """
        _check_type("depth", depth, Cost)
        self.sync()
        return self._check(depth)

    def close(self) -> None:
        """Flush and close every open stream, write everything, end the mount.

        All streams are closed even where one fails; the first error is raised afterwards. Closing
        again does nothing.
        """
        if self.closed:
            return
        failure: Exception | None = None
        try:
            # Streams first: their buffers need a mount to be written to.
            for raw in self._open_streams():
                try:
                    raw.close_all()
                except (OSError, ValueError) as error:
                    failure = failure or error
        finally:
            self._streams.clear()
            # Also after a failure: other files have bytes to be written too.
            self._close()
        if failure is not None:
            raise failure

    def abandon(self) -> None:
        """End the mount as when the power goes: nothing is written, open streams are closed."""
        if self.closed:
            return
        # Before the streams: what their buffers hold must not reach the medium.
        self._abandon()
        for raw in self._open_streams():
            raw.close_all()
        self._streams.clear()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_streams(self) -> list[RawFile]:
        """Return the streams that are open and that a program still holds."""
        return [raw for known in [*self._streams.values()] if (raw := known()) is not None]

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("the file system is closed")

    def _check_writable(self, target: str | Entry[Native]) -> None:
        """Raise ``ReadOnlyError`` where nothing can be written; drivers give their own number."""

    def _target(self, file: PathLike | Entry[Native]) -> str | Entry[Native]:
        return file if isinstance(file, Entry) else normalise(file)


_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENAMETOOLONG)


def normalise(path: PathLike) -> str:
    """Return ``path`` absolute, without ``.``, ``..``, double and trailing slashes.

    ``..`` above the root stays at the root. Raises ``TypeError`` if it is not a path (bytes
    included), ``ValueError`` for a null character.
    """
    text = path if type(path) is str else os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError("embedded null character")
    if text[:1] == "/" and text[-1] != "/" and "//" not in text and "/." not in text:
        return text  # nearly every path; the test costs a fraction of the loop
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def parent_of(path: str) -> str:
    """Return the folder of a normalised path; ``/`` for the root itself."""
    return path.rpartition("/")[0] or "/"


@lru_cache(maxsize=64)
def _matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(translate(pattern)).match


def already_there(path: str) -> ExistsError:
    """Return the error for a path that must not exist."""
    return ExistsError(f"{path}: there is something of this name already", errno=errno.EEXIST)


def not_folder(path: str) -> NotFolderError:
    """Return the error for a file where a folder is needed."""
    return NotFolderError(f"{path}: this is a file, not a folder", errno=errno.ENOTDIR)


def _root(verb: str) -> FileSystemError:
    return FileSystemError(f"/: the root cannot be {verb}", errno=errno.EBUSY)


def _is_root(target: object) -> bool:
    return target == "/" or (isinstance(target, Entry) and target.is_dir and target.path == "/")


def no_entry(path: str) -> NotFoundError:
    """Return the error for a path that leads to nothing."""
    return NotFoundError(f"{path}: no such file or folder", errno=errno.ENOENT)


def is_folder(path: str) -> IsFolderError:
    """Return the error for a folder where a file is needed."""
    return IsFolderError(f"{path}: this is a folder", errno=errno.EISDIR)


def _check_type(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}")


def _check_size(name: str, value: int) -> None:
    _check_type(name, value, int)
    if value < 0:
        raise UsageError(f"{name} must not be negative: {value}")


def bytes_view(data: Buffer) -> memoryview:
    """Return ``data`` as bytes; raises ``TypeError`` before anything is changed."""
    if isinstance(data, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    return memoryview(data).cast("B")


def _write_all(stream: BinaryIO, view: memoryview) -> int:
    written = 0
    while written < len(view):
        written += stream.write(view[written:])
    return written


def refuse(what: str) -> NoReturn:
    """Raise the error for an operation that a file system does not have (ENOTSUP)."""
    raise FileSystemError(what, errno=errno.ENOTSUP)
