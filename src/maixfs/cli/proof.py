"""Files of the host that verbs write, and the line that proves it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maixfs.cli.screen import Progress, Screen, Text, count_text

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.image.image import Image
    from maixfs.nor import Buffer


def commit(screen: Screen, target: Image) -> list[Written]:
    """Write the changes of a target to the host's files; return what was written."""
    with Progress(screen, rates=True) as progress:
        return target.commit(progress)


def draw_proof(
    screen: Screen, path: str, size: int, sha256: str, changed: bool = True, about: str = ""
) -> None:
    """Print what a file of the host contains now."""
    word = "wrote " if changed else "up to date: "
    proof = f"sha256 {sha256}" if sha256 else ""
    details = ", ".join(part for part in (screen.size(size), about, proof) if part)
    screen.line(word, Text(path, "heading"), f": {details}")


def draw_files(screen: Screen, files: list[Written], sum_up: bool = True) -> None:
    """Print which files were written: a single one with its proof, several with their sum.

    Of several files, those that were up to date are only counted.
    """
    alone = len(files) == 1
    for file in files:
        if alone and not file.changed:
            screen.line("up to date: ", file.path)
        elif alone and sum_up:
            draw_proof(screen, file.path, file.size, file.sha256)
        elif file.changed:
            screen.line("copied ", file.path, "  ", Text(screen.size(file.size), "dim"))
        if file.note:
            screen.note(f"{file.path}: {file.note}")
    summary = "" if alone else _summary(screen, files, sum_up)
    if summary:
        screen.line(summary)


def _summary(screen: Screen, files: list[Written], sum_up: bool) -> str:
    changed = [file for file in files if file.changed]
    same = len(files) - len(changed)
    if not files:
        return "nothing to copy"
    if not changed or not sum_up:
        return f"{count_text(same, 'file')} up to date" if same else ""
    size = screen.size(sum(file.size for file in changed))
    wrote = f"wrote {count_text(len(changed), 'file')}, {size}"
    return f"{wrote}, {same} up to date" if same else wrote


def file_json(file: Written) -> dict[str, Any]:
    """Return what ``--json`` says of a file that was written."""
    return {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "changed": file.changed,
        "note": file.note,
    }


def draw_written(screen: Screen, written: list[Written]) -> None:
    """Print the proof of a commit."""
    for file in written:
        count = file.sectors
        about = "" if count is None else f"{count_text(count, 'sector')}, read back"
        draw_proof(screen, file.path, file.size, file.sha256, file.changed, about)


def written_json(written: list[Written]) -> dict[str, Any] | None:
    """Return what ``--json`` says of the host's file that was written.

    For a card, size and SHA-256 are those of the ``sectors`` that were written. If a board's flash
    and its card were both written, ``also`` has the others.
    """
    if not written:
        return None
    first, *others = written
    about: dict[str, Any] = {"path": first.path, "size": first.size, "sha256": first.sha256}
    if first.sectors is not None:
        about["sectors"] = first.sectors
    return {**about, "also": [written_json([file]) for file in others]} if others else about


def write_new(screen: Screen, out: Path, data: Buffer, *, force: bool) -> Written:
    """Write a file, unless it has the same contents already.

    Raises ``OccupiedError`` for an existing file unless ``force`` replaces it, and for anything
    that is not a file; ``DeviceError`` if the host refuses.
    """
    from maixfs.host import files
    from maixfs.image.entries import Written
    from maixfs.image.source import held_back

    digest = hashlib.sha256(data).hexdigest()
    with Progress(screen, rates=True) as progress, held_back(out):
        changed = files.write_new(out, (data,), force=force, progress=progress)
    return Written(str(out), len(data), digest, changed)
