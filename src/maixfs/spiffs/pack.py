"""Lay files out as a SPIFFS area, page by page, with nothing to collect afterwards.

The result is what the C reads as its own work: each file is its index header, then its data
pages, with every further index page in front of the data pages that it lists. Files follow each
other through the blocks, so that the free blocks are all at the end and as many as can be.
The same files in the same order give the same bytes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from maixfs.errors import DeviceError, UsageError
from maixfs.host.files import read_file, status_of
from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error
from maixfs.spiffs.geometry import Geometry, GeometryError
from maixfs.spiffs.layout import FilePages, Measured, file_pages, lay_out, owners

Content: TypeAlias = bytes | bytearray | memoryview | Path
"""The bytes of a file, or the host's file that holds them."""
Packable: TypeAlias = tuple[str | bytes, Content] | tuple[str | bytes, Content, bytes | None]
"""Name as stored, content, and meta where the geometry has room for it."""


class _Source(NamedTuple):
    name: bytes
    content: Content
    meta: bytes


def pack(
    files: Iterable[Packable] | Mapping[str, Content],
    geometry: Geometry,
    *,
    spare_blocks: int = 2,
) -> bytearray:
    """Return the image of an area, ``geometry.size`` bytes, that holds ``files``.

    Names are stored as they are given (MaixPy lists only those with a leading slash); object ids
    are 1, 2, 3, ... in the order of ``files``. ``spare_blocks`` blocks stay empty: the C cannot
    write with fewer than two. Raises ``FullError`` when the files do not fit, ``SpiffsError`` for
    a name that is too long or given twice, ``UsageError`` for a name or meta that cannot be
    stored, a host file that cannot be read, or one that changes meanwhile, and ``GeometryError``
    for a geometry in which nothing can be laid out.
    """
    _check_geometry(geometry)
    pairs = files.items() if isinstance(files, Mapping) else files
    sources = [_source(item, geometry) for item in pairs]
    _refuse_twins(sources)
    measured = [Measured(source.name, _size_of(source.content)) for source in sources]
    layout = lay_out(measured, geometry, spare_blocks)
    image = bytearray(b"\xff") * geometry.size
    with memoryview(image) as area:
        _stamp_blocks(area, geometry)
        _write_lookup(area, geometry, layout)
        writer = _Writer(area, geometry, sum(pages.total for pages in layout))
        for obj_id, (source, pages) in enumerate(zip(sources, layout, strict=True), 1):
            writer.write_file(obj_id, source, pages)
    return image


class _Writer:
    """Puts one file after the other into the object pages of an area."""

    def __init__(self, area: memoryview, geometry: Geometry, pages: int) -> None:
        self._area = area
        self._geometry = geometry
        self._pages = _object_pages(geometry, pages)
        self._next = 0

    def write_file(self, obj_id: int, source: _Source, pages: FilePages) -> None:
        g = self._geometry
        data = _load(source.content)
        if file_pages(len(data), g) != pages:
            raise UsageError(f"{_shown(source.name)}: the file changed while it was read")
        self._write_header(obj_id, source, len(data))
        for index_span in range(pages.index_pages):
            first, end = g.first_span(index_span), g.first_span(index_span + 1)
            self._write_group(obj_id, index_span, first, min(end, pages.data_pages), data)

    def _write_header(self, obj_id: int, source: _Source, size: int) -> None:
        """Program the index header but for its table.

        The C leaves its padding (bytes 5 to 7, and the one before an aligned table) as it finds
        it on the stack; zero is as good, and the same each time. An empty file keeps its size
        unwritten, because the first write programs the size in place.
        """
        start = self._pages[self._next] * self._geometry.page_size
        stored = size if size else ondisk.SIZE_UNDEFINED
        fields = (obj_id | ondisk.ID_INDEX, 0, ondisk.FLAGS_INDEX, stored, ondisk.TYPE_FILE)
        ondisk.INDEX_HEADER.pack_into(self._area, start, *fields)
        rest = source.name.ljust(self._geometry.name_length, b"\0") + source.meta
        rest = rest.ljust(self._geometry.header_size - ondisk.NAME_OFFSET, b"\0")
        at = start + ondisk.NAME_OFFSET
        self._area[at : at + len(rest)] = rest

    def _write_group(
        self, obj_id: int, index_span: int, first: int, end: int, data: memoryview
    ) -> None:
        """Write an index page's table, and behind it the data pages from ``first`` to ``end``."""
        g = self._geometry
        index_page = self._pages[self._next]
        pages = self._pages[self._next + 1 : self._next + 1 + end - first]
        self._next += 1 + end - first
        if index_span:
            at = index_page * g.page_size
            fields = (obj_id | ondisk.ID_INDEX, index_span, ondisk.FLAGS_INDEX)
            ondisk.PAGE_HEADER.pack_into(self._area, at, *fields)
        at = index_page * g.page_size + g.index_slot(first)
        self._area[at : at + 2 * len(pages)] = _little_endian(pages)
        self._write_data(obj_id, first, pages, data)

    def _write_data(self, obj_id: int, first: int, pages: array[int], data: memoryview) -> None:
        # The loop of the whole packing: a small page leaves it two microseconds a turn.
        area, page_size, room = self._area, self._geometry.page_size, self._geometry.data_size
        head, pack_head = ondisk.PAGE_HEADER.size, ondisk.PAGE_HEADER.pack_into
        offset = first * room
        for span, page in enumerate(pages, first):
            at = page * page_size
            pack_head(area, at, obj_id, span, ondisk.FLAGS_DATA)
            piece = data[offset : offset + room]
            area[at + head : at + head + len(piece)] = piece
            offset += room


