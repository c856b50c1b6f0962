"""Files of the host that are not finished yet: they lie beside the place that they will take.

Their names are the program's own, so that those of killed processes are known again.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from maixfs.sd.hostlock import try_lock

_NAME = re.compile(r"\.maixfs-[0-9a-f]{12}\.new")


def draft_of(place: Path) -> Path:
    """Return a new name for what is to become ``place``."""
    return place.with_name(f".maixfs-{os.urandom(6).hex()}.new")


def clear_drafts(folder: Path) -> None:
    """Remove the drafts that killed processes left in a folder; nothing else is touched.

    A draft that is being written is locked (on Windows: open, and then it cannot go).
    """
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.path for entry in entries if _NAME.fullmatch(entry.name)]
        for name in names:
            with suppress(OSError):
                _remove_abandoned(name)


def _remove_abandoned(name: str) -> None:
    handle = os.open(name, os.O_RDWR)  # a lock asks for writing on some file systems
    try:
        abandoned = try_lock(handle, unknown=False)
    finally:
        os.close(handle)
    if abandoned:
        os.unlink(name)  # noqa: PTH108 - a name from scandir
