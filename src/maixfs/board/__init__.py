"""The virtual board: power, boot, the modules that a script sees.

from maixfs.board import Board
"""

from __future__ import annotations

from maixfs.board.board import Board
from maixfs.board.boot import Started
from maixfs.board.clock import Clock, HostClock, SteppedClock
from maixfs.board.config import BoardConfig
from maixfs.board.errors import BoardBusyError, BoardConfigError, BoardError
from maixfs.board.runner import RunResult

__all__ = [
    "Board",
    "BoardBusyError",
    "BoardConfig",
    "BoardConfigError",
    "BoardError",
    "Clock",
    "HostClock",
    "RunResult",
    "Started",
    "SteppedClock",
]
