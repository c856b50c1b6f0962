"""A FAT volume in a target, changed in memory until it is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maixfs.errors import FitError, FullError, UsageError
from maixfs.fat import FatCore, FatError, OpenFlag
from maixfs.fat.codepage import upcase
from maixfs.fat.errors import FResult
from maixfs.fat.ondisk import Attribute
from maixfs.image.content import Content
from maixfs.image.entries import Entries, Entry, Progress, Written
from maixfs.image.errors import MissingError, TakenError, TargetError, UnsoundError
from maixfs.image.fat.catalog import FatCatalog
from maixfs.image.fat.fitting import LARGEST_FILE, Need, fit_error, too_large
from maixfs.image.fat.names import from_datetime, meant, path_of
from maixfs.image.fat.volume import FatView
from maixfs.image.names import Parts
from maixfs.sd.overlay import Overlay

if TYPE_CHECKING:
    from pathlib import Path

    from maixfs.image.fat.medium import CardMedium
    from maixfs.image.fat.partition import Partition
    from maixfs.image.paths import Mount

_NEW = OpenFlag.WRITE | OpenFlag.CREATE_ALWAYS
_FOLDERS_GROW = 64
"""Clusters that folders may take beside the files: more than any path makes."""


class FatVolume(FatView):
    """The volume of a card's partition, or of a whole card.

    The first edit examines it: where clusters have two owners, or an owner and are marked free,
    an edit would free or overwrite clusters of other files. With ``force`` it goes ahead.
    """

    def __init__(
        self,
        host: Path,
        medium: CardMedium,
        partition: Partition,
        mount: Mount,
        *,
        force: bool = False,
    ) -> None:
        super().__init__(host, medium, partition, mount)
        self._is_sound = force

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there, making the folders above it; its time is that of the content."""
        if meta is not None:
            raise UsageError(f"{path}: files on FAT have no meta data")
        inside = self._place(path)
        parts = self.mount.parts + inside
        label = "/" + "/".join(parts)
        if self._holds(parts, content):
            return Written(label, content.size, content.sha256(), False)
        self._refuse_odd(parts, label, content)
        digest = hashlib.sha256()
        with self._whole(label, {label: content.size}):
            self._make_folders(inside[:-1])
            with self.fat.open(path_of(inside), _NEW) as file:
                for piece in content.pieces():
                    digest.update(piece)
                    if file.write(piece) < len(piece):
                        raise self._no_fit({label: content.size})
            if content.modified is not None:
                self.fat.set_times(path_of(inside), modified=from_datetime(content.modified))
            self.catalog.put(parts, self.fat.stat(path_of(inside)))
        return Written(label, content.size, digest.hexdigest(), True)

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files, and folders with all in them; ``force`` those that are read-only, too."""
        self._refuse_root(entries, "removed")
        tops = self._tops(entries)
        for entry in entries:
            if entry.attributes & Attribute.READ_ONLY and not force:
                raise TargetError(f"{entry.path} is read-only", hint="rm -f removes it")
        with self._whole(tops[0].path if tops else "/", {}, force=force):
            for entry in tops:
                path = self._path(entry.parts)
                if entry.is_dir:
                    self.fat.remove_tree(path)
                else:
                    self._unprotect(entry)
                    self.fat.remove(path)
                self.catalog.forget(self.catalog.canonical(entry.parts[:-1]))

    def rename(self, moves: Sequence[tuple[Entry, str]], *, replace: bool) -> None:
        """Give files and folders other paths, making the folders above those: all or none."""
        self._refuse_root([entry for entry, _ in moves], "moved")
        places = [
            (entry, self._place(new, folder=entry.is_dir, new_name=True)) for entry, new in moves
        ]
        self._refuse_clashes(places, replace=replace)
        with self._whole(moves[0][0].path if moves else "/", {}):
            for entry, inside in places:
                self._move(entry, inside)

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Make a folder."""
        inside = self._place(path, folder=True)
        parts = self.mount.parts + inside
        label = "/" + "/".join(parts)
        if self.catalog.look_up(parts) is not None:
            if parents and self.catalog.has_folder(parts):
                return False
            raise TakenError(f"{label} exists already")
        if not parents and not self.catalog.has_folder(parts[:-1]):
            raise MissingError(
                f"/{'/'.join(parts[:-1])}: no such folder", hint="-p makes the folders above, too"
            )
        with self._whole(label, {label: 0}):
            self._make_folders(inside)
        return True

    def gc(self) -> int:
        """Do nothing: clusters of removed files are free at once."""
        return 0

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""
        for path, size in sizes.items():
            if size > LARGEST_FILE:
                raise too_large(path, size)
        need = self._need(sizes)
        if not need.fits:
            raise fit_error(need, sizes, self.fat.geometry.cluster_size, self.catalog)

    def save(self, progress: Progress | None) -> Written | None:
        """Put what changed into the card: all of it or nothing; ``None`` where nothing did."""
        if not self.writable:
            return None
        self.fat.sync()
        return self.medium.save(progress)

    @contextmanager
    def _whole(
        self, path: str, sizes: Mapping[str, int], *, force: bool = False
    ) -> Iterator[None]:
        """Undo the edit where the body raises; raise driver errors as errors of a target."""
        overlay = self._overlay()
        self._doubt_count(sizes)
        start = overlay.savepoint()
        try:
            if not force:
                self._refuse_hazards(path)
            yield
            self.fat.sync()
            changed = overlay.changed_since(start)
        except BaseException as error:
            self.fat.abandon()
            overlay.rollback(start)
            self._remount()
            if isinstance(error, FullError) and not isinstance(error, FitError):
                raise self._no_fit(sizes or {path: 0}) from error
            if isinstance(error, FatError):
                raise _told(path, error) from error
            raise
        if changed:
            overlay.release(start)
        else:
            overlay.rollback(start)

    def _refuse_hazards(self, path: str) -> None:
        """Raise ``UnsoundError`` where an edit could destroy files that it does not touch."""
        if self._is_sound:
            return
        from maixfs.fat.check import edit_hazards

        found = edit_hazards(self.medium.device, self.partition.start)
        if found:
            raise UnsoundError(
                f"{path}: the volume is damaged, nothing is written: {found[0].what}", found
            )
        self._is_sound = True

    def _doubt_count(self, sizes: Mapping[str, int]) -> None:
        """Count the free clusters where FSInfo has too few for what is to be written.

        The driver believes FSInfo, as FatFs does; on a card that another system left with a
        wrong count it would say that the card is full.
        """
        free = self.fat.info().free
        cluster = self.fat.geometry.cluster_size
        needed = sum(-(-size // cluster) for size in sizes.values()) + _FOLDERS_GROW
        if free is not None and free < needed:
            self.fat.free_clusters(scan=True)

    def _remount(self) -> None:
        self.fat: FatCore = self._mounted()
        self.catalog = FatCatalog(self.fat, self.mount.parts)

    def _overlay(self) -> Overlay:
        if not self.writable:
            raise UsageError(f"{self.host} is open for reading only", hint="open it writable")
        return self.medium.overlay

    def _make_folders(self, inside: Parts) -> None:
        """Make the folders of a path that are not there."""
        for depth in range(1, len(inside) + 1):
            parts = self.mount.parts + inside[:depth]
            if not self.catalog.has_folder(parts):
                self.fat.mkdir(path_of(inside[:depth]))
                self.catalog.forget(parts[:-1])

    def _move(self, entry: Entry, inside: Parts) -> None:
        parts = self.mount.parts + inside
        if parts == entry.parts:
            return
        known = self.catalog.look_up(parts)
        source = self.catalog.look_up(entry.parts)
        if known is not None and known != source:
            self._unprotect(self.catalog.file(parts))
            self.fat.remove(path_of(inside))
        self._make_folders(inside[:-1])
        self.fat.rename(self._path(entry.parts), path_of(inside))
        self.catalog.forget(self.mount.parts)

    def _refuse_root(self, entries: Entries, what: str) -> None:
        """Raise where the volume itself is named."""
        for entry in entries:
            if entry.path in ("/", self.mount.point):
                raise UsageError(
                    f"{entry.path} is the whole volume and cannot be {what}",
                    hint=f"{self.mount.point.rstrip('/')}/* is all that is in it",
                )

    def _refuse_clashes(self, places: Sequence[tuple[Entry, Parts]], *, replace: bool) -> None:
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
            known = self.catalog.look_up(parts)
            if known is None or known == self.catalog.look_up(entry.parts):
                continue
            if known.is_dir or entry.is_dir:
                raise TakenError(f"{label} is a folder" if known.is_dir else f"{label} is a file")
            if not replace:
                raise TakenError(f"{label} exists already", hint="-f replaces it")

    def _refuse_odd(self, parts: Parts, label: str, content: Content) -> None:
        """Raise where a file cannot be written whatever room there is."""
        if content.size > LARGEST_FILE:
            raise too_large(label, content.size)
        known = self.catalog.look_up(parts)
        if known is not None and known.is_dir:
            raise TakenError(f"{label} is a folder", hint="give the copy another name")
        if known is not None and known.attributes & Attribute.READ_ONLY:
            raise TargetError(f"{label} is read-only", hint="remove it first: maixfs rm -f")
        for depth in range(len(self.mount.parts) + 1, len(parts)):
            if self.catalog.has_file(parts[:depth]):
                raise TargetError(f"/{'/'.join(parts[:depth])} is a file, not a folder")

    def _holds(self, parts: Parts, content: Content) -> bool:
        """Tell whether the very same is there already."""
        if not self.catalog.has_file(parts):
            return False
        entry = self.catalog.file(parts)
        there = Content(entry.size, lambda: self.open(entry))
        try:
            return there.same(content)
        except TargetError:
            return False

    def _unprotect(self, entry: Entry) -> None:
        if entry.attributes & Attribute.READ_ONLY:
            self.fat.set_attributes(self._path(entry.parts), 0, Attribute.READ_ONLY)

    def _tops(self, entries: Entries) -> Entries:
        """Return the entries that lie in no folder that goes as well."""
        folders = {entry.parts for entry in entries if entry.is_dir}
        return [
            entry
            for entry in entries
            if not any(entry.parts[:depth] in folders for depth in range(1, len(entry.parts)))
        ]

    def _need(self, sizes: Mapping[str, int]) -> Need:
        cluster = self.fat.geometry.cluster_size
        needed = sum(-(-size // cluster) for size in sizes.values())
        replaced = 0
        for path in sizes:
            parts = self.mount.parts + self._place(path)
            if self.catalog.has_file(parts):
                replaced += self.catalog.file(parts).units
        free = self.fat.info().free
        if free is None or needed > free + replaced:  # FSInfo is not believed when it refuses
            free = self.fat.free_clusters(scan=True)
        return Need(needed, free, replaced)

    def _no_fit(self, sizes: Mapping[str, int]) -> FitError:
        return fit_error(self._need(sizes), sizes, self.fat.geometry.cluster_size, self.catalog)


def _told(path: str, error: FatError) -> TargetError:
    """Return what the driver says as an error of the target."""
    if error.result in (FResult.NO_FILE, FResult.NO_PATH):
        return MissingError(f"{path}: {error}", hint=error.hint)
    hint = error.hint or "maixfs sd doctor looks for damage"
    return TargetError(f"{path}: {error}", hint=hint)
