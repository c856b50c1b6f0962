"""Errors as the command line reports them: one line, hints as command lines, an exit code.

The library names no options and no verbs in its messages. An error may have a ``hint`` in words,
or ``fix``: steps of which this module writes each ``Command`` as a command line.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator

import click

from maixfs.cli.screen import Screen, Settings
from maixfs.errors import Command, DeviceError, MaixfsError, Step, UsageError

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells report a program that Ctrl-C ended."""
PIPE_CLOSED = 141
"""128 + SIGPIPE, as shells report a program whose reader went away."""


class WrongUsage(click.UsageError):
    """A wrong command line with its own ``hint`` instead of the verb's ``--help``."""

    def __init__(self, message: str, *, hint: str, ctx: click.Context | None = None) -> None:
        super().__init__(message, ctx)
        self.hint = hint


def step_text(step: Step, image: str = "") -> str:
    """Return a step of a fix as a person types it; ``image`` takes the place of ``{image}``."""
    if not isinstance(step, Command):
        return step.replace("{image}", image)
    import shlex

    return " ".join(["maixfs", *map(shlex.quote, command_words(step, image))])


def command_words(command: Command, image: str) -> list[str]:
    """Return verb and arguments of a command about ``image``."""
    # A board is a folder and is changed in place; of an image the old file is worth keeping.
    goal = ["--in-place"] if os.path.isdir(image) else ["-o", "NEW"]  # noqa: PTH112 - start-up
    words = command.verb.split()
    for argument in command.arguments:
        words += goal if argument == "{output}" else [argument.replace("{image}", image)]
    return words


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"did you mean X or Y? "`` with the closest of some names, ``""`` without any."""
    from difflib import get_close_matches

    close = get_close_matches(name, choices, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(close)}? " if close else ""


def guarded(work: Callable[[], object], settings: Settings) -> int:
    """Run ``work``, report its error if it fails, and return the exit code.

    ``work`` returns an exit code or ``None``. No exception leaves.
    """
    screen = Screen(settings, "")
    try:
        code = work()
        _flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _report(screen, INTERRUPTED, "interrupted")
    except Exception as reason:
        if is_interrupt(reason):
            return _report(screen, INTERRUPTED, "interrupted")
        if _pipe_closed(reason):
            _silence()
            return PIPE_CLOSED
        if settings.debug:
            import traceback

            traceback.print_exc()
        return _failed(screen, reason)


def is_interrupt(reason: BaseException | None) -> bool:
    """Return True if Ctrl-C caused it: Python wraps what stops it in the body of a class."""
    while reason is not None:
        if isinstance(reason, KeyboardInterrupt):
            return True
        reason = reason.__cause__
    return False


def _failed(screen: Screen, reason: Exception) -> int:
    if isinstance(reason, click.UsageError):
        return _wrong_usage(screen, reason)
    if isinstance(reason, click.ClickException):
        return _error(screen, FAILED, reason.format_message())
    if isinstance(reason, UsageError) and isinstance(reason.__cause__, DeviceError):
        reason = reason.__cause__  # a file that a recipe names is missing: not wrong usage
    if isinstance(reason, MaixfsError):
        code = WRONG_USAGE if isinstance(reason, UsageError) else FAILED
        return _error(screen, code, str(reason), *_hints(reason))
    if isinstance(reason, OSError) and reason.strerror:
        # All files that maixfs opens are named in errors of its own or here; stdout has no name.
        place = os.fspath(reason.filename) if reason.filename else "the output cannot be written"
        return _error(screen, FAILED, f"{place}: {reason.strerror}")
    if isinstance(reason, MemoryError):
        return _error(screen, FAILED, "out of memory")
    return _bug(screen, reason)


def _hints(reason: MaixfsError) -> Iterator[str]:
    """Yield the hints of an error of the library."""
    from maixfs.host.files import OccupiedError
    from maixfs.image.errors import AmbiguousError, UnsoundError

    if isinstance(reason, AmbiguousError) and reason.bases:
        # The library knows the addresses; the option that chooses one is known here.
        yield f"say which one: {' or '.join(f'--base {base:#x}' for base in reason.bases)}"
    elif isinstance(reason, OccupiedError) and reason.replaceable:
        yield "--force replaces it"
    elif reason.hint:
        yield reason.hint
    elif isinstance(reason, FileNotFoundError) and reason.filename:
        yield did_you_mean_file(os.fspath(reason.filename)).rstrip()
    for step in reason.fix:
        yield step_text(step)
    if isinstance(reason, UnsoundError):
        yield "--damaged changes it in spite of that"


def did_you_mean_file(path: str) -> str:
    """Return the question with the closest names beside a missing file of the host."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - no pathlib
    except OSError:
        return ""
    if name in names:
        return ""
    return did_you_mean(path, [os.path.join(folder, other) for other in names])  # noqa: PTH118


def _wrong_usage(screen: Screen, reason: click.UsageError) -> int:
    where = reason.ctx.command_path if reason.ctx else "maixfs"
    message = reason.format_message()
    if type(reason) is click.BadParameter and reason.param is not None:
        is_option = reason.param.param_type_name == "option"
        message = f"{reason.param.opts[-1]}: {reason.message}" if is_option else reason.message
    message = message.rstrip(".")
    hint = reason.hint if isinstance(reason, WrongUsage) else f"{where} --help"
    if isinstance(reason, click.NoSuchOption):
        message = f"no such option {reason.option_name}"
        close = " or ".join(reason.possibilities or ())
        hint = f"did you mean {close}? {hint}" if close else hint
    return _error(screen, WRONG_USAGE, message[:1].lower() + message[1:], hint)


def _bug(screen: Screen, reason: Exception) -> int:
    """Report an unexpected exception and its innermost place in this package."""
    place = ""
    trace = reason.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("maixfs."):
            place = f" ({module}, line {trace.tb_lineno})"
        trace = trace.tb_next
    message = f"this is a bug in maixfs: {type(reason).__name__}: {reason}{place}"
    hint = "please report it to the project, with what the same command prints with --debug"
    return _error(screen, FAILED, message, hint)


def _error(screen: Screen, code: int, message: str, *hints: str) -> int:
    return _report(screen, code, message, *hints, error=True)


def _report(screen: Screen, code: int, message: str, *hints: str, error: bool = False) -> int:
    """Write a message after what was already printed; return ``code``.

    With ``--json`` stdout gets it as a document, unless the result was printed before. A closed
    stderr changes nothing.
    """
    settings = screen.settings
    try:
        if settings.json and not settings.emitted:
            hint = "; ".join(filter(None, hints)) or None
            failure = {"message": message, "hint": hint, "exit_code": code}
            Screen(settings, settings.verb).emit({"error": failure})
        _flush()
    except OSError:
        _silence()
    try:
        if error:
            screen.error(message, *hints)
        else:
            click.echo(message, file=sys.stderr)
    except OSError:
        pass
    return code


def _pipe_closed(reason: Exception, *, windows: bool = os.name == "nt") -> bool:
    if isinstance(reason, MaixfsError):  # a driver's EINVAL has nothing to do with stdout
        return False
    if isinstance(reason, BrokenPipeError):
        return True
    # Windows reports a closed pipe as EINVAL, and names no file.
    if not windows or not isinstance(reason, OSError):
        return False
    return reason.errno == errno.EINVAL and reason.filename is None


def _flush() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _silence() -> None:
    """Discard what is buffered for stdout, so that Python exits without a message."""
    try:
        number = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
