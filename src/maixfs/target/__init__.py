"""What a face needs to work on a board's folder, a flash image, a SPIFFS image or a card.

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
    from maixfs.target.fat.formatting import format_partition
    from maixfs.target.fat.medium import settle, settle_board
    from maixfs.target.fat.packing import CardShape, PackedCard, pack_card
    from maixfs.target.fat.report import CardSummary, summarize_card
    from maixfs.target.opening import is_card, open_target
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
    "CardShape",
    "CardSummary",
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
    "PackedCard",
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
    "format_partition",
    "is_card",
    "is_target_path",
    "make_image",
    "open_target",
    "pack_card",
    "pack_folder",
    "parse_target",
    "plan_copy",
    "settle",
    "settle_board",
    "summarize_card",
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
        "fat.formatting": ("format_partition",),
        "fat.medium": ("settle", "settle_board"),
        "fat.report": ("CardSummary", "summarize_card"),
        "fat.packing": ("CardShape", "PackedCard", "pack_card"),
        "opening": ("is_card", "open_target"),
        "spiffs.packing": ("Packed", "pack_folder"),
        "records": ("Entry", "Finding", "Kind", "Progress", "Room", "Where", "Written"),
        "spiffs.report": ("Report",),
        "target": ("Target",),
        "unpacking": ("UnpackError", "unpack"),
        "volume": ("Volume",),
    },
)
