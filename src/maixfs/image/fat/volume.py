"""A FAT volume in a target, for looking at; ``fat.changing`` has what changes it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, cast

from maixfs.errors import MaixfsError, UsageError
from maixfs.fat import FatCore, FatError, OpenFlag
from maixfs.fat.codepage import upcase
from maixfs.fat.names import make_name
from maixfs.fat.ondisk import Attribute
from maixfs.finding import Finding
from maixfs.image.entries import Entry
from maixfs.image.errors import TargetError, UnreadableError
from maixfs.image.fat.catalog import FatCatalog
from maixfs.image.fat.medium import CardMedium
from maixfs.image.fat.names import meant, path_of, shown, to_datetime
from maixfs.image.fat.partition import Partition
from maixfs.image.fat.room import FatRoom
from maixfs.image.fat.stream import BUFFER, FatStream
from maixfs.image.names import Parts, Steps
from maixfs.image.paths import Mount

_LONGEST_PATH = 1024
"""Parts of a path at most: a bound for what is looked up."""


class FatView:
    """The reading half of a ``FatVolume``; ``fat`` is the mounted volume."""

    has_folders = True
    keeps_times = True

    def __init__(self, host: Path, medium: CardMedium, partition: Partition, mount: Mount) -> None:
        self.host = host
        self.medium = medium
        self.partition = partition
        self.mount = mount
        self.fat = self._mounted()
        self.format = f"FAT{self.fat.geometry.fat_type}"
        self.catalog = FatCatalog(self.fat, mount.parts)

    def _mounted(self) -> FatCore:
        return FatCore(
            self.medium.device, self.partition.start, read_only=not self.medium.writable
        )

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self.medium.writable

    def canonical(self, steps: Steps) -> Steps:
        """Return the steps of a path as the volume has them, in its case."""
        parts = self.catalog.canonical(steps.parts)
        if self.catalog.look_up(parts) is None:
            bare = self.mount.without_alias(steps)
            parts = self.catalog.canonical(bare.parts) if bare != steps else parts
        return steps._replace(parts=parts)

    def find(self, steps: Steps) -> Entry | None:
        """Return the file or folder of a path; of a file it is seen whether it can be read."""
        if steps.page is not None:
            return None
        if self.catalog.has_file(steps.parts):
            entry = self.catalog.file(steps.parts)
            return entry._replace(fault=self._fault(entry))
        return self.catalog.folder(steps.parts) if self.catalog.has_folder(steps.parts) else None

    def refuse_unreadable(self, parts: Parts) -> None:
        """Raise ``UnreadableError`` for a folder that is there but cannot be read."""
        entry = self.catalog.folder(parts)
        if entry.fault is not None:
            raise UnreadableError(
                f"{entry.path} cannot be read: {entry.fault}",
                hint=f"maixfs sd doctor {self.host} says what is wrong",
            )

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file."""
        with self.open(entry) as stream:
            return stream.read()

    def open(self, entry: Entry) -> BinaryIO:
        """Return a file to read from."""

        def failed(error: MaixfsError) -> TargetError:
            return UnreadableError(
                f"{entry.path} cannot be read: {error}",
                hint=f"maixfs unpack {self.host} DIR leaves it out and saves the others",
            )

        try:
            file = self.fat.open(self._path(entry.parts), OpenFlag.READ)
        except MaixfsError as error:
            raise failed(error) from error
        return cast(BinaryIO, io.BufferedReader(FatStream(file, failed), BUFFER))

    def room(self) -> FatRoom:
        """Return how much is taken and left, by a count of the FAT."""
        info = self.fat.info()
        files, folders = self.catalog.count()
        return FatRoom(
            cluster_size=info.cluster_size,
            total_clusters=info.clusters,
            free_clusters=self.fat.free_clusters(scan=True),
            told_free=info.free,
            files=files,
            folders=folders,
        )

    def facts(self, entry: Entry) -> dict[str, Any]:
        """Return what goes beyond a listing; times are those of the clock that wrote them."""
        found = self.catalog.look_up(entry.parts)
        attributes = Attribute(entry.attributes & 0x3F)
        facts: dict[str, Any] = {
            "on_card": entry.on_medium,
            "cluster_size": self.fat.geometry.cluster_size,
            "first_cluster": entry.cluster or None,
            "attribute_names": [str(one.name).lower().replace("_", "-") for one in attributes],
            "created": None,
            "accessed": None,
        }
        if found is not None:
            created = to_datetime(found.create_date, found.create_time)
            accessed = to_datetime(found.access_date, 0)
            facts["created"] = created and created.isoformat()
            facts["accessed"] = accessed and accessed.date().isoformat()
        return facts

    def findings(self) -> list[Finding]:
        """Return what is worth knowing of the place where the volume lies."""
        return [*self.partition.findings]

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets: names as FAT keeps them."""
        return "/" + "/".join(self.mount.parts + self._place(path))

    def key_of(self, path: str) -> str:
        """Return the path without case."""
        return upcase("/".join(map(meant, path.split("/"))))

    def close(self) -> None:
        """Let go of the card; changes that were not saved are gone."""
        self.fat.abandon()
        self.medium.close()

    def _place(self, path: str, *, folder: bool = False, new_name: bool = False) -> Parts:
        """Return the parts below the mount point of a file or folder to be written.

        With ``new_name`` its name is as it was given, where there is one in another case, too.
        Raises ``UsageError`` for a path that none can have here.
        """
        steps = self.mount.absolute(path)
        if steps.page is not None or len(steps.parts) > _LONGEST_PATH:
            raise UsageError(f"{path}: not a name that FAT can hold")
        last = steps.parts[-1:]
        steps = self.canonical(steps)
        if new_name and steps.parts:
            steps = steps._replace(parts=steps.parts[:-1] + last)
        inside = self.mount.inside(path.rstrip("/") if folder else path, steps)
        try:
            return tuple(shown(make_name(meant(part)).long) for part in inside)
        except FatError as error:
            raise UsageError(f"{path}: {error}", hint=error.hint) from error

    def _path(self, parts: Parts) -> str:
        """Return a path of the target as the driver takes it."""
        return path_of(parts[len(self.mount.parts) :])

    def _fault(self, entry: Entry) -> str | None:
        """Return why a file cannot be read to its end, by a walk along its clusters."""
        if not entry.size:
            return None
        try:
            with self.fat.open(self._path(entry.parts), OpenFlag.READ) as file:
                file.seek(entry.size - 1)
                file.read(1)
        except MaixfsError as error:
            return str(error)
        return None
