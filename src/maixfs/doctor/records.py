"""What the doctor says."""

from __future__ import annotations

from typing import NamedTuple


class Diagnosis(NamedTuple):
    """Something that was found, its cause and its mend."""

    key: str
    """What kind of thing it is, in a word; stays the same from version to version."""
    is_problem: bool
    """Whether something is wrong; else it is good to know."""
    what: str
    why: str = ""
    """How it comes about, and what it does to a board."""
    mend: str = ""
    """What to do; command lines as they are typed."""
    address: int | None = None
    """Where in the image."""


def series(names: list[str], most: int = 3) -> str:
    """Return ``/a, /b and 4 more``."""
    shown, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
