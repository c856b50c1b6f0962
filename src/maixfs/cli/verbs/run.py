"""``maixfs run``: a script on a virtual board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import DEFAULT_BOARD, WHOLE, HostPath
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
@click.argument("script", required=False, type=HostPath(must_exist=True, allow_dash=True))
@click.option(
    "--board",
    metavar="BOARD",
    type=WHOLE,
    default=DEFAULT_BOARD,
    show_default=True,
    help="Folder of the board; made if missing.",
)
@click.option(
    "--explain-quirks",
    is_flag=True,
    help="Explain on stderr what the firmware does that loses data or hides the reason.",
)
@click.option(
    "--boot-log", is_flag=True, help="Print on stderr what the firmware prints when it starts."
)
@click.option(
    "--times",
    is_flag=True,
    help="Print on stderr the time that storage and each kpu.load take on a real board; utime then"
    " counts that time, and sleeps do not wait.",
)
@click.option(
    "--ignore-firmware",
    is_flag=True,
    help="Start even if the firmware in the flash is damaged.",
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
    """The board starts as after power-on, runs boot.py and then SCRIPT instead of main.py (- is
    stdin). The flash is kept in the board's folder, so files are there in the next run. The exit
    code is 1 after an uncaught exception, otherwise the argument of sys.exit.

    This is not a sandbox: the script runs on this computer with your rights.
    """
    from maixfs.board import Board

    if script is not None and Path(script).is_dir():
        raise WrongUsage(
            f"{script} is a folder, not a script",
            hint=f"maixfs run --board {script} starts the board and runs its main.py",
        )
    program = None if script is None else _program(script)
    if not Board.exists(board):
        config = Board.create(board)
        screen.note(f"made board {board}: flash {config.part}, {screen.size(config.flash_size)}")
        screen.note("its flash holds no firmware: the one built into maixfs runs")
    # Before power-on: a board that is on has its card locked.
    _apply_journal(screen, Path(board))
    with Board.open(
        board,
        explain=explain_quirks,
        boot_log=sys.stderr if boot_log else None,
        timed=times,
        ignore_firmware=ignore_firmware,
    ) as powered:
        result = powered.run(program)
    if times:
        _print_times(screen, result)
    return result.exit_code


def _print_times(screen: Screen, result: RunResult) -> None:
    """Print the time of storage, and the models that were loaded."""
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


def _apply_journal(screen: Screen, board: Path) -> None:
    """Apply the journal that a killed process left beside the board's card."""
    from maixfs.image.media import finish_board_journal

    if finish_board_journal(board):
        screen.note(f"completed an interrupted write to the card of {board}")


def _program(script: str) -> Path | str:
    """Return the argument of ``Board.run``: a text that ends with a newline, or a path."""
    return sys.stdin.read() + "\n" if script == STDIN else Path(script)
