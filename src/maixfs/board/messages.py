"""Messages of CPython and what MicroPython 1.11 says instead: regular expressions and words."""

from __future__ import annotations

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
"""Class, message as CPython has it, message of the board; the first that fits holds."""

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
"""Operator to the name that the board has for it."""

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
"""Of a syntax error, as CPython begins it: what the board's compiler says."""
