"""Modules without access to the board: numbers, bytes, text, collections, random numbers.

Most functions are those of the host, but only those that MaixPy's MicroPython 1.11 has: a script
that uses another one fails here as on the board.
"""

from __future__ import annotations

import binascii
import cmath
import collections
import heapq
import math
import re
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from operator import index
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import AttrTuple, make_module, pick, public
from maixfs.board.modules.streams import BytesIO, read_rest
from maixfs.vfs.errors import ERRORCODE, UERRNO
from maixfs.vfs.files import encode

# Modules over the host's own

_MATH = (
    "e pi sqrt pow exp expm1 log log2 log10 cosh sinh tanh acosh asinh atanh cos sin tan acos"
    " asin atan atan2 ceil copysign fabs floor fmod frexp ldexp modf isfinite isinf isnan trunc"
    " radians degrees erf erfc gamma lgamma"
)
_CMATH = "e pi phase polar rect exp log log10 sqrt cos sin"


class Sha256:
    """``uhashlib.sha256``; the board has no ``hexdigest``."""

    def __init__(self, data: Any = b"") -> None:
        from hashlib import sha256

        self._hash = sha256(_raw(data))

    def update(self, data: Any) -> None:
        """Add bytes."""
        self._hash.update(_raw(data))

    def digest(self) -> bytes:
        """Return the 32 bytes of the hash."""
        return self._hash.digest()

    def calculate_hard(self, data: Any) -> bytes:
        """Return the hash of ``data`` alone; the board uses its accelerator."""
        return Sha256(data).digest()


class DecompIO:
    """``uzlib.DecompIO``: a stream that decompresses another stream."""

    def __init__(self, stream: Any, wbits: int = 0) -> None:
        packed = read_rest(stream)
        self._plain = BytesIO(_inflate(_raw(packed), wbits))
        self.read = self._plain.read
        self.readinto = self._plain.readinto
        self.readline = self._plain.readline


def umath() -> ModuleType:
    """Return ``math``."""
    return make_module("math", pick(math, _MATH.split()))


def ucmath() -> ModuleType:
    """Return ``cmath``."""
    return make_module("cmath", pick(cmath, _CMATH.split()))


def uarray() -> ModuleType:
    """Return ``array``."""
    return make_module("array", {"array": array})


def uheapq() -> ModuleType:
    """Return ``uheapq``."""
    return make_module("uheapq", {**pick(heapq, ("heappush", "heapify")), "heappop": _heappop})


def uhashlib() -> ModuleType:
    """Return ``uhashlib``; the board only has SHA-256."""
    return make_module("uhashlib", {"sha256": Sha256})


def ure() -> ModuleType:
    """Return ``ure``; it accepts more syntax than the board's."""
    return make_module("ure", pick(re, ("compile", "match", "search", "sub", "DEBUG")))


def uerrno() -> ModuleType:
    """Return ``uerrno``."""
    return make_module("uerrno", {**UERRNO, "errorcode": dict(ERRORCODE)})


def ubinascii() -> ModuleType:
    """Return ``ubinascii``."""
    names = ("hexlify", "unhexlify", "a2b_base64", "b2a_base64", "crc32")
    functions = pick(binascii, names)
    return make_module("ubinascii", {name: _taking_text(functions[name]) for name in names})


def uzlib() -> ModuleType:
    """Return ``uzlib``."""
    return make_module("uzlib", {"decompress": _inflate, "DecompIO": DecompIO})


def _inflate(data: bytes, wbits: int = 0) -> bytes:
    """Decompress zlib, raw deflate (``wbits`` below 0) or gzip (16 and more)."""
    try:
        return zlib.decompress(data, wbits or zlib.MAX_WBITS)
    except zlib.error as reason:
        raise ValueError(-3) from reason  # TINF_DATA_ERROR, the whole text on the board


