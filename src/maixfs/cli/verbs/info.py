"""``maixfs info``: what a target is, what is in it, and is it sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.flash.overview import ChipFacts, chip_facts, chip_rows, draw_parts
from maixfs.cli.options import PLACE, bytes_option, json_option, places_or_default
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text, percent_text, unit_text
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Finding, Where
    from maixfs.image.records import Finding as ChipFinding
    from maixfs.image.report import Report

    Said = Finding | ChipFinding

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
    """Of a whole flash it tells the parts, and what a board does with them when it starts. Place
    and geometry of a file system are found out, and it says how sure that is; a geometry that is
    none of the presets comes with its flags. Of a card it tells what is on it, and whether a board
    would mount it. The exit code is 1 where something is wrong.

    Without TARGET it is the board in the folder "board".
    """
    from maixfs.image.address import parse_target
    from maixfs.image.opening import is_card

    (one,) = places_or_default((place,) if place else (), "info")
    there = parse_target(one)
    if there.path:
        raise WrongUsage("info is about a whole target", hint=f"maixfs stat {one}")
    if is_card(there, where):
        return _card_info(screen, there)
    facts = None
    if not where.is_spiffs:
        facts = chip_facts(screen, there)
        if facts is not None and not facts.of_board:
            return _chip_info(screen, there, facts, flags)
    with opened(screen, there.whole, where) as target:
        report = target.report()
    healthy = report.healthy and (facts is None or facts.healthy)
    if screen.json:
        about = report.as_dict()
        about |= {} if facts is None else {"healthy": healthy, "flash": facts.as_dict()}
        screen.emit(about)
    else:
        _draw(screen, report, flags, facts)
    return int(not healthy)


def _chip_info(screen: Screen, there: TargetPath, facts: ChipFacts, flags: bool) -> int:
    """Say what is on a whole chip, and what a board with it does."""
    report = _report_on(screen, there, facts)
    healthy = facts.healthy and (report is None or report.healthy)
    if screen.json:
        about: dict[str, object] = {"target": str(there.host), "kind": "flash image"}
        about |= {"size": facts.size} if report is None else report.as_dict()
        screen.emit({**about, "healthy": healthy, "flash": facts.as_dict()})
        return int(not healthy)
    layout = f", layout {facts.layout}" if facts.layout else ""
    size = screen.size(facts.size)
    screen.line(Text(str(there.host), "heading"), f"  flash image, {size}{layout}")
    screen.line()
    draw_parts(screen, facts)
    screen.line()
    rows = list(chip_rows(screen, facts))
    if report is not None:
        rows += [*_format(screen, report), *_flags(report, flags), *_use(screen, report)]
    findings: list[Said] = [*facts.findings, *(report.findings if report else ())]
    screen.facts([*rows, *_health(findings)])
    _draw_findings(screen, [one for one in findings if one.is_problem or one.key != "model"])
    if not healthy:
        screen.line()
        screen.line("  ", Text("next:", "hint"), f" maixfs doctor {there.host} says why, and more")
    return int(not healthy)


def _report_on(screen: Screen, there: TargetPath, facts: ChipFacts) -> Report | None:
    """Return the report on the one file system of a chip; ``None`` without a sound one."""
    from maixfs.image.entries import Where
    from maixfs.image.errors import NoFileSystemError

    if len(facts.areas) != 1:
        return None
    area = facts.areas[0]
    where = Where(area.geometry, area.geometry.base)
    try:
        with opened(screen, there.whole, where) as target:
            report = target.report()
    except NoFileSystemError as error:
        screen.note(str(error))
        return None
    return report._replace(
        confidence=area.confidence,
        reasons=tuple(map(str, area.reasons)),
        preset=area.preset or report.preset,
    )


def _card_info(screen: Screen, place: TargetPath) -> int:
    """Say what is on a card, also where no board would mount it."""
    from maixfs.cli.screen import Progress
    from maixfs.cli.sd.card import draw_findings, draw_partitions, health_text
    from maixfs.image.cardreport import summarize_card

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
    draw_findings(screen, report, summary.file)
    return int(not summary.healthy)


def _draw(screen: Screen, report: Report, flags: bool, chip: ChipFacts | None) -> None:
    kind = "virtual board" if report.board else str(report.kind)
    screen.line(Text(report.host, "heading"), f"  {kind}, {screen.size(report.size)}")
    screen.line()
    findings: list[Said] = [*report.findings]
    rows = list(_device(screen, report))
    if chip is not None and chip.has_more:
        draw_parts(screen, chip)
        screen.line()
        findings = [*chip.findings, *findings]
        rows = [*_device(screen, report._replace(firmware=None, written_outside=0))]
        rows += chip_rows(screen, chip)
    rows += [*_format(screen, report), *_flags(report, flags)]
    screen.facts([*rows, *_use(screen, report), *_health(findings)])
    _draw_findings(screen, findings)


def _flags(report: Report, wanted: bool) -> Iterator[Row]:
    """Yield the flags of other tools, where they are asked for or help."""
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


def _health(findings: Sequence[Said]) -> Iterator[Row]:
    problems = sum(finding.is_problem for finding in findings)
    if problems:
        yield "health", Text(count_text(problems, "problem"), "bad")
    else:
        yield "health", Text("sound", "good")


def _draw_findings(screen: Screen, findings: Sequence[Said]) -> None:
    for finding in findings:
        screen.line()
        label = Text("problem:", "bad") if finding.is_problem else Text("note:", "warning")
        screen.paragraph("  ", label, finding.message + _place(finding))
        if finding.hint:
            screen.paragraph("    ", Text("hint:", "hint"), finding.hint)


def _place(finding: Said) -> str:
    """Return where it is, unless the message itself has an address."""
    if finding.address is None or "0x" in finding.message:
        return ""
    return f" (at {hex_text(finding.address)})"
