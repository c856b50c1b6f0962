"""Rules about a flash: chip, firmware, Kboot, neighbours, place and format of /flash."""

from __future__ import annotations

from collections.abc import Iterator

from maixfs.doctor.boot import no_start_key, report_boot, runs_own_firmware
from maixfs.doctor.subject import Subject
from maixfs.finding import Command, Cost, Finding, Severity, Step, kind, rule
from maixfs.firmware import BootVerdict, Firmware
from maixfs.image.parts import FIRMWARE, MODEL, SPIFFS, UNKNOWN, Found
from maixfs.spiffs import PRESETS, Geometry

_SECTOR = 0x1000
_SLIP = 0x100000
"""An image that is shorter than a chip by less was meant to be the whole of it."""
_DIO = (b"\x02", b"\x03")
"""First byte of firmware that flashers marked for DIO mode."""
_NO_START = "the chip's ROM finds no program that it would start, and waits for a flasher (ISP)"
_FLASH_AGAIN = ("flash it again, and read the flash back to compare",)
CONVERT_MODEL = ("convert the model with nncase 0.1 (version 3) or 0.2 (version 4)",)
LESS_MEMORY = ("a smaller model, a firmware with less in it, or a smaller heap in /freq.conf",)

CONFLICT = kind(
    "conflict",
    Severity.ERROR,
    "Two parts, or a part and another owner of the layout, claim the same bytes.",
    why="one of the two was written over the other: a package or a model at an address that was"
    " taken, or a flasher that fills up files with zeros",
    fix=("whichever was written first is damaged: write it again at another address",),
)


@rule("flash", Cost.METADATA, CONFLICT)
def _neighbours(subject: Subject) -> Iterator[Finding]:
    # In an image of one file system there is one owner; what looks like a part is a file in it.
    for conflict in subject.conflicts if not subject.is_bare else ():
        yield CONFLICT.found(conflict.message, where=conflict.start, size=conflict.size)


ODD_SIZE = kind(
    "odd-size",
    Severity.NOTE,
    "The size of the image is not a whole number of sectors.",
    fix=("a whole dump is as large as its chip",),
)
SHORT = kind(
    "short",
    Severity.ERROR,
    "A few sectors are missing at the start or the end of a dump.",
    why="the dump was stopped early, or does not start at address 0",
)


@rule("flash", Cost.MOUNT, ODD_SIZE, SHORT)
def _size_of_dump(subject: Subject) -> Iterator[Finding]:
    if subject.is_bare:
        return
    if subject.size % _SECTOR:
        yield ODD_SIZE.found(f"the image has {subject.size:#x} bytes, which are not whole sectors")
    if is_short(subject):
        preset = subject.preset
        text = f"{preset.size - subject.size:#x} bytes are missing at the start or the end"
        fix = f"a dump for {preset.name} has {preset.size:#x} bytes: read it again"
        yield SHORT.found(text, fix=(fix,), missing=preset.size - subject.size)


def is_short(subject: Subject) -> bool:
    """Return True if the image was meant to be a whole chip and lacks a few sectors."""
    return 0 < subject.preset.size - subject.size < _SLIP and bool(subject.parts)


NO_FIRMWARE = kind(
    "no-firmware",
    Severity.ERROR,
    "Nothing is at address 0.",
    why=_NO_START,
    fix=("flash a firmware at address 0",),
)
NO_HEADER = kind(
    "no-header",
    Severity.ERROR,
    "A program has no header and hash, so that nothing starts it.",
    why="a flasher puts the header in front only of files that are marked as firmware"
    " (sha256Prefix)",
    fix=(Command("firmware wrap", ("PROGRAM", "-o", "NEW")), "flash NEW in its place"),
)
BAD_HASH = kind(
    "bad-hash",
    Severity.ERROR,
    "The SHA-256 of a firmware is wrong.",
    why="it was not written whole, or something was written over it",
    fix=_FLASH_AGAIN,
)
WRONG_FILE = kind(
    "wrong-file",
    Severity.ERROR,
    "Something that is not firmware is at address 0.",
    why=_NO_START,
    fix=("flash a firmware at address 0",),
)
_BOOT_AREA = {boot.key: boot for boot in (NO_FIRMWARE, NO_HEADER, BAD_HASH, WRONG_FILE)}


