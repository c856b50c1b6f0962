"""Python's streams over a driver's open file: modes, the unbuffered stream, buffers and text."""

from __future__ import annotations

import errno
import io
import os
import weakref
from functools import lru_cache
from operator import index
from typing import IO, Any, Literal, Protocol, TypeAlias

from maixfs.errors import ClosedError, FileSystemError, UsageError, combined
from maixfs.tuples import NamedTuple

TextMode: TypeAlias = Literal[
    "r", "r+", "+r", "rt", "tr", "rt+", "r+t", "w", "w+", "wt", "tw", "wt+", "w+t",
    "a", "a+", "at", "ta", "at+", "a+t", "x", "x+", "xt", "tx", "xt+", "x+t",
]  # fmt: skip
BinaryMode: TypeAlias = Literal[
    "rb", "br", "rb+", "r+b", "+rb", "wb", "bw", "wb+", "w+b", "ab", "ba", "ab+", "a+b",
    "xb", "bx", "xb+", "x+b",
]  # fmt: skip

_BUFFER_SIZE = 65536
"""Bytes that a binary stream buffers: a few pages of flash, a few clusters of a card."""


class OpenMode(NamedTuple):
    """A mode of ``open``, taken apart."""

    reads: bool
    writes: bool
    creates: bool
    """A missing file is made (w, a, x)."""
    truncates: bool
    exclusive: bool
    appends: bool
    binary: bool


@lru_cache(maxsize=64)
def parse_mode(mode: str) -> OpenMode:
    """Take a mode of ``open`` apart; raises ``UsageError`` where CPython raises ValueError."""
    letters = set(mode)
    kinds = letters & set("rwax")
    # As CPython checks it: no letter twice, and exactly one of r, w, a, x.
    if len(letters) != len(mode) or letters - set("rwax+bt") or len(kinds) != 1:
        raise UsageError(f"invalid mode: {mode!r}", hint="one of r, w, a, x; with + and b or t")
    if {"b", "t"} <= letters:
        raise UsageError("can't have text and binary mode at once")
    kind = kinds.pop()
    updates = "+" in letters
    return OpenMode(
        reads=kind == "r" or updates,
        writes=kind != "r" or updates,
        creates=kind != "r",
        truncates=kind == "w",
        exclusive=kind == "x",
        appends=kind == "a",
        binary="b" in letters,
    )


