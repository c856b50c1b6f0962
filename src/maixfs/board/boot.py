"""``_boot.py``: what the firmware does between its own start and the user's programs."""

from __future__ import annotations

from enum import Enum

from maixfs.board.runtime import FLASH, Runtime
from maixfs.vfs import VfsError

IDE_MARK = f"{FLASH}/ide_mode.conf"

DEFAULT_MAIN = b"""\
# main.py runs each time the board starts, after boot.py. Put your own program here.
import gc

gc.collect()
"""
"""What is written where there is no main.py; the firmware's own draws on the screen instead."""

_OPEN_LINE, _WRITE_LINE, _CLOSE_LINE, _REMOVE_LINE = 103, 104, 105, 32
"""Lines of the firmware's ``_boot.py``, as its tracebacks name them."""


class Started(Enum):
    """How the start went: only a board that is ready runs boot.py and main.py."""

    READY = "ready"
    IDE_MODE = "in IDE mode: ide_mode.conf was on its flash, and is removed now"
    FAILED = "stuck in _boot.py"


def finish_boot(runtime: Runtime) -> Started:
    """Take the mark of the IDE, write a main.py where there is none; print what fails."""
    runtime.hardware.report.boot("[MaixPy] init end\r\n")
    line = _REMOVE_LINE
    try:
        if _take_ide_mark(runtime):
            return Started.IDE_MODE
        if "main.py" in runtime.vfs.listdir():
            return Started.READY
        line = _OPEN_LINE
        file = runtime.vfs.open("main.py", "wb")
        line = _WRITE_LINE
        file.write(DEFAULT_MAIN)
        line = _CLOSE_LINE
        file.close()
    except VfsError as error:
        runtime.console.write(
            "Traceback (most recent call last):\n"
            f'  File "_boot.py", line {line}, in <module>\nOSError: {error}\n'
        )
        return Started.FAILED
    return Started.READY


def _take_ide_mark(runtime: Runtime) -> bool:
    """Remove the mark that the MaixPy IDE leaves; tell whether it was there."""
    try:
        runtime.vfs.open(IDE_MARK).close()
    except VfsError:
        return False
    runtime.vfs.remove(IDE_MARK)
    return True
