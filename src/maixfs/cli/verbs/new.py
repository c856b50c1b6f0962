"""``maixfs new``: a virtual board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.options import (
    DEFAULT_BOARD,
    SIZE,
    WHOLE,
    HostPath,
    bytes_option,
    geometry_option,
    json_option,
    parse_size,
)
from maixfs.cli.screen import Screen, Text, hex_text
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.board import BoardConfig
    from maixfs.spiffs import Geometry

DRIVERS = ("maixpy", "literal", "ideal")


@verb(
    "new",
    ("maixfs new", f'Make a board with a blank flash in the folder "{DEFAULT_BOARD}".'),
    (
        "maixfs new mine --from-dump flash.bin --sd 8G",
        "Continue with the flash of a real board, and a new card.",
    ),
)
@click.argument("board", default=DEFAULT_BOARD, type=WHOLE)
@click.option(
    "--from-dump",
    metavar="DUMP",
    type=HostPath(dir_okay=False),
    help="Start with the dump of a real board's flash.",
)
@click.option("--part", help="Type of the flash chip (default: the most common one).")
@click.option(
    "--flash-size", type=SIZE, help="Size of the flash (default: the dump's or the chip's)."
)
@click.option(
    "--driver",
    type=click.Choice(DRIVERS),
    default="maixpy",
    metavar="DRIVER",
    help="How flash is written: maixpy (default) as the firmware does, without waiting for erases;"
    " literal waits; ideal only programs.",
)
@click.option(
    "--sd",
    metavar="CARD",
    help="Card in the slot: a size for a new one (8G), or an existing image or drive.",
)
@geometry_option("Geometry of the file system (default: the dump's, or MaixPy's)")
@bytes_option
@json_option
def new(
    screen: Screen,
    board: str,
    from_dump: str | None,
    part: str | None,
    flash_size: int | None,
    driver: str,
    sd: str | None,
    geometry: Geometry | None,
) -> None:
    """BOARD is a new folder. board.toml describes the board; flash.bin is its flash, as flashers
    take it. The first run formats a blank flash.
    """
    from maixfs.board import Board
    from maixfs.board.folder import choose_geometry
    from maixfs.spiffs import PRESETS

    if geometry is None:
        geometry = choose_geometry(board, dump=from_dump, part=part, flash_size=flash_size)
    config = Board.create(
        board,
        part=part,
        flash_size=flash_size,
        driver=driver,
        from_dump=from_dump,
        geometry=geometry,
        sd=None if sd is None else _card(sd),
    )
    if screen.json:
        screen.emit(_as_json(board, config, from_dump))
        return
    content = f"as in {from_dump}" if from_dump else "blank"
    place = "" if geometry == PRESETS["maixpy"] else f", SPIFFS at {hex_text(geometry.base)}"
    screen.line(
        "made ", Text(board, "heading"), f": flash {config.part}, ",
        f"{screen.size(config.flash_size)}, {content}{place}; driver {config.driver}",
    )  # fmt: skip
    if config.sd.image is not None:
        screen.line(f"  card {config.sd.image}", Text("  maixfs ls ", "hint"), f"{board}:/sd")
    option = "" if board == DEFAULT_BOARD else f" --board {board}"
    screen.line("  ", Text("next:", "hint"), f" maixfs run SCRIPT{option}")


def _card(text: str) -> int | str:
    """Return the size of a new card in bytes, or the path of an existing one."""
    # A file called 8G is taken by its name.
    size = None if Path(text).exists() else parse_size(text)
    return text if size is None else size


def _as_json(board: str, config: BoardConfig, dump: str | None) -> dict[str, Any]:
    from maixfs.image.report import geometry_dict

    return {
        "board": board,
        "from_dump": dump,
        "part": config.part,
        "flash_size": config.flash_size,
        "driver": config.driver,
        "geometry": geometry_dict(config.geometry),
        "sd": config.sd.image,
    }
