"""The names that every script has without an import."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable
from inspect import isroutine
from types import FunctionType
from typing import Any

from maixfs.board.compiler import HANDLED, Executor, compiled
from maixfs.board.console import Console
from maixfs.board.exceptions import EXCEPTIONS, exception_name, exception_text, reword
from maixfs.board.modules.streams import send
from maixfs.vfs import PlainOSError, PlainTimeoutError

FUNCTIONS = (
    "Ellipsis",
    "NotImplemented",
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "complex",
    "delattr",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "hex",
    "id",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "property",
    "range",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "zip",
)
"""Functions and types that are taken from CPython; ``make_namespace`` adds the others."""


def make_namespace(
    console: Console, opener: Callable[..., Any], check_power: Callable[[], object]
) -> dict[str, Any]:
    """Return the built-in names of a script, without those that need the importer.

    ``check_power`` is called when a script handles an exception; an exception that it raises
    replaces the handled one.
    """

    def handled() -> None:
        check_power()
        reword(sys.exc_info()[1])

    # Names that only CPython has are left out: a script must fail on them here, not on the board.
    names = {name: getattr(builtins, name) for name in (*FUNCTIONS, *EXCEPTIONS)}
    console_names, executor = _ConsoleNames(console), Executor(names, opener)
    names |= {
        HANDLED: handled,
        "OSError": PlainOSError,
        "TimeoutError": PlainTimeoutError,
        "__build_class__": _build_class,
        "__debug__": True,
        "__name__": "builtins",
        "compile": compiled,
        "const": _const,
        "eval": executor.eval,
        "exec": executor.exec,
        "execfile": executor.execfile,
        "input": console_names.input,
        "open": opener,
        "print": console_names.print,
        "repr": _repr,
    }
    return names


def _const(value: Any) -> Any:
    """Return ``value``: MicroPython's parser accepts ``X = const(...)`` without an import."""
    return value


class _ConsoleNames:
    """The built-in functions that use the console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print(self, *values: Any, sep: str = " ", end: str = "\n", file: Any = None) -> None:
        """Write values to the console, or to any other stream."""
        text = f"{sep.join(_text(value) for value in values)}{end}"
        if file is None:
            self._console.write(text)
        else:
            send(file, text)

    def input(self, prompt: Any = "") -> str:
        """Read a line; raises ``EOFError`` at the end of the input."""
        if prompt != "":
            self._console.write(_text(prompt))
        self._console.output.flush()  # the prompt has no end of line that would flush it
        line = self._console.input.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")


def _text(value: Any) -> str:
    """Return ``str(value)``, for an exception MicroPython's text."""
    # A __str__ that the script defined counts; the one of CPython says CPython's words.
    if isinstance(value, BaseException) and not isinstance(type(value).__str__, FunctionType):
        return exception_text(value)
    return str(value)


def _repr(value: Any, /) -> str:
    """Return ``repr(value)``, for an exception MicroPython's."""
    if isinstance(value, BaseException) and not isinstance(type(value).__repr__, FunctionType):
        return f"{exception_name(value)}{value.args!r}"
    return repr(value)


def _build_class(body: Any, name: str, /, *bases: Any, **options: Any) -> Any:
    """Create a class that shows its bare name: in MicroPython a class has no module."""
    built = builtins.__build_class__(body, name, *bases, **options)
    if isinstance(built, type):
        built.__module__, built.__qualname__ = "builtins", name
    return built


# help

_COLUMNS = 4
_WIDTH = 18


class Helper:
    """The function ``help``; ``modules`` are the names of the built-in modules."""

    def __init__(self, console: Console, modules: Iterable[str]) -> None:
        self._console = console
        self._modules = sorted(modules)

    def __call__(self, item: Any = None, /) -> None:
        """Print an object's type and attributes; ``"modules"`` prints the names of modules."""
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
        """Print the names in columns, as the firmware does."""
        rows = -(-len(self._modules) // _COLUMNS)
        for row in range(rows):
            line = "".join(f"{name:<{_WIDTH}}" for name in self._modules[row::rows])
            self._console.write(f"{line.rstrip()}\n")
        self._console.write("Plus any modules on the filesystem\n")


def _shown(value: Any) -> str:
    """Return ``value`` as the board shows it: functions and types without an address."""
    if isroutine(value):
        return "<function>"
    return f"<class '{value.__name__}'>" if isinstance(value, type) else str(value)
