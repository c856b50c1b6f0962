"""Who owns which page of a SPIFFS area, read from its bytes without mounting it.

A damaged area is read as far as it goes: nothing here raises for what it finds.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from maixfs.spiffs import Geometry, ondisk

_LIVE = ondisk.USED | ondisk.FINAL | ondisk.DELET


class FileFacts(NamedTuple):
    """A file as its index header has it."""

    obj_id: int
    page: int
    """Of the index header."""
    name: bytes
    size: int
    """Bytes; what was never written has 0."""

    @property
    def label(self) -> str:
        """The name for a person."""
        return shown_name(self.name)


def shown_name(name: bytes) -> str:
    """Return a stored name for a person."""
    return name.decode("utf-8", "backslashreplace") or "a file without name"


class AreaMap:
    """The look-up and the index headers of an area in an image."""

    def __init__(self, view: memoryview, geometry: Geometry) -> None:
        missing = geometry.base + geometry.size - len(view)
        self.view = memoryview(bytes(view) + b"\xff" * missing) if missing > 0 else view
        view = self.view
        self.geometry = geometry
        self.entries = array("H")
        """Look-up entry of each page of the area; look-up pages themselves have 0."""
        for block in range(geometry.blocks):
            start = geometry.base + block * geometry.block_size
            self.entries.extend([0] * geometry.lookup_pages)
            self.entries.extend(ondisk.u16_array(view[start : start + 2 * geometry.usable_pages]))
        self.files: dict[int, FileFacts] = {}
        """Live files by object id."""
        self.gone: dict[int, FileFacts] = {}
        """Deleted index headers that can still be read, by object id."""
        for page, entry in enumerate(self.entries):
            if entry & ondisk.ID_INDEX or not entry:
                self._learn(page, entry)
        self.listed = self._list_pages()
        """Page to (object id, data span), by the tables of live files."""

    def header(self, page: int) -> ondisk.PageHeader:
        """Return the first five bytes of a page."""
        at = self.geometry.page_address(page)
        return ondisk.PageHeader.unpack(self.view, at)

    def facts(self, page: int) -> FileFacts:
        """Read a page as an index header."""
        at = self.geometry.page_address(page)
        head = ondisk.IndexHeader.unpack(self.view, at)
        start = at + ondisk.NAME_OFFSET
        name = ondisk.until_nul(bytes(self.view[start : start + self.geometry.name_length]))
        size = 0 if head.file_size == ondisk.SIZE_UNDEFINED else head.file_size
        return FileFacts(head.obj_id & ~ondisk.ID_INDEX, page, name, size)

    def owner(self, obj_id: int) -> FileFacts | None:
        """Return the live file of an object id, else what is left of a deleted one."""
        number = obj_id & ~ondisk.ID_INDEX
        return self.files.get(number) or self.gone.get(number)

    def whose(self, obj_id: int) -> str:
        """Return the name that goes with an object id, for a person."""
        number = obj_id & ~ondisk.ID_INDEX
        owner = self.owner(number)
        if owner is None:
            return f"object {number}, whose name is lost"
        return owner.label if number in self.files else f"{owner.label} (deleted)"

    def _learn(self, page: int, entry: int) -> None:
        if entry == ondisk.ID_FREE or self.geometry.is_lookup_page(page):
            return
        head = self.header(page)
        if not head.obj_id & ondisk.ID_INDEX or head.obj_id == ondisk.ID_FREE or head.span_ix:
            return
        live = head.flags & _LIVE == ondisk.DELET and head.obj_id == entry
        found = self.files if live else self.gone
        found.setdefault(head.obj_id & ~ondisk.ID_INDEX, self.facts(page))

    def _list_pages(self) -> dict[int, tuple[int, int]]:
        listed: dict[int, tuple[int, int]] = {}
        for page, entry in enumerate(self.entries):
            number = entry & ~ondisk.ID_INDEX
            if not entry & ondisk.ID_INDEX or number not in self.files or entry == ondisk.ID_FREE:
                continue
            first, table = self.table(page)
            spans = -(-self.files[number].size // self.geometry.data_size)
            for span, listed_page in enumerate(table[: max(0, spans - first)], first):
                listed.setdefault(listed_page, (number, span))
        return listed

    def table(self, page: int) -> tuple[int, array[int]]:
        """Return the first data span that an index page lists, and its entries."""
        geometry = self.geometry
        span = self.header(page).span_ix
        start = ondisk.INDEX_PAGE_TABLE if span else geometry.header_size
        at = geometry.page_address(page)
        table = ondisk.u16_array(self.view[at + start : at + geometry.page_size])
        return geometry.first_span(span), table
