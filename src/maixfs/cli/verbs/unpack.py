"""``maixfs unpack``: all files of a target, in a folder of the host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.options import bytes_option, force_option, json_option
from maixfs.cli.place import PLACE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_files, file_json
from maixfs.cli.screen import Screen
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.target import Where, Written


@verb(
    "unpack",
    ("maixfs unpack dump.bin files", "All files of a dump, in the folder files."),
    ("maixfs unpack board:/flash/lib lib", "One folder of a board."),
)
@click.argument("place", metavar="TARGET[:PATH]", type=PLACE)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@force_option
@bytes_option
@json_option
@where_options
def unpack(screen: Screen, place: str, folder: str, force: bool, where: Where) -> None:
    """DIR is made where it is not there. Names that this computer cannot have are changed, and it
    says how. Damaged files are left out, the others are written all the same; the exit code is
    then 1.
    """
    from maixfs.target import UnpackError, parse_target, unpack

    there = parse_target(place)
    with opened(screen, there, where) as target, Progress(screen) as progress:
        try:
            written = unpack(target, there.path, Path(folder), force=force, progress=progress)
        except UnpackError as error:
            _tell(screen, folder, error.written, error.lost)
            raise
    _tell(screen, folder, written, [])


def _tell(screen: Screen, folder: str, written: list[Written], lost: list[str]) -> None:
    if screen.json:
        files = [file_json(file) for file in written]
        screen.emit({"folder": folder, "files": files, "left_out": lost})
        return
    draw_files(screen, written)
    for reason in lost if lost[1:] else ():  # one alone is told by the error
        screen.note(f"left out: {reason}")
