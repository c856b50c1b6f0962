"""What the sources of a copy are: single files, folders with all in them, patterns."""

from __future__ import annotations

import os
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from maixfs.spiffs.collect import collect
from maixfs.target.address import TargetPath, parse_target
from maixfs.target.errors import MissingError, TargetError
from maixfs.target.hostfile import look_at
from maixfs.target.names import Parts, show
from maixfs.target.records import Entry
from maixfs.target.sessions import Sessions


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
    place: Place, recursive: bool, sessions: Sessions, *, follow_links: bool = False
) -> Found:
    """Return the files that a source means; raises ``MissingError`` where there are none.

    ``follow_links`` goes for links that lead out of a folder of the host.
    """
    if place.where.path is not None:
        return _in_target(place, recursive, sessions)
    path = place.where.host
    text = str(path)
    if path.exists() or not has_magic(text):
        return _on_host(path, recursive, place.dot, follow_links)
    matches = [Path(match) for match in sorted(glob(text))]  # noqa: PTH207 - starts anywhere
    if not matches:
        raise MissingError(f"{path}: no file matches")
    found = [_on_host(match, recursive, False, follow_links) for match in matches]
    items = [item for part in found for item in part.items]
    warnings = tuple(warning for part in found for warning in part.warnings)
    return Found(items, len(found) == 1 and found[0].is_folder, warnings)


def _on_host(path: Path, recursive: bool, contents_only: bool, follow_links: bool) -> Found:
    status = look_at(path)
    if path.is_dir():
        if not recursive:
            raise TargetError(f"{path} is a folder", hint="-r copies it with all that is in it")
        return _host_folder(path, contents_only, follow_links)
    name = show(os.fsencode(path.name))
    return Found([Item(TargetPath(path), status.st_size, True, (name,), ())], False)


def _host_folder(path: Path, contents_only: bool, follow_links: bool) -> Found:
    plan = collect(path, prefix="", follow_links=follow_links)
    name = "" if contents_only else path.resolve().name
    base = (show(os.fsencode(name)),) if name else ()
    items = []
    for file in plan.files:
        way = tuple(show(part) for part in file.name.split(b"/"))
        size = look_at(file.content).st_size
        items.append(Item(TargetPath(file.content), size, True, base + way, way))
    return Found(items, True, plan.warnings)


def _in_target(place: Place, recursive: bool, sessions: Sessions) -> Found:
    host = place.where.host
    target = sessions.target(host)
    pattern = place.where.path or target.mount_point
    entries = target.find(pattern)
    items = []
    for entry in entries:
        if not entry.is_dir:
            items.append(_item(host, entry, (entry.name,), ()))
            continue
        if not recursive:
            raise TargetError(
                f"{host}:{entry.path} is a folder",
                hint="-r copies it with all that is in it",
            )
        is_root = entry.path in ("/", target.mount_point)
        base = () if place.dot or is_root else (entry.name,)
        depth = len(entry.path.rstrip("/")) + 1
        for file in target.list(entry.path, recursive=True):
            if not file.is_dir:
                way = tuple(file.path[depth:].split("/"))
                items.append(_item(host, file, base + way, way))
    return Found(items, len(entries) == 1 and entries[0].is_dir)


def _item(host: Path, entry: Entry, inside: Parts, alone: Parts) -> Item:
    return Item(TargetPath(host, entry.path), entry.size, entry.readable, inside, alone)
