"""What lies between the things that were found: erased, zero or unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maixfs.image.entropy import classify
from maixfs.image.records import ERASED, UNKNOWN, ZERO, Found
from maixfs.nor.device import blank

SECTOR = 0x1000
LEAST_BLANK = 4 * SECTOR
"""Bytes; a shorter blank run in the middle of unknown bytes counts as part of them."""
_FF = blank(SECTOR)
_00 = bytes(SECTOR)
_WORDS = {
    "text": "text",
    "code": "looks like program code",
    "compressed": "compressed or encrypted",
    "data": "data",
}
_STARTS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"littlefs", "a littlefs file system"),
    (0, b"PK\x03\x04", "a zip archive (a .kfpkg is one)"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"\x7fELF", "an ELF program"),
)


def gaps(size: int, found: Iterable[Found]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what nothing in ``found`` covers, by address."""
    at = 0
    for one in sorted(found, key=lambda one: one.start):
        if one.start > at:
            yield at, min(one.start, size)
        at = max(at, one.end)
    if at < size:
        yield at, size


def fill_gap(view: memoryview, start: int, end: int) -> Iterator[Found]:
    """Yield what a gap consists of; the ranges follow each other from ``start`` to ``end``."""
    for kind, first, behind in _merged(_runs(view, start, end), start, end):
        if kind != UNKNOWN:
            yield Found(kind, first, behind - first, None, _blank_words(kind))
            continue
        name, bits = classify(view[first : _content_end(view, first, behind)])
        detail = _start_of(view, first) or _WORDS.get(name, "data")
        yield Found(kind, first, behind - first, None, detail, bits)


def _content_end(view: memoryview, first: int, behind: int) -> int:
    """Return where unknown bytes end, the erased rest of their last sector left out."""
    last = bytes(view[max(first, behind - SECTOR) : behind])
    return behind - len(last) + len(last.rstrip(b"\xff"))


def _blank_words(kind: str) -> str:
    return "erased (FF)" if kind == ERASED else "zeros"


def _runs(view: memoryview, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield runs of sectors of one kind; the first and the last sector may be parts."""
    kind, first = "", start
    at = start
    while at < end:
        behind = min(end, at - at % SECTOR + SECTOR)
        sector = bytes(view[at:behind])
        here = UNKNOWN
        if sector == _FF[: behind - at]:
            here = ERASED
        elif sector == _00[: behind - at]:
            here = ZERO
        if here != kind:
            if at > first:
                yield kind, first, at
            kind, first = here, at
        at = behind
    if end > first:
        yield kind, first, end


def _merged(
    runs: Iterator[tuple[str, int, int]], start: int, end: int
) -> Iterator[tuple[str, int, int]]:
    """Yield the runs, with short blank ones in the middle of unknown bytes taken into those."""
    open_run: tuple[str, int, int] | None = None
    for kind, first, behind in runs:
        inner = start < first and behind < end
        short = kind != UNKNOWN and inner and behind - first < LEAST_BLANK
        here = UNKNOWN if short else kind
        if open_run and open_run[0] == here:
            open_run = (here, open_run[1], behind)
            continue
        if open_run:
            yield open_run
        open_run = (here, first, behind)
    if open_run:
        yield open_run


def _start_of(view: memoryview, address: int) -> str:
    head = bytes(view[address : address + 64])
    return next((words for offset, sign, words in _STARTS if head.startswith(sign, offset)), "")
