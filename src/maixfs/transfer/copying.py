"""Copy files between the host and an image, or between two images.

``Copy`` decides which file is written to which path and what it replaces, before anything is
written, and then carries that out on the same open images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from glob import glob, has_magic
from pathlib import Path
from types import TracebackType

from maixfs.errors import UsageError
from maixfs.host.drafts import clear_drafts
from maixfs.host.files import make_folder, status_of
from maixfs.image.address import TargetPath, parse_target
from maixfs.image.content import PIECE, host_content
from maixfs.image.entries import Progress, Where, Written
from maixfs.image.errors import MissingError, TakenError, TargetError, UnreadableError
from maixfs.image.image import Image
from maixfs.image.names import Parts, show
from maixfs.image.volume import Entries, ImageEntry
from maixfs.transfer.sessions import Sessions
from maixfs.transfer.unpacking import HostNames, counted, write_host
from maixfs.tuples import NamedTuple


class Item(NamedTuple):
    """A file to copy, or a folder to create."""

    source: TargetPath
    size: int
    readable: bool
    inside: Parts
    """Path below an existing destination folder."""
    alone: Parts
    """Path below a destination that does not exist yet; empty: the file gets its name."""


class Selection(NamedTuple):
    """The files and folders that one source names."""

    items: list[Item]
    is_folder: bool
    warnings: tuple[str, ...] = ()
    folders: tuple[Item, ...] = ()
    """Folders that exist in the source; SPIFFS has none."""


class HostWalk(NamedTuple):
    """How local folders are read."""

    follow_links: bool = False
    """Whether links that lead out of a folder are followed."""
    real_folders: bool = False
    """Whether the destination stores folders, so that empty ones are copied."""


class Place(NamedTuple):
    """A source or the destination, with the meaning of its last characters."""

    where: TargetPath
    dot: bool = False
    """Whether it ends in ``/.``: the contents of a folder, without the folder itself."""
    slash: bool = False
    """Whether it ends in a slash: it names a folder."""

    @classmethod
    def of(cls, argument: str | Path | TargetPath) -> Place:
        """Parse an argument; a ``Path`` is always a local one."""
        if isinstance(argument, Path):
            # ``Path`` drops a final slash and dot, so there is nothing to look for.
            return cls(TargetPath(argument))
        where = argument if isinstance(argument, TargetPath) else parse_target(argument)
        text = where.path if where.path is not None else str(argument)
        # In an image a backslash is part of a name, also on Windows.
        slashes = ("/",) if where.path is not None else ("/", os.sep)
        ends = text[-1:] in slashes
        dot = text == "." or (text[-1:] == "." and text[-2:-1] in slashes)
        return cls(where, dot, ends)


def find_items(
    place: Place, recursive: bool, sessions: Sessions, walk: HostWalk | None = None
) -> Selection:
    """Return the files that a source names; raises ``MissingError`` if there are none."""
    if place.where.path is not None:
        return _in_target(place, recursive, sessions)
    walk = walk or HostWalk()
    path = place.where.host
    text = str(path)
    # A file whose name contains * or ? is taken by its name, as shells do.
    if path.exists() or not has_magic(text):
        return _on_host(path, recursive, place.dot, walk)
    matches = [Path(match) for match in sorted(glob(text))]  # noqa: PTH207 - starts anywhere
    if not matches:
        raise MissingError(f"{path}: no file matches")
    selections = [_on_host(match, recursive, False, walk) for match in matches]
    items = [item for part in selections for item in part.items]
    warnings = tuple(warning for part in selections for warning in part.warnings)
    folders = tuple(folder for part in selections for folder in part.folders)
    is_folder = len(selections) == 1 and selections[0].is_folder
    return Selection(items, is_folder, warnings, folders)


def _on_host(path: Path, recursive: bool, contents_only: bool, walk: HostWalk) -> Selection:
    status = status_of(path)
    if path.is_dir():
        if not recursive:
            raise TargetError(f"{path} is a folder", hint="copy folders recursively")
        return _host_folder(path, contents_only, walk)
    name = show(os.fsencode(path.name))
    return Selection([Item(TargetPath(path), status.st_size, True, (name,), ())], False)


def _host_folder(path: Path, contents_only: bool, walk: HostWalk) -> Selection:
    from maixfs.spiffs.pack import collect

    plan = collect(path, prefix="", follow_links=walk.follow_links, real_folders=walk.real_folders)
    name = "" if contents_only else path.resolve().name
    base = (show(os.fsencode(name)),) if name else ()
    items = []
    for file in plan.files:
        parts = tuple(show(part) for part in file.name.split(b"/"))
        size = status_of(file.content).st_size
        items.append(Item(TargetPath(file.content), size, True, base + parts, parts))
    folders: list[Parts] = [()] if base else []
    folders += (tuple(show(part) for part in inner.split(b"/")) for inner in plan.folders)
    folder_items = (Item(TargetPath(path), 0, True, base + parts, parts) for parts in folders)
    return Selection(items, True, tuple(map(str, plan.warnings)), tuple(folder_items))


def _in_target(place: Place, recursive: bool, sessions: Sessions) -> Selection:
    whole = place.where.whole
    target = sessions.target(place.where)
    pattern = place.where.path or target.mount_point
    entries = target.find(pattern)
    items: list[Item] = []
    folders: list[Item] = []
    files: Entries = []
    for entry in entries:
        if not entry.is_dir:
            files.append(entry)
            items.append(_item(whole, entry, (entry.name,), ()))
            continue
        if not recursive:
            raise TargetError(
                f"{whole}:{entry.path} is a folder",
                hint="copy folders recursively",
            )
        is_root = entry.path in ("/", target.mount_point)
        base = () if place.dot or is_root else (entry.name,)
        depth = len(entry.path.rstrip("/")) + 1
        if base:
            folders.append(_item(whole, entry, base, ()))
        for inside in target.scandir(entry.path, recursive=True):
            parts = tuple(inside.path[depth:].split("/"))
            group = folders if inside.is_dir else items
            group.append(_item(whole, inside, base + parts, parts))
            files += [inside] if not inside.is_dir else []
    warnings = tuple(
        f"{whole}:{file.path}: {file.reading_note}" for file in files if file.reading_note
    )
    return Selection(items, len(entries) == 1 and entries[0].is_dir, warnings, tuple(folders))


def _item(whole: TargetPath, entry: ImageEntry, inside: Parts, alone: Parts) -> Item:
    return Item(whole._replace(path=entry.path), entry.size, entry.readable, inside, alone)


class Action(StrEnum):
    """The effect of a step at its destination."""

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
    """A remark for the user, such as a name that had to change."""


class CopyPlan(NamedTuple):
    """All steps of a copy, in the order in which they are done."""

    steps: tuple[CopyStep, ...]
    warnings: tuple[str, ...]
    root: Path | None
    """The local folder that no file may leave through a link, or ``None``."""
    folders: tuple[TargetPath, ...] = ()
    """Folders to create, each after its parent."""

    @property
    def total(self) -> int:
        """Bytes that will be written."""
        return sum(step.size for step in self.steps if step.action is not Action.SAME)


class Copied(NamedTuple):
    """The result of a copy."""

    files: list[Written]
    """The copied files, in the order of the steps."""
    images: list[Written]
    """The local files of the image that were written; empty if nothing changed."""


class CopyOptions(NamedTuple):
    """How a copy is done."""

    recursive: bool = False
    """Whether folders are copied."""
    where: Where = Where()
    """Describes the destination, or the sources if the destination is local."""
    follow_links: bool = False
    """Whether links that lead out of a local folder are followed."""


class Copy:
    """A copy between the host and an image, or between two images; a context manager.

    ``plan`` says what will be done, ``run`` does it. The destination is open for writing, and so
    locked, from the plan to the end: what was planned is still true when it is carried out.
    With ``dry_run`` it is opened for reading, and ``run`` must not be called.

    Text is parsed by ``parse_target``. Patterns are matched in images, and on the host if no
    file has that name. A folder needs ``recursive``. It is copied into an existing destination
    under its own name, unless it ends in ``/.``; a destination that does not exist becomes the
    copy. Several sources need a destination that is a folder or ends in a slash. ``images`` are
    open already: paths in them are looked up there, and they are not committed here.

    Raises ``UsageError`` if no image takes part or two files would get the same path,
    ``MissingError``, ``TakenError`` if a folder exists where a file would be written,
    ``FitError``, and the errors of ``open_image``.
    """

    def __init__(
        self,
        sources: Sequence[str | Path | TargetPath],
        destination: str | Path | TargetPath,
        options: CopyOptions | None = None,
        *,
        dry_run: bool = False,
        images: Sequence[Image] = (),
    ) -> None:
        options = options or CopyOptions()
        places = [Place.of(source) for source in sources]
        end = Place.of(destination)
        if end.where.path is None and all(place.where.path is None for place in places):
            raise UsageError(
                "neither source nor destination is inside an image",
                hint="name a file inside an image with a colon: board:/flash, image.bin:/main.py",
            )
        self._goal = end.where.whole if end.where.path is not None else None
        self._images = images
        self._sessions = Sessions(self._goal, options.where, writable=not dry_run, images=images)
        try:
            self.plan = _plan(places, end, options, self._sessions)
        except BaseException as error:
            self._sessions.__exit__(type(error), error, error.__traceback__)
            raise

    def run(self, progress: Progress | None = None) -> Copied:
        """Carry out the plan.

        An image gets all files or, after any error and Ctrl-C, none. Local files are written one
        after the other, each atomically. Raises the errors of ``Image.write_bytes`` and
        ``Image.commit``.
        """
        plan = self.plan
        if not (plan.steps or plan.folders):
            return Copied([], [])
        if self._goal is None:
            # A process that was killed leaves its drafts: they would fill the disk over time.
            for parent in {step.destination.host.parent for step in plan.steps}:
                clear_drafts(parent)
            return Copied(_do_steps(plan, self._sessions, progress), [])
        target = self._sessions.target(self._goal)
        if target in self._images:
            # An image that the caller opened may hold other changes, which an error here must not
            # discard.
            with target.transaction():
                return Copied(_do_steps(plan, self._sessions, progress), [])
        # An exception leaves the ``with`` of this copy, which discards all changes.
        written = _do_steps(plan, self._sessions, progress)
        return Copied(written, target.commit(progress))

    def __enter__(self) -> Copy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sessions.__exit__(kind, error, trace)


def copy_files(
    sources: Sequence[str | Path | TargetPath],
    destination: str | Path | TargetPath,
    options: CopyOptions | None = None,
    *,
    progress: Progress | None = None,
    images: Sequence[Image] = (),
) -> Copied:
    """Plan and carry out a copy; see ``Copy``."""
    with Copy(sources, destination, options, images=images) as copy:
        return copy.run(progress)


def _plan(places: list[Place], end: Place, options: CopyOptions, sessions: Sessions) -> CopyPlan:
    goal = end.where
    walk = HostWalk(options.follow_links, goal.path is not None and _has_folders(goal, sessions))
    selections = [find_items(place, options.recursive, sessions, walk) for place in places]
    items = [item for part in selections for item in part.items]
    is_tree = len(selections) == 1 and selections[0].is_folder
    inside = _is_folder(end, sessions, is_tree=is_tree, several=len(items) > 1)
    steps = _steps(items, goal, inside, sessions)
    _refuse_clashes(steps, goal, sessions)
    if goal.path is not None:
        sizes = {step.destination.path or "": step.size for step in steps}
        sessions.target(goal).check_fits(sizes)
    # A single file may be written through a link that the user named; a tree may not, because its
    # names come from an image.
    root = goal.host if goal.path is None and (inside or is_tree) else None
    warnings = tuple(warning for part in selections for warning in part.warnings)
    warnings += tuple(sessions.notes)
    inner = [folder for part in selections for folder in part.folders]
    folders = _folders(inner, items, goal, inside, sessions)
    return CopyPlan(tuple(steps), warnings, root, folders)


def _has_folders(goal: TargetPath, sessions: Sessions) -> bool:
    return sessions.target(goal).volume(goal.path).has_folders


def _folders(
    folders: list[Item],
    items: list[Item],
    goal: TargetPath,
    inside: bool,
    sessions: Sessions,
) -> tuple[TargetPath, ...]:
    """Return the folders to create; on the host only those without files.

    Writing a local file creates its parents. In an image each folder has to be made.
    """
    paths = sorted({item.inside if inside else item.alone for item in folders})
    if goal.path is None:
        files = [item.inside if inside else item.alone for item in items]
        full = {path[:depth] for path in (*files, *paths) for depth in range(len(path))}
        empty = [path for path in paths if path and path not in full]
        names = HostNames(path for path in (*files, *empty) if path)
        return tuple(TargetPath(goal.host.joinpath(*names[path])) for path in empty)
    if not _has_folders(goal, sessions):
        return ()
    base = sessions.target(goal).absolute(goal.path).rstrip("/")
    return tuple(goal._replace(path="/".join((base, *path))) for path in paths)


def _is_folder(end: Place, sessions: Sessions, *, is_tree: bool, several: bool) -> bool:
    """Return True if the copies keep their names below the destination.

    Raises ``TargetError`` if several files would get one name.
    """
    goal = end.where
    if goal.path is None:
        there, is_dir = goal.host.exists(), goal.host.is_dir()
    else:
        target = sessions.target(goal)
        there = target.exists(goal.path)
        is_dir = there and target.isdir(goal.path)
    if there and not is_dir and (several or is_tree or end.slash):
        raise TargetError(f"{goal} is a file, not a folder")
    # ``cp -r folder new/`` makes ``new`` the copy, as without the slash; ``cp file new/`` needs
    # a folder ``new``.
    if is_dir or (end.slash and not is_tree):
        return True
    if several and not is_tree:
        raise TargetError(
            f"{goal} is not a folder: several files cannot get one name",
            hint=f"add a slash to create the folder: {goal}/",
        )
    return False


def _steps(
    items: list[Item], goal: TargetPath, inside: bool, sessions: Sessions
) -> list[CopyStep]:
    paths = [item.inside if inside else item.alone for item in items]
    if goal.path is None:
        return _steps_to_host(items, paths, goal.host, sessions)
    target = sessions.target(goal)
    base = target.absolute(goal.path)
    steps = []
    for item, parts in zip(items, paths, strict=True):
        path = "/".join((base.rstrip("/"), *parts)) if parts else base
        # The spelling of an existing entry wins: FAT finds a name in any case.
        place = target.place_of(path)
        destination = goal._replace(path=place)
        action = Action.NEW
        if target.exists(place):
            if target.isdir(place):
                raise TakenError(f"{destination} is a folder", hint="give the copy another name")
            same = _is_same(item, destination, sessions)
            action = Action.SAME if same else Action.REPLACE
        steps.append(CopyStep(item.source, destination, item.size, action))
    return steps


def _steps_to_host(
    items: list[Item], paths: list[Parts], goal: Path, sessions: Sessions
) -> list[CopyStep]:
    names = HostNames(path for path in paths if path)
    steps = []
    for item, path in zip(items, paths, strict=True):
        place = goal.joinpath(*names[path]) if path else goal
        note = names.note(path, item.source.path) if path else ""
        action = Action.NEW
        if place.is_dir():
            raise TakenError(f"{place} is a folder", hint="give the copy another name")
        if place.exists():
            same = item.readable and sessions.content(item.source).same(host_content(place))
            action = Action.SAME if same else Action.REPLACE
        steps.append(CopyStep(item.source, TargetPath(place), item.size, action, note))
    return steps


def _is_same(item: Item, destination: TargetPath, sessions: Sessions) -> bool:
    """Return True if a source has the same contents as the file that it would replace."""
    target = sessions.target(destination)
    known = target.stat(destination.path or "")
    source = item.source
    # Compared as entries, not as text: `/lib/../a` and `/A` may both name the same file.
    in_goal = source.path is not None and sessions.is_same(source, destination)
    if in_goal and target.stat(source.path or "") == known:
        raise UsageError(f"{source} and {destination} are the same file")
    # A damaged file is replaced even by the same bytes: that is how it is repaired.
    if known.size != item.size or not known.readable:
        return False
    try:
        return sessions.content(source).same(target.content(known.path))
    except UnreadableError:
        return False


def _refuse_clashes(steps: list[CopyStep], goal: TargetPath, sessions: Sessions) -> None:
    """Raise ``UsageError`` if two sources would get the same path."""
    taken: dict[TargetPath, TargetPath] = {}
    volume = None if goal.path is None else sessions.target(goal).volume(goal.path)
    for step in steps:
        place = step.destination
        # Paths that the file system treats as one, such as two cases of a name on FAT, clash.
        if volume is not None and place.path is not None:
            place = place._replace(path=volume.key_of(place.path))
        other = taken.setdefault(place, step.source)
        if other != step.source:
            raise UsageError(
                f"{other} and {step.source} would both become {step.destination}",
                hint="copy their folder recursively: then each file keeps its own folder",
            )


def _do_steps(plan: CopyPlan, sessions: Sessions, progress: Progress | None) -> list[Written]:
    written: list[Written] = []
    # Folders first, parents before children: on FAT a file needs its folder, and an empty folder
    # has no file that would make it.
    for folder in plan.folders:
        _make(folder, sessions)
    done, total = 0, plan.total
    for step in plan.steps:
        watch = _file_progress(progress, done, total)
        if progress is not None:
            progress("copy", done, total)
        with counted(written) if step.destination.path is None else nullcontext():
            written.append(_do(step, plan, sessions, watch))
        done += 0 if step.action is Action.SAME else step.size
    if progress is not None:
        progress("copy", total, total)
    return written


def _make(folder: TargetPath, sessions: Sessions) -> None:
    if folder.path is None:
        make_folder(folder.host)
    else:
        sessions.target(folder).mkdir(folder.path, parents=True)


def _file_progress(
    progress: Progress | None, done: int, total: int
) -> Callable[[int], None] | None:
    """Return a callback for the bytes of one file; ``done`` bytes were copied before it."""
    if progress is None:
        return None
    return lambda part: progress("copy", min(done + part, total), total)


def _do(
    step: CopyStep, plan: CopyPlan, sessions: Sessions, watch: Callable[[int], None] | None
) -> Written:
    content = sessions.content(step.source)
    # A file of one piece is copied at once: reporting it before and after it is enough.
    if watch is not None and step.action is not Action.SAME and step.size > PIECE:
        content = content.watched(watch)
    if step.destination.path is not None and step.action is Action.SAME:
        return Written(step.destination.path, content.size, content.sha256(), False)
    if step.destination.path is not None:
        target = sessions.target(step.destination)
        return target.write_bytes(step.destination.path, content)
    if plan.root is not None:
        make_folder(plan.root)
    return write_host(step.destination.host, content, plan.root)._replace(note=step.note)
