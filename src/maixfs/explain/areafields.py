"""The fields of a SPIFFS area: look-up pages, object pages, free and deleted ones."""

from __future__ import annotations

from maixfs.explain.areamap import AreaMap
from maixfs.explain.fields import Field, hex_address
from maixfs.explain.pagefields import PageFields, entries_text, run_of
from maixfs.firmware import freqconf
from maixfs.spiffs import Geometry, ondisk

REGION = "spiffs"
_FREQ_FIELDS = (
    (0, 4, "CPU clock in Hz"),
    (4, 4, "clock of PLL1 in Hz"),
    (8, 1, "divider of PLL1 for the KPU"),
    (9, 3, "padding, not set"),
    (12, 4, "MicroPython's heap in bytes"),
)
"""docs/SPEC.md, section 12.3."""


class AreaFields:
    """Says of every byte of an area what it is; raises nothing for damaged ones."""

    def __init__(self, view: memoryview, geometry: Geometry) -> None:
        self.map = AreaMap(view, geometry)
        self.geometry = geometry
        self._pages = PageFields(self.map)

    def at(self, address: int) -> Field:
        """Return the field at an address inside of the area."""
        geometry = self.geometry
        page = (address - geometry.base) // geometry.page_size
        if geometry.is_lookup_page(page):
            return self._lookup(address)
        found = self._pages.at(page, address)
        if found.owner == freqconf.NAME and found.offset == 0 and found.name == "data":
            return self._freq(found, address)
        return found

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
        meaning = "between entries and magic; FF when nothing went wrong"
        size = end - entries
        return Field(start + entries, size, REGION, structure, "unused", "", meaning, "2")

    def _entry(self, start: int, block: int, number: int, structure: str) -> Field:
        geometry = self.geometry
        page = block * geometry.pages_per_block + geometry.lookup_pages + number
        value = self.map.entries[page]
        first, end = number, number + 1
        if value in (ondisk.ID_FREE, ondisk.ID_DELETED):
            base = page - number
            first, end = run_of(self.map.entries[base : base + geometry.usable_pages], number)
            meaning = "free" if value else "deleted"
            pages = entries_text("page", "pages", base + first, base + end)
            meaning = f"{pages} {'is' if end - first == 1 else 'are'} {meaning}"
        else:
            kind = "an index page" if value & ondisk.ID_INDEX else "data"
            meaning = f"page {page} is {kind} of {self.map.whose(value)}"
        name = entries_text("entry", "entries", first, end)
        at, size = start + 2 * first, 2 * (end - first)
        return Field(at, size, REGION, structure, name, f"{value:04X}", meaning, "2")

    def _magic(self, at: int, block: int, structure: str) -> Field:
        value = int(ondisk.U16.unpack_from(self.map.view, at)[0])
        wanted = self.geometry.magic(block)
        meaning = "as it must be" if value == wanted else f"wrong, it must be {wanted:04X}"
        return Field(at, 2, REGION, structure, "magic", f"{value:04X}", meaning, "2")

    def _erase_count(self, at: int, structure: str) -> Field:
        value = int(ondisk.U16.unpack_from(self.map.view, at)[0])
        meaning = "state of the one erase counter when this block was erased; tells blocks' ages"
        text = f"{value:04X} ({value})"
        if value == ondisk.ID_FREE:
            meaning, text = "not written yet", "FFFF"
        return Field(at, 2, REGION, structure, "erase count", text, meaning, "2")

    def _freq(self, data: Field, address: int) -> Field:
        """Return the field of ``/freq.conf`` instead of just data of that file."""
        for first, size, meaning in _FREQ_FIELDS:
            start = data.start + first
            if start <= address < start + size and start + size <= data.end:
                raw = bytes(self.map.view[start : start + size])
                number = int.from_bytes(raw, "little")
                structure = f"{freqconf.NAME} (page at {hex_address(data.start - 5)})"
                name = meaning.partition(" ")[0] if size < 4 else meaning.split(" in ")[0]
                return Field(
                    start, size, REGION, structure, name, str(number), meaning, "12.3", data.owner
                )
        return data
