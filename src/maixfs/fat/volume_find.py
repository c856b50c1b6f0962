"""Which volume of a card FatFs mounts (docs/SPEC.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.geometry import is_boot_sector, is_fat
from maixfs.fat.sectors import VolumeSectors
from maixfs.sd.mbr import SLOTS, read_slots

if TYPE_CHECKING:
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.mbr import Partition


def find_volume(device: SectorDevice, part: int = 0) -> int:
    """Return the sector of the boot sector that FatFs takes.

    ``part`` 0: the card itself if sector 0 is a FAT boot sector, or else the first slot that
    leads to one. 1 to 4: what that slot leads to and nothing else, as the board's firmware
    asks; a card without a partition table then has no volume. Types and lengths of partitions
    do not matter. Raises ``FatError``: ``NO_FILESYSTEM``, ``DISK_ERR``.
    """
    if not 0 <= part <= SLOTS:
        raise UsageError(f"there is no partition {part}: 1 to {SLOTS}, or 0 for any")
    card = VolumeSectors(device, 0)
    sector = card.read(0, 1)
    if not is_boot_sector(sector):
        raise _no_volume("the first sector of the card does not end in 55 AA")
    superfloppy = is_fat(sector)
    if superfloppy and part == 0:
        return 0
    slots = list(read_slots(sector))
    if part:
        return _forced(card, slots[part - 1], superfloppy=superfloppy)
    return _first(card, slots)


def _forced(card: VolumeSectors, slot: Partition, *, superfloppy: bool) -> int:
    if _leads_to_fat(card, slot):
        return slot.start
    if superfloppy:
        raise _no_volume(
            "the card has no partition table: its one volume starts at sector 0",
            "the board looks into partitions only; make the card anew with a table",
        )
    raise _no_volume(_refusal(slot))


def _first(card: VolumeSectors, slots: list[Partition]) -> int:
    failure: FatError | None = None
    for slot in slots:
        failure = None
        try:
            if _leads_to_fat(card, slot):
                return slot.start
        except FatError as error:
            failure = error
    # A slot that cannot be read counts only if it is the last one: so it is in FatFs.
    used = "; ".join(_refusal(slot) for slot in slots if slot.used)
    raise failure or _no_volume(used or "the partition table has no partition")


def _leads_to_fat(card: VolumeSectors, slot: Partition) -> bool:
    # FatFs never reads the last possible sector: its number is that of "no sector in RAM".
    nowhere = not slot.used or slot.start in (0, 0xFFFFFFFF)
    return not nowhere and is_fat(card.read(slot.start, 1))


def _refusal(slot: Partition) -> str:
    if not slot.used:
        return f"partition {slot.slot} is free"
    return f"partition {slot.slot} ({slot.type_name}) does not start with a FAT boot sector"


def _no_volume(what: str, hint: str | None = None) -> FatError:
    return fat_error(FResult.NO_FILESYSTEM, "", what, hint=hint)
