"""The volumes of a board: /flash and the partitions of the card, which work only with power.

Volumes that a program mounts itself are objects of the program and are not guarded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from maixfs.board.power import Power
from maixfs.host.interrupts import Checked, held
from maixfs.nor.clock import DeviceClock
from maixfs.spiffs import SpiffsCore, SpiffsError
from maixfs.spiffs.ondisk import ID_FREE, ID_INDEX
from maixfs.vfs import Area, Errno, ImportStat, NativeDriver, OnQuirk, VfsError, VfsSpiffs

if TYPE_CHECKING:
    from maixfs.nor.chip import NorChip
    from maixfs.sd.slot import SlotDevice
    from maixfs.vfs import FileIO, RawFile, TextIOWrapper, VfsFat

    Driver = VfsSpiffs | VfsFat


FLASH = "/flash"
"""Mount point of the flash."""

SD = "/sd"
"""Mount point of the first partition of the card that mounts, whatever its number."""


Say = Callable[[str], object]

_TOP = ("", "/", b"", b"/")
"""Paths of a volume's root: drivers answer them without access to the medium."""


class PoweredVolume(NativeDriver):
    """A driver whose operations are not interrupted: a Ctrl-C waits until one is finished.

    Without ``power`` neither the driver nor a file that it opened touches the medium any more.
    Operations that need the medium call ``medium.check`` too, and the program sees what that
    raises.
    """

    def __init__(self, driver: Driver, power: Power, medium: Checked | None = None) -> None:
        self._driver = driver
        self._power = power
        self._medium: Checked = power if medium is None else medium

    @abstractmethod
    def abandon(self) -> None:
        """Drop what the driver holds in RAM: nothing is written."""

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file whose operations are not interrupted."""
        with held(self._medium):
            file = self._driver.open(path, mode)
        # The file object is the driver's; only the layer below it is replaced.
        file._raw = HeldFile(file._raw, self._power, self._medium)
        return file

    def ilistdir(self, path: object = "", /) -> Iterator[tuple[Any, int, int, int]]:
        """Iterate over a folder."""
        with held(self._medium):
            return _HeldSteps(self._driver.ilistdir(path), self._power)

    def mkdir(self, path: object, /) -> None:
        """Make a folder."""
        with held(self._medium):
            self._driver.mkdir(path)

    def rmdir(self, path: object, /) -> None:
        """Remove an empty folder."""
        with held(self._medium):
            self._driver.rmdir(path)

    def remove(self, path: object, /) -> None:
        """Remove a file."""
        with held(self._medium):
            self._driver.remove(path)

    def rename(self, old: object, new: object, /) -> None:
        """Rename a file or a folder."""
        with held(self._medium):
            self._driver.rename(old, new)

    def stat(self, path: object, /) -> tuple[int, ...]:
        """Return mode, size and times."""
        with held(self._power if path in _TOP else self._medium):
            return self._driver.stat(path)

    def statvfs(self, path: object, /) -> tuple[int, ...]:
        """Return sizes and free space."""
        with held(self._medium):
            return self._driver.statvfs(path)

    def chdir(self, path: object, /) -> None:
        """Change this volume's current folder."""
        with held(self._power if path in _TOP else self._medium):
            self._driver.chdir(path)

    def getcwd(self) -> str | bytes:
        """Return this volume's current folder."""
        with held(self._power):
            return self._driver.getcwd()

    def import_stat(self, path: str) -> ImportStat:
        """Return what ``import`` finds: nothing if the medium is gone."""
        # A card that is gone means "not found" for an import, but power-off must be raised.
        self._power.check()
        try:
            with held(self._medium):
                return self._driver.import_stat(path)
        except VfsError:
            return ImportStat.NONE

    def mount(self, readonly: object, mkfs: object, /) -> None:
        """Mount again."""
        with held(self._medium):
            self._driver.mount(readonly, mkfs)

    def umount(self) -> None:
        """Let the driver know that it left the mount table."""
        with held(self._power):
            self._driver.umount()

    def collect(self) -> int:
        """Close the files whose objects are gone."""
        with held(self._power):
            return self._driver.collect()


class HeldFile:
    """An open file of a volume; without ``medium`` nothing can be read or written."""

    def __init__(self, raw: RawFile, power: Power, medium: Checked) -> None:
        self._raw = raw
        self._power = power
        self._medium = medium

    @property
    def lookahead(self) -> int:
        """That of the driver."""
        return self._raw.lookahead

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        with held(self._medium):
            return self._raw.read(size)

    def read_all(self) -> bytes:
        """Return everything from the position to the end."""
        with held(self._medium):
            return self._raw.read_all()

    def write(self, data: memoryview) -> int:
        """Write ``data``; return the number of bytes written."""
        with held(self._medium):
            return self._raw.write(data)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        with held(self._power):
            return self._raw.seek(offset, whence)

    def flush(self) -> None:
        """Write what the driver holds."""
        with held(self._medium):
            self._raw.flush()

    def close(self) -> None:
        """Flush and free the descriptor."""
        # Not the medium: closing a file of a removed card has to free its descriptor.
        with held(self._power):
            self._raw.close()