@rule("flash", Cost.METADATA, NO_FIRMWARE, NO_HEADER, BAD_HASH, WRONG_FILE)
def _boot_area(subject: Subject) -> Iterator[Finding]:
    # With Kboot address 0 is its stage 0, and Kboot's own rules say what starts.
    if not subject.is_chip or subject.kboot is not None:
        return
    verdict = subject.once(report_boot).verdict
    if not verdict.ok and not runs_own_firmware(subject, verdict):
        boot_kind = _BOOT_AREA[no_start_key(verdict.kind)]
        # Images of /flash alone are made for boards that have their firmware.
        only_files = boot_kind is NO_FIRMWARE and all(
            part.kind == SPIFFS for part in subject.parts
        )
        severity = Severity.NOTE if only_files else None
        yield boot_kind.found(_reason(subject, verdict), where=0, severity=severity)


def _reason(subject: Subject, verdict: BootVerdict) -> str:
    part = subject.at(0)
    if no_start_key(verdict.kind) != WRONG_FILE.key or part is None:
        return verdict.reason
    if part.kind not in (MODEL, UNKNOWN):
        return verdict.reason
    there = f"a model ({part.detail})" if part.kind == MODEL else part.detail
    return f"no firmware at 0x000000: a wrong file was flashed there ({there})"


TOO_LARGE = kind(
    "too-large",
    Severity.WARNING,
    "A firmware is larger than its region.",
    why="the data after the region of the firmware was overwritten, or will be",
)
PADDING = kind(
    "padding",
    Severity.NOTE,
    "A flasher filled up the last piece of a firmware with zeros.",
    why="some flashers send files in pieces of 4 or 64 KiB and fill up the last one: what lies"
    " close behind is destroyed",
    fix=("leave the rest of the 64 KiB free, or use a flasher that does not fill up",),
)


@rule("flash", Cost.METADATA, NO_HEADER, BAD_HASH, TOO_LARGE, PADDING)
def _firmware(subject: Subject) -> Iterator[Finding]:
    for part in subject.parts if not subject.is_bare else ():
        if isinstance(part.what, Firmware) and part.kind == FIRMWARE:
            yield from _one_firmware(subject, part, part.what)


def _one_firmware(subject: Subject, part: Found, firmware: Firmware) -> Iterator[Finding]:
    where = part.start
    # At address 0 the rule about the boot area reports both.
    if not firmware.wrapped and where:
        text = f"the program at {where:#x} has no header: nothing starts it"
        yield NO_HEADER.found(text, where=where)
    if firmware.wrapped and not firmware.sha_ok and where:
        text = f"the firmware at {where:#x} is damaged: its SHA-256 is wrong"
        yield BAD_HASH.found(text, where=where)
    region = subject.layout.region_at(where) if subject.layout else None
    if region and region.kind == "firmware" and firmware.total > region.limit:
        text = f"the firmware needs {firmware.total:#x} bytes, {region} is for {region.limit:#x}"
        yield TOO_LARGE.found(text, where=where)
    if firmware.padding and (region is None or part.end <= region.end):
        text = f"the flasher filled up {firmware.padding:#x} bytes behind the firmware with zeros"
        yield PADDING.found(text, where=where + firmware.total)


BOOT_ENTRY = kind(
    "boot-entry",
    Severity.WARNING,
    "Kboot does not accept the application of an active boot entry.",
    why="Kboot skips an entry whose application it does not accept, and starts the next one, or"
    " the default one",
    fix=(
        "flash the application without DIO and without AES",
        Command("kboot set", ("{image}", "ENTRY", "--address", "ADDRESS")),
    ),
)
BACKUP_DIFFERS = kind(
    "backup-differs",
    Severity.NOTE,
    "Main and backup boot configuration differ.",
    why="an upgrade writes one of the two",
)
KBOOT_HALTS = kind(
    "kboot-halts",
    Severity.ERROR,
    "Kboot starts nothing.",
    why="no entry names an application that Kboot accepts",
    fix=(
        "flash the firmware again",
        Command("kboot set", ("{image}", "ENTRY", "--address", "ADDRESS")),
    ),
)


