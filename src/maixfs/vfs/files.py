"""MicroPython's file objects: streams without a buffer over a driver's open file.

Every call goes straight down. An object that is dropped writes nothing and closes nothing: on a
board that is what a power cut finds. A driver closes what was dropped when the board's garbage
collector runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from operator import index
from typing import Any, Generic, Self, TypeVar

from maixfs.vfs.errnos import Errno
from maixfs.vfs.errors import VfsError
from maixfs.vfs.raw import RawFile
from maixfs.vfs.text import decode, encode
from maixfs.vfs.utf8 import read_characters

Content = TypeVar("Content", str, bytes)

_POSITIONS = 1 << 64
"""Positions are printed as unsigned words of 64 bits: an error below 0 shows as a large number."""
_SIZES = 1 << 32
"""Sizes in the text of a ``MemoryError`` have 32 bits."""


class StreamFile(ABC, Generic[Content]):
    """What ``FileIO`` and ``TextIOWrapper`` share; sizes and positions are bytes.

    Methods raise ``VfsError`` with the driver's number, ``TypeError`` for an argument of another
    type and ``MemoryError`` for a negative size other than -1.
    """

    __slots__ = ("__weakref__", "_check_utf8", "_raw")
    _name = "stream"
    _spare = 0
    """Bytes that the firmware allocates beyond those asked for: a closing zero."""

    def __init__(self, raw: RawFile) -> None:
        self._raw = raw
        self._check_utf8 = False

    @abstractmethod
    def _content(self, raw: bytes | bytearray) -> Content:
        """Return what was read in the type that this kind of file gives."""

    def _take(self, size: int) -> bytes | bytearray:
        """Read ``size`` units."""
        return self._fill(size)

    def _fill(self, size: int) -> bytes | bytearray:
        """Read until ``size`` bytes are there or the file ends."""
        piece = self._raw.read(size) if size else b""
        if len(piece) in (0, size):
            return piece
        whole = bytearray(piece)
        while piece and len(whole) < size:
            piece = self._raw.read(size - len(whole))
            whole += piece
        return whole

    def read(self, size: int = -1, /) -> Content:
        """Return ``size`` bytes or characters, or everything that follows for -1."""
        wanted = _count(size, self._spare)
        return self._content(self._raw.read_all() if wanted == -1 else self._take(wanted))

    def readinto(self, buffer: Any, size: int | None = None, /) -> int:
        """Fill ``buffer`` (at most ``size`` bytes of it); return how many bytes went in."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("object with buffer protocol required")
        wanted = len(view) if size is None else index(size)
        data = self._fill(wanted if 0 <= wanted <= len(view) else len(view))
        view[: len(data)] = data
        return len(data)

    def readline(self, size: int = -1, /) -> Content:
        """Return up to and with the next newline, at most ``size`` bytes."""
        return self._content(self._line(_count(size)))

    def _line(self, limit: int) -> bytearray:
        line = bytearray()
        careful = False
        while len(line) != limit:
            ahead = 1 if careful else self._raw.lookahead
            wanted = ahead if limit == -1 else min(ahead, limit - len(line))
            try:
                piece = self._raw.read(wanted)
            except VfsError:
                if wanted == 1:
                    raise
                careful = True  # the bytes before the bad one are still to be had
                continue
            end = piece.find(b"\n") + 1
            line += piece[:end] if end else piece
            if 0 < end < len(piece):
                self._raw.seek(end - len(piece), 1)
            if end or not piece:
                break
        return line

    def readlines(self) -> list[Content]:
        """Return all lines that follow."""
        return list(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Content:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def write(self, data: Any, /, *limits: int) -> int:
        """Write text or bytes, either into either kind of file; return the number of bytes.

        ``write(data, size)`` writes the first ``size`` bytes, ``write(data, offset, size)``
        those from ``offset`` on.
        """
        view = _part(_bytes_of(data), limits)
        done = 0
        while done < len(view):
            written = self._raw.write(view[done:])
            if not written:
                break
            done += written
        return done

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move the position; return where the driver says it is (unsigned, 64 bits)."""
        offset, whence = index(offset), index(whence)
        if whence == 0 and offset < 0:
            raise VfsError(Errno.EINVAL)
        return self._raw.seek(offset, whence) % _POSITIONS

    def tell(self) -> int:
        """Return the position, by a seek that goes nowhere."""
        return self.seek(0, 1)

    def flush(self) -> None:
        """Bring what the driver holds to the medium."""
        self._raw.flush()

    def close(self) -> None:
        """Flush and close; closing again does nothing."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        # A program can call it; Python, which looks at the class, must not.
        if name == "__del__":
            return self.close
        raise AttributeError(f"'{self._name}' object has no attribute '{name}'")

    def __repr__(self) -> str:
        return f"<io.{self._name} {id(self):x}>"


class FileIO(StreamFile[bytes]):
    """A file opened with ``b``: reads give bytes."""

    __slots__ = ()
    _name = "FileIO"
    _spare = 1

    def _content(self, raw: bytes | bytearray) -> bytes:
        return bytes(raw)


class TextIOWrapper(StreamFile[str]):
    """A file opened as text: reads give ``str`` and count characters; newlines stay."""

    __slots__ = ()
    _name = "TextIOWrapper"

    def _content(self, raw: bytes | bytearray) -> str:
        if self._check_utf8:
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                raise UnicodeError from None
        return decode(raw)

    def _take(self, size: int) -> bytearray:
        return read_characters(self._fill, size)


def _count(size: Any, spare: int = 0) -> int:
    """Return a size argument: -1 or more."""
    wanted = index(size)
    if wanted < -1:
        needed = (wanted + spare) % _SIZES
        raise MemoryError(f"memory allocation failed, allocating {needed} bytes")
    return wanted


def _bytes_of(data: Any) -> memoryview:
    return memoryview(encode(data) if isinstance(data, str) else data).cast("B")


def _part(view: memoryview, limits: tuple[int, ...]) -> memoryview:
    """Cut ``view`` as ``write`` is told to; negative numbers count as very large ones."""
    if len(limits) > 2:
        raise TypeError("function expected at most 4 arguments")
    numbers = [index(limit) % _POSITIONS for limit in limits]
    offset = numbers[0] if len(numbers) == 2 else 0
    view = view[min(offset, len(view)) :]
    return view[: min(numbers[-1], len(view))] if numbers else view
