"""An open file: the C's descriptor, and Python's own io stack on top of it."""

from __future__ import annotations

import io
import os
from typing import IO, TYPE_CHECKING, Any

from maixfs.spiffs import fileops
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.spiffs.flags import OpenFlag

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer
    from maixfs.spiffs.core import SpiffsCore
    from maixfs.spiffs.slots import Slot
    from maixfs.spiffs.volume import Volume

_BUFFER_SIZE = 65536
_RDONLY, _WRONLY, _RDWR = int(OpenFlag.RDONLY), int(OpenFlag.WRONLY), int(OpenFlag.RDWR)
_APPEND = int(OpenFlag.APPEND)
_BUFFERS: dict[int, Any] = {
    _RDONLY: io.BufferedReader,
    _WRONLY: io.BufferedWriter,
    _RDWR: io.BufferedRandom,
}


class Descriptor:
    """An open file as the C has it: no buffering but the write cache, the C's error numbers.

    Dropping it writes nothing, as when power goes; ``close`` or ``flush`` does.
    """

    __slots__ = ("_fs", "_serial", "_slot", "_volume", "name")

    def __init__(self, fs: SpiffsCore, volume: Volume, slot: Slot, name: str) -> None:
        self.name = name
        self._fs = fs
        self._volume = volume
        self._slot = slot
        self._serial = slot.serial

    def _live(self) -> Slot:
        slot = self._slot
        if slot.open and slot.serial == self._serial:
            return slot
        code = Code.FILE_CLOSED if self._fs.mounted else Code.NOT_MOUNTED
        raise spiffs_error(code, self.name)

    @property
    def number(self) -> int:
        """The C's file handle: 1 for the first descriptor."""
        return self._slot.number

    @property
    def closed(self) -> bool:
        """Whether the descriptor was closed, or its file removed, or the mount is gone."""
        return not self._slot.open or self._slot.serial != self._serial

    @property
    def size(self) -> int:
        """Bytes of the file on flash; what waits in the write cache does not count."""
        return self._live().known_size

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes (all that follow when negative); empty at the end."""
        return fileops.read(self._volume, self._live(), size)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` from the offset on; returns the number of bytes."""
        return fileops.read_into(self._volume, self._live(), memoryview(buffer).cast("B"))

    def write(self, data: Buffer) -> int:
        """Write ``data`` and return its length; short writes wait in the write cache."""
        slot = self._live()
        self._fs.check_writable()
        return fileops.write(self._volume, slot, data)

    def write_now(self, data: Buffer) -> int:
        """Write ``data`` past the write cache: it is on flash when this returns its length."""
        slot = self._live()
        self._fs.check_writable()
        return fileops.write_now(self._volume, slot, data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the offset; -10003 past the end (the offset is then the end), -10040 below 0."""
        return fileops.seek(self._volume, self._live(), offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return fileops.tell(self._volume, self._live())

    def truncate(self, size: int, *, exact: bool = False) -> None:
        """Cut the file to ``size`` bytes; -10003 for more than it has.

        The C's own cut can leave bytes behind the new end that mix with later ones, or a page
        that garbage collection takes for a newer one (docs/SPEC.md, section 5.5); ``exact`` and
        a careful mount do not.
        """
        slot = self._live()
        self._fs.check_writable()
        fileops.cut(self._volume, slot, size, exact=exact)

    def flush(self) -> None:
        """Write what the cache holds of this file."""
        fileops.flush(self._volume, self._live())

    def close(self) -> None:
        """Flush and close; when the flush fails the descriptor stays open, as in the C."""
        slot = self._live()
        fileops.flush(self._volume, slot)
        slot.open = False

    def __enter__(self) -> Descriptor:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.closed:
            self.close()


class RawFile(io.RawIOBase):
    """A descriptor as Python's raw stream; seeks past the end stop at the end."""

    def __init__(self, descriptor: Descriptor, *, readable: bool, writable: bool) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._readable = readable
        self._writable = writable
        self.name = descriptor.name

    def readable(self) -> bool:
        """Whether the mode allows reading."""
        return self._readable

    def writable(self) -> bool:
        """Whether the mode allows writing."""
        return self._writable

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        """Fill ``buffer`` from the offset on; returns the number of bytes."""
        return self._descriptor.readinto(memoryview(buffer))

    def readall(self) -> bytes:
        """Return all that follows."""
        return self._descriptor.read()

    def write(self, data: Buffer) -> int:  # type: ignore[override]
        """Write ``data`` and return its length.

        Python buffers above this stream, and its ``flush`` does not reach below: so nothing is
        left to the write cache of SPIFFS.
        """
        return self._descriptor.write_now(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the offset and return it; SPIFFS files have no holes, so the end is the limit."""
        descriptor = self._descriptor
        if whence == os.SEEK_END:
            descriptor.flush()
            offset += descriptor.size
        elif whence == os.SEEK_CUR:
            offset += descriptor.tell()
        if offset < 0:
            raise ValueError(f"negative seek position {offset}")
        descriptor.flush()
        return descriptor.seek(min(offset, descriptor.size))

    def tell(self) -> int:
        """Return the offset."""
        return self._descriptor.tell()

    def truncate(self, size: int | None = None) -> int:
        """Cut the file to ``size`` bytes (the offset when ``None``)."""
        size = self._descriptor.tell() if size is None else size
        self._descriptor.truncate(size, exact=True)
        return size

    def flush(self) -> None:
        """Write what the cache holds for other descriptors of the file."""
        if self._writable and not self._descriptor.closed:
            self._descriptor.flush()

    def close(self) -> None:
        """Flush and close."""
        if self.closed:
            return
        try:
            if not self._descriptor.closed:
                self._descriptor.close()
        finally:
            super().close()


def open_stream(
    descriptor: Descriptor,
    flags: int,
    buffering: int,
    text: tuple[str, str | None, str | None] | None,
) -> IO[Any]:
    """Return Python's io objects over a descriptor.

    ``buffering`` is that of ``open``; ``text`` is (encoding, errors, newline), ``None`` for a
    binary stream.
    """
    access = int(flags) & _RDWR
    raw = RawFile(descriptor, readable=access != _WRONLY, writable=access != _RDONLY)
    if flags & _APPEND:
        raw.seek(0, os.SEEK_END)  # Python's own files stand at the end then
    if buffering == 0:
        return raw  # type: ignore[return-value]
    size = buffering if buffering > 1 else _BUFFER_SIZE
    buffered: Any = _BUFFERS[access](raw, size)
    if text is None:
        return buffered  # type: ignore[no-any-return]
    encoding, errors, newline = text
    return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
