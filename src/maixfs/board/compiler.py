"""Script text to code, and the built-in functions that run code."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType
from typing import Any

from maixfs.vfs.files import encode

# The compiler

_NEWER: dict[type[ast.AST], str] = {
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment expression (:=)",
    ast.AnnAssign: "an annotated variable",
    ast.AsyncFunctionDef: "async def",
    ast.Await: "await",
    ast.Match: "a match statement",
    ast.MatMult: "the operator @",
}
"""Syntax that CPython takes and the firmware's MicroPython 1.11 refuses."""


HANDLED = "__handled__"
"""The built-in function that scripts call, unseen, at the start of each handler."""


def compile_script(source: bytes, file_name: str, mode: str = "exec") -> CodeType:
    """Compile a script that stands in ``file_name``, or an expression (``mode`` ``eval``).

    Each ``except`` and ``finally`` calls ``__handled__`` first: that is where the board decides
    what a script may see of an exception, and whether it runs on at all.

    Raises ``SyntaxError`` (with ``tree`` where only the compiler objected), also for text that
    is no UTF-8 or holds a zero byte; ``RecursionError`` or ``MemoryError`` where it is nested
    too deep.
    """
    text = _text(source, file_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the board's compiler warns of nothing
        tree: Any = ast.parse(text, file_name, mode)
        _watch_handlers(tree)
        try:
            code: CodeType = compile(tree, file_name, mode, dont_inherit=True)
        except SyntaxError as error:
            error.tree = tree  # type: ignore[attr-defined]
            raise
    return code


def _watch_handlers(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            _call_first(node.body)
        elif isinstance(node, ast.Try) and node.finalbody:
            _call_first(node.finalbody)


def _call_first(body: list[ast.stmt]) -> None:
    """Put the call of ``__handled__`` at the start of ``body``, in the same line."""
    call = ast.Expr(ast.Call(ast.Name(HANDLED, ast.Load()), [], []))
    body.insert(0, ast.fix_missing_locations(ast.copy_location(call, body[0])))


def newer_syntax(source: bytes) -> list[str]:
    """Return a sentence for each kind of syntax that only a newer MicroPython has.

    A text that does not compile at all yields none.
    """
    try:
        tree = ast.parse(source.decode(), "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    first: dict[str, int] = {}
    for node in ast.walk(tree):
        what = _NEWER.get(type(node))
        if what is not None:
            line = getattr(node, "lineno", 0)
            first[what] = min(line, first.get(what, line)) if line else first.get(what, 0)
    return [
        f"{f'line {line} uses ' if line else 'it uses '}{what};"
        " MicroPython 1.11 on a real board stops there with a SyntaxError"
        for what, line in sorted(first.items(), key=lambda item: item[1])
    ]


def _text(source: bytes, file_name: str) -> str:
    """Decode a script; what the decoder refuses is a syntax error of that line."""
    try:
        text = source.decode()
    except UnicodeDecodeError as reason:
        raise _syntax_error(source, reason.start, file_name) from None
    if (zero := source.find(b"\0")) >= 0:
        raise _syntax_error(source, zero, file_name)
    return text


def _syntax_error(source: bytes, offset: int, file_name: str) -> SyntaxError:
    line = source.count(b"\n", 0, offset) + 1
    return SyntaxError("invalid syntax", (file_name, line, 1, None))


# exec, eval, execfile, compile

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
