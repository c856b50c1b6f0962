"""A second, plain reader of SPIFFS areas, written from the specification alone.

It shares no line with the driver: no index, no mount, no tolerance. ``audit`` holds an area that
was laid out in one go to all that the format says.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from maixfs.spiffs.geometry import Geometry


class PlainFile(NamedTuple):
    obj_id: int
    name: bytes
    meta: bytes
    content: bytes


class Page(NamedTuple):
    entry: int
    obj_id: int
    span: int
    flags: int
    data: bytes


def header_length(g: Geometry) -> int:
    length = 5 + 3 + 4 + 1 + g.name_length + g.meta_length
    return length + length % 2 if g.aligned_tables else length


def lookup_pages(g: Geometry) -> int:
    return max(1, g.block_size // g.page_size * 2 // g.page_size)


def object_pages(image: bytes, g: Geometry) -> dict[int, Page]:
    """Return every object page by its number."""
    pages = {}
    per_block, first = g.block_size // g.page_size, lookup_pages(g)
    for block in range(g.size // g.block_size):
        start = block * g.block_size
        for entry in range(per_block - first):
            (owner,) = struct.unpack_from("<H", image, start + 2 * entry)
            at = start + (first + entry) * g.page_size
            head = struct.unpack_from("<HHB", image, at)
            number = block * per_block + first + entry
            pages[number] = Page(owner, *head, image[at : at + g.page_size])
    return pages


def read_files(image: bytes, g: Geometry) -> list[PlainFile]:
    """Return the live files in the order of their header pages."""
    pages = object_pages(image, g)
    headers = [
        page
        for page in pages.values()
        if page.entry & 0x8000 and page.entry != 0xFFFF and page.flags == 0xF8 and page.span == 0
    ]
    return [_read_file(header, pages, g) for header in headers]


def _read_file(header: Page, pages: dict[int, Page], g: Geometry) -> PlainFile:
    obj_id = header.entry & 0x7FFF
    size, kind = struct.unpack_from("<IB", header.data, 8)
    assert kind == 1
    name = header.data[13 : 13 + g.name_length]
    assert name.rstrip(b"\0") == name.split(b"\0")[0]
    meta = header.data[13 + g.name_length : 13 + g.name_length + g.meta_length]
    size = 0 if size == 0xFFFFFFFF else size
    room = g.page_size - 5
    content = b""
    for span, number in enumerate(table_of(obj_id, pages, g)[: -(-size // room)]):
        page = pages[number]
        assert (page.entry, page.obj_id, page.span, page.flags) == (obj_id, obj_id, span, 0xFC)
        content += page.data[5:]
    return PlainFile(obj_id, name.rstrip(b"\0"), meta, content[:size])


def table_of(obj_id: int, pages: dict[int, Page], g: Geometry) -> list[int]:
    """Return the page numbers of a file's data pages, the unused entries at the end too."""
    indexes = sorted(
        (page.span, page.data)
        for page in pages.values()
        if page.entry == obj_id | 0x8000 and page.obj_id == page.entry and page.flags == 0xF8
    )
    assert [span for span, _ in indexes] == list(range(len(indexes)))
    table: list[int] = []
    for span, data in indexes:
        raw = data[header_length(g) if span == 0 else 8 :]
        table += struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) // 2 * 2])
    return table


def audit(image: bytes, g: Geometry) -> None:
    """Check a packed area: no page is deleted, lost or shared, and free pages are blank."""
    assert len(image) == g.size
    pages = object_pages(image, g)
    used = {number for number, page in pages.items() if page.entry != 0xFFFF}
    owners = {pages[number].entry & 0x7FFF for number in used}
    assert owners == set(range(1, len(owners) + 1))
    named = [n for owner in owners for n in table_of(owner, pages, g) if n != 0xFFFF]
    assert sorted(named) == sorted(n for n in used if not pages[n].entry & 0x8000)
    for number, page in pages.items():
        if number in used:
            assert page.entry == page.obj_id
            assert page.flags == (0xF8 if page.entry & 0x8000 else 0xFC)
        else:
            assert page.data.count(0xFF) == g.page_size
    for block in range(g.size // g.block_size):
        _audit_lookup(image[block * g.block_size :][: lookup_pages(g) * g.page_size], block, g)


def _audit_lookup(lookup: bytes, block: int, g: Geometry) -> None:
    entries = g.block_size // g.page_size - lookup_pages(g)
    magic, count = struct.unpack("<HH", lookup[-4:])
    expected = 0x0529 ^ g.page_size
    if g.use_magic_length:
        expected ^= g.size // g.block_size - block
    if g.use_magic:
        assert magic == expected & 0xFFFF
    assert count == 0
    end = -4 if g.use_magic else -2
    assert set(lookup[2 * entries : end]) <= {0xFF}
