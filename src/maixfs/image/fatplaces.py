"""Which volume of a card is meant: by its number, or the first one that a board would mount."""

from __future__ import annotations

from maixfs.fat.errors import FatError
from maixfs.fat.geometry import read_geometry
from maixfs.fat.probe import fat_volumes, mount_points
from maixfs.finding import Command, Finding, Severity
from maixfs.image.errors import NoFileSystemError
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.partitions import CardPartition, read_partitions
from maixfs.tuples import NamedTuple

_REASONS = {
    "MBR": "sector 0 does not end in 55 AA",
    "logical": "it is in an extended partition",
    "GPT": "it is in a GPT",
    "none": "no partition table leads to it",
}


class FatPlace(NamedTuple):
    """A FAT volume on a card."""

    slot: int
    """1 to 4: slots of the MBR; from 5: logical partitions; by order in a GPT; 0: the card."""
    start: int
    """First sector."""
    name: str
    """What a board mounts it as, ``sd`` or ``sd2`` to ``sd4``; else ``partition`` and its number,
    or ``sd`` for the whole card."""
    findings: tuple[Finding, ...] = ()
    """Why a board does not mount it."""


def all_places(device: SectorDevice) -> list[FatPlace]:
    """Return the FAT volumes of a card, those that a board mounts first."""
    try:
        table = read_partitions(device)
    except SectorError:
        return []
    mounts = mount_points(device) if table.scheme == "MBR" else {}
    volumes = [_place(part, mounts) for part in fat_volumes(table, device)]
    # The sort is stable: those that a board mounts stay in the order of their slots, and the first
    # of them is the board's /sd.
    return sorted(volumes, key=lambda partition: bool(partition.findings))


def mounted_places(device: SectorDevice) -> list[FatPlace]:
    """Return the FAT volumes that a board mounts, in the order of their slots."""
    return [partition for partition in all_places(device) if not partition.findings]


def find_place(device: SectorDevice, slot: int | None, host: str) -> FatPlace:
    """Return the volume with the number ``slot``; ``None``: the first of ``all_places``.

    Raises ``NoFileSystemError``, which says what is there instead and what to do.
    """
    found = all_places(device)
    for partition in found:
        if slot in (None, partition.slot):
            return partition
    raise _nothing(device, host) if slot in (None, 0) else _not_in_slot(device, slot, found, host)


def _place(part: CardPartition, mounts: dict[int, str]) -> FatPlace:
    point = mounts.get(part.number) if part.scheme == "MBR" else None
    if point is not None:
        return FatPlace(part.number, part.start, point[1:])
    if part.number == 0:
        key, text = "superfloppy", "the volume starts at sector 0, without a partition table"
        name = "sd"
    else:
        key, name = "not-mounted", f"partition{part.number}"
        text = f"partition {part.number}: {_REASONS[part.scheme]}"
    finding = Finding(
        key,
        Severity.NOTE,
        f"{text}: a board does not mount that",
        fix=(Command("sd fix", ("{image}", "-o", "NEW")),),
        where=part.start * SECTOR,
    )
    return FatPlace(part.number, part.start, name, (finding,))


def _not_in_slot(
    device: SectorDevice, slot: int, found: list[FatPlace], host: str
) -> NoFileSystemError:
    others = " or ".join(f"{host}@{partition.slot}" for partition in found)
    hint = f"there is one in {others}" if others else None
    fix = () if others else (Command("sd doctor", (host,)),)
    numbers = {part.number: part for part in read_partitions(device).partitions}
    if slot not in numbers:
        return NoFileSystemError(f"{host}: the card has no partition {slot}", hint=hint, fix=fix)
    try:
        read_geometry(device.read(numbers[slot].start, 1))
        reason = ""
    except (FatError, SectorError) as error:
        reason = f": {error}"
    message = f"{host}: partition {slot} holds no FAT volume{reason}"
    return NoFileSystemError(message, hint=hint, fix=fix)


def _nothing(device: SectorDevice, host: str) -> NoFileSystemError:
    """Return the error for a card without any volume, with the worst finding."""
    from maixfs.cards.check import examine

    report = examine(device)
    # That it has no table is not the reason here: a whole card may be one volume.
    reasons = [found for found in report.findings if found.key != "superfloppy"]
    what = next((found.what for found in reasons), "there is no FAT volume on it")
    return NoFileSystemError(f"{host}: {what}", fix=(Command("sd doctor", (host,)),))
