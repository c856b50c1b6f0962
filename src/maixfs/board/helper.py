"""``help``: what an object has, and which modules there are."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isroutine
from typing import Any

from maixfs.board.console import Console

_COLUMNS = 4
_WIDTH = 18


class Helper:
    """The function ``help`` of a board with these ``modules``."""

    def __init__(self, console: Console, modules: Iterable[str]) -> None:
        self._console = console
        self._modules = sorted(modules)

    def __call__(self, item: Any = None, /) -> None:
        """Print what ``item`` is and what it has; ``"modules"`` prints their names."""
        if item is None:
            self._console.write(
                "A virtual MaixPy board. help(object) lists what an object has,"
                " help('modules') what can be imported.\n"
            )
        elif item == "modules":
            self._print_modules()
        else:
            self._console.write(f"object {_shown(item)} is of type {type(item).__name__}\n")
            for name in dir(item):
                if not name.startswith("__"):
                    self._console.write(f"  {name} -- {_shown(getattr(item, name, None))}\n")

    def _print_modules(self) -> None:
        """Print the names column by column, as the firmware does."""
        rows = -(-len(self._modules) // _COLUMNS)
        for row in range(rows):
            line = "".join(f"{name:<{_WIDTH}}" for name in self._modules[row::rows])
            self._console.write(f"{line.rstrip()}\n")
        self._console.write("Plus any modules on the filesystem\n")


def _shown(value: Any) -> str:
    """Return ``value`` as the board shows it: its functions and types have no address."""
    if isroutine(value):
        return "<function>"
    return f"<class '{value.__name__}'>" if isinstance(value, type) else str(value)
