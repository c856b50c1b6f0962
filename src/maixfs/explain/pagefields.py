"""The fields of one object page of SPIFFS, whatever state it is in (docs/SPEC.md, section 3)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from maixfs.explain.areamap import AreaMap, shown_name
from maixfs.explain.fields import Field, value_of
from maixfs.spiffs import ondisk

_REGION = "spiffs"
_HEADER = ondisk.PageHeader.size
_SPAN = ondisk.PageHeader.offset_of("span_ix")


class _Page(NamedTuple):
    """A page, as look-up and page header have it."""

    number: int
    start: int
    entry: int
    """Its look-up entry."""
    header: ondisk.PageHeader

    @property
    def state(self) -> str:
        """``free``, ``deleted`` or ``live``, by the look-up."""
        return {ondisk.ID_FREE: "free", ondisk.ID_DELETED: "deleted"}.get(self.entry, "live")

    @property
    def is_index(self) -> bool:
        """Whether it is or was an index page: the id says it also when the flags do not."""
        return bool(self.header.obj_id & ondisk.ID_INDEX)

    @property
    def is_header(self) -> bool:
        """Whether it is or was an index header."""
        return self.is_index and self.header.span_ix == 0

    @property
    def title(self) -> str:
        """As fields name it."""
        words = {"free": "free page", "deleted": "deleted page", "live": "page"}[self.state]
        return f"{words} {self.number}"


class PageFields:
    """Says of every byte of an object page what it is."""

    def __init__(self, area: AreaMap) -> None:
        self.map = area
        self.geometry = area.geometry

    def at(self, number: int, address: int) -> Field:
        """Return the field of page ``number`` that ``address`` is in."""
        start = self.geometry.page_address(number)
        entry = self.map.entries[number]
        page = _Page(number, start, entry, self.map.header(number))
        if page.state == "free" and self._is_blank(page):
            meaning = "never used since its block was erased"
            return self._field(page, 0, self.geometry.page_size, "erased", "", meaning, "2")
        if page.header.obj_id == ondisk.ID_FREE:
            meaning = "no page header: old bytes, or a write that was cut short"
            return self._field(page, 0, self.geometry.page_size, "rest", "", meaning, "11.2")
        offset = address - start
        if offset < _HEADER:
            return self._page_header(page, offset)
        return self._index(page, offset) if page.is_index else self._data(page, offset)

    def _is_blank(self, page: _Page) -> bool:
        size = self.geometry.page_size
        return bytes(self.map.view[page.start : page.start + size]).count(0xFF) == size

    def _field(
        self,
        page: _Page,
        offset: int,
        size: int,
        name: str,
        value: str,
        meaning: str,
        section: str,
    ) -> Field:
        if page.state == "free" and name != "erased":
            meaning += "; old bytes that an erase left" * bool(meaning)
            section = "11.2"
        at = page.start + offset
        return Field(at, size, _REGION, page.title, name, value, meaning, section)

    def _raw(self, page: _Page, offset: int, size: int) -> bytes:
        return bytes(self.map.view[page.start + offset : page.start + offset + size])

    def _page_header(self, page: _Page, offset: int) -> Field:
        head = page.header
        if offset < _SPAN:
            whose = self.map.whose(head.obj_id)
            kind = "an index page" if page.is_index else "data"
            meaning = f"{kind} of object {head.obj_id & ~ondisk.ID_INDEX}, {whose}"
            if page.state == "live" and head.obj_id != page.entry:
                meaning += f"; the look-up says {page.entry:04X}"
            return self._field(page, 0, _SPAN, "obj_id", f"{head.obj_id:04X}", meaning, "3.1")
        if offset < ondisk.FLAGS_OFFSET:
            value = f"{head.span_ix:04X} ({head.span_ix})"
            return self._field(
                page, _SPAN, ondisk.FLAGS_OFFSET - _SPAN, "span_ix", value, self._span(page), "3.1"
            )
        meaning = f"{flags_text(head.flags)}; {self._role(page)}"
        offset = ondisk.FLAGS_OFFSET
        return self._field(page, offset, 1, "flags", f"{head.flags:02X}", meaning, "3.1")

    def _span(self, page: _Page) -> str:
        span = page.header.span_ix
        if page.is_header:
            return "0: this is the index header"
        if page.is_index:
            first = self.geometry.first_span(span)
            return f"index page {span}, which lists the data from span {first} on"
        first = span * self.geometry.data_size
        return f"bytes from {first} on of {self.map.whose(page.header.obj_id)}"

    def _role(self, page: _Page) -> str:
        whose, span = self.map.whose(page.header.obj_id), page.header.span_ix
        was = "is" if page.state == "live" else "was"
        if page.is_header:
            what = "the index header"
        elif page.is_index:
            what = f"index page {span}"
        else:
            what = f"span {span}"
        return f"page {page.number} {was} {what} of {whose}"

    def _data(self, page: _Page, offset: int) -> Field:
        """Return the run of data, or what is behind the file's end."""
        size, span = self.geometry.data_size, page.header.span_ix
        whose = self.map.whose(page.header.obj_id)
        file = self.map.owner(page.header.obj_id)
        first, used = span * size, size
        if file is not None and page.state == "live":
            used = max(0, min(size, file.size - first))
        if offset - _HEADER >= used:
            at = _HEADER + used
            meaning = f"behind the end of {whose}; means nothing"
            return self._field(page, at, size - used, "unused", "", meaning, "3.1")
        meaning = f"bytes {first} to {first + used - 1} of {whose}"
        number, listed = page.header.obj_id, self.map.listed.get(page.number)
        if page.state == "live" and number in self.map.files and listed != (number, span):
            meaning += "; the file's table does not list this page"
        made = self._field(page, _HEADER, used, "data", "", meaning, "3.1")
        return made._replace(owner=file.label if file else "", offset=first)

    def _index(self, page: _Page, offset: int) -> Field:
        if offset < ondisk.INDEX_PAGE_TABLE:
            size = ondisk.INDEX_PAGE_TABLE - _HEADER
            raw = self._raw(page, _HEADER, size)
            meaning = "padding of a C structure, not defined"
            return self._field(
                page, _HEADER, size, "_align", value_of(raw), meaning, self._at(page)
            )
        if page.is_header and offset < self.geometry.header_size:
            return self._header_field(page, offset)
        return self._table(page, offset)

    @staticmethod
    def _at(page: _Page) -> str:
        return "3.2" if page.is_header else "3.3"

    def _header_field(self, page: _Page, offset: int) -> Field:
        facts = self.map.facts(page.number)
        size, kind = ondisk.SIZE, ondisk.TYPE
        if offset < kind.offset:
            raw = self._raw(page, size.offset, size.size)
            meaning = f"{facts.label} has {facts.size} bytes"
            if raw == b"\xff" * 4:
                meaning = f"{facts.label} was never written: 0 bytes"
            return self._field(page, size.offset, size.size, "size", value_of(raw), meaning, "3.2")
        if offset < ondisk.NAME_OFFSET:
            raw = self._raw(page, kind.offset, kind.size)
            meaning = "a file" if raw[0] == ondisk.TYPE_FILE else "no type that is ever written"
            return self._field(page, kind.offset, kind.size, "type", value_of(raw), meaning, "3.2")
        return self._name_field(page, offset, facts.name)

    def _name_field(self, page: _Page, offset: int, name: bytes) -> Field:
        start, length = ondisk.NAME_OFFSET, self.geometry.name_length
        end, meta = start + length, self.geometry.meta_length
        if offset < start + len(name):
            meaning = "the file's name as it is stored"
            if name[:1] != b"/":
                meaning += "; without a slash in front MaixPy cannot open it"
            value = shown_name(name)
            return self._field(page, start, len(name), "name", value, meaning, "3.2")
        if offset < end:
            at = start + len(name)
            meaning = "zeros behind the name"
            return self._field(page, at, end - at, "name's padding", "", meaning, "3.2")
        if offset < end + meta:
            value = value_of(self._raw(page, end, meta))
            meaning = "bytes beside the name, for whoever uses them"
            return self._field(page, end, meta, "meta", value, meaning, "3.2")
        rest = self.geometry.header_size - end - meta
        meaning = "makes the table start at an even offset"
        return self._field(page, end + meta, rest, "padding", "", meaning, "3.2")

    def _table(self, page: _Page, offset: int) -> Field:
        first, table = self.map.table(page.number)
        start = self.geometry.header_size if page.is_header else ondisk.INDEX_PAGE_TABLE
        number = (offset - start) // 2
        if number >= len(table):
            at = start + 2 * len(table)
            meaning = "the odd byte behind the table"
            return self._field(page, at, 1, "unused", "", meaning, self._at(page))
        span, listed = first + number, table[number]
        if listed == ondisk.PAGE_NONE:
            return self._unlisted(page, start, number, table)
        meaning = self._entry_meaning(page, span, listed)
        name, value = f"table entry {number}", f"{listed:04X}"
        return self._field(page, start + 2 * number, 2, name, value, meaning, self._at(page))

    def _unlisted(self, page: _Page, start: int, number: int, table: array[int]) -> Field:
        """Return the run of entries that name no page."""
        first, end = run_of(table, number)
        name = entries_text("table entry", "table entries", first, end)
        at, size = start + 2 * first, 2 * (end - first)
        return self._field(page, at, size, name, "FFFF", "no page", self._at(page))

    def _entry_meaning(self, page: _Page, span: int, listed: int) -> str:
        size = self.geometry.data_size
        file = self.map.owner(page.header.obj_id)
        whose = self.map.whose(page.header.obj_id)
        if file is not None and span * size >= file.size:
            return f"old bytes: {whose} ends before data span {span}"
        return f"page {listed} holds the bytes from {span * size} on of {whose}"


def run_of(words: Sequence[int], number: int) -> tuple[int, int]:
    """Return (first, end) of the run of equal words that ``number`` is in."""
    value, first, end = words[number], number, number + 1
    while first and words[first - 1] == value:
        first -= 1
    while end < len(words) and words[end] == value:
        end += 1
    return first, end


def entries_text(one: str, many: str, first: int, end: int) -> str:
    """Return ``entry 5`` or ``entries 5 to 9``."""
    return f"{one} {first}" if end - first == 1 else f"{many} {first} to {end - 1}"


def flags_text(flags: int) -> str:
    """Return what a flags byte says, in words."""
    if flags == 0xFF:
        return "erased"
    if not flags & ondisk.DELET:
        return "deleted"
    words = ["data page" if flags & ondisk.INDEX else "index page"]
    words.append("in use" if not flags & ondisk.USED else "not in use")
    words.append("being written" if flags & ondisk.FINAL else "final")
    if not flags & ondisk.IXDELE:
        words.append("its file is being removed")
    return ", ".join(words)
