"""Names of FAT: paths, short names, and the parts of long names on a card.

Inside the driver a name is a ``str``; characters beyond U+FFFF count two UTF-16 units, and a
lone surrogate is kept as it is. A path of ``bytes`` is the firmware's: code page 437. The rules
are those of FatFs R0.13c (docs/SPEC.md, section 16); ``codepage`` has its character tables.
"""

from __future__ import annotations

import errno
import re
import struct
from binascii import crc_hqx
from codecs import utf_16_le_decode, utf_16_le_encode
from functools import lru_cache
from operator import itemgetter

from maixfs.fat import ondisk
from maixfs.fat.codepage import (
    oem_capitals,
    oem_or_marks,
    oem_to_unicode,
    unicode_to_oem,
    units,
    upcase,
)
from maixfs.fat.errors import FatError, FResult, fat_error
from maixfs.fat.ondisk import LongEntry
from maixfs.tuples import NamedTuple

# Paths


class PathParts(NamedTuple):
    """A path, split as FatFs splits it."""

    absolute: bool
    """Whether it starts at the root, not at the current directory."""
    names: list[str]
    """Its components. An empty list is the place where the path starts. A last component that
    is empty comes from a trailing separator; the look-up refuses it when it gets there."""


_CONTROL = re.compile("[\x00-\x1f]")
_FORBIDDEN = re.compile('["*:<>?|\x7f\x00-\x1f/\\\\\uffff]')
"""U+FFFF too: it is the filler of long names, and FatFs would end the name there."""


def split_path(path: bytes | str) -> PathParts:
    """Split ``path`` at ``/`` and ``\\``; several in a row count as one.

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
    """Return the firmware's path in Unicode, up to the first byte under 20h."""
    return _until_control(oem_to_unicode(path))


def _until_control(text: str) -> str:
    end = None if text.isprintable() else _CONTROL.search(text)
    return text if end is None else text[: end.start()]


# Names that are looked up or created


class NewName(NamedTuple):
    """How a component of a path is looked up and stored in a directory."""

    long: str
    """The name without the spaces and dots that FatFs strips from its end."""
    short: bytes
    """The eleven bytes of the short name."""
    nt: int
    """Case bits of the short entry (DIR_NTRes)."""
    lossy: bool
    """The short name does not represent all of the name: it gets a number when it is stored,
    and is not compared when the name is looked up."""
    needs_long: bool
    """Whether entries with the long name are written before the short one."""
    dot: bool
    """Whether the name is ``.`` or ``..``."""
    key: str
    """``long`` in upper case: what long names are compared by."""


_DOTS = {
    dots: NewName(
        dots, dots.encode().ljust(11), nt=0, lossy=False, needs_long=False, dot=True, key=dots
    )
    for dots in (".", "..")
}


def make_name(component: bytes | str) -> NewName:
    """Convert a component of a path; raises ``FatError`` (``INVALID_NAME``)."""
    # The firmware's bytes end at a control character; a str that has one is a mistake of the
    # caller.
    if isinstance(component, bytes):
        component = _until_control(oem_to_unicode(component))
    return _convert(component)


@lru_cache(maxsize=1024)
def _convert(component: str) -> NewName:
    bad = _FORBIDDEN.search(component)
    if bad is not None:
        hint = 'a name has none of "*:<>?|/\\ and no control characters'
        raise _invalid(component, f"{bad.group()!r} cannot be in a name", hint)
    # Counting units needs an encoder; names of up to 127 characters cannot be too long.
    most = ondisk.MAX_LONG_NAME
    if len(component) * 2 > most and units(component) > most:
        what = f"a name has at most {most} UTF-16 units"
        raise fat_error(FResult.INVALID_NAME, repr(component), what, errno=errno.ENAMETOOLONG)
    if component in _DOTS:
        return _DOTS[component]
    long = component.rstrip(" .")
    if not long:
        raise _invalid(component, "a name needs more than dots and spaces")
    if long.isascii():
        return _with_short_name(long, long.encode("ascii"), is_ascii=True)
    return _with_short_name(long, oem_or_marks(long), is_ascii=False)


def _invalid(component: str, what: str, hint: str | None = None) -> FatError:
    return fat_error(FResult.INVALID_NAME, repr(component), what, hint=hint)


_PLAIN = bytes.maketrans(b"+,;=[]?", b"_______")
"""Short names have no ``+,;=[]``; ``?`` stands for characters that code page 437 lacks."""
_SHORT = _PLAIN.translate(oem_capitals())


