"""The virtual board: power, boot, the modules that a script sees.

from maixfs.board import Board
"""

from __future__ import annotations

from maixfs.lazy import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from maixfs.board.board import Board
    from maixfs.board.boot import RunResult, Started
    from maixfs.board.cardslot import eject_card, insert_card
    from maixfs.board.clocks import Clock, HostClock, ModelLoad, SteppedClock, StorageTime
    from maixfs.board.power import BoardCrashError, BoardOffError
    from maixfs.image.boardconfig import BoardConfig
    from maixfs.image.boarderrors import BoardBusyError, BoardConfigError, BoardError

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
        "boot": ("RunResult", "Started"),
        "cardslot": ("eject_card", "insert_card"),
        "maixfs.image.boardconfig": ("BoardConfig",),
        "maixfs.image.boarderrors": ("BoardBusyError", "BoardConfigError", "BoardError"),
        "clocks": ("Clock", "HostClock", "ModelLoad", "SteppedClock", "StorageTime"),
        "power": ("BoardCrashError", "BoardOffError"),
    },
)
