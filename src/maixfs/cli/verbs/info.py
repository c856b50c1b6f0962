"""``maixfs info``: what a target is, what is in it, and is it sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.place import PLACE, places_or_default
from maixfs.cli.screen import Part, Screen, Text
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb
from maixfs.cli.wording import count_text, hex_text, percent_text, unit_text

if TYPE_CHECKING:
    from maixfs.target import Finding, Report, TargetPath, Where

Row = tuple[str, Part]


@verb(
    "info",
    ("maixfs dump.bin", "The same as: maixfs info dump.bin"),
    ("maixfs info card.img --json", "All of it for a program."),
)
@click.argument("place", metavar="[TARGET]", required=False, type=PLACE)
@click.option(
    "--flags", is_flag=True, help="The flags too with which mkspiffs and spiffsgen.py make it."
)
@bytes_option
@json_option
@where_options
def info(screen: Screen, place: str | None, flags: bool, where: Where) -> int:
    """Of a flash, geometry and place of the file system are found out, and it says how sure that
    is; a geometry that is none of the presets comes with its flags. Of a card it tells what is on
    it, and whether a board would mount it. The exit code is 1 where something is wrong.

    Without TARGET it is the board in the folder "board".
    """
    from maixfs.target import is_card, parse_target

    (one,) = places_or_default((place,) if place else (), "info")
    there = parse_target(one)
    if there.path:
        raise WrongUsage("info is about a whole target", hint=f"maixfs stat {one}")
    if is_card(there, where):
        return _card_info(screen, there)
    with opened(screen, there.whole, where) as target:
        report = target.report()
    if screen.json:
        screen.emit(report.as_dict())
    else:
        _draw(screen, report, flags)
    return int(not report.healthy)


def _card_info(screen: Screen, place: TargetPath) -> int:
    """Say what is on a card, also where no board would mount it."""
    from maixfs.cli.progress import Progress
    from maixfs.cli.sd.card import draw_findings, draw_partitions, health_text
    from maixfs.target import summarize_card

    with Progress(screen) as progress:
        summary = summarize_card(place, progress)
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
    screen.facts([("on a board", report.verdict), ("health", health_text(report))])
    draw_findings(screen, report)
    return int(not summary.healthy)


def _draw(screen: Screen, report: Report, flags: bool) -> None:
    kind = "virtual board" if report.board else str(report.kind)
    screen.line(Text(report.host, "heading"), f"  {kind}, {screen.size(report.size)}")
    screen.line()
    rows = [*_device(screen, report), *_format(screen, report)]
    if flags or (report.preset is None and report.confidence is not None):
        rows.append(("mkspiffs", report.geometry.mkspiffs_flags()))
        rows.append(("spiffsgen", report.geometry.spiffsgen_flags()))
    screen.facts([*rows, *_use(screen, report), *_health(report)])
    _draw_findings(screen, report)


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
        sound = firmware.intact
        yield "firmware", value + (", SHA-256 right" if sound else ", SHA-256 wrong")
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
    """Return who says the geometry; of what was found, all reasons where they leave a doubt."""
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
    """Yield who counted how many erases, where there were any."""
    for counts, unit in (
        (report.block_erases, "block"),
        (report.sector_erases, "sector of 4 KiB"),
    ):
        if counts is not None and counts.most:
            yield f"{counts.least} to {counts.most} per {unit}, mean {counts.mean:.1f}"


def _health(report: Report) -> Iterator[Row]:
    problems = sum(finding.is_problem for finding in report.findings)
    if problems:
        yield "health", Text(count_text(problems, "problem"), "bad")
    else:
        yield "health", Text("sound", "good")


def _draw_findings(screen: Screen, report: Report) -> None:
    for finding in report.findings:
        screen.line()
        label = Text("problem:", "bad") if finding.is_problem else Text("note:", "warning")
        screen.paragraph("  ", label, finding.message + _place(finding))
        if finding.hint:
            screen.paragraph("    ", Text("hint:", "hint"), finding.hint)


def _place(finding: Finding) -> str:
    """Return where it is, unless the message itself has an address."""
    if finding.address is None or "0x" in finding.message:
        return ""
    return f" (at {hex_text(finding.address)})"
