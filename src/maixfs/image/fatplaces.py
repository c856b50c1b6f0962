"""Which FAT volumes a card holds: those that a board mounts, and all others that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.errors import MaixfsError
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import read_geometry
from maixfs.fat.probe import find_volume
from maixfs.image.entries import Finding
from maixfs.image.errors import NoFileSystemError
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from maixfs.image.volume import Volume

_SLOTS = (1, 2, 3, 4)
SUPERFLOPPY = Finding(
    "superfloppy",
    False,
    "the volume starts at sector 0, without a partition table: a board does not mount that",
    0,
    "maixfs sd fix makes a card with a table of it",
)
_NOT_MOUNTED = Finding(
    "not-mounted",
    False,
    "a board does not mount this partition: it mounts those in the four slots of an MBR",
    None,
    "maixfs sd fix makes a card that a board mounts",
)


class FatPlace(NamedTuple):
    """A place on a card that holds a FAT volume."""

    slot: int
    """1 to 4 in the table of the MBR, from 5 logical partitions, by order in a GPT; 0: the volume
    starts at sector 0."""
    start: int
    """First sector."""
    name: str
    """What a board mounts it as: ``sd`` for the first, ``sd2`` to ``sd4`` by slot; ``p5`` and so
    on for what it does not mount."""
    findings: tuple[Finding, ...] = ()


def mounted_places(device: SectorDevice) -> list[FatPlace]:
    """Return what a board mounts, in the order of the slots."""
    found: list[FatPlace] = []
    for slot in _SLOTS:
        try:
            start = _start_of(device, slot)
        except (FatError, SectorError):
            continue
        found.append(FatPlace(slot, start, f"sd{slot}" if found else "sd"))
    return found


def all_places(device: SectorDevice) -> list[FatPlace]:
    """Return every FAT volume that can be found, those that a board mounts first."""
    found = mounted_places(device)
    from maixfs.cards.places import read_table

    try:
        table = read_table(device)
    except MaixfsError:
        return found
    for place in table.places:
        if any(place.start == other.start for other in found):
            continue
        try:
            read_geometry(device.read(place.start, 1))
        except (FatError, SectorError):
            continue
        if not place.number:
            found.append(FatPlace(0, place.start, "sd", (SUPERFLOPPY,)))
        else:
            name = f"p{place.number}"
            found.append(FatPlace(place.number, place.start, name, (_NOT_MOUNTED,)))
    return found


def places_of(volume: Volume) -> list[FatPlace]:
    """Return all volumes on the card that one is on."""
    from maixfs.image.fatvolume import FatVolume

    return all_places(volume.medium.device) if isinstance(volume, FatVolume) else []


def find_place(device: SectorDevice, slot: int | None, host: str) -> FatPlace:
    """Return the volume in a partition, or the first one.

    Raises ``NoFileSystemError``, which says what is there instead and what to do.
    """
    # What a board mounts is found without a look at the rest of the card.
    found = mounted_places(device)
    for place in found:
        if slot in (None, place.slot):
            return place
    found = all_places(device)
    for place in found:
        if slot in (None, place.slot):
            return place
    if slot in (None, 0):
        raise _nothing(device, host)
    raise _not_in_slot(device, slot, found, host)


def _start_of(device: SectorDevice, slot: int) -> int:
    """Return the first sector of a volume that FatFs mounts; raises ``FatError``."""
    start = find_volume(device, slot)
    read_geometry(device.read(start, 1))
    return start


def _not_in_slot(
    device: SectorDevice, slot: int, found: list[FatPlace], host: str
) -> NoFileSystemError:
    others = " or ".join(f"{host}@{place.slot}" for place in found)
    hint = f"there is one in {others}" if others else f"maixfs sd doctor {host} says what is there"
    reason = ""
    if slot in _SLOTS:
        try:
            _start_of(device, slot)
        except MaixfsError as error:
            reason = f": {error}"
    return NoFileSystemError(f"{host}: partition {slot} holds no FAT volume{reason}", hint=hint)


def _nothing(device: SectorDevice, host: str) -> NoFileSystemError:
    """Return the error for a card without any volume, with what the examination finds."""
    from maixfs.cards.doctor import examine

    report = examine(device, card=host)
    # That it has no table is not why it does not mount here: a whole card may be one volume.
    reasons = [found for found in report.findings if found.id != "superfloppy"] or report.findings
    worst = reasons[0] if reasons else None
    what = worst.what if worst else "there is no FAT volume on it"
    fix = worst.mend if worst else ""
    hint = f"maixfs sd doctor {host} says more"
    return NoFileSystemError(f"{host}: {what}", hint=f"{fix}; {hint}" if fix else hint)
