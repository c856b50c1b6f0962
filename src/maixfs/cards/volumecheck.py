"""What the doctor looks at in one FAT volume, outside of its folders."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.cards.catalogue import finding
from maixfs.cards.layout import Layout
from maixfs.cards.places import Place
from maixfs.cards.report import Finding, Progress
from maixfs.cards.structure import StructureCheck
from maixfs.cards.volume import VolumeReader
from maixfs.fat import ondisk
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.errors import SectorError
from maixfs.sd.mbr import FAT_TYPES

_PIECE = 2048
"""Sectors of a FAT that are compared in one go."""


class VolumeCheck:
    """Looks at one FAT volume; ``card`` is how the user calls the card."""

    def __init__(
        self,
        device: SectorDevice,
        place: Place,
        layout: Layout,
        card: str,
        progress: Progress | None = None,
    ) -> None:
        self.reader = VolumeReader(device, place.start, layout)
        self.structure = StructureCheck(self.reader, place.number, card, progress)
        self.free: int | None = None
        """Free clusters by the FAT, once ``run`` has counted them."""
        self.label = ""
        self._device = device
        self._place = place
        self._layout = layout
        self._card = card

    def run(self) -> Iterator[Finding]:
        """Look at everything, and yield what is found."""
        layout = self._layout
        yield from self._type_findings()
        try:
            table = self.reader.table
            self.free = table.count_free()
            yield from self._end_findings(table.highest_used())
            yield from self._mark_findings(int(table.table[1]))
            yield from self._fsinfo_findings(self.free)
            yield from self._copy_findings()
            if not self.free:
                yield self._made("full", "no cluster is free")
            if layout.fat_type == 32 and not 2 <= layout.root_cluster < layout.limit:
                text = f"the root's first cluster, {layout.root_cluster}, is out of range"
                yield self._made("root-cluster", text, self._place.start)
                return
            self.label = self.reader.label()
            self.structure.run()
            yield from self.structure.findings()
        except SectorError as error:
            yield self._made("unreadable", f"the volume cannot be read: {error}")

    def _type_findings(self) -> Iterator[Finding]:
        place, layout = self._place, self._layout
        if layout.fat_type != 32:
            kind = f"fat{layout.fat_type}"
            yield self._made(kind, f"the volume is FAT{layout.fat_type}, not FAT32", place.start)
        if place.type_byte is not None and place.type_byte not in FAT_TYPES:
            text = f"its type is {place.type} ({place.type_name}), which is not FAT's"
            yield self._made("odd-type", text, 0)

    def _end_findings(self, highest: int) -> Iterator[Finding]:
        """Say where volume, partition and card do not end together."""
        place, layout = self._place, self._layout
        end = place.start + max(place.sectors, layout.sectors)
        room = self._device.sectors
        last = layout.sector_of(highest + 1) if highest else layout.data_start
        if place.start + last > room:
            text = f"files lie behind the end of the card, sector {room:#x}"
            yield self._made("files-past-end", text, room)
        elif end > room:
            text = f"it reaches {end - room} sectors past the end of the card"
            yield self._made("past-end", text, room)
        elif layout.sectors > place.sectors:
            text = f"its volume has {layout.sectors} sectors, the partition {place.sectors}"
            yield self._made("past-partition", text, place.start)

    def _mark_findings(self, second_entry: int) -> Iterator[Finding]:
        """Look for the marks that other systems leave while a volume is mounted."""
        layout, start = self._layout, self._place.start
        offset = 65 if layout.fat_type == 32 else 37
        by_boot = self._device.read(start, 1)[offset] & 1
        marks = []
        if by_boot:
            marks.append("in the boot sector")
        bits = {12: 0, 16: 0xC000, 32: 0x0C000000}[layout.fat_type]
        if second_entry & bits != bits:
            marks.append("in the FAT")
        if marks:
            text = f"it was not unmounted cleanly (marked {' and '.join(marks)})"
            yield self._made("dirty", text, start if by_boot else start + layout.fat_start)

    def _fsinfo_findings(self, free: int) -> Iterator[Finding]:
        layout = self._layout
        if layout.fat_type != 32:
            return
        if layout.fsinfo != layout.sector_size // SECTOR:  # FatFs believes in sector 1 only
            yield self._made("fsinfo-absent", "it has no FSInfo sector", self._place.start)
            return
        where = self._place.start + layout.fsinfo
        info = ondisk.FsInfo.unpack(self._device.read(where, 1))
        marks = (info.FSI_LeadSig, info.FSI_StrucSig, info.FSI_TrailSig)
        if marks != (ondisk.FSI_LEAD_SIG, ondisk.FSI_STRUC_SIG, ondisk.FSI_TRAIL_SIG):
            yield self._made("fsinfo-absent", "its FSInfo sector has wrong signatures", where)
        elif info.FSI_Free_Count in (ondisk.FSI_UNKNOWN, free):
            return
        else:
            key = "fsinfo-wrong" if info.FSI_Free_Count <= layout.clusters else "fsinfo-huge"
            text = f"FSInfo says {info.FSI_Free_Count} clusters are free, the FAT says {free}"
            yield self._made(key, text, where)

    def _copy_findings(self) -> Iterator[Finding]:
        """Compare the two FATs as far as they have entries."""
        layout = self._layout
        if layout.fats < 2:
            return
        first = self._place.start + layout.fat_start
        used = -(-layout.limit * layout.fat_type // (8 * SECTOR))
        for at in range(0, used, _PIECE):
            count = min(_PIECE, used - at)
            one = self._device.read(first + at, count)
            two = self._device.read(first + layout.fat_sectors + at, count)
            if one != two:
                where = first + at + _first_difference(one, two) // SECTOR
                yield self._made("fats-differ", "the two copies of the FAT differ", where)
                return

    def _made(self, key: str, text: str, where: int | None = None) -> Finding:
        return finding(key, text, where, card=self._card, partition=self._place.number)


def _first_difference(one: bytes, two: bytes) -> int:
    return next(at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
