"""The sectors of a card in a target: read as they are, or changed in memory until saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from maixfs.host.files import Stamp, status_of
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import MissingError, TargetError
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import Journal, as_finished, finish, journal_of
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay


class CardMedium:
    """A card's sectors, ``device``; with ``writable`` they change in memory until ``save``.

    What a killed run left half done is finished first; where the card is only read, it is seen
    as if that had been done. Who changes a card has it alone: ``BoardBusyError`` says that a
    board or another process does. Raises ``TargetError`` for a file that cannot be read or
    written.
    """

    def __init__(self, file: Path, stamp: Stamp, *, writable: bool) -> None:
        self.file = file
        self.writable = writable
        self._stamp = stamp
        self._stack = ExitStack()
        try:
            if writable:
                self._stack.enter_context(alone(file))
                with _host_told():
                    finish(file)
                self._stamp = Stamp.of(status_of(file, devices=True))
            self._below = self._stack.enter_context(open_sectors(file))
            self.device: SectorDevice = self._seen()
        except BaseException:
            self._stack.close()
            raise

    def _seen(self) -> SectorDevice:
        """Return the card with what is to be changed laid over it, or with what will be."""
        if self.writable:
            return Overlay(self._below, self.file.resolve().parent)
        with _host_told():
            return as_finished(self.file, self._below)

    @property
    def overlay(self) -> Overlay:
        """What was written; raises ``TargetError`` where the card is only read."""
        if not self.writable or not isinstance(self.device, Overlay):
            raise TargetError(f"{self.file} is open for reading only")
        return self.device

    def save(self, progress: Progress | None = None) -> Written | None:
        """Put what was written into the card: all of it or, whatever happens, nothing.

        ``None`` where nothing was written. The proof is of the sectors as they were read back.
        Raises ``TargetError`` where the host refuses, or where somebody else changed the card.
        """
        overlay = self.overlay
        if not len(overlay):
            return None
        if Stamp.of(status_of(self.file, devices=True)) != self._stamp:
            raise TargetError(
                f"{self.file} was changed by another program meanwhile; nothing was written",
                hint="run the command again",
            )
        runs = [*overlay.runs()]
        with _host_told():
            journal = Journal(self.file)
        try:
            with _host_told():
                journal.write(overlay, self._below, runs, progress)
        except BaseException:
            journal.close()
            raise
        # From here on a journal that stays behind is finished by the next opening.
        try:
            digest = _apply(self.file, overlay, runs, progress)
        except TargetError:
            journal.leave()
            raise
        except BaseException:  # Ctrl-C: it is too late to stop, and half of it is worse than all
            _apply(self.file, overlay, runs, None)
            journal.close()
            raise
        journal.close()
        overlay.clear()
        self._stamp = Stamp.of(status_of(self.file, devices=True))
        sectors = sum(count for _, count in runs)
        return Written(str(self.file), sectors * SECTOR, digest, True, sectors=sectors)

    def close(self) -> None:
        """Let the file go; what was not saved is gone."""
        if isinstance(self.device, Overlay):
            self.device.clear()
        self._stack.close()


@contextmanager
def _host_told() -> Iterator[None]:
    """Raise what is wrong with a card's file as ``TargetError``."""
    try:
        yield
    except SectorError as error:
        raise TargetError(str(error), hint=error.hint) from error


def open_sectors(file: Path, *, read_only: bool = True) -> FileSectors:
    """Open a card's file; raises ``TargetError``."""
    with _host_told():
        return FileSectors.open(file, read_only=read_only)


def settle_board(folder: Path) -> bool:
    """Do ``settle`` for the card in the slot of a board, if there is one.

    Raises ``MissingError``, too, where its image is gone.
    """
    from maixfs.image.boardconfig import BoardConfig

    image = BoardConfig.load(folder).sd.path(folder)
    if image is None:
        return False
    if not image.exists():
        raise no_image(image, folder)
    return settle(image)


def no_image(image: Path, folder: Path) -> MissingError:
    """Return the error for a board whose card is in its slot, but not on the host any more."""
    return MissingError(
        f"{image} does not exist, and is the card in the slot of {folder}",
        hint=f"put it back, or take it out: maixfs sd eject {folder}",
    )


def settle(file: Path) -> bool:
    """Finish or discard what a killed run left beside a card; tells whether there was anything.

    Raises ``BoardBusyError`` or ``TargetError`` where another process is writing the card, and
    ``TargetError`` where what it left does not belong to the card any more.
    """
    if not journal_of(file).exists():
        return False
    with alone(file), _host_told():
        return finish(file)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Have a card for oneself, against boards too; raises ``BoardBusyError``."""
    from maixfs.image.boardlock import CardLock

    lock = CardLock(file, read_only=False)
    try:
        yield
    finally:
        lock.release()


def _apply(
    file: Path, overlay: Overlay, runs: list[tuple[int, int]], progress: Progress | None
) -> str:
    """Write the runs into the card and read them back; return their SHA-256."""
    total = sum(count for _, count in runs) * SECTOR
    digest = hashlib.sha256()
    try:
        with open_sectors(file, read_only=False) as card:
            done = 0
            for start, count in runs:
                card.write(start, overlay.read(start, count))
                done += count * SECTOR
                _tell(progress, "write", done, total)
            card.sync()
            done = 0
            for start, count in runs:
                data = card.read(start, count)
                if data != overlay.read(start, count):
                    raise SectorError(f"sector {start:#x} reads back differently")
                digest.update(data)
                done += count * SECTOR
                _tell(progress, "verify", done, total)
    except SectorError as error:
        raise TargetError(
            str(error),
            hint="the next maixfs that opens it finishes the work from the file beside it",
        ) from error
    return digest.hexdigest()


def _tell(progress: Progress | None, phase: str, done: int, total: int) -> None:
    if progress is not None:
        progress(phase, done, total)
