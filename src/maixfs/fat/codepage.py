"""Code page 437 and upper case by the tables of FatFs R0.13c (docs/SPEC.md, section 16).

The tables equal Python's codec and Unicode but for the characters that are listed here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_CASE_RANGES = (
    (0x0061, 0x007A), (0x00E0, 0x0292), (0x037B, 0x037D), (0x03AC, 0x03FB), (0x0430, 0x0513),
    (0x0561, 0x0586), (0x1D7D, 0x1D7D), (0x1E01, 0x1FB3), (0x1FCC, 0x1FF3), (0x214E, 0x214E),
    (0x2170, 0x2184), (0x24D0, 0x24E9), (0x2C30, 0x2CE3), (0x2D00, 0x2D25), (0xFF41, 0xFF5A),
)  # fmt: skip
"""Ranges in which FatFs's table has letters; it was made for Unicode 5.0."""

_CASELESS = (
    "\u0131\u017f\u01c5\u01c8\u01cb\u01f2\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f5\u1e9b"
    "\u019b\u023f\u0240\u0250\u0251\u0252\u025c\u0261\u0264\u0265\u0266\u026a\u026c\u0271\u0282"
    "\u0287\u03d7\u03f3\u1efb\u1efd\u1eff\u2c5f\u2c65\u2c66\u2c73"
)
"""Letters in these ranges that have an upper case in Unicode and not in FatFs.

The letters of the first line share the upper case of another letter; the other letters were
added to Unicode later.
"""

_TWISTED = {"\u023a": "\u2c65", "\u023e": "\u2c66", "\u1fcc": "\u1fc3"}
"""Capitals that FatFs maps to their small letters: errors of its table.

They are kept: two names that differ in such a letter alone are one file on the board.
"""

_OEM_TWISTED = {0x82: 0x45, 0xE5: 0xE5, 0xED: 0xED}
"""Bytes whose upper case in FatFs's table is not by the rule: e acute, sigma, phi."""


def upcase(text: str) -> str:
    """Return ``text`` in the upper case in which FatFs compares long names.

    Each UTF-16 unit is mapped to one unit; pairs of surrogates stay as they are.
    """
    # ASCII needs no table, and nearly every name is ASCII.
    return text.upper() if text.isascii() else text.translate(_capitals())


@cache
def _capitals() -> dict[int, str]:
    letters = (chr(code) for first, last in _CASE_RANGES for code in range(first, last + 1))
    table = {ord(letter): _capital(letter) for letter in letters if letter not in _CASELESS}
    return table | {ord(letter): other for letter, other in _TWISTED.items()}


def _capital(letter: str) -> str:
    # Where the upper case is two letters (Greek with iota), the title case is the simple one.
    return next((case for case in (letter.upper(), letter.title()) if len(case) == 1), letter)


def oem_to_unicode(text: bytes) -> str:
    """Return the characters of CP437 bytes; each byte is one."""
    return text.decode("cp437")


def unicode_to_oem(text: str) -> bytes | None:
    """Return ``text`` in CP437, or ``None`` if CP437 lacks one of its characters."""
    try:
        return text.encode("cp437")
    except UnicodeEncodeError:
        return None


@cache
def oem_capitals() -> bytes:
    """Return the upper case of all 256 bytes in which FatFs writes short names.

    A letter whose capital is not in CP437 loses its accent: ``\u00e2`` becomes ``A``.
    """
    table = bytes(_oem_capital(byte) for byte in range(256))
    # The exceptions are kept: a short name with another byte would not be found by the board.
    return bytes(_OEM_TWISTED.get(byte, capital) for byte, capital in enumerate(table))


def _oem_capital(byte: int) -> int:
    capital = bytes((byte,)).decode("cp437").upper()
    bare = unicodedata.normalize("NFD", capital)[0]
    codes = (unicode_to_oem(capital), unicode_to_oem(bare))
    return byte if len(capital) > 1 else next((code[0] for code in codes if code), byte)


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def oem_or_marks(text: str) -> bytes:
    """Return ``text`` in CP437 with ``?`` for every UTF-16 unit that CP437 lacks."""
    return _ASTRAL.sub("\ufffe\ufffe", text).encode("cp437", "replace")


def units(text: str) -> int:
    """Return the UTF-16 units of ``text``: characters beyond U+FFFF count as two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
