"""``_boot.py``: what the firmware does between its own start and the user's programs."""

from __future__ import annotations

from enum import Enum

from maixfs.board.mounts import FLASH, SD
from maixfs.board.runtime import Runtime
from maixfs.vfs import VfsError

IDE_MARK = f"{FLASH}/ide_mode.conf"

DEFAULT_MAIN = b"""\
# main.py runs each time the board starts, after boot.py. Put your own program here.
import gc

gc.collect()
"""
"""What is written where there is no main.py; the firmware's own draws on the screen instead."""

_COVERS = {"boot.py": 117, "main.py": 130}
"""Files of /flash that the card may cover, and the line of ``_boot.py`` that opens each."""


class Started(Enum):
    """How the start went: only a board that is ready runs boot.py and main.py."""

    READY = "ready"
    IDE_MODE = "in IDE mode: ide_mode.conf was on its flash, and is removed now"
    FAILED = "stuck in _boot.py"


def finish_boot(runtime: Runtime) -> Started:
    """Run ``_boot.py``; print what fails. Raises ``BoardReset`` where it restarts the board."""
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
    """The script, by what it does; ``line`` is where its tracebacks would say that it is."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._vfs = runtime.vfs
        self.line = 0

    def run(self) -> Started:
        """Take the mark of the IDE, write a main.py where there is none, copy cover files."""
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
        """Remove the mark that the MaixPy IDE leaves; tell whether it was there."""
        try:
            self._vfs.open(IDE_MARK).close()
        except VfsError:
            return False
        self.line = 32
        self._vfs.remove(IDE_MARK)
        return True

    def _write_main(self) -> None:
        """See to it that the current folder, the card's or the flash's, has a main.py."""
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
                f"{self._vfs.getcwd()} has no main.py and none can be written there:"
                " put one on it, or make room, or let it be written"
            )
            raise

    def _card_names(self) -> list[str]:
        try:
            return self._vfs.listdir(SD)
        except VfsError:
            return []

    def _cover(self, name: str, line: int, *, there: bool) -> None:
        """Make /flash's ``name`` what the card's cover file is, and restart if it was not."""
        old = self._read(f"{FLASH}/{name}", line) if there else ""
        new = self._read(f"{SD}/cover.{name}", line + 2)
        if new == old:
            return
        self.line = line + 5
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
