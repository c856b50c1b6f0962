"""What is to be written into a card, kept in a file beside it while that is done.

The journal is whole and on the host's disk before the first byte of the card changes. A run
that is killed before that leaves the old card; one that is killed after it leaves a journal with
which the next opening finishes the work. Each sector's checksum from before says whether
somebody else wrote to the card meanwhile: then nothing is done to it.

A journal is a header (mark, sectors of the card, number of runs), the runs, and their CRC-32. A
run is its first sector and length, the CRC-32 of each of its sectors before, and the new bytes.
Integers are little-endian.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple
from zlib import crc32

from maixfs.host.drafts import sync_folder
from maixfs.host.drives import is_drive
from maixfs.host.locks import try_lock
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError

_HEADER = Struct("<8sQI")
_MARK = b"maixfsJ1"
_RUN = Struct("<QI")
CRC = Struct("<I")
"""A checksum, CRC-32, as it lies in a journal."""
_LONGEST_RUN = 1 << 16
_PIECE = 1 << 20


class Run(NamedTuple):
    """Sectors that follow each other."""

    start: int
    """First sector."""
    before: bytes
    """CRC-32 of each sector as it was, as it lies in the journal."""
    data: bytes


def journal_of(card: Path) -> Path:
    """Return where the journal of a card lies: beside it, of a drive in the user's own folder."""
    real = Path(os.path.realpath(card))
    if not is_drive(real):
        return real.with_name(f".{real.name}.maixfs-journal")
    return _state_folder() / f"{real.name}.maixfs-journal"


def _state_folder() -> Path:
    """Return where this user's programs keep what is of no use to others."""
    given = os.environ.get("XDG_STATE_HOME")
    return (Path(given) if given else Path.home() / ".local" / "state") / "maixfs"


class Journal:
    """A journal that is being written; its file is locked until ``close``.

    Raises ``SectorError`` where the host refuses, or another process writes the card.
    """

    def __init__(self, card: Path) -> None:
        self.path = journal_of(card)
        self._card = card
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            if is_drive(card):
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._stream: BinaryIO = os.fdopen(os.open(self.path, flags, 0o666), "w+b")
        except FileExistsError:
            raise SectorError(
                f"{card} is being written by another process", hint="run the command again"
            ) from None
        except OSError as error:
            raise SectorError(
                f"{self.path} cannot be written: {error.strerror or error}",
                hint="what changes is kept beside the card while it is written",
            ) from error
        try_lock(self._stream.fileno())

    def write(
        self,
        device: SectorDevice,
        below: SectorDevice,
        runs: list[tuple[int, int]],
        progress: Callable[[str, int, int], object] | None,
    ) -> None:
        """Write all runs of ``device``, and what ``below`` has in their places, to the disk."""
        total = sum(count for _, count in runs) * SECTOR
        done = 0
        try:
            crc = self._put(_HEADER.pack(_MARK, below.sectors, len(runs)), 0)
            for start, count in runs:
                data = device.read(start, count)
                old = memoryview(below.read(start, count))
                sums = b"".join(
                    CRC.pack(crc32(old[at : at + SECTOR])) for at in range(0, len(old), SECTOR)
                )
                crc = self._put(_RUN.pack(start, count) + sums + data, crc)
                done += len(data)
                if progress is not None:
                    progress("journal", done, total)
            self._put(CRC.pack(crc), 0)
            self._stream.flush()
            os.fsync(self._stream.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            raise SectorError(
                f"{self.path} cannot be written: {error.strerror or error}",
                hint=f"{self._card} is as it was",
            ) from error

    def _put(self, data: bytes, crc: int) -> int:
        self._stream.write(data)
        return crc32(data, crc)

    def leave(self) -> None:
        """Let the journal lie: the card could not be written, and can be later."""
        with suppress(OSError):
            self._stream.close()

    def close(self) -> None:
        """Remove the journal: the card is whole, the old one or the new one."""
        with suppress(OSError):
            if os.name == "nt":
                self._stream.close()
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._stream.close()


def read_journal(card: Path) -> list[Run] | None:
    """Return what a killed run left to be done; ``None`` where there is nothing, or too little.

    Raises ``SectorError`` for a journal that cannot be read.
    """
    path = journal_of(card)
    try:
        with path.open("rb") as stream:
            return _parse(stream) if _is_whole(stream) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SectorError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_whole(stream: BinaryIO) -> bool:
    """Tell whether a journal is complete, by its checksum."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    left, crc = size - CRC.size, 0
    if left < _HEADER.size:
        return False
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            return False
        crc = crc32(piece, crc)
        left -= len(piece)
    tail = stream.read(CRC.size)
    stream.seek(0)
    return len(tail) == CRC.size and CRC.unpack(tail)[0] == crc


def _parse(stream: BinaryIO) -> list[Run] | None:
    mark, _, count = _HEADER.unpack(stream.read(_HEADER.size))
    if mark != _MARK:
        return None
    return [*_runs(stream, count)]


def _runs(stream: BinaryIO, count: int) -> Iterator[Run]:
    for _ in range(count):
        head = stream.read(_RUN.size)
        if len(head) < _RUN.size:
            return
        start, length = _RUN.unpack(head)
        if length > _LONGEST_RUN:
            return
        yield Run(start, stream.read(length * CRC.size), stream.read(length * SECTOR))


def is_abandoned(card: Path) -> bool:
    """Tell whether there is a journal that no living process writes."""
    path = journal_of(card)
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return try_lock(handle)
    finally:
        os.close(handle)
