"""One examination of a card: its partitions, the state of each volume, and the report on both.

    with FileSectors.open("card.img") as card:
        print(examine(card).verdict)                     # would a board mount it?

The rules are in ``maixfs.doctor.card`` and ``maixfs.fat.check``. Nothing is written, and
damage on a card does not raise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maixfs import finding
from maixfs.fat.check import FatCheck
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import decode_geometry
from maixfs.fat.probe import mount_points, probe_volume
from maixfs.finding import Cost, Examination, Finding, Severity
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SdError, SectorError
from maixfs.sd.partitions import CardPartition, PartitionTable, read_partitions
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maixfs.host.drafts import Progress
    from maixfs.sd.device import SectorDevice


class PartitionReport(NamedTuple):
    """A partition and its contents."""

    number: int
    """1 to 4: slots of the MBR; from 5: logical partitions; by order in a GPT; 0: the card."""
    scheme: str
    """``MBR``, ``logical``, ``GPT`` or ``none``."""
    type: str
    """Type byte as ``0x0C``, or the type of a GPT's partition."""
    start: int
    """First sector."""
    sectors: int
    kind: str
    """Its contents: ``FAT32``, ``FAT16``, ``FAT12``, ``exFAT``, ``NTFS``, ..."""
    mount_point: str | None = None
    """Where a board mounts it; ``None`` if it does not."""
    why_not: str | None = None
    """Why FatFs does not mount it; ``None`` if it does."""
    label: str = ""
    serial: int | None = None
    cluster_size: int | None = None
    clusters: int | None = None
    free_clusters: int | None = None
    """Counted in the FAT, whatever FSInfo says."""
    files: int | None = None
    folders: int | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.sectors * SECTOR


class CardReport(NamedTuple):
    """The contents of a card, and the findings about it."""

    sectors: int
    """Capacity; 0 if the card does not start up."""
    table: str
    """``MBR``, ``GPT`` or ``none``."""
    partitions: tuple[PartitionReport, ...]
    examination: Examination

    @property
    def size(self) -> int:
        """Capacity in bytes."""
        return self.sectors * SECTOR

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, worst first; ``data["partition"]`` is a partition's number."""
        return self.examination.findings

    @property
    def mountable(self) -> bool:
        """Whether a board mounts a volume of it when it starts."""
        return any(part.mount_point for part in self.partitions)

    @property
    def healthy(self) -> bool:
        """Whether there is neither an error nor a warning."""
        return self.examination.healthy

    @property
    def verdict(self) -> str:
        """The summary, one sentence."""
        mounts = [
            f"partition {part.number} on {part.mount_point}"
            for part in self.partitions
            if part.mount_point
        ]
        if mounts:
            is_broken = any(found.severity is Severity.ERROR for found in self.findings)
            but = "; but not all of it is sound" if is_broken else ""
            return f"A board mounts this card: {', '.join(mounts)}{but}"
        reason = self.findings[0].what if self.findings else "there is nothing on it"
        return f"A board would not mount this card: {reason}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON has."""
        return {
            "verdict": self.verdict,
            "mountable": self.mountable,
            "healthy": self.healthy,
            "sectors": self.sectors,
            "table": self.table,
            "partitions": [part._asdict() for part in self.partitions],
            "findings": [found.as_dict() for found in self.findings],
        }


class PartitionCheck(NamedTuple):
    """The state of the examination of one partition."""

    place: CardPartition
    kind: str
    """As ``probe_volume`` reports it; also ``extended``, and ``""`` beyond the end of the card."""
    why_not: str | None = None
    """Why FatFs does not mount it."""
    error: SectorError | None = None
    """Why its first sector cannot be read."""
    volume: FatCheck | None = None
    """The FAT volume, whether FatFs mounts it or not."""


