"""``maixfs info``: show what an image or board is and contains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage, step_text
from maixfs.cli.findings import draw_findings, examination_json, health_text
from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import (
    Column,
    Part,
    Screen,
    Text,
    count_text,
    hex_text,
    percent_text,
    unit_text,
)
from maixfs.cli.targets import note_holder, where_options
from maixfs.cli.verb import verb
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.doctor.boot import BootReport, Step
    from maixfs.doctor.subject import Subject
    from maixfs.finding import Examination
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.identify import Identification
    from maixfs.image.image import Image
    from maixfs.image.parts import Found
    from maixfs.image.report import Report
    from maixfs.spiffs.detect import Detection


Row = tuple[str, Part]


@verb(
    "info",
    ("maixfs dump.bin", "The same as: maixfs info dump.bin"),
    ("maixfs info card.img --json", "All of it for a program."),
)
@click.argument("place", metavar="[TARGET]", required=False, type=PLACE)
@click.option("--flags", is_flag=True, help="Show the mkspiffs and spiffsgen.py flags, too.")
@bytes_option
@json_option
@where_options
def info(screen: Screen, place: str | None, flags: bool, where: Where) -> int:
    """For a whole flash it shows the parts, and what a board does with them when it starts.
    Address and geometry of a file system are detected, with a confidence; if the geometry is not a
    preset, the flags of other tools are shown. For a card it shows the partitions, and which of
    them a board mounts. The exit code is 1 if a problem was found.

    The default TARGET is the board in the folder "board".
    """
    from maixfs.errors import DeviceError
    from maixfs.image.address import parse_target
    from maixfs.image.opening import open_image

    (name,) = places_or_default((place,) if place else (), "info")
    there = parse_target(name)
    if there.path:
        raise WrongUsage("info shows a whole target: remove the path", hint=f"maixfs stat {name}")
    try:
        image = open_image(there.whole, geometry=where.geometry, base=where.base)
    except DeviceError:
        # A compressed file that cannot be unpacked can still be named.
        packed = identify_packed(there.host)
        if packed is None:
            raise
        return draw_identification(screen, there.host, packed)
    with image:
        other = identify_other(image)
        if other is not None:
            return draw_identification(screen, there.host, other)
        if not image.is_flash:
            return _card_info(screen, image)
        return _flash_info(screen, image, flags=flags)


def _flash_info(screen: Screen, image: Image, *, flags: bool) -> int:
    from maixfs.doctor import Subject, examine_subject
    from maixfs.finding import Cost
    from maixfs.image.report import make_report

    there = image.place
    note_holder(screen, there.host, image.holder)
    subject = Subject.of_image(image)
    facts = None if image.where.is_spiffs else chip_facts(subject)
    whole = facts is None or subject.is_board
    report = make_report(image) if whole else _report_on(screen, image)
    # Not the contents of files: info answers at once, doctor reads everything.
    examination = examine_subject(subject, Cost.METADATA) + image.packing
    if screen.json:
        _emit(screen, there, facts, report, examination)
    else:
        _draw(screen, there, facts, report, examination, flags=flags)
    return int(not examination.healthy)


def _draw(
    screen: Screen,
    there: TargetPath,
    facts: ChipFacts | None,
    report: Report | None,
    examination: Examination,
    *,
    flags: bool,
) -> None:
    rows: list[Row] = []
    if facts is not None and (report is None or not report.board):
        rows += _draw_chip(screen, there, facts)
    elif report is not None:
        rows += _draw_target(screen, report, facts)
    if report is not None:
        rows += [*_format(screen, report), *_flags(report, flags), *_use(screen, report)]
    screen.facts([*rows, ("health", health_text(examination)), *_not_checked(examination)])
    draw_findings(screen, examination.findings, there.host, brief=True)
    if not examination.healthy:
        screen.line()
        screen.line("  ", Text("next:", "hint"), f" maixfs doctor {there.host}")


def _not_checked(examination: Examination) -> Iterator[Row]:
    return (("", f"not checked: {what}") for what in examination.left_out)


def _emit(
    screen: Screen,
    there: TargetPath,
    facts: ChipFacts | None,
    report: Report | None,
    examination: Examination,
) -> None:
    about: dict[str, object] = {"target": str(there.host), "kind": "flash image"}
    if report is not None:
        about = report.as_dict()
    elif facts is not None:
        about["size"] = facts.size
    about |= examination_json(examination)
    screen.emit(about if facts is None else {**about, "flash": facts.as_dict()})


def _report_on(screen: Screen, image: Image) -> Report | None:
    """Return the report on the one file system of a chip; ``None`` if it does not mount."""
    from maixfs.image.errors import NoFileSystemError
    from maixfs.image.report import make_report

    # Of several file systems none is the one that a board mounts for certain.
    if len(image.parts.areas) != 1:
        return None
    try:
        return make_report(image)
    except NoFileSystemError as error:
        screen.note(str(error))
        return None


def _draw_chip(screen: Screen, there: TargetPath, facts: ChipFacts) -> list[Row]:
    """Print the parts of a whole chip; return the rows about the start of a board."""
    layout = f", layout {facts.layout}" if facts.layout else ""
    size = screen.size(facts.size)
    screen.line(Text(str(there.host), "heading"), f"  flash image, {size}{layout}")
    screen.line()
    draw_parts(screen, facts)
    screen.line()
    return [*chip_rows(screen, facts)]


def _card_info(screen: Screen, image: Image) -> int:
    """Print the contents of a card, also if no board mounts it; return the exit code."""
    from maixfs.cli.screen import Progress
    from maixfs.cli.sd.card import draw_partitions
    from maixfs.doctor import examine_card
    from maixfs.image.cardreport import summarize_card

    with Progress(screen) as progress:
        summary = summarize_card(image, progress)
    if screen.json:
        screen.emit(summary.as_dict())
        return int(not summary.healthy)
    report = summary.report
    table = "no partition table" if report.table == "none" else report.table
    screen.line(Text(summary.host, "heading"), f"  card of {screen.size(summary.size)}, {table}")
    if report.partitions:
        screen.line()
        draw_partitions(screen, report)
    screen.line()
    examination = examine_card(report)
    health = ("health", health_text(examination))
    screen.facts([("on a board", report.verdict), health, *_not_checked(examination)])
    draw_findings(screen, examination.findings, image.host)
    return int(not summary.healthy)


def _draw_target(screen: Screen, report: Report, chip: ChipFacts | None) -> list[Row]:
    """Print what a board or an image of one file system is; return the other rows."""
    kind = "virtual board" if report.board else str(report.kind)
    screen.line(Text(report.host, "heading"), f"  {kind}, {screen.size(report.size)}")
    screen.line()
    if chip is None or not chip.has_more:
        return [*_device(screen, report)]
    draw_parts(screen, chip)
    screen.line()
    rows = [*_device(screen, report._replace(firmware=None, written_outside=0))]
    return [*rows, *chip_rows(screen, chip)]


def _flags(report: Report, wanted: bool) -> Iterator[Row]:
    """Yield the flags of other tools, if asked for or if the geometry is not a preset."""
    if wanted or (report.preset is None and report.confidence is not None):
        yield "mkspiffs", report.geometry.mkspiffs_flags()
        yield "spiffsgen", report.geometry.spiffsgen_flags()


def _device(screen: Screen, report: Report) -> Iterator[Row]:
    if report.board is not None:
        board = report.board
        yield "flash", f"{board.part}, driver {board.driver}, profile {board.profile}"
    if report.card is not None:
        verdict = (
            f"{report.card.host}, {screen.size(report.card.size)}: {report.card.report.verdict}"
        )
        yield "card", verdict if report.card.report.mountable else Text(verdict, "bad")
    firmware = report.firmware
    if firmware is not None:
        value = f"{hex_text(0)}, {screen.size(firmware.size)}"
        value += f", {firmware.loader}" if firmware.loader else ""
        value += ", encrypted" if firmware.encrypted else ""
        yield "firmware", value + (", SHA-256 right" if firmware.intact else ", SHA-256 wrong")
    if report.written_outside:
        yield "other data", f"{screen.size(report.written_outside)} outside of the file system"


def _format(screen: Screen, report: Report) -> Iterator[Row]:
    geometry = report.geometry
    place = f"{hex_text(geometry.base)} to {hex_text(geometry.base + geometry.size)}"
    mounted = f", mounted at {report.mount_point}" if report.mount_point != "/" else ""
    exact = screen.size if screen.settings.bytes else unit_text
    yield "SPIFFS", f"{place}, {exact(geometry.size)}{mounted}"
    shape = (
        f"{geometry.blocks} blocks of {exact(geometry.block_size)},"
        f" pages of {exact(geometry.page_size)},"
        f" names up to {count_text(geometry.name_length - 1, 'byte')}"
    )
    shape += f", meta {count_text(geometry.meta_length, 'byte')}" if geometry.meta_length else ""
    yield "geometry", f"{report.preset}: {shape}" if report.preset else shape
    yield "known by", _source(report)


def _source(report: Report) -> str:
    """Return where the geometry comes from; all reasons if a detected one is not certain."""
    if report.confidence is None:
        return "board.toml" if report.board else "the command line"
    reasons = report.reasons[:1] if report.confidence == 1 else report.reasons
    return f"{int(report.confidence * 100)} % sure: {'; '.join(reasons)}"


def _use(screen: Screen, report: Report) -> Iterator[Row]:
    room = report.room
    yield "files", str(room.files)
    share = percent_text(room.used_pages, room.total_pages)
    gauge = screen.gauge(room.used_pages, room.total_pages)
    value = (
        f"{screen.size(room.used)} ({share}) used, {screen.size(room.deleted)} deleted,"
        f" {screen.size(room.free)} free"
    )
    yield "room", value
    if gauge:
        yield "", gauge
    yield "erases", "; ".join(_erases(report)) or "none yet"


def _erases(report: Report) -> Iterator[str]:
    """Yield the erase counts of blocks and of sectors, unless all are zero."""
    for counts, unit in (
        (report.block_erases, "block"),
        (report.sector_erases, "sector of 4 KiB"),
    ):
        if counts is not None and counts.most:
            yield f"{counts.least} to {counts.most} per {unit}, mean {counts.mean:.1f}"


_MOST_PARTS = 12
_BLANK = ("erased", "zero", "unknown")


class ChipFacts(NamedTuple):
    """What is known of a whole chip, findings left out."""

    size: int
    layout: str | None
    parts: tuple[Found, ...]
    rest: dict[str, int]
    """Bytes that are erased, zero or unknown."""
    areas: tuple[Detection, ...]
    boot: BootReport

    @property
    def has_more(self) -> bool:
        """Whether anything but file systems is on the chip."""
        return any(part.kind != "spiffs" for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        steps = [step._asdict() for step in self.boot.steps]
        return {
            "layout": self.layout,
            "parts": [_part_dict(part) for part in self.parts],
            "rest": self.rest,
            "boot": {"starts": self.boot.starts, "formats": self.boot.formats, "steps": steps},
        }


def _part_dict(part: Found) -> dict[str, Any]:
    from maixfs.firmware import Firmware

    about: dict[str, Any] = {"kind": part.kind, "start": part.start, "size": part.size}
    about["detail"] = part.detail
    if isinstance(part.what, Firmware):
        about |= {"product": part.what.banner.product, "version": part.what.banner.version}
    return about


def chip_facts(subject: Subject) -> ChipFacts | None:
    """Return what is on an image or a board's flash; ``None`` if it is not a whole chip."""
    if not subject.is_chip or not subject.parts:
        return None
    rest = dict.fromkeys(_BLANK, 0)
    for found in subject.found:
        if found.kind in rest:
            rest[found.kind] += found.size
    layout = subject.layout.name if subject.layout else None
    from maixfs.doctor.boot import report_boot

    boot = subject.once(report_boot)
    return ChipFacts(subject.size, layout, tuple(subject.parts), rest, subject.areas, boot)


