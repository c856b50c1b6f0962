"""boot.py, main.py and scripts in its place: run, and their end reported."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from maixfs.board.runtime import Runtime
from maixfs.board.signals import BoardCrashError, BoardReset
from maixfs.board.times import ModelLoad, StorageTime
from maixfs.host.files import read_file
from maixfs.image.boardlock import BoardError, as_board_error
from maixfs.nor.errors import NorError
from maixfs.vfs import ImportStat

MAIN = "main.py"

INTERRUPTED = 130
"""Exit code of a script that Ctrl-C ended, as shells have it."""


class RunResult(NamedTuple):
    """How a script ended.

    ``exit_code`` is 0 for one that ran to its end, the number that it gave to ``sys.exit`` (1
    for anything else it gave), 1 after an exception that nobody caught, 130 after Ctrl-C.
    ``error`` is that exception, a ``BoardCrashError`` where the firmware would hang; ``resets``
    counts how often the script restarted the board. ``storage_time`` is what flash and card took,
    ``model_loads`` are the models that were loaded.
    """

    exit_code: int = 0
    error: BaseException | None = None
    resets: int = 0
    storage_time: StorageTime = StorageTime(0, 0)
    model_loads: tuple[ModelLoad, ...] = ()


def read_script(script: Path | str) -> bytes:
    """Return the text of a script on the host: of the file at a path, or ``script`` itself.

    A ``str`` is a path where such a file exists or it ends in ``.py``, else it is the program.
    Raises ``BoardError`` for a file that cannot be read or is not UTF-8.
    """
    if isinstance(script, str) and not _is_path(script):
        return script.encode("utf-8", "surrogatepass")
    path = Path(script)
    with as_board_error():
        source = read_file(path)
    try:
        source.decode()
    except UnicodeDecodeError as reason:
        raise BoardError(
            f"{path} is not UTF-8: byte {source[reason.start]:#04x} at offset {reason.start:#x}",
            hint="save it as UTF-8; MicroPython knows no other encoding",
        ) from reason
    return source


def run_programs(runtime: Runtime, script: bytes | None) -> RunResult:
    """Run boot.py from flash, then ``script``, or main.py where that is ``None``.

    main.py runs whatever became of boot.py; where it runs to its end the board stays on for
    the threads that were started. Raises ``BoardReset`` where anybody asks for it,
    ``BoardCrashError`` where the firmware would hang, ``NorError`` where the chip's file failed
    and ``BrokenPipeError`` where the console is gone.
    """
    with runtime.script_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the board warns of nothing
        try:
            _run_file(runtime, "boot.py")
            if script is None:
                result = _run_file(runtime, MAIN)
            else:
                result = _run(runtime, MAIN, lambda: script)
            return _after_threads(runtime, result)
        finally:
            if runtime.threads is not None:
                runtime.threads.settle()


def _after_threads(runtime: Runtime, result: RunResult) -> RunResult:
    """Stay on until the program's threads are done, or until somebody presses Ctrl-C."""
    try:
        if runtime.threads is not None and result.error is None:
            runtime.threads.wait()
    except KeyboardInterrupt as error:
        runtime.power.check()
        return RunResult(INTERRUPTED, error)
    return result


def _run_file(runtime: Runtime, name: str) -> RunResult:
    """Run a file of the current directory; one that is not there is no failure."""
    if runtime.vfs.import_stat(name) is not ImportStat.FILE:
        return RunResult()
    return _run(runtime, name, lambda: runtime.read_source(name))


def _run(runtime: Runtime, name: str, source: Callable[[], bytes]) -> RunResult:
    try:
        text = source()
        runtime.hardware.report.syntax(text, name)
        runtime.importer.load_main(text, name)
    except (BoardReset, BoardCrashError, NorError, BrokenPipeError):
        raise
    except SystemExit as error:
        return RunResult(_exit_code(error), error)
    except KeyboardInterrupt as error:
        runtime.power.check()  # a thread may have pressed it, to reset the board
        runtime.print_exception(error)
        return RunResult(INTERRUPTED, error)
    except BaseException as error:
        runtime.print_exception(error)
        return RunResult(1, error)
    finally:
        runtime.console.output.flush()
    return RunResult()


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _is_path(text: str) -> bool:
    """Tell whether ``text`` names a script and is none itself."""
    if "\n" in text or "\0" in text:
        return False
    if text.endswith(".py"):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False  # too long for a name, say
