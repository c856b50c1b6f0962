"""Checks of arguments: every call makes them before it changes anything.

A wrong type raises ``TypeError``, a value out of range ``FatError`` (``INVALID_PARAMETER``).
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from maixfs.fat.errors import FResult, fat_error
from maixfs.fat.openflag import OpenFlag

if TYPE_CHECKING:
    from maixfs.sd.device import Buffer

_FLAGS = int(
    OpenFlag.READ
    | OpenFlag.WRITE
    | OpenFlag.CREATE_NEW
    | OpenFlag.CREATE_ALWAYS
    | OpenFlag.OPEN_ALWAYS
    | OpenFlag.APPEND
)


def byte_view(data: Buffer) -> memoryview:
    """Return ``data`` as a view of bytes; raises ``TypeError`` for what has none in a row."""
    view = memoryview(data)
    if view.format != "B" or view.ndim != 1 or not view.c_contiguous:
        return view.cast("B")  # raises TypeError for bytes that do not lie in a row
    return view


def writable_view(buffer: bytearray | memoryview) -> memoryview:
    """Return ``buffer`` as a view of bytes to be filled; raises ``TypeError``."""
    view = byte_view(buffer)
    if view.readonly:
        raise TypeError("the buffer to be filled is read-only")
    return view


def number(value: int, what: str, most: int) -> int:
    """Return ``value``, an integer from 0 to ``most``; ``what`` names it in the error."""
    plain = index(value)
    if not 0 <= plain <= most:
        raise fat_error(FResult.INVALID_PARAMETER, what, f"{plain} is not in 0 to {most}")
    return plain


def open_flags(flags: int) -> int:
    """Return ``flags``, a combination of ``OpenFlag``."""
    plain = index(flags)
    if plain & ~_FLAGS:
        raise fat_error(FResult.INVALID_PARAMETER, "flags", f"{plain:#x} has unknown bits")
    return plain


def time_stamp(pair: tuple[int, int] | None, what: str) -> tuple[int, int] | None:
    """Return ``pair``: the date and the time of an entry, 16 bits each, or ``None``."""
    if pair is None:
        return None
    date, time = pair
    return number(date, what, 0xFFFF), number(time, what, 0xFFFF)
