"""What a face needs to work on a board's folder, a flash image or a SPIFFS image.

    from maixfs.target import open_target

    with open_target("board", writable=True) as target:
        target.write("/flash/main.py", b"print('hello')")

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.target.address import TargetPath, is_target_path, parse_target
    from maixfs.target.copying import Copied, apply
    from maixfs.target.copyplan import Action, CopyPlan, CopyStep, plan_copy
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
    from maixfs.target.records import Entry, Finding, Kind, Progress, Room, Where, Written
    from maixfs.target.spiffs.images import make_image
    from maixfs.target.spiffs.packing import Packed, pack_folder
    from maixfs.target.spiffs.report import Report
    from maixfs.target.target import Target
    from maixfs.target.unpacking import UnpackError, unpack
    from maixfs.target.volume import Volume

__all__ = [
    "Action",
    "AmbiguousError",
    "Copied",
    "CopyPlan",
    "CopyStep",
    "Entry",
    "Finding",
    "FitError",
    "Kind",
    "MissingError",
    "NoFileSystemError",
    "Packed",
    "Progress",
    "Report",
    "Room",
    "TakenError",
    "Target",
    "TargetError",
    "TargetPath",
    "UnpackError",
    "UnreadableError",
    "Volume",
    "Where",
    "Written",
    "apply",
    "is_target_path",
    "make_image",
    "open_target",
    "pack_folder",
    "parse_target",
    "plan_copy",
    "unpack",
]

__getattr__ = lazy_names(
    __name__,
    {
        "address": ("TargetPath", "is_target_path", "parse_target"),
        "copying": ("Copied", "apply"),
        "copyplan": ("Action", "CopyPlan", "CopyStep", "plan_copy"),
        "errors": (
            "AmbiguousError",
            "FitError",
            "MissingError",
            "NoFileSystemError",
            "TakenError",
            "TargetError",
            "UnreadableError",
        ),
        "spiffs.images": ("make_image",),
        "opening": ("open_target",),
        "spiffs.packing": ("Packed", "pack_folder"),
        "records": ("Entry", "Finding", "Kind", "Progress", "Room", "Where", "Written"),
        "spiffs.report": ("Report",),
        "target": ("Target",),
        "unpacking": ("UnpackError", "unpack"),
        "volume": ("Volume",),
    },
)
