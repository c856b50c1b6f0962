"""A SPIFFS in a target, for looking at; ``spiffs.changing`` has what changes it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from maixfs.image.entries import Entry, Kind
from maixfs.image.errors import UnreadableError
from maixfs.image.names import Parts, Steps
from maixfs.image.paths import Mount
from maixfs.image.spiffs.catalog import SpiffsCatalog
from maixfs.image.spiffs.medium import Medium
from maixfs.image.spiffs.names import stored_name
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError
from maixfs.spiffs.room import SpiffsRoom, check_fits, room_of

if TYPE_CHECKING:
    from maixfs.spiffs.detect import Detection


class SpiffsView:
    """The reading half of a ``SpiffsVolume``; ``fs`` is the mounted file system."""

    format = "SPIFFS"
    has_folders = False
    keeps_times = False

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
        self.mount = Mount(() if kind is Kind.SPIFFS_IMAGE else ("flash",))
        self._catalog: SpiffsCatalog | None = None
        self._fs = self._mount_fs()

    def _mount_fs(self) -> SpiffsCore:
        """Mount for reading; a blank area is shown as the empty file system that it will be."""
        if not self.blank:
            return SpiffsCore(self.medium.device, self.geometry, read_only=True)
        from dataclasses import replace

        from maixfs.spiffs.pack import pack

        here = replace(self.geometry, base=0)
        return SpiffsCore(ImageDevice(memoryview(pack([], here))), here, read_only=True)

    @property
    def fs(self) -> SpiffsCore:
        """The mounted file system."""
        return self._fs

    @property
    def catalog(self) -> SpiffsCatalog:
        """All files, by path."""
        if self._catalog is None:
            self._catalog = SpiffsCatalog(self.fs, self.mount.parts)
        return self._catalog

    def canonical(self, steps: Steps) -> Steps:
        """Return the steps of a path as the catalogue has them."""
        known = self.catalog.has_folder(steps.parts) or self.catalog.has_file(steps.parts)
        return steps if known else self.mount.without_alias(steps)

    def find(self, steps: Steps) -> Entry | None:
        """Return the file, or else the folder, of a path; ``\\pN`` asks for a header page."""
        if steps.page is not None:
            return self.catalog.find_page(steps.page)
        if self.catalog.has_file(steps.parts):
            return self.catalog.file(steps.parts)
        return self.catalog.folder(steps.parts) if self.catalog.has_folder(steps.parts) else None

    def refuse_unreadable(self, parts: Parts) -> None:
        """Do nothing: folders are but names."""

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file."""
        try:
            with self.fs.open_page(entry.page) as descriptor:
                return descriptor.read()
        except SpiffsError as error:
            raise UnreadableError(
                f"{entry.path} cannot be read: {error}",
                hint=f"maixfs unpack {self.host} DIR leaves it out and saves the others",
            ) from error

    def open(self, entry: Entry) -> BinaryIO:
        """Return a file to read from."""
        return io.BytesIO(self.read(entry))

    def room(self) -> SpiffsRoom:
        """Return how much is taken and left."""
        return room_of(self.fs)

    def facts(self, entry: Entry) -> dict[str, Any]:
        """Return what goes beyond a listing; addresses are those in the image."""
        from maixfs.spiffs.pack import file_pages

        if entry.is_dir:
            return dict.fromkeys(
                ("data_pages", "index_pages", "page", "address", "on_flash", "meta_hex")
            )
        pages = file_pages(entry.size, self.geometry)
        return {
            "data_pages": pages.data_pages,
            "index_pages": pages.index_pages,
            "page": entry.page,
            "address": self.geometry.page_address(entry.page),
            "on_flash": entry.on_medium,
            "meta_hex": self.fs.stat(entry.stored_name).meta.hex(),
        }

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name."""
        return self.mount.label(stored)

    def stored_name(self, path: str) -> bytes:
        """Return the name under which a file of that path is stored, or would be.

        A file whose name has no slash in front keeps it. Raises ``UsageError`` for a path that
        no file can have here: too long, with a zero byte, outside of the mount point.
        """
        name = stored_name(path, self.mount, self.geometry)
        bare = name[1:]
        return bare if not self.fs.exists(name) and self.fs.exists(bare) else name

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets."""
        return self.label(self.stored_name(path))

    def key_of(self, path: str) -> str:
        """Return the path: no two are one file."""
        return path

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        names = {self.stored_name(path): size for path, size in sizes.items()}
        check_fits(self.fs, names, self.mount.label)

    def close(self) -> None:
        """Let go of the host's file; changes that were not saved are gone."""
        self._catalog = None
        self.medium.close()
