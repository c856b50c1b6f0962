"""An open file: the C's descriptor with its write cache."""

from __future__ import annotations

import os
from enum import IntFlag
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.spiffs import content, ondisk
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.guard import prepare_write
from maixfs.spiffs.pages import find_index_page
from maixfs.spiffs.volume import release_cache

if TYPE_CHECKING:
    from maixfs.nor.device import Buffer
    from maixfs.spiffs.state import Slot, WriteCache
    from maixfs.spiffs.volume import Volume


class OpenFlag(IntFlag):
    """Flags of an open (docs/SPEC.md, section 9)."""

    APPEND = 1
    TRUNC = 2
    CREAT = 4
    RDONLY = 8
    WRONLY = 16
    RDWR = 24
    DIRECT = 32
    EXCL = 64


def check_int(
    value: object, what: str, *, least: int | None = None, most: int | None = None
) -> int:
    """Return an argument that must be a whole number.

    Raises ``TypeError`` for another type, ``UsageError`` for a number that is out of bounds.
    """
    if not isinstance(value, int):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if least is not None and value < least:
        raise UsageError(f"{what} is {value}, the least is {least}")
    if most is not None and value > most:
        raise UsageError(f"{what} is {value}, the most is {most}")
    return int(value)


# Plain numbers: flag arithmetic on IntFlag costs more than a whole read.
_APPEND = int(OpenFlag.APPEND)
_DIRECT = int(OpenFlag.DIRECT)
_RDONLY = int(OpenFlag.RDONLY)
_WRONLY = int(OpenFlag.WRONLY)
_WHENCES = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END)


def _readable(volume: Volume, slot: Slot, length: int) -> int:
    """Flush the cache and return how many of ``length`` bytes can be read at the offset.

    Negative: all that follow. A file that never reached flash has nothing to read, and its
    cache stays, unless 0 bytes are asked for, as in the C.
    """
    if not slot.flags & _RDONLY:
        raise spiffs_error(Code.NOT_READABLE)
    # The C tests the size before it flushes, so a new file reads as empty although bytes wait in
    # its cache.
    if slot.size == ondisk.SIZE_UNDEFINED and length:
        return 0
    if volume.caches.pages:
        _flush_quietly(volume, slot)
    rest = slot.size - slot.offset
    return rest if length < 0 or length > rest else length


def _write(volume: Volume, slot: Slot, data: Buffer) -> int:
    """Write at the offset, or at the end for an O_APPEND descriptor; returns the length.

    Writes shorter than a page wait in the write cache. Raises ``FullError``; then what was
    written before the room ran out stays in the file.
    """
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    view = memoryview(data).cast("B")
    if slot.flags & _APPEND:
        # The size on flash, without what waits in the cache: after small appends tell is wrong in
        # the C, and so here.
        slot.offset = slot.known_size
    offset = slot.offset
    cache = _cache_of(volume, slot)
    if slot.flags & _APPEND and cache is not None:
        offset = max(offset, cache.end)
    if not slot.flags & _DIRECT:
        # The limit is a page, not the room for data in one: a flush writes up to 4096 bytes on a
        # board, and so its pieces do not end with data pages of 4091.
        if len(view) < volume.geometry.page_size:
            cache = _cache_for(volume, slot, offset, len(view))
            if cache is not None:
                cache.put(offset, view)
                slot.offset += len(view)
                return len(view)
        elif cache is not None:
            # Older bytes first: flushed later they would go over these.
            _write_back(volume, slot, cache)
    _write_through(volume, slot, offset, view)
    slot.offset += len(view)
    return len(view)


def _write_now(volume: Volume, slot: Slot, data: Buffer) -> int:
    """Write as ``_write`` does, but past the write cache; returns the length."""
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    view = memoryview(data).cast("B")
    flush_slot(volume, slot)
    if slot.flags & _APPEND:
        slot.offset = slot.known_size
    _write_through(volume, slot, slot.offset, view)
    slot.offset += len(view)
    return len(view)


def _cache_of(volume: Volume, slot: Slot) -> WriteCache | None:
    if slot.cache is None:
        slot.cache = volume.caches.find(slot.object_id)
    return slot.cache


def _cache_for(volume: Volume, slot: Slot, offset: int, length: int) -> WriteCache | None:
    """Return the cache page for a short write, ``None`` when all are in use."""
    cache = slot.cache
    if cache is not None:
        if cache.takes(offset, length, volume.geometry.page_size):
            return cache
        _write_back(volume, slot, cache)
    slot.cache = volume.caches.allocate(slot.object_id, offset)
    return slot.cache


def _write_back(volume: Volume, slot: Slot, cache: WriteCache) -> None:
    """Write a cache page to flash and free it, as in the C also when the write fails."""
    try:
        _write_through(volume, slot, cache.offset, memoryview(cache.data))
    finally:
        # The bytes of a flush that failed are lost with the cache page, as in the C.
        release_cache(volume, cache)


