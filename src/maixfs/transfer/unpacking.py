"""Unpack all files of an image, or of a folder in it, into a folder of the host."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from maixfs.errors import Command, DeviceError, Step
from maixfs.host.drafts import Draft, clear_drafts
from maixfs.host.files import make_folder
from maixfs.image.address import TargetPath
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import TakenError, TargetError, UnreadableError
from maixfs.image.image import Image
from maixfs.image.names import Parts, parse
from maixfs.image.volume import Entries, ImageEntry
from maixfs.tuples import NamedTuple

_TWIN = re.compile(r"\\p(\d+)\Z")
_DOTS = {".": "%2E", "..": "%2E%2E"}
_NOT_ON_WINDOWS = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{name}{digit}" for name in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def host_part(part: str, *, windows: bool, any_bytes: bool = False) -> str:
    """Return a part of an image's path as the name of a local file or folder.

    Characters that the host refuses or interprets are written as ``%XX``: a slash within a name,
    ``.`` and ``..``, bytes that are not UTF-8 (unless ``any_bytes``: names can have any), and on
    Windows its reserved characters and device names.
    """
    twin = _TWIN.search(part)
    if twin:
        # A backslash would be a separator on Windows, so the mark of equal names is written with a
        # tilde.
        part = f"{part[: twin.start()]}~p{twin[1]}"
    text = parse(part).decode("utf-8", "surrogateescape")
    text = "".join(_escaped(char) if _is_bad(char, windows, any_bytes) else char for char in text)
    # A file called `..` would be written outside of the folder.
    text = _DOTS.get(text, text)
    if windows:
        # Windows opens the device for these names in every folder, with any extension.
        if text.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            text = _escaped(text[0]) + text[1:]
        # Windows drops final dots and spaces without an error, and two files would become one.
        if text[-1:] in (".", " "):
            text = text[:-1] + _escaped(text[-1])
    return text


def _is_bad(char: str, windows: bool, any_bytes: bool) -> bool:
    if char in "/\0" or (not any_bytes and "\udc80" <= char <= "\udcff"):
        return True
    return windows and (char < " " or char in _NOT_ON_WINDOWS)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


class HostNames:
    """Distinct local names for the files of an image.

    The rules are those of this host by default: ``windows``, ``caseless`` (names that differ
    only in case are the same), ``any_bytes`` (names can be other than UTF-8).
    """

    def __init__(
        self,
        paths: Iterable[Parts],
        *,
        windows: bool = os.name == "nt",
        caseless: bool = os.name == "nt" or sys.platform == "darwin",
        any_bytes: bool = os.name != "nt" and sys.platform != "darwin",
    ) -> None:
        self._caseless = caseless
        plain = {
            parts: tuple(host_part(part, windows=windows, any_bytes=any_bytes) for part in parts)
            for parts in paths
        }
        # SPIFFS can have a file `a` beside `a/b`; a host cannot, so the file gives way to the
        # folder.
        folders = {self._key(names[:end]) for names in plain.values() for end in range(len(names))}
        self._names: dict[Parts, Parts] = {}
        taken: set[Parts] = set()
        for parts, names in plain.items():
            chosen, number = names, 0
            while self._key(chosen) in folders | taken:
                number += 1
                chosen = (*names[:-1], _numbered(names[-1], number))
            taken.add(self._key(chosen))
            self._names[parts] = chosen

    def __getitem__(self, parts: Parts) -> Parts:
        return self._names[parts]

    def note(self, parts: Parts, path: str | None) -> str:
        """Return a remark if the name of ``path`` had to change, else an empty text."""
        same = all(
            os.fsencode(name) == parse(part)
            for name, part in zip(self._names[parts], parts, strict=True)
        )
        return "" if same else f"was {path}"

    def _key(self, names: Parts) -> Parts:
        if not self._caseless:
            return names
        # macOS takes composed and decomposed letters for the same name.
        return tuple(unicodedata.normalize("NFC", name).casefold() for name in names)


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}~{number}.{ending}" if dot and stem else f"{name}~{number}"


class UnpackError(UnreadableError):
    """Some files could not be read; ``lost`` has a sentence about each.

    ``written`` are the other files, which were unpacked.
    """

    def __init__(self, written: list[Written], lost: list[str], *, fix: tuple[Step, ...]) -> None:
        reason = ", as they cannot be read" if lost[1:] else f": {lost[0]}"
        total = len(written) + len(lost)
        super().__init__(f"{len(lost)} of {total} files left out{reason}", fix=fix)
        self.written = written
        self.lost = lost


def unpack_place(
    whole: Image,
    place: TargetPath,
    folder: Path,
    open_part: Callable[[TargetPath], AbstractContextManager[Image]],
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write the files of a place in ``whole`` into ``folder``, as ``unpack_files`` does.

    Each partition of a card with several is opened by ``open_part`` and gets a folder of its own;
    ``UnpackError`` at the end names the files of all partitions.
    """
    parts: dict[str, TargetPath] = {} if place.path is not None else whole.partitions()
    if not parts:
        return unpack_files(whole, place.path, folder, force=force, progress=progress)
    written: list[Written] = []
    lost: list[str] = []
    fix: tuple[Step, ...] = ()
    for name, part in parts.items():
        with open_part(part) as opened:
            try:
                written += unpack_files(
                    opened, None, folder / name, force=force, progress=progress
                )
            except UnpackError as error:
                written += error.written
                lost += error.lost
                fix = error.fix
    if lost:
        raise UnpackError(written, lost, fix=fix)
    return written


