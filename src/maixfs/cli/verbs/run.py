"""``maixfs run``: a script on a virtual board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.place import DEFAULT_BOARD, WHOLE
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.board import RunResult

STDIN = "-"
MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND


@verb(
    "run",
    ("maixfs run hello.py", f'Run it on the board in the folder "{DEFAULT_BOARD}".'),
    ("maixfs run --board mine", "Start a board and run its own main.py."),
)
@click.argument(
    "script", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--board",
    metavar="BOARD",
    type=WHOLE,
    default=DEFAULT_BOARD,
    show_default=True,
    help="The board's folder; made where none is.",
)
@click.option(
    "--explain-quirks",
    is_flag=True,
    help="Say once on stderr what the firmware does that costs data or surprises.",
)
@click.option(
    "--boot-log", is_flag=True, help="Show on stderr what the firmware prints as it starts."
)
@click.option(
    "--times",
    is_flag=True,
    help="Say on stderr what flash and card would have taken on a real board, and each kpu.load;"
    " utime then counts that time, and sleeps without waiting.",
)
@click.option(
    "--ignore-firmware",
    is_flag=True,
    help="Start also where the firmware on the flash is damaged.",
)
def run(
    screen: Screen,
    script: str | None,
    board: str,
    explain_quirks: bool,
    boot_log: bool,
    times: bool,
    ignore_firmware: bool,
) -> int:
    """The board starts as after power-on, runs boot.py and then SCRIPT in the place of main.py
    (- reads it from stdin). It is a folder: what the script leaves on flash is there next time.
    The script's output is this command's, and its end decides the exit code: 1 after an
    exception that nobody caught, else what it gave to sys.exit.

    This is no sandbox: the script runs on this computer with your rights.
    """
    from maixfs.board import Board

    program = None if script is None else _program(script)
    if not Board.exists(board):
        config = Board.create(board)
        screen.note(
            f"made the board {board}: flash {config.part}, {screen.size(config.flash_size)}"
        )
        screen.note("no firmware is on it: it runs the one that maixfs brings")
    _settle(screen, Path(board))
    with Board.open(
        board,
        explain=explain_quirks,
        boot_log=sys.stderr if boot_log else None,
        timed=times,
        ignore_firmware=ignore_firmware,
    ) as powered:
        result = powered.run(program)
    if times:
        _tell_times(screen, result)
    return result.exit_code


def _tell_times(screen: Screen, result: RunResult) -> None:
    """Tell what storage took, and which models a program loaded."""
    spent = result.storage_time
    screen.note(f"on a board: {_time(spent.flash)} for the flash, {_time(spent.sd)} for the card")
    for load in result.model_loads:
        rate = load.size * SECOND // max(1, load.time.total)
        screen.note(
            f"{load.call}: {screen.size(load.size)} in {_time(load.time.total)}, "
            f"{screen.size(rate)} per second"
        )


def _time(nanoseconds: int) -> str:
    return f"{nanoseconds / MILLISECOND:.1f} ms"


def _settle(screen: Screen, board: Path) -> None:
    """Finish what a killed ``maixfs`` left half written on the board's card."""
    from maixfs.image.source import settle_board

    if settle_board(board):
        screen.note(f"finished what was half written on the card of {board}")


def _program(script: str) -> Path | str:
    """Return what ``Board.run`` takes; the line end tells text from the name of a file."""
    return sys.stdin.read() + "\n" if script == STDIN else Path(script)
