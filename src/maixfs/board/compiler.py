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
"""Syntax of CPython that MicroPython 1.11 refuses."""


HANDLED = "__handled__"
"""Name of the function that is called at the start of each handler of a script."""


def compile_script(source: bytes, file_name: str, mode: str = "exec") -> CodeType:
    """Compile the script ``file_name``, or an expression (``mode`` ``eval``).

    Each ``except`` and ``finally`` calls ``__handled__`` first. There the board replaces the
    text of an exception, and stops a script that handles its own reset.

    Raises ``SyntaxError`` (with an attribute ``tree`` if the parser accepted the text), also for
    text that is not UTF-8 or holds a zero byte; ``RecursionError`` or ``MemoryError`` for text
    that is nested too deeply.
    """
    text = _text(source, file_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MicroPython's compiler has no warnings
        tree: Any = ast.parse(text, file_name, mode)
        _watch_handlers(tree)
        # Two steps, because the board names a block only in errors of its compiler.
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
    """Insert a call of ``__handled__`` at the start of ``body``, with the same line number."""
    # The line of the first statement, so that tracebacks and line events do not change.
    call = ast.Expr(ast.Call(ast.Name(HANDLED, ast.Load()), [], []))
    body.insert(0, ast.fix_missing_locations(ast.copy_location(call, body[0])))


def newer_syntax(source: bytes) -> list[str]:
    """Return a sentence for each kind of syntax that MicroPython 1.11 does not have.

    The list is empty for text that CPython does not compile either.
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
    """Decode a script; bytes that are not UTF-8 are a syntax error of their line."""
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
    """Runs code in the namespace of the calling module or class, as MicroPython does.

    The local variables of a function are not visible to the code. ``builtins`` are those of the
    script, ``opener`` is its ``open``.
    """

    def __init__(self, builtins: dict[str, Any], opener: Callable[..., Any]) -> None:
        self._builtins = builtins
        self._open = opener

    def exec(self, code: str | bytes | CodeType, /, *names: _Names) -> None:
        """Run statements; one or two dictionaries replace the namespace of the caller."""
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
        # CPython looks for the built-in names in globals_, but a script must not find them in its
        # dictionary afterwards: they are removed again.
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
    """Return the code object of a text (``compile``); a code object is returned unchanged.

    ``mode`` is ``exec``, ``eval`` or ``single``, which means ``exec``. Raises ``ValueError`` for
    another mode and ``TypeError`` if ``code`` is not text.
    """
    if isinstance(code, CodeType):
        return code
    if mode not in ("exec", "eval", "single"):
        raise ValueError("bad compile mode")
    if not isinstance(code, str | bytes):
        raise TypeError(f"can't convert '{type(code).__name__}' object to str implicitly")
    text = encode(code) if isinstance(code, str) else code
    return compile_script(text, file_name, "eval" if mode == "eval" else "exec")
