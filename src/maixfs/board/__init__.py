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
    from maixfs.board.runner import RunResult
    from maixfs.board.signals import BoardCrashError, BoardOffError
    from maixfs.board.times import ModelLoad, StorageTime
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.boardlock import BoardBusyError, BoardConfigError, BoardError

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
        "maixfs.image.boardconfig": ("BoardConfig",),
        "maixfs.image.boardlock": ("BoardBusyError", "BoardConfigError", "BoardError"),
        "clock": ("Clock", "HostClock", "SteppedClock"),
        "runner": ("RunResult",),
        "signals": ("BoardCrashError", "BoardOffError"),
        "times": ("ModelLoad", "StorageTime"),
    },
)
