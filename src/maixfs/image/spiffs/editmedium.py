"""The bytes of a target, worked on in memory until they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal

from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import Stamp, read_file, status_of
from maixfs.image.entries import Progress
from maixfs.image.errors import TargetError
from maixfs.image.source import Source
from maixfs.image.spiffs.medium import check_size, map_file, read_wear
from maixfs.nor import IdealDriver, NorChip, NorDevice, WearCounts
from maixfs.nor.device import SECTOR


class EditMedium:
    """A target for changing: its bytes lie in memory until ``save``.

    Who makes it has the board locked (``source.locked``). ``erases`` has what the changes cost,
    per sector. What the chip counts is a draft: ``mark_wear`` ends a part of it, ``undo_wear``
    forgets the last part, ``drop_wear`` all parts; ``keep_wear`` adds them to ``erases``.
    """

    writable: Literal[True] = True

    def __init__(self, source: Source) -> None:
        self.source = source
        self.holder: int | None = None
        self._load(source)
        self.erases = [0] * (self.chip.size // SECTOR)
        self._parts: list[WearCounts] = []
        self.device: NorDevice = IdealDriver(self.chip)

    def _load(self, source: Source) -> None:
        file = map_file(source)
        try:
            self.size = len(file)
            check_size(source, self.size)
            self.wear = read_wear(source, self.size)
            rounded = -(-self.size // SECTOR) * SECTOR
            self.chip = NorChip.in_memory(rounded, content=file.cells)
        finally:
            file.close()

    @property
    def image(self) -> memoryview:
        """The bytes as they are now, read-only."""
        window = self.chip.window()
        return (memoryview(b"") if window is None else window)[: self.size]

    def mark_wear(self) -> None:
        """End a part of the draft."""
        self._parts.append(self.chip.wear)
        self.undo_wear()

    def undo_wear(self) -> None:
        """Forget what the chip counted since the last mark: it was undone."""
        self.chip.wear = WearCounts(len(self.erases))

    def drop_wear(self) -> None:
        """Forget the draft."""
        self._parts.clear()
        self.undo_wear()

    def keep_wear(self) -> None:
        """Add the draft to ``erases``."""
        self.mark_wear()
        for part in self._parts:
            if part.total():
                pairs = zip(self.erases, part.counts(), strict=True)
                self.erases = [old + new for old, new in pairs]
        self._parts.clear()

    def save(self, progress: Progress | None = None) -> None:
        """Put the bytes in the place of the host's file, in one step.

        Raises ``DeviceError`` where the host refuses, ``TargetError`` where somebody else changed
        the file since it was read; the old file is then as it was.
        """
        path = self.source.file
        if Stamp.of(status_of(path)) != self.source.stamp:
            raise TargetError(
                f"{path} was changed by another program meanwhile; nothing was written",
                hint="run the command again",
            )
        clear_drafts(path.resolve().parent)
        with Draft(path) as flash, ExitStack() as stack:
            flash.write((self.image,), self.size, progress)
            wear = self._draft_wear(stack)
            flash.finish()
            if wear is not None:
                wear.finish()
        self.source = self.source._replace(stamp=Stamp.of(status_of(path)))
        self.erases = [0] * len(self.erases)
        self.wear = read_wear(self.source, self.size)

    def _draft_wear(self, stack: ExitStack) -> Draft | None:
        """Write the new erase counts beside the old ones."""
        place = self.source.wear_file
        if place is None or not any(self.erases):
            return None
        draft = stack.enter_context(Draft(place))
        if self.wear is not None and place.exists():
            draft.write((read_file(place),), place.stat().st_size, None)
        counts = WearCounts.open(draft.file, len(self.erases))
        try:
            for sector, erases in _runs(self.erases):
                for _ in range(erases):
                    counts.add(sector)
            counts.flush()
        finally:
            counts.close()
        return draft

    def close(self) -> None:
        """Do nothing: there is no file open."""


def _runs(erases: list[int]) -> Iterator[tuple[int, int]]:
    return ((sector, count) for sector, count in enumerate(erases) if count)
