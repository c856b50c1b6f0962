"""What bytes are like that nothing is known about."""

from __future__ import annotations

from collections import Counter
from math import log2

from maixfs.nor import Buffer

SAMPLE = 16384
"""Bytes that are looked at of a longer range, in pieces from all over it."""
_PIECES = 16
_RANDOM = 7.9
"""Bits per byte from which on bytes are compressed or encrypted, where enough were seen."""
_ENOUGH = 4096
_RETURN = b"\x82\x80"
"""The two bytes of a function's return in compressed RISC-V code."""
_CODE_SHARE = 2048
"""Code has more than one return in so many bytes; among random bytes it is one in 65536."""
_TEXT_SHARE = 0.97
_TEXT = bytes({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, *range(0x80, 0x100)} - {0xFF})


def entropy(data: Buffer, *, sample: int = SAMPLE) -> float:
    """Return the entropy of single bytes, 0 to 8 bits per byte, from a sample of ``data``."""
    return _entropy(_sampled(memoryview(data).cast("B"), sample))


def classify(data: Buffer, *, sample: int = SAMPLE) -> tuple[str, float]:
    """Return what ``data`` is like, and its entropy in bits per byte.

    The class is ``erased`` (all FF), ``zero``, ``text``, ``code`` (for the K210),
    ``compressed`` (or encrypted) or ``data``, told from a sample.
    """
    seen = _sampled(memoryview(data).cast("B"), sample)
    bits = _entropy(seen)
    if bits == 0.0:
        return {0xFF: "erased", 0x00: "zero"}.get(seen[0] if seen else 0xFF, "data"), bits
    if len(seen.translate(None, _TEXT)) <= (1 - _TEXT_SHARE) * len(seen):
        return ("text" if bits < _RANDOM else "compressed"), bits
    if seen.count(_RETURN) * _CODE_SHARE > len(seen):
        return "code", bits
    return ("compressed" if bits >= _RANDOM and len(seen) >= _ENOUGH else "data"), bits


def _sampled(view: memoryview, sample: int) -> bytes:
    if len(view) <= sample:
        return bytes(view)
    piece = max(1, sample // _PIECES)
    step = (len(view) - piece) / (_PIECES - 1)
    starts = (int(number * step) for number in range(_PIECES))
    return b"".join(bytes(view[start : start + piece]) for start in starts)


def _entropy(data: bytes) -> float:
    size = len(data)
    return sum(n / size * log2(size / n) for n in Counter(data).values()) if data else 0.0
