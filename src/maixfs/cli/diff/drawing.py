"""The result of a comparison on the screen: parts, under them files, pages and bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from maixfs.cli.flash.image import range_text
from maixfs.cli.screen import Part, Screen, Text
from maixfs.cli.wording import count_text, hex_text

if TYPE_CHECKING:
    from maixfs.compare import AreaDiff, FileDiff, ImageDiff, PageDiff, PartDiff, Range

MOST_FILES = 20
MOST_RANGES = 12
SHOWN = 8
"""Bytes of a range that are shown."""
_ROLES = {"added": "good", "removed": "bad", "changed": "warning"}


class Bytes:
    """The bytes behind a comparison of images, for those who want to see them."""

    def __init__(self, old: memoryview, new: memoryview, sectors: Sequence[int]) -> None:
        self.old, self.new = old, new
        self._sectors = sectors

    def ranges(self, start: int, end: int) -> Iterator[Range]:
        """Yield what differs between two addresses."""
        from maixfs.compare import find_ranges

        return find_ranges(self.old, self.new, self._sectors, start, end)


def draw_images(
    screen: Screen, names: tuple[str, str], diff: ImageDiff, data: Bytes, level: int
) -> None:
    """Write what differs between two images; ``level`` 1 has pages and bytes, 2 all of them."""
    sectors = max(diff.old_size, diff.new_size) // 0x1000
    of = f"{len(diff.sectors)} of {count_text(sectors, 'sector')}"
    screen.line(Text(f"{names[0]} and {names[1]} differ", "heading"), f": {of}")
    if diff.old_size != diff.new_size:
        screen.line(f"their sizes too: {diff.old_size:#x} and {diff.new_size:#x}")
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
    """Write what became of a file system."""
    screen.line("    ", summary(area))
    draw_files(screen, area.files, len(area.files) if level else MOST_FILES)
    if level:
        for row in _page_rows(area.pages, level):
            screen.line("      ", row)


def summary(area: AreaDiff) -> str:
    """Return in a sentence why a file system differs."""
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
        one = len(area.erased_blocks) == 1
        what = (
            f"one garbage collection (block {blocks})"
            if one
            else f"garbage collection of blocks {blocks}"
        )
        return f"{pages}, all from {what}; files identical"
    if not area.same_geometry:
        return "another geometry; files identical"
    if reason == "rewriting":
        return f"{pages}: files were written again, as they were; files identical"
    return f"{pages}, only deleted data and books of blocks; files identical"


def _page_summary(pages: Sequence[PageDiff]) -> str:
    if not pages:
        return "pages cannot be compared"
    counts = Counter(str(page.change) for page in pages)
    named = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return f"{count_text(len(pages), 'page differs', 'pages differ')} ({named})"


def draw_files(screen: Screen, files: Sequence[FileDiff], most: int) -> None:
    """Write files that are not the same."""
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
    if part.change == "moved":
        return
    found: Iterable[Range] = data.ranges(part.start, part.end)
    most = None if level > 1 else MOST_RANGES
    iterator = iter(found)
    for one in islice(iterator, most):
        end = one.start + one.size
        old, new = (_hex(view[one.start : end]) for view in (data.old, data.new))
        bytes_text = f"{old} -> {new}"
        screen.line(
            f"      {range_text(one.start, end)}, {count_text(one.size, 'byte')}: {bytes_text}"
        )
    if next(iterator, None) is not None:
        screen.line("      ... and more bytes: -vv shows all")


def _hex(view: memoryview) -> str:
    if not view:
        return "none"
    more = " ..." if len(view) > SHOWN else ""
    return bytes(view[:SHOWN]).hex(" ") + more
