"""Exceptions in MicroPython's words: the name, the text and the traceback of v1.11."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from maixfs.board.names import EXCEPTIONS
from maixfs.board.wording import firmware_words, scope_of, syntax_words
from maixfs.errors import MaixfsOSError
from maixfs.vfs.errors import ERRORCODE

ScriptFrame = Callable[[FrameType], bool]
"""Tells whether a frame runs a script's code (and not the host's)."""


def exception_name(error: BaseException) -> str:
    """Return the name of the class that the board would have raised.

    An error of a chip, a card or a driver is an ``OSError`` on the host only: the program cannot
    catch it by that name.
    """
    if isinstance(error, IndentationError) and syntax_words(error) == "invalid syntax":
        return "SyntaxError"  # CPython calls a missing block an indentation error
    for base in type(error).__mro__:
        if isinstance(error, MaixfsOSError) and issubclass(base, OSError):
            continue
        if base.__name__ in EXCEPTIONS or not _of_the_host(base):
            return base.__name__
    return "BaseException"


def exception_text(error: BaseException) -> str:
    """Return what ``print(error)`` shows on the board."""
    if isinstance(error, SyntaxError):
        return syntax_words(error)
    if isinstance(error, MaixfsOSError):
        return str(error)  # its number is the host's
    if isinstance(error, OSError) and (number := errno_of(error)) is not None:
        name = ERRORCODE.get(number)
        return f"[Errno {number}] {name}" if name else str(number)
    if not error.args or (isinstance(error, UnicodeError) and len(error.args) > 1):
        return ""  # MicroPython's UnicodeError has no text
    if len(error.args) == 1:
        return firmware_words(error, str(error.args[0]))
    return repr(error.args)


def reword(error: BaseException | None) -> None:
    """Put the board's words into an exception of CPython's, for whoever looks at it next."""
    if error is not None and len(error.args) == 1 and isinstance(error.args[0], str):
        words = firmware_words(error, error.args[0])
        if words != error.args[0]:
            error.args = (words,)


def errno_of(error: OSError) -> int | None:
    """Return the number of an ``OSError``, or ``None`` where its one argument is none.

    An error of the host carries a text besides, which no board would show.
    """
    foreign = type(error) is not OSError and _of_the_host(type(error))
    if (len(error.args) == 1 or foreign) and type(error.args[0]) is int:
        return int(error.args[0])
    return None


def format_exception(error: BaseException, is_script: ScriptFrame) -> str:
    """Return the lines that the board prints for an exception nobody caught."""
    places = [*_places(error.__traceback__, is_script)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append(_syntax_place(error))
    lines = ["Traceback (most recent call last):\n"] if places else []
    lines += places
    lines.append(f"{exception_name(error)}: {exception_text(error)}\n")
    return "".join(lines)


def _places(trace: TracebackType | None, is_script: ScriptFrame) -> Iterator[str]:
    """Yield one line per script frame; the host's own frames are nobody's business here."""
    while trace is not None:
        frame = trace.tb_frame
        if is_script(frame):
            code = frame.f_code
            yield f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}\n'
        trace = trace.tb_next


def _syntax_place(error: SyntaxError) -> str:
    """Return the line of a syntax error: found by the parser, it has no block name."""
    scope = scope_of(error)
    block = f", in {scope}" if scope else ""
    return f'  File "{error.filename}", line {error.lineno or 1}{block}\n'


def _of_the_host(kind: type[BaseException]) -> bool:
    """Tell whether CPython or one of its modules made the class, and not a script."""
    module = sys.modules.get(kind.__module__)
    return getattr(module, kind.__name__, None) is kind
