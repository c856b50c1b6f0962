"""Lay all files of an area out anew: the last resort where garbage collection finds no room.

In a crammed area the driver cannot collect: moving the files of a block takes pages that are
not there. A host can, because it holds all files in memory meanwhile.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from maixfs.nor import NorChip
from maixfs.spiffs import Code, Geometry, SpiffsCore, SpiffsError, ondisk
from maixfs.spiffs.errors import spiffs_error
from maixfs.spiffs.pack import pack


class Kept(NamedTuple):
    """A file, held in memory."""

    name: bytes
    data: bytes
    meta: bytes


def files_but(fs: SpiffsCore, names: Container[bytes]) -> list[Kept]:
    """Return all files but those of ``names``, in the order of the medium.

    Raises ``FullError`` where one cannot be read or has the name of another: there is no way
    to move them without losing some, and so no room.
    """
    files: dict[bytes, Kept] = {}
    for file in fs.scandir():
        if file.raw_name in names:
            continue
        try:
            with fs.open_page(file.page) as descriptor:
                data = descriptor.read()
        except SpiffsError as error:
            raise spiffs_error(Code.FULL) from error
        if file.raw_name in files or not file.raw_name:
            raise spiffs_error(Code.FULL)
        files[file.raw_name] = Kept(file.raw_name, data, file.meta)
    return [*files.values()]


def lay_anew(chip: NorChip, geometry: Geometry, files: list[Kept]) -> None:
    """Rewrite the area with these files; raises ``FullError``.

    Blocks are erased once each, which their erase counts say.
    """
    area = pack(files, geometry)
    _count_erases(chip, geometry, area)
    chip.erase(geometry.base, geometry.size)
    chip.program(geometry.base, area)


def _count_erases(chip: NorChip, geometry: Geometry, area: bytearray) -> None:
    """Write into a new area the erase counts of the old one, and one more."""
    for block in range(geometry.blocks):
        at = block * geometry.block_size + geometry.magic_offset + ondisk.ERASE_COUNT.offset
        (count,) = ondisk.U16.unpack(chip.peek(geometry.base + at, 2))
        count = 0 if count == ondisk.ID_FREE else (count + 1) % ondisk.ERASE_COUNT_WRAP
        ondisk.U16.pack_into(area, at, count)
