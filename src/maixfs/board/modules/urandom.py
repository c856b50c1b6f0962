"""``urandom``: the board's own numbers, the same after every reset."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module, public

_MASK = 0xFFFFFFFF
_FRACTION_BITS = 23  # of the board's 32-bit floating point


class Yasmarang:
    """The generator of MicroPython (I. Levin's Yasmarang), 32 bits a turn.

    Starts from the firmware's constants, so that the numbers are those of a board.
    """

    def __init__(self, seed: int = 0xEDA4BABA) -> None:
        self._pad = seed & _MASK
        self._n = 69
        self._d = 233
        self._dat = 0

    def next(self) -> int:
        """Return the next 32 bits."""
        pad = (self._pad + self._dat + self._d * self._n) & _MASK
        pad = ((pad << 3) + (pad >> 29)) & _MASK
        self._pad = pad
        self._n = pad | 2
        self._d = (self._d ^ ((pad << 31) + (pad >> 1))) & _MASK
        self._dat ^= (pad ^ (self._d >> 8) ^ 1) & 0xFF
        return (pad ^ (self._d << 5) ^ (pad >> 18) ^ (self._dat << 1)) & _MASK

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1 (``limit`` is at least 1)."""
        mask = (1 << (limit & _MASK).bit_length()) - 1
        while True:  # at least half of the masked numbers are low enough
            number = self.next() & mask
            if number < limit:
                return number


class URandom:
    """What the module holds; each raises ``ValueError`` for an empty range."""

    def __init__(self) -> None:
        self._source = Yasmarang()

    def seed(self, number: int) -> None:
        """Start again from ``number``."""
        self._source = Yasmarang(index(number))

    def getrandbits(self, count: int) -> int:
        """Return ``count`` random bits, 1 to 32."""
        if not 0 < count <= 32:
            raise ValueError
        return self._source.next() & (_MASK >> (32 - count))

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Return one number of ``range(start, stop, step)``."""
        numbers = range(start) if stop is None else range(start, stop, step)
        if not numbers:
            raise ValueError
        return numbers[self._source.below(len(numbers))]

    def randint(self, first: int, last: int) -> int:
        """Return a number from ``first`` to ``last``, both included."""
        return self.randrange(first, last + 1)

    def choice(self, items: Sequence[Any]) -> Any:
        """Return one of ``items``; raises ``IndexError`` where there is none."""
        if not items:
            raise IndexError
        return items[self._source.below(len(items))]

    def random(self) -> float:
        """Return a fraction from 0 to below 1."""
        return (self._source.next() & ((1 << _FRACTION_BITS) - 1)) / (1 << _FRACTION_BITS)

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``."""
        return low + (high - low) * self.random()


def urandom() -> ModuleType:
    """Return the module, freshly seeded."""
    return make_module("urandom", public(URandom()))
