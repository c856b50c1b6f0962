"""Names of FAT: what a path is made of, short names, and what a name becomes on a card.

Inside the driver a name is a ``str``; characters beyond U+FFFF count two UTF-16 units, and a
lone surrogate is kept as it is. A path of ``bytes`` is the firmware's: code page 437.
The rules are FatFs's, letter by letter (docs/SPEC.md).
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from codecs import utf_16_le_encode
from functools import lru_cache
from typing import NamedTuple

from maixfs.fat import ondisk
from maixfs.fat.codepage import (
    oem_capitals,
    oem_or_marks,
    oem_to_unicode,
    oem_upcase,
    unicode_to_oem,
    units,
    upcase,
)
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.longname import checksum, join_long, long_entries, read_long

__all__ = [
    "NewName",
    "PathParts",
    "checksum",
    "join_long",
    "listed_name",
    "long_entries",
    "make_name",
    "numbered",
    "oem_to_unicode",
    "oem_upcase",
    "read_long",
    "short_oem",
    "short_text",
    "split_path",
    "unicode_to_oem",
    "units",
    "upcase",
]


class PathParts(NamedTuple):
    """A path, cut as FatFs cuts it."""

    absolute: bool
    """Whether it starts at the root, not at the current directory."""
    names: list[str]
    """Its components; none stands for the place where it starts. A last one that is empty
    comes from a trailing separator: no name, refused when the walk gets there."""


_CONTROL = re.compile("[\x00-\x1f]")
_FORBIDDEN = re.compile('["*:<>?|\x7f\x00-\x1f/\\\\\uffff]')
"""U+FFFF too: it is the filler of long names, and FatFs would end the name there."""


def split_path(path: bytes | str) -> PathParts:
    """Cut ``path`` at ``/`` and ``\\``; runs of them count as one.

    In ``bytes`` the first byte under 20h ends the path, as in the firmware; in a ``str`` such
    a character stays in its component, and ``make_name`` refuses it.
    """
    text = path if isinstance(path, str) else path_text(path)
    if "\\" in text:
        text = text.replace("\\", "/")
    names = [name for name in text.split("/") if name]
    if names and text[-1] == "/":
        names.append("")
    return PathParts(text[:1] == "/", names)


def path_text(path: bytes) -> str:
    """Return the firmware's path, up to the first byte under 20h."""
    return _until_control(oem_to_unicode(path))


def _until_control(text: str) -> str:
    end = None if text.isprintable() else _CONTROL.search(text)
    return text if end is None else text[: end.start()]


class NewName(NamedTuple):
    """What a component of a path is in a directory."""

    long: str
    """The name without what FatFs strips from its end."""
    short: bytes
    """Eleven bytes as they lie on the card."""
    nt: int
    """Case bits of the short entry (DIR_NTRes)."""
    lossy: bool
    """The short name does not say it all: it gets a number, and never finds a file."""
    needs_long: bool
    """Entries with the long name are written before the short one."""
    dot: bool
    """``.`` or ``..``."""


_DOTS = {
    dots: NewName(dots, dots.encode().ljust(11), nt=0, lossy=False, needs_long=False, dot=True)
    for dots in (".", "..")
}


def make_name(component: bytes | str) -> NewName:
    """Return what ``component`` becomes; raises ``FatError`` (``INVALID_NAME``) for no name."""
    if isinstance(component, bytes):
        component = _until_control(oem_to_unicode(component))
    return _made_name(component)


@lru_cache(maxsize=1024)
def _made_name(component: str) -> NewName:
    bad = _FORBIDDEN.search(component)
    if bad is not None or len(component) * 2 > ondisk.MAX_LONG_NAME:
        _refuse(component, bad)
    if component in _DOTS:
        return _DOTS[component]
    long = component.rstrip(" .")
    if not long:
        raise _no_name(component, "a name of dots and spaces only is no name")
    if long.isascii():
        return _short_name(long, long.encode("ascii"), other=False)
    return _short_name(long, oem_or_marks(long), other=True)


def _refuse(component: str, bad: re.Match[str] | None) -> None:
    if bad is not None:
        what = f"{bad.group()!r} cannot be in a name"
        raise _no_name(component, what, 'neither can any of "*:<>?|/\\ and control characters')
    if units(component) > ondisk.MAX_LONG_NAME:
        raise _no_name(component, f"a name has at most {ondisk.MAX_LONG_NAME} UTF-16 units")


