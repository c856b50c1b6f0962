"""What CPython's own exceptions say, said as MicroPython 1.11 says it.

People search for the words that the board prints, and scripts compare them. Only the messages
that scripts commonly meet are here; any other stays as CPython has it.
"""

from __future__ import annotations

import ast
import re

_TOO_MANY = r"too many values to unpack (expected \1)"

_RULES: tuple[tuple[type[BaseException], str, str], ...] = (
    (NameError, r"name '(.*)' is not defined.*", r"name '\1' isn't defined"),
    (
        NameError,
        r".*(?:referenced before assignment|associated with a value).*",
        "local variable referenced before assignment",
    ),
    (ZeroDivisionError, r".*(?:division|modulo).*|0.0 cannot be raised.*", "divide by zero"),
    (RecursionError, r".*", "maximum recursion depth exceeded"),
    (AttributeError, r"module '.*' has no attribute (.*)", r"'module' object has no attribute \1"),
    (
        TypeError,
        r"'(.*)' object is not (callable|iterable|subscriptable)",
        r"'\1' object isn't \2",
    ),
    (TypeError, r"cannot unpack non-iterable (.*) object", r"'\1' object isn't iterable"),
    (
        TypeError,
        r"(?:.*\.)?(\w+)\(\) takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) .*",
        r"\1() takes \2 positional arguments but \3 were given",
    ),
    (TypeError, r".*got an unexpected keyword argument ('.*')", r"unexpected keyword argument \1"),
    (
        TypeError,
        r'can only concatenate (str|bytes) \(not "(.*)"\) to .*',
        r"can't convert '\2' object to \1 implicitly",
    ),
    (
        TypeError,
        r'can only concatenate (tuple|list) \(not "(.*)"\) to .*',
        r"unsupported types for __add__: '\1', '\2'",
    ),
    (TypeError, r"bad operand type for unary -: ('.*')", r"unsupported type for __neg__: \1"),
    (
        ValueError,
        r"not enough values to unpack .* got (\d+)\)",
        r"need more than \1 values to unpack",
    ),
    (ValueError, r"too many values to unpack \(expected (\d+).*", _TOO_MANY),
    (
        ValueError,
        r"invalid literal for int\(\) with base (\d+): (.*)",
        r"invalid syntax for integer with base \1: \2",
    ),
)

_OPERATORS = {
    "+": "__add__",
    "-": "__sub__",
    "*": "__mul__",
    "/": "__truediv__",
    "//": "__floordiv__",
    "%": "__mod__",
    "** or pow()": "__pow__",
    "<<": "__lshift__",
    ">>": "__rshift__",
    "&": "__and__",
    "|": "__or__",
    "^": "__xor__",
    "<": "__lt__",
    ">": "__gt__",
    "<=": "__le__",
    ">=": "__ge__",
    "+=": "__iadd__",
    "-=": "__isub__",
    "*=": "__imul__",
}

_OPERANDS = re.compile(
    r"(?:unsupported operand type\(s\) for )?(?:'(?P<order>[<>]=?)' not supported between"
    r" instances of|(?P<sign>\S.*?):) '(?P<left>.*)' and '(?P<right>.*)'"
)

_DEFAULT_FIRST = "non-default argument follows default argument"

_COMPILER_WORDS: tuple[tuple[str, str], ...] = (
    (r"cannot assign to .*|illegal target for annotation.*", "can't assign to expression"),
    (r"cannot delete .*", "can't delete expression"),
    (r"'return' outside function", "'return' outside function"),
    (r"'yield.*' outside function", "'yield' outside function"),
    (r"'await' outside .*", "'await' outside function"),
    (r"'break' outside loop", "'break' outside loop"),
    (r"'continue' not properly in loop", "'continue' outside loop"),
    (r"no binding for nonlocal .*", "no binding for nonlocal found"),
    (r"nonlocal declaration not allowed .*", "can't declare nonlocal in outer code"),
    (r"duplicate argument .*", "argument name reused"),
    (
        r".*default argument.*|parameter without a default.*",
        "non-default argument follows default argument",
    ),
    (r"default 'except:' must be last", "default 'except' must be last"),
    (r"positional argument follows keyword argument$", "non-keyword arg after keyword arg"),
    (r"positional argument follows keyword argument unpacking", "non-keyword arg after */**"),
    (r"multiple starred expressions in assignment", "multiple *x in assignment"),
    (
        r"name '.*' is (?:parameter|assigned to|used prior).* global.*",
        "identifier redefined as global",
    ),
)


def firmware_words(error: BaseException, text: str) -> str:
    """Return the message of one of CPython's exceptions as the board would put it."""
    for kind, pattern, words in _RULES:
        if isinstance(error, kind) and re.fullmatch(pattern, text):
            return re.sub(f"^{pattern}$", words, text)
    if isinstance(error, TypeError) and (match := _OPERANDS.fullmatch(text)):
        sign = match["order"] or match["sign"]
        if sign in _OPERATORS:
            return (
                f"unsupported types for {_OPERATORS[sign]}: '{match['left']}', '{match['right']}'"
            )
    return text


def syntax_words(error: SyntaxError) -> str:
    """Return the message of a syntax error; the board's parser has three, its compiler more."""
    text = str(error.msg)
    if isinstance(error, TabError) or "unindent" in text:
        return "unindent doesn't match any outer indent level"
    if text == "unexpected indent":
        return text
    for pattern, words in _COMPILER_WORDS:
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
