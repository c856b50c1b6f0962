"""Carry out a copy that was planned."""

from __future__ import annotations

from maixfs.target.copyplan import Action, CopyPlan, CopyStep
from maixfs.target.records import Progress, Written
from maixfs.target.sessions import Sessions
from maixfs.target.unpacking import make_folder, write_host


def apply(
    plan: CopyPlan, progress: Progress | None = None, dry_run: bool = False
) -> list[Written]:
    """Do all steps of a plan; returns what is there now, step by step.

    A target that is written gets all files or, where anything goes wrong (Ctrl-C too), none; the
    host's files are written one by one, each whole. With ``dry_run`` nothing is opened, and the
    list is empty. Raises as ``Target.write`` and ``Target.commit`` do.
    """
    if dry_run or not plan.steps:
        return []
    goal = plan.steps[0].destination
    host = goal.host if goal.path is not None else None
    with Sessions(host, plan.where, writable=True) as sessions:
        written: list[Written] = []
        done = 0
        for step in plan.steps:
            if progress is not None:
                progress("copy", done, plan.total)
            written.append(_do(step, plan, sessions))
            done += 0 if step.action is Action.SAME else step.size
        if progress is not None:
            progress("copy", plan.total, plan.total)
        if host is not None:
            sessions.target(host).commit(progress)
        return written


def _do(step: CopyStep, plan: CopyPlan, sessions: Sessions) -> Written:
    data = sessions.read(step.source)
    if step.destination.path is not None:
        target = sessions.target(step.destination.host)
        return target.write(step.destination.path, data)
    if plan.root is not None:
        make_folder(plan.root)
    return write_host(step.destination.host, data, plan.root)._replace(note=step.note)
