"""New image files, and empty file systems in flashes that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from maixfs.errors import UsageError
from maixfs.host.files import write_new
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import TakenError
from maixfs.image.source import find_source, locked
from maixfs.image.spiffs.editmedium import EditMedium
from maixfs.image.spiffs.probe import refuse_cut
from maixfs.nor import Buffer
from maixfs.nor.device import CHUNK, blank, is_filled
from maixfs.spiffs import Geometry, SpiffsCore
from maixfs.spiffs.pack import pack


def make_image(
    out: Path,
    geometry: Geometry,
    *,
    flash_size: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Make an empty file system: a new image, or in a board or a flash that is there.

    A new image holds the area alone, or with ``flash_size`` a blank flash of so many bytes
    around it. In a board's folder, and in a file that is large enough to be a whole flash, the
    area is formatted and all else stays; unless it is blank that takes ``force``, as does
    replacing any other file. Raises ``TakenError`` or ``OccupiedError`` (both are
    ``FileExistsError``) where ``force`` is missing, ``GeometryError`` for a geometry without
    size, ``UsageError`` for one that is not the board's, ``DeviceError`` where the host refuses.
    """
    if out.is_dir() or _is_flash(out, geometry, flash_size):
        return _format_within(out, geometry, force, progress)
    area = pack([], geometry)
    return write_image(out, area, geometry, flash_size, force=force, progress=progress)


def write_image(
    out: Path,
    area: bytearray,
    geometry: Geometry,
    flash_size: int | None,
    *,
    force: bool,
    progress: Progress | None,
) -> Written:
    """Write an area, or with ``flash_size`` a flash that holds it; raises as ``make_image``."""
    pieces: list[Buffer] = [area]
    if flash_size:
        pieces = [*_flash(area, geometry, flash_size)]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    size = sum(map(len, pieces))
    changed = write_new(out, pieces, force=force, progress=progress)
    return Written(str(out), size, digest.hexdigest(), changed)


def _flash(area: bytearray, geometry: Geometry, flash_size: int) -> Iterator[Buffer]:
    """Yield a blank flash that holds ``area`` at its place."""
    end = geometry.base + geometry.size
    if flash_size % geometry.erase_size:
        raise UsageError(
            f"a flash of {flash_size:#x} bytes is no whole number of sectors",
            hint="16 MiB (0x1000000) is usual",
        )
    if end > flash_size:
        raise UsageError(
            f"a flash of {flash_size:#x} bytes cannot hold the area {geometry.base:#x}-{end:#x}",
            hint="give another base of the area, or another size of the flash",
        )
    yield from _blank(geometry.base)
    yield area
    yield from _blank(flash_size - end)


def _blank(size: int) -> Iterator[bytes]:
    for start in range(0, size, CHUNK):
        yield blank(min(CHUNK, size - start))


def _is_flash(out: Path, geometry: Geometry, flash_size: int | None) -> bool:
    """Tell whether a file is there that has the area of ``geometry`` somewhere inside."""
    if not out.is_file() or not geometry.base:
        return False
    size = out.stat().st_size
    return size >= geometry.base + geometry.size and flash_size in (None, size)


def _format_within(
    out: Path, geometry: Geometry, force: bool, progress: Progress | None
) -> Written:
    source = find_source(out, writable=True)
    if source.config is not None:
        if geometry != source.config.geometry:
            raise UsageError(
                f"{out}: a board's geometry is the one in its board.toml",
                hint="leave the geometry out, or change [spiffs] in board.toml",
            )
        geometry = source.config.geometry
    with locked(source):
        medium = EditMedium(source)
        refuse_cut(geometry, medium.size, out)
        if not force and not is_filled(medium.image[geometry.base :][: geometry.size]):
            raise TakenError(
                f"{out}: the area at {geometry.base:#x} is not blank: all files in it would go",
                hint="--force formats it; maixfs unpack saves the files first",
            )
        SpiffsCore.format(medium.device, geometry)
        medium.save(progress)
        digest = hashlib.sha256(medium.image).hexdigest()
        return Written(str(source.file), medium.size, digest, True)
