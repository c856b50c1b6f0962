"""What is said of a file or folder, and of a volume."""

from __future__ import annotations

from typing import NamedTuple

from maixfs.fat.ondisk import Attribute

_DIRECTORY = int(Attribute.DIRECTORY)
ROOT_DATE = 0x2821
"""2000-01-01: MicroPython's date of the root, which has no entry of its own."""


class FatEntry(NamedTuple):
    """A file or folder, as its directory entries say it."""

    name: str
    """Long name, or the short one in the case that it is shown in."""
    oem_name: bytes
    """What the firmware lists: the name in CP437, or the short name where CP437 has not all."""
    short_name: str
    attributes: int
    size: int
    cluster: int
    """First cluster, 0 if there is none."""
    write_date: int
    write_time: int
    create_date: int
    create_time: int
    create_tenths: int
    """Hundredths of two seconds."""
    access_date: int
    slot: int
    """Index of its short entry in its folder."""
    folder: int
    """First cluster of the folder that it lies in; 0 for the root."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return bool(self.attributes & _DIRECTORY)


ROOT = FatEntry("", b"", "", _DIRECTORY, 0, 0, ROOT_DATE, 0, 0, 0, 0, 0, -1, 0)
"""What ``FatCore.stat`` says of the root."""


class VolumeInfo(NamedTuple):
    """Size and room of a volume."""

    fat_type: int
    cluster_size: int
    """Bytes."""
    clusters: int
    free: int | None
    """Free clusters as FatFs knows them; ``None`` if nobody has counted."""
    label: str
    serial: int

    @property
    def used(self) -> int | None:
        """Clusters in use, as far as is known."""
        return None if self.free is None else self.clusters - self.free

    @property
    def total_bytes(self) -> int:
        """Bytes of all clusters."""
        return self.clusters * self.cluster_size

    @property
    def free_bytes(self) -> int | None:
        """Bytes of the free clusters."""
        return None if self.free is None else self.free * self.cluster_size
