"""maixfs: the storage of a MaixPy (K210) board on the desk, bit for bit.

    with maixfs.open("dump.bin", "r+") as image:
        print([entry.path for entry in image.scandir("/flash")])
        image.write_bytes("/flash/main.py", b"print('hello')\\n")

docs/API.md explains the names below. They are loaded when they are first used.
"""

from __future__ import annotations

from maixfs.lazy import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from maixfs.board.board import Board
    from maixfs.cards.make import new_card
    from maixfs.compare.images import diff
    from maixfs.errors import (
        ClosedError,
        DeviceError,
        FileSystemError,
        FitError,
        ImageError,
        MaixfsError,
        ReadOnlyError,
        UsageError,
    )
    from maixfs.fat.filesystem import Fat
    from maixfs.fat.mkfs import format_volume
    from maixfs.filesystem import Entry, FileSystem
    from maixfs.finding import Cost, Examination, Finding, Severity
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Written
    from maixfs.image.errors import TargetError
    from maixfs.image.identify import Identifiable, Identification
    from maixfs.image.image import Image
    from maixfs.image.volume import ImageEntry
    from maixfs.nor.chip import NorChip
    from maixfs.nor.device import NorDevice
    from maixfs.nor.drivers import make_driver
    from maixfs.recipes.compose import build
    from maixfs.sd.device import SectorDevice
    from maixfs.sd.media import FileSectors, RamSectors
    from maixfs.spiffs.filesystem import Spiffs
    from maixfs.spiffs.geometry import PRESETS, Geometry
    from maixfs.transfer.functions import copy, pack, unpack
    from maixfs.transfer.unpacking import UnpackError

__all__ = [
    "PRESETS",
    "Board",
    "ClosedError",
    "Cost",
    "DeviceError",
    "Entry",
    "Examination",
    "Fat",
    "FileSectors",
    "FileSystem",
    "FileSystemError",
    "Finding",
    "FitError",
    "Geometry",
    "Identification",
    "Image",
    "ImageEntry",
    "ImageError",
    "MaixfsError",
    "NorChip",
    "NorDevice",
    "RamSectors",
    "ReadOnlyError",
    "SectorDevice",
    "Severity",
    "Spiffs",
    "TargetError",
    "UnpackError",
    "UsageError",
    "Written",
    "__version__",
    "build",
    "copy",
    "diff",
    "examine",
    "format_volume",
    "identify",
    "make_driver",
    "new_card",
    "open",
    "pack",
    "unpack",
]

__version__ = "0.2.0"


def open(  # noqa: A001 - as in ``shelve.open``, ``tarfile.open``
    path: str | PathLike[str] | TargetPath,
    mode: str = "r",
    *,
    geometry: Geometry | None = None,
    base: int | None = None,
    drives: bool = False,
    force: bool = False,
) -> Image:
    """Open a board's folder, a flash dump, a SPIFFS image, a card or a drive.

    ``mode`` is ``"r"``, or ``"r+"`` to change it. ``card.img@2`` is the second partition of a
    card. The geometry of a SPIFFS is found unless it is given; ``base`` is the address where it
    starts. ``drives`` allows writing a drive of the host, ``force`` changing a damaged file
    system. Raises as ``maixfs.image.opening.open_image``.
    """
    from maixfs.image.opening import open_image

    place = _checked_place(path)
    if geometry is not None:
        from maixfs.spiffs.geometry import Geometry

        if not isinstance(geometry, Geometry):
            raise TypeError(f"geometry must be a Geometry, not {type(geometry).__name__}")
    if base is not None and (not isinstance(base, int) or isinstance(base, bool)):
        raise TypeError(f"base must be int, not {type(base).__name__}")
    return open_image(place, mode, geometry=geometry, base=base, drives=drives, force=force)


def identify(thing: Identifiable) -> Identification:
    """Return what a path, bytes or a device is, with evidence and the command to use next.

    Raises ``DeviceError`` for a path that cannot be read, never for what the bytes are.
    """
    from os import PathLike

    from maixfs.image.identify import identify as identify_thing

    known = isinstance(thing, (str, PathLike, bytes, bytearray, memoryview))
    if not known and not hasattr(thing, "read"):
        raise TypeError(f"a path, bytes or a device is needed, not {type(thing).__name__}")
    return identify_thing(thing)


def examine(path: str | PathLike[str] | TargetPath, depth: Cost | None = None) -> Examination:
    """Return all findings about a board, a dump, a SPIFFS image or a card; nothing is written.

    ``depth`` is the cost of the most expensive rules that run (default: ``Cost.CONTENT``, all).
    Raises ``DeviceError`` for a file that cannot be read and ``BoardError`` for a folder that is
    not a board.
    """
    from maixfs.finding import Cost

    if depth is not None and not isinstance(depth, Cost):
        raise TypeError(f"depth must be a Cost, not {type(depth).__name__}")
    with open(path) as image:
        return image.findings(Cost.CONTENT if depth is None else depth)


def _checked_place(path: str | PathLike[str] | TargetPath) -> str | Path | TargetPath:
    from os import fspath
    from pathlib import Path

    if isinstance(path, str):
        return path
    if isinstance(path, tuple):
        from maixfs.image.address import TargetPath

        if isinstance(path, TargetPath):
            return path
    return Path(fspath(path))


if not TYPE_CHECKING:  # a type checker would take every name for one of the package
    __getattr__ = lazy_names(
        __name__,
        {
            "maixfs.board.board": ("Board",),
            "maixfs.cards.make": ("new_card",),
            "maixfs.compare.images": ("diff",),
            "maixfs.errors": (
                "ClosedError",
                "DeviceError",
                "FileSystemError",
                "FitError",
                "ImageError",
                "MaixfsError",
                "ReadOnlyError",
                "UsageError",
            ),
            "maixfs.fat.filesystem": ("Fat",),
            "maixfs.fat.mkfs": ("format_volume",),
            "maixfs.filesystem": ("Entry", "FileSystem"),
            "maixfs.finding": ("Cost", "Examination", "Finding", "Severity"),
            "maixfs.image.entries": ("Written",),
            "maixfs.image.errors": ("TargetError",),
            "maixfs.image.identify": ("Identification",),
            "maixfs.image.image": ("Image",),
            "maixfs.image.volume": ("ImageEntry",),
            "maixfs.nor.chip": ("NorChip",),
            "maixfs.nor.device": ("NorDevice",),
            "maixfs.nor.drivers": ("make_driver",),
            "maixfs.recipes.compose": ("build",),
            "maixfs.sd.device": ("SectorDevice",),
            "maixfs.sd.media": ("FileSectors", "RamSectors"),
            "maixfs.spiffs.filesystem": ("Spiffs",),
            "maixfs.spiffs.geometry": ("PRESETS", "Geometry"),
            "maixfs.transfer.functions": ("copy", "pack", "unpack"),
            "maixfs.transfer.unpacking": ("UnpackError",),
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
