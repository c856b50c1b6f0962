"""What differs between two images, and why.

    for part in diff("before.bin", "after.bin").parts:
        print(part.kind, hex(part.start), part.change)

Flashes are compared by their parts; of a SPIFFS it is said whether files changed or garbage
collection only moved them. ``compare_files`` compares any two sets of files. The names below are
loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.compare.files import (
        AreaDiff,
        Change,
        FileDiff,
        FileSide,
        ImageDiff,
        PageDiff,
        PartDiff,
        Range,
        Reason,
        compare_files,
    )
    from maixfs.compare.images import diff, find_ranges

__all__ = [
    "AreaDiff",
    "Change",
    "FileDiff",
    "FileSide",
    "ImageDiff",
    "PageDiff",
    "PartDiff",
    "Range",
    "Reason",
    "compare_files",
    "diff",
    "find_ranges",
]

__getattr__ = lazy_names(
    __name__,
    {
        "files": (
            "AreaDiff",
            "Change",
            "FileDiff",
            "FileSide",
            "ImageDiff",
            "PageDiff",
            "PartDiff",
            "Range",
            "Reason",
            "compare_files",
        ),
        "images": ("diff", "find_ranges"),
    },
)
