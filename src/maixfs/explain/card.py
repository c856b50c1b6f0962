"""The fields of a card: partition table, boot sector, FSInfo, FAT, folders, data of files."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from maixfs.explain.fields import (
    Address,
    AddressError,
    Explanation,
    Field,
    hex_address,
    record_field,
    value_of,
)
from maixfs.fat import FatError, ondisk
from maixfs.fat.sectors import VolumeSectors
from maixfs.fat.table import open_table
from maixfs.image.errors import MissingError
from maixfs.image.fatvolume import FatVolume
from maixfs.record import Record
from maixfs.sd.device import SECTOR
from maixfs.sd.mbr import MbrSector, PartitionEntry
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.fat import FatGeometry
    from maixfs.image.image import Image

_REGION = "card"
_SLOTS_OFFSET = MbrSector.offset_of("entries")
_SIGNATURE = MbrSector.offset_of("signature")
_ATTRIBUTES = ondisk.DirEntry.offset_of("DIR_Attr")
_DISK_ID = MbrSector.offset_of("disk_id")


class CardFields:
    """The fields of a card: its partition table, and the volume that is mounted."""

    def __init__(self, target: Image) -> None:
        view = target.main
        assert isinstance(view, FatVolume)  # callers open cards only
        self._view, self._target = view, target
        self._device = view.medium.device
        self._start = view.place.start
        self._geometry: FatGeometry = view.core.geometry
        self._known: _ClusterOwners | None = None
        self.size = self._device.sectors * SECTOR

    @property
    def _owners(self) -> _ClusterOwners:
        # All chains of the card are read for this: only addresses in a FAT or in a cluster need
        # it.
        if self._known is None:
            self._known = _ClusterOwners(self._view, VolumeSectors(self._device, self._start))
        return self._known

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the card, fewer at its end."""
        end = min(start + length, self.size)
        if end <= start:
            return b""
        first, last = start // SECTOR, (end - 1) // SECTOR
        data = self._device.read(first, last - first + 1)
        return data[start - first * SECTOR : end - first * SECTOR]

    def explain(self, address: int) -> Explanation:
        """Return a byte with its field."""
        field = self.at(address)
        return Explanation(address, self.read(address, 1)[0], field)

    def at(self, address: int) -> Field:
        """Return the field at an address; raises ``AddressError`` outside the card."""
        if not 0 <= address < self.size:
            raise AddressError(f"{hex_address(address)} is not on the card")
        sector, offset = divmod(address, SECTOR)
        # A volume that starts at sector 0 has its boot sector there, and no table.
        if sector == 0 and self._start:
            return self._table(offset)
        inner = sector - self._start
        if not 0 <= inner < self._geometry.total_sectors:
            return self._outside(sector)
        return self._in_volume(inner, address)

    def _in_volume(self, inner: int, address: int) -> Field:
        geometry = self._geometry
        if inner < geometry.reserved:
            return self._reserved(inner, address // SECTOR, address)
        if inner < geometry.root_start:
            return self._fat(inner, address)
        if inner < geometry.data_start:
            base = (self._start + geometry.root_start) * SECTOR
            return self._entry("/", address - (address - base) % ondisk.ENTRY_SIZE, address)
        if inner >= geometry.data_end:
            start = (self._start + geometry.data_end) * SECTOR
            end = (self._start + geometry.total_sectors) * SECTOR
            meaning = "too few sectors for one more cluster"
            return _field(start, end - start, "", "rest of the volume", "", meaning, "14.1")
        return self._cluster(inner, address)

    def _table(self, offset: int) -> Field:
        number = (offset - _SLOTS_OFFSET) // PartitionEntry.size
        if _SLOTS_OFFSET <= offset < _SIGNATURE:
            base = _SLOTS_OFFSET + number * PartitionEntry.size
            sector = memoryview(self.read(0, SECTOR))
            field = record_field(
                sector,
                PartitionEntry.fields,
                base,
                offset,
                region=_REGION,
                structure=f"slot {number + 1} of the partition table",
                section="13.1",
            )
            assert field is not None  # the fields of a slot leave no gap
            return field
        if offset >= _SIGNATURE:
            value = self.read(_SIGNATURE, SECTOR - _SIGNATURE).hex(" ").upper()
            meaning = "marks a sector that may have a partition table"
            return _field(
                _SIGNATURE, SECTOR - _SIGNATURE, "the MBR", "signature", value, meaning, "13.1"
            )
        if offset >= _DISK_ID:
            value = value_of(self.read(_DISK_ID, _SLOTS_OFFSET - _DISK_ID))
            meaning = "number of the disk; some systems use it"
            return _field(
                _DISK_ID, _SLOTS_OFFSET - _DISK_ID, "the MBR", "disk id", value, meaning, "13.1"
            )
        meaning = "boot code of PCs; a board does not run it"
        return _field(0, _DISK_ID, "the MBR", "boot code", "", meaning, "13.1")

    def _outside(self, sector: int) -> Field:
        """Return the field before or behind the volume."""
        before = sector < self._start
        first = 1 if before else self._start + self._geometry.total_sectors
        end = self._start if before else self._device.sectors
        meaning = "before the first sector of the volume" if before else "behind the volume"
        size = (end - first) * SECTOR
        return _field(first * SECTOR, size, "", "outside of the volume", "", meaning, "13.1")

    def _reserved(self, inner: int, sector: int, address: int) -> Field:
        geometry, base = self._geometry, sector * SECTOR
        # FAT12 and FAT16 have no backup: geometry has sector 0 for it there.
        if inner in (0, geometry.backup_sector):
            wide = geometry.fat_type == 32
            kinds: list[type[Record]] = [ondisk.BootSector]
            kinds.append(ondisk.Extension32 if wide else ondisk.Extension16)
            name = "the boot sector" if inner == 0 else "the copy of the boot sector"
            return self._record(base, address, kinds, name, "14.1")
        if inner == geometry.fsinfo_sector and inner:
            return self._record(base, address, [ondisk.FsInfo], "FSInfo", "14.3")
        meaning = "between boot sector and FAT; not used"
        return _field(base, SECTOR, "", "reserved sector", "", meaning, "14.1")

    def _record(
        self, base: int, address: int, kinds: list[type[Record]], structure: str, section: str
    ) -> Field:
        sector = memoryview(self.read(base, SECTOR))
        rows = [row for kind in kinds for row in kind.fields]
        field = record_field(
            sector, rows, 0, address - base, region=_REGION, structure=structure, section=section
        )
        if field is not None:
            return field._replace(start=base + field.start)
        offset = address - base
        edges = sorted(
            {0, SECTOR, *(row.offset for row in rows), *(row.offset + row.size for row in rows)}
        )
        first = max(edge for edge in edges if edge <= offset)
        end = min(edge for edge in edges if edge > offset)
        name = "boot code and signature" if end == SECTOR else "unused"
        return _field(base + first, end - first, structure, name, "", "", section)

    def _fat(self, inner: int, address: int) -> Field:
        geometry = self._geometry
        copy = (inner - geometry.fat_start) // geometry.fat_sectors
        base = (self._start + geometry.fat_start + copy * geometry.fat_sectors) * SECTOR
        offset = address - base
        end = geometry.fat_sectors * SECTOR
        bits = geometry.fat_type
        number = offset * 8 // bits
        structure = f"FAT {copy + 1}"
        if number >= geometry.n_fatent:
            first = -(-geometry.n_fatent * bits // 8)
            meaning = "behind the entry of the last cluster"
            if offset >= first:
                return _field(base + first, end - first, structure, "rest", "", meaning, "14.4")
            # Entries of 12 bits share bytes: the first half of this byte still belongs to the last
            # entry.
            number = geometry.n_fatent - 1
        if bits == 12:  # two entries share three bytes
            first, size = number // 2 * 3, 3
            links = [self._link(cluster) for cluster in (number & ~1, number | 1)]
            name = f"entries {number & ~1} and {number | 1}"
            value = self.read(base + first, size).hex(" ").upper()
            return _field(base + first, size, structure, name, value, "; ".join(links), "14.4")
        size = bits // 8
        first = number * size
        value = value_of(self.read(base + first, size))
        name = f"entry {number}"
        return _field(base + first, size, structure, name, value, self._link(number), "14.4")

    def _link(self, cluster: int) -> str:
        """Return the meaning of a cluster's entry in the first FAT."""
        if cluster < 2:
            return "media byte and marks, not of a cluster"
        if cluster >= self._geometry.n_fatent:
            return "not of a cluster"
        # The first FAT, also for an address in the second: FatFs reads only that one
        # (docs/SPEC.md, 14.4).
        value = self._owners.table.get(cluster)
        owner = self._owners.at(cluster)
        whose = f" of {owner.path}" if owner else " of a chain without a file"
        bad = {12: 0xFF7, 16: 0xFFF7, 32: 0x0FFFFFF7}[self._geometry.fat_type]
        if value == 0:
            return f"cluster {cluster} is free"
        # To FatFs this is the end of a chain; formatters use it for clusters that nothing may
        # take.
        if value == bad:
            return f"cluster {cluster} is bad"
        if value >= self._geometry.n_fatent:
            return f"cluster {cluster} is the last{whose}"
        return f"cluster {value} comes after cluster {cluster}{whose}"

    def _cluster(self, inner: int, address: int) -> Field:
        geometry = self._geometry
        cluster = 2 + (inner - geometry.data_start) // geometry.sectors_per_cluster
        start, size = self._address_of(cluster), geometry.cluster_size
        owner = self._owners.at(cluster)
        structure = f"cluster {cluster}"
        if owner is None:
            meaning = "of no file; it may still hold old data"
            return _field(start, size, structure, "free", "", meaning, "14.4")
        if owner.is_dir:
            return self._entry(
                owner.path, address - (address - start) % ondisk.ENTRY_SIZE, address
            )
        offset = (owner.place + cluster - owner.first) * size
        used = max(0, min(size, owner.size - offset))
        if address - start >= used:
            meaning = f"past the end of {owner.path}"
            return _field(start + used, size - used, structure, "unused", "", meaning, "17.2")
        meaning = f"bytes {offset} to {offset + used - 1} of {owner.path}"
        field = _field(start, used, structure, "data", "", meaning, "17.2")
        return field._replace(owner=owner.path, offset=offset)

    def _entry(self, folder: str, base: int, address: int) -> Field:
        """Return the field of a directory entry: short, part of a long name, or free."""
        raw = self.read(base, ondisk.ENTRY_SIZE)
        structure = f"an entry of the folder {folder}"
        if raw[0] in (ondisk.ENTRY_END, ondisk.ENTRY_FREE):
            words = "free, as are all entries behind it"
            words = "deleted" if raw[0] == ondisk.ENTRY_FREE else words
            value = f"{raw[0]:02X}"
            return _field(base, ondisk.ENTRY_SIZE, structure, "entry", value, words, "15.1")
        is_long = raw[_ATTRIBUTES] & ondisk.ATTR_LONG_NAME_MASK == ondisk.ATTR_LONG_NAME
        kind: type[Record] = ondisk.LongEntry if is_long else ondisk.DirEntry
        if is_long:
            structure = f"a part of a long name in the folder {folder}"
        else:
            name = raw[:11].decode("ascii", "backslashreplace").rstrip()
            structure = f"the entry {name!r} of the folder {folder}"
        field = record_field(
            memoryview(raw),
            kind.fields,
            0,
            address - base,
            region=_REGION,
            structure=structure,
            section="15.1",
        )
        assert field is not None  # the fields of both kinds leave no gap
        return field._replace(start=base + field.start)

    def _address_of(self, cluster: int) -> int:
        geometry = self._geometry
        inner = geometry.data_start + (cluster - 2) * geometry.sectors_per_cluster
        return (self._start + inner) * SECTOR

    def resolve(self, place: Address) -> int:
        """Return the address of a place; raises ``AddressError`` if it is not on the card."""
        address = self._start_of(place) + (0 if place.kind == "file" else place.offset)
        if not 0 <= address < self.size:
            raise AddressError(f"{place.text or hex_address(address)} is not on the card")
        return address

    def _start_of(self, place: Address) -> int:
        geometry, number = self._geometry, place.number
        if place.kind in ("block", "page", "model"):
            raise AddressError(f"{place.text}: a card has no {place.kind}, only a flash")
        if place.kind == "file":
            return self._in_file(place)
        if place.kind in ("cluster", "fat") and not 2 <= number < geometry.n_fatent:
            last = geometry.n_fatent - 1
            raise AddressError(f"{place.text}: clusters have numbers from 2 to {last}")
        if place.kind == "cluster":
            return self._address_of(number)
        if place.kind == "fat":
            base = (self._start + geometry.fat_start) * SECTOR
            return base + number * geometry.fat_type // 8
        return number * (SECTOR if place.kind == "sector" else 1)

    def _in_file(self, place: Address) -> int:
        try:
            entry = self._target.stat(place.path)
        except MissingError as error:
            raise AddressError(f"{place.text}: {error}", hint=error.hint) from None
        # The rest of the last cluster is not part of the file, although it belongs to it.
        if not entry.is_dir and place.offset >= entry.size:
            raise AddressError(f"{place.text}: the file has {entry.size} bytes")
        index, rest = divmod(place.offset, self._geometry.cluster_size)
        for run in self._owners.runs_of(entry.path):
            if run.place <= index < run.place + run.end - run.first:
                return self._address_of(run.first + index - run.place) + rest
        raise AddressError(f"{place.text}: the cluster with that byte is lost")


def _field(
    start: int, size: int, structure: str, name: str, value: str, meaning: str, section: str
) -> Field:
    return Field(start, size, _REGION, structure, name, value, meaning, section)


# Owners of clusters


class _Owned(NamedTuple):
    """A run of clusters of one file or folder."""

    first: int
    end: int
    """One past the last cluster."""
    path: str
    is_dir: bool
    place: int
    """Index of the first one in the file, from 0."""
    size: int
    """Bytes of the file; 0 for a folder."""


class _ClusterOwners:
    """The runs of all files and folders, by cluster; a damaged chain ends at the damage."""

    def __init__(self, view: FatVolume, sectors: VolumeSectors) -> None:
        self._geometry: FatGeometry = view.core.geometry
        self.table = open_table(sectors, self._geometry)
        self._runs: list[_Owned] = []
        # On FAT12 and FAT16 the root lies in front of the clusters and has no chain.
        if self._geometry.fat_type == 32:
            self._follow(self._geometry.root_cluster, "/", is_dir=True, size=0)
        for entry in view.below(view.mount.parts):
            if entry.native.cluster:
                self._follow(
                    entry.native.cluster, entry.path, is_dir=entry.is_dir, size=entry.size
                )
        self._runs.sort()
        self._starts = [run.first for run in self._runs]

    def at(self, cluster: int) -> _Owned | None:
        """Return the run that a cluster is in, or ``None``."""
        at = bisect_right(self._starts, cluster) - 1
        if at < 0 or cluster >= self._runs[at].end:
            return None
        return self._runs[at]

    def runs_of(self, path: str) -> list[_Owned]:
        """Return the runs of a file, in the order of its data."""
        return sorted((run for run in self._runs if run.path == path), key=lambda run: run.place)

    def _follow(self, cluster: int, path: str, *, is_dir: bool, size: int) -> None:
        """Add a chain; a loop ends after as many clusters as the volume has."""
        index, count = 0, self._geometry.n_fatent
        # Damaged chains may loop or enter another file's: the count bounds the walk.
        while 2 <= cluster < count and index < count:
            try:
                length = self.table.run_from(cluster, count - cluster)
                self._runs.append(_Owned(cluster, cluster + length, path, is_dir, index, size))
                index += length
                cluster = self.table.get(cluster + length - 1)
            except FatError:
                return
