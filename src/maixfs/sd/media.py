"""Media that store a card's sectors: memory of the host, an image file or a block device.

    card = RamSectors(128 << 21)                      # 128 GiB; takes memory only when written
    card = FileSectors.create("card.img", 8 << 21)    # a sparse file
    card = FileSectors.open("/dev/sdb")               # read-only unless asked

Each is a ``SectorDevice`` with a method ``zero``, which is cheap for sectors never written.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from maixfs.host.drafts import create_sparse
from maixfs.host.files import HostFile
from maixfs.sd.device import SECTOR, Buffer, sectors_in, write_zeros
from maixfs.sd.errors import (
    FILE_ERRORS,
    CardImageError,
    SectorError,
    invalid_size,
    out_of_card,
    read_only_error,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

CHUNK = 1 << 16
"""Bytes of the pieces in which memory is allocated and zeros are written to files."""
_CHUNK_SECTORS = CHUNK // SECTOR
_CHUNK_MASK = CHUNK - 1
_ZEROS = memoryview(bytes(CHUNK))
# Types whose slice assignment counts bytes; an array or a numpy view may have wider elements.
_PLAIN = (bytes, bytearray, memoryview)
_COPIED = 4096
"""Bytes up to which a copy costs less than a view of the card's memory."""


class SectorObserver(Protocol):
    """An observer of a medium; ``data`` is whole sectors long and only valid during the call.

    ``medium.peek`` returns the old sectors in ``before`` and the new ones in ``after``. An
    exception from ``before`` stops the write: none of it is stored. A power cut is an observer
    that stores as many sectors as the torn write leaves (``Medium.poke``), then raises.
    """

    def before(self, medium: Medium, sector: int, data: memoryview) -> None:
        """Observe a write that is about to be stored; an exception stops it."""

    def after(self, medium: Medium, sector: int, data: memoryview) -> None:
        """Observe a write that has been stored."""


