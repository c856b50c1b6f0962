"""Files with contents in memory, written into a folder of the host: all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from maixfs.host.drafts import clear_drafts
from maixfs.host.files import make_folder
from maixfs.image.content import Content
from maixfs.image.entries import Progress, Written
from maixfs.transfer.unpacking import HostNames, refuse_different, write_host


def host_names(names: Iterable[str]) -> dict[str, str]:
    """Return by name the path that a file gets in a folder of the host."""
    parts = {name: tuple(name.split("/")) for name in names}
    chosen = HostNames(parts.values())
    return {name: "/".join(chosen[path]) for name, path in parts.items()}


def write_folder(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Written]:
    """Write files into a folder, by their paths in it; equal files are left alone.

    Raises ``TakenError`` for a file that exists and differs, unless ``force`` replaces it, before
    anything is written; ``TargetError`` if a link leads out of the folder, and ``DeviceError`` if
    the host refuses.
    """
    contents = {folder / name: Content.of(data) for name, data in files.items()}
    for place, content in contents.items():
        if not force:
            refuse_different(place, content)
    # Only after all files were compared: a refusal leaves nothing behind, not even the folder.
    make_folder(folder)
    clear_drafts(folder)
    total, done = sum(content.size for content in contents.values()), 0
    written = []
    for place, content in contents.items():
        if progress is not None:
            progress("write", done, total)
        written.append(write_host(place, content, folder))
        done += content.size
    return written
