"""Open the SPIFFS of a board, a flash image or an image of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.image.entries import Kind
from maixfs.image.errors import NoFileSystemError
from maixfs.image.source import Source
from maixfs.image.spiffs.changing import SpiffsVolume
from maixfs.image.spiffs.medium import Medium, ReadMedium
from maixfs.image.spiffs.probe import find_area, find_area_at, fit_geometry, refuse_cut
from maixfs.nor.device import is_filled
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError

if TYPE_CHECKING:
    from maixfs.spiffs.detect import Detection


def open_spiffs(
    source: Source,
    geometry: Geometry | None,
    base: int | None,
    *,
    writable: bool,
    holder: int | None,
) -> SpiffsVolume:
    """Find and mount the file system; raises as ``open_target``."""
    medium = _medium_of(source, writable, holder)
    try:
        return _open(source, medium, geometry, base)
    except SpiffsError as error:
        medium.close()
        raise NoFileSystemError(
            f"{source.host}: the SPIFFS does not mount: {error}", hint=_mend(source, geometry)
        ) from error
    except BaseException:
        medium.close()
        raise


def _medium_of(source: Source, writable: bool, holder: int | None) -> Medium:
    if not writable:
        return ReadMedium(source, holder)
    from maixfs.image.spiffs.editmedium import EditMedium

    return EditMedium(source)


def _open(
    source: Source, medium: Medium, wanted: Geometry | None, base: int | None
) -> SpiffsVolume:
    found: list[Detection] = []
    if wanted is not None:
        geometry = fit_geometry(wanted, len(medium.image), source.host, base)
    elif source.config is not None and base in (None, source.config.geometry.base):
        geometry = source.config.geometry
        refuse_cut(geometry, len(medium.image), source.host)
    else:
        found = _detect(source, medium, base)
        geometry = found[0].geometry
    kind = _kind_of(source, geometry, len(medium.image))
    area = medium.image[geometry.base : geometry.base + geometry.size]
    is_blank = is_filled(area)
    blank = source.config is not None and not found and is_blank
    if blank and medium.writable:
        # Nothing can be lost here, and the board would do the same when it starts.
        SpiffsCore.format(medium.device, geometry)
    elif not blank and source.config is None and is_blank:
        raise NoFileSystemError(
            f"{source.host}: the area at {geometry.base:#x} is blank (all 0xFF)",
            hint="maixfs mkfs makes an empty file system",
        )
    return SpiffsVolume(source.host, kind, medium, geometry, found, blank=blank)


def _detect(source: Source, medium: Medium, base: int | None) -> list[Detection]:
    if base is None:
        return find_area(medium.image, source.host)
    return find_area_at(medium.image, source.host, base)


def _kind_of(source: Source, geometry: Geometry, size: int) -> Kind:
    if source.config is not None:
        return Kind.BOARD
    bare = geometry.base == 0 and size - geometry.size < geometry.block_size
    return Kind.SPIFFS_IMAGE if bare else Kind.FLASH_IMAGE


def _mend(source: Source, geometry: Geometry | None) -> str | None:
    if geometry is not None:
        return "leave the geometry out to have it found"
    if source.config is not None:
        return "the board formats it when it starts, and keeps a copy of what was there"
    return None
