"""Two targets compared by their files, whatever they lie on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from maixfs.cli.screen import Screen
from maixfs.cli.targets import opened

if TYPE_CHECKING:
    from maixfs.compare import FileDiff, FileSide
    from maixfs.image.entries import Where
    from maixfs.image.target import Target


class TreeDiff(NamedTuple):
    """The files of two targets."""

    files: tuple[FileDiff, ...]
    """Those that are not the same."""
    equal_files: int


def compare_trees(screen: Screen, old: str, new: str, where: Where) -> TreeDiff:
    """Compare the files of two targets, or of two folders in them, byte by byte.

    Paths are those below the folder, or below what is mounted where one file system is in each.
    Raises as ``open_target`` does.
    """
    from maixfs.compare import Change, compare_files
    from maixfs.image.address import parse_target

    first, second = parse_target(old), parse_target(new)
    with opened(screen, first, where) as one, opened(screen, second, where) as other:
        before = _sides(one, first.path)
        after = _sides(other, second.path)
        files = compare_files(before, after)
    gone = sum(diff.change is not Change.REMOVED for diff in files)
    return TreeDiff(files, len(after) - gone)


def _sides(target: Target, path: str | None) -> dict[str, FileSide]:
    from maixfs.compare import FileSide

    folder = path or ""
    if not folder:
        mounted = [volume.mount.point for volume in target.volumes.all()]
        folder = mounted[0] if len(mounted) == 1 else "/"
    top = target.stat(folder).path.rstrip("/") if folder != "/" else ""
    return {
        entry.path.removeprefix(top): FileSide(
            entry.size, partial(target.volume(entry.path).open, entry), entry.fault
        )
        for entry in target.list(folder, True)
        if not entry.is_dir
    }
