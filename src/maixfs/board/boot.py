"""The programs of a start: ``_boot.py`` of the firmware, then boot.py, main.py or a script."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from maixfs.board import firmware
from maixfs.board.clocks import ModelLoad, StorageTime
from maixfs.board.power import BoardCrashError, BoardReset
from maixfs.board.runtime import Runtime
from maixfs.board.volume import FLASH, SD
from maixfs.host.files import read_start
from maixfs.image.boardlock import BoardError, as_board_error
from maixfs.nor.errors import NorError
from maixfs.tuples import NamedTuple
from maixfs.vfs import ImportStat, VfsError

# _boot.py

IDE_MARK = f"{FLASH}/ide_mode.conf"

DEFAULT_MAIN = b"""\
# main.py runs each time the board starts, after boot.py. Put your own program here.
import gc

gc.collect()
"""
"""Written as main.py if the file is missing; the firmware's own main.py draws on the screen."""

_COVERS = {"boot.py": 117, "main.py": 130}
"""Files of /flash that the card may replace, and the line of ``_boot.py`` that opens each."""


class Started(Enum):
    """The outcome of a start: only a board that is ``READY`` runs boot.py and main.py."""

    READY = "ready"
    IDE_MODE = "in IDE mode: ide_mode.conf was on its flash and has been removed"
    FAILED = "stuck in _boot.py"


def finish_boot(runtime: Runtime) -> Started:
    """Run ``_boot.py`` and print its errors; raises ``BoardReset`` if it restarts the board."""
    runtime.hardware.report.boot("[MaixPy] init end\r\n")
    script = _BootScript(runtime)
    try:
        return script.run()
    except (VfsError, UnicodeError) as error:
        runtime.console.write(
            "Traceback (most recent call last):\n"
            f'  File "_boot.py", line {script.line}, in <module>\n'
            f"{type(error).__name__}: {error}\n"
        )
        return Started.FAILED


class _BootScript:
    """The steps of the script; ``line`` is the line number that its traceback would show."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._vfs = runtime.vfs
        self.line = 0

    def run(self) -> Started:
        """Remove the mark of the IDE, write a missing main.py, copy cover files."""
        if self._take_ide_mark():
            return Started.IDE_MODE
        self._write_main()
        self.line = 109
        on_flash = self._vfs.listdir(FLASH)
        on_card = self._card_names()
        for name, line in _COVERS.items():
            if f"cover.{name}" in on_card:
                self._cover(name, line, there=name in on_flash)
        return Started.READY

    def _take_ide_mark(self) -> bool:
        """Remove the file that the MaixPy IDE leaves; return True if it was there."""
        # The script opens the file to find out: that takes a descriptor and shows on the clock.
        try:
            self._vfs.open(IDE_MARK).close()
        except VfsError:
            return False
        self.line = 32
        self._vfs.remove(IDE_MARK)
        return True

    def _write_main(self) -> None:
        """Write main.py to the current folder (on the card or the flash) unless it has one."""
        self.line = 101
        if "main.py" in self._vfs.listdir():
            return
        try:
            self.line = 103
            file = self._vfs.open("main.py", "wb")
            self.line = 104
            file.write(DEFAULT_MAIN)
            self.line = 105
            file.close()
        except VfsError:
            self._runtime.hardware.report.remark(
                f"{self._vfs.getcwd()} has no main.py, and writing one failed:"
                " add a main.py, free space, or remove the write protection"
            )
            raise

    def _card_names(self) -> list[str]:
        try:
            return self._vfs.listdir(SD)
        except VfsError:
            return []

    def _cover(self, name: str, line: int, *, there: bool) -> None:
        """Copy the card's cover file to ``name`` on /flash and restart, unless they are equal."""
        old = self._read(f"{FLASH}/{name}", line) if there else ""
        new = self._read(f"{SD}/cover.{name}", line + 2)
        if new == old:
            return
        self.line = line + 5
        # As the script does it: a power cut after the open leaves an empty program.
        with self._vfs.open(f"{FLASH}/{name}", "w") as file:
            self.line = line + 6
            file.write(new)
        self._runtime.hardware.report.remark(
            f"{FLASH}/{name} was replaced by the card's cover.{name}"
        )
        self._runtime.power.cut()

    def _read(self, path: str, line: int) -> str:
        """Read a file as text; the line after ``line`` does it."""
        self.line = line
        with self._vfs.open(path) as file:
            self.line = line + 1
            text: str = file.read()
        return text


