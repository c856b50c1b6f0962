"""A volume of the board: its driver, which works only while the board has power.

/flash and the partitions of the card are volumes of this kind; what a program mounts itself
lies in the program's own objects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maixfs.board.interrupts import held
from maixfs.board.signals import Checked, Power
from maixfs.vfs import ImportStat, NativeDriver, VfsError

if TYPE_CHECKING:
    from maixfs.vfs import FileIO, RawFile, TextIOWrapper, VfsFat, VfsSpiffs

    Driver = VfsSpiffs | VfsFat

_TOP = ("", "/", b"", b"/")
"""Paths of a volume's top folder: drivers know it without a look at the medium."""


class PoweredVolume(NativeDriver):
    """A driver whose every operation is done as a whole: a Ctrl-C waits until it is.

    Without ``power`` neither it nor a file that it opened touches the medium any more. Before
    an operation that needs the medium ``medium`` is asked too; what it raises the program sees.
    """

    def __init__(self, driver: Driver, power: Power, medium: Checked | None = None) -> None:
        self._driver = driver
        self._power = power
        self._medium: Checked = power if medium is None else medium

    @abstractmethod
    def abandon(self) -> None:
        """Forget what the driver holds in RAM: nothing is written."""

    def open(self, path: object, mode: object, /) -> FileIO | TextIOWrapper:
        """Open a file whose every operation is done as a whole."""
        with held(self._medium):
            file = self._driver.open(path, mode)
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
        """Return sizes and room."""
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
        """Tell what ``import`` finds: nothing where the medium is gone."""
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
        """Do what the driver does when it leaves the mount table."""
        with held(self._power):
            self._driver.umount()

    def collect(self) -> int:
        """Close the files that nobody reaches any more."""
        with held(self._power):
            return self._driver.collect()


class HeldFile:
    """An open file of a volume; with ``medium`` gone nothing can be read or written."""

    def __init__(self, raw: RawFile, power: Power, medium: Checked) -> None:
        self._raw = raw
        self._power = power
        self._medium = medium

    @property
    def lookahead(self) -> int:
        """As the driver has it."""
        return self._raw.lookahead

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        with held(self._medium):
            return self._raw.read(size)

    def read_all(self) -> bytes:
        """Return what follows."""
        with held(self._medium):
            return self._raw.read_all()

    def write(self, data: memoryview) -> int:
        """Write ``data``; return how much went in."""
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
