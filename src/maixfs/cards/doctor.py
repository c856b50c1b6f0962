"""Why would a board not mount this card, and what is to be done? Nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from maixfs.cards.catalogue import TESTED_SECTORS, finding
from maixfs.cards.layout import Layout, read_layout
from maixfs.cards.places import Place, Table, read_table
from maixfs.cards.report import CardReport, Finding, PartitionReport, Progress, Severity
from maixfs.cards.volumecheck import VolumeCheck
from maixfs.fat.errors import FatError
from maixfs.fat.geometry import FatGeometry, read_geometry
from maixfs.fat.probe import find_volume
from maixfs.sd.device import SectorDevice
from maixfs.sd.errors import SdError, SectorError

_ORDER = {severity: at for at, severity in enumerate(Severity)}


def examine(
    device: SectorDevice, *, card: str = "CARD", progress: Progress | None = None
) -> CardReport:
    """Look through a card; it is only read, and what is damaged on it raises nothing.

    ``card`` is how the user calls the card, in the command lines that mend it.
    """
    return _Examination(device, card, progress).report()


def examine_slot(
    start: Callable[[], SectorDevice], *, card: str = "CARD", progress: Progress | None = None
) -> CardReport:
    """Start a card up with ``start`` and look through it; one that does not start is reported.

    ``start`` raises ``SdError`` where the card does not answer in SPI mode.
    """
    try:
        device = start()
    except SdError as error:
        text = f"the card does not start up in SPI mode: {error}"
        return CardReport(0, "none", (), (finding("no-spi-mode", text, card=card),))
    return examine(device, card=card, progress=progress)


class _Examination:
    """One look through one card."""

    def __init__(self, device: SectorDevice, card: str, progress: Progress | None) -> None:
        self._device = device
        self._card = card
        self._progress = progress
        self._findings: list[Finding] = []

    def report(self) -> CardReport:
        try:
            table = read_table(self._device)
        except SectorError as error:
            self._add("unreadable", f"sector 0 cannot be read: {error}", 0)
            return self._made("none", ())
        mounts = _mount_points(self._device, table)
        self._look_at_table(table, mounts)
        parts = [self._partition(table, place, mounts) for place in table.places]
        self._look_at_neighbours(table)
        return self._made(table.scheme, tuple(parts))

    def _made(self, scheme: str, parts: tuple[PartitionReport, ...]) -> CardReport:
        worst_first = sorted(self._findings, key=lambda found: _ORDER[found.severity])
        return CardReport(self._device.sectors, scheme, parts, tuple(worst_first))

    def _look_at_table(self, table: Table, mounts: dict[int, str]) -> None:
        """Note what keeps FatFs from finding any partition."""
        if self._device.sectors > TESTED_SECTORS:
            size = self._device.sectors >> 21
            self._add("large", f"the card has {size} GiB, more than any that has been tested")
        if table.scheme == "GPT":
            self._add("gpt", "it has a GPT (GUID partition table), not an MBR", 0)
        elif table.blank:
            self._add("blank", "it is blank: no partition table, no file system", 0)
        elif table.lost:
            starts = ", ".join(f"{place.start:#x}" for place in table.places)
            self._add("no-table", f"it has no partition table; volumes start at {starts}", 0)
        elif not table.signature:
            self._add("no-signature", "sector 0 does not end in 55 AA", 0)
        elif table.superfloppy and table.places[0].kind.startswith("FAT"):
            text = "a file system starts at sector 0, without a partition table"
            self._add("superfloppy", text, 0)
        elif not table.places:
            self._add("no-partition", "its partition table is empty", 0)
        self._look_at_first(table, mounts)

    def _look_at_first(self, table: Table, mounts: dict[int, str]) -> None:
        """Note a first slot that a board passes over."""
        first = next(iter(mounts), 1)
        if first == 1:
            return
        before = [place for place in table.places if place.number < first]
        if not before:
            text = f"the first slot of the table is empty, the volume is in slot {first}"
            self._add("empty-first-slot", text, 0)
        else:
            text = f"slot 1 is no FAT volume ({before[0].type_name}), slot {first} is"
            self._add("foreign-first", text, 0)

    def _look_at_neighbours(self, table: Table) -> None:
        """Note partitions that lie in each other; what holds logical ones holds them."""
        places = [place for place in table.places if not place.extended]
        for one, two in pairwise(sorted(places, key=lambda place: place.start)):
            if one.start + one.sectors > two.start:
                text = f"partitions {one.number} and {two.number} overlap"
                self._add("overlap", text, two.start, two.number)

    def _partition(self, table: Table, place: Place, mounts: dict[int, str]) -> PartitionReport:
        """Look at one place and return what is there."""
        report = PartitionReport(
            place.number, place.scheme, place.type, place.start, place.sectors, place.kind,
            mounts.get(place.number) if place.scheme == "MBR" else None,
        )  # fmt: skip
        if place.extended:
            self._add("extended", "an extended partition holds logical ones", place.start, place)
            return report
        if place.start >= self._device.sectors:
            text = f"it lies behind the end of the card, sector {self._device.sectors:#x}"
            self._add("files-past-end", text, place.start, place)
            return report._replace(why_not="it lies behind the end of the card")
        try:
            sector = self._device.read(place.start, 1)
        except SectorError as error:
            self._add("unreadable", f"it cannot be read: {error}", place.start, place)
            return report._replace(why_not="its first sector cannot be read")
        geometry, why_not = _geometry_of(sector)
        layout = read_layout(sector, geometry.fat_type if geometry else None)
        report = report._replace(why_not=why_not)
        if geometry is None:
            self._refused(table, place, layout, why_not or "", mounts)
        elif place.scheme == "logical":
            text = "a FAT volume in an extended partition"
            self._add("logical-partition", text, place.start, place)
        if layout is None or place.kind in {"exFAT", "NTFS"}:
            return report
        return self._volume(place, layout, report)

    def _volume(self, place: Place, layout: Layout, report: PartitionReport) -> PartitionReport:
        check = VolumeCheck(self._device, place, layout, self._card, self._progress)
        self._findings += check.run()
        return report._replace(
            kind=f"FAT{layout.fat_type}",
            label=check.label,
            serial=layout.serial,
            cluster_size=layout.cluster_size,
            clusters=layout.clusters,
            free_clusters=check.free,
            files=check.structure.files,
            folders=check.structure.folders,
        )

    def _refused(
        self,
        table: Table,
        place: Place,
        layout: Layout | None,
        why_not: str,
        mounts: dict[int, str],
    ) -> None:
        """Note why FatFs refuses what lies in a place."""
        severity = Severity.WARNING if mounts else None
        key, text = _refusal(place, layout, why_not)
        if key != "foreign":
            self._add(key, text, place.start, place, severity)
        elif not mounts and table.scheme != "none":
            self._add(key, text, place.start, place, Severity.ERROR)
        elif table.scheme != "none":
            self._add(key, text, place.start, place)

    def _add(
        self,
        key: str,
        text: str,
        where: int | None = None,
        place: Place | int | None = None,
        severity: Severity | None = None,
    ) -> None:
        number = place.number if isinstance(place, Place) else place
        made = finding(key, text, where, card=self._card, partition=number, severity=severity)
        self._findings.append(made)


def _refusal(place: Place, layout: Layout | None, why_not: str) -> tuple[str, str]:
    """Return which finding says best why FatFs does not take a volume, and its text."""
    if place.kind == "exFAT":
        return "exfat", "it is formatted as exFAT"
    if place.kind == "NTFS":
        return "ntfs", "it is formatted as NTFS"
    if layout is not None and layout.sector_size != 512:
        return "sector-size", f"its sectors have {layout.sector_size} bytes, not 512"
    if layout is not None and layout.fat_type == 32 and layout.clusters <= 65525:
        text = f"it is FAT32 with {layout.clusters} clusters, and FAT32 has more than 65525"
        return "few-clusters", text
    if place.kind.startswith("FAT"):
        return "bad-boot-sector", f"its boot sector is damaged: {why_not}"
    return "foreign", f"no FAT volume is in it ({place.kind})"


def _geometry_of(sector: bytes) -> tuple[FatGeometry | None, str | None]:
    """Return what FatFs makes of a boot sector, or why it makes nothing of it."""
    try:
        return read_geometry(sector), None
    except FatError as error:
        return None, str(error)


def _mount_points(device: SectorDevice, table: Table) -> dict[int, str]:
    """Return the mount point of each slot that a board mounts: the first on /sd."""
    slots = [slot for slot in range(1, 5) if _mounts(device, slot)]
    return {slot: f"/sd{slot}" if at else "/sd" for at, slot in enumerate(slots)}


def _mounts(device: SectorDevice, slot: int) -> bool:
    try:
        read_geometry(device.read(find_volume(device, slot), 1))
    except (FatError, SectorError):
        return False
    return True
