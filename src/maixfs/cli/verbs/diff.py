"""``maixfs diff``: what differs between two images, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maixfs.cli.flash.image import opened_image
from maixfs.cli.options import PLACE, bytes_option, json_option
from maixfs.cli.screen import Part, Screen, Text, count_text, hex_text, range_text
from maixfs.cli.targets import opened, where_options
from maixfs.cli.verb import verb

if TYPE_CHECKING:
    from maixfs.compare.files import AreaDiff, FileDiff, ImageDiff, PageDiff, PartDiff, Range
    from maixfs.image.address import TargetPath
    from maixfs.image.entries import Where


@verb(
    "diff",
    ("maixfs diff before.bin after.bin", "Compare firmware, models, file systems and files."),
    ("maixfs diff board:/flash card.img:/", "Compare two trees of files on any targets."),
)
@click.argument("old", metavar="A", type=PLACE)
@click.argument("new", metavar="B", type=PLACE)
@click.option("--files", "by_files", is_flag=True, help="Compare only the files.")
@click.option(
    "-v",
    "--verbose",
    "level",
    count=True,
    help="Also show pages and bytes; -vv shows all of them.",
)
@bytes_option
@json_option
@where_options
def diff(screen: Screen, old: str, new: str, by_files: bool, level: int, where: Where) -> int:
    """A and B are flashes (images or boards), cards, or folders of any targets (board:/flash).
    Flashes are compared part by part; in a file system, changed files are told from pages that
    garbage collection moved. Cards and folders are compared file by file. The exit code is 0 if
    both are equal, 1 if they differ.
    """
    from maixfs.image.address import parse_target
    from maixfs.image.opening import is_card

    places = parse_target(old), parse_target(new)
    # Geometry and base describe one file system, so what is compared are its files.
    trees = by_files or where.is_spiffs or any(place.path is not None for place in places)
    if trees or any(is_card(place, where) for place in places):
        return _diff_trees(screen, (old, new), places, where)
    return _diff_images(screen, (old, new), level)


def _diff_images(screen: Screen, names: tuple[str, str], level: int) -> int:
    from maixfs.compare import diff as compare

    with opened_image(screen, Path(names[0])) as old, opened_image(screen, Path(names[1])) as new:
        difference = compare(old.flash.image, new.flash.image)
        if screen.json:
            about = {"old": names[0], "new": names[1], "equal": difference.equal, "by": "parts"}
            sizes = {"old_size": difference.old_size, "new_size": difference.new_size}
            parts = [_part_json(part) for part in difference.parts]
            screen.emit({**about, **sizes, "sectors": len(difference.sectors), "parts": parts})
        elif difference.equal:
            screen.line(f"{names[0]} and {names[1]} are equal, {screen.size(difference.old_size)}")
        else:
            draw_images(
                screen,
                names,
                difference,
                Bytes(old.flash.image, new.flash.image, difference.sectors),
                level,
            )
    return int(not difference.equal)


def _part_json(part: PartDiff) -> dict[str, Any]:
    return {**part._asdict(), "area": None if part.area is None else _area_json(part.area)}


def _area_json(area: AreaDiff) -> dict[str, Any]:
    return {
        **area._asdict(),
        "files": [diff._asdict() for diff in area.files],
        "pages": [page._asdict() for page in area.pages],
    }


def _diff_trees(
    screen: Screen,
    names: tuple[str, str],
    places: tuple[TargetPath, TargetPath],
    where: Where,
) -> int:
    from maixfs.compare.trees import compare_trees

    with opened(screen, places[0], where) as old, opened(screen, places[1], where) as new:
        difference = compare_trees(old, new, places[0].path, places[1].path)
    same = not difference.files
    if screen.json:
        about = {"old": names[0], "new": names[1], "equal": same, "by": "files"}
        files = [diff._asdict() for diff in difference.files]
        screen.emit({**about, "files": files, "equal_files": difference.equal_files})
        return int(not same)
    count = count_text(difference.equal_files, "file")
    if same:
        screen.line(f"{names[0]} and {names[1]} have the same files: {count}")
    else:
        differ = count_text(len(difference.files), "file differs", "files differ")
        screen.line(f"{names[0]} and {names[1]}: {differ}, {count} the same")
        draw_files(screen, difference.files, len(difference.files))
    return int(not same)


MOST_FILES = 20
MOST_RANGES = 12
SHOWN = 8
"""Bytes of a range that are shown."""
_ROLES = {"added": "good", "removed": "bad", "changed": "warning"}


class Bytes:
    """The bytes of two images that were compared."""

    def __init__(self, old: memoryview, new: memoryview, sectors: Sequence[int]) -> None:
        self.old, self.new = old, new
        self._sectors = sectors

    def ranges(self, start: int, end: int) -> Iterator[Range]:
        """Yield the differing ranges between two addresses."""
        from maixfs.compare.images import find_ranges

        return find_ranges(self.old, self.new, self._sectors, start, end)


def draw_images(
    screen: Screen, names: tuple[str, str], diff: ImageDiff, data: Bytes, level: int
) -> None:
    """Print the differences of two images; ``level`` 1 adds pages and bytes, 2 all of them."""
    of = f"{len(diff.sectors)} of {count_text(diff.total_sectors, 'sector')}"
    screen.line(Text(f"{names[0]} and {names[1]} differ", "heading"), f": {of}")
    if diff.old_size != diff.new_size:
        screen.line(f"sizes differ: {diff.old_size:#x} and {diff.new_size:#x} bytes")
    screen.line()
    for part in diff.parts:
        screen.line(*_title(screen, part))
        _draw_detail(screen, part)
        if part.area is not None:
            draw_area(screen, part.area, level)
        if level:
            _draw_ranges(screen, part, data, level)


def _title(screen: Screen, part: PartDiff) -> Iterator[Part]:
    yield Text(f"{part.change:<10}", _ROLES.get(part.change, "hint"))
    place = range_text(part.start, part.end)
    if part.old_start not in (None, part.start):
        place = f"{hex_text(part.old_start or 0)} -> {place}"
    yield f"  {part.kind:<11}  {place}, {screen.size(part.size)}"
    if part.change != "moved":
        yield f", {count_text(part.differing, 'byte differs', 'bytes differ')}"


def _draw_detail(screen: Screen, part: PartDiff) -> None:
    old, new = part.old_detail, part.new_detail
    if old and new and old != new:
        screen.paragraph("    ", Text("was", "dim"), old)
        screen.paragraph("    ", Text("is ", "dim"), new)
    elif part.area is None:
        screen.paragraph("    ", Text("it is", "dim"), new or old)


def draw_area(screen: Screen, area: AreaDiff, level: int) -> None:
    """Print the differences of a file system."""
    screen.line("    ", summary(area))
    draw_files(screen, area.files, len(area.files) if level else MOST_FILES)
    if level:
        for row in _page_rows(area.pages, level):
            screen.line("      ", row)


def summary(area: AreaDiff) -> str:
    """Return in a sentence why two file systems differ."""
    if area.fault:
        return area.fault
    pages = count_text(len(area.pages), "page differs", "pages differ")
    reason = str(area.reason)
    if reason == "files":
        counts = Counter(str(diff.change) for diff in area.files)
        named = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
        same = f"{count_text(area.equal_files, 'file')} the same"
        return f"files: {named}, {same}; {_page_summary(area.pages)}"
    if reason == "garbage collection":
        blocks = ", ".join(map(str, area.erased_blocks))
        single = len(area.erased_blocks) == 1
        what = (
            f"one garbage collection (block {blocks})"
            if single
            else f"garbage collection of blocks {blocks}"
        )
        return f"{pages}, all from {what}; files identical"
    if not area.same_geometry:
        return "different geometry; files identical"
    if reason == "rewriting":
        return f"{pages}: files were rewritten with the same contents; files identical"
    return f"{pages}, only in deleted data and block metadata; files identical"


def _page_summary(pages: Sequence[PageDiff]) -> str:
    if not pages:
        return "pages cannot be compared"
    counts = Counter(str(page.change) for page in pages)
    named = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return f"{count_text(len(pages), 'page differs', 'pages differ')} ({named})"


def draw_files(screen: Screen, files: Sequence[FileDiff], most: int) -> None:
    """Print the files that differ."""
    for diff in files[:most]:
        label = Text(f"{diff.change:<8}", _ROLES.get(diff.change, "hint"))
        screen.line("      ", label, "  ", *_file_text(screen, diff))
    if len(files) > most:
        screen.line(f"      ... and {len(files) - most} more files: -v shows all")


def _file_text(screen: Screen, diff: FileDiff) -> Iterator[Part]:
    yield f"{diff.old_path} -> {diff.path}" if diff.old_path else diff.path
    sizes = [screen.size(size) for size in (diff.old_size, diff.new_size) if size is not None]
    same = diff.old_size == diff.new_size
    yield Text("  " + (sizes[0] if same else " -> ".join(sizes)), "dim")
    if diff.first is not None:
        yield f", from byte {diff.first} on"
    if diff.note:
        yield f", {diff.note}"


def _page_rows(pages: Sequence[PageDiff], level: int) -> Iterator[str]:
    most = len(pages) if level > 1 else MOST_FILES
    for page in islice(pages, most):
        path = f"  {page.path}" if page.path else ""
        yield f"page {page.page} at {hex_text(page.address)}: {page.change}{path}"
    if len(pages) > most:
        yield f"... and {len(pages) - most} more pages: -vv shows all"


def _draw_ranges(screen: Screen, part: PartDiff, data: Bytes, level: int) -> None:
    # Its bytes are equal, only at another address.
    if part.change == "moved":
        return
    ranges: Iterable[Range] = data.ranges(part.start, part.end)
    most = None if level > 1 else MOST_RANGES
    iterator = iter(ranges)
    for piece in islice(iterator, most):
        end = piece.start + piece.size
        old, new = (_hex(view[piece.start : end]) for view in (data.old, data.new))
        bytes_text = f"{old} -> {new}"
        screen.line(
            f"      {range_text(piece.start, end)}, {count_text(piece.size, 'byte')}: {bytes_text}"
        )
    # The ranges are found while they are printed: counting the rest would compare the rest of the
    # chip.
    if next(iterator, None) is not None:
        screen.line("      ... and more bytes: -vv shows all")


def _hex(view: memoryview) -> str:
    if not view:
        return "none"
    more = " ..." if len(view) > SHOWN else ""
    return bytes(view[:SHOWN]).hex(" ") + more
