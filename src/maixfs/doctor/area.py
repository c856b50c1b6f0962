"""Rules about the place and the format of /flash: does the firmware find and mount it."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.boot import report_boot
from maixfs.doctor.subject import Subject
from maixfs.finding import Command, Cost, Finding, Severity, Step, kind, rule
from maixfs.spiffs import PRESETS, Geometry

_SURE = 0.9
_SHAPE = {
    "size": "size",
    "block_size": "block",
    "page_size": "page",
    "name_length": "name",
    "meta_length": "meta",
    "use_magic": "magic",
    "use_magic_length": "length in the magic",
    "aligned_tables": "aligned tables",
}
_UNPACK = Command("unpack", ("{image}", "DIR"))
_REPACK: tuple[Step, ...] = (_UNPACK, Command("pack", ("DIR", "-o", "NEW", "--whole-flash")))

BLANK = kind(
    "blank",
    Severity.NOTE,
    "The place of the file system is erased.",
    why="the board formats it at its first start",
)
NO_MOUNT = kind(
    "no-mount",
    Severity.ERROR,
    "The file system does not mount.",
    why="more than one block has lost its magic, or the end is missing; a board formats it then",
    fix=(Command("info", ("{image}",)), "read the flash again"),
)


@rule("flash", Cost.MOUNT, BLANK, NO_MOUNT)
def _mount(subject: Subject) -> Iterator[Finding]:
    check = subject.spiffs
    if check is None or not (subject.is_bare or subject.is_board):
        return
    base = check.geometry.base
    if check.blank:
        yield BLANK.found(f"the file system at {base:#x} is blank", where=base)
    elif not check.mounts:
        text = f"the file system at {base:#x} does not mount: {check.fault}"
        yield NO_MOUNT.found(text, where=base)


WILL_FORMAT = kind(
    "will-format",
    Severity.ERROR,
    "The firmware formats /flash, because it finds no file system in its place.",
    why="any error of the mount has the firmware format: a shifted dump, a model or a package that"
    " reaches into the area, an image of another tool, two blocks without magic",
)
WRONG_GEOMETRY = kind(
    "wrong-geometry",
    Severity.ERROR,
    "The file system in the place of /flash has another format than the firmware.",
    why="a tool was used with other numbers than the firmware was built with",
    fix=_REPACK,
)


@rule("flash", Cost.METADATA, BLANK, WILL_FORMAT, WRONG_GEOMETRY)
def _format(subject: Subject) -> Iterator[Finding]:
    # A virtual board has its own geometry, and in an image of one file system no firmware looks
    # for it.
    if subject.is_board or not subject.is_chip:
        return
    report, home = subject.once(report_boot), subject.home
    if report.formats is None or subject.size < home.base + home.size:
        return
    there = next(
        (area.geometry for area in subject.areas if area.geometry.base == home.base), None
    )
    if there is not None and _differences(there, home):
        # Not only where the board formats: a mount can succeed with a wrong length of names, and
        # files then read as nonsense.
        yield _wrong_geometry(there, home, formats=report.formats)
    elif report.formats:
        yield _formatted(subject, home)


def _formatted(subject: Subject, home: Geometry) -> Finding:
    place = bytes(subject.view[home.base : home.base + home.size])
    if place.count(0xFF) == len(place):
        return BLANK.found(f"/flash at {home.base:#x} is blank", where=home.base)
    moved = [f"{area.geometry.base:#x}" for area in subject.areas]
    what = f"the firmware will FORMAT /flash: no file system of its own is at {home.base:#x}"
    what += f", but one at {', '.join(moved)}" if moved else ""
    fix: tuple[Step, ...] = ("save the files first", _UNPACK) if moved else ()
    return WILL_FORMAT.found(what, where=home.base, fix=fix, areas=moved)


def _wrong_geometry(there: Geometry, wanted: Geometry, *, formats: bool) -> Finding:
    what = (
        "the firmware will FORMAT /flash" if formats else "the firmware reads nonsense from files"
    )
    what += f": the file system has another format: {', '.join(_differences(there, wanted))}"
    why = f"{WRONG_GEOMETRY.why}; it would take mkspiffs {wanted.mkspiffs_flags()}"
    why += f" or spiffsgen.py {wanted.spiffsgen_flags()}"
    return WRONG_GEOMETRY.found(what, where=there.base, why=why)


def _differences(there: Geometry, wanted: Geometry) -> list[str]:
    return [
        f"{word} {getattr(there, field):#x}, not {getattr(wanted, field):#x}"
        for field, word in _SHAPE.items()
        if getattr(there, field) != getattr(wanted, field)
    ]


FOREIGN = kind(
    "foreign",
    Severity.NOTE,
    "An image of one file system has another format than MaixPy's.",
    why="a board formats an area that it cannot mount; other firmware may be able to mount it",
    fix=("for MaixPy, pack its files again", _UNPACK, Command("pack", ("DIR", "-o", "NEW"))),
)


@rule("flash", Cost.MOUNT, FOREIGN)
def _foreign_format(subject: Subject) -> Iterator[Finding]:
    if subject.is_bare and not subject.is_board and subject.mounted is not None:
        geometry = subject.mounted.geometry
        differences = _differences(geometry, PRESETS["maixpy"])
        if differences:
            what = f"not for MaixPy's /flash, which is otherwise: {', '.join(differences)}"
            yield FOREIGN.found(what, where=geometry.base)


UNSURE = kind(
    "unsure",
    Severity.NOTE,
    "The geometry of a file system was guessed from a few marks.",
    why="the firmware mounts only what has just its own format",
)
ELSEWHERE = kind(
    "elsewhere",
    Severity.ERROR,
    "A file system is not where the firmware looks for one.",
    why="a dump that does not start at address 0, an image that was flashed at another address,"
    " or a firmware with another layout",
    fix=_REPACK,
)
CUT = kind(
    "cut",
    Severity.ERROR,
    "A file system ends behind the end of the image.",
    why="the dump was stopped early, or the chip is smaller than the firmware wants",
    fix=("read the flash again; a whole dump is as large as its chip",),
)


@rule("flash", Cost.METADATA, UNSURE, ELSEWHERE, CUT)
def _places(subject: Subject) -> Iterator[Finding]:
    regions = subject.layout.of_kind("spiffs") if subject.layout else ()
    homes = [(region.start, region.size) for region in regions]
    for area in subject.areas if not subject.is_bare else ():
        base, size = area.geometry.base, area.geometry.size
        place = f"the SPIFFS at {base:#x}"
        if area.confidence < _SURE:
            text = f"{place}: {'; '.join(map(str, area.reasons))}"
            yield UNSURE.found(text, where=base, confidence=area.confidence)
        # The size counts as well: the firmware mounts a region whole, and its last blocks must
        # have their magics.
        if homes and (base, size) not in homes and not subject.is_board:
            text = f"{place} ({size:#x} bytes) is not where the firmware looks: {regions[0]}"
            yield ELSEWHERE.found(text, where=base)
        if base + size > subject.size:
            yield CUT.found(f"{place} ends behind the image", where=base)


OTHER_AREA = kind(
    "other-area",
    Severity.NOTE,
    "The image may hold another file system.",
)


@rule("flash", Cost.METADATA, OTHER_AREA)
def _other_areas(subject: Subject) -> Iterator[Finding]:
    chosen = subject.geometry
    for area in subject.areas if not subject.is_bare else ():
        base = area.geometry.base
        if chosen is not None and base != chosen.base:
            text = f"another file system may lie at {base:#x}, {int(area.confidence * 100)} % sure"
            fix = Command("info", ("{image}", "--base", f"{base:#x}"))
            yield OTHER_AREA.found(text, where=base, fix=(fix,))
