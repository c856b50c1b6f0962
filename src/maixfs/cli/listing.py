"""What a place on the command line holds, as ``ls`` and ``tree`` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maixfs.cli.screen import Part, Screen, Text
from maixfs.cli.targets import entry_json, opened
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.entries import Where
    from maixfs.image.volume import ImageEntry, Volume


class Listing(NamedTuple):
    """What one place on the command line holds; paths in ``entries`` start with ``folder``."""

    place: str
    folder: str
    entries: list[ImageEntry]
    volumes: dict[str, Volume]
    """The file system of each entry, by its path."""
    facts: dict[str, dict[str, Any]]
    """What is known of each entry beyond a listing, by path, where that was asked for."""

    @property
    def formats(self) -> set[str]:
        """The file systems that the entries are in."""
        return {volume.format for volume in self.volumes.values()}

    def name(self, entry: ImageEntry) -> str:
        """Return an entry's path as seen from the folder, whole where there is none."""
        return (
            entry.path.removeprefix(f"{self.folder.rstrip('/')}/") if self.folder else entry.path
        )

    def label(self, entry: ImageEntry) -> Part:
        """Return an entry's path as it is shown."""
        name = self.name(entry)
        return Text(f"{name}/", "folder") if entry.is_dir else name

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` says."""
        return {
            "target": self.place,
            "folder": self.folder or None,
            "entries": [entry_json(entry, self.volumes[entry.path]) for entry in self.entries],
        }


def read_listing(
    screen: Screen, place: str, where: Where, recursive: bool, *, details: bool = False
) -> Listing:
    """Return what a place holds: a folder's content, or what a pattern matches."""
    from maixfs.image.address import parse_target

    there = parse_target(place)
    with opened(screen, there, where) as target:
        found = target.find(there.path)
        folder = ""
        if len(found) == 1 and found[0].is_dir:
            folder = found[0].path
            found = target.scandir(folder, recursive=recursive)
        volumes = {entry.path: entry.complete().volume for entry in found}
        facts = {e.path: volumes[e.path].facts(e) for e in found} if details else {}
        return Listing(place, folder, found, volumes, facts)
