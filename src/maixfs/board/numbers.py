"""How the firmware's C takes numbers from a program."""

from __future__ import annotations

import struct
from operator import index
from typing import Any

_MOST = 1 << 63


def machine_int(value: Any) -> int:
    """Return an integer argument; ``OverflowError`` for one of more than 64 bits."""
    number = index(value)
    if not -_MOST <= number < _MOST:
        raise OverflowError("overflow converting long int to machine word")
    return number


def single(value: Any) -> float:
    """Return a float argument as the board holds it: in single precision."""
    number = float(value) if isinstance(value, int | float) else _no_float(value)
    try:
        rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
    return rounded


def items_of(value: Any) -> list[Any]:
    """Return the items of a tuple or list."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"object '{type(value).__name__}' isn't a tuple or list")
    return list(value)


def _no_float(value: Any) -> float:
    raise TypeError(f"can't convert {type(value).__name__} to float")
