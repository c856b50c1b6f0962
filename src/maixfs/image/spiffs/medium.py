"""The bytes of a target, seen through a map of the host's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from maixfs.host.files import read_file
from maixfs.host.mapped import MappedFile
from maixfs.image.errors import NoFileSystemError, TargetError
from maixfs.image.source import Source
from maixfs.nor import NorDevice, WearCounts
from maixfs.nor.device import SECTOR
from maixfs.nor.view import ImageDevice

if TYPE_CHECKING:
    from maixfs.image.spiffs.editmedium import EditMedium

Medium: TypeAlias = "ReadMedium | EditMedium"

SMALLEST, LARGEST = 3 * SECTOR, 64 << 20
"""A SPIFFS has three blocks; no chip of these boards has more than 64 MiB."""


class ReadMedium:
    """A target for looking at: mapped, or a copy where a running board may change it.

    ``holder`` is the process that has the board powered on.
    """

    writable: Literal[False] = False

    def __init__(self, source: Source, holder: int | None) -> None:
        self.source = source
        self.holder = holder
        self._file: MappedFile | None = None
        if self.holder is None:
            self._file = map_file(source)
            self.image = self._file.cells
        else:
            self.image = memoryview(read_file(source.file))
        try:
            check_size(source, len(self.image))
            self.wear = read_wear(source, len(self.image))
        except BaseException:
            self.close()
            raise
        self.device: NorDevice = ImageDevice(self.image)

    def close(self) -> None:
        """Let the file go."""
        self.device = ImageDevice(memoryview(b""))
        self.image = memoryview(b"")
        if self._file is not None:
            self._file.close()


def map_file(source: Source) -> MappedFile:
    """Map a target's file for reading; raises ``DeviceError``."""
    return MappedFile(source.file, read_only=True)


def check_size(source: Source, size: int) -> None:
    """Raise ``TargetError`` for a file that cannot be a target by its size alone."""
    if source.config is not None and size != source.config.flash_size:
        raise TargetError(
            f"{source.file} has {size} bytes, the board's chip has {source.config.flash_size}",
            hint="a board's flash.bin has exactly the size of its chip (board.toml, flash.size)",
        )
    if size < SMALLEST:
        raise NoFileSystemError(f"{source.file} has {size} bytes: too few for a file system")
    if size > LARGEST:
        raise NoFileSystemError(
            f"{source.file} has {size} bytes: more than any flash chip of these boards",
            hint=f"cut the dump to the chip's size, at most {LARGEST >> 20} MiB",
        )


def read_wear(source: Source, size: int) -> tuple[int, ...] | None:
    """Return the erase counts that lie beside a board's flash."""
    place = source.wear_file
    if place is None or not place.exists():
        return None
    counts = WearCounts.open(place, -(-size // SECTOR), read_only=True)
    try:
        return counts.counts()
    finally:
        counts.close()
