"""What a file system holds, by path: what every kind of catalogue answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

from maixfs.image.entries import Entry
from maixfs.image.names import Parts


class Catalog(Protocol):
    """The files and folders of a mounted file system; paths start at ``mount`` (``()``: the root).

    ``file`` and ``folder`` are asked only for what is there. What lies in a folder comes by name.
    """

    mount: Parts

    def has_file(self, parts: Parts) -> bool:
        """Tell whether there is a file of that path."""

    def has_folder(self, parts: Parts) -> bool:
        """Tell whether there is a folder of that path; the roots are always there."""

    def file(self, parts: Parts) -> Entry:
        """Return the file of that path."""

    def folder(self, parts: Parts) -> Entry:
        """Return the folder of that path, with the sum of what is in it."""

    def children(self, parts: Parts) -> Iterator[Entry]:
        """Yield what lies in a folder."""

    def below(self, parts: Parts) -> Iterator[Entry]:
        """Yield everything under a folder, each folder before what lies in it."""

    def matching(self, pattern: Parts) -> Iterator[Entry]:
        """Yield the files and folders that a pattern means; ``**`` is any number of folders."""

    def likeness(self, parts: Parts) -> Iterator[Parts]:
        """Yield the paths of files that a mistyped path may have meant."""


def select(entries: Iterator[Entry], pattern: Parts, *, caseless: bool = False) -> Iterator[Entry]:
    """Yield those entries whose path a pattern means."""
    if pattern[-1:] == ("**",):
        pattern += ("*",)
    for entry in entries:
        if _matches(entry.parts, pattern, caseless):
            yield entry


def _matches(parts: Parts, pattern: Parts, caseless: bool) -> bool:
    """Match part by part; the set of places in the pattern keeps ``**`` from branching out."""
    places = {0}
    for part in parts:
        places = _spread(places, pattern)
        places = {
            at if pattern[at] == "**" else at + 1
            for at in places
            if at < len(pattern)
            and (pattern[at] == "**" or _compiled(pattern[at], caseless).match(part))
        }
    return len(pattern) in _spread(places, pattern)


def _spread(places: set[int], pattern: Parts) -> set[int]:
    """Add the places that are reached by letting a ``**`` stand for nothing."""
    spread = set(places)
    for at in range(len(pattern)):
        if at in spread and pattern[at] == "**":
            spread.add(at + 1)
    return spread


@lru_cache(maxsize=64)
def _compiled(part: str, caseless: bool) -> re.Pattern[str]:
    return re.compile(translate(part), re.IGNORECASE if caseless else 0)
