"""Counts of power cuts that tests hand to the summary at the end of a run."""

from __future__ import annotations

from typing import Protocol

PROPERTY = "power cuts"
"""Name of the property under which a test's report carries its counts."""


class CountCuts(Protocol):
    """Note what a test has cut: a name, cuts, different states among them, cuts with a loss."""

    def __call__(self, name: str, cuts: int, states: int, lost: int = 0) -> None: ...
