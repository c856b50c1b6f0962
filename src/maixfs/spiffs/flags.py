"""Flags of SPIFFS for the mode letters of Python's ``open``."""

from __future__ import annotations

from functools import lru_cache

from maixfs.errors import UsageError
from maixfs.spiffs.descriptor import OpenFlag

_MODES = {
    "r": OpenFlag.RDONLY,
    "r+": OpenFlag.RDWR,
    "w": OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.TRUNC,
    "w+": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "a": OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.APPEND,
    "a+": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.APPEND,
    "x": OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL,
    "x+": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL,
}


@lru_cache(maxsize=64)
def parse_mode(mode: str) -> tuple[OpenFlag, bool]:
    """Return the flags of one of Python's file modes, and whether it is a binary one.

    Raises ``UsageError`` for a mode that Python's own ``open`` would refuse.
    """
    letters = set(mode)
    binary = "b" in letters
    key = "".join(sorted(letters - {"b", "t"}, reverse=True))
    if len(letters) != len(mode) or {"b", "t"} <= letters or key not in _MODES:
        raise UsageError(f"{mode!r} is no file mode", hint="r, w, a or x, with + and b or t")
    return _MODES[key], binary
