"""A hex dump that knows where fields begin and what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from maixfs.explain.address import Address
from maixfs.explain.fields import Explanation, Field

WIDTH = 16
"""Bytes in a line."""


class FieldSource(Protocol):
    """An image whose every byte belongs to a field."""

    size: int

    def read(self, start: int, length: int) -> bytes:
        """Return bytes; fewer where the image ends."""

    def at(self, address: int) -> Field:
        """Return the field that an address is in; it covers the address."""

    def explain(self, address: int) -> Explanation:
        """Say all of a byte."""

    def resolve(self, place: Address) -> int:
        """Return the address that a place means."""


class Piece(NamedTuple):
    """The part of a field that is in one line."""

    number: int
    """Which field of the dump, from 0: neighbours differ, so that they can be told apart."""
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
    """Lines before this one that were left out: all like the one before them."""

    @property
    def data(self) -> bytes:
        """All bytes of the line."""
        return b"".join(piece.data for piece in self.pieces)


def fields_between(source: FieldSource, start: int, length: int) -> Iterator[Field]:
    """Yield the fields that have bytes in a range, by address."""
    at, end = start, min(start + length, source.size)
    while at < end:
        field = source.at(at)
        yield field
        at = max(field.end, at + 1)


def view_lines(source: FieldSource, start: int, length: int) -> Iterator[Line]:
    """Yield the lines of a dump; runs of the same line in one field come once."""
    last: Line | None = None
    skipped = 0
    for line in _all_lines(source, start, length):
        if last is not None and _is_more_of(line, last):
            skipped += 1
            continue
        yield line._replace(skipped=skipped)
        last, skipped = line, 0
    if skipped:
        yield Line(min(start + length, source.size), (), skipped)


def _is_more_of(line: Line, last: Line) -> bool:
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
