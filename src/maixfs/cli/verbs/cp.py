"""``maixfs cp``: files and folders, between the host and targets."""

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
    ("maixfs cp -r src/. board:/flash", "Put all that is in a folder on a board."),
    ("maixfs cp 'dump.bin:*.jpg' photos", "Take the pictures out of a dump."),
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
) -> None:
    """What has a colon is in a target: TARGET:PATH. All else is on this computer. Patterns (*, ?,
    [...]) work on both sides; quote those for a target. A file that is there already is replaced;
    one with the very same bytes is up to date and left alone.

    A folder lands in a destination that is there under its own name; SOURCE/. stands for what is
    in it. --geometry and --base are said of the destination or, where that is on this computer,
    of the sources. A target gets all files or, where something goes wrong, none.
    """
    from maixfs.transfer.copying import apply, plan_copy

    if len(places) < 2:
        raise WrongUsage("cp takes what to copy, and where to", hint="maixfs cp --help")
    *sources, destination = places
    plan = plan_copy(
        sources,
        destination,
        recursive,
        geometry=where.geometry,
        base=where.base,
        follow_links=follow_links,
        drives=where.drives,
        damaged=where.force,
    )
    for warning in plan.warnings:
        screen.note(warning)
    if dry_run:
        _tell_plan(screen, plan)
        return
    with Progress(screen, rates=True) as progress:
        files, images = apply(plan, progress)
    goal = plan.steps[0].destination if plan.steps else None
    whole = goal.whole if goal is not None and goal.path is not None else None
    if whole is not None:
        files = [file._replace(path=f"{whole}:{file.path}") for file in files]
    if screen.json:
        result = {"dry_run": False, "files": [file_json(file) for file in files]}
        screen.emit({**result, "written": written_json(images), "warnings": plan.warnings})
        return
    draw_files(screen, files, sum_up=whole is None)
    draw_written(screen, images)


def _tell_plan(screen: Screen, plan: CopyPlan) -> None:
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
