"""/flash: mounted at power-on, formatted where that fails, as the firmware does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from maixfs.board.interrupts import held
from maixfs.board.signals import Power
from maixfs.board.volume import PoweredVolume
from maixfs.spiffs import SpiffsCore, SpiffsError
from maixfs.vfs import Area, OnQuirk, VfsSpiffs

if TYPE_CHECKING:
    from maixfs.nor.clock import DeviceClock
    from maixfs.vfs import FileIO, TextIOWrapper

Say = Callable[[str], object]


def mount_flash(area: Area, say: Say, keep: Callable[[], object]) -> SpiffsCore:
    """Mount ``area``; whatever error that gives, format it and mount again.

    ``say`` takes what the firmware prints, ``keep`` is called before anything is lost. Raises
    ``SpiffsError`` where the second mount fails too.
    """
    with held():
        try:
            return area.mount()
        except SpiffsError:
            keep()
            return _format(area, say)


def _format(area: Area, say: Say) -> SpiffsCore:
    say("[MAIXPY]:Spiffs Unmount.\n")
    say("[MAIXPY]:Spiffs Formating...\n")
    outcome = "failed"
    try:
        area.format()
        outcome = "successful"
    finally:
        say(f"[MAIXPY]:Spiffs Format {outcome} \n")
    outcome = "failed"
    try:
        fs = area.mount()
        outcome = "successful"
    finally:
        say(f"[MAIXPY]:Spiffs Mount {outcome} \n")
    return fs


class FlashVolume(PoweredVolume):
    """The volume of /flash; where ``clock`` gives one, it is told what searches take."""

    def __init__(
        self,
        fs: SpiffsCore,
        power: Power,
        on_quirk: OnQuirk | None = None,
        *,
        on_message: Callable[[str], None] | None = None,
        clock: Callable[[], DeviceClock | None] = lambda: None,
    ) -> None:
        self._spiffs = VfsSpiffs(fs, on_quirk, on_message=on_message)
        self._clock = clock
        super().__init__(self._spiffs, power)

    @property
    def fs(self) -> SpiffsCore:
        """The mounted file system."""
        return self._spiffs.fs

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file whose every operation is done as a whole."""
        clock = self._clock()
        if clock is None:
            return super().open(path, mode)
        from maixfs.board.searchtime import SearchTimer

        timer = SearchTimer(self.fs, clock)
        found = False
        try:
            file = super().open(path, mode)
            found = True
        finally:
            timer.charge(found=found)
        return file

    def abandon(self) -> None:
        """Forget what the driver holds in RAM: nothing is written."""
        self.fs.abandon()

    def flash_format(self) -> bool | None:
        """Format: all files are lost."""
        with held(self._power):
            return self._spiffs.flash_format()
