"""Write a card image to a drive of the host, or read one, and verify it by reading back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.cards.extents import (
    PIECE,
    Extent,
    any_data,
    data_extents,
    pieces_of,
    used_extents,
)
from maixfs.cards.newimage import CardError, ProofError, new_image
from maixfs.host.drives import DriveFacts, drive_facts, drop_cache, reread_partitions
from maixfs.host.files import refuse_occupied
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.journal import forget, opened_finished
from maixfs.sd.media import FileSectors
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.host.drafts import Progress

LARGEST = 256 << 30
"""Largest drive in bytes that is likely to be a card."""


class Transfer(NamedTuple):
    """Proof that a card was copied."""

    source: str
    destination: str
    size: int
    """Bytes of the card."""
    copied: int
    """Bytes that were copied and compared; the rest are free clusters."""
    sha256: str
    """Of those bytes, as they were read back from the destination."""


def write_card(
    image: Path,
    device: Path,
    *,
    used_only: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    look: Callable[[Path], DriveFacts] = drive_facts,
) -> Transfer:
    """Write an image to a drive (or to an ordinary file), and read it back.

    With ``used_only`` free clusters of FAT volumes are left as they are on the drive: writing
    takes as long as the files do. Raises ``DeviceError`` for a drive that cannot be opened,
    ``CardError`` for one that is in use, probably not a card (unless ``force``) or too small;
    ``ProofError`` if other data comes back.
    """
    facts = look(device)
    with opened_finished(image) as source:
        refuse_unlikely(facts, _size_of(device), force=force)
        with FileSectors.open(device, read_only=False) as drive:
            if drive.sectors < source.sectors:
                raise CardError(
                    f"{image} has {source.sectors} sectors, {device} only {drive.sectors}",
                    hint="take a larger card, or make a smaller image",
                )
            extents = _extents(source, used_only)
            total = _bytes(extents)
            digest = hashlib.sha256()
            done = 0
            # A journal for what was on the drive before would be applied to the new contents.
            forget(device)
            for sector, data in _pieces(source, extents):
                drive.write(sector, data)
                digest.update(data)
                done = _tell(progress, "write", done + len(data), total)
            drive.sync()
        # Otherwise the comparison reads the host's memory, not the card.
        drop_cache(device)
        with FileSectors.open(device) as drive:
            _prove(drive, extents, digest.hexdigest(), total, progress)
        reread_partitions(device)
    size = source.sectors * SECTOR
    return Transfer(str(image), str(device), size, total, digest.hexdigest())


def read_card(
    device: Path,
    image: Path,
    *,
    used_only: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Transfer:
    """Read a drive into a new sparse image, and verify it by reading the image back.

    With ``used_only`` free clusters are not read; they are zero in the image. ``force`` replaces
    an existing image. Raises ``CardError``, ``ProofError``.
    """
    refuse_occupied(image, force=force)
    with opened_finished(device) as drive:
        extents = _extents(drive, used_only)
        total = _bytes(extents)
        digest = hashlib.sha256()
        done = 0
        with new_image(image, drive.sectors, force=force) as copy:
            for sector, data in _pieces(drive, extents):
                if any_data(memoryview(data)):
                    copy.write(sector, data)
                digest.update(data)
                done = _tell(progress, "read", done + len(data), total)
            copy.sync()
            drop_cache(copy.path)
            _prove(copy, extents, digest.hexdigest(), total, progress)
        size = drive.sectors * SECTOR
    return Transfer(str(device), str(image), size, total, digest.hexdigest())


def refuse_unlikely(
    device: DriveFacts, size: int, *, largest: int = LARGEST, force: bool = False
) -> None:
    """Raise ``CardError`` for a drive that is in use, or that is probably not a card.

    ``force`` allows the second.
    """
    if device.in_use:
        raise CardError(
            f"{device.path} is in use: {', '.join(device.in_use)}",
            hint="unmount it first; nothing was written",
        )
    if force or device.regular:
        return
    hint = "check that this is the card; a forced write does not ask"
    if device.partition_of:
        raise CardError(
            f"{device.path} is one partition of {device.partition_of}, and this is a whole card",
            hint=f"name {device.partition_of}, or force the write to the partition",
        )
    if not device.removable:
        known = "is no removable drive" if device.removable is False else "may be built in"
        raise CardError(f"{device.path} {known}{_called(device)}", hint=hint)
    if size > largest:
        raise CardError(
            f"{device.path} has {size} bytes, more than a card has{_called(device)}", hint=hint
        )


def _called(device: DriveFacts) -> str:
    return f" ({device.model})" if device.model else ""


def _extents(device: SectorDevice, used_only: bool) -> list[Extent]:
    return list(used_extents(device)) if used_only else [(0, device.sectors)]


def _bytes(extents: Iterable[Extent]) -> int:
    return sum(length for _, length in extents) * SECTOR


def _pieces(device: SectorDevice, extents: list[Extent]) -> Iterable[tuple[int, bytes]]:
    """Yield sector and bytes of all pieces; holes are zeros, which are not read."""
    zeros = bytes(PIECE * SECTOR)
    for start, length in extents:
        at = start
        for data_start, data_length in data_extents(device, start, length):
            for sector, count in pieces_of([(at, data_start - at)]):
                yield sector, zeros[: count * SECTOR]
            for sector, count in pieces_of([(data_start, data_length)]):
                yield sector, device.read(sector, count)
            at = data_start + data_length
        for sector, count in pieces_of([(at, start + length - at)]):
            yield sector, zeros[: count * SECTOR]


def _prove(
    device: SectorDevice,
    extents: list[Extent],
    expected: str,
    total: int,
    progress: Progress | None,
) -> None:
    """Read back what was written; raises ``ProofError`` if it is something else."""
    digest = hashlib.sha256()
    done = 0
    for _, data in _pieces(device, extents):
        digest.update(data)
        done = _tell(progress, "read back", done + len(data), total)
    if digest.hexdigest() != expected:
        raise ProofError(
            f"{device} does not return the data that was written to it",
            hint="the card is worn, or has less room than it says: try another",
        )


def _tell(progress: Progress | None, phase: str, done: int, total: int) -> int:
    if progress is not None:
        progress(phase, done, total)
    return done


def _size_of(device: Path) -> int:
    with FileSectors.open(device) as drive:
        return drive.sectors * SECTOR
