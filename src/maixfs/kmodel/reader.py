"""Reading records of a model: in bounds, in either byte order, with errors that say where."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator

from maixfs.kmodel.errors import CutOffError, ModelError

Buffer = bytes | bytearray | memoryview


def reverse_words(data: Buffer) -> bytes:
    """Return the data with the bytes of each 4-byte word reversed; a last part is padded with 0.

    This is what flashers do to files marked ``reverse4Bytes``.
    """
    words = array("I", bytes(data) + bytes(-len(data) % 4))
    words.byteswap()
    return words.tobytes()


def words_of(data: Buffer) -> array[int]:
    """Return the little-endian words of the data; a last part of a word is dropped."""
    words = array("I", bytes(data[: len(data) & ~3]))
    if sys.byteorder == "big":
        words.byteswap()
    return words


class ModelReader:
    """The bytes of one model, or of what may be one. Offsets count from its start."""

    def __init__(
        self, image: Buffer, address: int, limit: int | None = None, *, is_reversed: bool = False
    ) -> None:
        view = memoryview(image).cast("B")
        end = len(view) if limit is None else min(limit, len(view))
        self.view = view[max(0, address) : max(0, end)]
        self.address = address
        self.is_reversed = is_reversed
        self.kind = "model"
        """What it is, for errors."""

    def take(self, offset: int, length: int, what: str) -> bytes:
        """Return bytes; ``CutOffError`` with the name ``what`` where they end."""
        self.need(offset, length, what)
        if not self.is_reversed:
            return bytes(self.view[offset : offset + length])
        start = offset & ~3
        piece = reverse_words(self.view[start : offset + length + 3 & ~3])
        return piece[offset - start : offset - start + length]

    def need(self, offset: int, length: int, what: str) -> None:
        """Raise ``CutOffError`` if the bytes of ``what`` are not all there."""
        if offset + length > len(self.view):
            more = f"needs 0x{length:X} bytes, 0x{max(0, len(self.view) - offset):X} are there"
            raise CutOffError(f"{self.kind}: {what} at 0x{self.address + offset:06X} {more}")

    def row(self, record: struct.Struct, offset: int, what: str) -> tuple[int, ...]:
        """Return the fields of a record of integers."""
        return record.unpack(self.take(offset, record.size, what))

    def rows(
        self, record: struct.Struct, offset: int, count: int, what: str
    ) -> Iterator[tuple[int, ...]]:
        """Return so many records in a row, all of which are there."""
        return record.iter_unpack(self.take(offset, count * record.size, what))

    def wrong(self, field: str, value: int, offset: int, rule: str) -> ModelError:
        """Return the error for a field that cannot have this value."""
        where = f"0x{self.address + offset:06X}"
        return ModelError(f"{self.kind}: {field} at {where} is 0x{value:X}, {rule}")

    def check(self, field: str, value: int, offset: int, least: int, most: int) -> None:
        """Raise ``ModelError`` unless the field has a value in bounds."""
        if not least <= value <= most:
            raise self.wrong(field, value, offset, f"not between {least} and {most}")