class Medium(ABC):
    """Base of all media: checks of bounds and write protection, and observers.

    ``observers`` see each write (``SectorObserver``); with observers, ``zero`` writes zeros so
    that they see it too.
    """

    def __init__(self, sectors: int, *, read_only: bool = False) -> None:
        if index(sectors) <= 0:
            raise invalid_size(sectors)
        self.sectors = sectors
        self.read_only = read_only
        self.observers: list[SectorObserver] = []

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        return self.peek(sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        view = _bytes_of(buffer)
        self._check(sector, len(view))
        self._load(sector * SECTOR, view)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        view = _bytes_of(data)
        self._check(sector, len(view))
        self._check_writable()
        if not self.observers:
            self._store(sector * SECTOR, view)
            return
        # All observers agree before anything is stored: one that raises stops the write.
        for observer in self.observers:
            observer.before(self, sector, view)
        self._store(sector * SECTOR, view)
        for observer in self.observers:
            observer.after(self, sector, view)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; frees the memory or disk space they used if possible."""
        if index(sector) < 0 or index(count) < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        self._check_writable()
        if self.observers:
            write_zeros(self, sector, count)
        else:
            self._clear(sector * SECTOR, (sector + count) * SECTOR)

    @abstractmethod
    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors without checking the bounds; for observers."""

    def poke(self, sector: int, data: Buffer) -> None:
        """Write ``data`` unchecked and unobserved: the part of a torn write that is stored."""
        self._store(sector * SECTOR, _bytes_of(data))

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        return

    def close(self) -> None:
        """Release the medium."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _load(self, offset: int, view: memoryview) -> None:
        """Fill ``view`` from a byte offset."""

    @abstractmethod
    def _store(self, offset: int, view: memoryview) -> None:
        """Write ``view`` at a byte offset."""

    @abstractmethod
    def _clear(self, offset: int, end: int) -> None:
        """Make bytes zero."""

    def _check(self, sector: int, length: int) -> None:
        count = sectors_in(length)
        if index(sector) < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)

    def _check_writable(self) -> None:
        if self.read_only:
            raise read_only_error(self)


class RamSectors(Medium):
    """A card in the memory of the host, allocated in pieces of 64 KiB as it is written.

    ``content`` is the initial content from sector 0 on; the rest is zero.
    """

    def __init__(self, sectors: int, content: Buffer | None = None) -> None:
        super().__init__(sectors)
        self._chunks: dict[int, bytearray] = {}
        self._end = sectors * SECTOR
        if content:
            view = _bytes_of(content)
            padded = -(-len(view) // SECTOR) * SECTOR
            self._check(0, padded)
            self._store(0, view)

    def __str__(self) -> str:
        return f"a card of {self.sectors} sectors in memory"

    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors without checking the bounds."""
        offset, length = sector * SECTOR, count * SECTOR
        start = offset & _CHUNK_MASK  # raises TypeError for a float, unlike %
        if start + length > CHUNK:
            return b"".join(self._pieces(offset, offset + length))
        chunk = self._chunks.get(offset // CHUNK)
        return bytes(length if chunk is None else memoryview(chunk)[start : start + length])

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        # Most writes of a file system are a few sectors in memory that is allocated already:
        # they are one slice assignment here. Every other case goes through the base class.
        length = len(data) if type(data) is not memoryview else data.nbytes
        chunk = self._chunks.get(sector // _CHUNK_SECTORS)
        start = sector % _CHUNK_SECTORS * SECTOR
        if (
            chunk is None
            or length % SECTOR
            or start + length > CHUNK
            or sector * SECTOR + length > self._end
            or type(data) not in _PLAIN
            or self.observers
            or self.read_only
        ):
            super().write(sector, data)
        elif (
            length > _COPIED and type(data) is memoryview and data.format == "B" and data.ndim == 1
        ):
            # Assigning a view to a slice of a bytearray would first copy it to bytes.
            memoryview(chunk)[start : start + length] = data
        else:
            chunk[start : start + length] = data

    @property
    def memory(self) -> int:
        """Bytes of memory allocated for the written sectors."""
        return len(self._chunks) * CHUNK

    def _pieces(self, offset: int, end: int) -> Iterator[memoryview]:
        """Yield views of the bytes between two offsets, chunk by chunk."""
        while offset < end:
            start = offset % CHUNK
            length = min(CHUNK - start, end - offset)
            chunk = self._chunks.get(offset // CHUNK)
            view = _ZEROS if chunk is None else memoryview(chunk)
            yield view[start : start + length]
            offset += length

    def _load(self, offset: int, view: memoryview) -> None:
        done = 0
        for piece in self._pieces(offset, offset + len(view)):
            view[done : done + len(piece)] = piece
            done += len(piece)

    def _store(self, offset: int, view: memoryview) -> None:
        chunks, done, end = self._chunks, 0, len(view)
        while done < end:
            number, start = divmod(offset + done, CHUNK)
            length = min(CHUNK - start, end - done)
            chunk = chunks.get(number)
            if chunk is not None:
                # Assigning a view to a slice of a bytearray would first copy it to bytes.
                memoryview(chunk)[start : start + length] = view[done : done + length]
            elif length == CHUNK:
                # Not zeroed first: a copy of an image consists of these.
                chunks[number] = bytearray(view[done : done + length])
            else:
                chunks[number] = chunk = bytearray(CHUNK)
                chunk[start : start + length] = view[done : done + length]
            done += length

    def _clear(self, offset: int, end: int) -> None:
        # Partial chunks at both ends are cleared in place, whole ones are freed.
        first, last = -(-offset // CHUNK), end // CHUNK
        for edge, stop in ((offset, min(end, first * CHUNK)), (max(offset, last * CHUNK), end)):
            chunk = self._chunks.get(edge // CHUNK)
            if edge < stop and chunk is not None:
                chunk[edge % CHUNK : edge % CHUNK + stop - edge] = bytes(stop - edge)
        if last - first < len(self._chunks):
            whole = [number for number in range(first, last) if number in self._chunks]
        else:
            # A card of 128 GiB has two million chunks; only the allocated ones are visited.
            whole = [number for number in self._chunks if first <= number < last]
        for number in whole:
            del self._chunks[number]


class FileSectors(Medium):
    """A card in a file of the host (sparse if the host supports it) or on a block device.

    ``note`` is a sentence about bytes after the last whole sector, or ``None``; a file with such
    bytes can only be opened read-only. Raises ``SectorError`` for a file that cannot be opened
    that way, ``CardImageError`` for one that has no whole sector.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = True) -> None:
        self._file = HostFile(path, read_only=read_only, sector_size=SECTOR, errors=FILE_ERRORS)
        self.path = self._file.path
        try:
            self.note = _odd_size(self._file, read_only=read_only)
        except SectorError:
            self._file.close()
            raise
        super().__init__(self._file.size // SECTOR, read_only=read_only)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, read_only: bool = True) -> Self:
        """Open an existing image or block device."""
        return cls(path, read_only=read_only)

    @classmethod
    def create(cls, path: str | os.PathLike[str], sectors: int) -> Self:
        """Create a new image, all zero; an existing file is an error. Raises ``SectorError``."""
        if index(sectors) <= 0:
            raise invalid_size(sectors)
        create_sparse(Path(path), sectors * SECTOR, base=SectorError)
        return cls(path, read_only=False)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def block_device(self) -> bool:
        """Whether this is a block device of the host, not a regular file."""
        return self._file.block_device

    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors without checking the bounds."""
        return self._file.read(sector * SECTOR, count * SECTOR)

    def sync(self) -> None:
        """Return when the host has written everything to its disk."""
        if not self.read_only:
            self._file.sync()

    def close(self) -> None:
        """Close the file; every later read or write raises ``ClosedError``."""
        self._file.close()

    def _load(self, offset: int, view: memoryview) -> None:
        self._file.readinto(offset, view)

    def _store(self, offset: int, view: memoryview) -> None:
        self._file.write(offset, view)

    def _clear(self, offset: int, end: int) -> None:
        """Write zeros over the data of a range; holes of the file are zero already."""
        for start, stop in self._file.data_extents(offset, end):
            for at in range(start, stop, CHUNK):
                self._store(at, _ZEROS[: stop - at])


def _bytes_of(data: Buffer) -> memoryview:
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _odd_size(file: HostFile, *, read_only: bool) -> str | None:
    """Return a note about the size of a file, or ``None``; raises ``CardImageError``."""
    odd = file.size % SECTOR
    if not file.size and file.block_device:
        raise CardImageError(
            f"{file.path} states no size: perhaps there is no card in the reader",
            hint="put a card into the reader",
        )
    if file.size < SECTOR:
        raise CardImageError(
            f"{file.path} has {file.size} bytes, less than one sector",
            hint="a card image consists of whole sectors of 512 bytes, from sector 0 on",
        )
    if not odd:
        return None
    note = f"{file.path} has {odd} bytes after its last whole sector"
    # Writing could not keep such a file as it is: it is damaged, or not a card at all.
    if not read_only:
        raise CardImageError(note, hint="cut or pad it to whole sectors, or open it read-only")
    return note