class _Copy(NamedTuple):
    entry: ImageEntry
    place: Path
    note: str


def unpack_files(
    target: Image,
    path: str | None,
    folder: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write all files under ``path`` (``None``: of the whole image) into ``folder``.

    Folders are created as needed. Names that the host refuses are changed; the ``note`` of the
    file has the old one. Existing files with the same contents are not written. If an existing
    file differs, ``force`` replaces it; without ``force`` nothing is written (``TakenError``).
    Damaged files are left out, and ``UnpackError`` at the end names them.
    """
    steps, folders, lost = _plan(target, path, folder)
    # All comparisons come before the first write: "nothing was written" must hold for every file.
    for step in () if force else steps:
        # First what costs nothing: whether a file is readable takes reading its pages.
        if os.path.lexists(step.place) and step.entry.readable:
            refuse_different(step.place, target.content(step.entry))
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
        rescued = step.entry.reading_note
        note = "; ".join(filter(None, (step.note, rescued)))
        written.append(proof._replace(note=note, rescued=bool(rescued)))
    if progress is not None:
        progress("unpack", total, total)
    if lost:
        raise UnpackError(written, lost, fix=(Command("info", (str(target.host),)),))
    return written


def _plan(
    target: Image, path: str | None, folder: Path
) -> tuple[list[_Copy], list[Path], list[str]]:
    """Return the files, the folders without files, and why some folders cannot be read."""
    here = target.stat(path) if path else None
    inner: Entries = []
    if here is not None and not here.is_dir:
        files, skip = [here], len(here.parts) - 1
    else:
        entries = target.scandir(path, recursive=True)
        files = [entry for entry in entries if not entry.is_dir]
        inner = [entry for entry in entries if entry.is_dir]
        start = here.path if here is not None else target.mount_point
        skip = len([part for part in start.split("/") if part])
    lost = [f"{entry.path} cannot be read: {entry.fault}" for entry in inner if entry.fault]
    full = {entry.parts[:depth] for entry in (*files, *inner) for depth in range(len(entry.parts))}
    empty = [entry for entry in inner if entry.parts not in full]
    names = HostNames(entry.parts[skip:] for entry in (*files, *empty))
    steps = []
    for file in files:
        parts = file.parts[skip:]
        note = names.note(parts, file.path)
        steps.append(_Copy(file, folder.joinpath(*names[parts]), note))
    return steps, [folder.joinpath(*names[entry.parts[skip:]]) for entry in empty], lost


def refuse_different(place: Path, content: Content) -> None:
    """Raise ``TakenError`` where a local path exists and is not a file with these contents."""
    if place.is_file() and content.same(host_content(place)):
        return
    if place.exists() or place.is_symlink():
        raise TakenError(
            f"{place} exists already and differs; nothing was written",
            hint="choose an empty folder, or force the replacement",
        )


def write_host(place: Path, content: Content, root: Path | None) -> Written:
    """Write a local file and its folders, unless the file has the same contents already.

    The file gets the modification time of the content, if that has one. Raises ``DeviceError`` if
    the host refuses, ``TargetError`` if a link leads out of ``root`` (``None``: links are
    followed), and the errors of reading the content.
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
    # A file without read permission is replaced like one that differs. No error is caught here: an
    # error of the content's own medium would look like a file that differs.
    readable = place.is_file() and os.access(place, os.R_OK)
    return readable and content.same(host_content(place))


def _refuse_links(place: Path, root: Path) -> None:
    # An image can come from anywhere: none of its names may reach a file outside of the folder.
    if not place.parent.resolve().is_relative_to(root.resolve()) or place.is_symlink():
        raise TargetError(f"{place} leads out of {root} by a link: nothing was written there")


def put_file(path: Path, content: Content) -> str:
    """Write a local file atomically; return its SHA-256.

    The file gets the modification time of the content, if that has one. Raises ``DeviceError`` if
    the host refuses, and the errors of reading the content.
    """
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in content.pieces():
            digest.update(piece)
            yield piece

    # Not synced: the data still exists in the image, and a sync for each of many small files would
    # take most of the time.
    with Draft(path, durable=False) as draft:
        draft.write(pieces())
        if content.modified is not None:
            seconds = content.modified.timestamp()
            # A time that the host cannot store is no reason to lose the contents.
            with suppress(OSError, OverflowError):
                os.utime(draft.file, (seconds, seconds))
        draft.finish()
    return digest.hexdigest()


@contextmanager
def counted(written: list[Written]) -> Iterator[None]:
    """Add to the hint of an error how many files were written before it."""
    try:
        yield
    except (TargetError, DeviceError) as error:
        done = sum(file.changed for file in written)
        if done:
            before = f"{done} {'file is' if done == 1 else 'files are'} written already"
            error.hint = f"{error.hint}; {before}" if error.hint else before
        raise
