"""The rules of the subject ``spiffs``: what is wrong with one file system, whatever it lies in.

examine("spiffs", SpiffsCheck(dump, geometry), Cost.METADATA)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from maixfs.finding import Command, Cost, Finding, FindingKind, Severity, Step, kind, rule
from maixfs.nor import Buffer
from maixfs.nor.view import ImageDevice
from maixfs.spiffs.core import SpiffsCore
from maixfs.spiffs.errors import SpiffsError
from maixfs.spiffs.geometry import Geometry
from maixfs.spiffs.guard import leftover_pages, unregistered_pages
from maixfs.spiffs.state import DirEntry

RESCUE: tuple[Step, ...] = (
    Command("unpack", ("{image}", "DIR")),
    Command("pack", ("DIR", "-o", "NEW", "--like", "{image}")),
)
"""Saves what can be read into a new image."""
_FEWER_FILES: tuple[Step, ...] = (
    "remove files, or move large ones to a card or to an address of their own",
)
_FAST, _SLOW, _FULL = 60, 65, 79
"""Per cent of the pages: measured with the C at MaixPy's geometry (docs/SPEC.md, section 6.4)."""


class SpiffsCheck:
    """A SPIFFS area as its rules see it: each part is read once, when a rule asks for it.

    ``image`` are the bytes that the addresses of ``geometry`` count in. ``point`` is where the
    file system is mounted, for the paths of its files. A ``core`` that is mounted already is
    used; without one the area is mounted read-only.
    """

    def __init__(
        self,
        image: Buffer,
        geometry: Geometry,
        point: str = "",
        core: SpiffsCore | None = None,
    ) -> None:
        self.geometry = geometry
        self.point = point
        whole = memoryview(image).cast("B").toreadonly()
        self.area = whole[geometry.base : geometry.base + geometry.size]
        """The bytes of the area; fewer if the image ends before it."""
        self._core = core
        self._fault: SpiffsError | None = None

    @classmethod
    def of_core(cls, core: SpiffsCore) -> SpiffsCheck:
        """Return the check of a mounted file system, with the bytes that its device has now."""
        geometry = core.geometry
        check = cls(b"", geometry, core=core)
        check.area = memoryview(core.device.read(geometry.base, geometry.size))
        return check

    @cached_property
    def local(self) -> Geometry:
        """The geometry with addresses that count in ``area``."""
        return replace(self.geometry, base=0)

    @cached_property
    def blank(self) -> bool:
        """Whether the area was never formatted."""
        start = bytes(self.area[: self.geometry.page_size])
        return start.count(0xFF) == len(start) and bytes(self.area).count(0xFF) == len(self.area)

    @property
    def fault(self) -> SpiffsError | None:
        """Why the area does not mount; ``None`` if it does."""
        if self._core is None and self._fault is None:
            try:
                self._core = SpiffsCore(ImageDevice(self.area), self.local, read_only=True)
            except SpiffsError as error:
                self._fault = error
        return self._fault

    @property
    def mounts(self) -> bool:
        """Whether the area mounts."""
        return self.fault is None

    @property
    def core(self) -> SpiffsCore:
        """The mounted file system; raises ``SpiffsError`` if the area does not mount."""
        if self.fault is not None:
            raise self.fault
        assert self._core is not None
        return self._core

    @cached_property
    def entries(self) -> tuple[DirEntry, ...]:
        """Every visible header, in the order of the pages; none in a blank area."""
        return () if self.blank else tuple(self.core.scandir())

    @cached_property
    def names(self) -> frozenset[bytes]:
        """The stored names of all files."""
        return frozenset(entry.raw_name for entry in self.entries)

    @property
    def percent_used(self) -> int:
        """How full the area is; deleted pages and the two spare blocks do not count."""
        state = self.core.statvfs()
        return state.allocated * 100 // max(1, state.pages - 2 * self.geometry.usable_pages)

    def read(self, entry: DirEntry) -> bytes:
        """Return the contents of a file; raises ``SpiffsError`` if it is damaged."""
        with self.core.open_page(entry.page) as descriptor:
            return descriptor.read()

    def path(self, entry: DirEntry) -> str:
        """Return the path of a file; odd bytes of its name as escapes."""
        name = entry.raw_name.decode("utf-8", "backslashreplace")
        return f"{self.point}{name}" if name.startswith("/") else f"{self.point}/{name}"

    def address(self, entry: DirEntry) -> int:
        """Return the address of the index header of a file."""
        return self.geometry.page_address(entry.page)


