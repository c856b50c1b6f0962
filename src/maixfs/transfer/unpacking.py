"""All files of a target, or of a folder in it, into a folder of the host."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from maixfs.errors import DeviceError
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import make_folder
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import TakenError, TargetError, UnreadableError
from maixfs.image.image import Image
from maixfs.image.volume import Entries, ImageEntry
from maixfs.transfer.hostnames import HostNames


class UnpackError(UnreadableError):
    """Some files could not be read; ``lost`` says of each why.

    ``written`` are those that could; they lie in the folder.
    """

    def __init__(
        self, message: str, written: list[Written], lost: list[str], *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.written = written
        self.lost = lost


class _Step(NamedTuple):
    entry: ImageEntry
    place: Path
    note: str


def unpack(
    target: Image,
    path: str | None,
    folder: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write all files under ``path`` (``None``: all there are) into ``folder``.

    Folders are made as names ask for them. Names that the host would not take are changed, and
    the ``note`` of what was written says so. A file that is there already is left alone where
    it is the same, replaced with ``force``, and otherwise nothing at all is written
    (``TakenError``). Damaged files are left out, and ``UnpackError`` at the end names them.
    """
    steps, folders, lost = _plan(target, path, folder)
    if not force:
        _refuse_different(target, steps)
    make_folder(folder)
    for inner in folders:
        make_folder(inner)
    for parent in {step.place.parent for step in steps}:
        clear_drafts(parent)
    written: list[Written] = []
    done, total = 0, sum(step.entry.size for step in steps)
    for step in steps:
        if progress is not None:
            progress("unpack", done, total)
        done += step.entry.size
        try:
            with counted(written):
                proof = write_host(step.place, target.content(step.entry), folder)
        except UnreadableError as error:
            lost.append(str(error))
            continue
        note = step.note
        if step.entry.rescued:
            note = "; ".join(filter(None, (note, "rescued: its index is damaged")))
        written.append(proof._replace(note=note))
    if progress is not None:
        progress("unpack", total, total)
    if lost:
        reason = ", as they cannot be read" if lost[1:] else f": {lost[0]}"
        raise UnpackError(
            f"{len(lost)} of {len(written) + len(lost)} files left out{reason}",
            written,
            lost,
            hint=f"maixfs info {target.host} says what is wrong",
        )
    return written


def _plan(
    target: Image, path: str | None, folder: Path
) -> tuple[list[_Step], list[Path], list[str]]:
    """Return the files, the folders that have none in them, and why some cannot be seen."""
    here = target.stat(path) if path else None
    inner: Entries = []
    if here is not None and not here.is_dir:
        files, skip = [here], len(here.parts) - 1
    else:
        found = target.scandir(path, recursive=True)
        files = [entry for entry in found if not entry.is_dir]
        inner = [entry for entry in found if entry.is_dir]
        start = here.path if here is not None else target.mount_point
        skip = len([part for part in start.split("/") if part])
    lost = [f"{entry.path} cannot be read: {entry.fault}" for entry in inner if entry.fault]
    full = {one.parts[:depth] for one in (*files, *inner) for depth in range(len(one.parts))}
    empty = [entry for entry in inner if entry.parts not in full]
    names = HostNames(one.parts[skip:] for one in (*files, *empty))
    steps = []
    for file in files:
        parts = file.parts[skip:]
        note = names.note(parts, file.path)
        steps.append(_Step(file, folder.joinpath(*names[parts]), note))
    return steps, [folder.joinpath(*names[one.parts[skip:]]) for one in empty], lost


def _refuse_different(target: Image, steps: list[_Step]) -> None:
    for step in steps:
        if not (step.place.exists() or step.place.is_symlink()) or not step.entry.readable:
            continue
        if not target.content(step.entry).same(host_content(step.place)):
            raise TakenError(
                f"{step.place} is there already and differs; nothing was written",
                hint="--force replaces it, or choose an empty folder",
            )


def write_host(place: Path, content: Content, root: Path | None) -> Written:
    """Write a file of the host, making folders; an equal one is left alone.

    A time that comes with the content is given to the file.

    Raises ``DeviceError`` where the host refuses, ``TargetError`` where a link leads out of
    ``root`` (``None``: links are followed), and what reading the content raises.
    """
    if _holds(place, content):
        return Written(str(place), content.size, content.sha256(), False)
    if root is not None:
        _refuse_links(place, root)
    make_folder(place.parent)
    if place.is_dir():
        raise TakenError(f"{place} is a folder", hint="move it away first")
    digest = put_file(place, content)
    return Written(str(place), content.size, digest, True)


def _holds(place: Path, content: Content) -> bool:
    # A file that may not be read is replaced like one that differs. Nothing is caught here: an
    # error of the content's own medium would look like a file that differs.
    readable = place.is_file() and os.access(place, os.R_OK)
    return readable and content.same(host_content(place))


def _refuse_links(place: Path, root: Path) -> None:
    if not place.parent.resolve().is_relative_to(root.resolve()) or place.is_symlink():
        raise TargetError(f"{place} leads out of {root} by a link: nothing was written there")


def put_file(path: Path, content: Content) -> str:
    """Write a file of the host, whole or not at all; return its SHA-256.

    A time that comes with the content is given to the file. Raises ``DeviceError`` where the
    host refuses, and what reading the content raises.
    """
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in content.pieces():
            digest.update(piece)
            yield piece

    with Draft(path, durable=False) as draft:
        draft.write(pieces())
        if content.modified is not None:
            seconds = content.modified.timestamp()
            with suppress(OSError, OverflowError):
                os.utime(draft.file, (seconds, seconds))
        draft.finish()
    return digest.hexdigest()


@contextmanager
def counted(written: list[Written]) -> Iterator[None]:
    """Have an error say how many files were written before it."""
    try:
        yield
    except (TargetError, DeviceError) as error:
        done = sum(file.changed for file in written)
        if done:
            before = f"{done} {'file is' if done == 1 else 'files are'} written already"
            error.hint = f"{error.hint}; {before}" if error.hint else before
        raise
