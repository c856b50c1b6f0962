"""A small board for tests, with its output."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from maixfs.board import Board, RunResult, SteppedClock
from maixfs.spiffs import PRESETS

SMALL_FLASH = 0x400000
SMALL = replace(PRESETS["maixpy"], base=0x100000)


class Output(NamedTuple):
    """The result and the output of one run."""

    result: RunResult
    out: str
    err: str


class Desk:
    """A folder of a board, and shortcuts for its use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = io.StringIO()
        self.err = io.StringIO()

    def create(self, **options: Any) -> None:
        Board.create(self.folder, **{"flash_size": SMALL_FLASH, "geometry": SMALL} | options)

    @contextmanager
    def on(self, **options: Any) -> Iterator[Board]:
        """Power the board on; ``out`` and ``err`` receive its output."""
        self.out, self.err = io.StringIO(), io.StringIO()
        settings = {"stdout": self.out, "stderr": self.err, "clock": SteppedClock()} | options
        with Board.open(self.folder, **settings) as board:
            yield board

    def run(self, script: Any = None, **options: Any) -> Output:
        """Power on, run one program, power off."""
        with self.on(**options) as board:
            result = board.run(script)
        return Output(result, self.out.getvalue(), self.err.getvalue())

    def put(self, name: str, content: bytes | str) -> None:
        """Write a file to /flash."""
        with self.on() as board, board.open(f"/flash/{name}", "wb") as file:
            file.write(content)

    def get(self, name: str) -> bytes:
        """Read a file from /flash."""
        with self.on() as board, board.open(f"/flash/{name}", "rb") as file:
            return bytes(file.read())
