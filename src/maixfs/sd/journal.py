"""The journal of a card: writes that are complete on disk before the first one is applied.

The journal is complete and synced before the first byte of the card changes. A process that is
killed before that leaves the old card; one that is killed later leaves a journal with which
``finish`` completes the writes. The journal has the old checksum of each sector: if a sector is
neither in its old nor in its new state, another program has changed the card, and nothing is
written. All code that opens a card applies or overlays its journal first, so that a card is never
seen half written.

A journal consists of a header, the runs, and the CRC-32 of both. A run is a ``RunHeader``, the
old CRC-32 of each of its sectors, and the new sectors.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct
from typing import BinaryIO
from zlib import crc32

from maixfs.host.drafts import sync_folder
from maixfs.host.drives import is_drive, journal_of
from maixfs.host.locks import try_lock
from maixfs.record import Record, field
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError, host_error, sector_error
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay
from maixfs.tuples import NamedTuple

_MARK = b"maixfsJ1"
CRC = Struct("<I")
"""A checksum, CRC-32, as it is stored in a journal."""
_LONGEST_RUN = 1 << 16
"""Sectors; a longer run is damage, and must not make the reader allocate memory for it."""
_PIECE = 1 << 20


class JournalHeader(Record):
    """Start of a journal."""

    mark: bytes = field("8s", "maixfsJ1")
    sectors: int = field("Q", "sectors of the card")
    runs: int = field("I", "number of runs")


class RunHeader(Record):
    """Start of a run in a journal."""

    start: int = field("Q", "first sector")
    length: int = field("I", "number of sectors")


class Run(NamedTuple):
    """Consecutive sectors to be written."""

    start: int
    """First sector."""
    before: bytes
    """CRC-32 of each sector in its old state, as stored in the journal."""
    data: bytes


class JournalError(SectorError):
    """A journal cannot be applied: another program has changed the card since."""


class Journal:
    """A journal that is being written; its file is locked until ``close``.

    Raises ``SectorError`` if the host refuses or another process is writing the card.
    """

    def __init__(self, card: Path) -> None:
        self.path = journal_of(card)
        self._card = card
        # O_EXCL: of two processes that start to write, one fails here.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            if is_drive(card):
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._stream: BinaryIO = os.fdopen(os.open(self.path, flags, 0o666), "w+b")
        except FileExistsError:
            raise _in_use(card) from None
        except OSError as error:
            raise host_error(
                f"{self.path} cannot be written",
                error,
                hint="the changes of a card are written there before they are applied",
            ) from error
        # An unlocked journal is one of a killed process, and ``finish`` applies it.
        try_lock(self._stream.fileno())

    def write(
        self,
        device: SectorDevice,
        below: SectorDevice,
        runs: list[tuple[int, int]],
        progress: Callable[[str, int, int], object] | None,
    ) -> None:
        """Write the runs of ``device``, with the old checksums from ``below``, and sync them.

        Raises ``SectorError`` if a device or the host fails, and what ``progress`` raises.
        """
        total = sum(count for _, count in runs) * SECTOR
        done = 0
        # The checksum of all comes last: without it the journal counts as incomplete.
        crc = self._put(JournalHeader(_MARK, below.sectors, len(runs)).pack(), 0)
        for start, count in runs:
            data = device.read(start, count)
            old = memoryview(below.read(start, count))
            sums = b"".join(
                CRC.pack(crc32(old[at : at + SECTOR])) for at in range(0, len(old), SECTOR)
            )
            crc = self._put(RunHeader(start, count).pack() + sums + data, crc)
            done += len(data)
            if progress is not None:
                progress("journal", done, total)
        self._put(CRC.pack(crc), 0)
        # The card must not change before the journal is on the disk.
        self._sync()

    def _put(self, data: bytes, crc: int) -> int:
        """Append ``data`` and return the CRC-32 continued over it."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise self._failed(error) from error
        return crc32(data, crc)

    def _sync(self) -> None:
        """Return when the journal, and then its name, is on the disk."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise self._failed(error) from error
        sync_folder(self.path.parent)

    def _failed(self, error: OSError) -> SectorError:
        hint = f"{self._card} is unchanged"
        return host_error(f"{self.path} cannot be written", error, hint=hint)

    def leave(self) -> None:
        """Keep the journal for ``finish``: the card could not be written."""
        with suppress(OSError):
            self._stream.close()

    def close(self) -> None:
        """Remove the journal: the card is completely in its old or its new state."""
        with suppress(OSError):
            # Windows does not remove open files; elsewhere the lock is kept to the end.
            if os.name == "nt":
                self._stream.close()
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._stream.close()


def read_journal(card: Path) -> list[Run] | None:
    """Return the runs of a card's journal; ``None`` if there is none or it is incomplete.

    An incomplete journal means that the card was not changed yet. Raises ``SectorError`` for a
    journal that cannot be read.
    """
    path = journal_of(card)
    try:
        with path.open("rb") as stream:
            return _parse(stream) if _is_whole(stream) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise host_error(f"{path} cannot be read", error) from error


def _is_whole(stream: BinaryIO) -> bool:
    """Return True if a journal is complete by its checksum."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    left, crc = size - CRC.size, 0
    if left < JournalHeader.size:
        return False
    # In pieces: a journal may be larger than the memory.
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
    header = JournalHeader.unpack(stream.read(JournalHeader.size))
    return [*_runs(stream, header.runs)] if header.mark == _MARK else None


