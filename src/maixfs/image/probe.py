"""Where in an image the file system lies, and of which geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import Command
from maixfs.image.errors import AmbiguousError, NoFileSystemError
from maixfs.image.identify import identify
from maixfs.spiffs import PRESETS, Geometry, GeometryError

if TYPE_CHECKING:
    from maixfs.spiffs.detect import Detection

_SURE = 0.9
"""Above this an area counts beside another one; below, only where it is the only one."""


def find_area(image: memoryview, host: Path) -> list[Detection]:
    """Find the one file system in an image, first in the list; others may be some, but hardly.

    Raises ``NoFileSystemError``, which says what the image is instead, and ``AmbiguousError``
    where it holds several.
    """
    from maixfs.spiffs.detect import detect

    found = detect(image)
    if not found:
        raise no_spiffs(image, host)
    rivals = [other for other in found[1:] if other.confidence >= min(_SURE, found[0].confidence)]
    if rivals:
        areas = sorted((one.geometry for one in (found[0], *rivals)), key=lambda one: one.base)
        bases = " or ".join(f"{area.base:#x}" for area in areas)
        ambiguous = AmbiguousError(
            f"{host} holds {len(areas)} file systems: {', '.join(map(place_of, areas))}",
            hint=f"choose one by its base: {bases}",
        )
        ambiguous.bases = tuple(area.base for area in areas)
        raise ambiguous
    return found


def no_spiffs(image: memoryview, host: Path) -> NoFileSystemError:
    """Return the error for an image without SPIFFS, which says what it is instead."""
    identification = identify(image)
    error = NoFileSystemError(
        f"{host}: no SPIFFS found; identified as {identification}",
        hint="if there is one, give its geometry; else make an empty one",
        fix=(Command("mkfs", (str(host),)),),
    )
    error.identification = identification
    return error


def find_area_at(
    image: memoryview, host: Path, base: int, *, whole: bool = True
) -> list[Detection]:
    """Find the file system that starts at ``base``, alone; raises ``NoFileSystemError``."""
    from maixfs.spiffs.detect import detect

    found = detect(image, base=base)
    if not found:
        others = ", ".join(place_of(one.geometry) for one in detect(image))
        raise NoFileSystemError(
            f"{host}: no SPIFFS starts at {base:#x}",
            hint=f"there is one at {others}" if others else None,
        )
    if whole:
        refuse_cut(found[0].geometry, len(image), host)
    return found[:1]


def fit_geometry(
    geometry: Geometry, size: int, host: Path, base: int | None = None, *, whole: bool = True
) -> Geometry:
    """Return a geometry that was asked for as it lies in an image of ``size`` bytes.

    A preset says where the area of a whole flash lies; in an image that is too small for that
    the area is the image. ``base`` has the last word on where it starts. Raises
    ``NoFileSystemError`` where it cannot be, and unless ``whole`` is false where not all of it is
    there.
    """
    start = geometry.base if base is None else base
    wanted = geometry.size
    may_shrink = not wanted or geometry in PRESETS.values()
    if may_shrink and not 0 < wanted <= size - start:
        start = 0 if base is None else base
        if not 0 < wanted <= size - start:
            wanted = max(1, (size - start) // geometry.block_size) * geometry.block_size
    try:
        geometry = replace(geometry, base=start, size=wanted)
    except GeometryError as error:
        raise NoFileSystemError(f"{host} has {size:#x} bytes: {error}") from error
    if whole:
        refuse_cut(geometry, size, host)
    return geometry


def refuse_cut(geometry: Geometry, size: int, host: Path) -> None:
    """Raise ``NoFileSystemError`` for an area that ends behind the image."""
    if geometry.base + geometry.size > size:
        raise cut_error(geometry, size, host)


def cut_error(geometry: Geometry, size: int, host: Path) -> NoFileSystemError:
    """Return the error for an area that ends behind the image."""
    end = geometry.base + geometry.size
    return NoFileSystemError(
        f"{host} is cut short: its file system ends at {end:#x}, the file at {size:#x}",
        hint="read the flash again; a whole dump is as large as its chip",
    )


def place_of(geometry: Geometry) -> str:
    """Return where an area lies, for a person."""
    return f"{geometry.base:#x}-{geometry.base + geometry.size:#x}"
