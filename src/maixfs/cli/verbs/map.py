"""``maixfs map``: a whole chip at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.flash.image import RawImage, opened_image
from maixfs.cli.flash.mapping import as_json, draw_map, part_lines, wear_notes
from maixfs.cli.flash.output import write_new
from maixfs.cli.numbers import SIZE
from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import PLACE, places_or_default
from maixfs.cli.proof import draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb
from maixfs.cli.wording import unit_text
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.draw import Chart
    from maixfs.image.entries import Written
    from maixfs.image.flash import FlashImage

_FILE = click.Path(path_type=Path, dir_okay=False)
_SECTOR = 0x1000


@verb(
    "map",
    ("maixfs map dump.bin", "Who has which 64 KiB of the chip."),
    ("maixfs map board --wear --svg wear.svg", "How worn its sectors are, as a picture."),
)
@click.argument("place", metavar="[IMG]", required=False, type=PLACE)
@click.option("--cell", "unit", type=SIZE, help="Bytes per cell (default: 256 cells or fewer).")
@click.option("--sectors", is_flag=True, help="A cell per sector, 4 KiB.")
@click.option("--pages", is_flag=True, help="The pages of the file system, a block to a row.")
@click.option("--wear", is_flag=True, help="How often the sectors of each cell were erased.")
@click.option("--entropy", is_flag=True, help="How random the bytes of each cell are.")
@click.option("--svg", metavar="FILE", type=_FILE, help="Draw it into an SVG file, too.")
@click.option("--png", metavar="FILE", type=_FILE, help="Draw it into a PNG (maixfs[png]), too.")
@force_option
@bytes_option
@json_option
def map(  # noqa: A001 - the verb's name
    screen: Screen,
    place: str | None,
    unit: int | None,
    sectors: bool,
    pages: bool,
    wear: bool,
    entropy: bool,
    svg: Path | None,
    png: Path | None,
    force: bool,
) -> None:
    """What is on the chip is found, not believed: firmware, models, file systems, and what is
    erased or unknown. A capital letter says that more than half of a cell is in use. Erases are
    those that a board counts (wear.bin), else those that the file system keeps of its blocks.

    Without IMG it is the board in the folder "board".
    """
    from maixfs.image.address import parse_target
    from maixfs.image.flash import FlashImage

    if pages + wear + entropy > 1:
        raise UsageError("--pages, --wear and --entropy: one of them at a time")
    if sectors + pages + (unit is not None) > 1:
        raise UsageError("--cell, --sectors and --pages: one of them says what a cell is")
    (name,) = places_or_default((place,) if place else (), "map")
    wanted = _SECTOR if sectors else unit
    there = parse_target(name)
    if there.path:
        raise WrongUsage("map is about a whole flash", hint=f"maixfs map {there.whole}")
    with opened_image(screen, there.host) as raw:
        image = FlashImage(raw.view)
        chart, notes = _chart(raw, image, wanted, pages=pages, wear=wear, entropy=entropy)
        words = [*part_lines(image), *notes] if chart.mode == "parts" else notes
        title = f"{name}: {chart.mode}, {unit_text(chart.unit)} per cell"
        written = _draw_files(screen, chart, title, words, (svg, png), force)
        if screen.json:
            proof = {"pictures": [written_json([one]) for one in written]}
            screen.emit({"target": name, **as_json(image, chart, notes), **proof})
            return
        draw_map(screen, name, image, chart, notes)
        draw_written(screen, written)


def _chart(
    raw: RawImage,
    image: FlashImage,
    unit: int | None,
    *,
    pages: bool,
    wear: bool,
    entropy: bool,
) -> tuple[Chart, list[str]]:
    """Return the chart that was asked for, and what is to be said under it."""
    from maixfs.draw import chart

    if entropy:
        return chart.chart_entropy(image, unit), []
    if pages:
        if not image.areas:
            raise UsageError(f"{raw.source.host} holds no SPIFFS: it has no pages")
        return chart.chart_pages(image, image.areas[0]), []
    if not wear:
        return chart.chart_parts(image, unit), []
    counts = raw.wear()
    origin = "counted by the board, per sector"
    if counts is None:
        if not image.areas:
            raise UsageError(
                f"nobody counted the erases of {raw.source.host}",
                hint="virtual boards do (wear.bin), and SPIFFS for its blocks",
            )
        counts = tuple(chart.block_wear(image))
        origin = "as the file system keeps it, per block"
    return chart.chart_wear(image.size, counts, unit), wear_notes(counts, origin)


def _draw_files(
    screen: Screen,
    chart: Chart,
    title: str,
    words: list[str],
    files: tuple[Path | None, Path | None],
    force: bool,
) -> list[Written]:
    """Draw the pictures that were asked for; return what was written."""
    svg, png = files
    if svg is None and png is None:
        return []
    from maixfs.draw import lay_out

    picture = lay_out(chart, title, words)
    written = []
    if svg is not None:
        from maixfs.draw import draw_svg

        text = draw_svg(picture).encode("utf-8")
        written.append(write_new(screen, svg, text, force=force))
    if png is not None:
        from maixfs.draw import draw_png

        written.append(write_new(screen, png, draw_png(picture), force=force))
    return written
