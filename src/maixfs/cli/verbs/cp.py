"""``maixfs cp``: files and folders, between the host and targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.failures import WrongUsage
from maixfs.cli.numbers import geometry_option
from maixfs.cli.options import bytes_option, dry_run_option, json_option, recursive_option
from maixfs.cli.place import PLACE
from maixfs.cli.progress import Progress
from maixfs.cli.proof import draw_files, draw_proof, file_json
from maixfs.cli.screen import Screen, Text
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.spiffs import Geometry
    from maixfs.target import CopyPlan


@verb(
    "cp",
    ("maixfs cp -r src/ board:/flash", "Put a folder on a board."),
    ("maixfs cp 'dump.bin:*.jpg' photos", "Take the pictures out of a dump."),
)
@click.argument("places", metavar="SOURCE... DESTINATION", nargs=-1, type=PLACE)
@recursive_option
@dry_run_option
@geometry_option("The destination's geometry, where it cannot be found")
@bytes_option
@json_option
def cp(
    screen: Screen,
    places: tuple[str, ...],
    recursive: bool,
    dry_run: bool,
    geometry: Geometry | None,
) -> None:
    """What has a colon is in a target: TARGET:PATH. All else is on this computer. Patterns (*, ?,
    [...]) work on both sides; quote those for a target. A file that is there already is replaced;
    one with the very same bytes is up to date and left alone.

    A target gets all files or, where something goes wrong, none.
    """
    from maixfs.target import apply, plan_copy

    if len(places) < 2:
        raise WrongUsage("cp takes what to copy, and where to", hint="maixfs cp --help")
    *sources, destination = places
    plan = plan_copy(sources, destination, recursive, geometry=geometry)
    for warning in plan.warnings:
        screen.note(warning)
    if dry_run:
        _tell_plan(screen, plan)
        return
    with Progress(screen) as progress:
        written = apply(plan, progress)
    goal = plan.steps[0].destination if plan.steps else None
    host = goal.host if goal is not None and goal.path is not None else None
    changed = any(file.changed for file in written)
    proof = _proof(host) if host is not None and changed else None
    labelled = [file._replace(path=f"{host}:{file.path}") for file in written] if host else written
    if screen.json:
        files = [file_json(file) for file in labelled]
        screen.emit({"dry_run": False, "files": files, "written": proof})
        return
    draw_files(screen, labelled, sum_up=host is None)
    if proof is not None:
        draw_proof(screen, proof["path"], proof["size"], proof["sha256"])


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
        screen.emit({"dry_run": True, "steps": steps})
        return
    for step in plan.steps:
        if step.action == "up to date":
            screen.line(f"up to date: {step.destination}")
        else:
            word = "replace" if step.action == "replace" else "write"
            size = Text(screen.size(step.size), "dim")
            screen.line(f"would {word} {step.destination} from {step.source}  ", size)


def _proof(host: Path) -> dict[str, Any]:
    """Return what lies in the host's file of a target now."""
    import hashlib

    file = host / "flash.bin" if host.is_dir() else host
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": str(file), "size": file.stat().st_size, "sha256": digest}
