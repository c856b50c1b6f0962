"""What is put right in the copy of a volume: marks and counts, never a chain."""

from __future__ import annotations

from maixfs.cards.bootsector import moved, unmarked, with_fsinfo
from maixfs.cards.fattable import FatTable
from maixfs.cards.layout import Layout, read_layout
from maixfs.fat import ondisk
from maixfs.fat.geometry import read_geometry
from maixfs.sd.device import SECTOR, SectorDevice

_PIECE = 2048
"""Sectors of a FAT that are copied in one go."""
_CLEAN = {16: 0xC000, 32: 0x0C000000}
"""Bits of the second FAT entry that are set on a volume that was unmounted."""


def patch_volume(
    device: SectorDevice, start: int, boot: bytes, *, keep_marks: bool = False
) -> list[str]:
    """Put right what a conversion may; return what that was, in words.

    ``boot`` becomes the boot sector. With ``keep_marks`` the volume stays marked as not cleanly
    unmounted, so that a computer checks it.
    """
    fat_type = read_geometry(boot).fat_type
    layout = read_layout(boot, fat_type)
    assert layout is not None  # FatFs takes it
    patch = _Patch(device, start, layout)
    if not keep_marks:
        boot = patch.unmark(boot)
    boot = patch.count(moved(boot, start))
    patch.write_boot(boot)
    patch.copy_fat()
    return patch.changes


class _Patch:
    def __init__(self, device: SectorDevice, start: int, layout: Layout) -> None:
        self.changes: list[str] = []
        self._device = device
        self._start = start
        self._layout = layout

    def unmark(self, boot: bytes) -> bytes:
        """Clear the marks of a volume that was not unmounted."""
        kind = self._layout.fat_type
        cleared = unmarked(boot, kind)
        changed = cleared != boot
        if kind in _CLEAN:
            sector = bytearray(self._device.read(self._start + self._layout.fat_start, 1))
            size = kind // 8
            entry = int.from_bytes(sector[size : 2 * size], "little")
            if entry & _CLEAN[kind] != _CLEAN[kind]:
                entry |= _CLEAN[kind]
                sector[size : 2 * size] = entry.to_bytes(size, "little")
                self._device.write(self._start + self._layout.fat_start, sector)
                changed = True
        if changed:
            self.changes.append("the marks of an unclean unmount were cleared")
        return cleared

    def count(self, boot: bytes) -> bytes:
        """Write the right free count into FSInfo; return the boot sector that leads to it."""
        layout = self._layout
        if layout.fat_type != 32 or layout.fat_start < 2 or layout.fsinfo > 1:
            return boot
        raw = self._device.read(self._start + 1, 1)
        info = ondisk.FsInfo.unpack(raw)
        table = FatTable(self._device, self._start, layout)
        right = ondisk.FsInfo(
            ondisk.FSI_LEAD_SIG,
            ondisk.FSI_STRUC_SIG,
            table.count_free(),
            info.FSI_Nxt_Free if 2 <= info.FSI_Nxt_Free < layout.limit else ondisk.FSI_UNKNOWN,
            ondisk.FSI_TRAIL_SIG,
        )
        unknown = info.replace(FSI_Free_Count=right.FSI_Free_Count)
        if info.FSI_Free_Count == ondisk.FSI_UNKNOWN and unknown[:3] == right[:3]:
            return boot
        if info != right or layout.fsinfo != 1:
            self.changes.append("the free clusters were counted anew for FSInfo")
            self._device.write(self._start + 1, right.pack())
        return with_fsinfo(boot, 1)

    def write_boot(self, boot: bytes) -> None:
        """Write the boot sector, and its backup where there is one."""
        self._device.write(self._start, boot)
        layout = self._layout
        if layout.fat_type == 32 and 1 < layout.backup < layout.fat_start:
            self._device.write(self._start + layout.backup, boot)

    def copy_fat(self) -> None:
        """Make the second FAT the same as the first, which is the one that boards read."""
        layout = self._layout
        if layout.fats < 2:
            return
        first = self._start + layout.fat_start
        changed = False
        used = -(-layout.limit * layout.fat_type // (8 * SECTOR))
        for at in range(0, used, _PIECE):
            count = min(_PIECE, used - at)
            data = self._device.read(first + at, count)
            if data != self._device.read(first + layout.fat_sectors + at, count):
                self._device.write(first + layout.fat_sectors + at, data)
                changed = True
        if changed:
            self.changes.append("the second FAT was made the same as the first")
