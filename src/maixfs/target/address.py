"""``TARGET:PATH``: which part of a text is the host's and which lies inside of the target."""

from __future__ import annotations

import ntpath
import os
import re
from pathlib import Path
from typing import NamedTuple

_LIKE_A_DRIVE = re.compile(r"[A-Za-z]:\\")


class TargetPath(NamedTuple):
    """A target on the host and a path in it (``None`` where the text has none)."""

    host: Path
    path: str | None = None

    def __str__(self) -> str:
        return str(self.host) if self.path is None else f"{self.host}:{self.path}"


def parse_target(text: str) -> TargetPath:
    """Split ``board:/flash/main.py`` into host and path.

    A colon divides where a slash or nothing follows it; where anything else follows it must
    end the name of something that is there. A host path that holds colons and is there is taken
    whole, and so is the drive letter of a Windows path. ``board:`` is the place where the board
    starts, ``board:main.py`` lies there.
    """
    if _is_there(text):
        return TargetPath(Path(text))
    colons = [at for at, letter in enumerate(text) if letter == ":" and at >= _drive_end(text)]
    for at in reversed(colons):
        if at and _is_there(text[:at]):
            return TargetPath(Path(text[:at]), text[at + 1 :])
    for at in colons:
        if at and text[at + 1 :][:1] in ("/", ""):
            return TargetPath(Path(text[:at]), text[at + 1 :])
    return TargetPath(Path(text))


def is_target_path(text: str) -> bool:
    """Tell whether a text names something inside of a target (has a ``:PATH``)."""
    return parse_target(text).path is not None


def _drive_end(text: str) -> int:
    """Return where the drive of a Windows path ends; a board may be called C elsewhere."""
    if os.name == "nt" or _LIKE_A_DRIVE.match(text) or text.startswith("\\\\?\\"):
        return len(ntpath.splitdrive(text)[0])
    return 0


def _is_there(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # a name that this host cannot have
        return False
