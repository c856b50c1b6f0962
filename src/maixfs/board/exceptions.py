"""Exceptions as MicroPython 1.11 shows them: class names, messages and tracebacks."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from maixfs.errors import MaixfsOSError
from maixfs.vfs.errors import ERRORCODE

# Messages of CPython and of the board

_TOO_MANY = r"too many values to unpack (expected \1)"

RULES: tuple[tuple[type[BaseException], str, str], ...] = (
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
        r"'(.*)' object is not (callable|iterable|subscriptable|an iterator)",
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
    (
        TypeError,
        r"(?:.*\.)?\w+\(\) missing (\d+) required positional .*",
        r"function missing \1 required positional arguments",
    ),
    (
        TypeError,
        r".*missing \d+ required keyword-only .*",
        "function missing keyword-only argument",
    ),
    (
        TypeError,
        r".*got multiple values for argument ('.*')",
        r"function got multiple values for argument \1",
    ),
    (TypeError, r"'.*' is an invalid keyword argument for .*", "extra keyword arguments given"),
    (
        TypeError,
        r"\w+\(\) takes exactly one argument \((\d+) given\)",
        r"function takes 1 positional arguments but \1 were given",
    ),
    (
        TypeError,
        r"\w+ expected (\d+) arguments, got (\d+)",
        r"function takes \1 positional arguments but \2 were given",
    ),
    (
        TypeError,
        r"(?:.*: )?a bytes-like object is required, not .*",
        "object with buffer protocol required",
    ),
    (
        TypeError,
        r"'(\w+)' object cannot be interpreted as an integer"
        r"|int\(\) argument must be .*, not '(\w+)'|%\w format: .* is required, not (\w+)",
        r"can't convert \1\2\3 to int",
    ),
    (TypeError, r"float\(\) argument must be .*, not '(\w+)'", r"can't convert \1 to float"),
    (
        TypeError,
        r"('.*') object does not support item (assignment|deletion)",
        r"\1 object doesn't support item \2",
    ),
    (
        TypeError,
        r"(list|tuple) indices must be integers or slices, not (.*)",
        r"\1 indices must be integers, not \2",
    ),
    (TypeError, r"unhashable type: ('.*')", r"unsupported type for __hash__: \1"),
    (TypeError, r"bad operand type for abs\(\): ('.*')", r"unsupported type for __abs__: \1"),
    (TypeError, r"bad operand type for unary ~: ('.*')", r"unsupported type for __invert__: \1"),
    (
        TypeError,
        r"sequence item \d+: expected .*",
        "join expects a list of str/bytes objects consistent with self object",
    ),
    (TypeError, r"not enough arguments for format string", "format string needs more arguments"),
    (
        TypeError,
        r"not all arguments converted during string formatting",
        "format string didn't convert all arguments",
    ),
    (IndexError, r"Replacement index .*", "tuple index out of range"),
    (IndexError, r"index out of range", "bytes index out of range"),
    (
        ValueError,
        r"could not convert string to float: .*|complex\(\) arg is a malformed string",
        "invalid syntax for number",
    ),
    (
        ValueError,
        r"int\(\) base must be >= 2 and <= 36, or 0",
        "int() arg 2 must be >= 2 and <= 36",
    ),
    (
        ValueError,
        r".* is not in list|.*\.(?:index|remove)\(x\): x not in .*",
        "object not in sequence",
    ),
    (ValueError, r"(?:min|max)\(\) .* empty(?: sequence)?", "arg is an empty sequence"),
    (ValueError, r"Odd-length string", "odd-length string"),
    (ValueError, r"Non-hexadecimal digit found", "non-hex digit found"),
    (ValueError, r"Incorrect padding|Invalid base64-encoded string.*", "incorrect padding"),
    (ValueError, r"range\(\) arg 3 must not be zero", "zero step"),
    (ValueError, r"bytes must be in range\(0, 256\)", "bytes value out of range"),
    (ValueError, r"cannot convert float NaN to integer", "can't convert NaN to int"),
    (ValueError, r"cannot switch from (.*)", r"can't switch from \1"),
    (ValueError, r"Single '{' encountered in format string", "unmatched '{' in format"),
    (
        ValueError,
        r"Single '}' encountered in format string",
        "single '}' encountered in format string",
    ),
    (OverflowError, r"cannot convert float infinity to integer", "can't convert inf to int"),
    (RuntimeError, r"No active exception to reraise", "no active exception to reraise"),
)
"""Class, pattern of CPython's message, message of the board; the first match counts."""

