"""The names that every script has without an import."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

from maixfs.board.compiler import HANDLED
from maixfs.board.console import Console
from maixfs.board.names import EXCEPTIONS, FUNCTIONS
from maixfs.board.printexc import exception_text, reword


def make_namespace(
    console: Console, opener: Callable[..., Any], check_power: Callable[[], object]
) -> dict[str, Any]:
    """Return a script's ``builtins``; the importer puts its ``__import__`` in.

    ``check_power`` is asked wherever a script handles an exception: what it raises replaces it.
    """

    def handled() -> None:
        check_power()
        reword(sys.exc_info()[1])

    names = {name: getattr(builtins, name) for name in (*FUNCTIONS, *EXCEPTIONS)}
    console_names = _ConsoleNames(console)
    return names | {
        HANDLED: handled,
        "__debug__": True,
        "__name__": "builtins",
        "const": _const,
        "help": console_names.help,
        "input": console_names.input,
        "open": opener,
        "print": console_names.print,
    }


def _const(value: Any) -> Any:
    """Return ``value``: the board's parser knows ``X = const(...)`` without an import."""
    return value


class _ConsoleNames:
    """The built-in functions that speak to the console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print(self, *values: Any, sep: str = " ", end: str = "\n", file: Any = None) -> None:
        """Write values to the console, or to any stream with a ``write``."""
        text = f"{sep.join(_text(value) for value in values)}{end}"
        if file is None:
            self._console.write(text)
        else:
            file.write(text)

    def input(self, prompt: Any = "") -> str:
        """Ask for a line; raises ``EOFError`` where no more comes."""
        if prompt != "":
            self._console.write(_text(prompt))
        self._console.output.flush()
        line = self._console.input.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def help(self, item: Any = None) -> None:
        """Print what an object is and what it has."""
        if item is None:
            self._console.write("A virtual MaixPy board. help(object) lists what an object has.\n")
            return
        self._console.write(f"object {item} is of type {type(item).__name__}\n")
        for name in dir(item):
            if not name.startswith("__"):
                self._console.write(f"  {name} -- {getattr(item, name, None)}\n")


def _text(value: Any) -> str:
    """Return ``str(value)``; of an exception, MicroPython's text."""
    return exception_text(value) if isinstance(value, BaseException) else str(value)
