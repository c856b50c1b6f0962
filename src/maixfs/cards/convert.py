"""The volumes and the partition table of a converted card.

``patch_volume`` corrects marks and counts in a copied volume, never a chain; ``rebuild`` makes a
new volume with every file of one that no board mounts as it is; ``write_table`` makes sector 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.cards.newimage import CardError
from maixfs.cards.plan import How, Move, Plan, moved, unmarked, with_fsinfo
from maixfs.fat import FatCore, FatError, FResult, OpenFlag, ondisk
from maixfs.fat.chains import FatArray
from maixfs.fat.geometry import FatGeometry, decode_geometry, read_geometry
from maixfs.fat.mkfs import format_volume
from maixfs.fat.ondisk import Attribute
from maixfs.fat.reader import FatReader, Item
from maixfs.sd.device import SECTOR, SectorDevice
from maixfs.sd.mbr import BOOT_CODE_SIZE, Partition, make_mbr, partition_type

if TYPE_CHECKING:
    from maixfs.host.drafts import Progress
    from maixfs.sd.partitions import PartitionTable

_PIECE = 2048
"""Sectors of a FAT that are copied at once."""
_CLEAN = {16: 0xC000, 32: 0x0C000000}
"""Bits of the second FAT entry that are set on a volume that was unmounted."""


def patch_volume(
    device: SectorDevice, start: int, boot: bytes, *, keep_marks: bool = False
) -> list[str]:
    """Correct marks, counts and the second FAT of a volume; return the changes as sentences.

    ``boot`` becomes the boot sector. With ``keep_marks`` the volume stays marked as not cleanly
    unmounted, so that a computer checks it.
    """
    geometry, refusal = decode_geometry(boot)
    assert geometry is not None and refusal is None
    patch = _Patch(device, start, geometry)
    if not keep_marks:
        boot = patch.unmark(boot)
    boot = patch.count(moved(boot, start))
    # The boot sector comes after FSInfo, because only now it is known which sector it names.
    patch.write_boot(boot)
    patch.copy_fat()
    return patch.changes


class _Patch:
    def __init__(self, device: SectorDevice, start: int, geometry: FatGeometry) -> None:
        self.changes: list[str] = []
        self._device = device
        self._start = start
        self._geometry = geometry

    def unmark(self, boot: bytes) -> bytes:
        """Clear the marks of a volume that was not unmounted."""
        kind = self._geometry.fat_type
        cleared = unmarked(boot, kind)
        changed = cleared != boot
        # FAT12 has no such bits: its second entry has no room for them.
        if kind in _CLEAN:
            sector = bytearray(self._device.read(self._start + self._geometry.fat_start, 1))
            size = kind // 8
            entry = int.from_bytes(sector[size : 2 * size], "little")
            if entry & _CLEAN[kind] != _CLEAN[kind]:
                entry |= _CLEAN[kind]
                sector[size : 2 * size] = entry.to_bytes(size, "little")
                self._device.write(self._start + self._geometry.fat_start, sector)
                changed = True
        if changed:
            self.changes.append("the marks of an unclean unmount were cleared")
        return cleared

    def count(self, boot: bytes) -> bytes:
        """Write the free count into FSInfo; return the boot sector that names its sector."""
        geometry = self._geometry
        if geometry.fat_type != 32 or geometry.fat_start < 2 or geometry.fsinfo_sector > 1:
            return boot
        raw = self._device.read(self._start + 1, 1)
        info = ondisk.FsInfo.unpack(raw)
        table = FatArray(self._device, self._start, geometry)
        right = ondisk.FsInfo(
            ondisk.FSI_LEAD_SIG,
            ondisk.FSI_STRUC_SIG,
            table.count_free(),
            info.FSI_Nxt_Free
            if 2 <= info.FSI_Nxt_Free < geometry.n_fatent
            else ondisk.FSI_UNKNOWN,
            ondisk.FSI_TRAIL_SIG,
        )
        # A count of FFFFFFFF is valid: it makes FatFs count when it needs the number
        # (docs/SPEC.md, 14.3).
        unknown = info.replace(FSI_Free_Count=right.FSI_Free_Count)
        if info.FSI_Free_Count == ondisk.FSI_UNKNOWN and unknown[:3] == right[:3]:
            return boot
        if info != right or geometry.fsinfo_sector != 1:
            self.changes.append("the free clusters in FSInfo were corrected")
            self._device.write(self._start + 1, right.pack())
        return with_fsinfo(boot, 1)

    def write_boot(self, boot: bytes) -> None:
        """Write the boot sector and its backup."""
        self._device.write(self._start, boot)
        geometry = self._geometry
        if geometry.fat_type == 32 and 1 < geometry.backup_sector < geometry.fat_start:
            self._device.write(self._start + geometry.backup_sector, boot)

    def copy_fat(self) -> None:
        """Copy the first FAT, which boards read, to the second."""
        geometry = self._geometry
        if geometry.fats < 2:
            return
        first = self._start + geometry.fat_start
        changed = False
        # Only sectors with entries: what lies behind the last one has no meaning, and may be as
        # large again.
        used = -(-geometry.n_fatent * geometry.fat_type // (8 * SECTOR))
        for at in range(0, used, _PIECE):
            count = min(_PIECE, used - at)
            data = self._device.read(first + at, count)
            if data != self._device.read(first + geometry.fat_sectors + at, count):
                self._device.write(first + geometry.fat_sectors + at, data)
                changed = True
        if changed:
            self.changes.append("the first FAT was copied to the second")


_SETTABLE = Attribute.READ_ONLY | Attribute.HIDDEN | Attribute.SYSTEM | Attribute.ARCHIVE
_ZERO_TIME = (0x21, 0)
"""1980-01-01: the label's date where no clock is to be asked."""


