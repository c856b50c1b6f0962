"""MicroPython's file objects: streams without a buffer over an open file of a driver.

Every call goes straight to the driver. A dropped object writes nothing and closes nothing, so
that a power cut finds on the medium what it finds on a board. A driver closes dropped files
when the board's garbage collector runs (``OpenFiles``).
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import index
from typing import Any, Generic, Protocol, Self, TypeVar

from maixfs.vfs.errors import Errno, VfsError

Content = TypeVar("Content", str, bytes)

_POSITIONS = 1 << 64
"""Positions are unsigned 64-bit words: a negative error number shows as a large position."""
_SIZES = 1 << 32
"""Sizes in the text of a ``MemoryError`` have 32 bits."""
_FEW = 16


# Text

# MicroPython strings are UTF-8 bytes that are not checked; Python's are code points. A byte that
# is not UTF-8 becomes a lone surrogate and is the same byte again when it is written.


def encode(text: str) -> bytes:
    """Return the bytes that MicroPython would hold for ``text``.

    Bytes that ``decode`` turned into lone surrogates come back unchanged.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def decode(raw: bytes | bytearray) -> str:
    """Return ``raw`` as text; a byte that is not UTF-8 becomes a lone surrogate."""
    return raw.decode("utf-8", "surrogateescape")


def c_string(value: object) -> str:
    """Return a path or mode argument as C code reads it: up to the first NUL.

    Takes ``str`` or ``bytes``; anything else raises ``TypeError``, as in MicroPython.
    """
    if isinstance(value, bytes):
        value = decode(value)
    if not isinstance(value, str):
        raise TypeError(f"can't convert '{type(value).__name__}' object to str implicitly")
    return value.partition("\0")[0]


def same_kind(path: object, text: str) -> str | bytes:
    """Return ``text`` in the type of ``path``: bytes for bytes, else ``str``."""
    return encode(text) if isinstance(path, bytes) else text


def character_length(first: int) -> int:
    """Return the number of bytes of a character, as MicroPython derives it from its first byte.

    MicroPython counts the leading 1 bits of that byte and does not check them: a byte that
    cannot start a character counts for five.
    """
    if first < 0x80:
        return 1
    if first & 0xE0 == 0xC0:
        return 2
    if first & 0xF0 == 0xE0:
        return 3
    return 4 if first & 0xF8 == 0xF0 else 5


def read_characters(fill: Callable[[int], bytes | bytearray], count: int) -> bytearray:
    """Return the bytes of ``count`` characters; ``fill(n)`` reads ``n`` bytes, fewer at the end.

    It never reads past the last character, because a stream cannot be asked to seek back: every
    missing character has at least one byte, so that ``count`` more bytes are always safe to
    read, and an incomplete character adds the bytes that its first byte announces.
    """
    text = bytearray()
    start = 0
    missing = count
    while missing:
        piece = fill(missing)
        text += piece
        if not piece:
            break
        while start < len(text):
            length = character_length(text[start])
            if start + length > len(text):
                missing = start + length - len(text) + count - 1
                break
            start += length
            count -= 1
            missing = count
    return text


# Files of a driver


class RawFile(Protocol):
    """An open file of a driver; methods raise ``VfsError`` with the driver's number."""

    @property
    def lookahead(self) -> int:
        """Bytes (1 or more) that a search for a newline may read and give back by a seek.

        The firmware reads one at a time; more is allowed where a program sees no difference.
        """

    def read(self, size: int) -> bytes:
        """Return up to ``size`` (more than 0) bytes from the position on; ``b""`` at the end."""

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""

    def write(self, data: memoryview) -> int:
        """Write ``data`` (not empty) at the position; return the number of bytes written."""

    def seek(self, offset: int, whence: int) -> int:
        """Move the position and return what the driver reports (0 start, 1 here, 2 end)."""

    def flush(self) -> None:
        """Write to the medium what the driver still holds in RAM."""

    def close(self) -> None:
        """Flush and free the descriptor; closing again does nothing."""


class ClosableFile(RawFile, Protocol):
    """A driver's file that knows whether it is closed."""

    @property
    def closed(self) -> bool:
        """Whether there is nothing left to close."""


# File objects


