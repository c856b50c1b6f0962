"""``maixfs unpack``: copy all files of a target into a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.options import PLACE, HostPath, bytes_option, force_option, json_option
from maixfs.cli.proof import draw_files, file_json
from maixfs.cli.screen import Progress, Screen
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where, Written


@verb(
    "unpack",
    ("maixfs unpack dump.bin files", "Copy all files of a dump into the folder files."),
    ("maixfs unpack board:/flash/lib lib", "Copy one folder of a board."),
)
@click.argument("place", metavar="TARGET[:PATH]", type=PLACE)
@click.argument("folder", metavar="DIR", type=HostPath(file_okay=False))
@force_option
@bytes_option
@json_option
@where_options
def unpack(screen: Screen, place: str, folder: str, force: bool, where: Where) -> int:
    """DIR is created if it does not exist. Names that this computer cannot store are changed, and
    the changes are listed. Damaged files are left out and listed, or rescued if only the index of
    their pages is damaged; the others are written. The exit code is 1 if a file was left out or
    rescued, or has another name. Each partition of a card with
    several is copied into a folder of its own, named as a board mounts it; board:/ is everything
    that a board has mounted.
    """
    from maixfs.image.address import parse_target
    from maixfs.transfer.unpacking import UnpackError, unpack_place

    there, goal = parse_target(place), Path(folder)
    try:
        with Progress(screen, rates=True) as progress, opened(screen, there, where) as whole:
            written = unpack_place(
                whole,
                there,
                goal,
                lambda part: opened(screen, part, where),
                force=force,
                progress=progress,
            )
    except UnpackError as error:
        # The files that were written have to be listed even if others are lost.
        _report(screen, folder, error.written, error.lost)
        raise
    _report(screen, folder, written, [])
    return int(any(file.note for file in written))


def _report(screen: Screen, folder: str, written: list[Written], lost: list[str]) -> None:
    if screen.json:
        files = [file_json(file) for file in written]
        screen.emit({"folder": folder, "files": files, "left_out": lost})
        return
    draw_files(screen, written)
    for reason in lost if lost[1:] else ():  # a single reason is in the error
        screen.note(f"left out: {reason}")
