"""Open a target: what is it, where is its file system, may it be changed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.spiffs import Geometry
from maixfs.target.address import TargetPath, parse_target
from maixfs.target.source import board_holder, find_source, locked
from maixfs.target.target import Target
from maixfs.target.volumes import Slot, Volumes

if TYPE_CHECKING:
    pass


def open_target(
    target: str | Path | TargetPath,
    writable: bool = False,
    geometry: Geometry | None = None,
    *,
    base: int | None = None,
) -> Target:
    """Open a board's folder, a flash image or dump, or a bare SPIFFS image.

    Of a text, what ``parse_target`` calls the host is opened. The geometry is found unless it
    is given; ``base`` says where the file system starts, with a geometry or to find one. Without
    ``writable`` nothing on the host changes, not even a time stamp; a board that is powered on
    elsewhere is read as a copy of this moment (``holder`` is the process). With it a board is
    locked until ``close``.

    Raises ``MissingError``, ``NoFileSystemError``, ``AmbiguousError``, ``TargetError`` for a
    file that cannot be read or may not be written; ``BoardError`` and its kin for boards.
    """
    from maixfs.target.spiffs.opening import open_spiffs

    place = _place_of(target)
    source = find_source(place.host, writable=writable)
    holder = None if writable or source.folder is None else board_holder(source.folder)
    with ExitStack() as stack:
        if writable:
            stack.enter_context(locked(source))
        volume = open_spiffs(source, geometry, base, writable=writable, holder=holder)
        lock = stack.pop_all() if writable else None
    volumes = Volumes(Slot((), lambda: (volume,)))
    return Target(source, volume.kind, volumes, holder=holder, lock=lock)


def _place_of(target: str | Path | TargetPath) -> TargetPath:
    if isinstance(target, str):
        return parse_target(target)
    return target if isinstance(target, TargetPath) else TargetPath(target)
