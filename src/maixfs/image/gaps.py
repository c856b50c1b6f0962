"""Bytes without a known format: erased, zero or unknown, and what unknown bytes resemble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import log2

from maixfs.nor import Buffer
from maixfs.nor.device import blank
from maixfs.tuples import NamedTuple

ERASED = "erased"
ZERO = "zero"
UNKNOWN = "unknown"
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
_BLANK_WORDS = {ERASED: "erased (FF)", ZERO: "zeros"}
_STARTS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"littlefs", "a littlefs file system"),
    (0, b"PK\x03\x04", "a zip archive (a .kfpkg is one)"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"\x7fELF", "an ELF program"),
)
SAMPLE = 16384
"""Bytes: a longer range is sampled, in pieces from all over it."""
_PIECES = 16
_RANDOM = 7.9
"""Bits per byte from which on bytes are compressed or encrypted, where enough were seen."""
_ENOUGH = 4096
_RETURN = b"\x82\x80"
"""The two bytes of a function's return in compressed RISC-V code."""
_CODE_SHARE = 2048
"""Bytes per function return in code, at most; in random bytes it is one in 65536."""
_TEXT_SHARE = 0.97
_TEXT = bytes({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D, *range(0x80, 0x100)} - {0xFF})


def entropy(data: Buffer, *, sample: int = SAMPLE) -> float:
    """Return the entropy of single bytes, 0 to 8 bits per byte, from a sample of ``data``."""
    return _entropy(_sampled(memoryview(data).cast("B"), sample))


def classify(data: Buffer, *, sample: int = SAMPLE) -> tuple[str, float]:
    """Classify ``data``; return the class and its entropy in bits per byte.

    The class is ``erased`` (all FF), ``zero``, ``text``, ``code`` (for the K210),
    ``compressed`` (or encrypted) or ``data``, decided by a sample.
    """
    seen = _sampled(memoryview(data).cast("B"), sample)
    bits = _entropy(seen)
    if bits == 0.0:
        return {0xFF: "erased", 0x00: "zero"}.get(seen[0] if seen else 0xFF, "data"), bits
    # Bytes over 7F count as text, for UTF-8 and other code pages. Compressed bytes may pass that
    # test by chance; their entropy gives them away.
    if len(seen.translate(None, _TEXT)) <= (1 - _TEXT_SHARE) * len(seen):
        return ("text" if bits < _RANDOM else "compressed"), bits
    if seen.count(_RETURN) * _CODE_SHARE > len(seen):
        return "code", bits
    return ("compressed" if bits >= _RANDOM and len(seen) >= _ENOUGH else "data"), bits


def _sampled(view: memoryview, sample: int) -> bytes:
    if len(view) <= sample:
        return bytes(view)
    piece = max(1, sample // _PIECES)
    # From all over the range: the head of a program or an archive is not typical of the rest.
    step = (len(view) - piece) / (_PIECES - 1)
    starts = (int(number * step) for number in range(_PIECES))
    return b"".join(bytes(view[start : start + piece]) for start in starts)


def _entropy(data: bytes) -> float:
    size = len(data)
    return sum(n / size * log2(size / n) for n in Counter(data).values()) if data else 0.0


def gaps(size: int, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what no range (start, end) covers, by address."""
    at = 0
    for start, end in sorted(ranges):
        if start > at:
            yield at, min(start, size)
        at = max(at, end)
    if at < size:
        yield at, size


class Fill(NamedTuple):
    """A range between the parts of an image."""

    kind: str
    """``ERASED``, ``ZERO`` or ``UNKNOWN``."""
    start: int
    size: int
    detail: str
    entropy: float | None
    """Bits per byte of unknown bytes."""


def fill_gap(view: memoryview, start: int, end: int) -> Iterator[Fill]:
    """Yield the ranges of which a gap consists, one after the other."""
    for kind, first, behind in _merged(_runs(view, start, end), start, end):
        if kind != UNKNOWN:
            yield Fill(kind, first, behind - first, _BLANK_WORDS[kind], None)
            continue
        name, bits = classify(view[first : _content_end(view, first, behind)])
        detail = _start_of(view, first) or _WORDS.get(name, "data")
        yield Fill(kind, first, behind - first, detail, bits)


def _content_end(view: memoryview, first: int, behind: int) -> int:
    """Return where unknown bytes end, the erased rest of their last sector left out."""
    # The erased rest would lower the entropy, and make compressed bytes look like data.
    last = bytes(view[max(first, behind - SECTOR) : behind])
    return behind - len(last) + len(last.rstrip(b"\xff"))


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
        # Data has blank sectors of its own: without this it falls apart into dozens of ranges.
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
