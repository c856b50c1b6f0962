"""Carry out a copy that was planned."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

from maixfs.host.drafts import clear_drafts
from maixfs.host.files import make_folder
from maixfs.image.address import TargetPath
from maixfs.image.content import PIECE
from maixfs.image.entries import Progress, Where, Written
from maixfs.transfer.copyplan import Action, CopyPlan, CopyStep
from maixfs.transfer.sessions import Sessions
from maixfs.transfer.unpacking import counted, write_host


class Copied(NamedTuple):
    """What a copy left behind."""

    files: list[Written]
    """What is there now, step by step."""
    images: list[Written]
    """The host's files of a target that were written; none where nothing changed."""


def apply(plan: CopyPlan, progress: Progress | None = None, dry_run: bool = False) -> Copied:
    """Do all steps of a plan.

    A target that is written gets all files or, where anything goes wrong (Ctrl-C too), none; the
    host's files are written one by one, each whole. With ``dry_run`` nothing is opened, and
    there are no files. Raises as ``Target.write`` and ``Target.commit`` do.
    """
    if dry_run or not (plan.steps or plan.folders):
        return Copied([], [])
    goal = plan.steps[0].destination if plan.steps else plan.folders[0]
    inside = goal.whole if goal.path is not None else None
    if inside is None:
        for parent in {step.destination.host.parent for step in plan.steps}:
            clear_drafts(parent)
    with Sessions(
        inside, Where(drives=plan.drives), known=plan.geometries, writable=True
    ) as sessions:
        written: list[Written] = []
        for folder in plan.folders:
            _make(folder, sessions)
        done, total = 0, plan.total
        for step in plan.steps:
            tell = _teller(progress, done, total) if step.action is not Action.SAME else None
            if progress is not None:
                progress("copy", done, total)
            with nullcontext() if inside is not None else counted(written):
                written.append(_do(step, plan, sessions, tell))
            done += 0 if step.action is Action.SAME else step.size
        if progress is not None:
            progress("copy", total, total)
        images = sessions.target(inside).commit(progress) if inside is not None else []
        return Copied(written, images)


def _make(folder: TargetPath, sessions: Sessions) -> None:
    if folder.path is None:
        make_folder(folder.host)
    else:
        sessions.target(folder).mkdir(folder.path, parents=True)


def _teller(progress: Progress | None, done: int, total: int) -> Callable[[int], None] | None:
    """Return what tells how far a file is, of which ``done`` bytes come before."""
    if progress is None:
        return None
    return lambda part: progress("copy", min(done + part, total), total)


def _do(
    step: CopyStep, plan: CopyPlan, sessions: Sessions, tell: Callable[[int], None] | None
) -> Written:
    content = sessions.content(step.source)
    if tell is not None and step.size > PIECE:
        content = content.watched(tell)
    if step.destination.path is not None and step.action is Action.SAME:
        return Written(step.destination.path, content.size, content.sha256(), False)
    if step.destination.path is not None:
        target = sessions.target(step.destination)
        return target.write_file(step.destination.path, content)
    if plan.root is not None:
        make_folder(plan.root)
    return write_host(step.destination.host, content, plan.root)._replace(note=step.note)
