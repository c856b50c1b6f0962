"""A SPIFFS in an image."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from maixfs.errors import Command, UsageError
from maixfs.filesystem import Entry, FileSystem
from maixfs.image.entries import Kind, Written
from maixfs.image.errors import TakenError, TargetError, UnreadableError
from maixfs.image.names import Parts, parse, parts_of, show, too_long
from maixfs.image.volume import Entries, Folder, ImageEntry, Volume
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, Spiffs, SpiffsCore, SpiffsError
from maixfs.spiffs.room import SpiffsRoom, check_fits, file_pages, room_of

if TYPE_CHECKING:
    from datetime import datetime

    from maixfs.image.content import Content
    from maixfs.image.media import FlashMedium
    from maixfs.image.names import Mount
    from maixfs.spiffs.detect import Detection
    from maixfs.spiffs.edit import SpiffsEdit
    from maixfs.spiffs.rescue import RescuedFile
    from maixfs.spiffs.state import DirEntry


class SpiffsVolume(Volume):
    """The file system of a flash or of an image of its own."""

    format = "SPIFFS"
    has_folders = False
    keeps_times = False

    def __init__(
        self,
        host: object,
        medium: FlashMedium,
        mount: Mount,
        geometry: Geometry,
        found: list[Detection],
        *,
        blank: bool = False,
        force: bool = False,
    ) -> None:
        super().__init__(host, medium, mount)
        self.medium: FlashMedium = medium
        self.geometry = geometry
        self.detection = found[0] if found else None
        """How the geometry was found; ``None`` where it was given, or a board says it."""
        self.others = found[1:]
        """What else may be a file system in the image, less sure than this one."""
        self.blank = blank
        """Whether the area of a board was never formatted; it then reads as empty."""
        self.force = force
        self._edit: SpiffsEdit | None = None
        self._rescues: list[RescuedFile] | None = None
        """Every file by its pages, once a damaged one was read; a change forgets them."""

    @property
    def kind(self) -> Kind:
        """What the image is: a board, a flash, or a SPIFFS alone."""
        if self.medium.source.config is not None:
            return Kind.BOARD
        return Kind.FLASH_IMAGE if self.mount.parts else Kind.SPIFFS_IMAGE

    @property
    def unit_size(self) -> int:
        """Bytes of a page."""
        return self.geometry.page_size

    @property
    def fs(self) -> Spiffs:
        """The mounted file system; an edit may mount it again."""
        edit = self._edit
        if edit is None or not edit.fs.mounted:
            fs = super().fs
            assert isinstance(fs, Spiffs)
            return fs
        if not isinstance(self._fs, Spiffs) or self._fs.core is not edit.fs:
            self._folders.clear()
            self._fs = Spiffs.of_core(edit.fs)
        return self._fs

    @property
    def core(self) -> SpiffsCore:
        """The native side of the mounted file system."""
        return self.fs.core

    def _mount(self) -> FileSystem[Any]:
        """Mount; a blank area is shown as the empty file system that it will be."""
        if self.writable:
            from maixfs.spiffs.edit import SpiffsEdit

            self._edit = SpiffsEdit(
                self.medium.overlay, self.geometry, label=self.label, force=self.force
            )
            return Spiffs.of_core(self._edit.fs)
        if not self.blank:
            return Spiffs(self.medium.device, self.geometry, read_only=True)
        from maixfs.spiffs.pack import pack

        here = replace(self.geometry, base=0)
        return Spiffs(ImageDevice(memoryview(pack([], here))), here, read_only=True)

    def abandon(self) -> None:
        """End the mount without writing anything; streams are closed."""
        super().abandon()
        self._edit = self._rescues = None

    def forget(self, parts: Parts = ()) -> None:
        """Forget the names in a folder and below it: something there changed."""
        super().forget(parts)
        self._rescues = None

    # Names

    def _folder(self, parts: Parts) -> Folder | None:
        core = self.core
        if not self._current_folders():
            # All at once: folders exist in names alone.
            self._folders[self.mount.parts] = Folder()
            for native in core.scandir():
                self._index_file(native)
        return self._folders.get(parts)

    def _index_file(self, native: DirEntry) -> None:
        inside = parts_of(native.raw_name)
        folder = self._folders[self.mount.parts]
        for depth in range(1, len(inside)):
            at = self.mount.parts + inside[:depth]
            path = "/" + "/".join(inside[:depth])
            folder.folders.setdefault(at[-1], Entry(path, True, 0, None, None))
            folder = self._folders.setdefault(at, Folder())
        path = "/" + native.name.removeprefix("/")
        entry = Entry(path, False, native.size, None, native)
        self._enter(folder, entry)

    def _part(self, entry: Entry[Any]) -> str:
        return parts_of(entry.native.raw_name)[-1]

    def _number(self, entry: Entry[Any]) -> int:
        return -1 if entry.native is None else int(entry.native.page)

    def _units(self, entry: Entry[Any]) -> int:
        return file_pages(entry.size, self.geometry).total

    def modified(self, entry: ImageEntry) -> datetime | None:
        """Return ``None``: SPIFFS keeps no time."""
        return None

    def file_fault(self, entry: ImageEntry) -> str | None:
        """Return why a file cannot be read, or ``None``; every page of it is checked."""
        from maixfs.spiffs.check import read_fault

        fault = read_fault(self.core, entry.native)
        return str(fault) if fault else None

    def open(self, entry: ImageEntry) -> BinaryIO:
        """Return a file to read from; raises ``UnreadableError``."""
        # All at once: whether a damaged file has to be rescued is known only after all of it was
        # read, and no file is larger than the chip.
        return io.BytesIO(self.read(entry))

    def read(self, entry: ImageEntry) -> bytes:
        """Return the bytes of a file, through its pages where its index is damaged.

        Raises ``UnreadableError`` where a page is missing.
        """
        try:
            return super().read(entry)
        except UnreadableError:
            rescued = self._rescue(entry)
            if rescued is None:
                raise
            return rescued.data

    def is_rescued(self, entry: ImageEntry) -> bool:
        """Return whether a damaged file is read whole through its data pages."""
        return entry.fault is not None and self._rescue(entry) is not None

    def _rescue(self, entry: ImageEntry) -> RescuedFile | None:
        """Return a file that can be put together from its pages by object id and span."""
        from maixfs.spiffs.rescue import rescue

        if entry.is_dir or self.blank:
            return None
        native: DirEntry = entry.native
        if self._rescues is None:
            self._rescues = rescue(self.medium.device, self.geometry)
        for file in self._rescues:
            # The id of a removed file is given to a new one, and pages of both may be left: the id
            # alone proves nothing.
            same = file.header == native.page or file.name == native.raw_name
            if file.complete and file.object_id == native.object_id and same:
                return file
        return None

    def label(self, stored: bytes) -> str:
        """Return the path of a stored name."""
        return self.mount.label(stored)

    def stored_name(self, path: str) -> bytes:
        """Return the name under which a file of that path is stored, or would be.

        A file whose name has no slash in front keeps it. Raises ``UsageError`` for a path that
        no file can have here: too long, with a zero byte, outside of the mount point.
        """
        steps = self.mount.without_alias(self.mount.absolute(path))
        known = self.get(steps.parts) if steps.page is None else None
        if known is not None and not known.is_dir and not path.endswith("/"):
            name: bytes = known.native.raw_name
            return name
        return self._new_name(path)

    def _new_name(self, path: str) -> bytes:
        steps = self.mount.without_alias(self.mount.absolute(path))
        if steps.page is not None:
            raise UsageError(f"{path}: a header page can only be read", hint="give it a name")
        raw = b"/" + b"/".join(parse(part) for part in self.mount.inside(path, steps))
        if b"\0" in raw:
            raise UsageError(f"{show(raw)}: a name cannot hold a zero byte")
        if len(raw) >= self.geometry.name_length:
            raise too_long(path, raw, self.geometry.name_length - 1)
        return raw

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets."""
        return self.label(self.stored_name(path))

    def inner_path(self, path: str) -> str:
        """Return the path in the file system of a file that may be new."""
        name = self.stored_name(path).decode("utf-8", "surrogateescape")
        return "/" + name.removeprefix("/")

    # Facts

    def room(self) -> SpiffsRoom:
        """Return how much is taken and left."""
        return room_of(self.core)

    def facts(self, entry: ImageEntry) -> dict[str, Any]:
        """Return what goes beyond a listing; addresses are those in the image."""
        names = ("data_pages", "index_pages", "page", "address", "on_flash", "meta_hex")
        if entry.is_dir:
            return dict.fromkeys(names)
        pages = file_pages(entry.size, self.geometry)
        native: DirEntry = entry.native
        return {
            "data_pages": pages.data_pages,
            "index_pages": pages.index_pages,
            "page": native.page,
            "address": self.geometry.page_address(native.page),
            "on_flash": entry.on_medium,
            "meta_hex": native.meta.hex(),
        }

    # Changing

    @property
    def edit(self) -> SpiffsEdit:
        """What changes the area whole or not at all; raises ``ReadOnlyError``."""
        _ = self.medium.overlay, self.fs
        assert self._edit is not None
        return self._edit

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there; ``meta`` are the bytes beside the name that some geometries have."""
        name = self.stored_name(path)
        data = content.read()
        from hashlib import sha256

        proof = Written(self.label(name), len(data), sha256(data).hexdigest(), True)
        if self._holds(name, data, meta):
            return proof._replace(changed=False)
        self.edit.write(name, data, meta)
        self.forget()
        return proof

    def _holds(self, name: bytes, data: bytes, meta: bytes | None) -> bool:
        known = self.core.find(name)
        if known is None or known.size != len(data) or meta not in (None, known.meta):
            return False
        try:
            with self.core.open_page(known.page) as descriptor:
                return descriptor.read() == data
        except SpiffsError:
            return False

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files: all or none; none is read-only."""
        pages = [entry.native.page for entry in entries if not entry.is_dir]
        self.edit.remove_pages(pages)
        self.forget()

    def rename(self, moves: Sequence[tuple[ImageEntry, str]], *, replace: bool) -> None:
        """Give files, and all files in folders, other names: all or none."""
        names: dict[bytes, bytes] = {}
        for entry, new in moves:
            names |= self._new_names(entry, new)
        for old, name in names.items():
            if self.core.exists(name) and not replace:
                paths = (f"{self.host}:{self.label(old)}", f"{self.host}:{self.label(name)}")
                raise TakenError(
                    f"{self.label(name)} exists already", fix=(Command("mv", ("-f", *paths)),)
                )
        if {*names} & {*names.values()} or len({*names.values()}) < len(names):
            raise UsageError(
                "a file would be moved twice, or two to one path", hint="move them one by one"
            )
        if names:
            self.edit.rename(names)
            self.forget()

    def _new_names(self, entry: ImageEntry, new: str) -> dict[bytes, bytes]:
        """Return (old, new) stored names for a move; empty where nothing moves."""
        target = self._new_name(new)
        if not entry.is_dir:
            native: DirEntry = entry.native
            # A rename or a move of a header that power cut short leaves two headers of one file
            # (docs/SPEC.md, 5.8). Every call by name finds the first one, so a rename would hit
            # that.
            if self.core.stat(native.raw_name).page != native.page:
                first = self.label(native.raw_name)
                raise TargetError(
                    f"{entry.path} is the second header of {first} and can only be read",
                    hint=f"once {first} is removed or renamed, this one has its name",
                )
            return {} if target == native.raw_name else {native.raw_name: target}
        start = self.label(target) + "/"
        if start == f"{entry.path}/":
            return {}
        if start.startswith(f"{entry.path}/"):
            raise UsageError(f"{entry.path} cannot be moved into itself")
        return {
            file.native.raw_name: self._new_name(start + file.path[len(entry.path) + 1 :])
            for file in self.below(entry.parts)
            if not file.is_dir
        }

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Raise ``TargetError``: SPIFFS stores no folders."""
        raise TargetError(
            f"{path}: SPIFFS has no folders",
            hint="a name may hold slashes: write the file and its folder shows",
        )

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        freed = self.edit.gc()
        self.forget()
        return freed

    # Does it fit?

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        names = {self.stored_name(path): size for path, size in sizes.items()}
        check_fits(self.core, names, self.label)
