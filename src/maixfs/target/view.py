"""What can be seen of a target, whatever it is on the host."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from maixfs.spiffs import Geometry, Spiffs, SpiffsError
from maixfs.target.catalog import Catalog
from maixfs.target.errors import MissingError, TargetError, UnreadableError
from maixfs.target.fitting import check_fits
from maixfs.target.medium import ImageDevice, Medium
from maixfs.target.names import Parts, Steps
from maixfs.target.paths import Mount
from maixfs.target.records import Entry, Kind, Room

if TYPE_CHECKING:
    from maixfs.board.config import BoardConfig
    from maixfs.errors import UsageError
    from maixfs.spiffs.detect import Detection
    from maixfs.target.report import Report

Entries = list[Entry]
_MAGIC_CHARACTERS = frozenset("*?[")


class TargetView:
    """The reading half of a ``Target``; ``fs`` is the mounted file system."""

    def __init__(
        self,
        host: Path,
        kind: Kind,
        medium: Medium,
        geometry: Geometry,
        found: list[Detection],
        *,
        blank: bool,
    ) -> None:
        self.host = host
        self.kind = kind
        self.geometry = geometry
        self.detection = found[0] if found else None
        """How the geometry was found; ``None`` where it was given, or a board says it."""
        self.others = found[1:]
        """What else may be a file system in the image, less sure than this one."""
        self.blank = blank
        """Whether the area of a board was never formatted; it then reads as empty."""
        self.medium = medium
        self._mount = Mount(() if kind is Kind.SPIFFS_IMAGE else ("flash",))
        self._catalog: Catalog | None = None
        self._fs = self._mount_fs()

    def _mount_fs(self) -> Spiffs:
        """Mount for reading; a blank area is shown as the empty file system that it will be."""
        if not self.blank:
            return Spiffs(self.medium.device, self.geometry, read_only=True)
        from dataclasses import replace

        from maixfs.spiffs.pack import pack

        here = replace(self.geometry, base=0)
        return Spiffs(ImageDevice(memoryview(pack([], here))), here, read_only=True)

    @property
    def fs(self) -> Spiffs:
        """The mounted file system."""
        return self._fs

    @property
    def size(self) -> int:
        """Bytes of the host's file."""
        return len(self.medium.image)

    @property
    def area_address(self) -> int:
        """Where the file system starts in the image."""
        return self.geometry.base

    @property
    def mount_point(self) -> str:
        """Where the file system is mounted: ``/flash``, or ``/`` in a bare image."""
        return self._mount.point

    @property
    def config(self) -> BoardConfig | None:
        """What a board is made of; ``None`` for images."""
        return self.medium.source.config

    @property
    def catalog(self) -> Catalog:
        """All files, by path."""
        if self._catalog is None:
            self._catalog = Catalog(self.fs, self._mount.parts)
        return self._catalog

    def list(self, path: str | None = None, recursive: bool = False) -> Entries:
        """Return what lies in a folder, or the file itself; ``None`` is the mount point.

        ``recursive`` has all that lies below it, each folder before what is in it.
        """
        steps = self._find(path)
        if not self.catalog.has_folder(steps.parts):
            return [self.stat(path or "")]
        inside = self.catalog.below if recursive else self.catalog.children
        return [*inside(steps.parts)]

    def stat(self, path: str) -> Entry:
        """Return the file (or else the folder) of a path."""
        steps = self._find(path)
        if steps.page is not None:
            found = self.catalog.find_page(steps.page)
            if found is not None:
                return found
        elif self.catalog.has_file(steps.parts):
            return self.catalog.file(steps.parts)
        elif self.catalog.has_folder(steps.parts):
            return self.catalog.folder(steps.parts)
        raise self._missing(path, steps)

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or a folder of that path."""
        steps = self._find(path)
        if steps.page is not None:
            return self.catalog.find_page(steps.page) is not None
        return self.catalog.has_file(steps.parts) or self.catalog.has_folder(steps.parts)

    def glob(self, pattern: str) -> Entries:
        """Return what matches a pattern of ``*``, ``?``, ``[...]`` and ``**``.

        What has exactly that name comes before what it means as a pattern.
        """
        if self.exists(pattern):
            return [self.stat(pattern)]
        if not _MAGIC_CHARACTERS & set(pattern):
            return []
        return [*self.catalog.matching(self._find(pattern).parts)]

    def find(self, path: str | None) -> Entries:
        """Return what a path or a pattern means; raises ``MissingError`` where that is nothing."""
        text = path or ""
        found = self.glob(text)
        if not found and _MAGIC_CHARACTERS & set(text):
            raise MissingError(f"{self.absolute(text)}: no file matches in {self.host}")
        return found or [self.stat(text)]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        entry = self.stat(path)
        if entry.is_dir:
            raise TargetError(f"{entry.path} is a folder", hint="name a file in it")
        try:
            with self.fs.open_page(entry.page) as descriptor:
                return descriptor.read()
        except SpiffsError as error:
            raise UnreadableError(
                f"{entry.path} cannot be read: {error}",
                hint=f"maixfs unpack {self.host} DIR leaves it out and saves the others",
            ) from error

    def open(self, path: str) -> BinaryIO:
        """Return a binary file object with the bytes of a file, for reading."""
        return io.BytesIO(self.read(path))

    def room(self) -> Room:
        """Return how much is taken and left."""
        state, geometry = self.fs.statvfs(), self.fs.geometry
        spare = 2 * geometry.usable_pages
        return Room(
            page_size=geometry.page_size,
            block_size=geometry.block_size,
            data_size=geometry.data_size,
            total_pages=state.pages - spare,
            used_pages=state.allocated,
            deleted_pages=state.deleted,
            free_pages=max(0, state.free - spare),
            spare_blocks=state.free_blocks,
            files=len(self.catalog),
        )

    def report(self) -> Report:
        """Return all that is known of the target, as values."""
        from maixfs.target.report import make_report

        return make_report(self)

    def absolute(self, path: str | None) -> str:
        """Return a path from the root, without dots, with odd bytes in their escaped form."""
        return "/" + "/".join(self._find(path).parts)

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name."""
        return self._mount.label(stored)

    def stored_name(self, path: str) -> bytes:
        """Return the name under which a file of that path is stored, or would be.

        A file whose name has no slash in front keeps it. Raises ``UsageError`` for a path that
        no file can have here: too long, with a zero byte, outside of the mount point.
        """
        name = self._mount.stored_name(path, self.geometry)
        bare = name[1:]
        return bare if not self.fs.exists(name) and self.fs.exists(bare) else name

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        names = {self.stored_name(path): size for path, size in sizes.items()}
        check_fits(self.fs, names, self._mount.label, str(self.host))

    def _find(self, path: str | None) -> Steps:
        """Return the steps of a path as the catalogue has them."""
        steps = self._mount.absolute(path)
        known = self.catalog.has_folder(steps.parts) or self.catalog.has_file(steps.parts)
        return steps if known else self._mount.without_flash(steps)

    def _missing(self, path: str, steps: Steps) -> TargetError | UsageError:
        if steps.parts[: len(self._mount.parts)] != self._mount.parts:
            return self._mount.elsewhere(steps)
        shown = "/" + "/".join(steps.parts)
        if steps.page is not None:
            return MissingError(f"{path}: no file has its header at page {steps.page}")
        return MissingError(
            f"{shown}: no such file in {self.host}", hint=self._likeness(steps.parts)
        )

    def _likeness(self, parts: Parts) -> str | None:
        """Return a hint to a file whose name is much like one that is not there."""
        from difflib import get_close_matches

        below = len(self._mount.parts)
        paths = {"/".join(known[below:]): known for known in self.catalog.parts()}
        close = get_close_matches("/".join(parts[below:]), paths, n=1, cutoff=0.7)
        return f"there is /{'/'.join(paths[close[0]])}" if close else None
