"""What the doctor looks at: an image, the files in it, and how the user calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from maixfs.image.flash import FlashImage
from maixfs.nor.view import ImageDevice
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError

LARGEST_PROGRAM = 1 << 20
"""Bytes; a longer file is no program, and is not read."""
_READ = (".py", ".conf", ".json")
"""Ends of names whose content the doctor wants to see."""


class Volume(NamedTuple):
    """The file system that a board would mount, or else the one that is there."""

    geometry: Geometry
    names: tuple[bytes, ...]
    """All names as they are stored."""
    files: Mapping[str, bytes]
    """Content of programs and settings that can be read, by stored name."""
    used: int
    """Pages that files take."""
    deleted: int
    """Pages that hold deleted data."""
    total: int
    """Pages that can be taken, the two spare blocks left out."""

    @property
    def percent(self) -> int:
        """How full it is; deleted pages do not count."""
        return self.used * 100 // max(1, self.total)


class Patient(NamedTuple):
    """All that is looked at; ``name`` is how the user calls it, for the command lines."""

    image: FlashImage
    volume: Volume | None
    geometry: Geometry | None
    """Of the file system, given or found; ``volume`` is ``None`` where it does not mount."""
    name: str
    is_bare: bool
    """Whether it is an image of a file system alone: nothing is asked of the chip."""
    is_board: bool
    """Whether it is a virtual board: one without firmware runs maixfs's own."""


def make_patient(
    image: FlashImage, name: str, *, geometry: Geometry | None = None, is_board: bool = False
) -> Patient:
    """Read what there is to be read; ``geometry`` is that of the file system, where known."""
    shape = geometry or next((area.geometry for area in image.areas), None)
    bare = shape is not None and shape.base == 0
    volume = _volume(image, shape) if shape else None
    return Patient(image, volume, shape, name, bare, is_board)


def _volume(image: FlashImage, geometry: Geometry) -> Volume | None:
    try:
        with SpiffsCore(ImageDevice(image.view), geometry, read_only=True) as fs:
            return _read(fs, geometry)
    except SpiffsError:
        return None


def _read(fs: SpiffsCore, geometry: Geometry) -> Volume:
    names: list[bytes] = []
    files: dict[str, bytes] = {}
    for entry in fs.scandir():
        names.append(entry.raw_name)
        name = entry.raw_name.decode("utf-8", "backslashreplace")
        if not name.lower().endswith(_READ) or entry.size > LARGEST_PROGRAM:
            continue
        try:
            with fs.open_page(entry.page) as descriptor:
                files.setdefault(name, descriptor.read())
        except SpiffsError:
            continue  # told by those who look at the file system itself
    state = fs.statvfs()
    total = max(1, state.pages - 2 * geometry.usable_pages)
    return Volume(geometry, tuple(names), files, state.allocated, state.deleted, total)
