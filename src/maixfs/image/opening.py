"""Open a target: what is it, where are its file systems, may it be changed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.entries import Kind, Where
from maixfs.image.names import steps_of
from maixfs.image.source import board_holder, find_source, locked
from maixfs.image.target import Target
from maixfs.image.volumes import Slot, Volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maixfs.image.source import Source
    from maixfs.image.volume import Volume
    from maixfs.spiffs import Geometry

_FLASH = ("flash",)
_CARD = ("sd", "sd2", "sd3", "sd4")
"""What paths on a board begin with."""
_LARGEST_FLASH = 64 << 20
"""Bytes: what is larger is no flash of these boards."""


def open_target(
    target: str | Path | TargetPath,
    writable: bool = False,
    geometry: Geometry | None = None,
    *,
    base: int | None = None,
    drives: bool = False,
    force: bool = False,
) -> Target:
    """Open a board's folder, a flash image or dump, a bare SPIFFS image, or a card.

    Of a text, what ``parse_target`` calls the host (and the slot) is opened; a path says which
    file system of a board is wanted at once, the others open when they are needed. The geometry
    of a SPIFFS is found unless it is given; ``base`` says where it starts, with a geometry or to
    find one. A card is told from a flash by its first sector. Without ``writable`` nothing on
    the host changes, not even a time stamp; a board that is powered on elsewhere is read as a
    copy of this moment (``holder`` is the process). With it a board is locked until ``close``,
    and drives of the host (block devices) are refused unless ``drives`` allows them. ``force``
    lets a FAT volume be edited that is so damaged that an edit may destroy other files; without
    it the edit raises ``UnsoundError``.

    Raises ``DeviceError`` (``FileNotFoundError``, ``PermissionError`` ...) for a file that is
    missing, cannot be read or may not be written; ``MissingError``, ``NoFileSystemError``,
    ``AmbiguousError``; ``BoardError`` and its kin for boards.
    """
    place = _place_of(target)
    source = find_source(place.host, writable=writable, drives=drives)
    where = Where(geometry, base)
    with ExitStack() as stack:
        holder = None if writable or source.folder is None else board_holder(source.folder)
        if writable:
            stack.enter_context(locked(source))
        if source.config is not None:
            opened = _open_board(source, place, where, writable, holder, force=force)
        else:
            opened = _open_image(source, place, where, writable, holder, force=force)
        kind, volumes = opened
        lock = stack.pop_all() if writable else None
    return Target(place, source, kind, volumes, holder=holder, lock=lock)


def _open_image(
    source: Source,
    place: TargetPath,
    where: Where,
    writable: bool,
    holder: int | None,
    *,
    force: bool,
) -> tuple[Kind, Volumes]:
    if _is_card(source, place, where):
        from maixfs.image.fat.opening import open_card

        if where.is_spiffs:
            raise UsageError(
                f"{place} is a card: geometry and base are those of a SPIFFS",
                hint="leave --geometry and --base out",
            )
        card = open_card(source, place.slot, writable=writable, force=force)
        return Kind.CARD, Volumes.of(card)
    from maixfs.image.spiffs.opening import open_spiffs

    flash = open_spiffs(source, where.geometry, where.base, writable=writable, holder=holder)
    return flash.kind, Volumes.of(flash)


def _open_board(
    source: Source,
    place: TargetPath,
    where: Where,
    writable: bool,
    holder: int | None,
    *,
    force: bool,
) -> tuple[Kind, Volumes]:
    def flash() -> Sequence[Volume]:
        from maixfs.image.spiffs.opening import open_spiffs

        return [open_spiffs(source, where.geometry, where.base, writable=writable, holder=holder)]

    def card() -> Sequence[Volume]:
        if source.config is None or source.config.sd.image is None:
            return []
        from maixfs.image.fat.opening import open_board_card

        return open_board_card(source, writable=writable, force=force)

    if place.slot is not None:
        raise UsageError(
            f"{place}: a board's partitions are named by where they are mounted",
            hint=f"{place.host}:/sd, {place.host}:/sd2",
        )
    volumes = Volumes(Slot(_FLASH, flash), Slot(_CARD, card))
    try:
        volumes.at(steps_of(place.path or "").parts if (place.path or "")[:1] == "/" else ())
    except BaseException:
        volumes.close()
        raise
    return Kind.BOARD, volumes


def is_card(place: TargetPath, where: Where) -> bool:
    """Tell whether a place is on a card that is no board's; raises ``DeviceError``."""
    source = find_source(place.host, writable=False)
    return source.config is None and _is_card(source, place, where)


def _is_card(source: Source, place: TargetPath, where: Where) -> bool:
    """Tell whether an image is a card: by what was said of it, or by its first sector."""
    if place.slot is not None or source.is_device:
        return True
    if where.is_spiffs:
        return False
    from maixfs.host.files import read_start
    from maixfs.image.identify import HEAD, identify_card

    size = source.size
    return size > _LARGEST_FLASH or bool(identify_card(read_start(source.file, HEAD), size))


def _place_of(target: str | Path | TargetPath) -> TargetPath:
    if isinstance(target, str):
        return parse_target(target)
    return target if isinstance(target, TargetPath) else TargetPath(target)
