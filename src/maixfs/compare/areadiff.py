"""Two SPIFFS areas: their files, then whose the pages are that differ, then why they differ."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from maixfs.compare.differences import AreaDiff, Change, FileDiff, PageDiff, Reason
from maixfs.compare.filediff import FileSide, compare_files
from maixfs.nor import NorError
from maixfs.spiffs import Geometry, SpiffsCore, SpiffsError, ondisk

_RANK = (Change.CHANGED, Change.ADDED, Change.REMOVED, Change.RENAMED, Change.MOVED)


class Area(NamedTuple):
    """A SPIFFS area in an image: what of it a comparison needs."""

    view: memoryview
    """The bytes of the area."""
    geometry: Geometry
    """With ``base`` as in the image."""
    files: dict[str, FileSide]
    owners: dict[int, str]
    """Paths by object id."""

    def entry(self, page: int) -> int:
        """Return the look-up entry of a page that is no look-up page."""
        geometry = self.geometry
        block, inside = divmod(page, geometry.pages_per_block)
        at = block * geometry.block_size + 2 * (inside - geometry.lookup_pages)
        return int.from_bytes(self.view[at : at + 2], "little")

    def owner(self, page: int) -> str:
        """Return the file that has a page, empty where none has."""
        entry = self.entry(page)
        if entry in (ondisk.ID_FREE, ondisk.ID_DELETED):
            return ""
        return self.owners.get(entry & ~ondisk.ID_INDEX, "")

    def bytes_of(self, page: int) -> bytes:
        """Return the bytes of a page."""
        size = self.geometry.page_size
        return bytes(self.view[page * size : (page + 1) * size])

    def erase_count(self, block: int) -> int:
        """Return the erase count that a block carries."""
        at = block * self.geometry.block_size + self.geometry.magic_offset
        count: int = ondisk.BlockSignature.unpack(self.view, at).erase_count
        return count


def read_area(image: memoryview, geometry: Geometry) -> Area:
    """Return an area with its files; raises ``SpiffsError`` where it does not mount."""
    from maixfs.nor.view import ImageDevice

    view = image[geometry.base : geometry.base + geometry.size]
    fs = SpiffsCore(ImageDevice(view), replace(geometry, base=0), read_only=True)
    files: dict[str, FileSide] = {}
    owners: dict[int, str] = {}
    for entry in fs.scandir():
        path = entry.raw_name.decode("utf-8", "backslashreplace")
        if path not in files:  # of two files with one name the first is what a board finds
            files[path] = _side(fs, entry.page, entry.size)
        owners[entry.object_id & ~ondisk.ID_INDEX] = path
    return Area(view, geometry, files, owners)


def _side(fs: SpiffsCore, page: int, size: int) -> FileSide:
    try:
        with fs.open_page(page) as file:
            return FileSide(size, partial(io.BytesIO, file.read()))
    except SpiffsError as error:
        return FileSide(size, io.BytesIO, str(error))


def compare_areas(
    old_image: memoryview, old: Geometry, new_image: memoryview, new: Geometry
) -> AreaDiff:
    """Compare two areas; nothing is raised for what they hold."""
    same = replace(old, base=new.base) == new
    try:
        before, after = read_area(old_image, old), read_area(new_image, new)
    except (SpiffsError, NorError) as error:
        return AreaDiff(Reason.FILES, same, (), 0, (), (), f"does not mount: {error}")
    if same and before.view == after.view:
        return AreaDiff(None, same, (), len(after.files), (), ())
    files = compare_files(before.files, after.files)
    gone = sum(diff.change in (Change.ADDED, Change.CHANGED, Change.RENAMED) for diff in files)
    equal = len(after.files) - gone
    pages = tuple(_compare_pages(before, after, files)) if same else ()
    erased = tuple(
        block
        for block in range(new.blocks if same else 0)
        if before.erase_count(block) != after.erase_count(block)
    )
    reason = _reason(files, pages, erased, same)
    return AreaDiff(reason, same, files, equal, pages, erased)


def _reason(
    files: tuple[FileDiff, ...], pages: tuple[PageDiff, ...], erased: tuple[int, ...], same: bool
) -> Reason:
    if files:
        return Reason.FILES
    if erased:
        return Reason.COLLECTION
    moved = not same or any(page.change is Change.MOVED for page in pages)
    return Reason.REWRITING if moved else Reason.LEFTOVER


def _compare_pages(before: Area, after: Area, files: tuple[FileDiff, ...]) -> Iterator[PageDiff]:
    changes = {diff.path: diff.change for diff in files}
    changes |= {diff.old_path: diff.change for diff in files if diff.old_path}
    geometry = after.geometry
    for page in range(geometry.pages):
        if before.bytes_of(page) == after.bytes_of(page):
            continue
        address = geometry.page_address(page)
        if geometry.is_lookup_page(page):
            yield PageDiff(page, address, Change.LOOKUP, "")
            continue
        owners = [after.owner(page), before.owner(page)]
        found = {changes.get(path, Change.MOVED): path for path in reversed(owners) if path}
        change = next((one for one in _RANK if one in found), Change.LEFTOVER)
        yield PageDiff(page, address, change, found.get(change, ""))
