"""Copies for tests: the plan alone, without anything written."""

from __future__ import annotations

from typing import Any

from maixfs.transfer.copying import Copy, CopyPlan


def plan_of(*arguments: Any) -> CopyPlan:
    """Return the plan of a copy that is not carried out."""
    with Copy(*arguments, dry_run=True) as copy:
        return copy.plan
