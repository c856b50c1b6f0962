"""Long names as they lie in a directory: entries of 13 UTF-16 units before the short one."""

from __future__ import annotations

import struct
from codecs import utf_16_le_encode
from collections.abc import Iterable
from functools import cache

from maixfs.fat import ondisk

_PART = 2 * ondisk.LONG_UNITS
_FILLER = "\uffff" * (ondisk.LONG_UNITS - 1)
_ENTRY = ondisk.LongEntry.struct
_PIECES = [struct.Struct("10s12s4s" * count) for count in range(21)]
"""The text of so many parts, as their entries have it in three places each."""
_ORDERS = [bytes((order,)) for order in range(ondisk.LAST_LONG_ENTRY + 21)]
_MIDDLES = [bytes((ondisk.ATTR_LONG_NAME, 0, check)) for check in range(256)]
"""LDIR_Attr, LDIR_Type and LDIR_Chksum."""
_ROTATED = [(byte & 0xFF) >> 1 | (byte & 1) << 7 for byte in range(511)]


def checksum(short: bytes) -> int:
    """Return the checksum by which long entries know their short one (eleven bytes)."""
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


def read_long(entries: bytes, short: bytes) -> str | None:
    """Return the long name that ``entries``, as they lie on the card, give to ``short``.

    ``None`` where FatFs does not believe them: the numbers do not run down to 1, the checksum
    is another's, a cluster is given, or what follows the end of the name is not FFFFh.
    """
    count, odd = divmod(len(entries), ondisk.ENTRY_SIZE)
    if odd or not 1 <= count <= ondisk.LAST_LONG_ENTRY:
        return None
    fields = _set_of(count).unpack(entries)
    orders, none = _orders(count)
    if fields[::8] != orders or fields[6::8] != none:
        return None
    if fields[4::8] != (checksum(short),) * count:
        return None
    return join_long([fields[at] for at in _name_fields(count)])


@cache
def _set_of(count: int) -> struct.Struct:
    return struct.Struct("<" + _ENTRY.format.removeprefix("<") * count)


@cache
def _orders(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what LDIR_Ord and LDIR_FstClusLO of a good set are."""
    return (count | ondisk.LAST_LONG_ENTRY, *range(count - 1, 0, -1)), (0,) * count


@cache
def _name_fields(count: int) -> tuple[int, ...]:
    """Return where the names of a set are in its fields, in the order of the name."""
    starts = range((count - 1) * len(ondisk.LongEntry.fields), -1, -len(ondisk.LongEntry.fields))
    return tuple(start + field for start in starts for field in (1, 5, 7))


def join_long(parts: Iterable[bytes]) -> str | None:
    """Return the name in ``parts``, each the 26 bytes of an entry, first part of the name first.

    ``None`` where FatFs does not believe it: more than 255 units, or a wrong filler.
    """
    joined = b"".join(parts)
    text = joined.decode("utf-16-le", "surrogatepass")
    end = text.find("\0")
    if not _fits(joined):
        return None
    if end < 0:
        return text
    # As a rule the end is in the last part, and one look at what follows is enough.
    filler = text[end + 1 :]
    if filler != _FILLER[: len(filler)] and not _filled(joined):
        return None
    return text[:end]


def _fits(joined: bytes) -> bool:
    """Tell whether name and closing 0 are at most 256 units; they end in part 20 at the latest."""
    most = 2 * ondisk.MAX_LONG_NAME
    if len(joined) <= most:
        return True
    last = joined[most // _PART * _PART : most + 2]
    return len(joined) - most < _PART and "\0" in last.decode("utf-16-le", "surrogatepass")


def _filled(joined: bytes) -> bool:
    """Tell whether in each part nothing but FFFFh follows a 0.

    A part in the middle may hold one, and ends the name there; FatFs looks at each by itself.
    """
    for at in range(0, len(joined), _PART):
        part = joined[at : at + _PART].decode("utf-16-le", "surrogatepass")
        end = part.find("\0")
        if end >= 0 and part.count("\uffff", end) != len(part) - end - 1:
            return False
    return True
