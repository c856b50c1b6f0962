"""Features of faces as the firmware keeps and compares them: eight bits for each number."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maixfs.board.numbers import single

MOST_FEATURES = 512
_LIMIT = 0.25
_SCALE = 512


def encode_features(features: Sequence[float]) -> bytearray:
    """Return each number from -0.25 to 0.25 in a byte, 512 to 1; a full 0.25 turns negative."""
    return bytearray(
        int(min(max(value, -_LIMIT), _LIMIT) * _SCALE) & 0xFF for value in map(_number, features)
    )


def compare_features(one: bytes, other: bytes) -> float:
    """Return 0 to 100: the cosine of the angle between two features, 50 for a right angle."""
    first, second = memoryview(one).cast("b"), memoryview(other).cast("b")
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sum(a * a for a in first) * sum(b * b for b in second)
    if not lengths:
        return math.nan
    return single((single(product) * 0.5 / math.sqrt(lengths) + 0.5) * 100)


def _number(value: float) -> float:
    """As ``fmax`` and ``fmin`` have it, no number is the lower limit."""
    return -_LIMIT if math.isnan(value) else value
