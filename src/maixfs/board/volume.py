"""/flash: mounted at power-on, formatted where that fails, as the firmware does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from maixfs.board.interrupts import held
from maixfs.board.signals import Power
from maixfs.spiffs import Spiffs, SpiffsError
from maixfs.vfs import Area, FileIO, ImportStat, OnQuirk, RawFile, TextIOWrapper, VfsSpiffs

Say = Callable[[str], object]


def mount_flash(area: Area, say: Say, keep: Callable[[], object]) -> Spiffs:
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


def _format(area: Area, say: Say) -> Spiffs:
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


class FlashVolume(VfsSpiffs):
    """The driver of /flash; a Ctrl-C waits until what it does is done.

    Without ``power`` neither it nor a file that it opened touches the flash any more.
    """

    def __init__(
        self,
        fs: Spiffs,
        power: Power,
        on_quirk: OnQuirk | None = None,
        *,
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(fs, on_quirk, on_message=on_message)
        self._power = power

    def switch_off(self) -> None:
        """Take the power away: what the driver holds in RAM is gone, nothing is written."""
        with held():
            self._power.off()
            self.fs.abandon()

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file whose every operation is done as a whole."""
        with held(self._power):
            file = super().open(path, mode)
        file._raw = HeldFile(file._raw, self._power)
        return file

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over the files."""
        with held(self._power):
            return _HeldSteps(super().ilistdir(path), self._power)

    def remove(self, path: object, /) -> None:
        """Remove a file."""
        with held(self._power):
            super().remove(path)

    def rename(self, old: object, new: object, /) -> None:
        """Rename a file."""
        with held(self._power):
            super().rename(old, new)

    def stat(self, path: object, /) -> tuple[int, ...]:  # type: ignore[override]
        """Return mode and size."""
        with held(self._power):
            return super().stat(path)

    def import_stat(self, path: str) -> ImportStat:
        """Tell what ``import`` finds."""
        with held(self._power):
            return super().import_stat(path)

    def mount(self, readonly: object, mkfs: object, /) -> None:
        """Mount again."""
        with held(self._power):
            super().mount(readonly, mkfs)

    def flash_format(self) -> bool | None:
        """Format: all files are lost."""
        with held(self._power):
            return super().flash_format()

    def collect(self) -> int:
        """Close the files that nobody reaches any more."""
        with held(self._power):
            return super().collect()


class HeldFile:
    """An open file of a driver whose operations no Ctrl-C interrupts."""

    def __init__(self, raw: RawFile, power: Power) -> None:
        self._raw = raw
        self._power = power

    @property
    def lookahead(self) -> int:
        """As the driver has it."""
        return self._raw.lookahead

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        with held(self._power):
            return self._raw.read(size)

    def read_all(self) -> bytes:
        """Return what follows."""
        with held(self._power):
            return self._raw.read_all()

    def write(self, data: memoryview) -> int:
        """Write ``data``; return how much went in."""
        with held(self._power):
            return self._raw.write(data)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        with held(self._power):
            return self._raw.seek(offset, whence)

    def flush(self) -> None:
        """Write what the cache holds."""
        with held(self._power):
            self._raw.flush()

    def close(self) -> None:
        """Flush and free the descriptor."""
        with held(self._power):
            self._raw.close()


class _HeldSteps:
    """An iterator whose steps no Ctrl-C interrupts."""

    def __init__(self, steps: Iterator[Any], power: Power) -> None:
        self._steps = steps
        self._power = power

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with held(self._power):
            return next(self._steps)
