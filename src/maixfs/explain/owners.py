"""Who has which cluster of a volume: the runs of all files and folders."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from maixfs.fat.errors import FatError
from maixfs.fat.table import open_table

if TYPE_CHECKING:
    from maixfs.fat.geometry import FatGeometry
    from maixfs.fat.sectors import VolumeSectors
    from maixfs.image.fatvolume import FatVolume


class Owned(NamedTuple):
    """A run of clusters of one file or folder."""

    first: int
    end: int
    """The cluster behind the last one."""
    path: str
    is_dir: bool
    place: int
    """Which cluster of the file the first one is, from 0."""
    size: int
    """Bytes of the file; 0 for a folder."""


class ClusterOwners:
    """The runs of every file and folder, by cluster; damaged chains end where they are damaged."""

    def __init__(self, view: FatVolume, sectors: VolumeSectors) -> None:
        self._geometry: FatGeometry = view.core.geometry
        self.table = open_table(sectors, self._geometry)
        self._runs: list[Owned] = []
        if self._geometry.fat_type == 32:
            self._follow(self._geometry.root_cluster, "/", is_dir=True, size=0)
        for entry in view.below(view.mount.parts):
            if entry.native.cluster:
                self._follow(
                    entry.native.cluster, entry.path, is_dir=entry.is_dir, size=entry.size
                )
        self._runs.sort()
        self._starts = [run.first for run in self._runs]

    def at(self, cluster: int) -> Owned | None:
        """Return the run that a cluster is in, ``None`` where it is nobody's."""
        at = bisect_right(self._starts, cluster) - 1
        if at < 0 or cluster >= self._runs[at].end:
            return None
        return self._runs[at]

    def runs_of(self, path: str) -> list[Owned]:
        """Return the runs of a file, in its own order."""
        return sorted((run for run in self._runs if run.path == path), key=lambda run: run.place)

    def _follow(self, cluster: int, path: str, *, is_dir: bool, size: int) -> None:
        """Add a chain; a loop ends when it has more clusters than the volume."""
        index, count = 0, self._geometry.n_fatent
        # A folder that is someone's already was entered by two names, or is a loop.
        while 2 <= cluster < count and index < count:
            try:
                length = self.table.run_from(cluster, count - cluster)
                self._runs.append(Owned(cluster, cluster + length, path, is_dir, index, size))
                index += length
                cluster = self.table.get(cluster + length - 1)
            except FatError:
                return
