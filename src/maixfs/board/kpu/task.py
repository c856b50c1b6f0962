"""``kpu_net``: what ``kpu.load`` gives a program, also called a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from maixfs.board.kpu.store import Handle


class NetArguments(Protocol):
    """What ``kpu.init_yolo2`` leaves in a task."""

    def printed(self) -> str:
        """Return what the task prints of it."""


class Task:
    """A model that was loaded, by the flash address or the path that it came from.

    ``delete`` is called where a program calls ``__del__``.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_arguments",
        "_delete",
        "_handle",
        "_layers",
        "_path",
        "_size",
    )

    def __init__(self, source: int | str, handle: Handle, delete: Callable[[Task], None]) -> None:
        self._address = source if isinstance(source, int) else None
        self._path = source if isinstance(source, str) else None
        self._arguments: NetArguments | None = None
        self._delete = delete
        self._handle = handle
        self._size = self._layers = 0

    def model_addr(self) -> int | None:
        """Return the flash address, ``None`` for a model from a file."""
        return self._address

    def model_size(self) -> int:
        """Return the bytes of the model."""
        return self._size

    def model_path(self) -> str | None:
        """Return the path, ``None`` for a model from raw flash."""
        return self._path

    def net_arg(self) -> NetArguments | None:
        """Return what ``kpu.init_yolo2`` was told."""
        return self._arguments

    def __getattr__(self, name: str) -> Any:
        # A program can call it; Python, which looks at the class, must not.
        if name == "__del__":
            return lambda: self._delete(self)
        raise AttributeError(f"'kpu_net' object has no attribute '{name}'")

    def __repr__(self) -> str:
        path = "(null)" if self._path is None else self._path
        arguments = '"(null)"' if self._arguments is None else self._arguments.printed()
        return (
            f'{{"model_addr": {self._address or 0}, "model_size": {self._size}, '
            f'"model_path": "{path}", "net_args": {arguments}}}'
        )


Task.__name__ = Task.__qualname__ = "kpu_net"
Task.__module__ = "builtins"
