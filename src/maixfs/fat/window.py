"""FatFs's window: the one sector that it keeps in RAM.

FatFs (FF_FS_TINY 1) has one buffer of a sector for the FAT, for folders and for the parts of
sectors that files read and write. It writes a changed sector when it needs another one, so the
order of its writes follows from the order in which it looks at sectors. The contents live in the
driver's own structures; this class knows only which sector waits in the window.

A window that was not changed needs no name: looking at another sector writes nothing, and a
change looks at its own sector first.
"""

from __future__ import annotations

from typing import Protocol


class Saver(Protocol):
    """A structure in RAM that can write one of its sectors to the card."""

    def save_sector(self, index: int, /) -> None:
        """Write the sector as it is now."""


class Window:
    """The window: ``waiting`` is the sector in it that is newer than the card's, 0 for none.

    Sectors are counted from the volume's boot sector, which never waits here.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._saver: Saver | None = None
        self._index = 0

    def visit(self, sector: int) -> None:
        """Move the window to ``sector`` (move_window).

        Writes the pending sector if it is another one.
        """
        if self.waiting and self.waiting != sector:
            self.write_out()

    def hold(self, sector: int, saver: Saver, index: int) -> None:
        """Note that ``sector``, which was visited just now, has changed.

        ``saver.save_sector(index)`` writes it.
        """
        self.waiting = sector
        self._saver = saver
        self._index = index

    def write_out(self) -> None:
        """Write what waits (sync_window); it goes on waiting if that fails."""
        if self.waiting and self._saver is not None:
            self._saver.save_sector(self._index)
            # After the write: a sector that the card refused is tried again, as in sync_window.
            self.waiting = 0
            self._saver = None

    def drop(self, sector: int, count: int) -> None:
        """Forget what waits if it is one of ``count`` sectors that were just written."""
        # Its content is older than what went past the window to the same place.
        if sector <= self.waiting < sector + count:
            self.waiting = 0
            self._saver = None
