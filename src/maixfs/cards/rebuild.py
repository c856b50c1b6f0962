"""A new volume with every file of an old one, for volumes that no board mounts as they are."""

from __future__ import annotations

from collections.abc import Callable

from maixfs.cards.errors import CardError
from maixfs.cards.folders import Item
from maixfs.cards.report import Progress
from maixfs.cards.volume import VolumeReader
from maixfs.fat import FatCore, FatError, FResult, OpenFlag
from maixfs.fat.geometry import FatGeometry
from maixfs.fat.mkfs import format_volume
from maixfs.fat.ondisk import Attribute
from maixfs.sd.device import SectorDevice

_SETTABLE = Attribute.READ_ONLY | Attribute.HIDDEN | Attribute.SYSTEM | Attribute.ARCHIVE
_ZERO_TIME = (0x21, 0)
"""1980-01-01: the label's date where no clock is to be asked."""


def rebuild(
    source: VolumeReader,
    device: SectorDevice,
    start: int,
    sectors: int,
    progress: Progress | None = None,
) -> FatGeometry:
    """Make a volume at sectors ``start`` of ``device`` with all that is in ``source``.

    It is FAT32 where there are sectors enough, else what fits; label and serial number stay.
    Names, times, attributes and content of every file are the old ones. Raises ``CardError``
    where they do not fit or a file cannot be read.
    """
    made = _format(source, device, start, sectors)
    with FatCore(device, start) as fat:
        try:
            copied = _copy(source, fat, progress)
        except FatError as error:
            if error.result is FResult.DENIED:
                raise CardError(
                    f"the files do not fit into a volume of {sectors} sectors",
                    hint="make the new card larger: --size",
                ) from error
            raise CardError(
                f"not all files can be copied: {error}",
                hint="maixfs unpack saves those that can be read",
            ) from error
        for path, item in reversed(copied):  # what is in a folder before the folder
            _restore(fat, path, item)
    return made


def _format(source: VolumeReader, device: SectorDevice, start: int, sectors: int) -> FatGeometry:
    def make(fat_type: int | None, label: str) -> FatGeometry:
        return format_volume(
            device, start, sectors, fat_type=fat_type, layout="mkfs.fat", label=label,
            serial=source.layout.serial, clock=lambda: _ZERO_TIME,
        )  # fmt: skip

    label = source.label()
    return _first(lambda: make(32, label), lambda: make(None, label), lambda: make(None, ""))


def _first(*ways: Callable[[], FatGeometry]) -> FatGeometry:
    """Return what the first way gives that works."""
    *tries, last = ways
    for way in tries:
        try:
            return way()
        except FatError as error:
            if error.result not in {FResult.MKFS_ABORTED, FResult.INVALID_NAME}:
                raise
    return last()


def _copy(source: VolumeReader, fat: FatCore, progress: Progress | None) -> list[tuple[str, Item]]:
    copied: list[tuple[str, Item]] = []
    done = 0
    for path, item in source.walk():
        if item.is_dir:
            fat.mkdir(path)
        else:
            with fat.open(path, OpenFlag.WRITE | OpenFlag.CREATE_NEW) as file:
                for piece in source.content(item):
                    _write(file.write(piece), piece)
                    done += len(piece)
                    if progress is not None:
                        progress("copy", done, done)
        copied.append((path, item))
    return copied


def _write(written: int, piece: bytes) -> None:
    if written < len(piece):
        from maixfs.fat.errors import full_error

        raise full_error("", "no cluster is free")


def _restore(fat: FatCore, path: str, item: Item) -> None:
    """Give a file or folder the times and attributes that it had."""
    written, written_at, created, created_at, _, accessed = item.times
    fat.set_times(
        path, modified=(written, written_at), created=(created, created_at), accessed=accessed
    )
    fat.set_attributes(path, item.attributes & _SETTABLE, _SETTABLE)