@rule("flash", Cost.METADATA, BOOT_ENTRY, BACKUP_DIFFERS, KBOOT_HALTS)
def _kboot(subject: Subject) -> Iterator[Finding]:
    kboot = subject.kboot
    if kboot is None or subject.is_bare:
        return
    for verdict in kboot.verdicts:
        entry = verdict.entry
        if entry.active and not verdict.ok:
            text = f"boot entry {entry.number} ({entry.name}) does not start: {verdict.reason}"
            config = kboot.main if verdict.config == "main" else kboot.backup
            flags = bytes(subject.view[entry.address : entry.address + 1])
            dio = flags in _DIO
            why = "newer flashers mark firmware for DIO mode unless told otherwise; Kboot takes 00"
            yield BOOT_ENTRY.found(
                text, where=config.address + 32 * entry.number, why=why if dio else None, dio=dio
            )
    if kboot.main.entries != kboot.backup.entries:
        text = "main and backup boot configuration differ, as after an upgrade"
        yield BACKUP_DIFFERS.found(text, where=kboot.backup.address)
    if kboot.choice.source == "halt":
        text = f"{kboot.version} starts nothing: {kboot.choice.reason}"
        yield KBOOT_HALTS.found(text, where=kboot.main.address)


SMALL_CHIP = kind(
    "small-chip",
    Severity.ERROR,
    "The place of /flash is behind the end of the chip.",
    why="on such chips the address wraps round: formatting /flash erases firmware or models",
    fix=("use a firmware that was built for this chip, or a board with 16 MiB",),
)


@rule("flash", Cost.METADATA, SMALL_CHIP)
def _chip(subject: Subject) -> Iterator[Finding]:
    home = subject.home
    if subject.is_board or not subject.is_chip or is_short(subject):
        return
    if (
        subject.once(report_boot).formats
        and subject.size < home.base + home.size
        # A dump that was stopped early is as short as that of a small chip: a file system that
        # ends behind the dump tells the two apart.
        and not _is_cut(subject)
    ):
        text = f"the chip has {subject.size >> 20} MiB: /flash at {home.base:#x} is beyond its end"
        yield SMALL_CHIP.found(text)


def _is_cut(subject: Subject) -> bool:
    ends = [area.geometry.base + area.geometry.size for area in subject.areas]
    return any(end > subject.size for end in ends)


NOT_LOADABLE = kind(
    "not-loadable",
    Severity.ERROR,
    "No MaixPy loads a model.",
    why="kpu.load on the board ends with this error",
    fix=CONVERT_MODEL,
)
NO_MEMORY = kind(
    "no-memory",
    Severity.NOTE,
    "A model needs more memory than boards usually have free.",
    why="a model is copied into the 6 MiB of memory, beside firmware and heap",
    fix=LESS_MEMORY,
)
MODEL_NOTE = kind("model", Severity.NOTE, "A program has to know something about a model.")


@rule("flash", Cost.METADATA, NOT_LOADABLE, NO_MEMORY, MODEL_NOTE)
def _models(subject: Subject) -> Iterator[Finding]:
    for model in subject.models if not subject.is_bare else ():
        name = f"the model at {model.address:#x} ({model.version})"
        answers = model.loadable
        # Which firmware is meant is not known here; the rules about programs know it.
        if not answers.with_v4.loads and not answers.without_v4.loads:
            code = int(answers.with_v4.code)
            text = "; ".join([f"{name}: no MaixPy loads it (error {code})", *model.notes])
            yield NOT_LOADABLE.found(text, where=model.address, code=code)
            continue
        if not model.fits:
            text = f"{name} needs {model.memory_need} bytes: hardly any memory has room for it"
            yield NO_MEMORY.found(text, where=model.address)
        for note in model.notes:
            yield MODEL_NOTE.found(f"{name}: {note}", where=model.address)


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
    if subject.is_board or not subject.is_chip:
        return
    report, home = subject.once(report_boot), subject.home
    if report.formats is None or subject.size < home.base + home.size:
        return
    there = next((one.geometry for one in subject.areas if one.geometry.base == home.base), None)
    if there is not None and _differences(there, home):
        yield _wrong_geometry(there, home, formats=report.formats)
    elif report.formats:
        yield _formatted(subject, home)


def _formatted(subject: Subject, home: Geometry) -> Finding:
    place = bytes(subject.view[home.base : home.base + home.size])
    if place.count(0xFF) == len(place):
        return BLANK.found(f"/flash at {home.base:#x} is blank", where=home.base)
    moved = [f"{one.geometry.base:#x}" for one in subject.areas]
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
