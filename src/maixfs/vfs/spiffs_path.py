"""How MaixPy turns a path and a mode into a SPIFFS name and SPIFFS flags."""

from __future__ import annotations

from maixfs.spiffs import OpenFlag
from maixfs.vfs.text import c_string

_LETTERS = {
    "r": OpenFlag.RDONLY,
    "w": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "x": OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.TRUNC,
    "a": OpenFlag.RDWR | OpenFlag.APPEND,
    "+": OpenFlag.RDWR,
}


def stored_name(path: object) -> str:
    """Return the name under which SPIFFS stores ``path``: ``x`` and ``./x`` are ``/x``.

    Raises ``TypeError`` for a path that is neither ``str`` nor ``bytes``.
    """
    text = c_string(path)
    if text.startswith("./"):
        return text[1:]
    return text if text.startswith("/") else f"/{text}"


def open_flags(letters: str) -> OpenFlag:
    """Return the flags of all letters of a mode, or-ed; unknown letters say nothing."""
    flags = OpenFlag(0)
    for letter in letters:
        flags |= _LETTERS.get(letter, OpenFlag(0))
    return flags
