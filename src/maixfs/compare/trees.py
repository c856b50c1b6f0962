"""Two targets compared by their files, whatever file systems hold them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from maixfs.compare.files import Change, FileDiff, FileSide, compare_files
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.image import Image


class TreeDiff(NamedTuple):
    """The files of two targets."""

    files: tuple[FileDiff, ...]
    """Those that differ."""
    equal_files: int


def compare_trees(
    old: Image, new: Image, old_folder: str | None = None, new_folder: str | None = None
) -> TreeDiff:
    """Compare the files of two open targets, or of a folder in each, byte by byte.

    Paths are relative to the folder, or to the mount point if a target mounts one file system.
    """
    before, after = _sides(old, old_folder), _sides(new, new_folder)
    files = compare_files(before, after)
    differing = sum(diff.change is not Change.REMOVED for diff in files)
    return TreeDiff(files, len(after) - differing)


def _sides(target: Image, path: str | None) -> dict[str, FileSide]:
    folder = path or ""
    if not folder:
        mounted = [volume.mount.point for volume in target.volumes.all()]
        folder = mounted[0] if len(mounted) == 1 else "/"
    top = target.stat(folder).path.rstrip("/") if folder != "/" else ""
    return {
        entry.path.removeprefix(top): FileSide(
            entry.size, partial(target.volume(entry.path).open, entry), entry.fault
        )
        for entry in target.scandir(folder, recursive=True)
        if not entry.is_dir
    }