def _runs(stream: BinaryIO, count: int) -> Iterator[Run]:
    for _ in range(count):
        raw = stream.read(RunHeader.size)
        if len(raw) < RunHeader.size:
            return
        start, length = RunHeader.unpack(raw)
        if length > _LONGEST_RUN:
            return
        yield Run(start, stream.read(length * CRC.size), stream.read(length * SECTOR))


def is_abandoned(card: Path) -> bool:
    """Return True if there is a journal that no living process is writing."""
    path = journal_of(card)
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    # The lock ends with its process, however that ends, so a free one means it is dead.
    try:
        return try_lock(handle)
    finally:
        os.close(handle)


def unapplied(card: Path) -> Path | None:
    """Return the complete journal that a killed process left; ``None`` if there is none."""
    path = journal_of(card)
    try:
        with path.open("rb") as stream:
            whole = _is_whole(stream)
    except OSError:
        return None
    return path if whole and is_abandoned(card) else None


def as_finished(card: Path, below: SectorDevice) -> SectorDevice:
    """Return the sectors of ``card`` with its journal applied in memory; nothing is written.

    ``below`` is the open card. Raises ``SectorError`` as ``finish`` does.
    """
    runs = pending(card, below)
    if not runs:
        return below
    overlay = Overlay(below)
    for run in runs:
        overlay.write(run.start, run.data)
    return overlay


@contextmanager
def opened_finished(card: Path) -> Iterator[SectorDevice]:
    """Open ``card`` for reading, with its journal applied in memory; raises ``SectorError``."""
    with FileSectors.open(card) as device:
        yield as_finished(card, device)


def finish(card: Path) -> bool:
    """Apply the journal of ``card`` and remove it; return True if there was one.

    An incomplete journal is removed only. The caller has exclusive access to the card. Raises
    ``SectorError`` if another process is writing the card or the host refuses, ``JournalError``
    if another program has changed the card.
    """
    if not journal_of(card).exists():
        return False
    if not is_abandoned(card):
        raise _in_use(card)
    # All runs are checked before the first one is written.
    with FileSectors.open(card, read_only=False) as below:
        runs = pending(card, below)
        try:
            for run in runs:
                below.write(run.start, run.data)
            # Synced before the journal goes, or a power cut could leave neither.
            below.sync()
        except SectorError as error:
            # The journal stays: applying it again is harmless, and it is the only whole copy.
            number = error.errno or errno.EIO
            hint = f"the writes in {journal_of(card)} must be applied first"
            raise sector_error(str(error), number, hint=hint) from error
    forget(card)
    return True


def forget(card: Path) -> None:
    """Remove the journal of ``card``, whose content has been replaced."""
    path = journal_of(card)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise host_error(
            f"{path} cannot be removed",
            error,
            hint=f"remove it: it does not belong to the new content of {card}",
        ) from error


def pending(card: Path, below: SectorDevice) -> list[Run]:
    """Return the runs of a card's journal that are to be applied; raises as ``check_runs``.

    A drive may hold another card by now; a journal that does not fit it is ignored.
    """
    runs = read_journal(card) or []
    try:
        check_runs(card, below, runs)
    except JournalError:
        if not is_drive(card):
            raise
        return []
    return runs


def check_runs(card: Path, below: SectorDevice, runs: list[Run]) -> None:
    """Raise ``JournalError`` if a sector is neither in its old nor in its new state."""
    for run in runs:
        count = len(run.data) // SECTOR
        if run.start + count > below.sectors:
            raise _foreign(card)
        current = below.read(run.start, count)
        # The usual case after a kill in the middle: most runs are written completely.
        if current == run.data:
            continue
        for at in range(count):
            sector = current[at * SECTOR : (at + 1) * SECTOR]
            unchanged = crc32(sector) == CRC.unpack_from(run.before, at * CRC.size)[0]
            if not unchanged and sector != run.data[at * SECTOR : (at + 1) * SECTOR]:
                raise _foreign(card)


def _foreign(card: Path) -> JournalError:
    return JournalError(
        f"{card} was half written when its writer was killed, and then changed by another program",
        hint=f"remove {journal_of(card)} to keep the card as it is, then examine it for damage",
    )


def _in_use(card: Path) -> SectorError:
    message = f"{card} is being written by another process"
    return SectorError(message, errno=errno.EBUSY, hint="run the command again")
