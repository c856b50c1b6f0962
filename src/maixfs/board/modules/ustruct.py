"""``ustruct``: packed records as the K210 lays them out, on any host."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module

_NATIVE_LONG = str.maketrans("lL", "qQ")  # a long is 8 bytes on RV64, on the host perhaps 4


def calcsize(layout: str) -> int:
    """Return the bytes that ``layout`` takes; raises ``ValueError`` for a wrong one."""
    return _record(layout).size


def pack(layout: str, *values: Any) -> bytes:
    """Return ``values`` as bytes; raises ``ValueError`` where they do not fit ``layout``."""
    try:
        return _record(layout).pack(*values)
    except struct.error as reason:
        raise ValueError(str(reason)) from reason


def pack_into(layout: str, target: Any, offset: int, *values: Any) -> None:
    """Write ``values`` into ``target`` from ``offset``."""
    try:
        _record(layout).pack_into(target, offset, *values)
    except struct.error as reason:
        raise ValueError("buffer too small") from reason


def unpack_from(layout: str, data: Any, offset: int = 0) -> tuple[Any, ...]:
    """Return the values at ``offset``; more bytes than needed are no error."""
    try:
        return _record(layout).unpack_from(data, offset)
    except struct.error as reason:
        raise ValueError("buffer too small") from reason


def unpack(layout: str, data: Any) -> tuple[Any, ...]:
    """Return the values at the start of ``data``."""
    return unpack_from(layout, data)


def ustruct() -> ModuleType:
    """Return the module."""
    functions = (calcsize, pack, pack_into, unpack, unpack_from)
    return make_module("ustruct", {function.__name__: function for function in functions})


def _record(layout: str) -> struct.Struct:
    if not layout.startswith(("<", ">", "!", "=")):
        layout = layout.translate(_NATIVE_LONG)
    try:
        return struct.Struct(layout)
    except struct.error as reason:
        raise ValueError("bad typecode") from reason
