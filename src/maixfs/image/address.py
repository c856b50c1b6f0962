"""``TARGET:PATH``: which part of a text is the host's and which lies inside of the target."""

from __future__ import annotations

import ntpath
import os
import re
from pathlib import Path

from maixfs.tuples import NamedTuple

_LIKE_A_DRIVE = r"[A-Za-z]:\\"
_SLOT = r"(?s)(.+)@([1-9][0-9]?)"


class TargetPath(NamedTuple):
    """A target on the host and a path in it (``None`` where the text has none).

    ``slot`` is the partition of a card that is meant, as ``card.img@2`` says it.
    """

    host: Path
    path: str | None = None
    slot: int | None = None

    @property
    def whole(self) -> TargetPath:
        """The target itself."""
        return self._replace(path=None)

    def __str__(self) -> str:
        host = str(self.host) if self.slot is None else f"{self.host}@{self.slot}"
        return host if self.path is None else f"{host}:{self.path}"


def parse_target(text: str) -> TargetPath:
    """Split ``board:/flash/main.py`` or ``card.img@2:/main.py`` into host, slot and path.

    A colon divides where a slash or nothing follows it; where anything else follows it must
    end the name of something that is there. A host path that holds colons and is there is taken
    whole, and so is the drive letter of a Windows path. ``@`` and a number at the end of the
    host's part are a slot where that part is not there and what is before them is. A path
    without a slash in front is one on the flash of a board (``/flash``), also where a card is in
    its slot and scripts start on that, and one from the root in an image.
    """
    # What is there on the host wins over every other reading: a file may have a colon in its name.
    if _is_there(text):
        return TargetPath(Path(text))
    colons = [at for at, letter in enumerate(text) if letter == ":" and at >= _drive_end(text)]
    # From the last colon: the part in front of it is the longest that can be a host path.
    for at in reversed(colons):
        if at and (_is_there(text[:at]) or _slot_of(text[:at])):
            return _with_slot(text[:at], text[at + 1 :])
    if _slot_of(text):
        return _with_slot(text, None)
    for at in colons:
        if at and text[at + 1 :][:1] in ("/", ""):
            return TargetPath(Path(text[:at]), text[at + 1 :])
    return TargetPath(Path(text))


def _slot_of(host: str) -> re.Match[str] | None:
    """Return what is before and behind an ``@`` that names a partition."""
    found = re.fullmatch(_SLOT, host) if "@" in host else None
    return found if found and not _is_there(host) and _is_there(found[1]) else None


def _with_slot(host: str, path: str | None) -> TargetPath:
    found = _slot_of(host)
    if found is None:
        return TargetPath(Path(host), path)
    return TargetPath(Path(found[1]), path, int(found[2]))


def _drive_end(text: str) -> int:
    """Return where the drive of a Windows path ends; a board may be called C elsewhere."""
    if (
        os.name == "nt"
        or (text[1:3] == ":\\" and re.match(_LIKE_A_DRIVE, text))
        or text.startswith("\\\\?\\")
    ):
        return len(ntpath.splitdrive(text)[0])
    return 0


def _is_there(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # a name that this host cannot have
        return False
