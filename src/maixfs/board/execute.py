"""``exec``, ``eval``, ``execfile`` and ``compile``: code that a script makes or names itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType
from typing import Any

from maixfs.board.compiler import compile_script
from maixfs.vfs.files import encode

_Names = dict[str, Any] | None


class Executor:
    """Runs code where MicroPython runs it: among the names of the module or class that asks.

    A function's own variables are not among them. ``builtins`` are the script's, ``opener``
    is its ``open``.
    """

    def __init__(self, builtins: dict[str, Any], opener: Callable[..., Any]) -> None:
        self._builtins = builtins
        self._open = opener

    def exec(self, code: str | bytes | CodeType, /, *names: _Names) -> None:
        """Run statements, among the names of one or two dictionaries where they are given."""
        self._run(compiled(code), sys._getframe(1), *names)

    def eval(self, code: str | bytes | CodeType, /, *names: _Names) -> Any:
        """Return the value of an expression."""
        return self._run(compiled(code, mode="eval"), sys._getframe(1), *names)

    def execfile(self, path: str, /, *names: _Names) -> None:
        """Run a file."""
        with self._open(path, "rb") as file:
            code = compile_script(file.read(), path)
        self._run(code, sys._getframe(1), *names)

    def _run(
        self, code: CodeType, asking: FrameType, globals_: _Names = None, locals_: _Names = None, /
    ) -> Any:
        if globals_ is None:
            is_function = asking.f_code.co_flags & CO_OPTIMIZED
            globals_ = asking.f_globals
            if locals_ is None:
                locals_ = globals_ if is_function else asking.f_locals
        # Lent, so that a script does not find them in a dictionary of its own afterwards.
        lent = "__builtins__" not in globals_
        if lent:
            globals_["__builtins__"] = self._builtins
        try:
            return eval(code, globals_, globals_ if locals_ is None else locals_)
        finally:
            if lent:
                globals_.pop("__builtins__", None)


def compiled(
    code: str | bytes | CodeType, file_name: str = "<string>", mode: str = "exec"
) -> CodeType:
    """Return the code of a text (``compile``); code that is compiled already is taken as it is.

    ``mode`` is ``exec`` or ``eval``; ``single`` is ``exec``. Raises ``ValueError`` for another
    and ``TypeError`` for what is no text.
    """
    if isinstance(code, CodeType):
        return code
    if mode not in ("exec", "eval", "single"):
        raise ValueError("bad compile mode")
    if not isinstance(code, str | bytes):
        raise TypeError(f"can't convert '{type(code).__name__}' object to str implicitly")
    text = encode(code) if isinstance(code, str) else code
    return compile_script(text, file_name, "eval" if mode == "eval" else "exec")
