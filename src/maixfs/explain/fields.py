"""A field of an image: some bytes that mean one thing; what hex views and explanations show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from maixfs.record import Field as Row

_NUMBER = 8
"""Bytes of the largest field that is a number."""
_SHOWN = 16
"""Bytes of a longer one that are shown."""
_PLAIN = range(0x20, 0x7F)


class Field(NamedTuple):
    """Bytes from ``start`` on that mean one thing; addresses are those of the image."""

    start: int
    size: int
    region: str
    """What it is a part of: ``firmware``, ``model``, ``spiffs``, ``erased``, ..."""
    structure: str
    """The record, as ``page 1`` or ``header of the model at 0x300000``; may be empty."""
    name: str
    value: str
    """As it is read by a person; empty where every byte stands for itself."""
    meaning: str
    section: str
    """Of docs/SPEC.md."""
    owner: str = ""
    """The file that it belongs to."""
    offset: int | None = None
    """Of its first byte in that file, or in the whole that it is a run of."""
    is_general: bool = False
    """Whether ``meaning`` is about the field as such and not about this value."""

    @property
    def end(self) -> int:
        """Address behind its last byte."""
        return self.start + self.size

    @property
    def title(self) -> str:
        """The name with the record that it is in."""
        return f"{self.name} of {self.structure}" if self.structure else self.name

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {**self._asdict(), "end": self.end}


class Explanation(NamedTuple):
    """A byte of an image, and the field that it is in."""

    address: int
    byte: int
    field: Field

    @property
    def sentence(self) -> str:
        """All of it in a sentence."""
        field = self.field
        said = f"{self._place}: {field.title}"
        said += f": {field.value}" if field.value else ""
        link = ": " if not field.value else "; " if field.is_general else " = "
        return f"{said}{link}{field.meaning}" if field.meaning else said

    @property
    def _place(self) -> str:
        field, place = self.field, f"byte {hex_address(self.address)}"
        inside = self.address - field.start
        if field.offset is not None:
            return f"{place} ({self._letter}, offset {field.offset + inside})"
        if field.value and field.size > 1:
            return f"{place} ({inside + 1} of {field.size})"
        return place if field.value else f"{place} ({self._letter})"

    @property
    def _letter(self) -> str:
        letter = f" {chr(self.byte)!r}" if self.byte in _PLAIN else ""
        return f"{self.byte:02X}{letter}"

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "address": self.address,
            "byte": self.byte,
            "sentence": self.sentence,
            "field": self.field.as_dict(),
        }


def hex_address(address: int) -> str:
    """Return an address as ``0xD00000``."""
    return f"0x{address:06X}"


def value_of(data: bytes, *, big_endian: bool = False) -> str:
    """Return bytes as a person reads them: a number in hex (and decimal), text, or hex."""
    if len(data) > _NUMBER or len(data) not in (1, 2, 4, 8):
        return text_of(data)
    number = int.from_bytes(data, "big" if big_endian else "little")
    digits = f"{number:0{2 * len(data)}X}"
    return (
        digits
        if number < 10 or not number + 1 & (1 << 8 * len(data)) - 1
        else (f"{digits} ({number})")
    )


def text_of(data: bytes) -> str:
    """Return bytes as text in quotes where they are text up to a zero, else in hex."""
    head = data.partition(b"\0")[0]
    if head and all(byte in _PLAIN for byte in head) and not data[len(head) :].strip(b"\0"):
        return repr(head.decode("ascii"))
    shown = data[:_SHOWN].hex(" ").upper()
    return shown if len(data) <= _SHOWN else f"{shown} ..."


def row_at(rows: Sequence[Row], offset: int) -> Row | None:
    """Return the row of fixed length that covers ``offset``."""
    return next((row for row in rows if row.offset <= offset < row.offset + row.size), None)


def record_field(
    view: memoryview,
    rows: Sequence[Row],
    base: int,
    address: int,
    *,
    region: str,
    structure: str,
    section: str,
    big_endian: bool = False,
) -> Field | None:
    """Return the field of a record at ``base`` that ``address`` is in; ``None`` between rows."""
    row = row_at(rows, address - base)
    if row is None:
        return None
    start = base + row.offset
    value = value_of(bytes(view[start : start + row.size]), big_endian=big_endian)
    return Field(
        start,
        row.size,
        region,
        structure,
        row.name,
        value,
        row.meaning,
        section,
        is_general=True,
    )
