"""Whole flashes of the host: dumps and boards, read, and changed sector by sector."""

from __future__ import annotations

import hashlib
from pathlib import Path

from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen
from maixfs.host.files import read_file
from maixfs.image.entries import Written
from maixfs.image.errors import TargetError
from maixfs.image.foreign import begins_like_card
from maixfs.image.source import Source, find_source, locked
from maixfs.image.spiffs.editmedium import EditMedium
from maixfs.nor import Buffer
from maixfs.nor.device import SECTOR

LARGEST = 64 << 20
"""Bytes; no flash chip of these boards has more."""
_CARD_SECTOR = 512


def read_flash(host: Path) -> bytes:
    """Return the flash of a dump or a board.

    Raises ``DeviceError`` for what is missing, ``TargetError`` for what is larger than any
    flash, or a card.
    """
    return _checked(find_source(host, writable=False))


def _checked(source: Source) -> bytes:
    size = source.size
    if source.is_device or not 0 < size <= LARGEST:
        raise TargetError(
            f"{source.host} is no flash: it has {size} bytes",
            hint=f"a dump of a flash has up to {LARGEST >> 20} MiB",
        )
    data = read_file(source.file)
    if begins_like_card(data[:_CARD_SECTOR]):
        raise TargetError(f"{source.host} is a card, no flash", hint="maixfs sd has verbs for it")
    return data


def change_flash(screen: Screen, host: Path, old: Buffer, new: Buffer) -> Written:
    """Write ``new`` in the place of ``old`` into a dump or a board's flash, in one step.

    Sectors that differ are erased and programmed, so that a board's wear counts go on. Raises
    ``TargetError`` where the flash is no longer ``old``, ``DeviceError`` where the host refuses.
    """
    source = find_source(host, writable=True)
    digest = hashlib.sha256(new).hexdigest()
    with locked(source):
        medium = EditMedium(source)
        if medium.image != old:
            raise TargetError(f"{source.file} was changed meanwhile", hint="run the command again")
        changed = _program(medium, new)
        if changed:
            with Progress(screen, rates=True) as progress:
                medium.save(progress)
    return Written(str(source.file), len(new), digest, bool(changed), sectors=changed)


def _program(medium: EditMedium, new: Buffer) -> int:
    """Write the sectors that differ; return how many."""
    view, changed = memoryview(new), 0
    for at in range(0, len(view), SECTOR):
        piece = view[at : at + SECTOR]
        if medium.device.read(at, SECTOR)[: len(piece)] != piece:
            medium.device.erase(at, SECTOR)
            medium.device.program(at, piece)
            changed += 1
    return changed
