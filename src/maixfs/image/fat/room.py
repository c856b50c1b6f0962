"""Room in a FAT volume, in clusters."""

from __future__ import annotations

from typing import Any, NamedTuple


class FatRoom(NamedTuple):
    """Room in a FAT volume; what is free was counted in the FAT."""

    cluster_size: int
    """Bytes."""
    total_clusters: int
    free_clusters: int
    told_free: int | None
    """Free clusters as FSInfo has them, which a board believes; ``None``: it does not say."""
    files: int
    folders: int

    @property
    def used_clusters(self) -> int:
        """Clusters of files, of folders, and those that are lost."""
        return self.total_clusters - self.free_clusters

    @property
    def total(self) -> int:
        """Bytes of all clusters."""
        return self.total_clusters * self.cluster_size

    @property
    def used(self) -> int:
        """Bytes in clusters that are not free."""
        return self.used_clusters * self.cluster_size

    @property
    def deleted(self) -> int:
        """Nothing: clusters of removed files are free at once."""
        return 0

    @property
    def free(self) -> int:
        """Bytes that can be written."""
        return self.free_clusters * self.cluster_size

    def as_dict(self) -> dict[str, Any]:
        """Return it all by name, in clusters and in bytes."""
        sizes = {"total": self.total, "used": self.used, "deleted": 0, "free": self.free}
        return self._asdict() | {"used_clusters": self.used_clusters} | sizes
