"""The fields of a SPIFFS area, read from its bytes without mounting it (docs/SPEC.md, section 3).

Damaged areas are read, too: nothing here raises an error for the contents.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from maixfs.explain.fields import Field, hex_address, record_field, value_of
from maixfs.firmware import freqconf
from maixfs.spiffs import Geometry, ondisk
from maixfs.tuples import NamedTuple

# Owners of pages

_REGION = "spiffs"
_LIVE = ondisk.USED | ondisk.FINAL | ondisk.DELET


class _FileFacts(NamedTuple):
    """A file, by its index header."""

    obj_id: int
    page: int
    """Page of the index header."""
    name: bytes
    size: int
    """Bytes; 0 if the size was never written."""

    @property
    def label(self) -> str:
        """The name as text."""
        return _shown_name(self.name)


def _shown_name(name: bytes) -> str:
    """Return a stored name as text."""
    return name.decode("utf-8", "backslashreplace") or "a file without name"


class _AreaMap:
    """The look-up entries and the index headers of an area in an image."""

    def __init__(self, view: memoryview, geometry: Geometry) -> None:
        # A dump that ends early is continued with FF: then every page has a header that can be
        # read.
        missing = geometry.base + geometry.size - len(view)
        self.view = memoryview(bytes(view) + b"\xff" * missing) if missing > 0 else view
        view = self.view
        self.geometry = geometry
        self.entries = array("H")
        """The look-up entry of each page of the area; 0 for look-up pages."""
        for block in range(geometry.blocks):
            start = geometry.base + block * geometry.block_size
            self.entries.extend([0] * geometry.lookup_pages)
            self.entries.extend(ondisk.u16_array(view[start : start + 2 * geometry.usable_pages]))
        self.files: dict[int, _FileFacts] = {}
        """Live files by object id."""
        self.gone: dict[int, _FileFacts] = {}
        """Deleted index headers that can still be read, by object id."""
        for page, entry in enumerate(self.entries):
            if entry & ondisk.ID_INDEX or not entry:
                self._add_header(page, entry)
        self.listed = self._list_pages()
        """(object id, data span) by page, from the tables of live files."""

    def header(self, page: int) -> ondisk.PageHeader:
        """Return the header of a page."""
        at = self.geometry.page_address(page)
        return ondisk.PageHeader.unpack(self.view, at)

    def facts(self, page: int) -> _FileFacts:
        """Read a page as an index header."""
        at = self.geometry.page_address(page)
        head = ondisk.IndexHeader.unpack(self.view, at)
        start = at + ondisk.NAME_OFFSET
        name = ondisk.until_nul(bytes(self.view[start : start + self.geometry.name_length]))
        size = 0 if head.file_size == ondisk.SIZE_UNDEFINED else head.file_size
        return _FileFacts(head.obj_id & ~ondisk.ID_INDEX, page, name, size)

    def owner(self, obj_id: int) -> _FileFacts | None:
        """Return the live file with an object id, else the deleted one, else ``None``."""
        number = obj_id & ~ondisk.ID_INDEX
        # An id is used again after a removal: a live file is the owner of pages that both could
        # claim.
        return self.files.get(number) or self.gone.get(number)

    def whose(self, obj_id: int) -> str:
        """Return the name of the file with an object id, for messages."""
        number = obj_id & ~ondisk.ID_INDEX
        owner = self.owner(number)
        if owner is None:
            return f"object {number}, whose name is lost"
        return owner.label if number in self.files else f"{owner.label} (deleted)"

    def _add_header(self, page: int, entry: int) -> None:
        if entry == ondisk.ID_FREE or self.geometry.is_lookup_page(page):
            return
        head = self.header(page)
        if not head.obj_id & ondisk.ID_INDEX or head.obj_id == ondisk.ID_FREE or head.span_ix:
            return
        # Live as the C decides it: used, final and not deleted, and the look-up agrees.
        live = head.flags & _LIVE == ondisk.DELET and head.obj_id == entry
        files = self.files if live else self.gone
        files.setdefault(head.obj_id & ~ondisk.ID_INDEX, self.facts(page))

    def _list_pages(self) -> dict[int, tuple[int, int]]:
        listed: dict[int, tuple[int, int]] = {}
        for page, entry in enumerate(self.entries):
            number = entry & ~ondisk.ID_INDEX
            if not entry & ondisk.ID_INDEX or number not in self.files or entry == ondisk.ID_FREE:
                continue
            # Entries past the end of the file are leftovers of a truncation.
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


# Fields of an area


class AreaFields:
    """The fields of an area, which may be damaged."""

    def __init__(self, view: memoryview, geometry: Geometry) -> None:
        self.map = _AreaMap(view, geometry)
        self.geometry = geometry
        self._pages = _PageFields(self.map)

    def at(self, address: int) -> Field:
        """Return the field at an address inside the area."""
        geometry = self.geometry
        page = (address - geometry.base) // geometry.page_size
        if geometry.is_lookup_page(page):
            return self._lookup(address)
        field = self._pages.at(page, address)
        if field.owner == freqconf.NAME and field.offset == 0 and field.name == "data":
            return self._freq(field, address)
        return field

    def _lookup(self, address: int) -> Field:
        geometry = self.geometry
        block, offset = divmod(address - geometry.base, geometry.block_size)
        structure = f"the look-up of block {block}"
        start = address - offset
        entries = 2 * geometry.usable_pages
        if offset < entries:
            return self._entry(start, block, offset // 2, structure)
        count_at = geometry.magic_offset + ondisk.ERASE_COUNT.offset
        if geometry.use_magic and geometry.magic_offset <= offset < count_at:
            return self._magic(start + geometry.magic_offset, block, structure)
        if count_at <= offset < count_at + ondisk.ERASE_COUNT.size:
            return self._erase_count(start + count_at, structure)
        end = (
            geometry.magic_offset
            if offset < geometry.magic_offset
            else (geometry.lookup_pages * geometry.page_size)
        )
        end = end if geometry.use_magic or offset >= count_at else count_at
        meaning = "between entries and magic; FF in a sound area"
        size = end - entries
        return Field(start + entries, size, _REGION, structure, "unused", "", meaning, "2")

    def _entry(self, start: int, block: int, number: int, structure: str) -> Field:
        geometry = self.geometry
        page = block * geometry.pages_per_block + geometry.lookup_pages + number
        value = self.map.entries[page]
        first, end = number, number + 1
        if value in (ondisk.ID_FREE, ondisk.ID_DELETED):
            base = page - number
            # One field for the run: in an empty block every entry would be a field of its own.
            first, end = _run_of(self.map.entries[base : base + geometry.usable_pages], number)
            meaning = "free" if value else "deleted"
            pages = _entries_text("page", "pages", base + first, base + end)
            meaning = f"{pages} {'is' if end - first == 1 else 'are'} {meaning}"
        else:
            kind = "an index page" if value & ondisk.ID_INDEX else "data"
            meaning = f"page {page} is {kind} of {self.map.whose(value)}"
        name = _entries_text("entry", "entries", first, end)
        at, size = start + 2 * first, 2 * (end - first)
        return Field(at, size, _REGION, structure, name, f"{value:04X}", meaning, "2")

    def _magic(self, at: int, block: int, structure: str) -> Field:
        value = int(ondisk.U16.unpack_from(self.map.view, at)[0])
        wanted = self.geometry.magic(block)
        meaning = "right" if value == wanted else f"wrong, it must be {wanted:04X}"
        return Field(at, 2, _REGION, structure, "magic", f"{value:04X}", meaning, "2")

    def _erase_count(self, at: int, structure: str) -> Field:
        value = int(ondisk.U16.unpack_from(self.map.view, at)[0])
        meaning = "the area's erase counter when this block was erased: the age of the block"
        text = f"{value:04X} ({value})"
        if value == ondisk.ID_FREE:
            meaning, text = "not written yet", "FFFF"
        return Field(at, 2, _REGION, structure, "erase count", text, meaning, "2")

    def _freq(self, data: Field, address: int) -> Field:
        """Return a field of ``/freq.conf`` instead of a run of data."""
        field = record_field(
            self.map.view,
            freqconf.FreqConf.fields,
            data.start,
            address,
            region=_REGION,
            structure=f"{freqconf.NAME} (page at {hex_address(data.start - _HEADER)})",
            section="12.3",
        )
        if field is None or field.end > data.end:  # padding, or a file that is cut short
            return data
        number = int.from_bytes(self.map.view[field.start : field.end], "little")
        return field._replace(value=str(number), owner=data.owner)


# Fields of an object page

_HEADER = ondisk.PageHeader.size
_SPAN = ondisk.PageHeader.offset_of("span_ix")


class _Page(NamedTuple):
    """A page, by its look-up entry and its page header."""

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
        """Whether it is or was an index page, by the id: flags may be damaged."""
        return bool(self.header.obj_id & ondisk.ID_INDEX)

    @property
    def is_header(self) -> bool:
        """Whether it is or was an index header."""
        return self.is_index and self.header.span_ix == 0

    @property
    def title(self) -> str:
        """The page's state and number, for ``Field.structure``."""
        words = {"free": "free page", "deleted": "deleted page", "live": "page"}[self.state]
        return f"{words} {self.number}"


