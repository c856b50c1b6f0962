"""Fields of an image, addresses of places in it, and a hex dump that shows the fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from maixfs.errors import UsageError
from maixfs.record import Field as Row
from maixfs.tuples import NamedTuple

_MAX_NUMBER = 8
"""Bytes of the largest field that is shown as a number."""
_SHOWN = 16
"""Bytes of a longer field that are shown."""
_PLAIN = range(0x20, 0x7F)


class Field(NamedTuple):
    """Bytes with one meaning; ``start`` is their address in the image."""

    start: int
    size: int
    region: str
    """The kind of the part that it is in: ``firmware``, ``model``, ``spiffs``, ``erased``, ..."""
    structure: str
    """Its record, as ``page 1`` or ``header of the model at 0x300000``; may be empty."""
    name: str
    value: str
    """As text; empty if the field is a run of bytes, such as data."""
    meaning: str
    section: str
    """Of docs/SPEC.md."""
    owner: str = ""
    """The file that it belongs to, or empty."""
    offset: int | None = None
    """Offset of its first byte in that file or run."""
    is_general: bool = False
    """Whether ``meaning`` describes the field, not this value."""

    @property
    def end(self) -> int:
        """One past the address of its last byte."""
        return self.start + self.size

    @property
    def title(self) -> str:
        """Name and structure."""
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
        """Address, field, value and meaning in a sentence."""
        field = self.field
        text = f"{self._place}: {field.title}"
        text += f": {field.value}" if field.value else ""
        link = ": " if not field.value else "; " if field.is_general else " = "
        return f"{text}{link}{field.meaning}" if field.meaning else text

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
    """Return bytes as a number in hex and decimal, as text, or as hex digits."""
    if len(data) > _MAX_NUMBER or len(data) not in (1, 2, 4, 8):
        return text_of(data)
    number = int.from_bytes(data, "big" if big_endian else "little")
    digits = f"{number:0{2 * len(data)}X}"
    return (
        digits
        if number < 10 or not number + 1 & (1 << 8 * len(data)) - 1
        else (f"{digits} ({number})")
    )


def text_of(data: bytes) -> str:
    """Return bytes in quotes if they are ASCII up to a zero, else in hex."""
    head = data.partition(b"\0")[0]
    if head and all(byte in _PLAIN for byte in head) and not data[len(head) :].strip(b"\0"):
        return repr(head.decode("ascii"))
    shown = data[:_SHOWN].hex(" ").upper()
    return shown if len(data) <= _SHOWN else f"{shown} ..."


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
    """Return the field at ``address`` of a record at ``base``; ``None`` between its fields."""
    offset = address - base
    row = next((row for row in rows if row.offset <= offset < row.offset + row.size), None)
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


# Addresses as people write them: 0xD00000, page:37, file:/main.py@100

_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+", re.IGNORECASE)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
KINDS = ("block", "page", "sector", "cluster", "fat", "model", "file")
"""Units of an address; ``file`` takes a path."""
_HINT = "as 0xD00000, sector:5, page:37, block:3, model:0x300000 or file:/main.py@100"


class AddressError(UsageError):
    """A text is no address, or the address is not in the image."""


class Address(NamedTuple):
    """A place in an image; ``resolve`` of the image's fields turns it into a number."""

    kind: str
    """One of ``KINDS``, or ``byte``."""
    number: int
    path: str = ""
    """Path of a file."""
    offset: int = 0
    """Bytes after that place, written behind ``@``."""
    text: str = ""
    """As written by the user."""


def parse_address(text: str) -> Address:
    """Parse a place; raises ``AddressError``."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return Address("byte", _number(text, text), text=text)
    if kind not in KINDS:
        raise AddressError(f"{text!r}: {kind!r} is not a unit of addresses", hint=_HINT)
    body, at, tail = rest.rpartition("@")
    if not at:
        body, tail = rest, "0"
    elif kind == "file" and not _NUMBER.fullmatch(tail):
        body, tail = rest, "0"  # the @ belongs to the name
    offset = _number(tail, text)
    if kind == "file":
        return Address(kind, 0, body, offset, text)
    return Address(kind, _number(body, text), "", offset, text)


def _number(digits: str, text: str) -> int:
    unit = _UNITS.get(digits[-1:].lower(), 1)
    match = _NUMBER.fullmatch(digits if unit == 1 else digits[:-1])
    # Longer numbers are no address, and Python refuses to convert very long ones with an error of
    # its own.
    if match is None or len(digits) > 20:
        raise AddressError(f"{text!r} is not an address", hint=_HINT)
    number = match[0]
    return int(number, 16 if number[:2].lower() == "0x" else 10) * unit


# Hex dump

WIDTH = 16
"""Bytes in a line."""


class FieldSource(Protocol):
    """An image in which every byte belongs to a field."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """Return bytes, fewer at the end of the image."""

    def at(self, address: int) -> Field:
        """Return the field that covers an address."""

    def explain(self, address: int) -> Explanation:
        """Return a byte with its field."""

    def resolve(self, place: Address) -> int:
        """Return the address of a place."""


class Piece(NamedTuple):
    """The part of a field in one line."""

    number: int
    """Number of the field in the dump, from 0; it distinguishes neighbours."""
    field: Field
    start: int
    data: bytes

    @property
    def begins(self) -> bool:
        """Whether the field begins here."""
        return self.start == self.field.start


class Line(NamedTuple):
    """A line of a dump."""

    address: int
    pieces: tuple[Piece, ...]
    skipped: int = 0
    """Lines before this one that are left out because they repeat the line before them."""

    @property
    def data(self) -> bytes:
        """All bytes of the line."""
        return b"".join(piece.data for piece in self.pieces)


def fields_between(source: FieldSource, start: int, length: int) -> Iterator[Field]:
    """Yield the fields in a range, by address."""
    at, end = start, min(start + length, source.size)
    while at < end:
        field = source.at(at)
        yield field
        # A record of a damaged image can have no bytes here: the loop must go on all the same.
        at = max(field.end, at + 1)


def view_lines(source: FieldSource, start: int, length: int) -> Iterator[Line]:
    """Yield the lines of a dump; repeated lines within a field come once."""
    last: Line | None = None
    skipped = 0
    for line in _all_lines(source, start, length):
        if last is not None and _repeats(line, last):
            skipped += 1
            continue
        yield line._replace(skipped=skipped)
        last, skipped = line, 0
    if skipped:
        yield Line(min(start + length, source.size), (), skipped)


def _repeats(line: Line, last: Line) -> bool:
    alone = len(line.pieces) == len(last.pieces) == 1
    same = alone and line.pieces[0].number == last.pieces[0].number
    return same and line.data == last.data


def _all_lines(source: FieldSource, start: int, length: int) -> Iterator[Line]:
    fields = enumerate(fields_between(source, start, length))
    number, field = next(fields, (0, None))
    end = min(start + length, source.size)
    for address in range(start, end, WIDTH):
        stop = min(address + WIDTH, end)
        data = source.read(address, stop - address)
        pieces, at = [], address
        while at < stop and field is not None:
            upto = min(field.end, stop)
            pieces.append(Piece(number, field, at, data[at - address : upto - address]))
            at = upto
            if upto == field.end:
                number, field = next(fields, (0, None))
        yield Line(address, tuple(pieces))
