"""``maixfs cp``: copy files and folders between this computer and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.options import (
    PLACE,
    bytes_option,
    dry_run_option,
    follow_option,
    json_option,
    recursive_option,
)
from maixfs.cli.proof import draw_files, draw_written, file_json, written_json
from maixfs.cli.screen import Progress, Screen, Text
from maixfs.cli.targets import writing_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.transfer.copying import CopyPlan


@verb(
    "cp",
    ("maixfs cp -r src/. board:/flash", "Copy the contents of a folder to a board."),
    ("maixfs cp 'dump.bin:*.jpg' photos", "Copy the pictures out of a dump."),
)
@click.argument("places", metavar="SOURCE... DESTINATION", nargs=-1, type=PLACE)
@recursive_option
@follow_option
@dry_run_option
@bytes_option
@json_option
@writing_options
def cp(
    screen: Screen,
    places: tuple[str, ...],
    recursive: bool,
    follow_links: bool,
    dry_run: bool,
    where: Where,
) -> int:
    """TARGET:PATH names a file inside an image; anything without a colon is a local path. Patterns
    (*, ?, [...]) work on both sides; quote those for a target. Existing files are replaced; a file
    with the same bytes is up to date and is not written.

    A folder is copied into an existing destination under its own name; SOURCE/. copies its
    contents. --geometry and --base describe the destination, or the sources if the destination is
    a local path. If an error occurs, nothing in the target changes. Names that this computer
    cannot store are changed and listed; the exit code is then 1.
    """
    from maixfs.transfer.copying import Copy, CopyOptions

    if len(places) < 2:
        raise WrongUsage("cp needs at least one source and a destination", hint="maixfs cp --help")
    *sources, destination = places
    options = CopyOptions(recursive, where, follow_links)
    with Copy(sources, destination, options, dry_run=dry_run) as copy:
        plan = copy.plan
        for warning in plan.warnings:
            screen.note(warning)
        if dry_run:
            _draw_plan(screen, plan)
            return 0
        with Progress(screen, rates=True) as progress:
            files, images = copy.run(progress)
    goal = plan.steps[0].destination if plan.steps else None
    whole = goal.whole if goal is not None and goal.path is not None else None
    if whole is not None:
        files = [file._replace(path=f"{whole}:{file.path}") for file in files]
    code = int(any(file.note for file in files))
    if screen.json:
        result = {"dry_run": False, "files": [file_json(file) for file in files]}
        screen.emit({**result, "written": written_json(images), "warnings": plan.warnings})
        return code
    draw_files(screen, files, sum_up=whole is None)
    draw_written(screen, images)
    return code


def _draw_plan(screen: Screen, plan: CopyPlan) -> None:
    if screen.json:
        steps = [
            {
                "source": str(step.source),
                "destination": str(step.destination),
                "size": step.size,
                "action": str(step.action),
                "note": step.note,
            }
            for step in plan.steps
        ]
        screen.emit({"dry_run": True, "steps": steps, "warnings": plan.warnings})
        return
    for step in plan.steps:
        if step.action == "up to date":
            screen.line(f"up to date: {step.destination}")
        else:
            word = "replace" if step.action == "replace" else "write"
            size = Text(screen.size(step.size), "dim")
            screen.line(f"would {word} {step.destination} from {step.source}  ", size)
