"""What CPython's own exceptions say, said as MicroPython 1.11 says it.

People search for the words that the board prints, and scripts compare them. Only the messages
that scripts commonly meet are known (``messages``); any other stays as CPython has it.
"""

from __future__ import annotations

import ast
import re

from maixfs.board.messages import COMPILER_WORDS, OPERATORS, RULES

_OPERANDS = re.compile(
    r"(?:unsupported operand type\(s\) for )?(?:'(?P<order>[<>]=?)' not supported between"
    r" instances of|(?P<sign>\S.*?):) '(?P<left>.*)' and '(?P<right>.*)'"
)


def firmware_words(error: BaseException, text: str) -> str:
    """Return the message of one of CPython's exceptions as the board would put it."""
    for kind, pattern, words in RULES:
        if isinstance(error, kind) and re.fullmatch(pattern, text):
            return re.sub(f"^{pattern}$", words, text)
    if isinstance(error, TypeError) and (match := _OPERANDS.fullmatch(text)):
        sign = match["order"] or match["sign"]
        if sign in OPERATORS:
            return (
                f"unsupported types for {OPERATORS[sign]}: '{match['left']}', '{match['right']}'"
            )
    return text


def syntax_words(error: SyntaxError) -> str:
    """Return the message of a syntax error; the board's parser has three, its compiler more."""
    text = str(error.msg)
    if isinstance(error, TabError) or "unindent" in text:
        return "unindent doesn't match any outer indent level"
    if text == "unexpected indent":
        return text
    for pattern, words in COMPILER_WORDS:
        if re.match(pattern, text):
            return words
    return "invalid syntax"


def scope_of(error: SyntaxError) -> str | None:
    """Return the block that the board's compiler names, or ``None`` for its parser's errors."""
    if syntax_words(error) in ("invalid syntax", "unexpected indent") or isinstance(
        error, IndentationError
    ):
        return None
    tree: ast.AST | None = getattr(error, "tree", None)
    scope = "<module>"
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (
            node.lineno <= (error.lineno or 1) <= (node.end_lineno or node.lineno)
        ):
            scope = node.name
    return scope
