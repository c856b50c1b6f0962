"""Copying files: between the host and an image, or between two images.

``plan_copy`` works out what goes where and what it replaces before anything is written; ``apply``
does it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.host.drafts import clear_drafts
from maixfs.host.files import make_folder, status_of
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.content import PIECE, host_content
from maixfs.image.entries import Progress, Where, Written
from maixfs.image.errors import MissingError, TakenError, TargetError, UnreadableError
from maixfs.image.image import Image
from maixfs.image.names import Parts, show
from maixfs.image.volume import ImageEntry
from maixfs.transfer.sessions import Sessions
from maixfs.transfer.unpacking import HostNames, counted, write_host
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry


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
    from maixfs.spiffs.pack import collect

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
    images: Sequence[Image] = (),
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
    ``images`` are open already: places in them are looked up there.
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
    with Sessions(goal if goal.path is not None else None, where, images=images) as sessions:
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


class Copied(NamedTuple):
    """What a copy left behind."""

    files: list[Written]
    """What is there now, step by step."""
    images: list[Written]
    """The host's files of a target that were written; none where nothing changed."""


def apply(
    plan: CopyPlan,
    progress: Progress | None = None,
    dry_run: bool = False,
    *,
    images: Sequence[Image] = (),
) -> Copied:
    """Do all steps of a plan.

    A target that is written gets all files or, where anything goes wrong (Ctrl-C too), none; the
    host's files are written one by one, each whole. With ``dry_run`` nothing is opened, and
    there are no files. ``images`` are those of the plan that are open; such a target is not
    committed here. Raises as ``Image.write_file`` and ``Image.commit`` do.
    """
    if dry_run or not (plan.steps or plan.folders):
        return Copied([], [])
    goal = plan.steps[0].destination if plan.steps else plan.folders[0]
    inside = goal.whole if goal.path is not None else None
    if inside is None:
        for parent in {step.destination.host.parent for step in plan.steps}:
            clear_drafts(parent)
    with Sessions(
        inside, Where(drives=plan.drives), known=plan.geometries, writable=True, images=images
    ) as sessions:
        if inside is None:
            return Copied(_do_steps(plan, sessions, progress), [])
        target = sessions.target(inside)
        if target in images:
            with target.transaction():
                return Copied(_do_steps(plan, sessions, progress), [])
        written = _do_steps(plan, sessions, progress)
        return Copied(written, target.commit(progress))


def _do_steps(plan: CopyPlan, sessions: Sessions, progress: Progress | None) -> list[Written]:
    written: list[Written] = []
    for folder in plan.folders:
        _make(folder, sessions)
    done, total = 0, plan.total
    for step in plan.steps:
        tell = _teller(progress, done, total) if step.action is not Action.SAME else None
        if progress is not None:
            progress("copy", done, total)
        with counted(written) if step.destination.path is None else nullcontext():
            written.append(_do(step, plan, sessions, tell))
        done += 0 if step.action is Action.SAME else step.size
    if progress is not None:
        progress("copy", total, total)
    return written


def _make(folder: TargetPath, sessions: Sessions) -> None:
    if folder.path is None:
        make_folder(folder.host)
    else:
        sessions.target(folder).mkdir(folder.path, parents=True)


def _teller(progress: Progress | None, done: int, total: int) -> Callable[[int], None] | None:
    """Return what tells how far a file is, of which ``done`` bytes come before."""
    if progress is None:
        return None
    return lambda part: progress("copy", min(done + part, total), total)


def _do(
    step: CopyStep, plan: CopyPlan, sessions: Sessions, tell: Callable[[int], None] | None
) -> Written:
    content = sessions.content(step.source)
    if tell is not None and step.size > PIECE:
        content = content.watched(tell)
    if step.destination.path is not None and step.action is Action.SAME:
        return Written(step.destination.path, content.size, content.sha256(), False)
    if step.destination.path is not None:
        target = sessions.target(step.destination)
        return target.write_file(step.destination.path, content)
    if plan.root is not None:
        make_folder(plan.root)
    return write_host(step.destination.host, content, plan.root)._replace(note=step.note)
