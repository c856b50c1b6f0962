"""Pack files into the image of a SPIFFS area without deleted pages.

The C reads the result as an area of its own: each file is its index header, then its data pages,
with every further index page in front of the data pages that it lists. Files follow each other
through the blocks, so that as many blocks as possible stay free, all at the end. The same files
in the same order give the same bytes. ``collect`` lists the files of a host folder for it.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import TypeAlias

from maixfs.errors import DeviceError, UsageError
from maixfs.host.files import read_file, status_of
from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, SpiffsError, spiffs_error
from maixfs.spiffs.geometry import Geometry, GeometryError
from maixfs.spiffs.room import FilePages, file_pages
from maixfs.tuples import NamedTuple

MOST_FILES = ondisk.ID_INDEX - 2
"""Highest object id: 0x7FFF with the index bit would read as a free page."""
_LARGEST_SHOWN = 5


class Measured(NamedTuple):
    """A file to store: its name as stored, its size in bytes."""

    name: bytes
    size: int


def page_capacity(geometry: Geometry, spare_blocks: int = 2) -> int:
    """Return the pages that can be taken while ``spare_blocks`` blocks stay empty."""
    return (geometry.blocks - spare_blocks) * geometry.usable_pages


def lay_out(files: list[Measured], geometry: Geometry, spare_blocks: int) -> list[FilePages]:
    """Return each file's pages.

    Raises ``FullError`` when they are too many, with the largest files in its hint, and
    ``UsageError`` for a number of spare blocks that the area does not have.
    """
    if not 0 <= spare_blocks < geometry.blocks:
        raise UsageError(f"{spare_blocks} spare blocks: the area has {geometry.blocks}")
    layout = [file_pages(file.size, geometry) for file in files]
    needed = sum(pages.total for pages in layout)
    if needed > page_capacity(geometry, spare_blocks):
        raise _does_not_fit(files, layout, page_capacity(geometry, spare_blocks), geometry)
    if len(files) > MOST_FILES:
        about = f"{len(files)} files: there are object ids for {MOST_FILES}"
        raise spiffs_error(Code.FULL, about)
    return layout


def owners(obj_id: int, pages: FilePages, geometry: Geometry) -> Iterator[int]:
    """Yield the look-up entries of a file: each index page, then the data pages it lists."""
    # Each index page before its data: the order in which one long append of the C leaves them.
    for index_span in range(pages.index_pages):
        yield obj_id | ondisk.ID_INDEX
        first, end = geometry.first_span(index_span), geometry.first_span(index_span + 1)
        yield from repeat(obj_id, min(end, pages.data_pages) - first)


def _does_not_fit(
    files: list[Measured], layout: list[FilePages], capacity: int, geometry: Geometry
) -> SpiffsError:
    needed = sum(pages.total for pages in layout)
    about = (
        f"{needed - capacity} pages of {geometry.page_size} bytes too many:"
        f" {len(files)} files need {needed}, {capacity} fit"
    )
    ranked = sorted(zip(files, layout, strict=True), key=lambda pair: (-pair[1].total, pair[0]))
    largest = ", ".join(
        f"{file.name.decode('utf-8', 'backslashreplace')} ({pages.total})"
        for file, pages in ranked[:_LARGEST_SHOWN]
    )
    return spiffs_error(Code.FULL, about, hint=f"the largest, in pages: {largest}")


HOST_LITTER = frozenset({b".DS_Store", b".git", b"Thumbs.db", b"desktop.ini"})
"""Files and folders of the host or of version control, which a board cannot use."""
_MOST_ENTRIES = 4 * MOST_FILES
"""No area can hold more; the folder may be a whole disk by mistake."""
_MOST_LINKS = 1000
"""Folders reached through links: links to folders with links can multiply endlessly."""
_NAMES_SHOWN = 3

_WARNINGS = {
    "folders": "SPIFFS has no folders: these become part of names, which the firmware lists flat",
    "empty-folder": "empty folders are not stored",
    "host-file": "left out: files of the host or of version control",
    "outside": "left out, as they link to outside of the folder",
    "circle": "left out, as they link to a folder that they are in",
    "special": "left out, as they are neither files nor folders",
    "not-utf8": "not UTF-8, stored byte for byte",
}
_OF_SPIFFS = frozenset({"folders", "empty-folder", "not-utf8"})
"""Warnings that do not apply to a file system with folders and text names."""


class PackWarning(NamedTuple):
    """A kind of problem in a folder, with all names that have it; ``str`` is a sentence."""

    key: str
    """``folders``, ``empty-folder``, ``host-file``, ``outside``, ``circle``, ``special`` or
    ``not-utf8``."""
    names: tuple[bytes, ...]
    """As they would be stored, in the order of their bytes; folders end in a slash."""

    def __str__(self) -> str:
        shown = (name.decode("utf-8", "backslashreplace") for name in self.names[:_NAMES_SHOWN])
        more = len(self.names) - _NAMES_SHOWN
        sentence = f"{_WARNINGS[self.key]}: {', '.join(shown)}"
        return sentence + (f" and {more} more" if more > 0 else "")


class PackFile(NamedTuple):
    """A file to pack: its name as stored, the host's file, and its meta (``None``: not given)."""

    name: bytes
    content: Path
    meta: bytes | None = None