class _PageFields:
    """The fields of an object page."""

    def __init__(self, area: _AreaMap) -> None:
        self.map = area
        self.geometry = area.geometry

    def at(self, number: int, address: int) -> Field:
        """Return the field at ``address``, which is in page ``number``."""
        start = self.geometry.page_address(number)
        # The look-up decides whether a page is free, as it does for the C; the header says what
        # the page was.
        entry = self.map.entries[number]
        page = _Page(number, start, entry, self.map.header(number))
        if page.state == "free" and self._is_blank(page):
            meaning = "not used since its block was erased"
            return self._field(page, 0, self.geometry.page_size, "erased", "", meaning, "2")
        if page.header.obj_id == ondisk.ID_FREE:
            meaning = "no page header: leftover bytes, or a write that was cut short"
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
            meaning += "; leftover bytes in a free page" * bool(meaning)
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
        meaning = f"{_flags_text(head.flags)}; {self._role(page)}"
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
        """Return the run of data, or the rest of the page past the end of the file."""
        size, span = self.geometry.data_size, page.header.span_ix
        whose = self.map.whose(page.header.obj_id)
        file = self.map.owner(page.header.obj_id)
        first, used = span * size, size
        # Of live pages only: a deleted one may be of an earlier state, when the file was longer.
        if file is not None and page.state == "live":
            used = max(0, min(size, file.size - first))
        if offset - _HEADER >= used:
            at = _HEADER + used
            meaning = f"past the end of {whose}; without meaning"
            return self._field(page, at, size - used, "unused", "", meaning, "3.1")
        meaning = f"bytes {first} to {first + used - 1} of {whose}"
        number, listed = page.header.obj_id, self.map.listed.get(page.number)
        # Power that fails during an append leaves pages that no index lists (docs/SPEC.md, 5.8).
        if page.state == "live" and number in self.map.files and listed != (number, span):
            meaning += "; the file's table does not list this page"
        field = self._field(page, _HEADER, used, "data", "", meaning, "3.1")
        return field._replace(owner=file.label if file else "", offset=first)

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
            # The C creates a file without a size; the first data programs it in place
            # (docs/SPEC.md, 5.2).
            if raw == b"\xff" * 4:
                meaning = f"{facts.label} was never written: 0 bytes"
            return self._field(page, size.offset, size.size, "size", value_of(raw), meaning, "3.2")
        if offset < ondisk.NAME_OFFSET:
            raw = self._raw(page, kind.offset, kind.size)
            meaning = "a file" if raw[0] == ondisk.TYPE_FILE else "not a type that SPIFFS writes"
            return self._field(page, kind.offset, kind.size, "type", value_of(raw), meaning, "3.2")
        return self._name_field(page, offset, facts.name)

    def _name_field(self, page: _Page, offset: int, name: bytes) -> Field:
        start, length = ondisk.NAME_OFFSET, self.geometry.name_length
        end, meta = start + length, self.geometry.meta_length
        if offset < start + len(name):
            meaning = "the file's name as it is stored"
            if name[:1] != b"/":
                meaning += "; MaixPy cannot open it without a leading slash"
            value = _shown_name(name)
            return self._field(page, start, len(name), "name", value, meaning, "3.2")
        if offset < end:
            at = start + len(name)
            meaning = "zeros behind the name"
            return self._field(page, at, end - at, "name's padding", "", meaning, "3.2")
        if offset < end + meta:
            value = value_of(self._raw(page, end, meta))
            meaning = "bytes for programs, beside the name"
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
        """Return the run of entries without a page."""
        first, end = _run_of(table, number)
        name = _entries_text("table entry", "table entries", first, end)
        at, size = start + 2 * first, 2 * (end - first)
        return self._field(page, at, size, name, "FFFF", "no page", self._at(page))

    def _entry_meaning(self, page: _Page, span: int, listed: int) -> str:
        size = self.geometry.data_size
        file = self.map.owner(page.header.obj_id)
        whose = self.map.whose(page.header.obj_id)
        # A truncation shortens the size and leaves the entries of the table.
        if file is not None and span * size >= file.size:
            return f"old bytes: {whose} ends before data span {span}"
        return f"page {listed} holds the bytes from {span * size} on of {whose}"


def _run_of(words: Sequence[int], number: int) -> tuple[int, int]:
    """Return (first, end) of the run of equal words around ``number``."""
    value, first, end = words[number], number, number + 1
    while first and words[first - 1] == value:
        first -= 1
    while end < len(words) and words[end] == value:
        end += 1
    return first, end


def _entries_text(singular: str, plural: str, first: int, end: int) -> str:
    """Return ``entry 5`` or ``entries 5 to 9``."""
    return f"{singular} {first}" if end - first == 1 else f"{plural} {first} to {end - 1}"


def _flags_text(flags: int) -> str:
    """Return the meaning of a flags byte, in words."""
    if flags == 0xFF:
        return "erased"
    if not flags & ondisk.DELET:
        return "deleted"
    # Programming only clears bits, so each flag is set by clearing it.
    words = ["data page" if flags & ondisk.INDEX else "index page"]
    words.append("in use" if not flags & ondisk.USED else "not in use")
    words.append("being written" if flags & ondisk.FINAL else "final")
    if not flags & ondisk.IXDELE:
        words.append("its file is being removed")
    return ", ".join(words)
