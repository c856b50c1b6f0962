"""A target: what a face works on, whatever it is on the host."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from maixfs.errors import UsageError
from maixfs.spiffs import Geometry, Spiffs, SpiffsError
from maixfs.spiffs.detect import Detection
from maixfs.target.catalog import Catalog, Parts
from maixfs.target.editor import Editor
from maixfs.target.errors import MissingError, TakenError, TargetError, UnreadableError
from maixfs.target.fitting import check_fits
from maixfs.target.medium import EditMedium, ReadMedium
from maixfs.target.names import Steps
from maixfs.target.paths import Mount
from maixfs.target.records import Entry, Kind, Progress, Room, Written

if TYPE_CHECKING:
    from maixfs.board.config import BoardConfig
    from maixfs.target.report import Fact, Report

Entries = list[Entry]
Facts: TypeAlias = "list[Fact]"
_MAGIC_CHARACTERS = frozenset("*?[")


class Target:
    """An open board, flash image or SPIFFS image; made by ``open_target``.

    Paths are those of the board (``/flash/main.py``; in a bare image ``/main.py`` as well), a
    relative one starts at ``mount_point``. Changes lie in memory until ``commit``, which the end
    of a ``with`` calls unless an exception ends it.

    Errors: ``MissingError`` for what is not there, ``UnreadableError`` for a damaged file,
    ``FitError`` where there is no room, ``UsageError`` for changing a target that was opened for
    reading, ``SpiffsError`` with the C's number for what the file system refuses.
    """

    def __init__(
        self,
        host: Path,
        kind: Kind,
        medium: ReadMedium | EditMedium,
        geometry: Geometry,
        detection: Detection | None,
        *,
        blank: bool,
    ) -> None:
        self.host = host
        self.kind = kind
        self.geometry = geometry
        self.detection = detection
        """How the geometry was found; ``None`` where it was given, or a board says it."""
        self.blank = blank
        """Whether the area of a board was never formatted; it then reads as empty."""
        self.medium = medium
        self._mount = Mount(() if kind is Kind.SPIFFS_IMAGE else ("flash",))
        self._editor: Editor | None = None
        if isinstance(medium, EditMedium):
            self._editor = Editor(medium, geometry, self._mount.label, str(host))
            self._fs = self._editor.fs
        else:
            self._fs = _mount_to_read(medium, geometry, blank=blank)
        self._catalog: Catalog | None = None

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
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self._editor is not None

    @property
    def fs(self) -> Spiffs:
        """The mounted file system."""
        return self._fs if self._editor is None else self._editor.fs

    @property
    def catalog(self) -> Catalog:
        """All files, by path."""
        if self._catalog is None:
            self._catalog = Catalog(self.fs, self._mount.parts)
        return self._catalog

    # Reading

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

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        entry = self.stat(path)
        if entry.is_dir:
            raise TargetError(f"{entry.path} is a folder", hint="name a file in it")
        try:
            with self.fs.open_page(entry.page) as descriptor:
                return descriptor.read()
        except SpiffsError as error:
            raise UnreadableError(f"{entry.path} cannot be read: {error}") from error

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

    def facts(self) -> Facts:
        """Return all that is known of the target, as (label, value, detail) for a person."""
        from maixfs.target.facts import facts_of

        return facts_of(self.report())

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

    # Changing

    def write(self, path: str, data: bytes, *, meta: bytes | None = None) -> Written:
        """Put ``data`` in a file; where it has the very same bytes nothing is written.

        ``meta`` are the bytes beside the name that some geometries have (``None``: as they are).
        """
        editor = self._changing()
        name = self.stored_name(path)
        label = self._mount.label(name)
        proof = Written(label, len(data), hashlib.sha256(data).hexdigest(), True)
        if self._holds(name, data, meta):
            return proof._replace(changed=False)
        editor.write(name, data, meta)
        self._catalog = None
        return proof

    def remove(self, path: str, recursive: bool = False) -> Entries:
        """Remove a file, or with ``recursive`` a folder; returns the files that are gone."""
        editor = self._changing()
        entry = self.stat(path)
        if entry.is_dir and not recursive:
            raise TargetError(f"{entry.path} is a folder", hint="remove it with all in it: rm -r")
        files = [entry]
        if entry.is_dir:
            files = [file for file in self.list(entry.path, recursive=True) if not file.is_dir]
        else:
            self._refuse_later_header(entry)
        for file in files:
            editor.remove(file.stored_name)
            self._catalog = None
        return files

    def rename(self, old: str, new: str, replace: bool = False) -> None:
        """Give a file or folder another path; ``replace`` lets a file that has it go.

        A new path that is a folder takes the file in, as ``mv`` does.
        """
        editor = self._changing()
        entry = self.stat(old)
        if not entry.is_dir:
            self._refuse_later_header(entry)
        if new.endswith("/") or (self.exists(new) and self.stat(new).is_dir):
            new = f"{new.rstrip('/')}/{entry.name}"
        names = self._new_names(entry, new)
        for name in names.values():
            if editor.fs.exists(name) and not replace:
                raise TakenError(
                    f"{self._mount.label(name)} exists already", hint="-f replaces it"
                )
        if names:
            editor.rename(names)
            self._catalog = None

    def _refuse_later_header(self, entry: Entry) -> None:
        """Raise ``TargetError`` for a file that its name does not lead to: another does."""
        if self.fs.stat(entry.stored_name).page != entry.page:
            first = self._mount.label(entry.stored_name)
            raise TargetError(
                f"{entry.path} is the second header of {first} and can only be read",
                hint=f"once {first} is removed or renamed, this one has its name",
            )

    def _new_names(self, entry: Entry, new: str) -> dict[bytes, bytes]:
        """Return (old, new) stored names for a move; empty where nothing moves."""
        target = self._mount.stored_name(new, self.geometry)
        if not entry.is_dir:
            return {} if target == entry.stored_name else {entry.stored_name: target}
        inside = [file for file in self.list(entry.path, recursive=True) if not file.is_dir]
        start = self._mount.label(target) + "/"
        if start == f"{entry.path}/":
            return {}
        if start.startswith(f"{entry.path}/"):
            raise UsageError(f"{entry.path} cannot be moved into itself")
        return {
            file.stored_name: self._mount.stored_name(
                start + file.path[len(entry.path) + 1 :], self.geometry
            )
            for file in inside
        }

    def mkdir(self, path: str) -> None:
        """Explain that there are no folders."""
        self._changing()
        raise TargetError(
            f"{path}: SPIFFS has no folders",
            hint="a name may hold slashes: write the file and its folder shows",
        )

    def gc(self) -> int:
        """Free the pages that deleted data holds, as far as can be; returns how many."""
        editor = self._changing()
        freed = editor.gc()
        self._catalog = None
        return freed

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        names = {self.stored_name(path): size for path, size in sizes.items()}
        check_fits(self.fs, names, self._mount.label, str(self.host))

    def commit(self, progress: Progress | None = None) -> Written | None:
        """Put the changes into the host's file in one step; ``None`` where there are none.

        Raises ``TargetError`` where the host refuses; the file is then as it was.
        """
        editor, medium = self._changing(), self.medium
        if not editor.changed or not isinstance(medium, EditMedium):
            return None
        medium.save(progress)
        editor.changed = False
        digest = hashlib.sha256(medium.image).hexdigest()
        return Written(str(medium.source.file), medium.size, digest, True)

    def close(self) -> None:
        """Let go of the host's file; changes that were not committed are gone."""
        self._catalog = None
        self.medium.close()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._editor is not None:
                self.commit()
        finally:
            self.close()

    # Helpers

    def _changing(self) -> Editor:
        if self._editor is None:
            raise UsageError(f"{self.host} is open for reading only", hint="open it writable")
        return self._editor

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

        paths = {file.path: file for file in self.catalog.files()}
        close = get_close_matches("/" + "/".join(parts), paths, n=1, cutoff=0.8)
        return f"there is {close[0]}" if close else None

    def _holds(self, name: bytes, data: bytes, meta: bytes | None) -> bool:
        if not self.fs.exists(name):
            return False
        known = self.fs.stat(name)
        if known.size != len(data) or meta not in (None, known.meta):
            return False
        try:
            with self.fs.open_page(known.page) as descriptor:
                return descriptor.read() == data
        except SpiffsError:
            return False


def _mount_to_read(medium: ReadMedium, geometry: Geometry, *, blank: bool) -> Spiffs:
    if not blank:
        return Spiffs(medium.device, geometry, read_only=True)
    from dataclasses import replace

    from maixfs.spiffs.pack import pack
    from maixfs.target.medium import ImageDevice

    here = replace(geometry, base=0)
    return Spiffs(ImageDevice(memoryview(pack([], here))), here, read_only=True)