class PackPlan(NamedTuple):
    """The files of a folder in the order of their names' bytes, and the warnings about it."""

    files: tuple[PackFile, ...]
    warnings: tuple[PackWarning, ...]
    """One for each kind."""
    folders: tuple[bytes, ...] = ()
    """Names of the folders in it, in the order of their bytes."""

    def too_long(self, geometry: Geometry) -> tuple[bytes, ...]:
        """Return the names that have too many bytes for ``geometry``."""
        return tuple(file.name for file in self.files if len(file.name) >= geometry.name_length)


def collect(
    folder: Path | str,
    *,
    prefix: str = "/",
    follow_links: bool = False,
    everything: bool = False,
    real_folders: bool = False,
) -> PackPlan:
    """Return the files of ``folder`` and of the folders in it, for ``pack``.

    A name is ``prefix`` and the path in the folder, with slashes; bytes that are not UTF-8 are
    kept. The order depends on those bytes alone. Links are followed inside the folder, and out
    of it with ``follow_links``. ``HOST_LITTER`` is left out unless ``everything`` is true.
    ``real_folders`` is for targets that have folders: no warnings about them. Raises
    ``UsageError`` for a folder that cannot be read.
    """
    walk = _Walk(Path(folder), prefix.encode(), follow_links, everything)
    walk.run()
    warnings = walk.warnings(_OF_SPIFFS if real_folders else frozenset())
    # By bytes: the image must not depend on the host's order of names or on its locale.
    return PackPlan(tuple(sorted(walk.files)), warnings, tuple(sorted(walk.folders)))


class _Folder(NamedTuple):
    path: bytes
    name: bytes
    above: tuple[bytes, ...]
    """Real paths of this folder and its parents: a link to one of them is a circle."""