class _HeldSteps:
    """An iterator whose steps are not interrupted by Ctrl-C."""

    def __init__(self, steps: Iterator[Any], power: Power) -> None:
        self._steps = steps
        self._power = power

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with held(self._power):
            return next(self._steps)


# /flash


def mount_flash(area: Area, say: Say, keep: Callable[[], object]) -> SpiffsCore:
    """Mount ``area``; after any error format it and mount again, as the firmware does.

    ``say`` receives what the firmware prints, ``keep`` is called before the area is formatted.
    Raises ``SpiffsError`` if the second mount fails too.
    """
    # A Ctrl-C between two steps would leave an area without a file system.
    with held():
        try:
            return area.mount()
        except SpiffsError:
            # The firmware formats at once; a board on a host can save the old contents first.
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
    """The volume of /flash; if ``chip`` has a clock, it is charged for the searches of an open."""

    def __init__(
        self,
        fs: SpiffsCore,
        power: Power,
        chip: NorChip,
        on_quirk: OnQuirk | None = None,
        *,
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        self._spiffs = VfsSpiffs(fs, on_quirk, on_message=on_message)
        self._chip = chip
        super().__init__(self._spiffs, power)

    @property
    def fs(self) -> SpiffsCore:
        """The mounted file system."""
        return self._spiffs.fs

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file whose operations are not interrupted."""
        clock = self._chip.clock
        if clock is None:
            return super().open(path, mode)

        timer = SearchTimer(self.fs, clock)
        found = False
        try:
            file = super().open(path, mode)
            found = True
        finally:
            timer.charge(found=found)
        return file

    def abandon(self) -> None:
        """Drop what the driver holds in RAM: nothing is written."""
        self.fs.abandon()

    def flash_format(self) -> bool | None:
        """Format: all files are lost."""
        with held(self._power):
            return self._spiffs.flash_format()


# /sd


class Contact:
    """The contact with a started card; starting it again makes another contact.

    FatFs would go on with its buffers after the card was pulled out, and answer from them; when
    they are written to another card they destroy it.
    """

    def __init__(self, device: SlotDevice, power: Power) -> None:
        self._device = device
        self._power = power

    def check(self) -> None:
        """Raise EIO if the card is gone, and what ``Power.check`` raises."""
        self._power.check()
        if self._device.lost:
            raise VfsError(Errno.EIO)


class CardVolume(PoweredVolume):
    """The volume of /sd, /sd2 and so on: EIO from the moment that the card is pulled out."""

    def __init__(self, fat: VfsFat, device: SlotDevice, power: Power) -> None:
        super().__init__(fat, power, Contact(device, power))
        self._fat = fat

    @property
    def fat(self) -> VfsFat:
        """The driver, without the guard of power and card."""
        return self._fat

    def abandon(self) -> None:
        """Drop what the driver holds in RAM: nothing is written."""
        self._fat.fs.abandon()


# Time of a name search


class SearchTimer:
    """Charges the search for a name on /flash to the clock of the chip.

    ``maixfs.spiffs`` keeps the look-up entries in RAM; the firmware's SPIFFS reads the look-up
    pages, and the header of each index page, at every search. It starts at the page of the last
    match and wraps around. A search without a match, for a new file, is charged as a short one.
    """

    def __init__(self, fs: SpiffsCore, clock: DeviceClock) -> None:
        self._volume = fs._volume
        self._clock = clock
        self._start = self._volume.search_page

    def charge(self, *, found: bool) -> None:
        """Charge the search that was made since this object was created."""
        geometry, clock = self._volume.geometry, self._clock
        start, end = self._start, self._volume.search_page + 1 if found else self._start
        entries = self._entries(start, end)
        headers = sum(entry != ID_FREE and bool(entry & ID_INDEX) for entry in entries)
        blocks = -(-(start % geometry.pages_per_block + len(entries)) // geometry.pages_per_block)
        for _ in range(blocks * geometry.lookup_pages):
            clock.charge_read(geometry.page_size)
        for _ in range(headers):
            clock.charge_read(geometry.header_size)

    def _entries(self, start: int, end: int) -> list[int]:
        lookup = self._volume.lookup
        between = lookup[start:end] if end > start else lookup[start:] + lookup[:end]
        return between.tolist()
