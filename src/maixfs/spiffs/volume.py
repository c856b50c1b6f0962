"""A mounted SPIFFS: its device, its state in RAM, and the programs that change both together.

Look-up entries are mirrored in RAM, so that no operation scans flash. The functions at the end
update open descriptors after an index page moved, a size changed or a file was removed.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.spiffs.state import BlockCounts, IdPool, ObjectIndex, SlotTable, WriteCaches

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer, NorDevice
    from maixfs.spiffs.geometry import Geometry
    from maixfs.spiffs.state import Slot, WriteCache

_UNUSED = (ondisk.ID_FREE, ondisk.ID_DELETED)
_PAGE_HEADER_SIZE = ondisk.PageHeader.size
_unpack_page_header = ondisk.PageHeader.struct.unpack
_INDEX_HEADER_SIZE = ondisk.IndexHeader.size
_unpack_signature = ondisk.BlockSignature.struct.unpack
_unpack_index_header = ondisk.IndexHeader.struct.unpack
_BYTES = [bytes((value,)) for value in range(256)]


class Volume:
    """A mounted SPIFFS: device, geometry, and the state that the C keeps in RAM."""

    def __init__(
        self,
        device: NorDevice,
        geometry: Geometry,
        *,
        read_only: bool,
        faithful: bool,
        copy_pieces: bool,
        max_files: int | None,
        cache_pages: int | None,
    ) -> None:
        self.device = device
        self.geometry = geometry
        # Bound once: these are called about ten times for each page that is written.
        self._read = device.read
        self._program = device.program
        self._base = geometry.base
        self._page_size = geometry.page_size
        self._entry_zero = geometry.base - 2 * geometry.lookup_pages
        self._block_size = geometry.block_size
        self._pages_per_block = geometry.pages_per_block
        self.read_only = read_only
        self.mounted = False
        self.faithful = faithful
        """Whether a full file system loses what it loses under the C."""
        self.copy_pieces = copy_pieces
        """Whether pages are copied in pieces of ``geometry.copy_buffer`` bytes, as in the C."""
        self.lookup = array("H", bytes(2 * geometry.pages))
        """Object id per page; look-up pages themselves count as deleted."""
        self.counts = BlockCounts(self.lookup, geometry)
        self.index = ObjectIndex(geometry)
        self.ids = IdPool(geometry)
        self.slots = SlotTable(max_files)
        self.caches = WriteCaches(cache_pages)
        self.checked: dict[int, int] = {}
        """Span of each data page whose header was checked; other pages are checked before use."""
        self.tables: dict[int, array[int]] = {}
        """Decoded tables of index pages, by page."""
        self.erase_counts = [ondisk.ID_FREE] * geometry.blocks
        self.max_erase_count = 0
        self.free_blocks = 0
        self.allocated = 0
        self.deleted = 0
        self.free_block = 0
        self.free_entry = 0
        self.search_page = geometry.lookup_pages
        """Where the next search for an index page starts: the one found last."""
        self.cleaning = False
        self.registered = faithful
        """Whether the look-up was found to be right about every page that a file needs."""
        self.blank_checked = faithful
        """Whether the pages that the look-up calls free were found to be blank."""
        self.aborted_block: int | None = None
        """The block whose erase was cut short, found at mount."""
        self.missing_blocks: tuple[int, ...] = ()
        """Blocks without a magic, in a partial mount."""

    def check_mounted(self) -> None:
        """Raise -10000, which is a ``ValueError`` too, before a mount and after an unmount."""
        if not self.mounted:
            raise spiffs_error(Code.NOT_MOUNTED)

    def check_writable(self) -> None:
        """Raise -10000 unless mounted, -10032 on a read-only mount."""
        if not self.mounted:
            raise spiffs_error(Code.NOT_MOUNTED)
        if self.read_only:
            raise spiffs_error(Code.RO_NOT_IMPL)

    def end_mount(self) -> None:
        """Let every later call fail, and the next step of a listing that is under way."""
        self.mounted = False
        self.index.changes += 1

    def empty_blocks(self) -> int:
        """Return the blocks whose first look-up entry is free, which is how the C counts them."""
        geometry = self.geometry
        firsts = self.lookup[geometry.lookup_pages :: geometry.pages_per_block]
        return firsts.count(ondisk.ID_FREE)

    def free_pages(self) -> int:
        """Return the pages that can still be written, two blocks set aside."""
        geometry = self.geometry
        return geometry.usable_pages * (geometry.blocks - 2) - self.allocated - self.deleted

    def page_address(self, page: int) -> int:
        """Return the chip address of a page."""
        return self._base + page * self._page_size

    def read_page(self, page: int) -> bytearray:
        """Return a copy of a whole page, to be worked on."""
        size = self._page_size
        self.caches.spare = False
        return bytearray(self._read(self._base + page * size, size))

    def read_header(self, page: int) -> tuple[int, int, int]:
        """Return object id, span and flags from the page header of an object page.

        A plain tuple, as this runs for every page that is written.
        """
        self.caches.spare = False
        raw = self._read(self._base + page * self._page_size, _PAGE_HEADER_SIZE)
        header: tuple[int, int, int] = _unpack_page_header(raw)
        return header

    def read_index_header(self, page: int) -> tuple[int, int, int, bytes, int, int]:
        """Return the fields of ``ondisk.IndexHeader`` at a page; a plain tuple, for each open."""
        self.caches.spare = False
        raw = self._read(self._base + page * self._page_size, _INDEX_HEADER_SIZE)
        header: tuple[int, int, int, bytes, int, int] = _unpack_index_header(raw)
        return header

    def program(self, page: int, offset: int, data: Buffer) -> None:
        """Program bytes inside an object page."""
        self._program(self._base + page * self._page_size + offset, data)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy bytes from one chip address to another, in pieces where the mount asks for them."""
        self.caches.spare = False
        if not self.copy_pieces:
            if length:
                self._program(target, self._read(source, length))
            return
        piece = self.geometry.copy_buffer
        for at in range(0, length, piece):
            self._program(target + at, self._read(source + at, min(piece, length - at)))

    def set_flags(self, page: int, flags: int) -> None:
        """Program the flags byte of an object page."""
        address = self._base + page * self._page_size + ondisk.FLAGS_OFFSET
        self._program(address, _BYTES[flags])

    def entry_address(self, page: int) -> int:
        """Return the chip address of the look-up entry of an object page."""
        block, in_block = divmod(page, self._pages_per_block)
        return self._entry_zero + block * self._block_size + 2 * in_block

    def claim(self, page: int, object_id: int) -> None:
        """Write the look-up entry of a free page."""
        self.caches.spare = False  # to find the page the C read look-up entries
        self._program(self.entry_address(page), ondisk.U16.pack(object_id))
        self.lookup[page] = object_id
        self.checked.pop(page, None)  # a damaged index may have listed this free page
        self.counts.touch(page)
        self.ids.take(object_id)
        self.allocated += 1

    def delete_page(self, page: int) -> None:
        """Delete a page: first its look-up entry, then its flags (docs/SPEC.md, section 11.2)."""
        # Look-up entry first: from here on no search finds the page. A cut before the flags leaves
        # a page that is live by its header alone, and the erase of the block clears it.
        self._program(self.entry_address(page), b"\0\0")
        entry = self.lookup[page]
        self.lookup[page] = ondisk.ID_DELETED
        self.counts.touch(page)
        if entry in _UNUSED:  # only a damaged index lists a page without an owner
            self.deleted += entry == ondisk.ID_FREE
        else:
            self.ids.give_back(entry)
            self.deleted += 1
            self.allocated -= 1
        if entry & ondisk.ID_INDEX:
            self.forget(page)
        else:
            self.checked.pop(page, None)
        # Without a look at the old flags, as the C has it with blind writes: NOR clears two bits.
        # The K210's driver stores 7E as it is; FINAL rises, which costs a sector erase for each
        # deletion.
        self.set_flags(page, ondisk.FLAGS_DELETE)

    def mark_deleted(self, pages: list[int]) -> None:
        """Write the look-up entry of a deleted page for free pages that are not to be used."""
        for page in pages:
            self._program(self.entry_address(page), ondisk.U16.pack(ondisk.ID_DELETED))
            self.lookup[page] = ondisk.ID_DELETED
            self.counts.touch(page)

    def forget(self, page: int) -> None:
        """Remove a page from the index and from all that is remembered about it."""
        self.checked.pop(page, None)
        self.tables.pop(page, None)
        number = self.index.drop(page)
        if number is not None:
            self.ids.header_gone(number)

    def learn(self, page: int) -> None:
        """Add a new index page, as it is on flash, to the index."""
        raw = self._read(self._base + page * self._page_size, self.geometry.header_size)
        number = self.index.add(page, self.lookup[page], raw)
        if number is not None:
            self.ids.header_seen(number)

    def learn_again(self, page: int) -> None:
        """Update the index after an index page was programmed in place."""
        index = self.index
        before, changes = index.visible.get(page), index.name_changes
        self.forget(page)
        self.learn(page)
        after = index.visible.get(page)
        # Only its size or place changed: what callers remember by names stays right.
        if before is not None and after is not None and before.raw_name == after.raw_name:
            index.name_changes = changes

    def load_block(self, block: int) -> int:
        """Mirror the look-up entries and the erase count of a block; returns its magic."""
        geometry = self.geometry
        address = geometry.base + block * geometry.block_size
        entries = self._read(address, 2 * geometry.usable_pages)
        start = block * geometry.pages_per_block + geometry.lookup_pages
        self.lookup[start : start + geometry.usable_pages] = ondisk.u16_array(entries)
        self.counts.touch(start)
        signature = self._read(address + geometry.magic_offset, ondisk.BlockSignature.size)
        magic, self.erase_counts[block] = _unpack_signature(signature)
        return int(magic)


