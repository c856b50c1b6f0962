"""Reading files whose index or header is damaged, through their data pages.

Each data page carries the id of its object and its span, so that a file can be put together
without its index. Garbage collection moves pages first and rewrites the index afterwards
(docs/SPEC.md, section 5.8): after a power cut all pages are there, and only the index is wrong.
Nothing is guessed: what is missing is named, and bytes behind a size that is not known stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.nor.device import blank
from maixfs.spiffs import ondisk
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.nor.device import NorDevice
    from maixfs.spiffs.geometry import Geometry

_STATE = ondisk.USED | ondisk.FINAL | ondisk.DELET | ondisk.INDEX
_LIVE_DATA = ondisk.DELET | ondisk.INDEX
_LIVE_INDEX = ondisk.DELET


class RescuedFile(NamedTuple):
    """A file as its pages have it."""

    object_id: int
    name: bytes | None
    """``None`` if no header is left, or its name is torn."""
    header: int | None
    """Page of the header that name, size and meta come from."""
    meta: bytes
    size: int | None
    """Bytes by the header; ``None`` without one, or if the area cannot hold as many."""
    data: bytes
    """The content: 0xFF where a span is missing; without a size, all of the last page."""
    data_size: int
    """Bytes of a span."""
    missing: tuple[int, ...]
    """Spans of which there is no live page."""
    pages: tuple[int, ...]
    """The data pages, in the order of their spans."""

    @property
    def complete(self) -> bool:
        """Whether the size is known and every byte was found."""
        return self.size is not None and not self.missing

    @property
    def leading(self) -> bytes:
        """The content up to the first span that is missing."""
        return self.data[: self.missing[0] * self.data_size] if self.missing else self.data


class _Page(NamedTuple):
    page: int
    registered: bool
    """Whether the look-up gives the page to the same object."""


def rescue(device: NorDevice, geometry: Geometry) -> list[RescuedFile]:
    """Return every file of which a header or a data page is left, in the order of object ids.

    An object that has two headers with different names is returned twice. Left out are objects
    whose removal had begun. A device that ends inside the area is read as far as it goes.
    """
    return _Area(device, geometry).files()


class _Area:
    """All live pages of an area, by object and span."""

    def __init__(self, device: NorDevice, geometry: Geometry) -> None:
        self.geometry = geometry
        there = max(0, min(geometry.size, device.size - geometry.base))
        content = device.read(geometry.base, there) if there else b""
        self.area = content.ljust(geometry.size, b"\xff")
        self.data: dict[int, dict[int, list[_Page]]] = {}
        self.indexes: dict[int, dict[int, list[_Page]]] = {}
        self.removed: set[int] = set()
        for page, entry in self._entries():
            self._sort(page, entry)

    def _entries(self) -> Iterator[tuple[int, int]]:
        """Yield (page, look-up entry) of every object page."""
        geometry = self.geometry
        for block in range(geometry.blocks):
            start = block * geometry.block_size
            words = ondisk.u16_array(self.area[start : start + 2 * geometry.usable_pages])
            first = block * geometry.pages_per_block + geometry.lookup_pages
            yield from enumerate(words, first)

    def _sort(self, page: int, entry: int) -> None:
        header = ondisk.PageHeader.unpack(self.area, page * self.geometry.page_size)
        number, state = header.obj_id & ~ondisk.ID_INDEX, header.flags & _STATE
        is_index = bool(header.obj_id & ondisk.ID_INDEX)
        if state == _LIVE_DATA and not is_index and number:
            found = _Page(page, header.obj_id == entry)
            self.data.setdefault(number, {}).setdefault(header.span_ix, []).append(found)
        elif state == _LIVE_INDEX and is_index and header.obj_id != ondisk.ID_FREE:
            found = _Page(page, header.obj_id == entry)
            if not header.span_ix and not header.flags & ondisk.IXDELE:
                if found.registered:
                    self.removed.add(number)
                return
            spans = self.indexes.setdefault(number, {})
            spans.setdefault(header.span_ix, []).append(found)

    def files(self) -> list[RescuedFile]:
        """Return the files of all objects."""
        found: list[RescuedFile] = []
        for number in sorted(self.data.keys() | self.indexes.keys()):
            headers = self._headers(number)
            if number in self.removed and not headers:
                continue
            if headers:
                found += [self._file(number, header) for header in headers]
            elif number in self.data:
                found.append(self._file(number, None))
        return found

    def _headers(self, number: int) -> list[int]:
        """Return one header for each name of an object, the best one of each.

        Headers that the look-up does not give to the object were deleted or not finished: they
        count only where there is no other. Then come those through which most data is found.
        """
        pages = self.indexes.get(number, {}).get(0, [])
        pages = [page for page in pages if page.registered] or pages
        whole = [page for page in pages if self._name(page.page) is not None]
        best: dict[bytes | None, tuple[int, int]] = {}
        for page, _ in whole or pages[:1]:
            missing = len(self._file(number, page).missing)
            key = self._name(page)
            if key not in best or missing < best[key][0]:
                best[key] = (missing, page)
        return sorted(page for _, page in best.values())

    def _name(self, page: int) -> bytes | None:
        """Return the name in a header, ``None`` if it has no end or the header is torn."""
        start = page * self.geometry.page_size
        (kind,) = ondisk.TYPE.unpack(self.area, start)
        start += ondisk.NAME_OFFSET
        name, end, _ = self.area[start : start + self.geometry.name_length].partition(b"\0")
        return name if end and name and kind == ondisk.TYPE_FILE else None

    def _file(self, number: int, header: int | None) -> RescuedFile:
        geometry = self.geometry
        size, name, meta = None, None, b""
        if header is not None:
            start = header * geometry.page_size
            (size,) = ondisk.SIZE.unpack(self.area, start)
            size = 0 if size == ondisk.SIZE_UNDEFINED else size
            size = size if size <= geometry.pages * geometry.data_size else None
            name = self._name(header)
            start += ondisk.NAME_OFFSET + geometry.name_length
            meta = self.area[start : start + geometry.meta_length]
        spans = self.data.get(number, {})
        count = max(spans, default=-1) + 1 if size is None else -(-size // geometry.data_size)
        # Without a size a damaged span alone would make a file longer than the area.
        count = min(count, geometry.pages)
        listed = self._listed(number, header, count)
        there = [span for span in range(count) if span in spans]
        chosen = {span: self._choose(spans[span], listed.get(span)) for span in there}
        pieces = (self._content(chosen.get(span)) for span in range(count))
        return RescuedFile(
            number,
            name,
            header,
            meta,
            size,
            b"".join(pieces)[:size],
            geometry.data_size,
            tuple(span for span in range(count) if span not in chosen),
            tuple(chosen.values()),
        )

    def _choose(self, candidates: list[_Page], listed: int | None) -> int:
        """Return the page that the driver reads if it is live, else one that is registered."""
        pages = [candidate.page for candidate in candidates]
        if listed is not None and listed in pages:
            return listed
        return next((page for page, registered in candidates if registered), pages[0])

    def _listed(self, number: int, header: int | None, count: int) -> dict[int, int]:
        """Return the pages that the index lists, by span."""
        geometry = self.geometry
        found: dict[int, int] = {}
        spans = self.indexes.get(number, {})
        tables = {span: self._choose(pages, None) for span, pages in spans.items()}
        tables.pop(0, None)
        if header is not None:
            tables[0] = header
        for index_span, page in tables.items():
            first = geometry.first_span(index_span)
            room = geometry.index_entries if index_span else geometry.header_entries
            start = page * geometry.page_size + geometry.index_slot(first)
            words = self.area[start : start + 2 * min(room, max(0, count - first))]
            found.update(enumerate(ondisk.u16_array(words), first))
        return found

    def _content(self, page: int | None) -> bytes:
        size = self.geometry.data_size
        if page is None:
            return blank(size)
        start = page * self.geometry.page_size + ondisk.PageHeader.size
        return self.area[start : start + size]
