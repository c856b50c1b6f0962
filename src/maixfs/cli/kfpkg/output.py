"""Files of the host that verbs make: whole or not at all, and nothing is replaced unasked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen
from maixfs.host.drafts import clear_drafts
from maixfs.host.files import make_folder
from maixfs.image.content import Content, host_content
from maixfs.image.entries import Written
from maixfs.image.errors import TakenError
from maixfs.transfer.unpacking import HostNames, write_host


def host_names(names: list[str]) -> dict[str, str]:
    """Return the names under which files can lie in a folder of the host."""
    parts = {name: tuple(name.split("/")) for name in names}
    chosen = HostNames(parts.values())
    return {name: "/".join(chosen[path]) for name, path in parts.items()}


def write_folder(
    screen: Screen, folder: Path, files: Mapping[str, bytes], *, force: bool
) -> list[Written]:
    """Write files into a folder, by their names in it; equal ones are left alone.

    Raises ``TakenError`` where a file is there that differs, before anything is written, and
    ``DeviceError`` where the host refuses, ``TargetError`` where a link leads out of the folder.
    """
    contents = {folder / name: Content.of(data) for name, data in files.items()}
    for place, content in contents.items():
        if not force and (place.exists() or place.is_symlink()):
            if place.is_file() and content.same(host_content(place)):
                continue
            raise TakenError(
                f"{place} is there already and differs; nothing was written",
                hint="--force replaces it, or choose an empty folder",
            )
    make_folder(folder)
    clear_drafts(folder)
    total, done = sum(content.size for content in contents.values()), 0
    written = []
    with Progress(screen, rates=True) as progress:
        for place, content in contents.items():
            progress("write", done, total)
            written.append(write_host(place, content, folder))
            done += content.size
    return written
