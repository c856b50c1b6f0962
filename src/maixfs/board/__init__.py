"""The virtual board: power, boot, the modules that a script sees.

from maixfs.board import Board
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Board": "board",
    "BoardBusyError": "errors",
    "BoardConfig": "config",
    "BoardConfigError": "errors",
    "BoardError": "errors",
    "Clock": "clock",
    "HostClock": "clock",
    "RunResult": "runner",
    "Started": "boot",
    "SteppedClock": "clock",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: who only reads board.toml does not wait for the whole board.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
