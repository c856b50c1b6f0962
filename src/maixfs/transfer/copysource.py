"""What the sources of a copy are: single files, folders with all in them, patterns."""

from __future__ import annotations

import os
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from maixfs.host.files import status_of
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.errors import MissingError, TargetError
from maixfs.image.names import Parts, show
from maixfs.image.volume import ImageEntry
from maixfs.spiffs.pack import collect
from maixfs.transfer.sessions import Sessions


class Item(NamedTuple):
    """A file to copy."""

    source: TargetPath
    size: int
    readable: bool
    inside: Parts
    """Where it lands in a destination that is a folder."""
    alone: Parts
    """Where it lands below a destination that is not there yet; empty: it becomes that."""


class Found(NamedTuple):
    """What one source is."""

    items: list[Item]
    is_folder: bool
    warnings: tuple[str, ...] = ()
    folders: tuple[Item, ...] = ()
    """Folders that are real where they are."""


class Ways(NamedTuple):
    """How folders of the host are gone through."""

    follow_links: bool = False
    """Whether links that lead out of a folder are gone for."""
    real_folders: bool = False
    """Whether the destination has folders."""


class Place(NamedTuple):
    """One side of a copy, as it was given."""

    where: TargetPath
    dot: bool = False
    """Whether it ends in ``/.``: of a folder, what is in it and not itself."""
    slash: bool = False
    """Whether it ends in a slash: a folder is meant."""

    @classmethod
    def of(cls, given: str | Path | TargetPath) -> Place:
        """Return the place that a text or path means."""
        if isinstance(given, Path):
            return cls(TargetPath(given))
        where = given if isinstance(given, TargetPath) else parse_target(given)
        text = where.path if where.path is not None else str(given)
        slashes = ("/",) if where.path is not None else ("/", os.sep)
        ends = text[-1:] in slashes
        dot = text == "." or (text[-1:] == "." and text[-2:-1] in slashes)
        return cls(where, dot, ends)


def find_items(
    place: Place, recursive: bool, sessions: Sessions, ways: Ways | None = None
) -> Found:
    """Return the files that a source means; raises ``MissingError`` where there are none."""
    if place.where.path is not None:
        return _in_target(place, recursive, sessions)
    ways = ways or Ways()
    path = place.where.host
    text = str(path)
    if path.exists() or not has_magic(text):
        return _on_host(path, recursive, place.dot, ways)
    matches = [Path(match) for match in sorted(glob(text))]  # noqa: PTH207 - starts anywhere
    if not matches:
        raise MissingError(f"{path}: no file matches")
    found = [_on_host(match, recursive, False, ways) for match in matches]
    items = [item for part in found for item in part.items]
    warnings = tuple(warning for part in found for warning in part.warnings)
    folders = tuple(folder for part in found for folder in part.folders)
    return Found(items, len(found) == 1 and found[0].is_folder, warnings, folders)


def _on_host(path: Path, recursive: bool, contents_only: bool, ways: Ways) -> Found:
    status = status_of(path)
    if path.is_dir():
        if not recursive:
            raise TargetError(f"{path} is a folder", hint="-r copies it with all that is in it")
        return _host_folder(path, contents_only, ways)
    name = show(os.fsencode(path.name))
    return Found([Item(TargetPath(path), status.st_size, True, (name,), ())], False)


def _host_folder(path: Path, contents_only: bool, ways: Ways) -> Found:
    plan = collect(path, prefix="", follow_links=ways.follow_links, real_folders=ways.real_folders)
    name = "" if contents_only else path.resolve().name
    base = (show(os.fsencode(name)),) if name else ()
    items = []
    for file in plan.files:
        way = tuple(show(part) for part in file.name.split(b"/"))
        size = status_of(file.content).st_size
        items.append(Item(TargetPath(file.content), size, True, base + way, way))
    folders: list[Parts] = [()] if base else []
    folders += (tuple(show(part) for part in inner.split(b"/")) for inner in plan.folders)
    found = (Item(TargetPath(path), 0, True, base + way, way) for way in folders)
    return Found(items, True, tuple(map(str, plan.warnings)), tuple(found))


def _in_target(place: Place, recursive: bool, sessions: Sessions) -> Found:
    whole = place.where.whole
    target = sessions.target(place.where)
    pattern = place.where.path or target.mount_point
    entries = target.find(pattern)
    items: list[Item] = []
    folders: list[Item] = []
    for entry in entries:
        if not entry.is_dir:
            items.append(_item(whole, entry, (entry.name,), ()))
            continue
        if not recursive:
            raise TargetError(
                f"{whole}:{entry.path} is a folder",
                hint="-r copies it with all that is in it",
            )
        is_root = entry.path in ("/", target.mount_point)
        base = () if place.dot or is_root else (entry.name,)
        depth = len(entry.path.rstrip("/")) + 1
        if base:
            folders.append(_item(whole, entry, base, ()))
        for inside in target.scandir(entry.path, recursive=True):
            way = tuple(inside.path[depth:].split("/"))
            found = folders if inside.is_dir else items
            found.append(_item(whole, inside, base + way, way))
    return Found(items, len(entries) == 1 and entries[0].is_dir, (), tuple(folders))


def _item(whole: TargetPath, entry: ImageEntry, inside: Parts, alone: Parts) -> Item:
    return Item(whole._replace(path=entry.path), entry.size, entry.readable, inside, alone)
