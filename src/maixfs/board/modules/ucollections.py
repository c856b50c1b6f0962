"""``ucollections``: ordered dictionaries, named tuples and bounded queues."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from operator import index
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import AttrTuple, make_module


class OrderedDict(collections.OrderedDict[Any, Any]):
    """A dictionary that keeps its order; ``popitem`` takes the oldest, as the firmware does."""

    def popitem(self) -> tuple[Any, Any]:  # type: ignore[override]
        """Take the first pair out; raises ``KeyError`` where there is none."""
        return super().popitem(last=False)

    def __repr__(self) -> str:
        return f"OrderedDict({dict(self)!r})"


class Deque:
    """``deque((), maxlen[, flags])``: append at the end, take from the front.

    With ``flags`` 1 a full queue raises ``IndexError``; else it drops its oldest item.
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
        """Put ``item`` at the end."""
        if self._checked and len(self._items) == self._maxlen:
            raise IndexError("full")
        self._items.append(item)

    def popleft(self) -> Any:
        """Take the oldest item; raises ``IndexError`` where there is none."""
        if not self._items:
            raise IndexError("empty")
        return self._items.popleft()


def namedtuple(name: str, fields: str | Iterable[str]) -> type[AttrTuple]:
    """Return a class of tuples whose items have names."""
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
