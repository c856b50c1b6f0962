"""The bytes of a target, worked on in memory until they are saved."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Literal

from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import Stamp, read_file, status_of
from maixfs.image.entries import Progress
from maixfs.image.errors import TargetError
from maixfs.image.source import Source
from maixfs.image.spiffs.medium import check_size, map_file, read_wear
from maixfs.nor import OverlayFlash, WearCounts
from maixfs.nor.device import SECTOR
from maixfs.nor.view import ImageDevice


class EditMedium:
    """A target for changing: the changes stay in memory until ``save``.

    The caller has locked the board (``source.locked``).
    """

    writable: Literal[True] = True

    def __init__(self, source: Source) -> None:
        self.source = source
        self.holder: int | None = None
        file = map_file(source)
        try:
            self.size = len(file)
            check_size(source, self.size)
            self.wear = read_wear(source, self.size)
            # A copy: the file is replaced while its old bytes are still needed.
            self._saved = memoryview(bytes(file.cells))
        finally:
            file.close()
        self.device = OverlayFlash(ImageDevice(self._saved))

    @property
    def changed(self) -> bool:
        """Whether there is anything to save."""
        return next(self.device.changed_sectors(), None) is not None

    @property
    def image(self) -> memoryview:
        """The bytes in their current state, read-only."""
        return memoryview(self.device.image()) if self.changed else self._saved

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
            image = self.image
            flash.write((image,), self.size, progress)
            wear = self._draft_wear(stack)
            flash.finish()
            if wear is not None:
                wear.finish()
        self.source = self.source._replace(stamp=Stamp.of(status_of(path)))
        self._saved = image
        self.device.below = ImageDevice(image)
        self.device.clear()
        self.wear = read_wear(self.source, self.size)

    def _draft_wear(self, stack: ExitStack) -> Draft | None:
        """Write the new erase counts beside the old ones."""
        place = self.source.wear_file
        if place is None or not self.device.erases:
            return None
        draft = stack.enter_context(Draft(place))
        if self.wear is not None and place.exists():
            draft.write((read_file(place),), place.stat().st_size, None)
        counts = WearCounts.open(draft.file, self.device.size // SECTOR)
        try:
            for sector, erases in sorted(self.device.erases.items()):
                for _ in range(erases):
                    counts.add(sector)
            counts.flush()
        finally:
            counts.close()
        return draft

    def close(self) -> None:
        """Do nothing: there is no file open."""
