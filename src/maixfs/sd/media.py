"""What holds a card's sectors: the host's memory, a file or block device, a part of another.

    card = RamSectors(128 << 21)                      # 128 GiB, costs what is written to it
    card = FileSectors.create("card.img", 8 << 21)    # a sparse file
    card = FileSectors.open("/dev/sdb")               # read-only unless asked

All are ``SectorDevice``, and have ``zero``, which costs little where nothing was written.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.host.drafts import create_sparse
from maixfs.host.files import HostFile
from maixfs.sd.device import SECTOR, Buffer, SectorDevice
from maixfs.sd.errors import FILE_ERRORS, CardImageError, SectorError, out_of_card

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from maixfs.sd.observe import SectorObserver

CHUNK = 1 << 16
"""Bytes of the pieces in which memory is taken, and in which zeros are written."""
_CHUNK_SECTORS = CHUNK // SECTOR
_ZEROS = memoryview(bytes(CHUNK))
_PLAIN = (bytes, bytearray, memoryview)


class Medium(ABC):
    """What all media share: bounds, write protection, observers.

    ``observers`` see each write (``SectorObserver``); ``zero`` then comes to them as writes.
    """

    def __init__(self, sectors: int, *, read_only: bool = False) -> None:
        if sectors <= 0:
            raise SectorError(f"a card of {sectors} sectors cannot be")
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
        for observer in self.observers:
            observer.before(self, sector, view)
        self._store(sector * SECTOR, view)
        for observer in self.observers:
            observer.after(self, sector, view)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero; room that they took is given back where that can be."""
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)
        self._check_writable()
        if self.observers:
            _write_zeros(self, sector, count)
        else:
            self._clear(sector * SECTOR, (sector + count) * SECTOR)

    @abstractmethod
    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors, for an observer: without a look at the bounds."""

    def poke(self, sector: int, data: Buffer) -> None:
        """Lay down ``data`` unseen: the part of a torn write that lands."""
        self._store(sector * SECTOR, _bytes_of(data))

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        return

    def close(self) -> None:
        """Let the medium go."""
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
        if length % SECTOR:
            raise SectorError(f"{length} bytes are not whole sectors of {SECTOR}")
        if sector < 0 or sector * SECTOR + length > self.sectors * SECTOR:
            raise out_of_card(sector, length // SECTOR, self.sectors)

    def _check_writable(self) -> None:
        if self.read_only:
            raise SectorError(f"{self} is read-only")


class RamSectors(Medium):
    """A card in the host's memory, which takes what has been written to it, by 64 KiB.

    ``content`` is what its first bytes are; the rest is zero.
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
        """Return sectors, for an observer."""
        offset, length = sector * SECTOR, count * SECTOR
        start = offset % CHUNK
        if start + length > CHUNK:
            return b"".join(self._pieces(offset, offset + length))
        chunk = self._chunks.get(offset // CHUNK)
        return bytes(length if chunk is None else memoryview(chunk)[start : start + length])

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        # A file system writes one sector or a few over others most of the time.
        length = data.nbytes if isinstance(data, memoryview) else len(data)
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
        else:
            chunk[start : start + length] = data

    @property
    def memory(self) -> int:
        """Bytes of the host's memory that the written sectors take."""
        return len(self._chunks) * CHUNK

    def _pieces(self, offset: int, end: int) -> Iterator[memoryview]:
        """Yield what lies between two offsets, chunk by chunk, not copied."""
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
            index, start = divmod(offset + done, CHUNK)
            length = min(CHUNK - start, end - done)
            chunk = chunks.get(index)
            if chunk is not None:
                # Through a view: a slice of a bytearray would be copied twice.
                memoryview(chunk)[start : start + length] = view[done : done + length]
            elif length == CHUNK:
                chunks[index] = bytearray(view[done : done + length])
            else:
                chunks[index] = chunk = bytearray(CHUNK)
                chunk[start : start + length] = view[done : done + length]
            done += length

    def _clear(self, offset: int, end: int) -> None:
        first, last = -(-offset // CHUNK), end // CHUNK
        for edge, stop in ((offset, min(end, first * CHUNK)), (max(offset, last * CHUNK), end)):
            chunk = self._chunks.get(edge // CHUNK)
            if edge < stop and chunk is not None:
                chunk[edge % CHUNK : edge % CHUNK + stop - edge] = bytes(stop - edge)
        if last - first < len(self._chunks):
            whole = [index for index in range(first, last) if index in self._chunks]
        else:
            whole = [index for index in self._chunks if first <= index < last]
        for index in whole:
            del self._chunks[index]


class FileSectors(Medium):
    """A card in a file of the host (sparse where the host can) or on a block device.

    ``note`` says what is odd about the file, or is ``None``: bytes after the last whole sector
    are left alone, and such a file is only read. Raises ``SectorError`` for a file that cannot be
    opened that way, ``CardImageError`` for one that holds no sector.
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
    def open(cls, path: str | os.PathLike[str], read_only: bool = True) -> Self:
        """Open an existing image or block device."""
        return cls(path, read_only=read_only)

    @classmethod
    def create(cls, path: str | os.PathLike[str], sectors: int) -> Self:
        """Make a new image, all zero; nothing is overwritten. Raises ``SectorError``."""
        if sectors <= 0:
            raise SectorError(f"a card of {sectors} sectors cannot be")
        create_sparse(Path(path), sectors * SECTOR, base=SectorError)
        return cls(path, read_only=False)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def block_device(self) -> bool:
        """Whether this is a drive of the host, not a file on one."""
        return self._file.block_device

    def peek(self, sector: int, count: int) -> bytes:
        """Return sectors, for an observer."""
        return self._file.read(sector * SECTOR, count * SECTOR)

    def sync(self) -> None:
        """Return when the host has everything on its disk."""
        if not self.read_only:
            self._file.sync()

    def close(self) -> None:
        """Let the file go; nothing can be read or written any more."""
        self._file.close()

    def _load(self, offset: int, view: memoryview) -> None:
        self._file.readinto(offset, view)

    def _store(self, offset: int, view: memoryview) -> None:
        self._file.write(offset, view)

    def _clear(self, offset: int, end: int) -> None:
        """Write zeros over what is no hole already."""
        for start, stop in self._file.data_extents(offset, end):
            for at in range(start, stop, CHUNK):
                self._file.write(at, _ZEROS[: stop - at])


class SectorWindow:
    """``sectors`` sectors of ``device`` from ``start`` on, as a device of their own.

    Raises ``SectorError`` where they reach past the end of the device.
    """

    def __init__(self, device: SectorDevice, start: int, sectors: int) -> None:
        if start < 0 or sectors <= 0 or start + sectors > device.sectors:
            raise out_of_card(start, sectors, device.sectors)
        self.device = device
        self.start = start
        self.sectors = sectors

    @property
    def read_only(self) -> bool:
        """Whether ``write`` is refused."""
        return self.device.read_only

    def read(self, sector: int, count: int) -> bytes:
        """Return ``count`` sectors."""
        self._check(sector, count)
        return self.device.read(self.start + sector, count)

    def readinto(self, sector: int, buffer: memoryview) -> None:
        """Fill ``buffer``, whole sectors long."""
        self._check(sector, -(-buffer.nbytes // SECTOR))
        self.device.readinto(self.start + sector, buffer)

    def write(self, sector: int, data: Buffer) -> None:
        """Write ``data``, whole sectors long."""
        self._check(sector, -(-memoryview(data).nbytes // SECTOR))
        self.device.write(self.start + sector, data)

    def zero(self, sector: int, count: int) -> None:
        """Make ``count`` sectors zero."""
        self._check(sector, count)
        zero_sectors(self.device, self.start + sector, count)

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        self.device.sync()

    def _check(self, sector: int, count: int) -> None:
        if sector < 0 or count < 0 or sector + count > self.sectors:
            raise out_of_card(sector, count, self.sectors)


def zero_sectors(device: SectorDevice, sector: int, count: int) -> None:
    """Make ``count`` sectors of any device zero: by its ``zero`` where it has one."""
    zero = getattr(device, "zero", None)
    if zero is not None:
        zero(sector, count)
    else:
        _write_zeros(device, sector, count)


def _write_zeros(device: SectorDevice, sector: int, count: int) -> None:
    piece = CHUNK // SECTOR
    for start in range(sector, sector + count, piece):
        device.write(start, _ZEROS[: min(piece, sector + count - start) * SECTOR])


def _bytes_of(data: Buffer) -> memoryview:
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def _odd_size(file: HostFile, *, read_only: bool) -> str | None:
    """Return what is odd about the size of a file; raises where that is too odd."""
    odd = file.size % SECTOR
    if not file.size and file.block_device:
        raise CardImageError(
            f"{file.path} says nothing of its size, or no card is in it",
            hint="put a card into the reader",
        )
    if file.size < SECTOR:
        raise CardImageError(
            f"{file.path} has {file.size} bytes, less than one sector",
            hint="a card image holds whole sectors of 512 bytes, from the card's first on",
        )
    if not odd:
        return None
    note = f"{file.path} has {odd} bytes after its last whole sector"
    if not read_only:
        raise CardImageError(note, hint="cut or fill it, or open it read-only")
    return note
