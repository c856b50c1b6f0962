"""What a volume knows of its free clusters: FSInfo, as FatFs reads, keeps and writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError
from maixfs.fat.ondisk import (
    FSI_COUNTS,
    FSI_LEAD_SIG,
    FSI_STRUC_SIG,
    FSI_TRAIL_SIG,
    FSI_UNKNOWN,
    SIGNATURE_OFFSET,
    FsInfo,
)

if TYPE_CHECKING:
    from maixfs.fat.geometry import FatGeometry
    from maixfs.fat.sectors import VolumeSectors

_SECTOR = 1
"""Where FSInfo is; FatFs takes no notice of one elsewhere."""


class FreeSpace:
    """Number of free clusters and where the last one was taken.

    ``free`` is believed as it was found, right or wrong, if it can be right at all; beyond the
    number of clusters it means that nobody knows. ``last`` is the cluster that was taken last,
    and the search for the next one begins after it. ``moved`` says that clusters were taken or
    freed since the last ``flush``.
    """

    __slots__ = ("_changed", "_clusters", "_data", "_sectors", "_used", "free", "last", "moved")

    def __init__(self, sectors: VolumeSectors, geometry: FatGeometry) -> None:
        self._sectors = sectors
        self._clusters = geometry.clusters
        self.free = self.last = FSI_UNKNOWN
        self._used = False
        self._changed = False
        self._data = bytearray(FsInfo(FSI_LEAD_SIG, FSI_STRUC_SIG, 0, 0, FSI_TRAIL_SIG).pack())
        self.moved = False
        if geometry.fat_type == 32 and geometry.fsinfo_sector == _SECTOR:
            self._load()

    def _load(self) -> None:
        """Take over what the sector says; one that cannot be read is never written."""
        try:
            sector = self._sectors.read(_SECTOR, 1)
        except FatError:
            return
        self._used = True
        info = FsInfo.unpack(sector)
        signed = sector[SIGNATURE_OFFSET:] == b"\x55\xaa"
        if signed and (info.FSI_LeadSig, info.FSI_StrucSig) == (FSI_LEAD_SIG, FSI_STRUC_SIG):
            self.free, self.last = info.FSI_Free_Count, info.FSI_Nxt_Free

    @property
    def known(self) -> bool:
        """Whether ``free`` is a count."""
        return self.free <= self._clusters

    @property
    def changed(self) -> bool:
        """Whether FSInfo is to be written."""
        return self._changed and self._used

    def took(self, count: int, last: int) -> None:
        """Note that ``count`` clusters were taken, ``last`` the last of them."""
        if self.free <= self._clusters:
            self.free -= count
        self.last = last
        self._changed = self.moved = True

    def gave(self, count: int) -> None:
        """Note that ``count`` clusters were freed."""
        if count and self.free < self._clusters:
            self.free = min(self.free + count, self._clusters)
            self._changed = self.moved = True

    def counted(self, free: int) -> None:
        """Note that the FAT has ``free`` free entries."""
        self.free = free
        self._changed = True

    def flush(self) -> None:
        """Write the sector if it is in use and something changed: the whole of it."""
        if self._changed and self._used:
            FSI_COUNTS.pack_into(self._data, 0, self.free & FSI_UNKNOWN, self.last & FSI_UNKNOWN)
            self._sectors.write(_SECTOR, bytes(self._data))
            self._changed = False
        self.moved = False