def _no_name(component: str, what: str, hint: str | None = None) -> FatError:
    return fat_error(FResult.INVALID_NAME, repr(component), what, hint=hint)


_PLAIN = bytes.maketrans(b"+,;=[]?", b"_______")
"""Short names have no ``+,;=[]``, and ``?`` stands for what CP437 does not have."""
_SHORT = _PLAIN.translate(oem_capitals())


def _short_name(long: str, oem: bytes, *, other: bool) -> NewName:
    """Make the short name of ``oem``, which has one byte for each unit of ``long``."""
    body, dot, ext = oem.rpartition(b".")
    if not dot:
        body, ext = ext, b""
    short_body = body.translate(_SHORT, b" .")
    short_ext = ext.translate(_SHORT, b" ")
    lossy = (
        len(short_body) != len(body)
        or len(short_ext) != len(ext)
        or len(body) > 8
        or len(ext) > 3
        or oem.translate(_PLAIN) != oem
        or (dot and not body)
    )
    short = b"%-8.8b%-3.3b" % (short_body, short_ext)
    if short[0] == ondisk.ENTRY_FREE:
        short = b"\x05" + short[1:]
    if lossy or other or _mixed(body) or _mixed(ext):
        return NewName(long, short, 0, bool(lossy), needs_long=True, dot=False)
    nt = _NT_BASE * (body != body.upper()) | _NT_EXT * (ext != ext.upper())
    return NewName(long, short, nt, lossy=False, needs_long=False, dot=False)


_NT_BASE = ondisk.NT_LOWER_BASE
_NT_EXT = ondisk.NT_LOWER_EXT


def _mixed(part: bytes) -> bool:
    return part not in (part.upper(), part.lower())


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LAST_PLAIN_NUMBER = 5
"""After so many collisions FatFs takes a hash of the name for the number."""


def numbered(short: bytes, long: str, n: int) -> bytes:
    """Return ``short`` with the tail of the ``n``-th try, such as ``~1`` or ``~ED8C``.

    ``n`` counts from 1; FatFs gives up at 100.
    """
    number = n if n <= _LAST_PLAIN_NUMBER else _hash(long, n)
    tail = b"~%X" % number
    body = short[:8].split(b" ", 1)[0]
    return (body[: 8 - len(tail)] + tail).ljust(8) + short[8:]


def _hash(long: str, seed: int) -> int:
    """Return FatFs's CRC-16 of a name: polynomial 1021h, each unit from its lowest bit on.

    FatFs shifts the bits in at the low end, so the last unit meets no polynomial any more.
    """
    bits = utf_16_le_encode(long, "surrogatepass")[0].translate(_MIRROR)
    head = seed.to_bytes(2, "big") + bits[:-2]
    return crc_hqx(head, 0) ^ int.from_bytes(bits[-2:], "big")


def short_oem(short: bytes, nt: int) -> bytes:
    """Return the short name as the firmware lists it: CP437, in the case that ``nt`` says."""
    body = short[:8].replace(b" ", b"")
    ext = short[8:].replace(b" ", b"")
    # FatFs sets the dot by the first byte of the extension alone, even if others follow.
    name = body + ext if short[8:9] == b" " else body + b"." + ext
    if not name:
        return b"?"
    name = name.replace(b"\x05", b"\xe5").partition(b"\0")[0]
    return _cased(name, nt) if nt & (_NT_BASE | _NT_EXT) else name


def _cased(name: bytes, nt: int) -> bytes:
    body, dot, ext = name.partition(b".")
    if nt & _NT_BASE:
        body = body.lower()
    return body + dot + (ext.lower() if nt & _NT_EXT else ext)


def short_text(short: bytes, nt: int) -> str:
    """Return the short name in Unicode, in the case that ``nt`` says."""
    name = short_oem(short, nt)
    return name.decode("ascii" if name.isascii() else "cp437")


def listed_name(long: str | None, short: bytes, nt: int) -> bytes:
    """Return the name that the firmware lists: the long one if CP437 has it, or the short."""
    name = unicode_to_oem(long) if long else None
    return name or short_oem(short, nt)
