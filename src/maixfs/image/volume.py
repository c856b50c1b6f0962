"""A mounted file system in a target: the one thing that SPIFFS and FAT have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from maixfs.errors import UsageError
from maixfs.image.catalog import Catalog
from maixfs.image.content import Content
from maixfs.image.entries import Entries, Entry, Progress, Room, Written
from maixfs.image.errors import MissingError, TargetError
from maixfs.image.names import Parts, Steps
from maixfs.image.paths import Mount


class Volume(Protocol):
    """A file system at its place in a target: ``mount``.

    Paths are absolute, as the catalogue has them. Changes are seen at once and lie in memory
    until ``save``; each is done whole or not at all, and raises ``FitError`` where there is no
    room, ``UsageError`` where the volume is open for reading.
    """

    mount: Mount
    format: str
    """``SPIFFS``, ``FAT12``, ``FAT16`` or ``FAT32``."""
    has_folders: bool
    """Whether folders are things of their own, not only slashes in names."""
    keeps_times: bool
    """Whether files have the time when they were written."""

    @property
    def catalog(self) -> Catalog:
        """All files and folders."""

    @property
    def writable(self) -> bool:
        """Whether it was opened for changing."""

    def canonical(self, steps: Steps) -> Steps:
        """Return a path as the catalogue has it, as far as it has it."""

    def find(self, steps: Steps) -> Entry | None:
        """Return the file, or else the folder, of a path."""

    def refuse_unreadable(self, parts: Parts) -> None:
        """Raise ``UnreadableError`` for a folder that is there but cannot be read."""

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of a file; raises ``UnreadableError``."""

    def open(self, entry: Entry) -> BinaryIO:
        """Return a file to read from."""

    def room(self) -> Room:
        """Return how much is taken and left."""

    def facts(self, entry: Entry) -> dict[str, Any]:
        """Return what is known of a file or folder beyond a listing."""

    def place_of(self, path: str) -> str:
        """Return the path that a file written to ``path`` gets; ``UsageError`` where none can."""

    def key_of(self, path: str) -> str:
        """Return what two paths of one file have in common: on FAT case does not matter."""

    def check_fits(self, sizes: Mapping[str, int]) -> None:
        """Raise ``FitError`` where files of these sizes (bytes, by path) can never fit."""

    def write(self, path: str, content: Content, meta: bytes | None) -> Written:
        """Put a file there; the very same content is left alone."""

    def remove(self, entries: Entries, *, force: bool = False) -> None:
        """Remove files, and folders that are named with all that is in them: all or none.

        ``force`` has files go that are marked as read-only.
        """

    def rename(self, moves: Sequence[tuple[Entry, str]], *, replace: bool) -> None:
        """Give files and folders other paths: all or none."""

    def mkdir(self, path: str, *, parents: bool) -> bool:
        """Make a folder; with ``parents`` those above too, and one that is there is no error."""

    def gc(self) -> int:
        """Free the units that deleted data holds; returns how many."""

    def save(self, progress: Progress | None) -> Written | None:
        """Put the changes into the host's file, in one step; ``None`` where there are none."""

    def close(self) -> None:
        """Let go of what is open; changes that were not saved are gone."""


def missing(volume: Volume, host: object, path: str, steps: Steps) -> TargetError | UsageError:
    """Return the error for a path that a volume does not have."""
    if steps.parts[: len(volume.mount.parts)] != volume.mount.parts:
        return volume.mount.elsewhere(steps)
    if steps.page is not None:
        return MissingError(f"{path}: no file has its header at page {steps.page}")
    shown = "/" + "/".join(steps.parts)
    return MissingError(
        f"{shown}: no such file in {host}", hint=_likeness(volume.catalog, steps.parts)
    )


def _likeness(catalog: Catalog, parts: Parts) -> str | None:
    """Return a hint to a file whose name is much like one that is not there."""
    from difflib import get_close_matches

    below = len(catalog.mount)
    paths = {"/".join(known[below:]): known for known in catalog.likeness(parts)}
    close = get_close_matches("/".join(parts[below:]), paths, n=1, cutoff=0.7)
    return f"there is /{'/'.join(paths[close[0]])}" if close else None