def _taking_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with a first argument that may be text, as on the board."""

    def call(data: Any, *more: Any) -> Any:
        return function(_raw(data), *more)

    return call


def _heappop(heap: list[Any]) -> Any:
    if isinstance(heap, list) and not heap:
        raise IndexError("empty heap")
    return heapq.heappop(heap)


def _raw(data: Any) -> bytes:
    """Return the bytes of a buffer or a text."""
    return encode(data) if isinstance(data, str) else bytes(memoryview(data))


# ucollections


class OrderedDict(collections.OrderedDict[Any, Any]):
    """A dictionary in order of insertion; as in the firmware, ``popitem`` removes the oldest."""

    def popitem(self) -> tuple[Any, Any]:  # type: ignore[override]
        """Remove and return the first pair; raises ``KeyError`` if the dictionary is empty."""
        return super().popitem(last=False)

    def __repr__(self) -> str:
        return f"OrderedDict({dict(self)!r})"


class Deque:
    """``deque((), maxlen[, flags])``: a queue of limited length.

    If it is full, ``append`` drops the oldest item; with ``flags`` 1 it raises ``IndexError``.
    """

    def __init__(self, items: Iterable[Any], maxlen: int, flags: int = 0, /) -> None:
        if items != () or index(maxlen) < 0:
            raise ValueError
        self._items: collections.deque[Any] = collections.deque(maxlen=maxlen)
        self._maxlen = maxlen
        self._checked = bool(flags & 1)

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Any) -> None:
        """Append ``item`` at the end."""
        # The host's deque drops the oldest item by itself.
        if self._checked and len(self._items) == self._maxlen:
            raise IndexError("full")
        self._items.append(item)

    def popleft(self) -> Any:
        """Remove and return the oldest item; raises ``IndexError`` if the queue is empty."""
        if not self._items:
            raise IndexError("empty")
        return self._items.popleft()


def namedtuple(name: str, fields: str | Iterable[str]) -> type[AttrTuple]:
    """Return a class of tuples with named items."""
    names = tuple(fields.split() if isinstance(fields, str) else fields)

    def make(cls: type[AttrTuple], *values: Any, **named: Any) -> AttrTuple:
        if (count := len(values) + len(named)) != len(names):
            raise TypeError(
                f"{name}() takes {len(names)} positional arguments but {count} were given"
            )
        for field in named:
            if field not in names:
                raise TypeError(f"unexpected keyword argument '{field}'")
            if field in names[: len(values)]:
                raise TypeError(f"function got multiple values for argument '{field}'")
        return tuple.__new__(cls, [*values, *(named[field] for field in names[len(values) :])])

    def show(self: AttrTuple) -> str:
        return f"{name}{AttrTuple.__repr__(self)}"

    body = {"__slots__": (), "_fields": names, "__new__": make, "__repr__": show}
    return type(name, (AttrTuple,), body | {"__module__": "builtins"})


for _class, _name in ((Deque, "deque"), (OrderedDict, "OrderedDict")):
    _class.__name__ = _class.__qualname__ = _name  # as errors and type() show them
    _class.__module__ = "builtins"


def ucollections() -> ModuleType:
    """Return the module."""
    members = {"deque": Deque, "namedtuple": namedtuple, "OrderedDict": OrderedDict}
    return make_module("ucollections", members)


# urandom

_MASK = 0xFFFFFFFF
_FRACTION_BITS = 23  # of the board's 32-bit floating point


class Yasmarang:
    """MicroPython's random generator (I. Levin's Yasmarang), 32 bits a step.

    It starts with the constants of the firmware and so gives the numbers of a real board.
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
    """The functions of ``urandom``; they raise ``ValueError`` for an empty range."""

    def __init__(self) -> None:
        self._source = Yasmarang()

    def seed(self, number: int) -> None:
        """Restart the generator with ``number``."""
        self._source = Yasmarang(index(number))

    def getrandbits(self, count: int) -> int:
        """Return ``count`` random bits, 1 to 32."""
        if not 0 < count <= 32:
            raise ValueError
        return self._source.next() & (_MASK >> (32 - count))

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Return a number of ``range(start, stop, step)``."""
        numbers = range(start) if stop is None else range(start, stop, step)
        if not numbers:
            raise ValueError
        return numbers[self._source.below(len(numbers))]

    def randint(self, first: int, last: int) -> int:
        """Return a number from ``first`` to ``last``, both included."""
        return self.randrange(first, last + 1)

    def choice(self, items: Sequence[Any]) -> Any:
        """Return an item of ``items``; raises ``IndexError`` if there are none."""
        if not items:
            raise IndexError
        return items[self._source.below(len(items))]

    def random(self) -> float:
        """Return a number from 0 to below 1, with the 23 bits of the board's floats."""
        return (self._source.next() & ((1 << _FRACTION_BITS) - 1)) / (1 << _FRACTION_BITS)

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``."""
        return low + (high - low) * self.random()


def urandom() -> ModuleType:
    """Return the module with a new generator."""
    return make_module("urandom", public(URandom()))
