"""Script text to code, with the errors and the limits that the board's compiler has."""

from __future__ import annotations

import ast
import warnings
from types import CodeType
from typing import Any

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
