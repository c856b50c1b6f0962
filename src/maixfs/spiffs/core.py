"""The file system: mount, format, and everything that works on names."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from maixfs.errors import NotFoundError
from maixfs.spiffs import fileops, gc, truncate
from maixfs.spiffs.descriptor import Descriptor, open_stream
from maixfs.spiffs.erase import erase_quick, format_area
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.flags import OpenFlag, parse_mode
from maixfs.spiffs.headers import create_header, rewrite_header
from maixfs.spiffs.mount import mount
from maixfs.spiffs.pages import check_index_header, find_name
from maixfs.spiffs.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.geometry import Geometry
    from maixfs.spiffs.index import DirEntry
    from maixfs.spiffs.slots import Slot

Name = str | bytes
# Plain numbers: arithmetic on IntFlag costs more than the rest of an open.
_CREAT = int(OpenFlag.CREAT)
_TRUNC = int(OpenFlag.TRUNC)
_NEW_ONLY = int(OpenFlag.CREAT | OpenFlag.EXCL)
_CHANGING = int(OpenFlag.CREAT | OpenFlag.TRUNC | OpenFlag.WRONLY)


class Info(NamedTuple):
    """Room, in bytes, as SPIFFS_info counts it: whole pages, index pages too."""

    total: int
    used: int


class StatVfs(NamedTuple):
    """Room in pages."""

    page_size: int
    pages: int
    """Object pages in the area, the two spare blocks included."""
    allocated: int
    deleted: int
    free: int
    """Never written since their block was erased, the two spare blocks included."""
    free_blocks: int
    max_erase_count: int


class SpiffsCore:
    """A mounted SPIFFS.

    ``SpiffsCore(device, geometry)`` mounts, ``SpiffsCore.format(device, geometry)`` makes an
    empty one. Names are ``str`` (UTF-8, other bytes as surrogate escapes) or ``bytes``.
    Operations raise ``SpiffsError`` with the C's number in ``code``.

    ``max_files`` is the number of descriptors (``None``: as many as asked for; a MaixPy board
    has 2), ``cache_pages`` the number of cache pages (``None``: one per file). A read-only
    mount never writes, not even to mend a block whose erase was cut short.

    Flash is left as the C leaves it, also where that costs data later: an append or overwrite
    that just found no room leaves pages behind, and garbage collection takes old bytes for new
    (docs/SPEC.md, section 6.4). ``careful`` avoids that, with other bytes on flash.
    """

    def __init__(
        self,
        device: NorDevice,
        geometry: Geometry,
        *,
        read_only: bool = False,
        careful: bool = False,
        max_files: int | None = None,
        cache_pages: int | None = None,
    ) -> None:
        self._volume = Volume(
            device,
            geometry,
            read_only=read_only,
            careful=careful,
            max_files=max_files,
            cache_pages=cache_pages,
        )
        mount(self._volume)
        self.mounted = True

    @staticmethod
    def format(device: NorDevice, geometry: Geometry) -> None:
        """Erase the area and write an empty file system; all that was there is lost."""
        format_area(device, geometry)

    @property
    def device(self) -> NorDevice:
        """The flash that the area lies on."""
        return self._volume.device

    @property
    def geometry(self) -> Geometry:
        """Shape of the area."""
        return self._volume.geometry

    @property
    def read_only(self) -> bool:
        """Whether the mount refuses writes."""
        return self._volume.read_only

    @property
    def aborted_block(self) -> int | None:
        """The block whose erase was found cut short at mount."""
        return self._volume.aborted_block

    def unmount(self) -> None:
        """Flush and close all files; what does not fit any more is lost, as in the C."""
        self._check_mounted()
        for slot in self._volume.slots.open_slots():
            if slot.open:  # flushing one may have closed another
                with contextlib.suppress(SpiffsError):
                    fileops.flush(self._volume, slot)
                slot.open = False
        self.mounted = False

    def abandon(self) -> None:
        """Forget the mount as when power goes: all files close and nothing is written."""
        for slot in self._volume.slots.open_slots():
            slot.open = False
        self.mounted = False

    def __enter__(self) -> SpiffsCore:
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            self.unmount()

    # Files

    def open_descriptor(self, name: Name, flags: int) -> Descriptor:
        """Open a file with the C's flags.

        Raises -10002 for a missing file without CREAT, -10030 for CREAT and EXCL on one that
        is there, -10007 when all descriptors are open, -10036 for a long name, -10001.
        """
        self._check_mounted()
        raw = self._raw(name)
        flags = int(flags)
        if flags & _CHANGING:
            self.check_writable()
        slot, search_from = self._volume.slots.take_for(raw)
        if search_from is not None:
            self._volume.search_page = search_from
        try:
            self._open(slot, raw, flags)
        except SpiffsError:
            slot.open = False
            raise
        return Descriptor(self, self._volume, slot, raw.decode("utf-8", "backslashreplace"))

    def open_page(self, page: int, flags: int = int(OpenFlag.RDONLY)) -> Descriptor:
        """Open the file whose header lies at ``page``; CREAT and EXCL mean nothing here.

        For listings of damaged areas, where two headers may carry one name. Raises -10031 for
        what is no object page.
        """
        self._check_mounted()
        if flags & _CHANGING:
            self.check_writable()
        geometry = self._volume.geometry
        if not 0 <= page < geometry.pages or geometry.is_lookup_page(page):
            raise spiffs_error(Code.NOT_A_FILE, f"page {page}")
        slot = self._volume.slots.take()
        try:
            self._open_page(slot, page, int(flags))
            if flags & _TRUNC:
                truncate.truncate(self._volume, slot, 0)
        except SpiffsError:
            slot.open = False
            raise
        slot.offset = 0
        return Descriptor(self, self._volume, slot, f"page {page}")

    def _open(self, slot: Slot, name: bytes, flags: int) -> None:
        try:
            page = find_name(self._volume, name)
        except NotFoundError:
            if not flags & _CREAT:
                raise
            page = self._create(name, None)
            flags &= ~_TRUNC
        else:
            if flags & _NEW_ONLY == _NEW_ONLY:
                raise spiffs_error(Code.FILE_EXISTS, self._shown(name))
        self._open_page(slot, page, flags)
        if flags & _TRUNC:
            truncate.truncate(self._volume, slot, 0)
        slot.offset = 0

    def _open_page(self, slot: Slot, page: int, flags: int) -> None:
        volume = self._volume
        header = volume.read_index_header(page)
        slot.header_page = slot.cursor_page = page
        slot.cursor_span = 0
        slot.size = header.size
        slot.object_id = volume.lookup[page]
        slot.flags = flags
        check_index_header(volume, page, header, slot.object_id, 0)

    def open(
        self,
        name: Name,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open a file as Python's ``open`` does, with its modes and its io objects."""
        flags, binary = parse_mode(mode)
        if buffering == 0 and not binary:
            raise ValueError("can't have unbuffered text I/O")
        return open_stream(
            self.open_descriptor(name, flags),
            flags,
            buffering,
            None if binary else (encoding or "utf-8", errors, newline),
        )

    def create(self, name: Name, meta: bytes | None = None) -> None:
        """Create an empty file; raises -10023 when the name is taken."""
        self._check_mounted()
        self.check_writable()
        raw = self._raw(name)
        if self._volume.index.pages_named(raw):
            raise spiffs_error(Code.CONFLICTING_NAME, self._shown(raw))
        self._create(raw, self._meta(meta))

    def _create(self, name: bytes, meta: bytes | None) -> int:
        object_id = self._volume.ids.choose()
        gc.make_room(self._volume, self._volume.geometry.data_size)
        return create_header(self._volume, object_id, name, meta)

    # Names

    def scandir(self) -> Iterator[DirEntry]:
        """Yield all files in the order of the medium; files may come and go meanwhile."""
        self._check_mounted()
        index = self._volume.index
        order, at, seen = index.in_order(), 0, index.changes
        while at < len(order):
            page = order[at]
            yield index.visible[page]
            at += 1
            if index.changes != seen:
                order, seen = index.in_order(), index.changes
                at = bisect_right(order, page)

    def listdir(self) -> list[str]:
        """Return the names of all files in the order of the medium."""
        return [entry.name for entry in self.scandir()]

    def stat(self, name: Name) -> DirEntry:
        """Return what listings say of one file; raises -10002, -10036."""
        self._check_mounted()
        return self._volume.index.visible[find_name(self._volume, self._raw(name))]

    @property
    def name_changes(self) -> int:
        """A number that changes whenever a file appears, disappears or gets another name."""
        return self._volume.index.name_changes

    def find(self, name: bytes) -> DirEntry | None:
        """Return what listings say of one file, ``None`` where no file has that name."""
        self._check_mounted()
        if not self._volume.index.pages_named(name):
            return None
        return self._volume.index.visible[find_name(self._volume, name)]

    def check_name(self, name: Name) -> None:
        """Raise -10036 for a name that is too long, -10002 for one with a zero byte."""
        self._raw(name)

    def exists(self, name: Name) -> bool:
        """Tell whether there is a file of that name."""
        return bool(self._volume.index.pages_named(self._raw(name)))

    def remove(self, name: Name) -> None:
        """Remove a file; needs a free descriptor (-10007), but no free page.

        Where a bad page of a damaged file ends it early, the file is hidden, its pages stay, and
        the descriptor stays in use until unmount (as in the C).
        """
        self._check_mounted()
        self.check_writable()
        self.remove_page(find_name(self._volume, self._raw(name)))

    def remove_page(self, page: int) -> None:
        """Remove the file whose header lies at ``page``; see ``remove``."""
        self._check_mounted()
        self.check_writable()
        slot = self._volume.slots.take()
        try:
            self._open_page(slot, page, 0)
            truncate.remove(self._volume, slot)
        except SpiffsError:
            slot.open = False
            raise

    def rename(self, old: Name, new: Name) -> None:
        """Give a file another name; raises -10023 when that is taken."""
        self._check_mounted()
        self.check_writable()
        raw_old, raw_new = self._raw(old), self._raw(new)
        page = find_name(self._volume, raw_old)
        if self._volume.index.pages_named(raw_new):
            find_name(self._volume, raw_new)
            raise spiffs_error(Code.CONFLICTING_NAME, self._shown(raw_new))
        self._rewrite(page, name=raw_new)
        self._volume.slots.renamed(raw_old, raw_new)

    def rename_page(self, page: int, new: Name) -> None:
        """Give the file whose header lies at ``page`` another name, be it taken or not."""
        self._check_mounted()
        self.check_writable()
        old, raw_new = self._volume.index.visible[page].raw_name, self._raw(new)
        self._rewrite(page, name=raw_new)
        self._volume.slots.renamed(old, raw_new)

    def set_meta(self, name: Name, meta: bytes) -> None:
        """Write the meta bytes of a file (``geometry.meta_length`` of them)."""
        self._check_mounted()
        self.check_writable()
        self._rewrite(find_name(self._volume, self._raw(name)), meta=self._meta(meta))

    def _rewrite(self, page: int, *, name: bytes | None = None, meta: bytes | None = None) -> None:
        slot = self._volume.slots.take()
        try:
            self._open_page(slot, page, 0)
            rewrite_header(
                self._volume, slot, slot.object_id, slot.header_page, name=name, meta=meta
            )
        finally:
            slot.open = False

    # The whole

    def info(self) -> Info:
        """Return total and used bytes."""
        self._check_mounted()
        geometry = self._volume.geometry
        return Info(geometry.total_bytes, self._volume.allocated * geometry.data_size)

    def statvfs(self) -> StatVfs:
        """Return the room in pages."""
        self._check_mounted()
        volume, geometry = self._volume, self._volume.geometry
        pages = geometry.blocks * geometry.usable_pages
        return StatVfs(
            geometry.page_size,
            pages,
            volume.allocated,
            volume.deleted,
            pages - volume.allocated - volume.deleted,
            volume.free_blocks,
            volume.max_erase_count,
        )

    def gc(self, length: int) -> None:
        """Collect garbage until ``length`` bytes can be written; raises -10001 if they cannot."""
        self._check_mounted()
        self.check_writable()
        gc.make_room(self._volume, length)

    def gc_quick(self, max_free_pages: int = 0) -> None:
        """Erase one block that holds nothing but deleted and so many free pages; or -10029."""
        self._check_mounted()
        self.check_writable()
        if not erase_quick(self._volume, max_free_pages):
            raise spiffs_error(Code.NO_DELETED_BLOCKS)

    def check_writable(self) -> None:
        """Raise -10032 on a read-only mount."""
        if self._volume.read_only:
            raise spiffs_error(Code.RO_NOT_IMPL)

    def _check_mounted(self) -> None:
        if not self.mounted:
            raise spiffs_error(Code.NOT_MOUNTED)

    def _raw(self, name: Name) -> bytes:
        raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else bytes(name)
        limit = self._volume.geometry.name_length - 1
        if len(raw) > limit:
            raise spiffs_error(
                Code.NAME_TOO_LONG,
                f"{self._shown(raw)}: {len(raw)} bytes",
                hint=f"this file system takes names of up to {limit} bytes",
            )
        if b"\0" in raw:
            raise spiffs_error(Code.NOT_FOUND, f"{self._shown(raw)}: a name has no zero byte")
        return raw

    def _meta(self, meta: bytes | None) -> bytes | None:
        length = self._volume.geometry.meta_length
        if meta is not None and len(meta) != length:
            raise ValueError(f"meta has {len(meta)} bytes, this file system's has {length}")
        return meta

    @staticmethod
    def _shown(raw: bytes) -> str:
        return raw.decode("utf-8", "backslashreplace")
