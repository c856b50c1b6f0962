"""What a face needs to work on a board's folder, a flash image or a SPIFFS image.

from maixfs.target import open_target

with open_target("board", writable=True) as target:
    target.write("/flash/main.py", b"print('hello')")
"""

from __future__ import annotations

from maixfs.target.address import TargetPath, is_target_path, parse_target
from maixfs.target.errors import (
    AmbiguousError,
    FitError,
    MissingError,
    NoFileSystemError,
    TakenError,
    TargetError,
    UnreadableError,
)
from maixfs.target.opening import open_target
from maixfs.target.records import Entry, Kind, Progress, Room, Written
from maixfs.target.target import Target

__all__ = [
    "AmbiguousError",
    "Entry",
    "FitError",
    "Kind",
    "MissingError",
    "NoFileSystemError",
    "Progress",
    "Room",
    "TakenError",
    "Target",
    "TargetError",
    "TargetPath",
    "UnreadableError",
    "Written",
    "is_target_path",
    "open_target",
    "parse_target",
]
