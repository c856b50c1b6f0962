"""Helpers for building the modules of the board and reading their arguments."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from operator import index
from types import ModuleType
from typing import Any

# Modules


class Late:
    """A member of a module that is made when a script first reads it: its imports are slow."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class _Module(ModuleType):
    """A module that may have ``Late`` members."""

    def __getattribute__(self, name: str) -> Any:
        value = ModuleType.__getattribute__(self, name)
        if type(value) is Late:
            value = value.make()
            setattr(self, name, value)
        return value


_Module.__name__ = _Module.__qualname__ = "module"
_Module.__module__ = "builtins"


def make_module(name: str, members: dict[str, Any]) -> ModuleType:
    """Return a module that holds ``members`` and its ``__name__``, nothing else."""
    module = _Module(name)
    # ModuleType sets __doc__, __loader__ and others, which dir() would show.
    vars(module).clear()
    vars(module).update(members, __name__=name)
    return module


def pick(source: object, names: Iterable[str]) -> dict[str, Any]:
    """Return attributes of an object by name, as members of a module."""
    return {name: getattr(source, name) for name in names}


def public(source: object) -> dict[str, Any]:
    """Return the public attributes of an object, methods bound, as members of a module."""
    return {name: getattr(source, name) for name in dir(source) if not name.startswith("_")}


class AttrTuple(tuple[Any, ...]):
    """A tuple with named fields that prints as MicroPython's do: ``(name='x', ...)``."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self._fields.index(name)]
        except ValueError:
            kind = type(self).__name__
            raise AttributeError(f"'{kind}' object has no attribute '{name}'") from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("can't set attribute")

    def __repr__(self) -> str:
        pairs = zip(self._fields, self, strict=True)
        return f"({', '.join(f'{name}={value!r}' for name, value in pairs)})"


def attr_tuple(fields: dict[str, Any]) -> AttrTuple:
    """Return the values of ``fields`` as a tuple with named fields."""
    kind = type("tuple", (AttrTuple,), {"__slots__": (), "_fields": tuple(fields)})
    values: AttrTuple = kind(fields.values())
    return values


# Arguments

_MOST = 1 << 63


def machine_int(value: Any) -> int:
    """Return an integer argument; raises ``OverflowError`` for more than 64 bits."""
    number = index(value)
    if not -_MOST <= number < _MOST:
        raise OverflowError("overflow converting long int to machine word")
    return number


def single(value: Any) -> float:
    """Return a float argument in single precision, as the board stores it."""
    if not isinstance(value, int | float):
        raise TypeError(f"can't convert {type(value).__name__} to float")
    number = float(value)
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
