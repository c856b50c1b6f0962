"""The proof that a converted card has all that the old one had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from maixfs.cards.errors import ProofError
from maixfs.cards.extents import Extent, pieces_of
from maixfs.cards.folders import Item
from maixfs.cards.report import Progress
from maixfs.cards.volume import VolumeReader
from maixfs.errors import DamagedError
from maixfs.sd.device import SectorDevice


class Proof(NamedTuple):
    """What was compared, and found to be the same."""

    files: int
    folders: int
    size: int
    """Bytes of all files."""
    damaged: tuple[str, ...]
    """Files that neither card gives to its end."""


def prove_same(old: VolumeReader, new: VolumeReader, progress: Progress | None = None) -> Proof:
    """Compare every file of two volumes: name, size, times, attributes, SHA-256 of its content.

    Raises ``ProofError`` that names the first file that is not the same.
    """
    wanted = {found.path: found.item for found in old.walk()}
    there = {found.path: found.item for found in new.walk()}
    missing = next((path for path in wanted if path not in there), None)
    if missing is not None:
        raise ProofError(f"{missing} is not on the new card")
    files = folders = size = 0
    damaged: list[str] = []
    for path, item in wanted.items():
        if _about(item) != _about(there[path]):
            raise ProofError(f"{path} has another size, time or attribute on the new card")
        if item.is_dir:
            folders += 1
            continue
        files += 1
        size += item.size
        digest = _digest(old, item)
        if digest != _digest(new, there[path]):
            raise ProofError(f"{path} has another content on the new card")
        if not digest:
            damaged.append(path)
        if progress is not None:
            progress("compare", files, len(wanted))
    return Proof(files, folders, size, tuple(damaged))


def prove_sectors(
    old: SectorDevice, new: SectorDevice, extents: Iterable[Extent], shift: int = 0
) -> None:
    """Compare extents of the old card with what lies ``shift`` sectors further on the new one.

    Raises ``ProofError`` that names the first sectors that are not the same.
    """
    for sector, count in pieces_of(extents):
        if old.read(sector, count) != new.read(sector + shift, count):
            raise ProofError(f"sectors from {sector:#x} on came out different on the new card")


def _about(item: Item) -> tuple[object, ...]:
    """Return what has to stay, beside name and content.

    Hundredths of a second are not among it: the driver of the board does not know them.
    """
    written, written_at, created, created_at, _, accessed = item.times
    return (
        item.is_dir,
        item.size,
        item.attributes,
        written,
        written_at,
        created,
        created_at,
        accessed,
    )


def _digest(reader: VolumeReader, item: Item) -> bytes:
    """Return the SHA-256 of a file; nothing where it cannot be read to its end."""
    digest = hashlib.sha256()
    try:
        for piece in reader.content(item):
            digest.update(piece)
    except DamagedError:
        return b""
    return digest.digest()
