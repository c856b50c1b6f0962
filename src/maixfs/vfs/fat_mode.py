"""How MicroPython turns the letters of a mode into FatFs's flags."""

from __future__ import annotations

from functools import lru_cache

from maixfs.fat.openflag import OpenFlag

_LETTERS = {
    "r": OpenFlag.READ,
    "w": OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS,
    "x": OpenFlag.WRITE | OpenFlag.CREATE_NEW,
    "a": OpenFlag.WRITE | OpenFlag.OPEN_ALWAYS,
    "+": OpenFlag.READ | OpenFlag.WRITE,
}


@lru_cache(maxsize=64)
def open_flags(letters: str) -> OpenFlag:
    """Return the flags of all letters of a mode, or-ed; unknown letters say nothing."""
    flags = OpenFlag(0)
    for letter in letters:
        flags |= _LETTERS.get(letter, OpenFlag(0))
    return flags
