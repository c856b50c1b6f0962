"""Places in an image as people name them: ``0xD00000``, ``page:37``, ``file:/main.py@100``."""

from __future__ import annotations

import re
from typing import NamedTuple

from maixfs.errors import UsageError

_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+", re.IGNORECASE)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
KINDS = ("block", "page", "sector", "cluster", "fat", "model", "file")
"""What an address may be counted in; ``file`` takes a path."""
HINT = "as 0xD00000, sector:5, page:37, block:3, model:0x300000 or file:/main.py@100"


class AddressError(UsageError):
    """A text that names no place, or a place that is not there."""


class Address(NamedTuple):
    """A place that was named; ``resolve`` of an image's fields turns it into a number."""

    kind: str
    """One of ``KINDS``, or ``byte``."""
    number: int
    path: str = ""
    """Of a file."""
    offset: int = 0
    """Bytes from there on, as ``@`` says them."""
    text: str = ""
    """As it was given."""


def parse_address(text: str) -> Address:
    """Read a place; raises ``AddressError`` for what is none."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return Address("byte", _number(text, text), text=text)
    if kind not in KINDS:
        raise AddressError(f"{text!r}: no place is counted in {kind!r}", hint=HINT)
    body, at, tail = rest.rpartition("@")
    if not at:
        body, tail = rest, "0"
    elif kind == "file" and not _NUMBER.fullmatch(tail):
        body, tail = rest, "0"  # the @ is of the name
    offset = _number(tail, text)
    if kind == "file":
        return Address(kind, 0, body, offset, text)
    return Address(kind, _number(body, text), "", offset, text)


def _number(digits: str, text: str) -> int:
    unit = _UNITS.get(digits[-1:].lower(), 1)
    found = _NUMBER.fullmatch(digits if unit == 1 else digits[:-1])
    if found is None or len(digits) > 20:
        raise AddressError(f"{text!r} names no place", hint=HINT)
    number = found[0]
    return int(number, 16 if number[:2].lower() == "0x" else 10) * unit
