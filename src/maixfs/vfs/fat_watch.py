"""What the firmware does to the users of a FAT file: told, or refused where that is wanted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from maixfs.fat.errors import FatError
from maixfs.fat.openflag import OpenFlag
from maixfs.sd.errors import SectorError

if TYPE_CHECKING:
    from maixfs.fat import FatCore, FatFile
    from maixfs.vfs.quirks import Quirks

_DEPTH = 256
"""Folders are looked up so far: a damaged volume's may lead round in a circle."""


class FileWatch:
    """Looks at what is done to one open file of ``fs``, opened as ``path`` with ``flags``.

    With ``guarded`` a seek to before the start of a file that can be written is refused.
    """

    def __init__(
        self, fs: FatCore, path: str, flags: OpenFlag, quirks: Quirks, *, guarded: bool
    ) -> None:
        self._fs = fs
        self._path = path
        self._writes = bool(flags & OpenFlag.WRITE)
        self._appends = bool(flags & OpenFlag.OPEN_ALWAYS)
        self._quirks = quirks
        self._guarded = guarded

    def refuses(self, file: FatFile, target: int) -> bool:
        """Whether a seek to ``target`` must not be done."""
        if not self._writes:
            return False
        if target < 0:
            if self._guarded:
                return True
            self._quirks.tell("fat-seek-fills", self._path)
        elif target > file.size:
            self._quirks.tell("fat-seek-grows", self._path)
        return False

    def before_write(self, file: FatFile) -> None:
        """Look at where a write is about to go."""
        if self._appends and not file.closed and file.tell() < file.size:
            self._quirks.tell("fat-append-once", self._path)

    def full(self) -> None:
        """Find out whether the volume really is full: that costs a look at the whole FAT."""
        if not self._quirks.waits_for("fat-free-count"):
            return
        try:
            free = self._fs.count_free()
        except (FatError, SectorError):
            return
        if free:
            self._quirks.tell("fat-free-count", self._path, free)


def leads_into_itself(fs: FatCore, source: bytes, target: bytes) -> bool:
    """Tell whether ``source`` is a folder and ``target`` a place below it.

    Goes up from ``target`` by the ``..`` entries, as far as they lead.
    """
    slash = max(target.rfind(b"/"), target.rfind(b"\\"))
    place = target[:slash] if slash > 0 else b"." if slash < 0 else b"/"
    with suppress(FatError, SectorError):
        folder = fs.stat(source)
        if not folder.is_dir or not folder.cluster:
            return False
        for _ in range(_DEPTH):
            above = fs.stat(place).cluster
            if above in (0, folder.cluster):
                return above != 0
            place += b"/.."
    return False
