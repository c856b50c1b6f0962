"""``ujson``: what it writes, and how little it demands of what it reads.

Commas and colons are blanks to it, brackets need not match, and one that is missing at the very
end is not missed. So a file of settings that a power cut left short may be read without an
error.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module
from maixfs.board.modules.streams import drain, send
from maixfs.vfs.files import decode

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
    """Return ``value`` as JSON; what JSON does not know as ``repr`` shows it."""
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
    """Return the value that ``text`` says; raises ``ValueError`` where it says none."""
    if not isinstance(text, str | bytes | bytearray):
        kind = type(text).__name__
        raise TypeError(f"can't convert '{kind}' object to str implicitly")
    whole = text if isinstance(text, str) else decode(text)
    return _parse(whole.partition("\0")[0])


def load(stream: Any) -> Any:
    """Read a stream to its end and return the value in it."""
    return loads(drain(stream))


def ujson() -> ModuleType:
    """Return the module."""
    return make_module("ujson", {"dump": dump, "dumps": dumps, "load": load, "loads": loads})


class _Open:
    """A list or a dictionary that is still being read."""

    def __init__(self, bracket: str) -> None:
        self.value: Any = [] if bracket == "[" else {}
        self._keys: list[Any] = []

    def take(self, item: Any) -> None:
        """Add what was read inside of it: in a dictionary keys and values take turns."""
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
    if len(nested) != 1 or not _BLANKS.fullmatch(text, place):
        raise _error()
    return nested[0].value


def _last(value: Any, text: str, place: int) -> Any:
    """Return ``value`` if nothing but blanks follows it."""
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