class NativeFile(Protocol):
    """An open file of a driver: reads and writes at offsets inside the file or at its end."""

    @property
    def lost(self) -> bool:
        """Whether the mount was abandoned: what is written now goes nowhere."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def check_room(self, size: int) -> None:
        """Raise ``FullError`` or EFBIG if the file can certainly not grow to ``size`` bytes."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``, all of them inside the file."""

    def readinto_at(self, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset``, at most ``size``; returns the number of bytes."""

    def write_at(self, offset: int, data: memoryview) -> int:
        """Write ``data`` at ``offset``, at most ``size``; returns the number of bytes.

        Raises ``FullError`` where not a single byte fits.
        """

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes, less than it has."""

    def sync(self) -> None:
        """Write what the driver holds of the file in RAM to the medium."""

    def close(self) -> None:
        """Write everything and give the descriptor back."""


_ZEROS = bytes(_BUFFER_SIZE)
_close_stream = io.RawIOBase.close

OpenStreams: TypeAlias = "dict[int, weakref.ref[RawFile]]"
"""The files of a file system that are open, each under its ``id``; weak, so that a stream that
the program dropped is closed by Python, which takes the entry out, and not kept here.
"""


class RawFile(io.RawIOBase):
    """A driver's file as Python's unbuffered stream, as on a POSIX host.

    Drivers have no holes and cannot seek past the end: a position there is kept here, and the
    gap is filled with zeros by the write that needs it. ``WritableFile`` is the one that has
    something to flush: Python calls ``flush`` twice for each ``close``.
    """

    def __init__(self, file: NativeFile, name: str, mode: OpenMode, streams: OpenStreams) -> None:
        # No super().__init__(), which does nothing: opening a small file costs as much as this.
        self._file = file
        self._reads = mode.reads
        self._writes = mode.writes
        self._appends = mode.appends
        # CPython seeks to the end at opening too, so that tell is right before the first write.
        self._position = file.size if mode.appends else 0
        self._streams = streams
        self.name = name
        self.layers: tuple[weakref.ref[Any], ...] = ()
        """The streams on top of this one, the outermost first; they live as long as their user
        wants, and a program may detach them from one another."""

    def readable(self) -> bool:
        """Return whether the mode allows reading."""
        return self._reads

    def writable(self) -> bool:
        """Return whether the mode allows writing."""
        return self._writes

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        if self.closed:
            raise _is_closed()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position and return it; raises ``UsageError`` below 0 or for another whence."""
        if self.closed:
            raise _is_closed()
        if whence == os.SEEK_CUR:
            offset = self._position + index(offset)
        elif whence == os.SEEK_END:
            offset = self._file.size + index(offset)
        elif whence != os.SEEK_SET:
            raise UsageError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        # No limit upwards: a position past the end costs nothing until something is written there.
        if index(offset) < 0:
            # An OSError as on the host, where zipfile relies on it; a ValueError too.
            kind = combined(FileSystemError, UsageError)
            raise kind(f"negative seek position {offset}", errno=errno.EINVAL)
        self._position = offset
        return offset

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` from the position on; returns the number of bytes, 0 at the end."""
        if self.closed:
            raise _is_closed()
        if not self._reads:
            raise io.UnsupportedOperation("not readable")
        view = memoryview(buffer)
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        file, position = self._file, self._position
        left = file.size - position
        if left <= 0 or not view:
            return 0
        count = file.readinto_at(position, view[:left] if left < len(view) else view)
        self._position = position + count
        return count

    def readall(self) -> bytes:
        """Return everything from the position to the end."""
        if self.closed:
            raise _is_closed()
        if not self._reads:
            raise io.UnsupportedOperation("not readable")
        file, position = self._file, self._position
        left = file.size - position
        if left <= 0:
            return b""
        data = file.read_at(position, left)
        self._position = position + len(data)
        return data

    def write(self, data: Any, /) -> int:
        """Write ``data`` at the position, or at the end in an append mode; returns the bytes."""
        if self.closed:
            raise _is_closed()
        if not self._writes:
            raise io.UnsupportedOperation("not writable")
        view = memoryview(data).cast("B")
        # After a power cut buffers are flushed when they are closed; their bytes go nowhere, and
        # an error would hide what ended the mount.
        if not view or self._file.lost:
            return len(view)
        # At each write, as O_APPEND does it: another stream may have made the file longer.
        if self._appends:
            self._position = self._file.size
        self._fill_to(self._position)
        count = self._file.write_at(self._position, view)
        self._position += count
        return count

    def truncate(self, size: int | None = None, /) -> int:
        """Make the file ``size`` bytes long (the position unless given), with zeros if longer."""
        if self.closed:
            raise _is_closed()
        if not self._writes:
            raise io.UnsupportedOperation("truncate")
        size = self._position if size is None else index(size)
        if size < 0:
            raise UsageError(f"negative size {size}")
        if size < self._file.size:
            self._file.truncate(size)
        else:
            # Neither SPIFFS nor FAT has holes, so the zeros are written and take room.
            self._fill_to(size)
        return size

    def _fill_to(self, end: int) -> None:
        size = self._file.size
        if size < end:
            self._file.check_room(end)  # before the medium is filled with zeros for nothing
        while size < end:
            size += self._file.write_at(size, memoryview(_ZEROS)[: end - size])

    def close(self) -> None:
        """Write everything and close; the stream is closed also where writing fails."""
        if self.closed:
            return
        self._streams.pop(id(self), None)
        file = self._file
        try:
            if not file.lost:
                file.close()
        finally:
            self._writes = False  # no flush of a file that is gone
            _close_stream(self)

    def _open_layers(self) -> list[Any]:
        """Return the streams on top that are open and still have something below them."""
        layers = [layer for layer in (ref() for ref in self.layers) if layer is not None]
        return [layer for layer in layers if _is_open(layer)]

    def flush_all(self) -> None:
        """Flush this stream and those on top of it, the outermost first."""
        for stream in (*self._open_layers(), *(() if self.closed else (self,))):
            if stream.writable():
                stream.flush()

    def close_all(self) -> None:
        """Close this stream and those on top of it; the first error is raised afterwards."""
        try:
            for stream in self._open_layers():
                if _is_open(stream):
                    stream.close()
        finally:
            self.close()


class WritableFile(RawFile):
    """A ``RawFile`` that is open for writing."""

    def flush(self) -> None:
        """Write what the driver holds of the file to the medium."""
        super().flush()
        if self._writes and not self._file.lost:
            self._file.sync()


def _is_closed() -> ClosedError:
    return ClosedError("I/O operation on closed file")


def text_options(
    mode: OpenMode, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> tuple[str, str | None, str | None] | None:
    """Return the options of a text stream, ``None`` for a binary one; raises as ``open`` does."""
    if mode.binary:
        if encoding is not None or errors is not None or newline is not None:
            raise UsageError("binary mode doesn't take encoding, errors or newline")
        return None
    if buffering == 0:
        raise UsageError("can't have unbuffered text I/O")
    if newline not in (None, "", "\n", "\r", "\r\n"):
        raise UsageError(f"illegal newline value: {newline!r}")
    encoding = encoding or "utf-8"
    "".encode(encoding, errors or "strict")  # an unknown encoding raises before the file opens
    return encoding, errors, newline


def python_stream(
    raw: RawFile,
    mode: OpenMode,
    buffering: int,
    text: tuple[str, str | None, str | None] | None,
) -> IO[Any]:
    """Put Python's buffered and text streams on top of an unbuffered one."""
    if buffering == 0:
        return raw  # type: ignore[return-value]
    size = buffering if buffering > 1 else _BUFFER_SIZE
    buffered: Any
    # The classes that ``open`` uses; they keep one position for reading and writing.
    if mode.reads and mode.writes:
        buffered = io.BufferedRandom(raw, size)
    elif mode.writes:
        buffered = io.BufferedWriter(raw, size)
    else:
        buffered = io.BufferedReader(raw, size)
    if text is None:
        raw.layers = (weakref.ref(buffered),)
        return buffered  # type: ignore[no-any-return]
    encoding, errors, newline = text
    wrapper = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
    raw.layers = (weakref.ref(wrapper), weakref.ref(buffered))
    return wrapper


def _is_open(stream: Any) -> bool:
    """Return True unless a stream is closed or what was below it was detached."""
    try:
        return not stream.closed
    except ValueError:
        return False
