"""What a killed writer left to be done on a card: seen as done, done, or forgotten.

Whoever opens a card asks here, so that nobody sees it half written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from maixfs.host.drives import is_drive
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.journal import CRC, Run, is_abandoned, journal_of, read_journal
from maixfs.sd.media import FileSectors
from maixfs.sd.overlay import Overlay


class JournalError(SectorError):
    """A card cannot be finished: its journal and its bytes contradict each other."""


def as_finished(card: Path, below: SectorDevice) -> SectorDevice:
    """Return the sectors of ``card`` as they are when that is done; nothing is written.

    ``below`` is the card as it is. Raises ``SectorError`` as ``finish`` does.
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
    """Open ``card`` for reading, ``as_finished``; raises ``SectorError``."""
    with FileSectors.open(card) as device:
        yield as_finished(card, device)


def finish(card: Path) -> bool:
    """Do on ``card`` what is left to be done; tell whether there was anything, if too little.

    The caller has the card alone. Raises ``SectorError`` where another process is writing the
    card or the host refuses, ``JournalError`` where what was left does not belong to it any more.
    """
    if not journal_of(card).exists():
        return False
    if not is_abandoned(card):
        raise SectorError(
            f"{card} is being written by another process", hint="run the command again"
        )
    with FileSectors.open(card, read_only=False) as below:
        runs = pending(card, below)
        try:
            for run in runs:
                below.write(run.start, run.data)
            below.sync()
        except SectorError as error:
            raise SectorError(
                str(error), hint=f"what is in {journal_of(card)} has to be written there first"
            ) from error
    forget(card)
    return True


def forget(card: Path) -> None:
    """Forget what was left to be done, as something else is on ``card`` now."""
    path = journal_of(card)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SectorError(
            f"{path} cannot be removed: {error.strerror or error}",
            hint=f"it has nothing to do with {card} any more",
        ) from error


def pending(card: Path, below: SectorDevice) -> list[Run]:
    """Return what a killed run left to be done on a card; raises as ``check_runs``.

    In a drive there may be another card by now: what was left for the first is not for that.
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
    """Raise ``JournalError`` where a sector is neither as it was before nor as it is to be."""
    for run in runs:
        count = len(run.data) // SECTOR
        if run.start + count > below.sectors:
            raise _foreign(card)
        here = below.read(run.start, count)
        if here == run.data:
            continue
        for at in range(count):
            sector = here[at * SECTOR : (at + 1) * SECTOR]
            same = crc32(sector) == CRC.unpack_from(run.before, at * CRC.size)[0]
            if not same and sector != run.data[at * SECTOR : (at + 1) * SECTOR]:
                raise _foreign(card)


def _foreign(card: Path) -> JournalError:
    return JournalError(
        f"{card} was half written when its writer was killed, and then changed by another program",
        hint=f"remove {journal_of(card)} to take the card as it is; maixfs sd doctor looks at it",
    )