class StreamFile(ABC, Generic[Content]):
    """What ``FileIO`` and ``TextIOWrapper`` share; sizes and positions are bytes.

    Methods raise ``VfsError`` with the driver's number, ``TypeError`` for an argument of another
    type and ``MemoryError`` for a negative size other than -1.
    """

    __slots__ = ("__weakref__", "_check_utf8", "_raw")
    _name = "stream"
    _spare = 0
    """Bytes that the firmware allocates beyond the requested size: a closing zero."""

    def __init__(self, raw: RawFile) -> None:
        self._raw = raw
        self._check_utf8 = False

    @abstractmethod
    def _content(self, raw: bytes | bytearray) -> Content:
        """Return the bytes in the type of this kind of file."""

    def _take(self, size: int) -> bytes | bytearray:
        """Read ``size`` units."""
        return self._fill(size)

    def _fill(self, size: int) -> bytes | bytearray:
        """Read until there are ``size`` bytes or the file ends."""
        piece = self._raw.read(size) if size else b""
        if len(piece) in (0, size):
            return piece
        # A short read is not the end: the stream layer of v1.11 asks until nothing comes.
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
        """Fill ``buffer``, or its first ``size`` bytes; return the number of bytes read."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("object with buffer protocol required")
        wanted = len(view) if size is None else index(size)
        # The firmware takes a size that is negative or too large for the size of the buffer.
        data = self._fill(wanted if 0 <= wanted <= len(view) else len(view))
        view[: len(data)] = data
        return len(data)

    def readline(self, size: int = -1, /) -> Content:
        """Return the rest of the line with its newline, at most ``size`` bytes."""
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
                # The firmware reads byte by byte and gets as far as the byte that fails. A read
                # that failed moved nothing: go on in single bytes up to the same place.
                careful = True
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
        # As in v1.11 no call reaches the driver for an empty write, even on a closed file.
        done = 0
        while done < len(view):
            written = self._raw.write(view[done:])
            if not written:
                break
            done += written
        return done

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move the position; return the driver's answer as an unsigned 64-bit number.

        Only a negative offset from the start is checked (EINVAL): as in v1.11, ``whence`` goes
        to the driver whatever it is.
        """
        offset, whence = index(offset), index(whence)
        if whence == 0 and offset < 0:
            raise VfsError(Errno.EINVAL)
        return self._raw.seek(offset, whence) % _POSITIONS

    def tell(self) -> int:
        """Return the position, by a seek of 0 bytes as in the firmware."""
        return self.seek(0, 1)

    def flush(self) -> None:
        """Write to the medium what the driver still holds in RAM."""
        self._raw.flush()

    def close(self) -> None:
        """Flush and close; closing again does nothing."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        # A program can call __del__, as on the board. It is not defined in the class, because
        # Python would then close dropped files itself, and they have to stay open.
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
    """A file opened as text: reads give ``str`` and count characters; newlines are kept."""

    __slots__ = ()
    _name = "TextIOWrapper"

    def _content(self, raw: bytes | bytearray) -> str:
        if self._check_utf8:
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                raise UnicodeError from None  # MicroPython's has no text
        return decode(raw)

    def _take(self, size: int) -> bytearray:
        return read_characters(self._fill, size)


def _count(size: Any, spare: int = 0) -> int:
    """Return a size argument: -1 or more.

    v1.11 takes any other negative size for an unsigned one and fails to allocate it.
    """
    wanted = index(size)
    if wanted < -1:
        needed = (wanted + spare) % _SIZES
        raise MemoryError(f"memory allocation failed, allocating {needed} bytes")
    return wanted


def _bytes_of(data: Any) -> memoryview:
    return memoryview(encode(data) if isinstance(data, str) else data).cast("B")


def _part(view: memoryview, limits: tuple[int, ...]) -> memoryview:
    """Return the part of ``view`` that ``write`` is to use.

    The firmware takes the numbers for unsigned words, so that negative ones are very large.
    """
    if len(limits) > 2:
        raise TypeError("function expected at most 4 arguments")
    numbers = [index(limit) % _POSITIONS for limit in limits]
    offset = numbers[0] if len(numbers) == 2 else 0
    view = view[min(offset, len(view)) :]
    return view[: min(numbers[-1], len(view))] if numbers else view


# The open files of a driver

Raw = TypeVar("Raw", bound=ClosableFile)


class OpenFiles(Generic[Raw]):
    """A driver's open files, each with a weak reference to the program's object."""

    def __init__(self) -> None:
        self._entries: list[tuple[weakref.ref[object], Raw]] = []
        self._limit = _FEW

    def add(self, raw: Raw, letters: str) -> FileIO | TextIOWrapper:
        """Return the program's object for ``raw``; the last ``b`` or ``t`` of the mode decides."""
        kinds = [letter for letter in letters if letter in "bt"]
        file = FileIO(raw) if kinds[-1:] == ["b"] else TextIOWrapper(raw)
        if len(self._entries) >= self._limit:
            # Closed entries are dropped when the list has doubled, not at every open: with
            # thousands of open files that would look through all of them each time.
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

        Return their number. A close that fails is ignored: a finaliser has no caller.
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