def _write_through(volume: Volume, slot: Slot, offset: int, data: memoryview) -> None:
    """Overwrite what lies inside the file, append the rest."""
    if slot.size != ondisk.SIZE_UNDEFINED and offset < slot.size:
        # Two operations with a check for room each: where the append fails, the overwrite stays.
        inside = min(slot.size - offset, len(data))
        if inside:
            content.modify(volume, slot, offset, data[:inside])
        data = data[inside:]
        offset += inside
    if data:
        content.append(volume, slot, offset, data)


def flush_slot(volume: Volume, slot: Slot) -> None:
    """Write what the cache holds of this file; raises what the write raises."""
    if not volume.caches.pages or slot.flags & _DIRECT:
        return
    cache = _cache_of(volume, slot)
    if cache is not None:
        _write_back(volume, slot, cache)


def _flush_quietly(volume: Volume, slot: Slot) -> None:
    """Flush where the C ignores the result."""
    try:
        flush_slot(volume, slot)
    except SpiffsError:
        return


def _seek(volume: Volume, slot: Slot, offset: int, whence: int) -> int:
    """Set the offset and return it.

    Raises -10040 below 0; past the end the offset becomes the end and -10003 is raised.
    """
    _flush_quietly(volume, slot)
    size = slot.known_size
    if whence == os.SEEK_CUR:
        offset += slot.offset
    elif whence == os.SEEK_END:
        offset += size
    if offset < 0:
        raise spiffs_error(Code.SEEK_BOUNDS, f"offset {offset}")
    if offset > size:
        # The C moves to the end before it refuses, and MaixPy does not raise that error.
        slot.offset = size
        raise spiffs_error(Code.END_OF_OBJECT, f"offset {offset} of {size}")
    geometry = volume.geometry
    # Looked for now and not by the next read: on a damaged file the seek fails, as in the C. The
    # byte before the offset counts, because an index page may end exactly there.
    index_span = geometry.index_span(max(offset - 1, 0) // geometry.data_size)
    if slot.cursor_span != index_span:
        slot.cursor_page = find_index_page(volume, slot.object_id, index_span)
        slot.cursor_span = index_span
    slot.offset = offset
    return offset


def _tell(volume: Volume, slot: Slot) -> int:
    """Flush and return the offset; after small writes in append mode it is wrong, as in the C."""
    flush_slot(volume, slot)
    return slot.offset


def _truncate(volume: Volume, slot: Slot, size: int, *, exact: bool) -> None:
    """Truncate an open file to ``size`` bytes; raises -10003 unless it has as many."""
    if not slot.flags & _WRONLY:
        raise spiffs_error(Code.NOT_WRITABLE)
    _flush_quietly(volume, slot)
    if not 0 <= size <= slot.known_size:
        raise spiffs_error(Code.END_OF_OBJECT, f"size {size} of {slot.known_size}")
    if size != slot.known_size:
        # Library users get the page that they named; only a faithful mount cuts the wrong one.
        content.truncate(volume, slot, size, exact=exact or not volume.faithful)


def _read(volume: Volume, slot: Slot, length: int) -> bytes:
    """Return up to ``length`` bytes (negative: all) from the offset on and step over them."""
    length = _readable(volume, slot, length)
    if length <= 0:
        return b""
    data = content.read(volume, slot, slot.offset, length)
    slot.offset += length
    return data


def _read_into(volume: Volume, slot: Slot, buffer: memoryview) -> int:
    """Read into ``buffer`` up to the end of the file; returns the number of bytes."""
    length = max(_readable(volume, slot, len(buffer)), 0)
    if length:
        content.read_into(volume, slot, slot.offset, buffer[:length])
        slot.offset += length
    return length


class Descriptor:
    """An open file as in the C: no buffer but the write cache, the C's error numbers.

    Dropping it without ``close`` or ``flush`` writes nothing, as when power is lost.
    """

    __slots__ = ("_serial", "_slot", "_volume", "name")

    def __init__(self, volume: Volume, slot: Slot, name: str) -> None:
        self.name = name
        self._volume = volume
        self._slot = slot
        self._serial = slot.serial

    def _live(self) -> Slot:
        slot = self._slot
        # Slots are used again: an old handle must not reach the file that has its slot now.
        if slot.open and slot.serial == self._serial:
            return slot
        code = Code.FILE_CLOSED if self._volume.mounted else Code.NOT_MOUNTED
        raise spiffs_error(code, self.name)

    def _writable(self) -> Slot:
        """Return the slot of an open file once the mount may write."""
        slot = self._live()
        self._volume.check_writable()
        if not self._volume.blank_checked:
            prepare_write(self._volume)
        return slot

    @property
    def number(self) -> int:
        """The C's file handle: 1 for the first descriptor."""
        return self._slot.number

    @property
    def closed(self) -> bool:
        """Whether the descriptor was closed, or its file removed, or the mount is gone."""
        return not self._slot.open or self._slot.serial != self._serial

    @property
    def size(self) -> int:
        """Bytes of the file on flash; what waits in the write cache does not count."""
        return self._live().known_size

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes (all that follow when negative); empty at the end."""
        if type(size) is not int:
            size = check_int(size, "size")
        return _read(self._volume, self._live(), size)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` from the offset on; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("the buffer must be writable")
        return _read_into(self._volume, self._live(), view)

    def write(self, data: Buffer) -> int:
        """Write ``data`` and return its length; short writes wait in the write cache."""
        slot = self._writable()
        return _write(self._volume, slot, data)

    def write_now(self, data: Buffer) -> int:
        """Write ``data`` past the write cache, so that it is on flash; returns its length."""
        slot = self._writable()
        return _write_now(self._volume, slot, data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the offset; -10003 past the end (the offset is then the end), -10040 below 0."""
        slot = self._live()
        if type(offset) is not int or type(whence) is not int or whence not in _WHENCES:
            offset, whence = check_int(offset, "offset"), check_int(whence, "whence")
            if whence not in _WHENCES:
                # The C takes every other number for SEEK_SET.
                raise UsageError(f"whence is {whence}, not one of {_WHENCES}")
        return _seek(self._volume, slot, offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return _tell(self._volume, self._live())

    def truncate(self, size: int, *, exact: bool = False) -> None:
        """Cut the file to ``size`` bytes; -10003 for more than it has.

        The C's truncation can leave bytes behind the new end that mix with later ones, or a page
        that garbage collection takes for a newer one (docs/SPEC.md, section 5.5). ``exact`` and
        every mount that is not faithful avoid this.
        """
        slot = self._writable()
        _truncate(self._volume, slot, check_int(size, "size"), exact=exact)

    def flush(self) -> None:
        """Write what the cache holds of this file."""
        flush_slot(self._volume, self._live())

    def close(self) -> None:
        """Flush and close; when the flush fails the descriptor stays open, as in the C."""
        slot = self._live()
        # Before the slot closes: a board has two descriptors, and a close that finds no room keeps
        # one of them until the next mount.
        flush_slot(self._volume, slot)
        slot.open = False

    def as_stream(self) -> StreamDescriptor:
        """Return this open file for a stream of Python."""
        return StreamDescriptor(self._volume, self._slot, self.name)

    def __enter__(self) -> Descriptor:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.closed:
            self.close()


class StreamDescriptor(Descriptor):
    """An open file as ``RawFile`` needs it: at offsets, and nothing waits in the write cache.

    Python buffers above, and its ``flush`` does not reach down here: data that waited in the
    cache would be lost by a program that trusts it.
    """

    __slots__ = ()

    @property
    def lost(self) -> bool:
        """Whether the mount was abandoned."""
        return not self._volume.mounted

    @property
    def size(self) -> int:
        """Bytes of the file, also those that another descriptor left in the write cache."""
        slot, volume = self._live(), self._volume
        if volume.caches.pages:
            flush_slot(volume, slot)
        return slot.known_size

    def _at(self, offset: int) -> Slot:
        """Go to an offset; a stream that reads or writes on is there already."""
        slot, volume = self._live(), self._volume
        if slot.offset != offset or volume.caches.pages:
            _seek(volume, slot, offset, os.SEEK_SET)
        return slot

    def check_room(self, size: int) -> None:
        """Raise ``FullError`` if free and deleted pages do not suffice for ``size`` bytes."""
        volume, geometry = self._volume, self._volume.geometry
        needed = -(-size // geometry.data_size) - -(-self.size // geometry.data_size)
        if needed > geometry.blocks * geometry.usable_pages - volume.allocated:
            raise spiffs_error(Code.FULL, f"{self.name}: {needed} pages are needed")

    def read_at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``, all of them inside the file."""
        geometry = self._volume.geometry
        if size > geometry.pages * geometry.data_size:
            raise spiffs_error(Code.INDEX_REF_INVALID, f"{self.name}: {size} bytes")
        return _read(self._volume, self._at(offset), size)

    def readinto_at(self, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset``; returns the number of bytes."""
        return _read_into(self._volume, self._at(offset), buffer)

    def write_at(self, offset: int, data: memoryview) -> int:
        """Write ``data`` at ``offset`` past the write cache; returns its length."""
        prepare_write(self._volume)
        slot = self._at(offset)
        return _write_now(self._volume, slot, data)

    def truncate(self, size: int, *, exact: bool = True) -> None:
        """Cut the file to ``size`` bytes, always at the right page."""
        super().truncate(size, exact=exact)

    def sync(self) -> None:
        """Write what the write cache holds of this file."""
        self.flush()

    def close(self) -> None:
        """Flush and close; removing a file has closed its descriptors already."""
        slot = self._slot
        if slot.open and slot.serial == self._serial:
            flush_slot(self._volume, slot)
            slot.open = False