class _Walk:
    """One walk through a folder. Paths are bytes, so that names do not depend on the locale."""

    def __init__(self, root: Path, prefix: bytes, follow_links: bool, everything: bool) -> None:
        self.files: list[PackFile] = []
        self.folders: list[bytes] = []
        self._root = os.path.realpath(os.fsencode(root))
        self._prefix = prefix
        self._follow_links = follow_links
        self._ignored = frozenset() if everything else HOST_LITTER
        self._entries = 0
        self._links = 0
        self._notes: dict[str, list[bytes]] = {}

    def run(self) -> None:
        """Visit every folder once for each path that leads to it."""
        # A list, not recursion: a folder can be deeper than Python's stack.
        waiting = [_Folder(self._root, self._prefix, (self._root,))]
        while waiting:
            folder = waiting.pop()
            entries = self._scan(folder)
            if folder.path != self._root:
                self.folders.append(folder.name.rstrip(b"/"))
            if not entries and folder.path != self._root:
                self._note("empty-folder", folder.name)
            for entry in entries:
                name = folder.name + entry.name
                if entry.name in self._ignored:
                    self._note("host-file", name)
                elif _is(entry.is_dir):
                    waiting += self._enter(folder, entry, name + b"/")
                else:
                    self._add(entry, name)

    def warnings(self, ignored: frozenset[str]) -> tuple[PackWarning, ...]:
        """Return a warning for each kind that occurred and is not in ``ignored``."""
        return tuple(
            PackWarning(key, tuple(sorted(names)))
            for key, names in self._notes.items()
            if key not in ignored
        )

    def _scan(self, folder: _Folder) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(folder.path) as listing:
                # The host's order is not defined, and warnings name the first few.
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise UsageError(f"{os.fsdecode(folder.path)}: {error.strerror}") from error
        self._entries += len(entries)
        if self._entries > _MOST_ENTRIES or self._links > _MOST_LINKS:
            raise UsageError(
                f"{os.fsdecode(self._root)}: more than {_MOST_ENTRIES} entries,"
                f" or {_MOST_LINKS} links to folders"
            )
        return entries

    def _enter(self, folder: _Folder, entry: os.DirEntry[bytes], name: bytes) -> list[_Folder]:
        """Return the folder to visit, or nothing.

        Python does not report junctions of Windows as links, so every folder is checked.
        """
        real = os.path.realpath(entry.path)
        if not self._may_follow(real):
            self._note("outside", name)
        # Only a folder in itself has no end; one that two links lead to is packed twice.
        elif real in folder.above:
            self._note("circle", name)
        else:
            self._note("folders", name)
            self._links += entry.is_symlink()
            return [_Folder(real, name, (*folder.above, real))]
        return []

    def _add(self, entry: os.DirEntry[bytes], name: bytes) -> None:
        if not _is(entry.is_file):
            self._note("special", name)
        elif entry.is_symlink() and not self._may_follow(os.path.realpath(entry.path)):
            self._note("outside", name)
        else:
            self.files.append(PackFile(name, Path(os.fsdecode(entry.path))))
            if name.decode("utf-8", "ignore").encode() != name:
                self._note("not-utf8", name)

    def _may_follow(self, real: bytes) -> bool:
        if self._follow_links:
            return True
        try:
            return os.path.commonpath([self._root, real]) == self._root
        except ValueError:  # another drive
            return False

    def _note(self, key: str, name: bytes) -> None:
        self._notes.setdefault(key, []).append(name)


def _is(question: Callable[[], bool]) -> bool:
    """Return the answer; a link that cannot be followed is neither a file nor a folder."""
    try:
        return question()
    except OSError:
        return False


Content: TypeAlias = bytes | bytearray | memoryview | Path
"""The bytes of a file, or the host's file that holds them."""
Packable: TypeAlias = tuple[str | bytes, Content] | tuple[str | bytes, Content, bytes | None]
"""Name as stored, content, and meta where the geometry has room for it."""


class _Source(NamedTuple):
    name: bytes
    content: Content
    meta: bytes


def pack(
    files: Iterable[Packable] | Mapping[str, Content],
    geometry: Geometry,
    *,
    spare_blocks: int = 2,
) -> bytearray:
    """Return the image of an area, ``geometry.size`` bytes, that holds ``files``.

    Names are stored as they are given (MaixPy lists only those with a leading slash); object ids
    are 1, 2, 3, ... in the order of ``files``. ``spare_blocks`` blocks stay empty: the C cannot
    write with fewer than two. Raises ``FullError`` when the files do not fit, ``SpiffsError`` for
    a name that is too long or given twice, ``UsageError`` for a name or meta that cannot be
    stored, a host file that cannot be read, or one that changes meanwhile, and ``GeometryError``
    for a geometry in which nothing can be laid out.
    """
    _check_geometry(geometry)
    pairs = files.items() if isinstance(files, Mapping) else files
    sources = [_source(item, geometry) for item in pairs]
    # Everything is refused before the first byte is laid out.
    _refuse_twins(sources)
    measured = [Measured(source.name, _size_of(source.content)) for source in sources]
    layout = lay_out(measured, geometry, spare_blocks)
    # Erased where nothing is written, so that the board can program there.
    image = bytearray(b"\xff") * geometry.size
    with memoryview(image) as area:
        _stamp_blocks(area, geometry)
        _write_lookup(area, geometry, layout)
        writer = _Writer(area, geometry, sum(pages.total for pages in layout))
        for obj_id, (source, pages) in enumerate(zip(sources, layout, strict=True), 1):
            writer.write_file(obj_id, source, pages)
    return image