def index_moved(
    volume: Volume, object_id: int, span: int, page: int, size: int | None = None
) -> None:
    """Update all descriptors of an object after one of its index pages moved to ``page``.

    ``size`` is the size in a rewritten header (``None`` or 0: the size did not change).
    """
    for slot in volume.slots.of_object(object_id):
        if span == 0:
            # The C skips descriptors that were never opened by name, such as one opened by its
            # page: it goes on with the old header. Only a faithful mount keeps that.
            if slot.score == 0 and (volume.faithful or not slot.open):
                continue
            slot.header_page = page
            if size:
                _resized(volume, slot, size)
        if slot.cursor_span == span:
            slot.cursor_page = page


def index_gone(volume: Volume, object_id: int, span: int) -> None:
    """Update all descriptors of an object after an index page was deleted; span 0 closes them."""
    for slot in volume.slots.of_object(object_id):
        if span == 0:
            if slot.open and slot.cache is not None:
                release_cache(volume, slot.cache)
            slot.open = False
            # A new file may get this id, and its pages must not be set here.
            slot.object_id = ondisk.ID_DELETED
        if slot.cursor_span == span:
            slot.cursor_page = 0


def _resized(volume: Volume, slot: Slot, size: int) -> None:
    slot.size = size
    end = slot.known_size
    cache = slot.cache
    if end > 0 and cache is not None:
        end = max(end, cache.end)
    slot.offset = min(slot.offset, end)
    # The C keeps a cache that begins one byte behind the end.
    if cache is not None and cache.offset > end + 1:
        release_cache(volume, cache)  # the file now ends before the cached bytes


def release_cache(volume: Volume, cache: WriteCache) -> None:
    """Free a cache page and remove it from all open descriptors."""
    for slot in volume.slots:
        if slot.open and slot.cache is cache:
            slot.cache = None
    volume.caches.release(cache)
