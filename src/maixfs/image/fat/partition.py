"""Which volume of a card is meant: a slot of its table, or the one that a board would mount."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maixfs.errors import MaixfsError
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import read_geometry
from maixfs.fat.probe import find_volume
from maixfs.finding import Command, Finding, Severity
from maixfs.image.errors import NoFileSystemError
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from maixfs.image.volume import Volume

SLOTS = (1, 2, 3, 4)
SUPERFLOPPY = Finding(
    "superfloppy",
    Severity.ERROR,
    "the volume starts at sector 0, without a partition table: a board does not mount that",
    fix=(Command("sd fix", ("{image}", "-o", "NEW")),),
    where=0,
)


class Partition(NamedTuple):
    """A place on a card that FatFs mounts."""

    slot: int
    """1 to 4 in the table of the MBR; 0: the volume starts at sector 0."""
    start: int
    """First sector."""
    name: str
    """What a board mounts it as: ``sd`` for the first, ``sd2`` to ``sd4`` by slot."""
    findings: tuple[Finding, ...] = ()


def find_partitions(device: SectorDevice) -> list[Partition]:
    """Return what a board mounts, in the order of the slots."""
    found: list[Partition] = []
    for slot in SLOTS:
        try:
            start = _start_of(device, slot)
        except (FatError, SectorError):
            continue
        found.append(Partition(slot, start, f"sd{slot}" if found else "sd"))
    return found


def partitions_of(volume: Volume) -> list[Partition]:
    """Return all volumes that a board would mount of the card that one is on."""
    from maixfs.image.fat.volume import FatView

    if not isinstance(volume, FatView):
        return []
    return find_partitions(volume.medium.device)


def find_partition(device: SectorDevice, slot: int | None, host: str) -> Partition:
    """Return the volume in a slot, or the first one; the whole card where it is one volume.

    Raises ``NoFileSystemError``, which says what is there instead and what to do.
    """
    found = find_partitions(device)
    for partition in found:
        if slot in (None, partition.slot):
            return partition
    if slot in (None, 0):
        try:
            return Partition(0, _start_of(device, 0), "sd", (SUPERFLOPPY,))
        except (FatError, SectorError):
            raise _nothing(device, host) from None
    raise _not_in_slot(device, slot, found, host)


def _start_of(device: SectorDevice, slot: int) -> int:
    """Return the first sector of a volume that FatFs mounts; raises ``FatError``."""
    start = find_volume(device, slot)
    read_geometry(device.read(start, 1))
    return start


def _not_in_slot(
    device: SectorDevice, slot: int, found: list[Partition], host: str
) -> NoFileSystemError:
    others = " or ".join(f"{host}@{partition.slot}" for partition in found)
    hint = f"there is one in {others}" if others else f"maixfs sd doctor {host} says what is there"
    if slot not in SLOTS:
        return NoFileSystemError(f"{host}: a card has no partition {slot}, but 1 to 4", hint=hint)
    try:
        _start_of(device, slot)
        reason = ""
    except MaixfsError as error:
        reason = f": {error}"
    return NoFileSystemError(
        f"{host}: partition {slot} holds no FAT volume that a board mounts{reason}", hint=hint
    )


def _nothing(device: SectorDevice, host: str) -> NoFileSystemError:
    """Return the error for a card without any volume, with what the doctor says of it."""
    from maixfs.cards.doctor import examine

    report = examine(device, card=host)
    # That it has no table is not why it does not mount here: a whole card may be one volume.
    reasons = [found for found in report.findings if found.id != "superfloppy"] or report.findings
    worst = reasons[0] if reasons else None
    what = worst.what if worst else "there is no FAT volume on it"
    mend = worst.mend if worst else ""
    hint = f"maixfs sd doctor {host} says more"
    return NoFileSystemError(f"{host}: {what}", hint=f"{mend}; {hint}" if mend else hint)
