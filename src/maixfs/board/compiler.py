"""Script text to code, with the errors and the limits that the board's compiler has."""

from __future__ import annotations

import ast
import warnings
from types import CodeType

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


def compile_script(source: bytes, file_name: str) -> CodeType:
    """Compile a script that stands in ``file_name``.

    Raises ``SyntaxError`` (with ``tree`` where only the compiler objected), also for text that
    is no UTF-8 or holds a zero byte; ``RecursionError`` or ``MemoryError`` where it is nested
    too deep.
    """
    text = _text(source, file_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the board's compiler warns of nothing
        tree = ast.parse(text, file_name)
        try:
            code: CodeType = compile(tree, file_name, "exec", dont_inherit=True)
        except SyntaxError as error:
            error.tree = tree  # type: ignore[attr-defined]
            raise
    return code


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