class CardCheck:
    """The state of one examination of a card, which the rules of the subject ``card`` take."""

    def __init__(
        self,
        device: SectorDevice | None,
        *,
        no_start: SdError | None = None,
        journal: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.device = device
        self.no_start = no_start
        """Why the card does not start up; then there is no ``device``."""
        self.journal = journal
        """A complete journal that is not applied to the card's file; ``device`` has its writes."""
        self.error: SectorError | None = None
        """Why sector 0 cannot be read."""
        self.table: PartitionTable | None = None
        self.mounts: dict[int, str] = {}
        self.partitions: list[PartitionCheck] = []
        if device is None:
            return
        try:
            self.table = read_partitions(device)
        except SectorError as error:
            self.error = error
            return
        self.mounts = mount_points(device)
        places = self.table.partitions
        self.partitions = [_partition(device, place, progress) for place in places]

    def examine(self, depth: Cost = Cost.CONTENT) -> Examination:
        """Run the rules of the card and of every FAT volume on it."""
        result = finding.examine("card", self, depth)
        for part in self.partitions:
            if part.volume is not None:
                about = finding.examine("fat", part.volume, depth)
                marked = tuple(of_partition(f, part.place.number) for f in about.findings)
                result += replace(about, findings=marked)
        return result

    def report(self, depth: Cost = Cost.CONTENT) -> CardReport:
        """Examine the card and describe its contents."""
        examination = self.examine(depth)
        sectors = self.device.sectors if self.device else 0
        scheme = self.table.scheme if self.table else "none"
        parts = tuple(self._report(part, depth) for part in self.partitions)
        return CardReport(sectors, scheme, parts, examination)

    def _report(self, part: PartitionCheck, depth: Cost) -> PartitionReport:
        place, volume = part.place, part.volume
        report = PartitionReport(
            place.number, place.scheme, place.type, place.start, place.sectors, part.kind,
            # The number of a logical partition or one of a GPT can be that of an MBR slot; a board
            # knows only the slots.
            self.mounts.get(place.number) if place.scheme == "MBR" else None, part.why_not,
        )  # fmt: skip
        if volume is None:
            return report
        geometry = volume.geometry
        report = report._replace(
            kind=f"FAT{geometry.fat_type}",
            serial=geometry.serial,
            cluster_size=geometry.cluster_size,
            clusters=geometry.clusters,
        )
        if depth < Cost.METADATA:
            return report
        try:
            report = report._replace(free_clusters=volume.free)
            report = report._replace(label=volume.label)
            walk = volume.walk
        except (SectorError, FatError):
            # A rule of the volume has reported the error: the report only has no counts then.
            return report._replace(files=0, folders=0)
        return report._replace(files=walk.files, folders=walk.folders)


def of_partition(found: Finding, number: int) -> Finding:
    """Return a finding with the number of its partition."""
    return found._replace(data={**found.data, "partition": number})


def examine(
    device: SectorDevice,
    *,
    depth: Cost = Cost.CONTENT,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> CardReport:
    """Examine a card; it is only read. ``journal`` is the one that its file still lacks."""
    return CardCheck(device, journal=journal, progress=progress).report(depth)


def examine_slot(
    start: Callable[[], SectorDevice], *, progress: Progress | None = None
) -> CardReport:
    """Initialise a card with ``start`` and examine it; a card that does not start is a finding.

    ``start`` raises ``SdError`` if the card does not answer in SPI mode.
    """
    try:
        device = start()
    except SdError as error:
        return CardCheck(None, no_start=error).report()
    return examine(device, progress=progress)


def _partition(
    device: SectorDevice, place: CardPartition, progress: Progress | None
) -> PartitionCheck:
    if place.extended:
        return PartitionCheck(place, "extended")
    # The kind comes from the sectors, not from the type byte: tools often leave a wrong one.
    kind = probe_volume(device, place.start).kind
    if place.start >= device.sectors:
        return PartitionCheck(place, kind, "it lies beyond the end of the card")
    try:
        sector = device.read(place.start, 1)
    except SectorError as error:
        return PartitionCheck(place, kind, "its first sector cannot be read", error)
    geometry, refusal = decode_geometry(sector)
    why_not = None if refusal is None else str(refusal)
    # exFAT and NTFS have a boot sector with 55 AA too; its fields are not those of FAT.
    if geometry is None or kind in ("exFAT", "NTFS"):
        return PartitionCheck(place, kind, why_not)
    # Also a volume that FatFs refuses is checked: its files may have to be saved.
    volume = FatCheck(device, place.start, place.sectors, progress=progress)
    return PartitionCheck(place, kind, why_not, volume=volume)
