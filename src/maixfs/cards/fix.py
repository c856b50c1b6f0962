"""A card that no board mounts, converted into a new image that boards mount.

Nothing of the old card is changed. Damage in a volume (loops, lost clusters) is copied as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from maixfs.cards.doctor import examine
from maixfs.cards.errors import CardError
from maixfs.cards.extents import Extent, copy_extents, data_extents, free_extents, without
from maixfs.cards.fattable import FatTable
from maixfs.cards.layout import read_layout
from maixfs.cards.moves import How, Move, Plan, plan_moves
from maixfs.cards.outfile import new_image
from maixfs.cards.patch import patch_volume
from maixfs.cards.places import Table, read_table
from maixfs.cards.prove import Proof, prove_same, prove_sectors
from maixfs.cards.rebuild import rebuild
from maixfs.cards.report import CardReport, Progress, Severity
from maixfs.cards.tables import write_table
from maixfs.cards.volume import VolumeReader
from maixfs.host.files import refuse_occupied
from maixfs.sd.device import SECTOR, SectorDevice

DAMAGE = frozenset(
    (
        "chain-loop", "cross-link", "bad-start", "bad-chain", "short-chain", "long-chain",
        "dot-entries", "broken-long-name", "lost-clusters", "root-cluster",
    )
)  # fmt: skip
"""Findings that a conversion leaves as they are."""
_PUT_RIGHT = frozenset(("dirty", "fsinfo-wrong", "fsinfo-absent", "fsinfo-huge", "fats-differ"))
"""Findings that are put right in a volume that stays as it is."""
_NEVER = {
    "exfat": "exFAT is not converted: its files have to be copied",
    "ntfs": "NTFS is not converted: its files have to be copied",
    "blank": "there is nothing on it to convert",
    "no-partition": "there is nothing on it that could be converted",
    "files-past-end": "files lie behind the end of the card: a conversion would lose them",
    "overlap": "its partitions overlap: writing one would destroy the other",
}


class Fixed(NamedTuple):
    """What was made, and the proof that nothing is missing."""

    path: str
    size: int
    """Bytes of the new card."""
    changes: tuple[str, ...]
    """What is different from the old card."""
    left: tuple[str, ...]
    """What was wrong with the old one and still is."""
    files: int
    folders: int
    file_bytes: int
    """How many files and folders with how many bytes were compared with the old card's."""
    report: CardReport
    """What the doctor says of the new card."""


def fix_card(
    source: SectorDevice,
    destination: Path,
    *,
    sectors: int | None = None,
    force: bool = False,
    card: str = "CARD",
    progress: Progress | None = None,
) -> Fixed:
    """Make a card that boards mount, with every file of ``source``, in a new image.

    ``sectors`` is its capacity where that is to be another. Raises ``CardError`` where there is
    nothing to convert or what is there cannot be, ``ProofError`` where a file came out
    different; then there is no new image.
    """
    refuse_occupied(destination, force=force)
    before = examine(source, card=card)
    _refuse_hopeless(before)
    table = read_table(source)
    plan = plan_moves(source, table, sectors)
    if not _changes_anything(plan, before):
        raise _nothing_to_do(before)
    with new_image(destination, plan.sectors, force=force) as new:
        changes = list(plan.changes)
        _copy_sectors(source, new, table, plan, progress)
        for slot, move in enumerate(plan.moves, 1):
            changes += _make(source, new, move, slot, before, progress)
        write_table(source, new, table, plan)
        if plan.sectors != before.sectors:
            changes.append(f"the new card has {plan.sectors} sectors, the old {before.sectors}")
        if not changes:  # marks of a damaged volume stay
            raise _nothing_to_do(before)
        proofs = [_prove(source, new, move, progress) for move in plan.moves]
        for place in plan.extended:
            prove_sectors(source, new, data_extents(source, place.start, place.sectors))
        after = examine(new, card=str(destination), progress=progress)
    return _fixed(destination, plan, changes, [proof for proof in proofs if proof], after)


def _refuse_hopeless(report: CardReport) -> None:
    """Raise ``CardError`` for a card that holds nothing that could be converted."""
    readable = any(part.kind.startswith("FAT") for part in report.partitions)
    for found in report.findings:
        reason = _NEVER.get(found.id)
        stops = found.id in {"files-past-end", "overlap"} or not readable
        if reason and stops:
            raise CardError(reason, hint=found.mend)


def _changes_anything(plan: Plan, report: CardReport) -> bool:
    """Tell whether the new card would be another than the old one."""
    return (
        bool(plan.changes)
        or any(move.how is How.REBUILD for move in plan.moves)
        or any(move.volume.change for move in plan.moves if move.volume)
        or any(found.id in _PUT_RIGHT for found in report.findings)
        or plan.sectors != report.sectors
    )


def _nothing_to_do(report: CardReport) -> CardError:
    damaged = [found for found in report.findings if found.id in DAMAGE]
    if not damaged:
        return CardError("there is nothing to convert: a board mounts this card as it is")
    return CardError(
        f"there is nothing to convert, and damage is not repaired here: {damaged[0].what}",
        hint="maixfs unpack saves everything that can be read",
    )


def _copy_sectors(
    source: SectorDevice,
    new: SectorDevice,
    table: Table,
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
        jobs.append(([(1, first - 1)], 0))  # boot loaders live there
    for extents, shift in jobs:
        data = [piece for extent in extents for piece in data_extents(source, *extent)]
        total = sum(length for _, length in data) * SECTOR
        copy_extents(source, new, data, shift=shift, progress=progress, total=total)


def _extents(source: SectorDevice, move: Move, room: int) -> list[Extent]:
    """Return what of a volume is to be copied: all, or all but free clusters."""
    start = move.place.start
    end = min(start + move.sectors, room)
    if move.volume is None:
        return [(start, end - start)]
    table = FatTable(source, start, move.volume.layout)
    return list(without(start, end, free_extents(table, start)))


def _make(
    source: SectorDevice,
    new: SectorDevice,
    move: Move,
    slot: int,
    before: CardReport,
    progress: Progress | None,
) -> list[str]:
    """Put a copied volume right, or make it anew; return what changed."""
    if move.volume is None:
        return []
    if move.how is How.REBUILD:
        old = VolumeReader(source, move.place.start, move.volume.layout)
        made = rebuild(old, new, move.start, move.sectors, progress)
        return [f"partition {slot} was made anew as FAT{made.fat_type}, its files were copied"]
    damaged = any(
        found.id in DAMAGE
        for found in before.findings
        if found.partition == move.place.number and found.severity is not Severity.NOTE
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
    layout = read_layout(new.read(move.start, 1))
    assert layout is not None  # it was just written
    old = VolumeReader(source, move.place.start, move.volume.layout)
    return prove_same(old, VolumeReader(new, move.start, layout), progress)


def _fixed(
    destination: Path, plan: Plan, changes: list[str], proofs: list[Proof], after: CardReport
) -> Fixed:
    left = [found.what for found in after.findings if found.severity is not Severity.NOTE]
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
