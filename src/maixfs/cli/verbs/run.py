"""``maixfs run``: a script on a virtual board."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from maixfs.cli.place import DEFAULT_BOARD, WHOLE
from maixfs.cli.screen import Screen
from maixfs.cli.verb import verb

STDIN = "-"


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
def run(
    screen: Screen, script: str | None, board: str, explain_quirks: bool, boot_log: bool
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
    _settle(screen, Path(board))
    log = sys.stderr if boot_log else None
    with Board.open(board, explain=explain_quirks, boot_log=log) as powered:
        return powered.run(program).exit_code


def _settle(screen: Screen, board: Path) -> None:
    """Finish what a killed ``maixfs`` left half written on the board's card."""
    from maixfs.target import settle_board

    if settle_board(board):
        screen.note(f"finished what was half written on the card of {board}")


def _program(script: str) -> Path | str:
    """Return what ``Board.run`` takes; the line end tells text from the name of a file."""
    return sys.stdin.read() + "\n" if script == STDIN else Path(script)
