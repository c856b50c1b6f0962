"""Giving a name an entry in a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.names import long_entries

if TYPE_CHECKING:
    from maixfs.fat.directory import Directory
    from maixfs.fat.entries import Item
    from maixfs.fat.names import NewName


def register(directory: Directory, name: NewName | None, attributes: int, rest: bytes) -> Item:
    """Write the entries of a new name; ``rest`` is the short one from its byte 13 on.

    Raises ``INVALID_NAME`` for dots, ``DENIED`` without room or a short name to be had.
    """
    if name is None or name.dot:
        raise fat_error(FResult.INVALID_NAME)
    short = directory.numbered_short(name) if name.lossy else name.short
    entry = short + bytes((attributes, name.nt)) + rest
    if not name.needs_long:
        return directory.insert(entry, None)
    return directory.insert(long_entries(name.long, short) + entry, name.long)
