"""A mounted file system at its place in an image, and the names of what is in it.

Everything about files comes from the ``FileSystem``; this layer adds how paths show names that do
not print, or that two entries have, and what a change needs to be done whole or not at all.
"""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from maixfs.errors import ClosedError, Command, MaixfsError
from maixfs.filesystem import Entry, FileSystem
from maixfs.image.errors import MissingError, TargetError, UnreadableError
from maixfs.image.names import Parts, Steps
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.errors import UsageError
    from maixfs.image.content import Content
    from maixfs.image.entries import Written
    from maixfs.image.media import Medium
    from maixfs.image.names import Mount

WILDCARDS = frozenset("*?[")
_BUFFER = 1 << 16
"""Bytes that are read at once for readers who ask for little."""


class Usage(NamedTuple):
    """What files take."""

    size: int
    """Bytes of their contents."""
    units: int
    """Pages (SPIFFS, index included) or clusters (FAT)."""


class ImageEntry:
    """A file or a folder by its path in an image; ``inner`` is the file system's own entry.

    Everything that takes work is found out when it is asked for.
    """

    __slots__ = ("_faults", "_on_medium", "_usage", "inner", "path", "volume")

    def __init__(self, path: str, inner: Entry[Any], volume: Volume) -> None:
        self.path = path
        """From the root of the image, as it can be given back; odd bytes as ``\\xNN``."""
        self.inner = inner
        self.volume = volume
        self._usage: Usage | None = None
        self._on_medium: int | None = None
        self._faults: list[str | None] = []
        """The fault alone, once it was looked for."""

    def __repr__(self) -> str:
        return f"<{'folder' if self.is_dir else 'file'} {self.path}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageEntry):
            return NotImplemented
        return (self.path, self.inner) == (other.path, other.inner)

    __hash__ = None  # type: ignore[assignment]

    def with_usage(self, others: Sequence[ImageEntry]) -> ImageEntry:
        """Return the same folder, with what is in others counted as in it."""
        sums = [entry.usage for entry in (self, *others)]
        on_medium = sum(entry.on_medium for entry in (self, *others))
        self._usage = Usage(sum(one.size for one in sums), sum(one.units for one in sums))
        self._on_medium = on_medium
        return self

    @property
    def name(self) -> str:
        """The last part of the path; ``/`` for the root."""
        return self.path.rpartition("/")[2] or "/"

    @property
    def parts(self) -> Parts:
        """The path, part by part."""
        return tuple(self.path[1:].split("/"))

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.inner.is_dir

    @property
    def native(self) -> Any:
        """The driver's record: ``DirEntry``, ``FatEntry``; ``None`` for a folder of SPIFFS."""
        return self.inner.native

    @property
    def usage(self) -> Usage:
        """What it takes; of a folder, what all files in it take."""
        if self._usage is None:
            self._usage = self.volume.usage(self)
        return self._usage

    @property
    def size(self) -> int:
        """Bytes; of a folder, those of all its files."""
        return self.usage.size if self.inner.is_dir else self.inner.size

    @property
    def units(self) -> int:
        """Pages (SPIFFS, index included) or clusters (FAT) that it takes."""
        return self.usage.units

    @property
    def on_medium(self) -> int:
        """Bytes that those take."""
        if self._on_medium is None:
            self._on_medium = self.units * self.volume.unit_size
        return self._on_medium

    @property
    def modified(self) -> datetime | None:
        """When it was last written, by the clock of who wrote it; ``None``: not known."""
        return self.volume.modified(self)

    @property
    def fault(self) -> str | None:
        """Why it cannot be read to its end; ``None`` where nothing is known against it."""
        if not self._faults:
            self._faults.append(self.volume.fault(self))
        return self._faults[0]

    @property
    def reading_note(self) -> str:
        """What to say when its bytes are used; empty where it is read as it should be."""
        return "rescued: its index is damaged" if not self.readable and self.rescued else ""

    def complete(self) -> ImageEntry:
        """Find out everything now, for use after the image was closed; return the entry."""
        _ = self.fault, self.on_medium
        return self

    @property
    def rescued(self) -> bool:
        """Whether its index is damaged, and reading puts it together from its pages."""
        return self.volume.is_rescued(self)

    @property
    def readable(self) -> bool:
        """Whether nothing is known that keeps it from being read."""
        return self.fault is None


Entries = list[ImageEntry]