class _Writer:
    """Writes files one after the other into the object pages of an area."""

    def __init__(self, area: memoryview, geometry: Geometry, pages: int) -> None:
        self._area = area
        self._geometry = geometry
        self._pages = _object_pages(geometry, pages)
        self._next = 0

    def write_file(self, obj_id: int, source: _Source, pages: FilePages) -> None:
        g = self._geometry
        data = _load(source.content)
        # Sizes were taken before contents were read: a host file that grew since would run into
        # the pages of the next one.
        if file_pages(len(data), g) != pages:
            raise UsageError(f"{_shown(source.name)}: the file changed while it was read")
        self._write_header(obj_id, source, len(data))
        for index_span in range(pages.index_pages):
            first, end = g.first_span(index_span), g.first_span(index_span + 1)
            self._write_group(obj_id, index_span, first, min(end, pages.data_pages), data)

    def _write_header(self, obj_id: int, source: _Source, size: int) -> None:
        """Write the index header without its table.

        The C leaves its padding (bytes 5 to 7, and the one before an aligned table) as it was on
        the stack; here it is zero, so that the same files give the same image.
        """
        start = self._pages[self._next] * self._geometry.page_size
        # A stored 0 could not become a size without an erase.
        stored = size if size else ondisk.SIZE_UNDEFINED
        fields = (
            obj_id | ondisk.ID_INDEX,
            0,
            ondisk.FLAGS_INDEX,
            bytes(3),
            stored,
            ondisk.TYPE_FILE,
        )
        ondisk.IndexHeader.struct.pack_into(self._area, start, *fields)
        rest = source.name.ljust(self._geometry.name_length, b"\0") + source.meta
        rest = rest.ljust(self._geometry.header_size - ondisk.NAME_OFFSET, b"\0")
        at = start + ondisk.NAME_OFFSET
        self._area[at : at + len(rest)] = rest

    def _write_group(
        self, obj_id: int, index_span: int, first: int, end: int, data: memoryview
    ) -> None:
        """Write an index page's table, and behind it the data pages from ``first`` to ``end``."""
        g = self._geometry
        index_page = self._pages[self._next]
        pages = self._pages[self._next + 1 : self._next + 1 + end - first]
        self._next += 1 + end - first
        if index_span:
            at = index_page * g.page_size
            # Its padding stays FF, as where the C makes such a page.
            fields = (obj_id | ondisk.ID_INDEX, index_span, ondisk.FLAGS_INDEX)
            ondisk.PageHeader.struct.pack_into(self._area, at, *fields)
        at = index_page * g.page_size + g.index_slot(first)
        self._area[at : at + 2 * len(pages)] = _little_endian(pages)
        self._write_data(obj_id, first, pages, data)

    def _write_data(self, obj_id: int, first: int, pages: array[int], data: memoryview) -> None:
        # The inner loop of packing: no calls that can be avoided.
        area, page_size, room = self._area, self._geometry.page_size, self._geometry.data_size
        head, pack_head = ondisk.PageHeader.size, ondisk.PageHeader.struct.pack_into
        offset = first * room
        for span, page in enumerate(pages, first):
            at = page * page_size
            pack_head(area, at, obj_id, span, ondisk.FLAGS_DATA)
            # Behind the end of the file FF stays: the board's next append is programmed there.
            piece = data[offset : offset + room]
            area[at + head : at + head + len(piece)] = piece
            offset += room