ABORTED_ERASE = kind(
    "aborted-erase",
    Severity.WARNING,
    "The erase of a block was cut short.",
    why="power was lost while the block was erased",
    fix=("nothing is to be done: the board erases it again when it starts; no file lies in it",),
)


@rule("spiffs", Cost.MOUNT, ABORTED_ERASE)
def _aborted_erase(check: SpiffsCheck) -> Iterator[Finding]:
    if check.blank or check.core.aborted_block is None:
        return
    block, geometry = check.core.aborted_block, check.geometry
    where = geometry.base + block * geometry.block_size
    yield ABORTED_ERASE.found(f"block {block}: its erase was cut short", where=where)


UNREADABLE = kind(
    "unreadable",
    Severity.ERROR,
    "A file cannot be read to its end.",
    why="power was lost during a write or during garbage collection, or pages were overwritten",
    fix=RESCUE,
)


@rule("spiffs", Cost.METADATA, UNREADABLE)
def _readable_files(check: SpiffsCheck) -> Iterator[Finding]:
    faults = [
        (entry, fault) for entry in check.entries if (fault := read_fault(check.core, entry))
    ]
    if faults:
        entry, fault = faults[0]
        yield UNREADABLE.found(
            f"{check.path(entry)} cannot be read: {fault}" + _more(len(faults)),
            where=check.address(entry),
            paths=[check.path(entry) for entry, _ in faults],
            cases=len(faults),
        )


def read_fault(core: SpiffsCore, entry: DirEntry) -> SpiffsError | None:
    """Return why a file cannot be read to its end; the header of each of its pages is checked."""
    try:
        with core.open_page(entry.page) as descriptor:
            descriptor.read()
    except SpiffsError as error:
        return error
    return None


TWO_HEADERS = kind(
    "two-headers",
    Severity.WARNING,
    "Two or more headers have the same name.",
    why="power was lost between writing a new header and deleting the old one; a board uses the"
    " first",
    fix=RESCUE,
)


@rule("spiffs", Cost.METADATA, TWO_HEADERS)
def _duplicate_headers(check: SpiffsCheck) -> Iterator[Finding]:
    by_name: dict[bytes, list[DirEntry]] = {}
    for entry in check.entries:
        by_name.setdefault(entry.raw_name, []).append(entry)
    several = [headers for headers in by_name.values() if len(headers) > 1]
    if several:
        first = several[0]
        pages = _series([str(entry.page) for entry in first], len(first))
        yield TWO_HEADERS.found(
            f"{check.path(first[0])} has {len(first)} headers, at pages {pages}"
            + _more(len(several)),
            where=check.address(first[1]),
            paths=[check.path(headers[0]) for headers in several],
            cases=len(several),
            pages=[entry.page for entry in first],
        )


NOT_BOOKED = kind(
    "not-booked",
    Severity.ERROR,
    "A page holds data of a file, and its look-up entry says otherwise.",
    why="power was lost, or the look-up page was damaged; the next write may overwrite the page",
    fix=("write nothing to it", *RESCUE),
)


@rule("spiffs", Cost.METADATA, NOT_BOOKED)
def _registered_pages(check: SpiffsCheck) -> Iterator[Finding]:
    if check.blank:
        return
    owners = unregistered_pages(check.core.volume)
    for page, entry in owners.items():
        yield NOT_BOOKED.found(
            f"page {page} belongs to {check.path(entry)}, but its look-up entry says otherwise"
            + _more(len(owners)),
            where=check.geometry.page_address(page),
            paths=sorted({check.path(owner) for owner in owners.values()}),
            cases=len(owners),
            pages=[*owners],
        )
        return


NO_SPARE_BLOCKS = kind(
    "no-spare-blocks",
    Severity.NOTE,
    "Fewer than two blocks are empty.",
    why="garbage collection needs two blocks that are empty; a board may find no room",
)


@rule("spiffs", Cost.MOUNT, NO_SPARE_BLOCKS)
def _spare_blocks(check: SpiffsCheck) -> Iterator[Finding]:
    if check.blank:
        return
    state = check.core.statvfs()
    if state.free_blocks < 2:
        fix: Step = Command("gc", ("{image}",)) if state.deleted else "remove files"
        text = f"{state.free_blocks} of the two spare blocks left"
        yield NO_SPARE_BLOCKS.found(text, fix=(fix,), blocks=state.free_blocks)


