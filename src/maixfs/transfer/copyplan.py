"""Work out a copy before anything is written: what goes where, and what it replaces."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from maixfs.errors import UsageError
from maixfs.image.address import TargetPath
from maixfs.image.content import host_content
from maixfs.image.entries import Where
from maixfs.image.errors import TakenError, TargetError, UnreadableError
from maixfs.image.names import Parts
from maixfs.spiffs import Geometry
from maixfs.transfer.copysource import Item, Place, Ways, find_items
from maixfs.transfer.hostnames import HostNames
from maixfs.transfer.sessions import Sessions


class Action(StrEnum):
    """What a step does at its destination."""

    NEW = "new"
    REPLACE = "replace"
    SAME = "up to date"


class CopyStep(NamedTuple):
    """One file to copy. A ``TargetPath`` without ``path`` is a file of the host."""

    source: TargetPath
    destination: TargetPath
    size: int
    """Bytes."""
    action: Action
    note: str = ""
    """What a person should know, such as a name that had to change."""


class CopyPlan(NamedTuple):
    """All steps of a copy, in the order in which they are done."""

    steps: tuple[CopyStep, ...]
    warnings: tuple[str, ...]
    root: Path | None
    """The host's folder that files must stay in, or ``None``."""
    geometries: dict[str, Geometry]
    """Of each target that takes part, by its real path."""
    folders: tuple[TargetPath, ...] = ()
    """Folders that are to be there afterwards, each after the one that it is in."""
    drives: bool = False
    """Whether a drive of the host may be written."""

    @property
    def total(self) -> int:
        """Bytes that are really copied."""
        return sum(step.size for step in self.steps if step.action is not Action.SAME)


def plan_copy(
    sources: Sequence[str | Path | TargetPath],
    destination: str | Path | TargetPath,
    recursive: bool = False,
    *,
    geometry: Geometry | None = None,
    base: int | None = None,
    follow_links: bool = False,
    drives: bool = False,
) -> CopyPlan:
    """Plan a copy as ``cp`` does it: between the host and a target, or between two targets.

    Texts are taken apart by ``parse_target``; patterns in them are looked up in a target, and on
    the host where no file has such a name. A folder needs ``recursive``; it lands in a
    destination that is a folder under its own name, unless it ends in ``/.``, and becomes the
    destination otherwise. Several sources need a folder (a slash at its end makes it one).
    Links that lead out of a folder of the host are left out unless ``follow_links``.

    Nothing is written. Raises ``UsageError`` where no target takes part or two files would land
    in one place, ``MissingError``, ``TakenError`` where a folder is in the way, ``FitError``, and
    what ``open_image`` raises. ``geometry`` and ``base`` are those of the destination, or of
    the sources where that is the host's; ``drives`` lets a drive of the host be written.
    """
    places = [Place.of(source) for source in sources]
    end = Place.of(destination)
    goal = end.where
    if goal.path is None and all(place.where.path is None for place in places):
        raise UsageError(
            "neither side is in a target",
            hint="name one with a colon: board:/flash, image.bin:/main.py",
        )
    where = Where(geometry, base)
    with Sessions(goal if goal.path is not None else None, where) as sessions:
        ways = Ways(follow_links, goal.path is not None and _has_folders(goal, sessions))
        found = [find_items(place, recursive, sessions, ways) for place in places]
        items = [item for part in found for item in part.items]
        is_tree = len(found) == 1 and found[0].is_folder
        inside = _is_folder(end, sessions, is_tree=is_tree, several=len(items) > 1)
        steps = _steps(items, goal, inside, sessions)
        _refuse_clashes(steps, goal, sessions)
        if goal.path is not None:
            sizes = {step.destination.path or "": step.size for step in steps}
            sessions.target(goal).check_fits(sizes)
        root = goal.host if goal.path is None and (inside or is_tree) else None
        warnings = tuple(warning for part in found for warning in part.warnings)
        warnings += tuple(sessions.notes)
        inner = [folder for part in found for folder in part.folders]
        folders = _folders(inner, items, goal, inside, sessions)
        return CopyPlan(tuple(steps), warnings, root, sessions.geometries, folders, drives)


def _has_folders(goal: TargetPath, sessions: Sessions) -> bool:
    return sessions.target(goal).volume(goal.path).has_folders


