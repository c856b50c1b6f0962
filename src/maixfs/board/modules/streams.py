"""``uio``: streams in memory or in a script's class, and calls on any stream."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from maixfs.board.console import BytesInput, InputStream, OutputStream
from maixfs.board.modules.kit import make_module
from maixfs.vfs import FileIO, PlainOSError, TextIOWrapper
from maixfs.vfs.files import StreamFile, decode, encode

# Streams


class IOBase:
    """Base class of a script's own streams: ``readinto``, ``write``, ``ioctl``.

    The board calls ``write`` with a ``bytearray`` and ``readinto`` with one to fill; both return
    a number of bytes.
    """


class _Missing:
    """An attribute that files have and streams in memory lack."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, stream: object, owner: type) -> NoReturn:
        raise AttributeError(f"'{owner.__name__}' object has no attribute '{self._name}'")


class Memory:
    """Bytes with a position, as a ``RawFile``; ``ValueError`` after ``close``."""

    lookahead = 256

    def __init__(self, content: bytes) -> None:
        self._content: bytearray | None = bytearray(content)
        self._place = 0

    @property
    def content(self) -> bytearray:
        """The bytes; raises ``ValueError`` after ``close``."""
        if self._content is None:
            raise ValueError("I/O operation on closed file")
        return self._content

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        data = bytes(self.content[self._place : self._place + size])
        self._place += len(data)
        return data

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""
        return self.read(len(self.content))

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; a gap between the old end and the position becomes zeros."""
        content = self.content
        content.extend(bytes(max(0, self._place - len(content))))
        content[self._place : self._place + len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position and return it; a position before the start becomes 0."""
        start = {1: self._place, 2: len(self.content)}.get(whence, 0)
        self._place = max(0, start + offset)
        return self._place

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Drop the bytes."""
        self._content = None


class BytesIO(FileIO):
    """Bytes in memory; a number as the first argument is a size, which is ignored."""

    __slots__ = ("_memory",)
    _name = "BytesIO"
    readlines = tell = _Missing()

    def __init__(self, content: Any = b"") -> None:
        self._memory = _memory_of(content)
        super().__init__(self._memory)

    def getvalue(self) -> bytes:
        """Return the whole contents."""
        return bytes(self._memory.content)


class StringIO(TextIOWrapper):
    """Text in memory: a ``BytesIO`` that returns ``str``."""

    __slots__ = ("_memory",)
    _name = "StringIO"
    readlines = tell = _Missing()

    def __init__(self, content: Any = "") -> None:
        self._memory = _memory_of(content)
        super().__init__(self._memory)

    def getvalue(self) -> str:
        """Return the whole contents."""
        return decode(self._memory.content)


class BufferedWriter:
    """Writes to a stream in pieces of ``size`` bytes; ``flush`` writes the rest."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream = stream
        self._size = size
        self._held = bytearray()

    def write(self, data: Any) -> int:
        """Write text or bytes to the buffer; return the number of bytes."""
        view = memoryview(encode(data) if isinstance(data, str) else data).cast("B")
        self._held += view
        while len(self._held) >= self._size:
            send(self._stream, self._held[: self._size])
            del self._held[: self._size]
        return len(view)

    def flush(self) -> None:
        """Write the buffer to the stream, which is not flushed itself."""
        if self._held:
            send(self._stream, self._held)
            self._held = bytearray()


def send(stream: Any, data: str | bytearray) -> None:
    """Write to any stream of the board or of a script; raises ``OSError`` for another object."""
    if isinstance(stream, IOBase):
        rest = bytearray(encode(data) if isinstance(data, str) else data)
        # A stream may accept a part; one that accepts nothing ends the write.
        while rest:
            taken = stream.write(rest)  # type: ignore[attr-defined]
            if not taken:
                return
            rest = rest[taken:]
    elif isinstance(stream, StreamFile | OutputStream | BufferedWriter):
        stream.write(data)
    else:
        raise PlainOSError("stream operation not supported")


def read_rest(stream: Any) -> str | bytes:
    """Return what follows in any stream; raises ``OSError`` for an object that is not a stream."""
    if isinstance(stream, StreamFile | InputStream | BytesInput):
        return stream.read()
    if not isinstance(stream, IOBase):
        raise PlainOSError("stream operation not supported")
    # One byte at a time, so that a script's stream sees the requests of the firmware.
    whole, piece = bytearray(), bytearray(1)
    while stream.readinto(piece):  # type: ignore[attr-defined]
        whole += piece
    return bytes(whole)


def _memory_of(content: Any) -> Memory:
    if isinstance(content, int):
        return Memory(b"")
    return Memory(encode(content) if isinstance(content, str) else bytes(memoryview(content)))


# uio


def uio(opener: Callable[..., Any]) -> ModuleType:
    """Return the module; ``opener`` is the board's ``open``."""
    types = (BufferedWriter, BytesIO, FileIO, IOBase, StringIO, TextIOWrapper)
    return make_module("uio", {"open": opener} | {kind.__name__: kind for kind in types})
