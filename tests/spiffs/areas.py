"""A chip with an area on it, and ways to read and damage it without the driver."""

from __future__ import annotations

import struct
from typing import Any

from maixfs.nor import NorChip, make_driver
from maixfs.spiffs import Geometry, OpenFlag, SpiffsCore, SpiffsError

R, W, RW = OpenFlag.RDONLY, OpenFlag.WRONLY, OpenFlag.RDWR
CREAT, TRUNC, APPEND = OpenFlag.CREAT, OpenFlag.TRUNC, OpenFlag.APPEND
EXCL, DIRECT = OpenFlag.EXCL, OpenFlag.DIRECT
NEW = RW | CREAT | TRUNC


class Area:
    """An area with the geometry ``geometry`` on a chip in RAM, behind the flash driver ``nor``.

    It is formatted unless ``content`` is given.
    """

    def __init__(
        self, geometry: Geometry, nor: str = "ideal", content: bytes | None = None
    ) -> None:
        self.geometry = geometry
        self.chip = NorChip.in_memory(geometry.base + geometry.size)
        self.device = make_driver(nor, self.chip)
        if content is None:
            SpiffsCore.format(self.device, geometry)
        else:
            self.chip.poke(geometry.base, content)

    def mount(self, *, faithful: bool = True, **options: Any) -> SpiffsCore:
        """Mount; most tests are about what the C does."""
        return SpiffsCore(self.device, self.geometry, faithful=faithful, **options)

    @property
    def image(self) -> bytes:
        return self.chip.peek(self.geometry.base, self.geometry.size)

    def poke(self, offset: int, data: bytes) -> None:
        """Set bytes of the area."""
        self.chip.poke(self.geometry.base + offset, data)

    def entry_offset(self, page: int) -> int:
        """Return where the look-up entry of a page lies."""
        g = self.geometry
        block, in_block = divmod(page, g.pages_per_block)
        return block * g.block_size + 2 * (in_block - g.lookup_pages)

    def poke_entry(self, page: int, entry: int) -> None:
        """Set the look-up entry of a page."""
        self.poke(self.entry_offset(page), struct.pack("<H", entry))

    def poke_flags(self, page: int, flags: int) -> None:
        """Set the flags of a page."""
        self.poke(page * self.geometry.page_size + 4, bytes([flags]))

    def table(self, header: int) -> list[int]:
        """Return the page numbers in the index header at page ``header``."""
        g = self.geometry
        at = header * g.page_size + g.header_size
        raw = self.image[at : at + 2 * g.header_entries]
        return [number for (number,) in struct.iter_unpack("<H", raw)]

    def poke_table(self, header: int, slot: int, page: int) -> None:
        """Set a page number in the index header at page ``header``."""
        g = self.geometry
        self.poke(header * g.page_size + g.header_size + 2 * slot, struct.pack("<H", page))


def put(fs: SpiffsCore, name: str | bytes, data: bytes) -> None:
    """Write a file in one call."""
    with fs.open_descriptor(name, NEW) as file:
        assert file.write(data) == len(data)


def get(fs: SpiffsCore, name: str | bytes) -> bytes:
    """Read a file in one call."""
    with fs.open_descriptor(name, R) as file:
        return file.read()


def contents(fs: SpiffsCore) -> dict[str, bytes]:
    """Return all files."""
    return {entry.name: get(fs, entry.raw_name) for entry in fs.scandir()}


def code_of(call: Any, *arguments: Any, **options: Any) -> int:
    """Return the C's number of the error that a call raises, 0 if it raises none."""
    try:
        call(*arguments, **options)
    except SpiffsError as error:
        return int(error.code)
    return 0


def pattern(length: int, seed: int = 0) -> bytes:
    """Return bytes that differ from page to page and from seed to seed."""
    return b"".join(b"%04x.%06x|" % (seed, at) for at in range(0, length + 12, 12))[:length]


def ram_of(fs: SpiffsCore) -> dict[str, Any]:
    """Return the driver's state in RAM that a fresh mount must find again."""
    volume = fs._volume
    # A chip that is busy with an erase drops the first program, which can be the erase count.
    counted = 0xFFFF not in volume.erase_counts
    return {
        "lookup": list(volume.lookup),
        "erase counts": list(volume.erase_counts),
        "next erase count": volume.max_erase_count if counted else None,
        "room": fs.statvfs()[:5],
        "entries": [volume.index.visible[page] for page in volume.index.in_order()],
        "index pages": {key: sorted(pages) for key, pages in volume.index._by_span.items()},
        "pages by id": dict(volume.ids._uses),
        "headers by id": dict(volume.ids._headers),
        "blocks": [volume.counts[block] for block in range(fs.geometry.blocks)],
    }
