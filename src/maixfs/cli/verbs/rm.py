"""``maixfs rm``: remove files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from maixfs.cli.options import PLACE, bytes_option, dry_run_option, json_option, recursive_option
from maixfs.cli.proof import commit, draw_written, written_json
from maixfs.cli.screen import Screen, Text
from maixfs.cli.targets import by_host, opened, writing_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where
    from maixfs.image.image import Image
    from maixfs.image.volume import ImageEntry


@verb(
    "rm",
    ("maixfs rm board:/flash/old.py", "Remove a file."),
    ("maixfs rm -rn 'dump.bin:/flash/**/*.tmp'", "List the files that a pattern would remove."),
)
@click.argument("places", metavar="TARGET:PATH...", nargs=-1, required=True, type=PLACE)
@recursive_option
@click.option("-f", "--force", is_flag=True, help="Ignore missing paths; remove read-only files.")
@dry_run_option
@bytes_option
@json_option
@writing_options
def rm(
    screen: Screen,
    places: tuple[str, ...],
    recursive: bool,
    force: bool,
    dry_run: bool,
    where: Where,
) -> None:
    """PATH may be a pattern (*, ?, [...], ** for any folders; quote it). All paths of a
    target are removed in one step; if an error occurs, none is.

    The data stays readable in the flash chip until its block is erased (maixfs gc).
    """
    result = []
    for host, paths in by_host(places, "rm", root=False).items():
        with opened(screen, host, where, writable=not dry_run) as target:
            chosen = list(_chosen(target, paths, recursive, force))
            files = [(entry.path, entry.size) for entry in chosen]
            if not dry_run:
                target.remove_all(chosen, force=force)
            written = [] if dry_run else commit(screen, target)
        result.append((host, files, written))
        if not screen.json:
            _draw(screen, host, files, dry_run)
            draw_written(screen, written)
    if screen.json:
        targets = [
            {
                "target": str(host),
                "removed": [{"path": path, "size": size} for path, size in files],
                "written": written_json(written),
            }
            for host, files, written in result
        ]
        screen.emit({"dry_run": dry_run, "targets": targets})


def _chosen(target: Image, paths: list[str], recursive: bool, force: bool) -> Iterator[ImageEntry]:
    """Yield the entries to remove, each once; raises before anything is removed."""
    from maixfs.image.errors import MissingError, TargetError

    # Patterns may overlap, and a folder may be named together with a file in it.
    seen: set[str] = set()
    for path in paths:
        try:
            found = target.find(path)
        except MissingError:
            if force:
                continue
            raise
        for entry in found:
            if entry.is_dir and not recursive:
                raise TargetError(
                    f"{entry.path} is a folder", hint="-r removes it and everything in it"
                )
            for inside in target.whole(entry):
                if inside.path not in seen:
                    seen.add(inside.path)
                    yield inside


def _draw(screen: Screen, host: TargetPath, files: list[tuple[str, int]], dry_run: bool) -> None:
    word = "would remove" if dry_run else "removed"
    for path, size in files:
        screen.line(f"{word} {host}:{path}  ", Text(screen.size(size), "dim"))
    if not files:
        screen.line("nothing to remove")
