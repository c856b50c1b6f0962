"""``ucollections``: ordered dictionaries, named tuples and bounded queues."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from maixfs.board.modules.kit import AttrTuple, make_module


class Deque:
    """``deque(iterable, maxlen[, flags])``: append at the end, take from the front.

    With ``flags`` 1 a full queue raises ``IndexError``; else it drops its oldest item.
    """

    def __init__(self, items: Iterable[Any], maxlen: int, flags: int = 0) -> None:
        if maxlen < 0:
            raise ValueError
        self._items: deque[Any] = deque(items, maxlen)
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
        given = dict(zip(names, values, strict=False), **named)
        if len(given) != len(names) or set(given) != set(names):
            count = len(values) + len(named)
            raise TypeError(
                f"{name}() takes {len(names)} positional arguments but {count} were given"
            )
        return tuple.__new__(cls, [given[field] for field in names])

    def show(self: AttrTuple) -> str:
        return f"{name}{AttrTuple.__repr__(self)}"

    body = {"__slots__": (), "_fields": names, "__new__": make, "__repr__": show}
    return type(name, (AttrTuple,), body)


def ucollections() -> ModuleType:
    """Return the module."""
    members = {"deque": Deque, "namedtuple": namedtuple, "OrderedDict": OrderedDict}
    return make_module("ucollections", members)
