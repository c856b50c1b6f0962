"""The native core: mount and format a SPIFFS, and every call of the C that works on names."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.spiffs import content, gc
from maixfs.spiffs.blocks import erase_quick, format_area, mount
from maixfs.spiffs.descriptor import Descriptor, OpenFlag, check_int, flush_slot
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.geometry import Geometry
from maixfs.spiffs.guard import prepare_removal, prepare_write
from maixfs.spiffs.pages import (
    check_index_header,
    create_header,
    find_name,
    no_name,
    rewrite_header,
    search_name,
)
from maixfs.spiffs.volume import Volume
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.state import DirEntry, Slot

Name = str | bytes
# Plain numbers: arithmetic on IntFlag costs more than the rest of an open.
_RDONLY = int(OpenFlag.RDONLY)
_CREAT = int(OpenFlag.CREAT)
_TRUNC = int(OpenFlag.TRUNC)
_NEW_ONLY = int(OpenFlag.CREAT | OpenFlag.EXCL)
_CHANGING = int(OpenFlag.CREAT | OpenFlag.TRUNC | OpenFlag.WRONLY)
_CHANGING_NOW = int(OpenFlag.CREAT | OpenFlag.TRUNC)
_ALL_FLAGS = 0x7F
_MAX_FILES = 0x7FFF
"""The C's handles are positive numbers of 16 bits."""
# SPIFFS_open_by_page has one number, -10031, for all that a page without a header can be.
_NO_HEADER = (
    Code.IS_FREE,
    Code.DELETED,
    Code.NOT_FINALIZED,
    Code.NOT_INDEX,
    Code.INDEX_SPAN_MISMATCH,
)
"""What a page that is not the header of a file can be."""


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
    Operations raise ``SpiffsError`` with the C's number in ``code``. Arguments are checked before
    anything changes: ``TypeError`` for a wrong type, ``UsageError`` for a value that no call of
    the C could be given.

    ``max_files`` is the number of descriptors (``None``: as many as asked for; a MaixPy board
    has 2), ``cache_pages`` the number of cache pages (``None``: one per file). A read-only
    mount never writes, not even to finish an erase that a power loss cut short.

    ``faithful`` leaves on flash what the C leaves, also where that costs data later: an append or
    overwrite that just found no room leaves pages behind, and garbage collection takes old bytes
    for new (docs/SPEC.md, section 6.4). Without it such a file keeps its bytes, and other bytes
    than the C's are on flash. ``copy_pieces`` makes a page copy of several programs of
    ``geometry.copy_buffer`` bytes, as the C does: the bytes are the same, but wear, time and the
    states in which a power loss can leave the area differ. One program per copy is the default
    because it is faster.

    A mount that is not faithful checks before its first write that no file that can be read loses
    a page to it, and raises ``DamagedError`` otherwise, before anything has changed. It also
    repeats an erase that was cut short then, not at the mount.

    ``partial`` mounts read-only what there is of an area: the device may end inside it, and blocks
    may be missing (``missing_blocks``). Files are listed whose header is there; reading raises
    ``DamagedError`` where a page is not. For a dump that is shifted, see ``nor.view.PaddedFlash``.
    """

    def __init__(
        self,
        device: NorDevice,
        geometry: Geometry,
        *,
        read_only: bool = False,
        faithful: bool = False,
        copy_pieces: bool = False,
        partial: bool = False,
        max_files: int | None = None,
        cache_pages: int | None = None,
    ) -> None:
        if not isinstance(geometry, Geometry):
            raise TypeError(f"geometry must be a Geometry, not {type(geometry).__name__}")
        if max_files is not None:
            check_int(max_files, "max_files", least=0, most=_MAX_FILES)
        if cache_pages is not None:
            check_int(cache_pages, "cache_pages", least=0)
        if partial and geometry.base + geometry.size > device.size:
            from maixfs.nor.view import PaddedFlash

            device = PaddedFlash(device, geometry.base + geometry.size)
        self._volume = Volume(
            device,
            geometry,
            read_only=read_only or partial,
            faithful=faithful,
            copy_pieces=copy_pieces,
            max_files=max_files,
            cache_pages=cache_pages,
        )
        mount(self._volume, partial=partial)
        self._volume.mounted = True

    @staticmethod
    def format(device: NorDevice, geometry: Geometry) -> None:
        """Erase the area and write an empty file system; all that was there is lost."""
        format_area(device, geometry)

    @property
    def mounted(self) -> bool:
        """Whether the file system is mounted; after ``unmount`` and ``abandon`` it is not."""
        return self._volume.mounted

    @property
    def device(self) -> NorDevice:
        """The flash that the area lies on."""
        return self._volume.device

    @property
    def geometry(self) -> Geometry:
        """Shape of the area."""
        return self._volume.geometry

    @property
    def volume(self) -> Volume:
        """The state of the mount, for examiners and edits; nobody else changes it."""
        return self._volume

    @property
    def read_only(self) -> bool:
        """Whether the mount refuses writes."""
        return self._volume.read_only

    @property
    def aborted_block(self) -> int | None:
        """The block whose erase was found cut short at mount."""
        return self._volume.aborted_block

    @property
    def missing_blocks(self) -> tuple[int, ...]:
        """The blocks of a partial mount that have no magic."""
        return self._volume.missing_blocks

    @property
    def name_changes(self) -> int:
        """A number that changes whenever a file appears, disappears or gets another name."""
        return self._volume.index.name_changes

    def unmount(self) -> None:
        """Flush and close all files.

        The C ignores what the flushes return, and so does this: bytes for which there is no room
        any more are lost.
        """
        self._volume.check_mounted()
        for slot in self._volume.slots.open_slots():
            if slot.open:  # flushing one file may have closed another
                with contextlib.suppress(SpiffsError):
                    flush_slot(self._volume, slot)
                # Also where the flush failed: after the mount no descriptor is of use.
                slot.open = False
        self._volume.end_mount()

    def abandon(self) -> None:
        """Forget the mount as when power goes: all files close and nothing is written."""
        for slot in self._volume.slots.open_slots():
            slot.open = False
        self._volume.end_mount()

    def __enter__(self) -> SpiffsCore:
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            self.unmount()

    # Files by name

    def open_descriptor(self, name: Name, flags: int) -> Descriptor:
        """Open a file with the C's flags.

        Raises -10002 for a missing file without CREAT, -10030 for CREAT and EXCL on one that
        is there, -10007 when all descriptors are open, -10036 for a long name, -10001.
        """
        volume = self._volume
        if not volume.mounted:
            volume.check_mounted()
        raw = self._raw(name)
        flags = self._flags(flags)
        slot, search_from = volume.slots.take_for(raw)
        # A descriptor that had this name starts the search at its old header, as in the C. Where a
        # power loss left two headers of one name, this decides which one opens.
        if search_from is not None:
            volume.search_page = search_from
        try:
            self._open(slot, raw, flags)
        except SpiffsError:
            slot.open = False
            raise
        return Descriptor(volume, slot, _shown(raw))

    def _open(self, slot: Slot, name: bytes, flags: int) -> None:
        page = search_name(self._volume, name)
        if page is None:
            if not flags & _CREAT:
                raise no_name(name)
            # As in the C, TRUNC does not count for a file that CREAT made.
            page = self._create(name, None)
            flags &= ~_TRUNC
        elif flags & _NEW_ONLY == _NEW_ONLY:
            raise spiffs_error(Code.FILE_EXISTS, _shown(name))
        self._load(slot, page, flags)
        if flags & _TRUNC:
            # The old bytes go before the first new one is written: a program that is cut after
            # this has lost them. SPIFFS replaces no file in one step.
            content.truncate(self._volume, slot, 0)
        slot.offset = 0

    def _load(self, slot: Slot, page: int, flags: int) -> None:
        """Set a descriptor to the file whose header lies at ``page``.

        The descriptor is set before the header is checked, as in the C: a failed open leaves the
        file's id and page in the closed descriptor, and later moves of that file update it.
        """
        volume = self._volume
        _, span, flags_found, _, size, _ = volume.read_index_header(page)
        slot.header_page = slot.cursor_page = page
        slot.cursor_span = 0
        slot.size = size
        slot.object_id = volume.lookup[page]
        slot.flags = flags
        check_index_header(volume, page, flags_found, slot.object_id, span)

    def create(self, name: Name, meta: bytes | None = None) -> None:
        """Create an empty file; raises -10023 when the name is taken."""
        self.check_writable()
        raw, meta = self._raw(name), self._meta(meta)
        prepare_write(self._volume)
        if self._has(raw):
            self._volume.caches.spare = True  # found by its header, which is read past the cache
            raise self._taken(raw)
        self._create(raw, meta)

    def _create(self, name: bytes, meta: bytes | None) -> int:
        # Before the collection, as in the C: ids that it frees count from the next file on.
        object_id = self._volume.ids.choose()
        gc.make_room(self._volume, self._volume.geometry.data_size)
        return create_header(self._volume, object_id, name, meta)

    def scandir(self) -> Iterator[DirEntry]:
        """Return an iterator over all files in the order of the medium.

        Files may come and go meanwhile; after an unmount the next step raises -10000.
        """
        self._volume.check_mounted()
        return self._scan()

    def _scan(self) -> Iterator[DirEntry]:
        index = self._volume.index
        order, at, visible = index.in_order(), 0, index.visible
        while at < len(order):
            seen = index.changes
            for page in islice(order, at, None):
                yield visible[page]
                if index.changes != seen:
                    break
            else:
                return
            # The order is sorted anew. The C's listing has a place on flash as its cursor, so it
            # goes on behind the last page: a file that moved back is not listed, one that moved on
            # is, again.
            self._volume.check_mounted()
            order = index.in_order()
            at = bisect_right(order, page)

    def listdir(self) -> list[str]:
        """Return the names of all files in the order of the medium."""
        return [entry.name for entry in self.scandir()]

    def stat(self, name: Name) -> DirEntry:
        """Return what listings say of one file; raises -10002, -10036."""
        volume = self._volume
        if not volume.mounted:
            volume.check_mounted()
        raw = self._raw(name)
        page = search_name(volume, raw)
        if page is None:
            raise no_name(raw)
        # SPIFFS_stat reads the header again, through its cache, which then keeps that page.
        volume.caches.spare = False
        return volume.index.visible[page]

    def find(self, name: Name) -> DirEntry | None:
        """Return what listings say of one file, ``None`` where no file has that name."""
        volume = self._volume
        if not volume.mounted:
            volume.check_mounted()
        raw = name if type(name) is bytes else _encoded(name)
        return volume.index.visible[find_name(volume, raw)] if self._has(raw) else None

    def count_named(self, name: Name) -> int:
        """Return how many headers have a name: a power cut can leave two."""
        self._volume.check_mounted()
        return len(self._volume.index.pages_named(_encoded(name)))

    def exists(self, name: Name) -> bool:
        """Return whether there is a file of that name; raises -10036 for a long name."""
        self._volume.check_mounted()
        return self._has(self._raw(name))

    def _has(self, raw: bytes) -> bool:
        return bool(self._volume.index.pages_named(raw))

    def check_name(self, name: Name) -> None:
        """Raise -10036 for a name that is too long, -10002 for one with a zero byte."""
        self._volume.check_mounted()
        self._raw(name)

    def remove(self, name: Name) -> None:
        """Remove a file; needs a free descriptor (-10007), but no free page.

        Where a bad page of a damaged file ends it early, the file is hidden, its pages stay, and
        the descriptor stays in use until unmount, as in the C.
        """
        self.check_writable()
        raw = self._raw(name)
        prepare_removal(self._volume)
        with self._spare_slot() as slot:
            self._load(slot, find_name(self._volume, raw), 0)
            content.remove(self._volume, slot)

    def rename(self, old: Name, new: Name) -> None:
        """Give a file another name; raises -10023 when that is taken."""
        self.check_writable()
        raw_old, raw_new = self._raw(old), self._raw(new)
        prepare_write(self._volume)
        page = find_name(self._volume, raw_old)
        if self._has(raw_new):
            # The C looks the new name up too; where it finds it the next search starts.
            find_name(self._volume, raw_new)
            raise self._taken(raw_new)
        with self._spare_slot() as slot:
            self._load(slot, page, 0)
            self._rewrite(slot, name=raw_new)
        # The C renames the hash in its descriptors too, so the next open finds this header first.
        self._volume.slots.renamed(raw_old, raw_new)

    def set_meta(self, name: Name, meta: bytes) -> None:
        """Write the meta bytes of a file (``geometry.meta_length`` of them).

        The C does not check the length of this name: a long one is -10002, not -10036.
        """
        self.check_writable()
        raw = _encoded(name)
        new_meta = self._meta(meta)
        if new_meta is None:
            raise TypeError("meta must be bytes, not None")
        prepare_write(self._volume)
        page = find_name(self._volume, raw)
        with self._spare_slot() as slot:
            self._load(slot, page, 0)
            self._rewrite(slot, meta=new_meta)

    # Files by the page of their header: two headers can carry one name

    def open_page(self, page: int, flags: int = _RDONLY) -> Descriptor:
        """Open the file whose header lies at ``page``; CREAT and EXCL mean nothing here.

        Raises -10031 for every page that is not the header of a file, as SPIFFS_open_by_page
        does.
        """
        volume = self._volume
        volume.check_mounted()
        page = check_int(page, "page")
        flags = self._flags(flags)
        slot = volume.slots.take()
        try:
            self._load_page(slot, page, flags)
            if flags & _TRUNC:
                content.truncate(volume, slot, 0)
        except SpiffsError:
            slot.open = False
            raise
        slot.offset = 0
        return Descriptor(volume, slot, f"page {page}")

    def remove_page(self, page: int) -> None:
        """Remove the file whose header lies at ``page``; see ``remove``. Raises -10031."""
        self.check_writable()
        page = check_int(page, "page")
        prepare_removal(self._volume)
        with self._spare_slot() as slot:
            self._load_page(slot, page, 0)
            content.remove(self._volume, slot)

    def rename_page(self, page: int, new: Name) -> None:
        """Give the file whose header lies at ``page`` another name, also one that is taken.

        Raises -10031.
        """
        self.check_writable()
        page, raw_new = check_int(page, "page"), self._raw(new)
        prepare_write(self._volume)
        # A taken name is allowed: this is how one of two headers with the same name gets another.
        known = self._volume.index.visible.get(page)
        with self._spare_slot() as slot:
            self._load_page(slot, page, 0)
            self._rewrite(slot, name=raw_new)
        if known is not None:
            self._volume.slots.renamed(known.raw_name, raw_new)

    def _load_page(self, slot: Slot, page: int, flags: int) -> None:
        geometry = self._volume.geometry
        # The C checks for look-up pages alone, and reads behind the area for a large number.
        if not 0 <= page < geometry.pages or geometry.is_lookup_page(page):
            raise spiffs_error(Code.NOT_A_FILE, f"page {page}")
        try:
            self._load(slot, page, flags)
        except SpiffsError as error:
            if error.code in _NO_HEADER:
                raise spiffs_error(Code.NOT_A_FILE, f"page {page}") from error
            raise

    def _rewrite(
        self, slot: Slot, *, name: bytes | None = None, meta: bytes | None = None
    ) -> None:
        volume, page = self._volume, slot.header_page
        # Without a check for room, as in the C: garbage collection does not run for a rename,
        # which fails with -10001 where fewer than two blocks are free.
        rewrite_header(volume, slot, slot.object_id, page, name=name, meta=meta)
        slot.open = False

    @contextlib.contextmanager
    def _spare_slot(self) -> Iterator[Slot]:
        """Take a descriptor for one call, as the C does: -10007 when all are open."""
        slot = self._volume.slots.take()
        try:
            yield slot
        except SpiffsError:
            # The call itself closes the slot when it succeeds. A removal that ends early does not,
            # and the C keeps the descriptor in use: with two of them on a board that soon matters.
            slot.open = False
            raise

    # The whole

    def info(self) -> Info:
        """Return total and used bytes."""
        self._volume.check_mounted()
        geometry = self._volume.geometry
        return Info(geometry.total_bytes, self._volume.allocated * geometry.data_size)

    def statvfs(self) -> StatVfs:
        """Return the room in pages."""
        self._volume.check_mounted()
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
        self.check_writable()
        check_int(length, "length", least=0)
        prepare_write(self._volume)
        gc.make_room(self._volume, length)

    def gc_quick(self, max_free_pages: int = 0) -> None:
        """Erase one block whose pages are deleted, but for up to ``max_free_pages`` free ones.

        Raises -10029 when there is no such block.
        """
        self.check_writable()
        check_int(max_free_pages, "max_free_pages", least=0)
        prepare_write(self._volume)
        if not erase_quick(self._volume, max_free_pages):
            raise spiffs_error(Code.NO_DELETED_BLOCKS)

    def check_writable(self) -> None:
        """Raise -10000 unless mounted, -10032 on a read-only mount."""
        self._volume.check_writable()

    # Arguments

    def _flags(self, flags: int) -> int:
        """Return the flags as a plain number; raises -10032 for a change on a read-only mount."""
        number = flags if type(flags) is int else check_int(flags, "flags")
        if not 0 <= number <= _ALL_FLAGS:
            raise UsageError(f"flags {number:#x}: SPIFFS has flags up to {_ALL_FLAGS:#x}")
        if number & _CHANGING and self._volume.read_only:
            self._volume.check_writable()
        if number & _CHANGING_NOW and not self._volume.blank_checked:
            prepare_write(self._volume)
        return number

    def _raw(self, name: Name) -> bytes:
        """Return a name as stored; raises -10036 for a long one, -10002 for a zero byte in it."""
        raw = name if type(name) is bytes else _encoded(name)
        if len(raw) >= self._volume.geometry.name_length:
            limit = self._volume.geometry.name_length - 1
            raise spiffs_error(
                Code.NAME_TOO_LONG,
                f"{_shown(raw)}: {len(raw)} bytes",
                hint=f"this file system takes names of up to {limit} bytes",
            )
        # A name ends at its zero byte in C, so no file can have such a name.
        if b"\0" in raw:
            raise spiffs_error(Code.NOT_FOUND, f"{_shown(raw)}: a name has no zero byte")
        return raw

    def _meta(self, meta: bytes | None) -> bytes | None:
        if meta is None:
            return None
        if not isinstance(meta, bytes | bytearray | memoryview):
            raise TypeError(f"meta must be bytes, not {type(meta).__name__}")
        raw, length = bytes(meta), self._volume.geometry.meta_length
        if len(raw) != length:
            raise UsageError(f"meta has {len(raw)} bytes, this file system stores {length}")
        return raw

    @staticmethod
    def _taken(raw: bytes) -> SpiffsError:
        return spiffs_error(Code.CONFLICTING_NAME, _shown(raw))


def _encoded(name: Name) -> bytes:
    """Return the bytes of a name; raises ``TypeError`` for what is neither text nor bytes."""
    if isinstance(name, str):
        try:
            return name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise UsageError(f"{name!r} cannot be written as UTF-8") from error
    if isinstance(name, bytes | bytearray):
        return bytes(name)
    raise TypeError(f"a name must be str or bytes, not {type(name).__name__}")


def _shown(raw: bytes) -> str:
    """Return a stored name for a message."""
    return raw.decode("utf-8", "backslashreplace")
