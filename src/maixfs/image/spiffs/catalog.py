"""All files of a mounted file system by path, with the folders that their names make."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.image.catalog import select
from maixfs.image.entries import Entry
from maixfs.image.names import Parts, parts_of
from maixfs.spiffs import SpiffsCore
from maixfs.spiffs.check import read_fault
from maixfs.spiffs.pack import file_pages
from maixfs.spiffs.state import DirEntry


class SpiffsCatalog:
    """What a file system held when it was asked; paths start at ``mount`` (``()``: the root).

    Entries are in the order of their paths.
    """

    def __init__(self, fs: SpiffsCore, mount: Parts) -> None:
        self._fs = fs
        self.mount = mount
        self._pages: dict[Parts, int] = {}
        found: dict[Parts, DirEntry] = {}
        for item in fs.scandir():
            parts = mount + parts_of(item.raw_name)
            if parts in found:  # two headers of one name: the first is what a board finds
                parts = (*parts[:-1], f"{parts[-1]}\\p{item.page}")
            found[parts] = item
        self._found = dict(sorted(found.items()))
        self._folders = _sum_up(self._found, fs, mount)
        self._entries: dict[Parts, Entry] = {}

    def __len__(self) -> int:
        return len(self._found)

    def has_file(self, parts: Parts) -> bool:
        """Tell whether there is a file of that path."""
        return parts in self._found

    def has_folder(self, parts: Parts) -> bool:
        """Tell whether some name goes through that path; the roots are always there."""
        return parts in self._folders

    def file(self, parts: Parts) -> Entry:
        """Return the file of that path, which is there; its pages are looked at."""
        known = self._entries.get(parts)
        if known is None:
            known = self._entries[parts] = self._entry(parts, self._found[parts])
        return known

    def folder(self, parts: Parts) -> Entry:
        """Return the folder of that path, which is there."""
        size, pages = self._folders[parts]
        name = parts[-1] if parts else "/"
        on_flash = pages * self._fs.geometry.page_size
        return Entry("/" + "/".join(parts), name, True, size, pages, on_flash)

    def find_page(self, page: int) -> Entry | None:
        """Return the file whose header lies at ``page``."""
        for parts, item in self._found.items():
            if item.page == page:
                return self.file(parts)
        return None

    def children(self, parts: Parts) -> Iterator[Entry]:
        """Yield what lies in a folder, by name; a name may be a file's and a folder's."""
        depth = len(parts)
        inside = {at for at in self._folders if len(at) == depth + 1 and at[:depth] == parts}
        files = {at for at in self._found if len(at) == depth + 1 and at[:depth] == parts}
        for at in sorted(inside | files):
            if at in inside:
                yield self.folder(at)
            if at in files:
                yield self.file(at)

    def below(self, parts: Parts) -> Iterator[Entry]:
        """Yield everything under a folder, each folder before what lies in it."""
        depth = len(parts)
        for at in sorted({*self._folders, *self._found}):
            if len(at) > depth and at[:depth] == parts:
                if at in self._folders:
                    yield self.folder(at)
                if at in self._found:
                    yield self.file(at)

    def likeness(self, parts: Parts) -> Iterator[Parts]:
        """Yield the paths of all files, without a look at their pages."""
        del parts  # any may be meant: folders are but names
        return iter(self._found)

    def files(self) -> Iterator[Entry]:
        """Yield all files."""
        return map(self.file, self._found)

    def matching(self, pattern: Parts) -> Iterator[Entry]:
        """Yield the files and folders that a pattern means; ``**`` is any number of folders."""
        return select(self.below(()), pattern)

    def _entry(self, parts: Parts, item: DirEntry) -> Entry:
        pages = file_pages(item.size, self._fs.geometry).total
        return Entry(
            path="/" + "/".join(parts),
            name=parts[-1],
            is_dir=False,
            size=item.size,
            units=pages,
            on_medium=pages * self._fs.geometry.page_size,
            object_id=item.object_id,
            stored_name=item.raw_name,
            page=item.page,
            fault=str(fault) if (fault := read_fault(self._fs, item)) else None,
        )


def _sum_up(
    found: dict[Parts, DirEntry], fs: SpiffsCore, mount: Parts
) -> dict[Parts, tuple[int, int]]:
    """Return (bytes, pages) of every folder."""
    sums: dict[Parts, tuple[int, int]] = {mount[:depth]: (0, 0) for depth in range(len(mount) + 1)}
    for parts, item in found.items():
        pages = file_pages(item.size, fs.geometry).total
        for depth in range(len(parts)):
            size, before = sums.get(parts[:depth], (0, 0))
            sums[parts[:depth]] = (size + item.size, before + pages)
    return sums