def draw_parts(screen: Screen, facts: ChipFacts) -> None:
    """Write the parts of a chip, by address."""
    columns = (Column("at"), Column("what"), Column("size", right=True), Column("it is"))
    rows: list[tuple[Part, ...]] = [
        (hex_text(part.start), part.kind, screen.cell(part.size), part.detail)
        for part in facts.parts[:_MOST_PARTS]
    ]
    screen.table(columns, rows)
    more = len(facts.parts) - _MOST_PARTS
    if more > 0:
        screen.line(f"and {count_text(more, 'part')} more: maixfs map shows all")


def chip_rows(screen: Screen, facts: ChipFacts) -> Iterator[tuple[str, Part]]:
    """Yield what else there is, and what a board does when it starts."""
    rest = [f"{screen.size(size)} {kind}" for kind, size in facts.rest.items() if size]
    if rest:
        yield "else", ", ".join(rest)
    label = "boot"
    for step in facts.boot.steps:
        if not step.usual:
            yield label, _step(step)
            label = ""
        if step.stops:
            return


def _step(step: Step) -> Part:
    return Text(step.text, "bad") if step.is_problem else step.text


def identify_other(image: Image) -> Identification | None:
    """Return what a file is that is no image; ``None`` for images and what may be one."""
    from maixfs.image.identify import FileKind

    if image.where.is_spiffs or image.place.slot is not None or not image.host.is_file():
        return None
    found = image.identify(search=False)
    if found.kind in {FileKind.ERASED, FileKind.FILE_SYSTEM}:
        return found
    # Zeros that were opened as a card are a blank one, and its examination says so.
    if found.kind is FileKind.ZERO and not image.is_flash:
        return None
    return None if found.is_image or not found.known else found


def identify_packed(host: Path) -> Identification | None:
    """Return what a compressed file is that cannot be unpacked here; ``None`` for other files."""
    from maixfs.image.identify import FileKind, identify

    found = identify(host, search=False) if host.is_file() else None
    return found if found is not None and found.kind is FileKind.COMPRESSED else None


def draw_identification(screen: Screen, host: Path, found: Identification) -> int:
    """Write what a file is; return the exit code, 1 for what is unknown."""
    if screen.json:
        screen.emit({"target": str(host), **found.as_dict()})
        return int(not found.known)
    screen.line(Text(str(host), "heading"), f"  {found}, {screen.size(host.stat().st_size)}")
    screen.line()
    rows: list[tuple[str, Part]] = [("known by", "; ".join(found.evidence))]
    if found.confidence < 1:
        rows.append(("sure", f"{int(found.confidence * 100)} %"))
    rows += [("or", str(other)) for other in found.alternatives]
    if found.compression:
        from maixfs.host.compressed import unpack_command

        rows.append(("next", unpack_command(host, found.compression)))
    elif found.next is not None:
        rows.append(("next", step_text(found.next, str(host))))
    screen.facts(rows)
    return int(not found.known)
