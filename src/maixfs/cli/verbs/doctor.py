"""``maixfs doctor``: find problems, their causes and fixes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.checkup import draw_checkup, look_at
from maixfs.cli.options import PLACE, HostPath, json_option, places_or_default
from maixfs.cli.proof import draw_proof
from maixfs.cli.screen import Screen
from maixfs.cli.targets import where_options
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where, Written

FIXES = ("freq", "boot", "main", "config", "ide", "names")
"""Names of the fixes; a test compares them with ``maixfs.doctor.FIXES``."""


@verb(
    "doctor",
    ("maixfs doctor dump.bin", "The verdict, then each problem with cause and fix."),
    ("maixfs doctor dump.bin --fix freq -o new.bin", "Fix a board that hangs; keep all files."),
)
@click.argument("place", metavar="[TARGET]", required=False, type=PLACE)
@click.option(
    "--fix",
    "fixes",
    multiple=True,
    type=click.Choice(FIXES),
    metavar="WHAT",
    help="Fix freq, boot, main, config, ide or names (can be repeated).",
)
@click.option(
    "-o", "--output", metavar="NEW", type=HostPath(dir_okay=False), help="The fixed image."
)
@click.option("--in-place", is_flag=True, help="Fix the image or board itself.")
@json_option
@where_options
def doctor(
    screen: Screen,
    place: str | None,
    fixes: tuple[str, ...],
    output: str | None,
    in_place: bool,
    where: Where,
) -> int:
    """The flash of a board and the card in its slot are both examined. Only --fix writes: freq
    corrects values of /freq.conf that hang a board; boot, main and config rename boot.py, main.py
    or config.json; ide removes ide_mode.conf; names adds the slash that names start with, and
    replaces backslashes by slashes. No other file changes. The exit code is 1 if a problem was
    found.

    The default TARGET is the board in the folder "board".
    """
    from maixfs.image.address import parse_target

    (name,) = places_or_default((place,) if place else (), "doctor")
    there = parse_target(name)
    if there.path:
        raise UsageError(
            "doctor checks a whole target: remove the path", hint=f"maixfs stat {name}"
        )
    if fixes:
        return _fix(screen, there, fixes, _goal(there, output, in_place), where)
    if output or in_place:
        raise UsageError("-o and --in-place go with --fix", hint="maixfs doctor --help")
    checkup = look_at(screen, there, where)
    if screen.json:
        screen.emit(checkup.as_dict())
    else:
        draw_checkup(screen, checkup)
    return int(not checkup.examination.healthy)


def _goal(there: TargetPath, output: str | None, in_place: bool) -> Path:
    """Return the file to fix; raises ``UsageError`` unless exactly one option names it."""
    if bool(output) == in_place:
        raise UsageError(
            "--fix needs the place of the fixed image",
            hint="-o NEW writes a new image, --in-place changes this one",
        )
    # A board is several files that belong together: a copy of its flash would be a dump.
    if output and there.host.is_dir():
        raise UsageError(f"{there.host} is a board: it is fixed in place", hint="--in-place")
    return Path(output) if output else there.host


def _fix(
    screen: Screen, there: TargetPath, fixes: tuple[str, ...], goal: Path, where: Where
) -> int:
    copied = goal != there.host
    if copied:
        _copy(screen, there, goal)
    try:
        done, written = _do(screen, goal, fixes, where)
    except BaseException:
        if copied:
            goal.unlink(missing_ok=True)
        raise
    # A copy without a change would be taken for the fixed image.
    if copied and not done:
        goal.unlink(missing_ok=True)
    if screen.json:
        screen.emit(_fixed_json(there, done, written if done else None))
        return 0
    for sentence in done:
        screen.line(sentence)
    if not done:
        screen.line(f"nothing to fix ({', '.join(fixes)}); nothing was written")
    elif written is not None:
        draw_proof(screen, written.path, written.size, written.sha256)
    return 0


def _copy(screen: Screen, there: TargetPath, goal: Path) -> None:
    """Copy the image to a new file; raises ``TakenError`` if it exists."""
    from maixfs.cli.proof import write_new
    from maixfs.host.files import read_file
    from maixfs.image.errors import TakenError

    if goal.exists():
        raise TakenError(f"{goal} exists already", hint="choose another name")
    write_new(screen, goal, read_file(there.host), force=False)


def _do(
    screen: Screen, goal: Path, fixes: tuple[str, ...], where: Where
) -> tuple[list[str], Written | None]:
    from maixfs.cli.targets import opened
    from maixfs.doctor import FIXES as BY_NAME

    done: list[str] = []
    with opened(screen, goal, where, writable=True) as target:
        for name in dict.fromkeys(fixes):
            done += BY_NAME[name](target)
        return done, next(iter(target.commit()), None)


def _fixed_json(there: TargetPath, done: list[str], written: Written | None) -> dict[str, Any]:
    proof = None
    if written is not None:
        proof = {"path": written.path, "size": written.size, "sha256": written.sha256}
    return {"target": str(there), "fixed": done, "written": proof}
