"""``ujson``: four functions, text as UTF-8, one error text."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module


def dumps(value: Any) -> str:
    """Return ``value`` as JSON; characters beyond ASCII stay as they are."""
    return json.dumps(value, ensure_ascii=False, default=repr)


def dump(value: Any, stream: Any) -> None:
    """Write ``value`` to a stream as JSON."""
    stream.write(dumps(value))


def loads(text: str | bytes | bytearray) -> Any:
    """Return the value that ``text`` says; raises ``ValueError`` where it says none."""
    try:
        return json.loads(text)
    except ValueError as reason:
        raise ValueError("syntax error in JSON") from reason


def load(stream: Any) -> Any:
    """Read a stream to its end and return the value in it."""
    return loads(stream.read())


def ujson() -> ModuleType:
    """Return the module."""
    return make_module("ujson", {"dump": dump, "dumps": dumps, "load": load, "loads": loads})
