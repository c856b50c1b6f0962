"""Options that describe a target, and opening one for a verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import SIZE, geometry_option
from maixfs.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.image import Image
    from maixfs.image.volume import ImageEntry, Volume
    from maixfs.spiffs import Geometry


def where_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--geometry`` and ``--base`` to a verb, which gets both as ``where``."""

    def call(*arguments: Any, geometry: Geometry | None, base: int | None, **named: Any) -> Any:
        from maixfs.image.entries import Where

        return function(*arguments, where=Where(geometry, base), **named)

    update_wrapper(call, function)
    base_option = click.option(
        "--base",
        type=SIZE,
        metavar="ADDRESS",
        help="Address of the file system, if the image holds several.",
    )
    command: Callable[..., Any] = geometry_option()(base_option(call))
    return command


def writing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``where_options``, ``--drive`` and ``--damaged`` to a verb that writes."""

    def call(*arguments: Any, where: Where, drive: bool, damaged: bool, **named: Any) -> Any:
        return function(*arguments, where=where._replace(drives=drive, force=damaged), **named)

    wrapped = damaged_option(where_options(update_wrapper(call, function)))
    command: Callable[..., Any] = drive_option(wrapped)
    return command


damaged_option = click.option(
    "--damaged",
    is_flag=True,
    help="Change a damaged file system, too: other files in it may be lost.",
)


drive_option = click.option(
    "--drive",
    is_flag=True,
    help="Allow writing to a drive of this computer, such as a card in a reader.",
)


@contextmanager
def opened(
    screen: Screen, host: TargetPath | Path | str, where: Where, *, writable: bool = False
) -> Iterator[Image]:
    """Open a target for a verb; print a note if a running board may be changing it."""
    from maixfs.image.opening import open_mounted

    target = open_mounted(
        host,
        "r+" if writable else "r",
        geometry=where.geometry,
        base=where.base,
        drives=where.drives,
        force=where.force,
    )
    with target:
        note_holder(screen, host, target.holder)
        for note in target.remarks():
            screen.note(note)
        yield target


def note_holder(screen: Screen, host: object, holder: int | None) -> None:
    """Print a note if a running board may be changing its flash.

    ``holder`` is its process, 0 if that is not known, ``None`` if the board is off.
    """
    if holder is not None:
        who = f" by process {holder}" if holder else ""
        screen.note(f"{host} is powered on{who}: it may change while it is read")


def by_host(places: Sequence[str], verb: str, *, root: bool = True) -> dict[TargetPath, list[str]]:
    """Group the paths of ``TARGET:PATH`` arguments by target; raises ``WrongUsage``.

    An argument without a path is wrong. ``TARGET:``, the whole target, is allowed if ``root``.
    """
    from maixfs.image.address import parse_target

    groups: dict[TargetPath, list[str]] = {}
    for place in places:
        there = parse_target(place)
        path = there.path
        if path is None or not (path or root):
            raise WrongUsage(
                f"{verb} needs a path inside a target: {place!r} has none",
                hint=f"maixfs {verb} {place.rstrip(':')}:PATH",
            )
        # One group is opened once and committed once: all of its paths change, or none.
        groups.setdefault(there.whole, []).append(path)
    return groups


def entry_json(entry: ImageEntry, volume: Volume) -> dict[str, Any]:
    """Return a file or folder for ``--json``."""
    about: dict[str, Any] = {
        "path": entry.path,
        "name": entry.name,
        "type": "folder" if entry.is_dir else "file",
        "size": entry.size,
    }
    if volume.format == "SPIFFS":
        about |= {
            "pages": entry.units,
            "object_id": None if entry.is_dir else entry.native.object_id,
            "stored_name_hex": None if entry.is_dir else entry.native.raw_name.hex(),
        }
    elif volume.format.startswith("FAT"):
        about |= {
            "clusters": entry.units,
            "modified": entry.modified and entry.modified.isoformat(),
            "attributes": entry.native.attributes,
            "short_name": entry.native.short_name,
        }
    else:
        about["modified"] = entry.modified and entry.modified.isoformat()
    return {**about, "readable": entry.readable, "fault": entry.fault}
