"""``ustruct``: packed records as the K210 lays them out, on any host.

MicroPython's is more patient than CPython's: numbers lose what does not fit, missing values are
zero, surplus ones are left out.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from operator import index
from types import ModuleType
from typing import Any, NamedTuple

from maixfs.board.modules.kit import make_module
from maixfs.vfs.files import c_string, encode

_FIELD = re.compile(r"(\d*)([bBhHiIlLqQPfds])")
_BITS = {"b": 8, "h": 16, "i": 32, "l": 32, "q": 64}
_FLOAT_MAX = (2 - 2**-23) * 2.0**127  # of 32 bits; what is larger becomes infinite
_NATIVE_LONG = str.maketrans("lLP", "qQQ")  # a long is 8 bytes on RV64, on the host perhaps 4
_POINTER = str.maketrans("P", "Q")


class Layout(NamedTuple):
    """A record of the host that lays out the same bytes, and the code of each value in it."""

    record: struct.Struct
    codes: str


def calcsize(layout: str | bytes) -> int:
    """Return the bytes that ``layout`` takes; raises ``ValueError`` for a wrong one."""
    return _layout(c_string(layout)).record.size


def pack(layout: str | bytes, *values: Any) -> bytes:
    """Return ``values`` as bytes; raises ``TypeError`` for one of a wrong kind."""
    record, codes = _layout(c_string(layout))
    given = [_fitting(code, value) for code, value in zip(codes, values, strict=False)]
    missing = [b"" if code == "s" else 0 for code in codes[len(given) :]]
    return record.pack(*given, *missing)


def pack_into(layout: str | bytes, target: Any, offset: int, *values: Any) -> None:
    """Write ``values`` into ``target`` from ``offset`` (below 0: from its end)."""
    data = pack(layout, *values)
    view = memoryview(target).cast("B")
    view[_part(len(view), offset, len(data))] = data


def unpack_from(layout: str | bytes, data: Any, offset: int = 0) -> tuple[Any, ...]:
    """Return the values at ``offset``; more bytes than needed are no error."""
    record = _layout(c_string(layout)).record
    view = memoryview(encode(data) if isinstance(data, str) else data).cast("B")
    return record.unpack(view[_part(len(view), offset, record.size)])


def ustruct() -> ModuleType:
    """Return the module."""
    functions = {function.__name__: function for function in (calcsize, pack, pack_into)}
    return make_module("ustruct", functions | {"unpack": unpack_from, "unpack_from": unpack_from})


@lru_cache(maxsize=64)
def _layout(text: str) -> Layout:
    order = text[0] if text[:1] in ("@", "<", ">", "!") else ""
    body = text[len(order) :]
    fields = [match.groups() for match in _FIELD.finditer(body)]
    if "".join(count + code for count, code in fields) != body:
        raise ValueError("bad typecode")
    native = order in ("", "@")
    body = body.translate(_NATIVE_LONG if native else _POINTER)
    codes = ("s" if code == "s" else code * int(count or 1) for count, code in fields)
    return Layout(
        struct.Struct(order + body), "".join(codes).translate(_NATIVE_LONG if native else _POINTER)
    )


def _fitting(code: str, value: Any) -> Any:
    """Return ``value`` cut to what a field of this kind holds."""
    if code == "s":
        return encode(value) if isinstance(value, str) else bytes(memoryview(value))
    if code in "fd":
        if not isinstance(value, int | float):
            raise TypeError(f"can't convert {type(value).__name__} to float")
        return value if code == "d" or abs(value) <= _FLOAT_MAX else value * float("inf")
    bits = _BITS[code.lower()]
    number = index(value) & ((1 << bits) - 1)
    return number - (1 << bits) if code.islower() and number >> (bits - 1) else number


def _part(length: int, offset: int, size: int) -> slice:
    """Return where ``size`` bytes lie in a buffer; raises ``ValueError`` where they do not."""
    start = offset + length if offset < 0 else offset
    if start < 0 or start + size > length:
        raise ValueError("buffer too small")
    return slice(start, start + size)
