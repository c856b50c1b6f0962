"""The shape of a SPIFFS area: everything that the C decides when it is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from maixfs.errors import UsageError
from maixfs.spiffs import ondisk


class GeometryError(UsageError):
    """The numbers of a geometry contradict each other."""


@dataclass(frozen=True)
class Geometry:
    """Shape of a SPIFFS area; sizes in bytes (docs/SPEC.md, section 1).

    ``size`` may be 0 in a preset whose area has no usual size. Raises ``GeometryError`` when
    two numbers contradict each other; the message names both.
    """

    size: int
    block_size: int
    page_size: int
    erase_size: int = 4096
    name_length: int = 32
    """Bytes of the name field, the closing zero included."""
    meta_length: int = 0
    use_magic: bool = True
    use_magic_length: bool = True
    aligned_tables: bool = False
    """Index tables start at an even offset (SPIFFS_ALIGNED_OBJECT_INDEX_TABLES)."""
    base: int = 0
    """Address of the area on its chip."""
    # Not part of the shape: any of these values reads the same area.
    gc_max_runs: int = field(default=5, compare=False)
    copy_buffer: int = field(default=64, compare=False)
    """Bytes that the C copies at a time; the result on flash does not depend on it."""

    def __post_init__(self) -> None:
        for message in _contradictions(self):
            raise GeometryError(message)

    @cached_property
    def blocks(self) -> int:
        """Logical blocks in the area."""
        return self.size // self.block_size

    @cached_property
    def pages_per_block(self) -> int:
        """Logical pages in a block, the look-up pages included."""
        return self.block_size // self.page_size

    @cached_property
    def lookup_pages(self) -> int:
        """Look-up pages at the start of each block."""
        return max(1, self.pages_per_block * 2 // self.page_size)

    @cached_property
    def usable_pages(self) -> int:
        """Object pages in a block, that is look-up entries."""
        return self.pages_per_block - self.lookup_pages

    @cached_property
    def pages(self) -> int:
        """Pages in the area, the look-up pages included."""
        return self.blocks * self.pages_per_block

    @cached_property
    def data_size(self) -> int:
        """Bytes of a file in a data page."""
        return self.page_size - ondisk.PageHeader.size

    @cached_property
    def header_size(self) -> int:
        """Bytes of an index header before its table."""
        return _header_size(self)

    @cached_property
    def header_entries(self) -> int:
        """Entries of the table in the index header."""
        return (self.page_size - self.header_size) // 2

    @cached_property
    def index_entries(self) -> int:
        """Entries of the table in each further index page."""
        return (self.page_size - ondisk.INDEX_PAGE_TABLE) // 2

    @cached_property
    def total_bytes(self) -> int:
        """The total of SPIFFS_info: all blocks but two, plus one page."""
        return ((self.blocks - 2) * self.usable_pages + 1) * self.data_size

    @cached_property
    def magic_offset(self) -> int:
        """Offset of the magic in a block; the erase count follows it."""
        return self.lookup_pages * self.page_size - ondisk.BlockSignature.size

    @property
    def magic_possible(self) -> bool:
        """Whether the look-up entries leave room for magic and erase count."""
        per_page = self.page_size // 2
        return self.usable_pages % per_page * 2 <= self.page_size - ondisk.BlockSignature.size

    def magic(self, block: int) -> int:
        """Return the magic that ``block`` carries."""
        value = ondisk.MAGIC ^ self.page_size
        # With the distance from the end in it, the magics of the first blocks tell the area's
        # size.
        if self.use_magic_length:
            value ^= self.blocks - block
        return value & 0xFFFF

    def index_span(self, span: int) -> int:
        """Return the span of the index page that lists data span ``span``."""
        if span < self.header_entries:
            return 0
        return 1 + (span - self.header_entries) // self.index_entries

    def index_slot(self, span: int) -> int:
        """Return the byte offset of data span ``span`` in its index page."""
        if span < self.header_entries:
            return self.header_size + 2 * span
        return ondisk.INDEX_PAGE_TABLE + 2 * ((span - self.header_entries) % self.index_entries)

    def first_span(self, index_span: int) -> int:
        """Return the first data span that index page ``index_span`` lists."""
        if index_span == 0:
            return 0
        return self.header_entries + (index_span - 1) * self.index_entries

    def page_address(self, page: int) -> int:
        """Return the chip address of a page."""
        return self.base + page * self.page_size

    def is_lookup_page(self, page: int) -> bool:
        """Return whether a page holds look-up entries."""
        return page % self.pages_per_block < self.lookup_pages

    def with_size(self, size: int) -> Geometry:
        """Return the same geometry for an area of ``size`` bytes."""
        return replace(self, size=size)

    def mkspiffs_flags(self) -> str:
        """Return the flags with which mkspiffs makes such an image.

        mkspiffs takes size, page and block at run time and the rest when it is compiled.
        """
        return (
            f"-s {self.size:#x} -p {self.page_size} -b {self.block_size}"
            f"  (built with -DSPIFFS_OBJ_NAME_LEN={self.name_length}"
            f" -DSPIFFS_OBJ_META_LEN={self.meta_length}"
            f" -DSPIFFS_USE_MAGIC={int(self.use_magic)}"
            f" -DSPIFFS_USE_MAGIC_LENGTH={int(self.use_magic_length)}"
            f" -DSPIFFS_ALIGNED_OBJECT_INDEX_TABLES={int(self.aligned_tables)})"
        )

    def spiffsgen_flags(self) -> str:
        """Return the arguments with which spiffsgen.py makes such an image."""
        flags = (
            f"{self.size:#x} DIR IMAGE --page-size {self.page_size}"
            f" --block-size {self.block_size} --obj-name-len {self.name_length}"
            f" --meta-len {self.meta_length}"
        )
        flags += " --aligned-obj-ix-tables" if self.aligned_tables else ""
        flags += "" if self.use_magic else " --no-magic"
        return flags + ("" if self.use_magic_length else " --no-magic-len")


def _header_size(geometry: Geometry) -> int:
    size = ondisk.NAME_OFFSET + geometry.name_length + geometry.meta_length
    # 16-bit entries at even offsets; nothing ever sets the byte that this adds.
    return size + 1 & ~1 if geometry.aligned_tables else size


def _contradictions(g: Geometry) -> Iterator[str]:
    """Yield what is wrong; each has a meaning only if nothing was wrong before it."""
    smallest = min(g.page_size, g.block_size, g.erase_size, g.name_length)
    if smallest <= 0 or g.size < 0 or g.meta_length < 0 or g.base < 0:
        yield "a size is 0 or negative"
        return
    per_block = g.block_size // g.page_size
    lookup_pages = max(1, per_block * 2 // g.page_size)
    used = _header_size(g)
    if g.page_size < 64:
        yield f"page size {g.page_size} is under 64 bytes"
    if g.block_size % g.page_size or per_block < 2:
        yield f"block size {g.block_size:#x} is not two or more pages of {g.page_size:#x}"
    if (per_block - lookup_pages) * 2 > lookup_pages * g.page_size:
        yield f"{per_block} look-up entries do not fit {lookup_pages} pages of {g.page_size:#x}"
    if g.block_size % g.erase_size:
        yield (
            f"block size {g.block_size:#x} is not a multiple of the erase size {g.erase_size:#x}"
        )
    if g.size % g.block_size:
        yield f"area size {g.size:#x} is not a multiple of the block size {g.block_size:#x}"
    # Two blocks always stay empty, so the third is the first that can hold a file.
    if 0 < g.size < 3 * g.block_size:
        yield f"area size {g.size:#x} is under three blocks of {g.block_size:#x}"
    # Page numbers have 16 bits, and FFFF in a table means no page.
    if g.size // g.page_size > 0xFFFF:
        yield f"area size {g.size:#x} has more than 65535 pages of {g.page_size:#x}"
    if used + 2 > g.page_size:
        yield f"name and meta ({g.name_length} + {g.meta_length}) fill a page of {g.page_size:#x}"
    if g.base % g.erase_size:
        yield f"base {g.base:#x} is not at an erase unit"


PRESETS: dict[str, Geometry] = {
    # All MaixPy v1 boards: 3 MiB at 0xD00000 (docs/SPEC.md, section 1).
    "maixpy": Geometry(
        size=0x300000,
        block_size=0x20000,
        page_size=0x1000,
        name_length=128,
        aligned_tables=True,
        base=0xD00000,
    ),
    # ESP-IDF and arduino-esp32; the size is the partition's.
    "esp-idf": Geometry(
        size=0x100000,
        block_size=0x1000,
        page_size=0x100,
        name_length=32,
        # The time of the last write, by default (SPIFFS_USE_MTIME).
        meta_length=4,
        gc_max_runs=10,
        copy_buffer=256,
    ),
    # ESP8266 Arduino; the size is the sketch's.
    "esp8266": Geometry(
        size=0x100000,
        block_size=0x2000,
        page_size=0x100,
        name_length=32,
        # So a magic of this project does not tell the size of its area.
        use_magic_length=False,
        aligned_tables=True,
    ),
}
"""Geometries by the name of the project that uses them."""
