"""``ujson`` and ``ustruct``: data as text and as packed records."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from operator import index
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module
from maixfs.board.modules.streams import read_rest, send
from maixfs.tuples import NamedTuple
from maixfs.vfs.files import c_string, decode, encode

# ujson

_TOKEN = re.compile(
    r"""[,: \t\n\r]*(?:
        (?P<word>null|true|false)
      | (?P<number>[-0-9][-+.eE0-9]*)
      | "(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"
      | (?P<open>[\[{])
      | (?P<close>[]}])
    )""",
    re.DOTALL | re.VERBOSE,
)
_BLANKS = re.compile(r"[,: \t\n\r]*")
_END = re.compile(r"[ \t\n\v\f\r]*\Z")
_WORDS = {"null": None, "true": True, "false": False}
_SPECIAL = re.compile(r"\\(?:u(.{4})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_UNSAFE = re.compile(r'["\\\x00-\x1f]')
_SAFE = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def dumps(value: Any) -> str:
    """Return ``value`` as JSON; values that JSON lacks are written as their ``repr``."""
    if isinstance(value, str | bytes):
        text = decode(value) if isinstance(value, bytes) else value
        return '"' + _UNSAFE.sub(_escape, text) + '"'
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, dict):
        pairs = (f"{dumps(key)}: {dumps(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(dumps, value))}]"
    return repr(value)


def dump(value: Any, stream: Any) -> None:
    """Write ``value`` to a stream as JSON."""
    send(stream, dumps(value))


def loads(text: str | bytes | bytearray) -> Any:
    """Return the value of a JSON text; raises ``ValueError`` for a text without a value.

    As on the board, commas and colons count as blanks, brackets need not match, and the last one
    may be missing. So a file that a power cut left short may be read without an error.
    """
    if not isinstance(text, str | bytes | bytearray):
        kind = type(text).__name__
        raise TypeError(f"can't convert '{kind}' object to str implicitly")
    whole = text if isinstance(text, str) else decode(text)
    return _parse(whole.partition("\0")[0])


def load(stream: Any) -> Any:
    """Read a stream to its end and return its value."""
    return loads(read_rest(stream))


def ujson() -> ModuleType:
    """Return the module."""
    return make_module("ujson", {"dump": dump, "dumps": dumps, "load": load, "loads": loads})


class _Open:
    """A list or a dictionary whose end has not been read yet."""

    def __init__(self, bracket: str) -> None:
        self.value: Any = [] if bracket == "[" else {}
        self._keys: list[Any] = []

    def take(self, item: Any) -> None:
        """Add an item; in a dictionary keys and values alternate."""
        if isinstance(self.value, list):
            self.value.append(item)
        elif self._keys:
            self.value[self._keys.pop()] = item
        elif isinstance(item, list | dict):
            raise _error()
        else:
            self._keys.append(item)


def _parse(text: str) -> Any:
    place = 0
    nested: list[_Open] = []
    while token := _TOKEN.match(text, place):
        place = token.end()
        if token["close"]:
            if not nested:
                raise _error()
            if len(nested) == 1:
                return _last(nested[0].value, text, place)
            nested.pop()
            continue
        opened = _Open(token["open"]) if token["open"] else None
        value = opened.value if opened else _primitive(token)
        if nested:
            nested[-1].take(value)
        elif not opened:
            return _last(value, text, place)
        if opened:
            nested.append(opened)
    # One missing bracket at the end is accepted, two are not.
    if len(nested) != 1 or not _BLANKS.fullmatch(text, place):
        raise _error()
    return nested[0].value


def _last(value: Any, text: str, place: int) -> Any:
    """Return ``value``; raises ``ValueError`` unless only blanks follow it."""
    if not _END.match(text, place):
        raise _error()
    return value


def _primitive(token: re.Match[str]) -> Any:
    if token["word"]:
        return _WORDS[token["word"]]
    if number := token["number"]:
        return float(number) if set(number) & set(".eE") else int(number)
    return _SPECIAL.sub(_unescape, token["text"])


def _unescape(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return _ESCAPES.get(escape[2], escape[2])
    try:
        return chr(int(escape[1], 16))
    except ValueError:
        raise _error() from None


def _escape(unsafe: re.Match[str]) -> str:
    letter = unsafe[0]
    return _SAFE.get(letter) or f"\\u{ord(letter):04x}"


def _error() -> ValueError:
    return ValueError("syntax error in JSON")


# ustruct

_FIELD = re.compile(r"(\d*)([bBhHiIlLqQPfds])")
_BITS = {"b": 8, "h": 16, "i": 32, "l": 32, "q": 64}
_FLOAT_MAX = (2 - 2**-23) * 2.0**127  # of 32 bits; what is larger becomes infinite
_NATIVE_LONG = str.maketrans("lLP", "qQQ")  # a long is 8 bytes on RV64, on the host perhaps 4
_POINTER = str.maketrans("P", "Q")


class Layout(NamedTuple):
    """A ``Struct`` of the host with the board's layout, and the code of each value."""

    record: struct.Struct
    codes: str


def calcsize(layout: str | bytes) -> int:
    """Return the size of a record in bytes; raises ``ValueError`` for a wrong ``layout``."""
    return _layout(c_string(layout)).record.size


def pack(layout: str | bytes, *values: Any) -> bytes:
    """Return ``values`` as bytes; raises ``TypeError`` for a value of a wrong type.

    As on the board, numbers lose the bits that do not fit, missing values are zero and surplus
    values are ignored.
    """
    record, codes = _layout(c_string(layout))
    fields = [_fitting(code, value) for code, value in zip(codes, values, strict=False)]
    missing = [b"" if code == "s" else 0 for code in codes[len(fields) :]]
    return record.pack(*fields, *missing)


def pack_into(layout: str | bytes, target: Any, offset: int, *values: Any) -> None:
    """Write ``values`` into ``target`` from ``offset`` (below 0: from its end)."""
    data = pack(layout, *values)
    view = memoryview(target).cast("B")
    view[_part(len(view), offset, len(data))] = data


def unpack_from(layout: str | bytes, data: Any, offset: int = 0) -> tuple[Any, ...]:
    """Return the values at ``offset``; bytes that follow them are ignored."""
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
    # Characters between the fields would be lost by finditer.
    if "".join(count + code for count, code in fields) != body:
        raise ValueError("bad typecode")
    native = order in ("", "@")
    body = body.translate(_NATIVE_LONG if native else _POINTER)
    codes = ("s" if code == "s" else code * int(count or 1) for count, code in fields)
    return Layout(
        struct.Struct(order + body), "".join(codes).translate(_NATIVE_LONG if native else _POINTER)
    )


def _fitting(code: str, value: Any) -> Any:
    """Return ``value`` cut to the size of a field with this code."""
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
    """Return ``size`` bytes at ``offset`` as a slice; raises ``ValueError`` if there are fewer."""
    start = offset + length if offset < 0 else offset
    if start < 0 or start + size > length:
        raise ValueError("buffer too small")
    return slice(start, start + size)