def _with_short_name(long: str, oem: bytes, *, is_ascii: bool) -> NewName:
    """Make the short name from ``oem``, which has one byte for each UTF-16 unit of ``long``."""
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
        # E5 would mark the entry as deleted; sigma in code page 437 is such a byte.
        short = b"\x05" + short[1:]
    # FatFs uses the case bits for ASCII names alone: é.txt gets a long name.
    if lossy or not is_ascii or _has_both_cases(body) or _has_both_cases(ext):
        return NewName(long, short, 0, bool(lossy), needs_long=True, dot=False, key=upcase(long))
    nt = _NT_BASE * (body != body.upper()) | _NT_EXT * (ext != ext.upper())
    return NewName(long, short, nt, lossy=False, needs_long=False, dot=False, key=upcase(long))


_NT_BASE = ondisk.NT_LOWER_BASE
_NT_EXT = ondisk.NT_LOWER_EXT


def _has_both_cases(part: bytes) -> bool:
    return part not in (part.upper(), part.lower())


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LAST_PLAIN_NUMBER = 5
"""From the next try on, FatFs takes a hash of the long name for the number."""


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

    FatFs shifts the bits in at the low end, so the last unit does not meet the polynomial.
    """
    bits = utf_16_le_encode(long, "surrogatepass")[0].translate(_MIRROR)
    head = seed.to_bytes(2, "big") + bits[:-2]
    return crc_hqx(head, 0) ^ int.from_bytes(bits[-2:], "big")


# Names that are shown


def short_oem(short: bytes, nt: int) -> bytes:
    """Return the short name as the firmware lists it: CP437, in the case given by ``nt``."""
    body = short[:8].replace(b" ", b"")
    ext = short[8:].replace(b" ", b"")
    # FatFs sets the dot by the first byte of the extension alone, even if others follow.
    name = body + ext if short[8:9] == b" " else body + b"." + ext
    if not name:
        return b"?"
    name = name.replace(b"\x05", b"\xe5").partition(b"\0")[0]
    return _cased(name, nt) if nt & (_NT_BASE | _NT_EXT) else name


def _cased(name: bytes, nt: int) -> bytes:
    """Lower ASCII letters alone, as FatFs does; it switches from body to extension at a dot."""
    body, dot, ext = name.partition(b".")
    if nt & _NT_BASE:
        body = body.lower()
    return body + dot + (ext.lower() if nt & _NT_EXT else ext)


def short_text(short: bytes, nt: int) -> str:
    """Return the short name in Unicode, in the case given by ``nt``."""
    name = short_oem(short, nt)
    return name.decode("ascii" if name.isascii() else "cp437")


def listed_name(name: str, short: bytes, nt: int) -> bytes:
    """Return the name that the firmware lists.

    That is ``name`` if code page 437 has all of its characters, else the short name.
    """
    oem = unicode_to_oem(name)
    return short_oem(short, nt) if oem is None else oem


# Long names: entries of 13 UTF-16 units before the short entry, the last part first

MAX_PARTS = 20
"""Parts of the longest name: 255 units and the closing 0."""
_PART = 2 * ondisk.LONG_UNITS
_FILLER = "\uffff" * (ondisk.LONG_UNITS - 1)
_PIECE_CODES = "".join(
    declared.code for declared in LongEntry.fields if declared.name.startswith("LDIR_Name")
)
_PIECES = [struct.Struct(_PIECE_CODES * count) for count in range(MAX_PARTS + 1)]
"""Indexed by the number of parts: their text, which each part holds in three fields."""
_ORDERS = [bytes((order,)) for order in range(ondisk.LAST_LONG_ENTRY + MAX_PARTS + 1)]
_MIDDLES = [bytes((ondisk.ATTR_LONG_NAME, 0, check)) for check in range(256)]
"""LDIR_Attr, LDIR_Type and LDIR_Chksum."""
_ROTATED = [(byte & 0xFF) >> 1 | (byte & 1) << 7 for byte in range(511)]


def checksum(short: bytes) -> int:
    """Return the checksum of a short name (eleven bytes) that its long entries contain."""
    # Written out: a loop takes twice the time, and every name that is created needs it.
    r = _ROTATED
    a, b, c, d, e, f, g, h, i, j, k = short
    half = r[r[r[r[r[a] + b] + c] + d] + e] + f
    return (r[r[r[r[r[half] + g] + h] + i] + j] + k) & 0xFF


def long_entries(long: str, short: bytes) -> bytes:
    """Return the entries of the long name, in the order in which they lie on the card.

    ``long`` has 1 to 255 units, ``short`` is the short name with its number, if it has one.
    """
    text, _ = utf_16_le_encode(long, "surrogatepass")
    count, odd = divmod(len(text), _PART)
    if odd:
        count += 1
        text += b"\0\0".ljust(_PART - odd, b"\xff")
    middle = _MIDDLES[checksum(short)]
    pieces = _PIECES[count].unpack(text)
    at = 3 * count
    joined: list[bytes] = []
    for order in range(count, 0, -1):
        at -= 3
        joined += (_ORDERS[order], pieces[at], middle, pieces[at + 1], b"\0\0", pieces[at + 2])
    joined[0] = _ORDERS[count | ondisk.LAST_LONG_ENTRY]
    return b"".join(joined)


_CHECKSUM = LongEntry.offset_of("LDIR_Chksum")
_CLUSTER = LongEntry.offset_of("LDIR_FstClusLO")
_SOUND_ORDERS = [
    bytes((count | ondisk.LAST_LONG_ENTRY, *range(count - 1, 0, -1)))
    for count in range(MAX_PARTS + 1)
]
"""LDIR_Ord of the parts of a sound set, indexed by their number."""
_BYTES = [bytes((byte,)) for byte in range(256)]
_TEXT = "".join(
    declared.code if declared.name.startswith("LDIR_Name") else f"{declared.size}x"
    for declared in LongEntry.fields
)
_TEXTS = [struct.Struct(_TEXT * count) for count in range(MAX_PARTS + 1)]
_FORWARD = [
    itemgetter(*(part + piece for part in range(3 * count - 3, -1, -3) for piece in range(3)))
    for count in range(1, MAX_PARTS + 1)
]
"""Picks the three pieces of each part, first part of the name first."""


def read_long(entries: bytes, short: bytes) -> str | None:
    """Return the long name in ``entries``, as they lie on the card, of the short name ``short``.

    ``None`` where FatFs falls back on the short name: the numbers do not run down to 1, the
    checksum differs, LDIR_FstClusLO is not 0, or the filler after the end is not FFFFh. FatFs
    does not look at LDIR_Type.
    """
    size = ondisk.ENTRY_SIZE
    count, odd = divmod(len(entries), size)
    if odd or not 1 <= count <= MAX_PARTS:
        return None
    if (
        entries[::size] != _SOUND_ORDERS[count]
        or entries[_CHECKSUM::size] != _BYTES[checksum(short)] * count
        or any(entries[_CLUSTER::size])
        or any(entries[_CLUSTER + 1 :: size])
    ):
        return None
    return decode_long(b"".join(_FORWARD[count - 1](_TEXTS[count].unpack(entries))))


def decode_long(text: bytes) -> str | None:
    """Return the name in ``text``: 26 bytes from each of up to 20 parts, the first part first.

    ``None`` where FatFs rejects it: more than 255 units, or a wrong filler.
    """
    name, _ = utf_16_le_decode(text, "surrogatepass", True)
    end = name.find("\0")
    if not _fits(text):
        return None
    if end < 0:
        return name
    # As a rule the end is in the last part, and one comparison is enough.
    filler = name[end + 1 :]
    if filler != _FILLER[: len(filler)] and not _filled(text):
        return None
    return name[:end]


def _fits(text: bytes) -> bool:
    """Return True if the name has at most 255 units: FatFs has room for 256 with the closing 0.

    In a set of 20 parts, the last part must contain a 0 before the end of that room.
    """
    most = 2 * ondisk.MAX_LONG_NAME
    if len(text) <= most:
        return True
    last = text[most // _PART * _PART : most + 2]
    return "\0" in last.decode("utf-16-le", "surrogatepass")


def _filled(text: bytes) -> bool:
    """Return True if in each part nothing but FFFFh follows a 0.

    FatFs checks each part by itself: a 0 in a middle part ends the name there, and the parts
    after it are checked and dropped.
    """
    for at in range(0, len(text), _PART):
        part = text[at : at + _PART].decode("utf-16-le", "surrogatepass")
        end = part.find("\0")
        if end >= 0 and part.count("\uffff", end) != len(part) - end - 1:
            return False
    return True
