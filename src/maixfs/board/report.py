"""What the board tells its user beside the console: trouble, quirks, remarks."""

from __future__ import annotations

import sys
from typing import TextIO

from maixfs.board.compiler import newer_syntax


class Reporter:
    """Where it goes.

    ``stderr`` (the host's unless given) takes remarks, and with ``explain`` each quirk of the
    firmware once. ``boot_log`` takes all that the firmware prints before a script runs; without
    one its trouble goes to ``stderr`` and the rest nowhere.
    """

    def __init__(
        self,
        stderr: TextIO | None = None,
        boot_log: TextIO | None = None,
        *,
        explain: bool = False,
    ) -> None:
        self._stderr = stderr
        self._boot_log = boot_log
        self._explain = explain
        self._told: set[str] = set()

    def remark(self, text: str) -> None:
        """Tell the user something that no board would say."""
        (sys.stderr if self._stderr is None else self._stderr).write(f"maixfs: {text}\n")

    def trouble(self, text: str) -> None:
        """Take what the firmware prints about its flash, newline included."""
        (self._boot_log or self._stderr or sys.stderr).write(text)

    def boot(self, text: str) -> None:
        """Take what the firmware prints at each start."""
        if self._boot_log is not None:
            self._boot_log.write(text)

    def quirk(self, key: str, sentence: str) -> None:
        """Explain something that the firmware did; each ``key`` once."""
        if self._explain and key not in self._told:
            self._told.add(key)
            self.remark(f"quirk: {sentence}")

    def syntax(self, source: bytes, name: str) -> None:
        """Explain what of a script's syntax a board would refuse."""
        if self._explain:
            for sentence in newer_syntax(source):
                self.quirk(f"syntax {sentence}", f"{name}: {sentence}")