def _object_pages(geometry: Geometry, count: int) -> array[int]:
    """Return the first ``count`` page numbers that are no look-up pages."""
    pages = array("H")
    for block in range(-(-count // geometry.usable_pages)):
        first = block * geometry.pages_per_block + geometry.lookup_pages
        pages.extend(range(first, first + geometry.usable_pages))
    return pages[:count]


def _stamp_blocks(area: memoryview, geometry: Geometry) -> None:
    """Write what a format leaves in each block: the erase count 0 and the magic."""
    for block in range(geometry.blocks):
        at = block * geometry.block_size + geometry.magic_offset
        ondisk.U16.pack_into(area, at + 2, 0)
        if geometry.use_magic:
            ondisk.U16.pack_into(area, at, geometry.magic(block))


def _write_lookup(area: memoryview, geometry: Geometry, layout: list[FilePages]) -> None:
    entries = array("H")
    for obj_id, pages in enumerate(layout, 1):
        entries.extend(owners(obj_id, pages, geometry))
    for block in range(-(-len(entries) // geometry.usable_pages)):
        first = block * geometry.usable_pages
        taken = _little_endian(entries[first : first + geometry.usable_pages])
        at = block * geometry.block_size
        area[at : at + len(taken)] = taken


def _little_endian(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = words[:]
        words.byteswap()
    return words.tobytes()


def _check_geometry(g: Geometry) -> None:
    if not g.size:
        raise GeometryError("this geometry has no size yet", hint="give the size of the area")
    if g.use_magic and not g.magic_possible:
        raise spiffs_error(Code.MAGIC_NOT_POSSIBLE, f"block {g.block_size:#x}, page {g.page_size}")
    if 2 * g.usable_pages > g.magic_offset + (0 if g.use_magic else 2):
        raise GeometryError(
            f"{g.usable_pages} look-up entries do not fit {g.lookup_pages} pages of {g.page_size}"
        )


def _source(item: Packable, geometry: Geometry) -> _Source:
    name = _stored_name(item[0], geometry)
    meta = item[2] if len(item) == 3 else None
    if meta is None:
        meta = b"\xff" * geometry.meta_length
    elif len(meta) != geometry.meta_length:
        raise UsageError(f"{_shown(name)}: meta is {len(meta)} bytes, not {geometry.meta_length}")
    return _Source(name, item[1], meta)


def _stored_name(name: str | bytes, geometry: Geometry) -> bytes:
    """Return a name's bytes; undecodable bytes of the host's names come back as they were."""
    try:
        raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else bytes(name)
    except UnicodeEncodeError as error:
        raise UsageError(f"{name!r} cannot be written as UTF-8") from error
    if not raw or b"\0" in raw:
        raise UsageError(f"{_shown(raw)!r} is no name for a file: it is empty or has a zero byte")
    if len(raw) >= geometry.name_length:
        most = geometry.name_length - 1
        about = f"{_shown(raw)} has {len(raw)} bytes, {most} fit"
        raise spiffs_error(Code.NAME_TOO_LONG, about)
    return raw


def _refuse_twins(sources: list[_Source]) -> None:
    seen: set[bytes] = set()
    for source in sources:
        if source.name in seen:
            raise spiffs_error(Code.CONFLICTING_NAME, _shown(source.name))
        seen.add(source.name)


def _size_of(content: Content) -> int:
    if not isinstance(content, Path):
        return memoryview(content).nbytes
    try:
        return status_of(content).st_size
    except DeviceError as error:
        raise UsageError(str(error), hint=error.hint) from error


def _load(content: Content) -> memoryview:
    if not isinstance(content, Path):
        return memoryview(bytes(content))
    try:
        return memoryview(read_file(content))
    except DeviceError as error:
        raise UsageError(str(error), hint=error.hint) from error


def _shown(name: bytes) -> str:
    """Return a stored name for a person to read."""
    return name.decode("utf-8", "backslashreplace")