class Room(Protocol):
    """Room in a file system, in bytes; ``as_dict`` has its own units too."""

    @property
    def total(self) -> int:
        """Bytes that files could take if there were none."""

    @property
    def used(self) -> int:
        """Bytes that files take, in whole units."""

    @property
    def deleted(self) -> int:
        """Bytes that garbage collection can give back; where there is none, 0."""

    @property
    def free(self) -> int:
        """Bytes that can be written at once."""

    def as_dict(self) -> dict[str, Any]:
        """Return it all by name, in units and in bytes."""


class Folder:
    """The entries of one folder by the names that paths have for them."""

    __slots__ = ("fault", "files", "folders", "keys")

    def __init__(self) -> None:
        self.files: dict[str, Entry[Any]] = {}
        self.folders: dict[str, Entry[Any]] = {}
        self.keys: dict[str, str] = {}
        """Other spellings that lead to a name: of FAT in any case, and the short one."""
        self.fault: str | None = None
        """Why not all of it could be read."""

    def __contains__(self, part: str) -> bool:
        return part in self.files or part in self.folders

    def get(self, part: str) -> Entry[Any] | None:
        """Return the file, or else the folder, of a name."""
        return self.files.get(part) or self.folders.get(part)


class _EntryStream(io.RawIOBase):
    """Reads a file; ``failed`` makes the error for what cannot be read."""

    def __init__(self, stream: BinaryIO, failed: Callable[[MaixfsError], UnreadableError]) -> None:
        super().__init__()
        self._stream = stream
        self._failed = failed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._stream.readinto(buffer))  # type: ignore[attr-defined]
        except ClosedError:
            raise
        except MaixfsError as error:
            raise self._failed(error) from error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._stream.seek(offset, whence)
        except ClosedError:
            raise
        except MaixfsError as error:
            raise self._failed(error) from error

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class Volume(ABC):
    """A file system in an image; ``mount`` is its place, ``fs`` the mounted ``FileSystem``.

    Paths are absolute in the image, in parts. Changes are seen at once and lie in the overlay
    of ``medium`` until it is saved; each is done whole or not at all, and raises ``FitError``
    where there is no room.
    """

    has_folders = True
    """Whether folders are things of their own, not only slashes in names."""
    keeps_times = True
    """Whether files have the time when they were written."""
    caseless = False
    """Whether names are compared without case."""

    def __init__(self, host: object, medium: Medium, mount: Mount) -> None:
        self.host = host
        self.mount = mount
        self.medium = medium
        self._fs: FileSystem[Any] | None = None
        self._folders: dict[Parts, Folder] = {}
        self._writes: int | None = None
        """The writes that ``_folders`` has seen; ``None``: all go through this volume."""
        medium.volumes.append(self)

    # What a driver supplies

    @property
    @abstractmethod
    def format(self) -> str:
        """``SPIFFS``, ``FAT12``, ``FAT16`` or ``FAT32``."""

    @property
    @abstractmethod
    def unit_size(self) -> int:
        """Bytes of a page or cluster."""

    @abstractmethod
    def _mount(self) -> FileSystem[Any]:
        """Mount the file system on the medium."""

    @abstractmethod
    def _part(self, entry: Entry[Any]) -> str:
        """Return the name of an entry as a part of a path."""

    @abstractmethod
    def _number(self, entry: Entry[Any]) -> int:
        """Return the number that tells entries of one name apart (``\\pN``)."""

    @abstractmethod
    def _units(self, entry: Entry[Any]) -> int:
        """Return the pages or clusters that a file takes."""

    @abstractmethod
    def modified(self, entry: ImageEntry) -> datetime | None:
        """Return when an entry was last written."""

    @abstractmethod
    def file_fault(self, entry: ImageEntry) -> str | None:
        """Return why a file cannot be read to its end."""

    @abstractmethod
    def room(self) -> Room:
        """Return how much is taken and left."""

    @abstractmethod
    def facts(self, entry: ImageEntry) -> dict[str, Any]:
        """Return what is known of a file or folder beyond a listing."""

    @abstractmethod
    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets; ``UsageError`` where none can."""

    @abstractmethod
    def inner_path(self, path: str) -> str:
        """Return the path in the file system of a file that may be new."""

    @abstractmethod
    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""

    @abstractmethod
    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there; the very same content is left alone."""

    @abstractmethod
    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files, and folders that are named with all that is in them: all or none.

        ``force`` removes files that are marked as read-only, too.
        """

    @abstractmethod
    def rename(self, moves: Sequence[tuple[ImageEntry, str]], *, replace: bool) -> None:
        """Give files and folders other paths: all or none."""

    @abstractmethod
    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Make a folder; with ``parents`` those above too, and one that is there is no error."""

    @abstractmethod
    def gc(self) -> int:
        """Free the units that deleted data holds; returns how many."""

    def refuse_hazards(self, path: str) -> None:  # noqa: B027 - SPIFFS asks in its driver
        """Raise where an edit could destroy files that it does not touch."""

    def key_of(self, path: str) -> str:
        """Return what two paths of one file have in common: on FAT case does not matter."""
        return path

    def _spellings(self, entry: Entry[Any]) -> tuple[str, ...]:
        """Return the other spellings that lead to an entry, best first."""
        return ()

    def _spelling(self, part: str) -> str:
        """Return a part of a path in the spelling in which names are compared."""
        return part

    def identity(self, entry: Entry[Any]) -> object:
        """Return what tells a folder from all others."""
        return entry.path

    # The mount

    @property
    def fs(self) -> FileSystem[Any]:
        """The mounted file system; it is mounted again after a rollback."""
        if self._fs is None or self._fs.closed:
            # A mount after the image was closed would read from a file that is not open.
            if self.medium.closed:
                raise ClosedError(f"{self.host} is closed")
            self._folders.clear()
            self._fs = self._mount()
        return self._fs

    def shared(self) -> FileSystem[Any]:
        """Return the file system for a program that may change it without this volume."""
        if self.writable and self._writes is None:
            self._writes = -1
        return self.fs

    def _current_folders(self) -> dict[Parts, Folder]:
        """Return the folders that are known, none after a write that did not go through here."""
        if self._writes is not None and self._writes != self.medium.overlay.writes:
            self._folders.clear()
            self._writes = self.medium.overlay.writes
        return self._folders

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""
        return self.medium.writable

    def sync(self) -> None:
        """Write what the file system holds in RAM; streams are flushed."""
        if self._fs is not None and not self._fs.closed and self.writable:
            self._fs.sync()

    def abandon(self) -> None:
        """End the mount without writing anything; streams are closed."""
        self._folders.clear()
        fs, self._fs = self._fs, None
        if fs is not None:
            fs.abandon()

    def forget(self, parts: Parts = ()) -> None:
        """Forget the names in a folder and below it: something there changed."""
        depth = len(parts)
        for known in [at for at in self._folders if at[:depth] == parts]:
            del self._folders[known]

    # Names

    def _inside(self, parts: Parts) -> bool:
        return parts[: len(self.mount.parts)] == self.mount.parts

    def _folder(self, parts: Parts) -> Folder | None:
        """Return the index of a folder whose path is as it is shown; ``None`` without one."""
        known = self._current_folders().get(parts)
        if known is None:
            entry = self._folder_entry(parts)
            if entry is not None:
                known = self._folders[parts] = self._index(entry)
        return known

    def _folder_entry(self, parts: Parts) -> Entry[Any] | None:
        if parts == self.mount.parts:
            return self.fs.stat("/")
        if not self._inside(parts) or len(parts) < len(self.mount.parts):
            return None
        above = self._folders.get(parts[:-1])
        if above is None:
            # From the top, not by recursion: a path may have a thousand parts.
            for at in range(len(self.mount.parts), len(parts)):
                above = self._folder(parts[:at])
                if above is None:
                    return None
        return None if above is None else above.folders.get(parts[-1])

    def _index(self, top: Entry[Any]) -> Folder:
        folder = Folder()
        try:
            for entry in self.fs.scandir(top):
                self._enter(folder, entry)
        except MaixfsError as error:
            # What was listed before the damage stays; whoever lists the folder alone gets the
            # error.
            folder.fault = str(error)
        return folder

    def _enter(self, folder: Folder, entry: Entry[Any]) -> None:
        part = self._part(entry)
        names = folder.folders if entry.is_dir else folder.files
        key = self._spelling(part)
        taken = part in names or (self.caseless and folder.keys.get(key, part) in folder)
        if taken:
            # The first one is what a board finds by the name.
            part = f"{part}\\p{self._number(entry)}"
        else:
            folder.keys.setdefault(key, part)
        names[part] = entry
        for other in self._spellings(entry):
            folder.keys.setdefault(other, part)

    def part_in(self, folder: Folder, part: str) -> str | None:
        """Return a part of a path as a folder shows it; ``None`` where it is not there."""
        if part in folder:
            return part
        known = folder.keys.get(self._spelling(part)) if self.caseless else None
        return known if known is not None and known in folder else None

    def canonical_parts(self, parts: Parts) -> Parts:
        """Return a path in the spelling of the volume, as far as it goes there."""
        depth = len(self.mount.parts)
        if not self._inside(parts) or len(parts) <= depth:
            return parts
        known = self.mount.parts
        for at, part in enumerate(parts[depth:], depth):
            folder = self._folder(known)
            found = None if folder is None else self.part_in(folder, part)
            if folder is None or found is None:
                return known + parts[at:]
            known = (*known, found)
        return known

    def canonical(self, steps: Steps) -> Steps:
        """Return a path as the volume has it; one that was meant for a board is understood."""
        # The literal path first: a folder may have the name of the mount point that a board would
        # use.
        for candidate in (steps, self.mount.without_alias(steps)):
            parts = self.canonical_parts(candidate.parts)
            if self.get(parts) is not None:
                return steps._replace(parts=parts)
        bare = self.mount.without_alias(steps)
        return bare._replace(parts=self.canonical_parts(bare.parts))

    def get(self, parts: Parts) -> Entry[Any] | None:
        """Return the file, or else the folder, of a path as it is shown."""
        if parts == self.mount.parts:
            return self.fs.stat("/")
        if not self._inside(parts) or len(parts) <= len(self.mount.parts):
            return None
        above = self._folder(parts[:-1])
        return None if above is None else above.get(parts[-1])

    def has_file(self, parts: Parts) -> bool:
        """Return whether there is a file of that path."""
        entry = self.get(parts)
        return entry is not None and not entry.is_dir

    def has_folder(self, parts: Parts) -> bool:
        """Return whether there is a folder of that path; what leads to the mount point is one."""
        if parts == self.mount.parts[: len(parts)]:
            return True
        return self._folder(parts) is not None if self._inside(parts) else False

    def entry(self, parts: Parts) -> ImageEntry:
        """Return the file, or else the folder, of a path that is there."""
        inner = self.get(parts)
        assert inner is not None
        return ImageEntry("/" + "/".join(parts), inner, self)

    def folder(self, parts: Parts) -> ImageEntry:
        """Return the folder of a path that is there."""
        if len(parts) < len(self.mount.parts):
            return ImageEntry("/" + "/".join(parts), self.fs.stat("/"), self)
        inner = self._folder_entry(parts)
        assert inner is not None
        return ImageEntry("/" + "/".join(parts), inner, self)

    def find(self, steps: Steps) -> ImageEntry | None:
        """Return the file, or else the folder, of a path; ``\\pN`` tells equal names apart."""
        if steps.page is not None:
            return self._numbered(steps)
        if self.get(steps.parts) is not None:
            return self.entry(steps.parts)
        return self.folder(steps.parts) if self.has_folder(steps.parts) else None

    def _numbered(self, steps: Steps) -> ImageEntry | None:
        for entry in self.children(steps.parts[:-1]):
            plain = entry.name.rpartition("\\p")[0] or entry.name
            if plain in steps.parts[-1:] and self._number(entry.inner) == steps.page:
                return entry
        return None

    # Listings

    def children(self, parts: Parts) -> Iterator[ImageEntry]:
        """Yield what lies in a folder, by name; a name may be a folder's and a file's."""
        if len(parts) < len(self.mount.parts):
            yield self.folder(self.mount.parts)
            return
        folder = self._folder(parts)
        if folder is None:
            return
        path = "/" + "/".join(parts) if parts else ""
        for part in sorted({*folder.folders, *folder.files}):
            for names in (folder.folders, folder.files):
                if part in names:
                    yield ImageEntry(f"{path}/{part}", names[part], self)

    def below(self, parts: Parts) -> Iterator[ImageEntry]:
        """Yield everything under a folder, each folder before what lies in it.

        A folder of a damaged volume that was listed already is not listed again.
        """
        seen: set[object] = set()
        waiting = [iter([*self.children(parts)])]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
                continue
            yield entry
            if entry.is_dir and (identity := self.identity(entry.inner)) not in seen:
                seen.add(identity)
                waiting.append(iter([*self.children(entry.parts)]))

    def files(self) -> Iterator[ImageEntry]:
        """Yield all files."""
        return (entry for entry in self.below(self.mount.parts) if not entry.is_dir)

    def matching(self, pattern: Parts) -> Iterator[ImageEntry]:
        """Yield the files and folders that a pattern means; ``**`` is any number of folders.

        What stands before the first wildcard is looked up, not searched.
        """
        plain = 0
        while plain < len(pattern) and not WILDCARDS & set(pattern[plain]):
            plain += 1
        start = self.canonical_parts(pattern[: min(plain, len(pattern) - 1)])
        if not self.has_folder(start):
            return iter(())
        wanted = start + pattern[len(start) :]
        # ``**`` matches folders alone; at the end of a pattern, what is in them is meant.
        if wanted[-1:] == ("**",):
            wanted += ("*",)
        return (
            entry
            for entry in self.below(start)
            if _matches(entry.parts, wanted, caseless=self.caseless)
        )

    def usage(self, entry: ImageEntry) -> Usage:
        """Return what a file takes, or all files in a folder."""
        if not entry.is_dir:
            return Usage(entry.inner.size, self._units(entry.inner))
        size = units = 0
        top = () if entry.path == "/" else entry.parts
        for inside in self.below(top):
            if not inside.is_dir:
                size += inside.inner.size
                units += self._units(inside.inner)
        return Usage(size, units)

    def fault(self, entry: ImageEntry) -> str | None:
        """Return why a file cannot be read to its end, or a folder not whole."""
        if not entry.is_dir:
            return self.file_fault(entry)
        folder = self._folder(entry.parts if entry.path != "/" else ())
        return None if folder is None else folder.fault

    def refuse_unreadable(self, parts: Parts) -> None:
        """Raise ``UnreadableError`` for a folder that is there but cannot be read."""
        folder = self._folder(parts)
        if folder is not None and folder.fault is not None:
            raise UnreadableError(
                f"/{'/'.join(parts)} cannot be read: {folder.fault}",
                fix=(Command("doctor", (str(self.host),)),),
            )

    def likeness(self, parts: Parts) -> Iterator[Parts]:
        """Yield what lies in the deepest folder of a path that is there."""
        known = self.canonical_parts(parts[:-1])
        while known and not self.has_folder(known):
            known = known[:-1]
        for entry in self.children(known):
            yield entry.parts

    # Contents

    def open(self, entry: ImageEntry) -> BinaryIO:
        """Return a file to read from; raises ``UnreadableError``."""
        try:
            # Without a buffer of its own: errors of the driver are translated below the buffer
            # that is added here, so that no read of any size raises another error.
            stream = self.fs.open(entry.inner, "rb", buffering=0)
        except MaixfsError as error:
            raise self.unreadable(entry, error) from error
        raw = _EntryStream(stream, lambda error: self.unreadable(entry, error))
        return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))

    def read(self, entry: ImageEntry) -> bytes:
        """Return the bytes of a file; raises ``UnreadableError``."""
        try:
            return self.fs.read_bytes(entry.inner)
        except MaixfsError as error:
            raise self.unreadable(entry, error) from error

    def is_rescued(self, entry: ImageEntry) -> bool:
        """Return whether a damaged file is read whole all the same."""
        return False

    def unreadable(self, entry: ImageEntry, error: MaixfsError) -> UnreadableError:
        """Return the error for a file that is damaged."""
        return UnreadableError(
            f"{entry.path} cannot be read: {error}",
            hint="unpack the image: that leaves it out and saves the others",
            fix=(Command("unpack", (str(self.host), "DIR")),),
        )

    def missing(self, path: str, steps: Steps) -> TargetError | UsageError:
        """Return the error for a path that is not there."""
        if steps.parts[: len(self.mount.parts)] != self.mount.parts:
            return self.mount.elsewhere(steps)
        if steps.page is not None:
            return MissingError(f"{path}: no file has its header at page {steps.page}")
        shown = "/" + "/".join(steps.parts)
        return MissingError(
            f"{shown}: no such file in {self.host}", hint=self._similar(steps.parts)
        )

    def _similar(self, parts: Parts) -> str | None:
        """Return a hint to a file whose name is much like one that is not there."""
        from difflib import get_close_matches

        paths = ["/".join(known) for known in self.likeness(parts)]
        close = get_close_matches("/".join(parts), paths, n=1, cutoff=0.7)
        return f"there is /{close[0]}" if close else None


def _matches(parts: Parts, pattern: Parts, *, caseless: bool) -> bool:
    """Match part by part; the set of places in the pattern keeps ``**`` from branching out."""
    places = {0}
    for part in parts:
        places = _spread(places, pattern)
        places = {
            at if pattern[at] == "**" else at + 1
            for at in places
            if at < len(pattern)
            and (pattern[at] == "**" or _compiled(pattern[at], caseless).match(part))
        }
    return len(pattern) in _spread(places, pattern)


def _spread(places: set[int], pattern: Parts) -> set[int]:
    """Add the places that are reached by letting a ``**`` stand for nothing."""
    # Every place is followed at once: trying them one after the other takes exponential time for a
    # pattern with several ``**``.
    spread = set(places)
    for at in range(len(pattern)):
        if at in spread and pattern[at] == "**":
            spread.add(at + 1)
    return spread


@lru_cache(maxsize=64)
def _compiled(part: str, caseless: bool) -> re.Pattern[str]:
    return re.compile(translate(part), re.IGNORECASE if caseless else 0)
