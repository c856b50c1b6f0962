"""``maixfs new``: a virtual board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.numbers import SIZE, geometry_option, parse_size
from maixfs.cli.options import bytes_option, json_option
from maixfs.cli.place import DEFAULT_BOARD, WHOLE
from maixfs.cli.screen import Screen, Text
from maixfs.cli.verb import verb
from maixfs.cli.wording import hex_text
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.board import BoardConfig
    from maixfs.spiffs import Geometry

_SURE = 0.9
"""A geometry that is less sure says less than that most boards have MaixPy's."""
DRIVERS = ("maixpy", "literal", "ideal")


@verb(
    "new",
    ("maixfs new", f'Make a board with a blank flash in the folder "{DEFAULT_BOARD}".'),
    (
        "maixfs new mine --from-dump flash.bin --sd 8G",
        "Make one that goes on where a real board stopped, with a new card.",
    ),
)
@click.argument("board", default=DEFAULT_BOARD, type=WHOLE)
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
@click.option(
    "--sd",
    metavar="CARD",
    help="The card in its slot: a size, as 8G, of a new one, or an image or drive that is there.",
)
@geometry_option("The file system's geometry (default: the dump's, or MaixPy's)")
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
    """BOARD is a folder that is made: board.toml says what the board is made of, flash.bin holds
    its flash as flashers take it. Nothing is powered on; the first start formats a blank flash.
    """
    from maixfs.board import Board
    from maixfs.spiffs import PRESETS

    if geometry is None:
        geometry = _geometry_in(from_dump, board) if from_dump else None
    if geometry is None:
        geometry = PRESETS["maixpy"]
        _refuse_small(geometry, part, flash_size)
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
    """Return the bytes of a new card, or the path of one; a file of that name goes first."""
    size = None if Path(text).exists() else parse_size(text)
    return text if size is None else size


def _geometry_in(dump: str, board: str) -> Geometry | None:
    """Return the geometry of the file system in a dump, ``None`` where none is sure."""
    from maixfs.image.entries import Kind
    from maixfs.image.errors import AmbiguousError, NoFileSystemError
    from maixfs.image.opening import open_image

    try:
        with open_image(Path(dump)) as target:
            if target.kind is Kind.SPIFFS_IMAGE:
                raise UsageError(
                    f"{dump} is one file system, not the dump of a whole flash",
                    hint=f"make a board, then maixfs cp -r {dump}: {board}:",
                )
            found = target.spiffs.detection
            return target.spiffs.geometry if found is None or found.confidence > _SURE else None
    except (AmbiguousError, NoFileSystemError):
        return None


def _refuse_small(geometry: Geometry, part: str | None, flash_size: int | None) -> None:
    """Raise ``UsageError`` for a chip that has no room where MaixPy looks for files."""
    from maixfs.nor import find_part

    size = flash_size or (find_part(part).size if part else None)
    end = geometry.base + geometry.size
    if size is not None and size < end:
        base = max(0, size - geometry.size)
        raise UsageError(
            f"MaixPy's file system ends at {end:#x}, a flash of {size:#x} bytes before that",
            hint=f"say where it lies: --geometry maixpy,base={base:#x}",
        )


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