def rebuild(
    source: FatReader,
    device: SectorDevice,
    start: int,
    sectors: int,
    progress: Progress | None = None,
) -> FatGeometry:
    """Make a volume at sector ``start`` of ``device`` with everything in ``source``.

    It is FAT32 if there is room for it, else the type that fits; label and serial number stay.
    Names, times, attributes and contents of the files are kept. Raises ``CardError``
    if they do not fit or a file cannot be read.
    """
    geometry = _format(source, device, start, sectors)
    with FatCore(device, start) as fat:
        try:
            copied = _copy(source, fat, progress)
        except FatError as error:
            if error.result is FResult.DENIED:
                raise CardError(
                    f"the files do not fit into a volume of {sectors} sectors",
                    hint="make the new card larger",
                ) from error
            raise CardError(
                f"not all files can be copied: {error}",
                hint="unpack the card: that saves the files that can be read",
            ) from error
        for path, item in reversed(copied):  # contents before their folder
            _restore(fat, path, item)
    return geometry


def _format(source: FatReader, device: SectorDevice, start: int, sectors: int) -> FatGeometry:
    def make(fat_type: int | None, label: str) -> FatGeometry:
        return format_volume(
            device, start, sectors, fat_type=fat_type, layout="mkfs.fat", label=label,
            serial=source.geometry.serial, clock=lambda: _ZERO_TIME,
        )  # fmt: skip

    label = source.label()
    # FAT32 may need more room; the label of another system may be one that FatFs refuses.
    for fat_type, text in ((32, label), (None, label)):
        try:
            return make(fat_type, text)
        except FatError as error:
            if error.result not in {FResult.MKFS_ABORTED, FResult.INVALID_NAME}:
                raise
    return make(None, "")


def _copy(source: FatReader, fat: FatCore, progress: Progress | None) -> list[tuple[str, Item]]:
    copied: list[tuple[str, Item]] = []
    done = 0
    for path, item in source.walk():
        if item.is_dir:
            fat.mkdir(path)
        else:
            with fat.open(path, OpenFlag.WRITE | OpenFlag.CREATE_NEW) as file:
                for piece in source.content(item):
                    _write(file.write(piece), piece)
                    done += len(piece)
                    if progress is not None:
                        progress("copy", done, done)
        copied.append((path, item))
    return copied


def _write(written: int, piece: bytes) -> None:
    if written < len(piece):
        from maixfs.fat.errors import full_error

        raise full_error("", "no cluster is free")


def _restore(fat: FatCore, path: str, item: Item) -> None:
    """Set the times and attributes of a file or folder to those of the old one."""
    written, written_at, created, created_at, _, accessed = item.times
    fat.set_times(
        path, modified=(written, written_at), created=(created, created_at), accessed=accessed
    )
    fat.set_attributes(path, item.attributes & _SETTABLE, _SETTABLE)


def write_table(
    source: SectorDevice, new: SectorDevice, table: PartitionTable, plan: Plan
) -> None:
    """Write sector 0 of the new card; boot code and disk id of an old MBR are kept."""
    partitions = [_partition(new, slot, move) for slot, move in enumerate(plan.moves, 1)]
    for slot, place in enumerate(plan.extended, len(partitions) + 1):
        kind = place.type_byte or 0x0F
        partitions.append(Partition(slot, kind, place.start, place.sectors))
    # The old sector 0 of a card without MBR is a boot sector or the guard of a GPT: its code would
    # start something that is not there any more.
    code = source.read(0, 1)[:BOOT_CODE_SIZE] if table.scheme == "MBR" else b""
    serials = [move.volume.geometry.serial for move in plan.moves if move.volume]
    disk_id = (table.disk_id if table.scheme == "MBR" else 0) or next(iter(serials), 0)
    new.write(0, make_mbr(partitions, disk_id=disk_id, boot_code=code))


def _partition(new: SectorDevice, slot: int, move: Move) -> Partition:
    kind = move.type_byte
    if move.how is How.REBUILD:
        geometry = read_geometry(new.read(move.start, 1))
        kind = partition_type(geometry.fat_type, move.start, move.sectors)
    return Partition(slot, kind, move.start, move.sectors, move.place.bootable)