# boot.py, main.py and scripts

MAIN = "main.py"

INTERRUPTED = 130
"""Exit code of a script that Ctrl-C ended, as in shells."""


class RunResult(NamedTuple):
    """The outcome of a script.

    ``exit_code`` is 0 at the end of the script, the number passed to ``sys.exit`` (1 for any
    other value), 1 after an uncaught exception, 130 after Ctrl-C. ``error`` is that exception,
    a ``BoardCrashError`` if the firmware would hang. ``resets`` counts the restarts of the board,
    ``storage_time`` is the time of flash and card, ``model_loads`` are the loaded models.
    """

    exit_code: int = 0
    error: BaseException | None = None
    resets: int = 0
    storage_time: StorageTime = StorageTime(0, 0)
    model_loads: tuple[ModelLoad, ...] = ()


def read_script(script: Path | str) -> bytes:
    """Return the source code of a script: the contents of a file of the host, or ``script``.

    A ``str`` is a path if such a file exists or if it ends in ``.py``, else it is source code.
    Raises ``BoardError`` for a file that cannot be read, is larger than the memory of the board
    or is not UTF-8.
    """
    if isinstance(script, str) and not _is_path(script):
        return script.encode("utf-8", "surrogatepass")
    path = Path(script)
    with as_board_error():
        # Not by the size in its status: a pipe is a script too, and a device may have no end.
        source = read_start(path, firmware.RAM_SIZE + 1)
    if len(source) > firmware.RAM_SIZE:
        raise BoardError(
            f"{path} has more than {firmware.RAM_SIZE >> 20} MiB",
            hint="a script has to fit into the memory of the board",
        )
    try:
        source.decode()
    except UnicodeDecodeError as reason:
        raise BoardError(
            f"{path} is not UTF-8: byte {source[reason.start]:#04x} at offset {reason.start:#x}",
            hint="save it as UTF-8, the only encoding of MicroPython",
        ) from reason
    return source


def run_programs(runtime: Runtime, script: bytes | None) -> RunResult:
    """Run boot.py, then ``script``, or main.py if ``script`` is ``None``.

    main.py runs even if boot.py failed. At its end the board stays on until the threads of the
    program have ended. Raises ``BoardReset`` if a program resets the board, ``BoardCrashError``
    if the firmware would hang, ``NorError`` if the file of the chip fails and
    ``BrokenPipeError`` if the console was closed.
    """
    with runtime.script_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MicroPython has no warnings
        try:
            _run_file(runtime, "boot.py")
            if script is None:
                result = _run_file(runtime, MAIN)
            else:
                result = _run(runtime, MAIN, lambda: script)
            return _after_threads(runtime, result)
        finally:
            # A late interrupt of a thread would hit the caller of ``Board.run``.
            if runtime.threads is not None:
                runtime.threads.stop_interrupts()


def _after_threads(runtime: Runtime, result: RunResult) -> RunResult:
    """Wait until the program's threads have ended, or until Ctrl-C."""
    try:
        if runtime.threads is not None and result.error is None:
            runtime.threads.wait()
    except KeyboardInterrupt as error:
        runtime.power.check()
        return RunResult(INTERRUPTED, error)
    return result


def _run_file(runtime: Runtime, name: str) -> RunResult:
    """Run a file of the current directory; a missing file is not an error."""
    if runtime.vfs.import_stat(name) is not ImportStat.FILE:
        return RunResult()
    return _run(runtime, name, lambda: runtime.read_source(name))


def _run(runtime: Runtime, name: str, source: Callable[[], bytes]) -> RunResult:
    try:
        text = source()
        runtime.hardware.report.syntax(text, name)
        runtime.importer.load_main(text, name)
    except (BoardReset, BoardCrashError, NorError, BrokenPipeError):
        # Not errors of the program: a real board would not print them.
        raise
    except SystemExit as error:
        return RunResult(_exit_code(error), error)
    except KeyboardInterrupt as error:
        runtime.power.check()  # a thread interrupts the program if it resets the board
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
    # Exit codes of a process have 8 bits.
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _is_path(text: str) -> bool:
    """Return True if ``text`` is a path, not source code."""
    if "\n" in text or "\0" in text:
        return False
    if text.endswith(".py"):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False  # too long for a file name, for example
