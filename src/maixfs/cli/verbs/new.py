"""``maixfs new``: a virtual board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.numbers import SIZE, geometry_option
from maixfs.cli.place import DEFAULT_BOARD
from maixfs.cli.screen import Screen, Text
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry

DRIVERS = ("maixpy", "literal", "ideal")


@verb(
    "new",
    ("maixfs new", f'Make a board with a blank flash in the folder "{DEFAULT_BOARD}".'),
    ("maixfs new mine --from-dump flash.bin", "Make one that goes on where a real board stopped."),
)
@click.argument("board", default=DEFAULT_BOARD, type=click.Path(file_okay=False))
@click.option(
    "--from-dump",
    metavar="DUMP",
    type=click.Path(dir_okay=False),
    help="A dump of a real board's flash to start with.",
)
@click.option("--part", help="The flash chip's type (default: the one most boards have).")
@click.option("--flash-size", type=SIZE, help="Its size (default: the dump's or the part's).")
@click.option(
    "--driver",
    type=click.Choice(DRIVERS),
    default="maixpy",
    metavar="DRIVER",
    help="How the firmware writes flash: maixpy (default), as the real one, which does not wait"
    " for erases; literal, which does; ideal, which only programs.",
)
@geometry_option("The file system's geometry, where it is not MaixPy's")
def new(
    screen: Screen,
    board: str,
    from_dump: str | None,
    part: str | None,
    flash_size: int | None,
    driver: str,
    geometry: Geometry | None,
) -> None:
    """BOARD is a folder that is made: board.toml says what the board is made of, flash.bin holds
    its flash as flashers take it. Nothing is powered on; the first start formats a blank flash.
    """
    from maixfs.board import Board

    named = {} if geometry is None else {"geometry": geometry}
    config = Board.create(
        board, part=part, flash_size=flash_size, driver=driver, from_dump=from_dump, **named
    )
    content = f"as in {from_dump}" if from_dump else "blank"
    screen.line(
        "made ", Text(board, "heading"), f": flash {config.part}, ",
        f"{screen.size(config.flash_size)}, {content}; driver {config.driver}",
    )  # fmt: skip
    option = "" if board == DEFAULT_BOARD else f" --board {board}"
    screen.line("  ", Text("next:", "hint"), f" maixfs run SCRIPT{option}")
