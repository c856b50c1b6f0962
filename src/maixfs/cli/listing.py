"""The entries that an argument names, as ``ls``, ``tree`` and ``du`` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maixfs.cli.screen import Part, Screen, Text
from maixfs.cli.targets import entry_json, opened
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.volume import ImageEntry, Volume


class Listing(NamedTuple):
    """The entries that one argument names; paths in ``entries`` start with ``folder``."""

    place: str
    folder: str
    entries: list[ImageEntry]
    volumes: dict[str, Volume]
    """The file system of each entry, by its path."""
    facts: dict[str, dict[str, Any]]
    """Details of each entry by path; empty unless they were asked for."""

    @property
    def formats(self) -> set[str]:
        """The file systems that the entries are in."""
        return {volume.format for volume in self.volumes.values()}

    def name(self, entry: ImageEntry) -> str:
        """Return an entry's path relative to the folder; the whole path without one."""
        return (
            entry.path.removeprefix(f"{self.folder.rstrip('/')}/") if self.folder else entry.path
        )

    def label(self, entry: ImageEntry) -> Part:
        """Return an entry's path with its style and, for a folder, a slash."""
        name = self.name(entry)
        return Text(f"{name}/", "folder") if entry.is_dir else name

    def as_json(self) -> dict[str, Any]:
        """Return the listing for ``--json``."""
        return {
            "target": self.place,
            "folder": self.folder or None,
            "entries": [entry_json(entry, self.volumes[entry.path]) for entry in self.entries],
        }


def read_listing(
    screen: Screen, place: str, where: Where, recursive: bool, *, details: bool = False
) -> Listing:
    """Read the contents of a folder, or the entries that a pattern matches."""
    from maixfs.image.address import parse_target

    there = parse_target(place)
    with opened(screen, there, where) as target:
        entries = target.find(there.path)
        folder = ""
        if len(entries) == 1 and entries[0].is_dir:
            folder = entries[0].path
            entries = target.scandir(folder, recursive=recursive)
        # Completed here: sizes and faults are read from the image, which is closed when they are
        # printed.
        volumes = {entry.path: entry.complete().volume for entry in entries}
        facts = {e.path: volumes[e.path].facts(e) for e in entries} if details else {}
        return Listing(place, folder, entries, volumes, facts)