def _object_pages(geometry: Geometry, count: int) -> array[int]:
    """Return the first ``count`` page numbers that are not look-up pages."""
    pages = array("H")
    for block in range(-(-count // geometry.usable_pages)):
        first = block * geometry.pages_per_block + geometry.lookup_pages
        pages.extend(range(first, first + geometry.usable_pages))
    return pages[:count]


def _stamp_blocks(area: memoryview, geometry: Geometry) -> None:
    """Write what a format leaves in each block: the erase count 0 and the magic."""
    for block in range(geometry.blocks):
        at = block * geometry.block_size + geometry.magic_offset
        # All blocks of one age: the board's first collection chooses by what they hold.
        ondisk.ERASE_COUNT.pack_into(area, at, 0)
        if geometry.use_magic:
            ondisk.MAGIC_WORD.pack_into(area, at, geometry.magic(block))


def _write_lookup(area: memoryview, geometry: Geometry, layout: list[FilePages]) -> None:
    # Entries of a block lie together, and the magic behind them must stay.
    entries = array("H")
    for obj_id, pages in enumerate(layout, 1):
        entries.extend(owners(obj_id, pages, geometry))
    for block in range(-(-len(entries) // geometry.usable_pages)):
        first = block * geometry.usable_pages
        taken = _little_endian(entries[first : first + geometry.usable_pages])
        at = block * geometry.block_size
        area[at : at + len(taken)] = taken


def _little_endian(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = words[:]
        words.byteswap()
    return words.tobytes()


def _check_geometry(g: Geometry) -> None:
    if not g.size:
        raise GeometryError("this geometry has no size yet", hint="give the size of the area")
    if g.use_magic and not g.magic_possible:
        raise spiffs_error(Code.MAGIC_NOT_POSSIBLE, f"block {g.block_size:#x}, page {g.page_size}")
    if 2 * g.usable_pages > g.magic_offset + (0 if g.use_magic else 2):
        raise GeometryError(
            f"{g.usable_pages} look-up entries do not fit {g.lookup_pages} pages of {g.page_size}"
        )


def _source(item: Packable, geometry: Geometry) -> _Source:
    name = _stored_name(item[0], geometry)
    meta = item[2] if len(item) == 3 else None
    if meta is None:
        meta = b"\xff" * geometry.meta_length
    elif len(meta) != geometry.meta_length:
        raise UsageError(f"{_shown(name)}: meta is {len(meta)} bytes, not {geometry.meta_length}")
    return _Source(name, item[1], meta)


def _stored_name(name: str | bytes, geometry: Geometry) -> bytes:
    """Return a name's bytes; undecodable bytes of the host's names come back as they were."""
    try:
        raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else bytes(name)
    except UnicodeEncodeError as error:
        raise UsageError(f"{name!r} cannot be written as UTF-8") from error
    # The firmware's listing ends at an empty name and hides all files behind it.
    if not raw or b"\0" in raw:
        raise UsageError(f"{_shown(raw)!r} is no name for a file: it is empty or has a zero byte")
    if len(raw) >= geometry.name_length:
        most = geometry.name_length - 1
        about = f"{_shown(raw)} has {len(raw)} bytes, {most} fit"
        raise spiffs_error(Code.NAME_TOO_LONG, about)
    return raw


def _refuse_twins(sources: list[_Source]) -> None:
    # The board would open one of the two and list both.
    seen: set[bytes] = set()
    for source in sources:
        if source.name in seen:
            raise spiffs_error(Code.CONFLICTING_NAME, _shown(source.name))
        seen.add(source.name)


def _size_of(content: Content) -> int:
    if not isinstance(content, Path):
        return memoryview(content).nbytes
    try:
        return status_of(content).st_size
    except DeviceError as error:
        raise UsageError(str(error), hint=error.hint) from error


def _load(content: Content) -> memoryview:
    if not isinstance(content, Path):
        return memoryview(bytes(content))
    try:
        return memoryview(read_file(content))
    except DeviceError as error:
        raise UsageError(str(error), hint=error.hint) from error


def _shown(name: bytes) -> str:
    """Return a stored name for a message."""
    return name.decode("utf-8", "backslashreplace")
