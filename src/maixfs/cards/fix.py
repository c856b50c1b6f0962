"""A card that no board mounts, converted into a new image that boards mount.

Nothing of the old card is changed. Damage in a volume (loops, lost clusters) is copied as it is.
Every file of the new card is compared with the old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from maixfs.cards.check import CardReport, examine
from maixfs.cards.convert import patch_volume, rebuild, write_table
from maixfs.cards.extents import (
    Extent,
    copy_extents,
    data_extents,
    free_extents,
    pieces_of,
    without,
)
from maixfs.cards.newimage import CardError, ProofError, new_image
from maixfs.cards.plan import How, Move, Plan, plan_moves
from maixfs.errors import DamagedError
from maixfs.fat.chains import FatArray
from maixfs.fat.geometry import decode_geometry
from maixfs.fat.reader import FatReader, Item
from maixfs.host.drafts import Progress
from maixfs.host.files import refuse_occupied
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.partitions import PartitionTable, read_partitions
from maixfs.tuples import NamedTuple

DAMAGE = frozenset(
    (
        "chain-loop", "cross-link", "bad-start", "bad-chain", "short-chain", "long-chain",
        "dot-entries", "broken-long-name", "lost-clusters", "root-cluster",
    )
)  # fmt: skip
"""Findings that a conversion leaves as they are."""
_CORRECTED = frozenset(("dirty", "fsinfo-wrong", "fsinfo-absent", "fsinfo-huge", "fats-differ"))
"""Findings that are corrected in a volume that stays as it is."""
_NEVER = {
    "exfat": "exFAT is not converted: its files have to be copied",
    "ntfs": "NTFS is not converted: its files have to be copied",
    "blank": "there is nothing on it to convert",
    "other-volume": "only FAT is converted: its files have to be copied",
    "no-partition": "there is nothing on it to convert",
    "files-past-end": "files lie beyond the end of the card: a conversion would lose them",
    "overlap": "its partitions overlap: writing one would destroy the other",
}


class Fixed(NamedTuple):
    """The new card, and the proof that nothing is missing."""

    path: str
    size: int
    """Bytes of the new card."""
    changes: tuple[str, ...]
    """The differences from the old card."""
    left: tuple[str, ...]
    """Problems of the new card that remain."""
    files: int
    folders: int
    file_bytes: int
    """Bytes of the files; all files and folders were compared with those of the old card."""
    report: CardReport
    """The examination of the new card."""


def fix_card(
    source: SectorDevice,
    destination: Path,
    *,
    sectors: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Fixed:
    """Make a card that boards mount, with every file of ``source``, in a new image.

    ``sectors`` is its capacity; ``None`` keeps the old one. Raises ``CardError`` if there is
    nothing to convert, or where the contents cannot be converted, ``ProofError`` if a file of
    the new card differs; then there is no new image.
    """
    refuse_occupied(destination, force=force)
    before = examine(source)
    _refuse_inconvertible(before)
    table = read_partitions(source)
    plan = plan_moves(source, table, sectors)
    if not _changes_anything(plan, before):
        raise _nothing_to_do(before)
    with new_image(destination, plan.sectors, force=force) as new:
        changes = list(plan.changes)
        _copy_sectors(source, new, table, plan, progress)
        for slot, move in enumerate(plan.moves, 1):
            changes += _make(source, new, move, slot, before, progress)
        # After the volumes: the type of a rebuilt one follows from what was made, FAT16 or FAT32.
        write_table(source, new, table, plan)
        if plan.sectors != before.sectors:
            changes.append(f"the new card has {plan.sectors} sectors, the old {before.sectors}")
        # Only now it is known: the marks of a damaged volume are not cleared.
        if not changes:
            raise _nothing_to_do(before)
        # Inside of the ``with``: the new image gets its name only after every file was compared.
        proofs = [_prove(source, new, move, progress) for move in plan.moves]
        for place in plan.extended:
            prove_sectors(source, new, data_extents(source, place.start, place.sectors))
        after = examine(new, progress=progress)
    return _fixed(destination, plan, changes, [proof for proof in proofs if proof], after)


def _refuse_inconvertible(report: CardReport) -> None:
    """Raise ``CardError`` for a card without anything that can be converted."""
    readable = any(part.kind.startswith("FAT") for part in report.partitions)
    for found in report.findings:
        reason = _NEVER.get(found.key)
        stops = found.key in {"files-past-end", "overlap"} or not readable
        if reason and stops:
            steps = [step for step in found.fix if isinstance(step, str)]
            raise CardError(reason, hint="; ".join(steps))


def _changes_anything(plan: Plan, report: CardReport) -> bool:
    """Return True if the new card would differ from the old one."""
    return (
        bool(plan.changes)
        or any(move.how is How.REBUILD for move in plan.moves)
        or any(move.volume.change for move in plan.moves if move.volume)
        or any(found.key in _CORRECTED for found in report.findings)
        or plan.sectors != report.sectors
    )


def _nothing_to_do(report: CardReport) -> CardError:
    damaged = [found for found in report.findings if found.key in DAMAGE]
    if not damaged:
        return CardError("there is nothing to convert: a board mounts this card as it is")
    return CardError(
        f"there is nothing to convert, and damage is not repaired here: {damaged[0].what}",
        hint="unpack the card: that saves all files that can be read",
    )


def _copy_sectors(
    source: SectorDevice,
    new: SectorDevice,
    table: PartitionTable,
    plan: Plan,
    progress: Progress | None,
) -> None:
    """Copy the sectors of all volumes that are kept."""
    room = source.sectors
    jobs = [
        (_extents(source, move, room), move.start - move.place.start)
        for move in plan.moves
        if move.how is not How.REBUILD
    ]
    jobs += [([(place.start, place.sectors)], 0) for place in plan.extended]
    if table.scheme == "MBR" and plan.moves:
        first = min(move.start for move in plan.moves)
        jobs.append(([(1, first - 1)], 0))  # boot loaders use these sectors
    for extents, shift in jobs:
        data = [piece for extent in extents for piece in data_extents(source, *extent)]
        total = sum(length for _, length in data) * SECTOR
        copy_extents(source, new, data, shift=shift, progress=progress, total=total)


def _extents(source: SectorDevice, move: Move, room: int) -> list[Extent]:
    """Return the extents of a volume to copy: all, or all but free clusters."""
    start = move.place.start
    end = min(start + move.sectors, room)
    if move.volume is None:
        return [(start, end - start)]
    table = FatArray(source, start, move.volume.geometry)
    return list(without(start, end, free_extents(table, start)))


def _make(
    source: SectorDevice,
    new: SectorDevice,
    move: Move,
    slot: int,
    before: CardReport,
    progress: Progress | None,
) -> list[str]:
    """Correct a copied volume, or make a new one; return what changed."""
    if move.volume is None:
        return []
    if move.how is How.REBUILD:
        old = FatReader(source, move.place.start, move.volume.geometry)
        geometry = rebuild(old, new, move.start, move.sectors, progress)
        return [f"partition {slot} was formatted as FAT{geometry.fat_type}, its files were copied"]
    # A computer checks a volume that is marked as not unmounted. A damaged one needs that check.
    damaged = any(
        found.key in DAMAGE
        for found in before.findings
        if found.is_problem and found.data.get("partition") == move.place.number
    )
    changes = patch_volume(new, move.start, move.volume.boot, keep_marks=damaged)
    if move.volume.change:
        changes.insert(0, move.volume.change)
    return [f"partition {slot}: {change}" for change in changes]


def _prove(
    source: SectorDevice, new: SectorDevice, move: Move, progress: Progress | None
) -> Proof | None:
    if move.volume is None:
        extents = data_extents(source, move.place.start, move.sectors)
        prove_sectors(source, new, extents, move.start - move.place.start)
        return None
    geometry = decode_geometry(new.read(move.start, 1))[0]
    assert geometry is not None  # it was just written
    old = FatReader(source, move.place.start, move.volume.geometry)
    return prove_same(old, FatReader(new, move.start, geometry), progress)


def _fixed(
    destination: Path, plan: Plan, changes: list[str], proofs: list[Proof], after: CardReport
) -> Fixed:
    left = [found.what for found in after.findings if found.is_problem]
    return Fixed(
        str(destination),
        plan.sectors * SECTOR,
        tuple(changes),
        tuple(left),
        sum(proof.files for proof in proofs),
        sum(proof.folders for proof in proofs),
        sum(proof.size for proof in proofs),
        after,
    )


class Proof(NamedTuple):
    """The number of files and folders that were compared and are equal."""

    files: int
    folders: int
    size: int
    """Bytes of all files."""
    damaged: tuple[str, ...]
    """Files that cannot be read to their end on either card."""


def prove_same(old: FatReader, new: FatReader, progress: Progress | None = None) -> Proof:
    """Compare every file of two volumes: name, size, times, attributes, SHA-256 of its content.

    Raises ``ProofError`` that names the first file that differs.
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
            raise ProofError(f"{path} has a different size, time or attribute on the new card")
        if item.is_dir:
            folders += 1
            continue
        files += 1
        size += item.size
        digest = _digest(old, item)
        if digest != _digest(new, there[path]):
            raise ProofError(f"{path} has different contents on the new card")
        # Equal as far as both can be read: the conversion repairs no file.
        if not digest:
            damaged.append(path)
        if progress is not None:
            progress("compare", files, len(wanted))
    return Proof(files, folders, size, tuple(damaged))


def prove_sectors(
    old: SectorDevice, new: SectorDevice, extents: Iterable[Extent], shift: int = 0
) -> None:
    """Compare extents of the old card with those ``shift`` sectors further on the new one.

    Raises ``ProofError`` that names the first sectors that differ.
    """
    for sector, count in pieces_of(extents):
        if old.read(sector, count) != new.read(sector + shift, count):
            raise ProofError(f"the sectors from {sector:#x} differ on the new card")


def _about(item: Item) -> tuple[object, ...]:
    """Return what must be equal beside name and contents.

    Hundredths of a second are left out: FatFs does not write them.
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


def _digest(reader: FatReader, item: Item) -> bytes:
    """Return the SHA-256 of a file; empty if it cannot be read to its end."""
    digest = hashlib.sha256()
    try:
        for piece in reader.content(item):
            digest.update(piece)
    except DamagedError:
        return b""
    return digest.digest()
