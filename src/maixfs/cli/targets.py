"""Targets as verbs open them: with the user's geometry, and one at a time."""

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
    """Give a verb ``--geometry`` and ``--base``, and hand it both as ``where``."""

    def call(*arguments: Any, geometry: Geometry | None, base: int | None, **named: Any) -> Any:
        from maixfs.image.entries import Where

        return function(*arguments, where=Where(geometry, base), **named)

    update_wrapper(call, function)
    base_option = click.option(
        "--base",
        type=SIZE,
        metavar="ADDRESS",
        help="Take the file system that starts at this address, where there are several.",
    )
    made: Callable[..., Any] = geometry_option()(base_option(call))
    return made


def writing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb that writes the same, and ``--drive``."""

    def call(*arguments: Any, where: Where, drive: bool, **named: Any) -> Any:
        return function(*arguments, where=where._replace(drives=drive), **named)

    made: Callable[..., Any] = drive_option(where_options(update_wrapper(call, function)))
    return made


drive_option = click.option(
    "--drive",
    is_flag=True,
    help="Write to a drive of this computer, too (a card in its reader): with care.",
)


@contextmanager
def opened(
    screen: Screen, host: TargetPath | Path | str, where: Where, *, writable: bool = False
) -> Iterator[Image]:
    """Open a target for a verb; says so where a running board may be changing it."""
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
        holder = target.holder
        if holder is not None:
            who = f" by process {holder}" if holder else ""
            screen.note(f"{host} is powered on{who}: this is how it is at this moment")
        for note in target.said():
            screen.note(note)
        yield target


def by_host(places: Sequence[str], verb: str, *, root: bool = True) -> dict[TargetPath, list[str]]:
    """Return the paths of ``TARGET:PATH`` places by target; a place without path is wrong.

    ``root`` says whether ``TARGET:`` stands for all that is in it.
    """
    from maixfs.image.address import parse_target

    found: dict[TargetPath, list[str]] = {}
    for place in places:
        there = parse_target(place)
        path = there.path
        if path is None or not (path or root):
            raise WrongUsage(
                f"{verb} works on what is in a target, and {place!r} names no path in one",
                hint=f"maixfs {verb} {place.rstrip(':')}:PATH",
            )
        found.setdefault(there.whole, []).append(path)
    return found


def entry_json(entry: ImageEntry, volume: Volume) -> dict[str, Any]:
    """Return what ``--json`` says of a file or folder."""
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
