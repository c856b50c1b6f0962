"""The files and folders of a FAT volume, each folder read when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maixfs.errors import MaixfsError
from maixfs.fat import FatCore
from maixfs.fat.codepage import upcase
from maixfs.fat.entries import FatEntry
from maixfs.image.catalog import select
from maixfs.image.entries import Entry
from maixfs.image.fat.names import meant, path_of, shown, to_datetime
from maixfs.image.names import Parts

_MAGIC = frozenset("*?[")


class Named(NamedTuple):
    """An entry, and its name as a path shows it."""

    part: str
    entry: FatEntry


class Folder:
    """What lies in one folder, by name without case; short names lead to the same."""

    def __init__(self) -> None:
        self.names: dict[str, Named] = {}
        self.fault: str | None = None
        """Why not all of it could be read."""
        self._aliases: dict[str, str] = {}
        self._parts: dict[str, Named] = {}

    def add(self, entry: FatEntry) -> None:
        """Put an entry in; of several with one name the first counts, as for a board."""
        key = upcase(entry.name)
        named = self.names.setdefault(key, Named(shown(entry.name), entry))
        self._parts[named.part] = named
        self._aliases.setdefault(entry.short_name.upper(), key)

    def replace(self, entry: FatEntry) -> None:
        """Put in what is there now under a name."""
        self.names.pop(upcase(entry.name), None)
        self.add(entry)

    def get(self, part: str) -> Named | None:
        """Return what has a name, long or short, in whatever case."""
        exact = self._parts.get(part)
        if exact is not None:
            return exact
        key = upcase(meant(part))
        return self.names.get(key) or self.names.get(self._aliases.get(key, ""))


class FatCatalog:
    """What a volume holds; paths start at ``mount``, names are found in any case."""

    def __init__(self, fat: FatCore, mount: Parts) -> None:
        self._fat = fat
        self.mount = mount
        self._folders: dict[Parts, Folder] = {}

    def canonical(self, parts: Parts) -> Parts:
        """Return a path in the case that the volume has, as far as it goes there."""
        above = self._folders.get(parts[:-1])  # its path is as the volume has it
        if above is not None and len(parts) > len(self.mount):
            named = above.get(parts[-1])
            return parts if named is None else (*parts[:-1], named.part)
        if parts[: len(self.mount)] != self.mount:
            return parts
        known: Parts = self.mount
        rest = parts[len(self.mount) :]
        for at, part in enumerate(rest):
            found = self._folder(known).get(part)
            if found is None:
                return known + rest[at:]
            known = (*known, found.part)
            if not found.entry.is_dir:
                return known + rest[at + 1 :]
        return known

    def look_up(self, parts: Parts) -> FatEntry | None:
        """Return the entry of a path, ``None`` where there is none; the root has none."""
        depth = len(self.mount)
        if parts[:depth] != self.mount or len(parts) <= depth:
            return None
        above = self._folders.get(parts[:-1])
        if above is not None:
            named = above.get(parts[-1])
            return named.entry if named else None
        known = self.canonical(parts)
        if len(known) > depth + 1 and not self.has_folder(known[:-1]):
            return None
        found = self._folder(known[:-1]).get(known[-1])
        return found.entry if found else None

    def has_file(self, parts: Parts) -> bool:
        """Tell whether there is a file of that path."""
        entry = self.look_up(parts)
        return entry is not None and not entry.is_dir

    def has_folder(self, parts: Parts) -> bool:
        """Tell whether there is a folder of that path."""
        depth = len(self.mount)
        if len(parts) <= depth or parts[:depth] != self.mount:
            return parts == self.mount[: len(parts)]
        if parts in self._folders:
            return True
        known: Parts = self.mount
        for part in parts[depth:]:
            found = self._folder(known).get(part)
            if found is None or not found.entry.is_dir:
                return False
            known = (*known, found.part)
        return True

    def file(self, parts: Parts) -> Entry:
        """Return the file of that path, which is there."""
        known = self.canonical(parts)
        entry = self.look_up(known)
        assert entry is not None
        return self._entry(known, entry)

    def folder(self, parts: Parts) -> Entry:
        """Return the folder of that path, which is there, with the sum of what is in it."""
        known = self.canonical(parts)
        return self._folder_entry(known, *self._sum(known if len(known) else self.mount))

    def children(self, parts: Parts) -> Iterator[Entry]:
        """Yield what lies in a folder, by name; of folders the sums are told."""
        if len(parts) < len(self.mount):
            yield self.folder(self.mount)
            return
        known = self.canonical(parts)
        for part, entry in self._sorted(known):
            at = (*known, part)
            yield self.folder(at) if entry.is_dir else self._entry(at, entry)

    def below(self, parts: Parts) -> Iterator[Entry]:
        """Yield everything under a folder, each folder before what lies in it.

        A folder that was gone through already (of a damaged volume) is not gone into again.
        """
        if len(parts) < len(self.mount):
            yield self._folder_entry(self.mount, *self._sum(self.mount))
            parts = self.mount
        seen: set[int] = set()
        yield from self._walk(self.canonical(parts), seen)

    def _walk(self, top: Parts, seen: set[int]) -> Iterator[Entry]:
        waiting = [iter(self._sorted(top))]
        way = [top]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
                way.pop()
                continue
            at = (*way[-1], found.part)
            if not found.entry.is_dir:
                yield self._entry(at, found.entry)
                continue
            yield self._folder_entry(at, *self._sum(at))
            if found.entry.cluster not in seen:
                seen.add(found.entry.cluster)
                waiting.append(iter(self._sorted(at)))
                way.append(at)

    def matching(self, pattern: Parts) -> Iterator[Entry]:
        """Yield the files and folders that a pattern means; ``**`` is any number of folders.

        What stands before the first pattern is looked up, not searched.
        """
        plain = 0
        while plain < len(pattern) and not _MAGIC & set(pattern[plain]):
            plain += 1
        start = self.canonical(pattern[: min(plain, len(pattern) - 1)])
        if not self.has_folder(start):
            return iter(())
        return select(self.below(start), start + pattern[len(start) :], caseless=True)

    def likeness(self, parts: Parts) -> Iterator[Parts]:
        """Yield what lies in the deepest folder of a path that is there."""
        known = self.canonical(parts[:-1])
        while not self.has_folder(known):
            known = known[:-1]
        for part, _ in self._sorted(known):
            yield (*known, part)

    def count(self) -> tuple[int, int]:
        """Return how many files and folders there are."""
        files = folders = 0
        for entry in self.below(self.mount):
            folders += entry.is_dir
            files += not entry.is_dir
        return files, folders

    def forget(self, parts: Parts) -> None:
        """Forget a folder and what is under it: it changed."""
        depth = len(parts)
        for known in [at for at in self._folders if at[:depth] == parts]:
            del self._folders[known]

    def put(self, parts: Parts, entry: FatEntry) -> None:
        """Note that a file was written, without reading its folder again."""
        folder = self._folders.get(parts[:-1])
        if folder is not None:
            folder.replace(entry)

    def _folder(self, known: Parts) -> Folder:
        folder = self._folders.get(known)
        if folder is None:
            folder = self._folders[known] = Folder()
            try:
                for entry in self._fat.scandir(path_of(known[len(self.mount) :])):
                    folder.add(entry)
            except MaixfsError as error:
                folder.fault = str(error)
        return folder

    def _sorted(self, known: Parts) -> list[Named]:
        return sorted(self._folder(known).names.values(), key=lambda named: named.part)

    def _sum(self, known: Parts) -> tuple[int, int]:
        """Return bytes and clusters of all files under a folder."""
        size = units = 0
        cluster = self._fat.geometry.cluster_size
        seen: set[int] = set()
        waiting = [known]
        while waiting:
            at = waiting.pop()
            for part, entry in self._folder(at).names.values():
                if not entry.is_dir:
                    size += entry.size
                    units += -(-entry.size // cluster)
                elif entry.cluster not in seen:
                    seen.add(entry.cluster)
                    waiting.append((*at, part))
        return size, units

    def _entry(self, parts: Parts, entry: FatEntry) -> Entry:
        cluster = self._fat.geometry.cluster_size
        units = -(-entry.size // cluster)
        return Entry(
            path="/" + "/".join(parts),
            name=parts[-1],
            is_dir=False,
            size=entry.size,
            units=units,
            on_medium=units * cluster,
            modified=to_datetime(entry.write_date, entry.write_time),
            attributes=entry.attributes,
            short_name=entry.short_name,
            cluster=entry.cluster,
        )

    def _folder_entry(self, parts: Parts, size: int, units: int) -> Entry:
        known = self.look_up(parts)
        path = "/" + "/".join(parts)
        cluster = self._fat.geometry.cluster_size
        entry = Entry(path, parts[-1] if parts else "/", True, size, units, units * cluster)
        fault = self._folder(parts).fault if len(parts) >= len(self.mount) else None
        if known is None:
            return entry._replace(fault=fault)
        return entry._replace(
            fault=fault,
            modified=to_datetime(known.write_date, known.write_time),
            attributes=known.attributes,
            short_name=known.short_name,
            cluster=known.cluster,
        )
