"""What can be seen of a target, whatever it is on the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from maixfs.errors import UsageError
from maixfs.image.address import TargetPath
from maixfs.image.content import Content
from maixfs.image.entries import Entries, Entry, Kind, Room
from maixfs.image.errors import MissingError, TargetError
from maixfs.image.names import Steps, steps_of
from maixfs.image.volume import Volume, missing
from maixfs.image.volumes import Volumes

if TYPE_CHECKING:
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.report import Report
    from maixfs.image.source import Source
    from maixfs.image.spiffs.changing import SpiffsVolume

_MAGIC_CHARACTERS = frozenset("*?[")


class TargetView:
    """The reading half of a ``Target``."""

    def __init__(
        self,
        place: TargetPath,
        source: Source,
        kind: Kind,
        volumes: Volumes,
        *,
        holder: int | None = None,
    ) -> None:
        self.place = place
        """How it was named."""
        self.source = source
        self.host: Path = source.host
        self.kind = kind
        self.volumes = volumes
        self.holder = holder
        """The process that has the board powered on (0: not known which), or ``None``."""

    @property
    def main(self) -> Volume:
        """The file system where relative paths start."""
        return self.volumes.main

    @property
    def spiffs(self) -> SpiffsVolume:
        """The SPIFFS; raises ``UsageError`` where the target is a card."""
        from maixfs.image.spiffs.changing import SpiffsVolume

        volume = self.main
        if not isinstance(volume, SpiffsVolume):
            raise UsageError(f"{self.host} is a {self.kind}: it holds no SPIFFS")
        return volume

    @property
    def size(self) -> int:
        """Bytes of the host's file."""
        return self.source.size

    @property
    def mount_point(self) -> str:
        """Where relative paths start: ``/flash``, or ``/`` in an image of one file system."""
        return self.main.mount.point

    @property
    def config(self) -> BoardConfig | None:
        """What a board is made of; ``None`` for images."""
        return self.source.config

    def parts(self) -> dict[str, TargetPath]:
        """Return what a whole card divides into: ``card.img@1`` as ``sd``, and so on.

        Empty where there is nothing to divide, or one partition was asked for by its slot.
        """
        if self.kind is not Kind.CARD or self.place.slot is not None:
            return {}
        from maixfs.image.fat.partition import partitions_of

        found = partitions_of(self.main)
        whole = self.place.whole
        return {at.name: whole._replace(slot=at.slot) for at in found} if found[1:] else {}

    def notes(self) -> list[str]:
        """Return what is to be said of a card at once, whatever is done with it."""
        if self.kind is not Kind.CARD:
            return []
        from maixfs.image.fat.volume import FatView

        main = self.main
        findings = main.findings() if isinstance(main, FatView) else []
        return [f"{self.place.whole}: {finding.what}" for finding in findings]

    def volume(self, path: str | None) -> Volume:
        """Return the file system in which a path lies."""
        return self.volumes.at(self._find(path).parts)

    def list(self, path: str | None = None, recursive: bool = False) -> Entries:
        """Return what lies in a folder, or the file itself; ``None`` is the mount point.

        ``recursive`` has all that lies below it, each folder before what is in it.
        """
        steps = self._find(path)
        if not self._is_folder(steps):
            return [self.stat(path or "")]
        found: Entries = []
        for volume in self.volumes.below(steps.parts):
            inside = volume.catalog.below if recursive else volume.catalog.children
            found += inside(steps.parts)
            if not found:
                volume.refuse_unreadable(steps.parts)
        return found

    def stat(self, path: str) -> Entry:
        """Return the file (or else the folder) of a path."""
        steps = self._find(path)
        if not steps.parts and steps.page is None:
            return self._root()
        volume = self.volumes.at(steps.parts)
        found = volume.find(steps)
        if found is None:
            raise missing(volume, self.host, path, steps)
        return found

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or a folder of that path."""
        steps = self._find(path)
        if steps.page is not None:
            return self.volumes.at(steps.parts).find(steps) is not None
        return self._is_folder(steps) or self._catalog_has(steps)

    def is_folder(self, path: str) -> bool:
        """Tell whether there is a folder of that path, and no file that has it as well."""
        steps = self._find(path)
        return steps.page is None and self._is_folder(steps) and not self._catalog_has(steps)

    def glob(self, pattern: str) -> Entries:
        """Return what matches a pattern of ``*``, ``?``, ``[...]`` and ``**``.

        What has exactly that name comes before what it means as a pattern.
        """
        if self.exists(pattern):
            return [self.stat(pattern)]
        if not _MAGIC_CHARACTERS & set(pattern):
            return []
        steps = self._find(pattern)
        first = steps.parts[0] if steps.parts else ""
        plain = not _MAGIC_CHARACTERS & set(first)
        found: Entries = []
        for volume in self.volumes.below(steps.parts if plain else ()):
            found += volume.catalog.matching(steps.parts)
        return found

    def find(self, path: str | None) -> Entries:
        """Return what a path or a pattern means; raises ``MissingError`` where that is nothing."""
        text = path or ""
        found = self.glob(text)
        if not found and _MAGIC_CHARACTERS & set(text):
            raise MissingError(f"{self.absolute(text)}: no file matches in {self.host}")
        return found or [self.stat(text)]

    def whole(self, entry: Entry) -> Entries:
        """Return a file, or all files in a folder, and where folders are real those too."""
        if not entry.is_dir:
            return [entry]
        real = self.volumes.at(entry.parts).has_folders
        inside = [at for at in self.list(entry.path, recursive=True) if real or not at.is_dir]
        return [entry, *inside] if real else inside

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        entry = self._file(path)
        return self.volumes.at(entry.parts).read(entry)

    def open(self, path: str) -> BinaryIO:
        """Return a binary file object with the bytes of a file, for reading."""
        entry = self._file(path)
        return self.volumes.at(entry.parts).open(entry)

    def content(self, path: str) -> Content:
        """Return a file as what can be written elsewhere; its bytes are read when needed."""
        entry = self._file(path)
        volume = self.volumes.at(entry.parts)
        return Content(entry.size, lambda: volume.open(entry), entry.modified)

    def room(self) -> Room:
        """Return how much is taken and left in the file system where paths start."""
        return self.main.room()

    def report(self) -> Report:
        """Return all that is known of the target, as values."""
        from maixfs.image.report import make_report

        return make_report(self.spiffs)

    def absolute(self, path: str | None) -> str:
        """Return a path from the root, without dots, with odd bytes in their escaped form."""
        return "/" + "/".join(self._find(path).parts)

    def new_name(self, path: str) -> str:
        """Return a path from the root for something that is to have the name at its end.

        Folders above it are as they are there; the name is as it was given, in its own case.
        """
        typed = self._typed(path).parts
        known = self._find(path).parts
        return "/" + "/".join(known[:-1] + typed[-1:])

    def is_other_case(self, entry: Entry, path: str) -> bool:
        """Tell whether a path is that of an entry, but for the case of its name."""
        return self.absolute(path) == entry.path != self.new_name(path)

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets; ``UsageError`` where none can."""
        return self.volume(path).place_of(path)

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        groups: dict[str, dict[str, int]] = {}
        for path, size in sizes.items():
            groups.setdefault(self.volume(path).mount.point, {})[path] = size
        for group in groups.values():
            self.volume(next(iter(group))).check_fits(group)

    def _find(self, path: str | None) -> Steps:
        """Return the steps of a path as the catalogue has them."""
        steps = self._typed(path)
        return self.volumes.at(steps.parts).canonical(steps)

    def _typed(self, path: str | None) -> Steps:
        text = path or ""
        return steps_of(text) if text.startswith("/") else self.main.mount.absolute(text)

    def _is_folder(self, steps: Steps) -> bool:
        if not steps.parts:
            return True
        return self.volumes.at(steps.parts).catalog.has_folder(steps.parts)

    def _catalog_has(self, steps: Steps) -> bool:
        return self.volumes.at(steps.parts).catalog.has_file(steps.parts)

    def _file(self, path: str) -> Entry:
        entry = self.stat(path)
        if entry.is_dir:
            raise TargetError(f"{entry.path} is a folder", hint="name a file in it")
        return entry

    def _root(self) -> Entry:
        """Return the root, with the sum of all that is mounted."""
        first, *others = self._roots()
        for other in others:
            first = first._replace(
                size=first.size + other.size,
                units=first.units + other.units,
                on_medium=first.on_medium + other.on_medium,
            )
        return first

    def _roots(self) -> Iterator[Entry]:
        for volume in self.volumes.below(()):
            yield volume.catalog.folder(())
