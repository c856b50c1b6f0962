"""The virtual board: power, boot, the modules that a script sees.

from maixfs.board import Board
"""

from __future__ import annotations

from maixfs.lazy import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from maixfs.board.board import Board
    from maixfs.board.boot import Started
    from maixfs.board.cardfile import eject_card, insert_card
    from maixfs.board.clock import Clock, HostClock, SteppedClock
    from maixfs.board.config import BoardConfig
    from maixfs.board.errors import BoardBusyError, BoardConfigError, BoardError
    from maixfs.board.runner import RunResult
    from maixfs.board.signals import BoardCrashError, BoardOffError
    from maixfs.board.times import ModelLoad, StorageTime

__all__ = [
    "Board",
    "BoardBusyError",
    "BoardConfig",
    "BoardConfigError",
    "BoardCrashError",
    "BoardError",
    "BoardOffError",
    "Clock",
    "HostClock",
    "ModelLoad",
    "RunResult",
    "Started",
    "SteppedClock",
    "StorageTime",
    "eject_card",
    "insert_card",
]

__getattr__ = lazy_names(
    __name__,
    {
        "board": ("Board",),
        "boot": ("Started",),
        "cardfile": ("eject_card", "insert_card"),
        "clock": ("Clock", "HostClock", "SteppedClock"),
        "config": ("BoardConfig",),
        "errors": ("BoardBusyError", "BoardConfigError", "BoardError"),
        "runner": ("RunResult",),
        "signals": ("BoardCrashError", "BoardOffError"),
        "times": ("ModelLoad", "StorageTime"),
    },
)