OPERATORS = {
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
"""Operator to the method name that the board's message shows."""

COMPILER_WORDS: tuple[tuple[str, str], ...] = (
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
"""Pattern of the start of CPython's syntax error, message of the board's compiler."""


_OPERANDS = re.compile(
    r"(?:unsupported operand type\(s\) for )?(?:'(?P<order>[<>]=?)' not supported between"
    r" instances of|(?P<sign>\S.*?):) '(?P<left>.*)' and '(?P<right>.*)'"
)


def firmware_words(error: BaseException, text: str) -> str:
    """Return the board's message for an exception of CPython with the message ``text``."""
    # Scripts compare messages, and people search for them. Only those that scripts commonly meet
    # are listed; any other stays as CPython has it.
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
    """Return the board's message for a syntax error of its parser or compiler."""
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
    """Return the block that the board's compiler names, ``None`` for an error of its parser."""
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


# Names, texts and tracebacks

EXCEPTIONS = (
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "EOFError",
    "Exception",
    "GeneratorExit",
    "ImportError",
    "IndentationError",
    "IndexError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "NameError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "RuntimeError",
    "StopIteration",
    "SyntaxError",
    "SystemExit",
    "TimeoutError",
    "TypeError",
    "UnicodeError",
    "ValueError",
    "ZeroDivisionError",
)
"""Exceptions of MicroPython 1.11; others of CPython show as the nearest base class here."""

ScriptFrame = Callable[[FrameType], bool]
"""Returns True if a frame runs code of a script, not of the host."""


def exception_name(error: BaseException) -> str:
    """Return the name of the class that the board raises.

    An error of a chip, a card or a driver core is an ``OSError`` only for the host: a program
    cannot catch it by that name.
    """
    if isinstance(error, IndentationError) and syntax_words(error) == "invalid syntax":
        return "SyntaxError"  # CPython calls a missing block an indentation error
    for base in type(error).__mro__:
        if isinstance(error, MaixfsOSError) and issubclass(base, OSError):
            continue
        # A class of a script keeps its name; one of CPython that the board lacks does not.
        if base.__name__ in EXCEPTIONS or not _of_the_host(base):
            return base.__name__
    return "BaseException"


def exception_text(error: BaseException) -> str:
    """Return the text that ``print(error)`` shows on the board."""
    if isinstance(error, SyntaxError):
        return syntax_words(error)
    if isinstance(error, MaixfsOSError):
        return str(error)  # its errno is a number of the host, not of the board
    if isinstance(error, OSError) and (number := errno_of(error)) is not None:
        name = ERRORCODE.get(number)
        return f"[Errno {number}] {name}" if name else str(number)
    if not error.args or (isinstance(error, UnicodeError) and len(error.args) > 1):
        return ""  # MicroPython's UnicodeError has no text
    if len(error.args) == 1:
        return firmware_words(error, str(error.args[0]))
    return repr(error.args)


def reword(error: BaseException | None) -> None:
    """Replace the message of an exception of CPython by that of the board."""
    if error is not None and len(error.args) == 1 and isinstance(error.args[0], str):
        words = firmware_words(error, error.args[0])
        if words != error.args[0]:
            error.args = (words,)


def errno_of(error: OSError) -> int | None:
    """Return the number of an ``OSError``, ``None`` if its argument is not a number.

    An error of the host has a text besides the number, which a board does not show.
    """
    foreign = type(error) is not OSError and _of_the_host(type(error))
    if (len(error.args) == 1 or foreign) and type(error.args[0]) is int:
        return int(error.args[0])
    return None


def format_exception(error: BaseException, is_script: ScriptFrame) -> str:
    """Return the lines that the board prints for an uncaught exception."""
    places = [*_places(error.__traceback__, is_script)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append(_syntax_place(error))
    lines = ["Traceback (most recent call last):\n"] if places else []
    lines += places
    lines.append(f"{exception_name(error)}: {exception_text(error)}\n")
    return "".join(lines)


def _places(trace: TracebackType | None, is_script: ScriptFrame) -> Iterator[str]:
    """Yield one line for each frame of a script; frames of the host are left out."""
    while trace is not None:
        frame = trace.tb_frame
        if is_script(frame):
            code = frame.f_code
            yield f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}\n'
        trace = trace.tb_next


def _syntax_place(error: SyntaxError) -> str:
    """Return the line of a syntax error; the parser's errors do not name a block."""
    scope = scope_of(error)
    block = f", in {scope}" if scope else ""
    return f'  File "{error.filename}", line {error.lineno or 1}{block}\n'


def _of_the_host(kind: type[BaseException]) -> bool:
    """Return True if the class belongs to CPython or one of its modules, not to a script."""
    module = sys.modules.get(kind.__module__)
    return getattr(module, kind.__name__, None) is kind
