"""Modules that need nothing of the board: numbers, bytes, text and collections.

They are the host's own functions under the names that MaixPy's MicroPython 1.11 has, so that
a script which uses a function that the board lacks fails here as there.
"""

from __future__ import annotations

import binascii
import cmath
import heapq
import math
import re
import zlib
from array import array
from collections.abc import Callable
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import make_module, pick
from maixfs.board.modules.streams import BytesIO, drain
from maixfs.vfs.errors import ERRORCODE, UERRNO
from maixfs.vfs.files import encode

_MATH = (
    "e pi sqrt pow exp expm1 log log2 log10 cosh sinh tanh acosh asinh atanh cos sin tan acos"
    " asin atan atan2 ceil copysign fabs floor fmod frexp ldexp modf isfinite isinf isnan trunc"
    " radians degrees erf erfc gamma lgamma"
)
_CMATH = "e pi phase polar rect exp log log10 sqrt cos sin"


class Sha256:
    """``uhashlib.sha256``: ``update`` and ``digest``, no ``hexdigest`` on the board."""

    def __init__(self, data: Any = b"") -> None:
        from hashlib import sha256

        self._hash = sha256(_raw(data))

    def update(self, data: Any) -> None:
        """Take in more bytes."""
        self._hash.update(_raw(data))

    def digest(self) -> bytes:
        """Return the 32 bytes of the hash."""
        return self._hash.digest()

    def calculate_hard(self, data: Any) -> bytes:
        """Return the hash of ``data`` alone, which the board's accelerator computes."""
        return Sha256(data).digest()


class DecompIO:
    """``uzlib.DecompIO``: a stream that unpacks what another stream holds."""

    def __init__(self, stream: Any, wbits: int = 0) -> None:
        packed = drain(stream)
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
    """Return ``uhashlib``; the board's chip has SHA-256 and nothing else."""
    return make_module("uhashlib", {"sha256": Sha256})


def ure() -> ModuleType:
    """Return ``ure``; the host's expressions know more than the board's."""
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
    """Unpack a zlib stream, a raw one (``wbits`` below 0) or gzip (16 and more)."""
    try:
        return zlib.decompress(data, wbits or zlib.MAX_WBITS)
    except zlib.error as reason:
        raise ValueError(-3) from reason  # TINF_DATA_ERROR, all that the board says


def _taking_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with a first argument that may be text, as any buffer on the board."""

    def call(data: Any, *more: Any) -> Any:
        return function(_raw(data), *more)

    return call


def _heappop(heap: list[Any]) -> Any:
    if isinstance(heap, list) and not heap:
        raise IndexError("empty heap")
    return heapq.heappop(heap)


def _raw(data: Any) -> bytes:
    """Return the bytes of a buffer; MicroPython also takes text here."""
    return encode(data) if isinstance(data, str) else bytes(memoryview(data))
