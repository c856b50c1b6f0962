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
    """Base of streams that a script makes itself: ``readinto``, ``write``, ``ioctl``.

    The board calls ``write`` with a ``bytearray`` and ``readinto`` with one to fill; both return
    a number of bytes.
    """


class _Missing:
    """An attribute that files have and streams in memory have not."""

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
        """What it holds."""
        if self._content is None:
            raise ValueError("I/O operation on closed file")
        return self._content

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        data = bytes(self.content[self._place : self._place + size])
        self._place += len(data)
        return data

    def read_all(self) -> bytes:
        """Return what follows."""
        return self.read(len(self.content))

    def write(self, data: memoryview) -> int:
        """Write all of ``data``; what was skipped before it is zero."""
        content = self.content
        content.extend(bytes(max(0, self._place - len(content))))
        content[self._place : self._place + len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position, at most to the start; return it."""
        start = {1: self._place, 2: len(self.content)}.get(whence, 0)
        self._place = max(0, start + offset)
        return self._place

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let the bytes go."""
        self._content = None


class BytesIO(FileIO):
    """Bytes in memory; a number as the first argument is a size that is not looked at."""

    __slots__ = ("_memory",)
    _name = "BytesIO"
    readlines = tell = _Missing()

    def __init__(self, content: Any = b"") -> None:
        self._memory = _memory_of(content)
        super().__init__(self._memory)

    def getvalue(self) -> bytes:
        """Return everything that is in it."""
        return bytes(self._memory.content)


class StringIO(TextIOWrapper):
    """Text in memory; as ``BytesIO`` but for what it returns."""

    __slots__ = ("_memory",)
    _name = "StringIO"
    readlines = tell = _Missing()

    def __init__(self, content: Any = "") -> None:
        self._memory = _memory_of(content)
        super().__init__(self._memory)

    def getvalue(self) -> str:
        """Return everything that is in it."""
        return decode(self._memory.content)


class BufferedWriter:
    """``BufferedWriter(stream, size)``: hands on ``size`` bytes at a time, or at ``flush``."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream = stream
        self._size = size
        self._held = bytearray()

    def write(self, data: Any) -> int:
        """Take text or bytes; return their number."""
        view = memoryview(encode(data) if isinstance(data, str) else data).cast("B")
        self._held += view
        while len(self._held) >= self._size:
            send(self._stream, self._held[: self._size])
            del self._held[: self._size]
        return len(view)

    def flush(self) -> None:
        """Hand on what is held; the stream below is not flushed."""
        if self._held:
            send(self._stream, self._held)
            self._held = bytearray()


def send(stream: Any, data: str | bytearray) -> None:
    """Write to any stream that the board would write to; ``OSError`` for another object."""
    if isinstance(stream, IOBase):
        rest = bytearray(encode(data) if isinstance(data, str) else data)
        while rest:
            taken = stream.write(rest)  # type: ignore[attr-defined]
            if not taken:
                return
            rest = rest[taken:]
    elif isinstance(stream, StreamFile | OutputStream | BufferedWriter):
        stream.write(data)
    else:
        raise PlainOSError("stream operation not supported")


def drain(stream: Any) -> str | bytes:
    """Return what is left in any stream that the board would read."""
    if isinstance(stream, StreamFile | InputStream | BytesInput):
        return stream.read()
    if not isinstance(stream, IOBase):
        raise PlainOSError("stream operation not supported")
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
