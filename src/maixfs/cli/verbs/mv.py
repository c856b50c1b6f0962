"""``maixfs mv``: rename files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import PLACE, dry_run_option, force_option, json_option
from maixfs.cli.proof import commit, draw_written, written_json
from maixfs.cli.screen import Screen
from maixfs.cli.targets import by_host, opened, writing_options
from maixfs.cli.verb import verb
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.image import Image


@verb(
    "mv",
    ("maixfs mv board:/flash/main.py board:/flash/old.py", "Rename a file."),
    ("maixfs mv 'dump.bin:*.jpg' dump.bin:photos/", "Move files into a folder."),
)
@click.argument("places", metavar="TARGET:PATH... TARGET:PATH", nargs=-1, type=PLACE)
@force_option
@dry_run_option
@json_option
@writing_options
def mv(screen: Screen, places: tuple[str, ...], force: bool, dry_run: bool, where: Where) -> None:
    """The last PATH is the new name, or the folder to move into: an existing one, or a path that
    ends with a slash. The others may be patterns (quote them). All files are renamed in one step;
    if an error occurs, none is.
    """
    hosts = by_host(places, "mv")
    if len(places) < 2:
        raise WrongUsage("mv needs at least one source and a destination", hint="maixfs mv --help")
    if len(hosts) > 1:
        raise WrongUsage(
            f"mv works inside one target, not from {' to '.join(map(str, hosts))}",
            hint="copy with maixfs cp, then remove with maixfs rm",
        )
    ((host, (*sources, destination)),) = hosts.items()
    with opened(screen, host, where, writable=not dry_run) as target:
        moves = _plan(target, sources, destination)
        if not dry_run:
            target.rename_all(moves, replace=force)
        written = [] if dry_run else commit(screen, target)
    if screen.json:
        moved = [{"from": old, "to": new} for old, new in moves]
        result = {"dry_run": dry_run, "target": str(host), "moved": moved}
        screen.emit({**result, "written": written_json(written)})
        return
    for old, new in moves:
        screen.line(f"{'would move' if dry_run else 'moved'} {host}:{old} to {host}:{new}")
    draw_written(screen, written)


def _plan(target: Image, sources: list[str], destination: str) -> list[tuple[str, str]]:
    """Return (old path, new path) of each move; a folder moves as a whole."""
    entries = [entry for path in sources for entry in target.find(path)]
    # On FAT `mv LIB lib` names the folder itself: it is renamed, not moved into itself.
    cased = len(entries) == 1 and target.is_other_case(entries[0], destination)
    into = destination.endswith("/") or (target.isdir(destination) and not cased)
    if len(entries) > 1 and not into:
        raise UsageError(
            f"{destination} is not a folder: {len(entries)} files cannot be moved into it",
            hint="add a slash at its end to create the folder",
        )
    if into:
        whole = target.absolute(destination).rstrip("/")
        moves = [(entry.path, f"{whole}/{entry.name}") for entry in entries]
    else:
        moves = [(entry.path, target.new_name(destination)) for entry in entries]
    _refuse_clashes(moves)
    return moves


def _refuse_clashes(moves: list[tuple[str, str]]) -> None:
    """Raise ``UsageError`` if a file would keep its name, or two files would get the same."""
    taken: dict[str, str] = {}
    for old, new in moves:
        if old == new:
            raise UsageError(f"{old} and {new} are the same file")
        if taken.setdefault(new, old) != old:
            raise UsageError(f"{taken[new]} and {old} would both become {new}")
