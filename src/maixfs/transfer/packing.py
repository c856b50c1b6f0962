"""A folder laid out as a file system."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from maixfs.errors import FitError, FullError
from maixfs.image.entries import Progress
from maixfs.image.names import show, too_long
from maixfs.nor.chip import DEFAULT_SIZE
from maixfs.spiffs import Code, Geometry
from maixfs.spiffs.errors import spiffs_error
from maixfs.spiffs.pack import PackFile, collect, pack, page_capacity, pages_needed
from maixfs.transfer.images import write_image


class Packed(NamedTuple):
    """An image that was made of a folder."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    files: int
    pages: int
    """Pages that the files take."""
    warnings: tuple[str, ...]
    changed: bool
    """False where this very image was there already."""


def pack_folder(
    folder: Path,
    out: Path,
    geometry: Geometry,
    *,
    spare_blocks: int = 2,
    follow_links: bool = False,
    whole_flash: bool | int = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Write an image that holds the files of a folder: the same files give the same bytes.

    ``whole_flash`` puts the area at its place in a blank flash of 16 MiB, or of so many bytes.
    Raises ``FitError`` (how many pages too many, the largest files), ``OccupiedError`` where
    ``out`` holds something else and ``force`` is not given, ``UsageError`` for names that cannot
    be stored and a folder that cannot be read, ``DeviceError`` where ``out`` cannot be written.
    """
    tell = progress or _silent
    tell("collect", 0, 1)
    plan = collect(folder, follow_links=follow_links)
    files = [file for file in plan.files if not _is_output(file, out)]
    warnings = tuple(map(str, plan.warnings))
    if len(files) < len(plan.files):
        warnings += (f"left out, as it is what is being written: {out}",)
    _refuse_long(files, geometry)
    tell("pack", 0, len(files))
    try:
        area = pack(files, geometry, spare_blocks=spare_blocks)
    except FullError as error:
        room = page_capacity(geometry, spare_blocks)
        raise _no_fit(error, folder, _pages(files, geometry), room) from error
    tell("pack", len(files), len(files))
    size = DEFAULT_SIZE if whole_flash is True else int(whole_flash)
    done = write_image(out, area, geometry, size, force=force, progress=progress)
    pages = _pages(files, geometry)
    return Packed(done.path, done.size, done.sha256, len(files), pages, warnings, done.changed)


def _pages(files: list[PackFile], geometry: Geometry) -> int:
    return pages_needed([file.content.stat().st_size for file in files], geometry)


def _is_output(file: PackFile, out: Path) -> bool:
    try:
        return file.content.samefile(out)
    except OSError:
        return False


def _refuse_long(files: list[PackFile], geometry: Geometry) -> None:
    long = [file.name for file in files if len(file.name) >= geometry.name_length]
    if long:
        others = f" (and {len(long) - 1} more)" if long[1:] else ""
        raise too_long(f"{show(long[0])}{others}", long[0], geometry.name_length - 1)


def _no_fit(error: FullError, folder: Path, needed: int, room: int) -> FitError:
    """Return the error that says by how many pages."""
    reason = str(error.strerror).removesuffix(f": {spiffs_error(Code.FULL).strerror}")
    return FitError(
        f"{folder} does not fit: {reason}",
        needed=needed,
        free=room,
        deleted=0,
        hint=error.hint,
    )


def _silent(_phase: str, _done: int, _total: int) -> None:
    """Tell nobody."""