def _folders(
    folders: list[Item],
    items: list[Item],
    goal: TargetPath,
    inside: bool,
    sessions: Sessions,
) -> tuple[TargetPath, ...]:
    """Return the folders of a copy at its destination; on the host those that are empty."""
    ways = sorted({item.inside if inside else item.alone for item in folders})
    if goal.path is None:
        files = [item.inside if inside else item.alone for item in items]
        full = {way[:depth] for way in (*files, *ways) for depth in range(len(way))}
        empty = [way for way in ways if way and way not in full]
        names = HostNames(way for way in (*files, *empty) if way)
        return tuple(TargetPath(goal.host.joinpath(*names[way])) for way in empty)
    if not _has_folders(goal, sessions):
        return ()
    base = sessions.target(goal).absolute(goal.path).rstrip("/")
    return tuple(goal._replace(path="/".join((base, *way))) for way in ways)


def _is_folder(end: Place, sessions: Sessions, *, is_tree: bool, several: bool) -> bool:
    """Tell whether copies land in the destination under their own names.

    Raises ``TargetError`` where many files would have to become one.
    """
    goal = end.where
    if goal.path is None:
        there, is_dir = goal.host.exists(), goal.host.is_dir()
    else:
        target = sessions.target(goal)
        there = target.exists(goal.path)
        is_dir = there and target.is_folder(goal.path)
    if there and not is_dir and (several or is_tree or end.slash):
        raise TargetError(f"{goal} is a file, not a folder")
    if is_dir or (end.slash and not is_tree):
        return True
    if several and not is_tree:
        raise TargetError(
            f"{goal} is no folder: several files cannot become one",
            hint=f"with a slash at its end it is one: {goal}/",
        )
    return False


def _steps(
    items: list[Item], goal: TargetPath, inside: bool, sessions: Sessions
) -> list[CopyStep]:
    ways = [item.inside if inside else item.alone for item in items]
    if goal.path is None:
        return _steps_to_host(items, ways, goal.host, sessions)
    target = sessions.target(goal)
    base = target.absolute(goal.path)
    steps = []
    for item, way in zip(items, ways, strict=True):
        path = "/".join((base.rstrip("/"), *way)) if way else base
        place = target.place_of(path)
        destination = goal._replace(path=place)
        action = Action.NEW
        if target.exists(place):
            if target.is_folder(place):
                raise TakenError(f"{destination} is a folder", hint="give the copy another name")
            same = _is_same(item, destination, sessions)
            action = Action.SAME if same else Action.REPLACE
        steps.append(CopyStep(item.source, destination, item.size, action))
    return steps


def _steps_to_host(
    items: list[Item], ways: list[Parts], goal: Path, sessions: Sessions
) -> list[CopyStep]:
    names = HostNames(way for way in ways if way)
    steps = []
    for item, way in zip(items, ways, strict=True):
        place = goal.joinpath(*names[way]) if way else goal
        note = names.note(way, item.source.path) if way else ""
        action = Action.NEW
        if place.is_dir():
            raise TakenError(f"{place} is a folder", hint="give the copy another name")
        if place.exists():
            same = item.readable and sessions.content(item.source).same(host_content(place))
            action = Action.SAME if same else Action.REPLACE
        steps.append(CopyStep(item.source, TargetPath(place), item.size, action, note))
    return steps


def _is_same(item: Item, destination: TargetPath, sessions: Sessions) -> bool:
    """Compare a source with the file of a target that it would replace."""
    target = sessions.target(destination)
    known = target.stat(destination.path or "")
    source = item.source
    in_goal = source.path is not None and sessions.is_same(source, destination)
    if in_goal and target.stat(source.path or "") == known:
        raise UsageError(f"{source} and {destination} are the same file")
    if known.size != item.size or not known.readable:
        return False
    try:
        return sessions.content(source).same(target.content(known.path))
    except UnreadableError:
        return False


def _refuse_clashes(steps: list[CopyStep], goal: TargetPath, sessions: Sessions) -> None:
    taken: dict[TargetPath, TargetPath] = {}
    volume = None if goal.path is None else sessions.target(goal).volume(goal.path)
    for step in steps:
        place = step.destination
        if volume is not None and place.path is not None:
            place = place._replace(path=volume.key_of(place.path))
        other = taken.setdefault(place, step.source)
        if other != step.source:
            raise UsageError(
                f"{other} and {step.source} would both become {step.destination}",
                hint="-r with a folder instead of a pattern keeps the folders apart",
            )
