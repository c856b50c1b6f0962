"""A FAT volume in an image: the partition of a card, or a card that is one volume."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from maixfs.errors import Command, FitError, FullError, MaixfsError, UsageError
from maixfs.fat import Fat, FatCore, FatError
from maixfs.fat.codepage import upcase
from maixfs.fat.entries import FatEntry, pack_time, unpack_time
from maixfs.fat.errors import FResult
from maixfs.fat.names import make_name
from maixfs.fat.ondisk import Attribute
from maixfs.filesystem import Entry, FileSystem
from maixfs.finding import Finding
from maixfs.image.content import Content
from maixfs.image.entries import Written
from maixfs.image.errors import MissingError, TakenError, TargetError, UnsoundError
from maixfs.image.names import Parts, component, parse
from maixfs.image.volume import Entries, ImageEntry, Volume
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.fatplaces import FatPlace
    from maixfs.image.media import CardMedium
    from maixfs.image.names import Mount

LARGEST_FILE = 0xFFFFFFFF
"""Bytes of a file on FAT at most."""
_FOLDERS_GROW = 64
"""Clusters that folders may take beside the files: more than any path makes."""
_LONGEST_PATH = 1024
"""Parts of a path at most: a bound for what is looked up."""
_LARGEST_SHOWN = 3
_ALL_ATTRIBUTES = 0x3F


class FatRoom(NamedTuple):
    """Room in a FAT volume; what is free was counted in the FAT."""

    cluster_size: int
    """Bytes."""
    total_clusters: int
    free_clusters: int
    told_free: int | None
    """Free clusters as FSInfo stores them, which a board uses; ``None``: not stored."""
    files: int
    folders: int

    @property
    def used_clusters(self) -> int:
        """Clusters of files, of folders, and those that are lost."""
        return self.total_clusters - self.free_clusters

    @property
    def total(self) -> int:
        """Bytes of all clusters."""
        return self.total_clusters * self.cluster_size

    @property
    def used(self) -> int:
        """Bytes in clusters that are not free."""
        return self.used_clusters * self.cluster_size

    @property
    def deleted(self) -> int:
        """Nothing: clusters of removed files are free at once."""
        return 0

    @property
    def free(self) -> int:
        """Bytes that can be written."""
        return self.free_clusters * self.cluster_size

    def as_dict(self) -> dict[str, Any]:
        """Return it all by name, in clusters and in bytes."""
        sizes = {"total": self.total, "used": self.used, "deleted": 0, "free": self.free}
        return self._asdict() | {"used_clusters": self.used_clusters} | sizes


class _Need(NamedTuple):
    """What files take, in clusters; ``replaced`` is in the files that they replace."""

    needed: int
    free: int
    replaced: int


class FatVolume(Volume):
    """A mounted FAT volume.

    The first edit examines it: where clusters have two owners, or an owner and are marked free,
    an edit would free or overwrite clusters of other files. With ``force`` it goes ahead.
    """

    caseless = True

    def __init__(
        self,
        host: object,
        medium: CardMedium,
        place: FatPlace,
        mount: Mount,
        *,
        force: bool = False,
    ) -> None:
        super().__init__(host, medium, mount)
        self._is_sound = force
        self.medium: CardMedium = medium
        self.place = place
        self.geometry = self.core.geometry
        """What the boot sector says."""

    @property
    def format(self) -> str:
        """``FAT12``, ``FAT16`` or ``FAT32``."""
        return f"FAT{self.geometry.fat_type}"

    @property
    def core(self) -> FatCore:
        """The native side of the mounted file system."""
        fs = self.fs
        assert isinstance(fs, Fat)
        return fs.core

    @property
    def unit_size(self) -> int:
        """Bytes of a cluster."""
        return self.geometry.cluster_size

    def _mount(self) -> FileSystem[Any]:
        fs = Fat(self.medium.device, self.place.start, read_only=not self.writable)
        self.geometry = fs.geometry
        return fs

    # Names

    def _part(self, entry: Entry[Any]) -> str:
        return shown(entry.native.name)

    def _number(self, entry: Entry[Any]) -> int:
        native: FatEntry = entry.native
        return native.slot

    def identity(self, entry: Entry[Any]) -> object:
        """Return the first cluster of a folder."""
        return entry.native.cluster

    def _spellings(self, entry: Entry[Any]) -> tuple[str, ...]:
        return (upcase(entry.native.short_name),)

    def _spelling(self, part: str) -> str:
        try:
            return upcase(meant(part))
        except UsageError:
            return part

    def key_of(self, path: str) -> str:
        """Return the path without case."""
        return upcase("/".join(map(meant, path.split("/"))))

    def _units(self, entry: Entry[Any]) -> int:
        return -(-entry.size // self.unit_size)

    def modified(self, entry: ImageEntry) -> datetime | None:
        """Return the time of the last write, by the clock of who wrote it."""
        native: FatEntry = entry.native
        return to_datetime(native.write_date, native.write_time) if native.slot >= 0 else None

    def file_fault(self, entry: ImageEntry) -> str | None:
        """Return why a file cannot be read to its end, by a walk along its clusters."""
        if not entry.size:
            return None
        try:
            with self.fs.open(entry.inner, "rb", buffering=0) as stream:
                stream.seek(entry.size - 1)
                stream.read(1)
        except MaixfsError as error:
            return str(error)
        return None

    def _place(self, path: str, *, folder: bool = False, new_name: bool = False) -> Parts:
        """Return the parts below the mount point of a file or folder to be written.

        With ``new_name`` its name is as it was given, where there is one in another case, too.
        Raises ``UsageError`` for a path that none can have here.
        """
        steps = self.mount.absolute(path)
        if steps.page is not None or len(steps.parts) > _LONGEST_PATH:
            raise UsageError(f"{path}: not a name that FAT can hold")
        last = steps.parts[-1:]
        steps = self.canonical(steps)
        if new_name and steps.parts:
            steps = steps._replace(parts=steps.parts[:-1] + last)
        inside = self.mount.inside(path.rstrip("/") if folder else path, steps)
        known = self.get(steps.parts)
        if known is not None and not new_name:
            # Also a name that no new file could have.
            return inside
        try:
            return tuple(shown(make_name(meant(part)).long) for part in inside)
        except FatError as error:
            raise UsageError(f"{path}: {error}", hint=error.hint) from error

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets: names as FAT keeps them."""
        return self._label(self._place(path))

    def inner_path(self, path: str) -> str:
        """Return the path in the file system of a file that may be new."""
        return path_of(self._place(path))

    def _label(self, inside: Parts) -> str:
        return "/" + "/".join(self.mount.parts + inside)

    # Facts

    def room(self) -> FatRoom:
        """Return how much is taken and left, by a count of the FAT."""
        info = self.core.info()
        files = folders = 0
        for entry in self.below(self.mount.parts):
            folders += entry.is_dir
            files += not entry.is_dir
        return FatRoom(
            cluster_size=info.cluster_size,
            total_clusters=info.clusters,
            free_clusters=self.core.free_clusters(scan=True),
            told_free=info.free,
            files=files,
            folders=folders,
        )

    def facts(self, entry: ImageEntry) -> dict[str, Any]:
        """Return what goes beyond a listing; times are those of the clock that wrote them."""
        native: FatEntry = entry.native
        attributes = Attribute(native.attributes & _ALL_ATTRIBUTES)
        created = accessed = None
        if native.slot >= 0:
            created = to_datetime(native.create_date, native.create_time)
            accessed = to_datetime(native.access_date, 0)
        return {
            "on_card": entry.on_medium,
            "cluster_size": self.unit_size,
            "first_cluster": native.cluster or None,
            "attribute_names": [str(one.name).lower().replace("_", "-") for one in attributes],
            "created": created and created.isoformat(),
            "accessed": accessed and accessed.date().isoformat(),
        }

    def findings(self) -> list[Finding]:
        """Return what is worth knowing of the place where the volume lies."""
        return [*self.place.findings]

    # Changing

    @contextmanager
    def _whole(
        self, path: str, sizes: Mapping[str, int], *, force: bool = False
    ) -> Iterator[None]:
        """Undo what was begun where the body is left by an exception; raise it as an image's."""
        _ = self.medium.overlay
        if not force:
            self.refuse_hazards(path)
        try:
            with self.medium.whole():
                self._doubt_count(sizes)
                yield
        except FullError as error:
            if isinstance(error, FitError):
                raise
            raise self._no_fit(sizes or {path: 0}) from error
        except FatError as error:
            raise _as_target_error(path, error) from error

    def refuse_hazards(self, path: str) -> None:
        """Raise ``UnsoundError`` where an edit could destroy files that it does not touch."""
        if self._is_sound:
            return
        from maixfs.fat.check import edit_hazards

        # The check reads the sectors below the mount: what the driver holds in RAM has to be
        # there.
        self.medium.sync()
        found = edit_hazards(self.medium.device, self.place.start)
        if found:
            raise UnsoundError(
                f"{path}: the volume is damaged, nothing is written: {found[0].what}",
                found,
                fix=(Command("unpack", (str(self.host), "DIR")),),
            )
        self._is_sound = True

    def _doubt_count(self, sizes: Mapping[str, int]) -> None:
        """Count the free clusters where FSInfo has too few for what is to be written.

        The driver uses FSInfo, as FatFs does; on a card that another system left with a
        wrong count it would say that the card is full.
        """
        free = self.core.info().free
        needed = sum(-(-size // self.unit_size) for size in sizes.values()) + _FOLDERS_GROW
        # Only then: counting reads the whole FAT, which takes seconds on a large card.
        if free is not None and free < needed:
            self.core.free_clusters(scan=True)

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there, making the folders above it; its time is that of the content."""
        if meta is not None:
            raise UsageError(f"{path}: files on FAT have no meta data")
        _ = self.medium.overlay
        inside = self._place(path)
        parts = self.mount.parts + inside
        label = self._label(inside)
        known = self.get(parts)
        if known is not None and not known.is_dir and self._holds(self.entry(parts), content):
            return Written(label, content.size, content.sha256(), False)
        self._refuse_odd(parts, label, content)
        digest = hashlib.sha256()
        with self._whole(label, {label: content.size}):
            self._make_folders(inside[:-1])
            # A file that is there is opened by its entry: on damaged volumes its name may be one
            # that no path can have.
            with self.fs.open(known or path_of(inside), "wb", buffering=0) as stream:
                for piece in content.pieces():
                    digest.update(piece)
                    if stream.write(piece) < len(piece):
                        # Outside of ``_whole`` the clusters that this file took are free again.
                        raise FullError(f"{label} does not fit", errno=errno.ENOSPC)
            entry = self.fs.stat(path_of(inside)) if known is None else known
            if content.modified is not None:
                self.core.set_times(path_of(inside), modified=from_datetime(content.modified))
            # Read again: writing changed its size, first cluster and time.
            entry = self._current(entry)
        self._put(parts, entry)
        return Written(label, content.size, digest.hexdigest(), True)

    def _current(self, entry: Entry[Any]) -> Entry[Any]:
        native = self.core.entry_at(entry.native.folder, entry.native.slot)
        return Entry(entry.path, native.is_dir, native.size, None, native)

    def _put(self, parts: Parts, entry: Entry[Any]) -> None:
        """Note that a file was written, without reading its folder again."""
        folder = self._folders.get(parts[:-1])
        if folder is not None:
            known = folder.get(parts[-1])
            if known is None:
                self._enter(folder, entry)
            else:
                folder.files[parts[-1]] = entry

    def _holds(self, entry: ImageEntry, content: Content) -> bool:
        """Return whether the very same is there already."""
        there = Content(entry.size, lambda: self.open(entry))
        try:
            return there.same(content)
        except MaixfsError:
            return False

    def _refuse_odd(self, parts: Parts, label: str, content: Content) -> None:
        """Raise where a file cannot be written whatever room there is."""
        if content.size > LARGEST_FILE:
            raise too_large(label, content.size)
        known = self.get(parts)
        if known is not None and known.is_dir:
            raise TakenError(f"{label} is a folder", hint="give the copy another name")
        if known is not None and known.native.attributes & Attribute.READ_ONLY:
            raise TargetError(
                f"{label} is read-only", fix=(Command("rm", ("-f", f"{self.host}:{label}")),)
            )
        for depth in range(len(self.mount.parts) + 1, len(parts)):
            if self.has_file(parts[:depth]):
                raise TargetError(f"/{'/'.join(parts[:depth])} is a file, not a folder")

    def _make_folders(self, inside: Parts) -> None:
        """Make the folders of a path that are not there."""
        for depth in range(1, len(inside) + 1):
            parts = self.mount.parts + inside[:depth]
            if not self.has_folder(parts):
                self.fs.mkdir(path_of(inside[:depth]))
                self._put_folder(parts, inside[:depth])

    def _put_folder(self, parts: Parts, inside: Parts) -> None:
        folder = self._folders.get(parts[:-1])
        if folder is not None:
            entry = self.fs.stat(path_of(inside))
            self._enter(folder, entry)

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files, and folders with all in them; ``force`` those that are read-only, too."""
        self._refuse_root(entries, "removed")
        for entry in entries:
            if entry.native.attributes & Attribute.READ_ONLY and not force:
                raise TargetError(
                    f"{entry.path} is read-only",
                    fix=(Command("rm", ("-f", f"{self.host}:{entry.path}")),),
                )
        tops = _tops(entries)
        with self._whole(tops[0].path if tops else "/", {}, force=force):
            for entry in tops:
                if entry.is_dir:
                    self._remove_tree(entry)
                else:
                    self._remove_file(entry)
                self.forget(entry.parts[:-1])

    def _remove_tree(self, top: ImageEntry) -> None:
        # Backwards, so that every folder is empty when its turn comes.
        for entry in [top, *self.below(top.parts)][::-1]:
            if entry.is_dir:
                self._unprotect(entry)
                self.fs.rmdir(entry.inner)
            else:
                self._remove_file(entry)

    def _remove_file(self, entry: ImageEntry) -> None:
        self._unprotect(entry)
        self.fs.remove(entry.inner)

    def _unprotect(self, entry: ImageEntry) -> None:
        if entry.native.attributes & Attribute.READ_ONLY:
            # FatFs refuses to remove a read-only entry (DENIED), so the attribute is cleared
            # first.
            inside = entry.parts[len(self.mount.parts) :]
            self.core.set_attributes(path_of(inside), 0, Attribute.READ_ONLY)

    def rename(self, moves: Sequence[tuple[ImageEntry, str]], *, replace: bool) -> None:
        """Give files and folders other paths, making the folders above those: all or none."""
        self._refuse_root([entry for entry, _ in moves], "moved")
        places = [
            (entry, self._place(new, folder=entry.is_dir, new_name=True)) for entry, new in moves
        ]
        self._refuse_clashes(places, replace=replace)
        with self._whole(moves[0][0].path if moves else "/", {}):
            for entry, inside in places:
                self._move(entry, inside)

    def _move(self, entry: ImageEntry, inside: Parts) -> None:
        parts = self.mount.parts + inside
        if parts == entry.parts:
            return
        there = self.canonical_parts(parts)
        known = self.get(there)
        if known is not None and not self._same(known, entry.inner):
            # FatFs never replaces (EXIST), so the old file goes first; if the rename fails then,
            # ``_whole`` brings it back.
            self._remove_file(self.entry(there))
        self._make_folders(inside[:-1])
        self.fs.rename(entry.inner, path_of(inside))
        # All of it: a folder that moved changes the paths of everything in it.
        self.forget(self.mount.parts)

    @staticmethod
    def _same(one: Entry[Any], other: Entry[Any]) -> bool:
        return bool(one.native[-2:] == other.native[-2:])

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Make a folder."""
        _ = self.medium.overlay
        inside = self._place(path, folder=True)
        parts = self.mount.parts + inside
        label = self._label(inside)
        if self.get(parts) is not None:
            if parents and self.has_folder(parts):
                return False
            raise TakenError(f"{label} exists already")
        if not parents and not self.has_folder(parts[:-1]):
            raise MissingError(
                f"/{'/'.join(parts[:-1])}: no such folder",
                fix=(Command("mkdir", ("-p", f"{self.host}:{label}")),),
            )
        with self._whole(label, {label: 0}):
            self._make_folders(inside)
        return True

    def gc(self) -> int:
        """Do nothing: clusters of removed files are free at once."""
        return 0

    def _refuse_root(self, entries: Entries, what: str) -> None:
        """Raise where the volume itself is named."""
        for entry in entries:
            if entry.path in ("/", self.mount.point):
                raise UsageError(
                    f"{entry.path} is the whole volume and cannot be {what}",
                    hint=f"{self.mount.point.rstrip('/')}/* is all that is in it",
                )

    def _refuse_clashes(
        self, places: Sequence[tuple[ImageEntry, Parts]], *, replace: bool
    ) -> None:
        """Raise for moves onto what is there, onto each other, or of a folder into itself."""
        taken: set[str] = set()
        for entry, inside in places:
            parts = self.mount.parts + inside
            key = upcase("/".join(map(meant, parts)))
            label = "/" + "/".join(parts)
            if entry.is_dir and parts[: len(entry.parts)] == entry.parts and parts != entry.parts:
                raise UsageError(f"{entry.path} cannot be moved into itself")
            if key in taken:
                raise UsageError(
                    "a file would be moved twice, or two to one path", hint="move them one by one"
                )
            taken.add(key)
            known = self.get(self.canonical_parts(parts))
            if known is None or self._same(known, entry.inner):
                continue
            if known.is_dir or entry.is_dir:
                raise TakenError(f"{label} is a folder" if known.is_dir else f"{label} is a file")
            if not replace:
                raise TakenError(
                    f"{label} exists already",
                    fix=(
                        Command("mv", ("-f", f"{self.host}:{entry.path}", f"{self.host}:{label}")),
                    ),
                )

    # Does it fit?

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        for path, size in sizes.items():
            if size > LARGEST_FILE:
                raise too_large(path, size)
        need = self._need(sizes)
        if need.needed > need.free + need.replaced:
            raise self._no_fit(sizes)

    def _need(self, sizes: Mapping[str, int]) -> _Need:
        needed = sum(-(-size // self.unit_size) for size in sizes.values())
        replaced = 0
        for path in sizes:
            known = self.get(self.mount.parts + self._place(path))
            if known is not None and not known.is_dir:
                replaced += self._units(known)
        free = self.core.info().free
        if free is None or needed > free + replaced:  # FSInfo may be wrong: count before refusing
            free = self.core.free_clusters(scan=True)
        return _Need(needed, free, replaced)

    def _no_fit(self, sizes: Mapping[str, int]) -> FitError:
        """Return the error that says how many clusters are needed, and how many there are."""
        need = self._need(sizes)
        if len(sizes) == 1:
            text = f"{next(iter(sizes))} does not fit: needs"
        else:
            text = f"{len(sizes)} files do not fit: they need"
        text += f" {need.needed} {'cluster' if need.needed == 1 else 'clusters'}"
        text += f" of {self.unit_size} bytes, {need.free} {'is' if need.free == 1 else 'are'} free"
        text += f", {need.replaced} more in what is replaced" if need.replaced else ""
        files = sorted(self.files(), key=lambda entry: (-entry.units, entry.path))
        names = ", ".join(f"{entry.path} ({entry.units})" for entry in files[:_LARGEST_SHOWN])
        largest = f"the largest files, in clusters: {names}" if names else "take a larger card"
        lacking = max(1, need.needed - need.free - need.replaced)
        hint = f"{lacking} too many; {largest}"
        return FitError(text, needed=need.needed, free=need.free, deleted=0, hint=hint)


def _tops(entries: Entries) -> Entries:
    """Return the entries that lie in no folder that goes as well."""
    folders = {entry.parts for entry in entries if entry.is_dir}
    return [
        entry
        for entry in entries
        if not any(entry.parts[:depth] in folders for depth in range(1, len(entry.parts)))
    ]


def too_large(path: str, size: int) -> FitError:
    """Return the error for a file that FAT cannot hold at all."""
    return FitError(
        f"{path} has {size} bytes, a file on FAT at most {LARGEST_FILE}",
        needed=size,
        free=LARGEST_FILE,
        deleted=0,
        hint="split it",
    )


def _as_target_error(path: str, error: FatError) -> TargetError:
    """Return the error of the driver as one of the image."""
    if error.result in (FResult.NO_FILE, FResult.NO_PATH):
        return MissingError(f"{path}: {error}", hint=error.hint)
    hint = error.hint or "examine the card for damage"
    return TargetError(f"{path}: {error}", hint=hint)


# Names and times


def shown(name: str) -> str:
    r"""Return a FAT name as a part of a path.

    A name is Unicode. What does not print, and halves of surrogate pairs that stand alone, is
    shown as the bytes of its UTF-8, ``\xNN`` each, as everywhere in images; so is a slash, which
    only a damaged name has.
    """
    if name.isprintable() and not set(name) & {"/", "\\"} and name not in (".", ".."):
        return name
    return component(name.encode("utf-8", "surrogatepass"))


def meant(part: str) -> str:
    """Return the FAT name that a part of a path means; raises ``UsageError`` for no text."""
    if "\\" not in part:
        return part
    try:
        return parse(part).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UsageError(
            f"{part}: a name on a card is text, and these bytes are no UTF-8",
            hint="give the copy another name",
        ) from None


def path_of(parts: Parts) -> str:
    """Return the path of parts as the driver takes it."""
    return "/" + "/".join(map(meant, parts))


def to_datetime(date: int, time: int) -> datetime | None:
    """Return a date and a time word as a time; ``None`` for an invalid one, such as all zeros."""
    try:
        return datetime(*unpack_time(date, time))
    except ValueError:
        return None


def from_datetime(moment: datetime) -> tuple[int, int]:
    """Return a time as a date and a time word; what FAT cannot say is held at its ends."""
    year, month, day, hour, minute, second, *_ = moment.timetuple()
    return pack_time(year, month, day, hour, minute, second)