FULL_THOUGH_FREE = kind(
    "full-though-free",
    Severity.WARNING,
    "Writes fail as FULL although some pages are free.",
    why="garbage collection looks at five blocks for each write and needs two spare ones",
    fix=_FEWER_FILES,
)
NEARLY_FULL = kind(
    "nearly-full",
    Severity.WARNING,
    "Writes are slow, because each one moves pages of other files.",
    why="each write moves more and more pages; at 74 % one small save erases eight blocks",
    fix=_FEWER_FILES,
)


@rule("spiffs", Cost.MOUNT, FULL_THOUGH_FREE, NEARLY_FULL)
def _room(check: SpiffsCheck) -> Iterator[Finding]:
    if check.blank:
        return
    full = check.percent_used
    if full >= _FULL:
        what = f"it is {full} % full: writes fail as FULL although {100 - full} % are free"
        yield FULL_THOUGH_FREE.found(what, percent=full)
    elif full >= _SLOW:
        what = f"it is {full} % full: writes are slow from {_SLOW} % on, and fail near {_FULL} %"
        yield NEARLY_FULL.found(what, percent=full)
    elif full >= _FAST:
        what = f"it is {full} % full; writes are fast up to {_FAST} %"
        why = "every write moves pages of other files"
        yield NEARLY_FULL.found(what, severity=Severity.NOTE, why=why, percent=full)


_RENAME: tuple[Step, ...] = (Command("doctor", ("{image}", "--fix", "names", "{output}")),)
BACKSLASH_NAMES = kind(
    "backslash-names",
    Severity.WARNING,
    "Names contain backslashes.",
    why="a Windows path is one long name here: a file that was meant for the card is on /flash",
    fix=_RENAME,
)
NO_SLASH = kind(
    "no-slash",
    Severity.WARNING,
    "Names do not start with a slash.",
    why="MaixPy lists them, but opens only names with one: ENOENT for a file that is listed",
    fix=_RENAME,
)
FOLDERS = kind(
    "folders",
    Severity.NOTE,
    "Names contain slashes, which are not folders for a board.",
    why="SPIFFS has no folders: mkdir raises NotImplementedError, listdir shows whole names",
    fix=("open them by their whole name",),
)


@rule("spiffs", Cost.METADATA, BACKSLASH_NAMES, NO_SLASH, FOLDERS)
def _names(check: SpiffsCheck) -> Iterator[Finding]:
    entries = check.entries
    cases: tuple[tuple[FindingKind, str, list[DirEntry]], ...] = (
        (BACKSLASH_NAMES, "names with backslashes", [e for e in entries if b"\\" in e.raw_name]),
        (
            NO_SLASH,
            "names that do not start with a slash",
            [e for e in entries if e.raw_name[:1] != b"/"],
        ),
        (
            FOLDERS,
            "folders are only parts of names",
            [e for e in entries if b"/" in e.raw_name[1:]],
        ),
    )
    for found, text, several in cases:
        if several:
            shown = [each.raw_name.decode("utf-8", "backslashreplace") for each in several]
            yield found.found(
                f"{text}: {_series(shown)}",
                where=check.address(several[0]),
                paths=[check.path(each) for each in several],
                cases=len(several),
            )


STALE_PAGES = kind(
    "stale-pages",
    Severity.NOTE,
    "Free pages hold old bytes.",
    why="MaixPy does not wait for its erases: formatting and removing leave most bytes readable,"
    " secrets too",
    fix=(*RESCUE, "nothing old is in the new image"),
)


@rule("spiffs", Cost.CONTENT, STALE_PAGES)
def _leftovers(check: SpiffsCheck) -> Iterator[Finding]:
    if check.blank:
        return
    pages = leftover_pages(check.core.volume)
    if pages:
        text = f"{len(pages)} free pages hold old bytes: deleted data can still be read"
        where = check.geometry.page_address(pages[0])
        yield STALE_PAGES.found(text, where=where, cases=len(pages))


def _more(cases: int) -> str:
    return f" ({cases - 1} more like this)" if cases > 1 else ""


def _series(names: list[str], most: int = 3) -> str:
    """Return ``/a, /b and 4 more``."""
    shown, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
