"""Split a flash into files and a recipe from which the same flash is built again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from maixfs.firmware import Firmware, FirmwareError, unwrap, wrap
from maixfs.image.layout import SECTOR, Layout, find_layout
from maixfs.image.parts import BOOT_CONFIG, MODEL, SPIFFS, Found, Parts
from maixfs.nor import Buffer
from maixfs.nor.device import ERASED, blank
from maixfs.recipes.conflicts import find_conflicts, find_present
from maixfs.recipes.pieces import DEFAULT_LAYOUT, Piece
from maixfs.tuples import NamedTuple

RECIPE_NAME = "recipe.toml"
_SHORT_RUN = 0x10000
"""Shorter runs of erased or zero bytes between data are kept as data."""
_ZEROS = bytes(SECTOR)
_TABLES = ("firmware", "model", "spiffs", "raw", "fill")


class SplitPart(NamedTuple):
    """A part of a flash."""

    kind: str
    """Its table in the recipe: firmware, model, spiffs, raw or fill."""
    name: str
    """The name of its file; empty for a fill."""
    address: int
    size: int
    """Bytes that it takes in the flash."""
    data: bytes
    """The content of the file; of firmware its payload, without header and hash."""
    dio: bool = False
    value: int = 0
    """The byte of a fill."""


class Split(NamedTuple):
    """The files of a flash, and the recipe that puts them together."""

    parts: tuple[SplitPart, ...]
    """By address; the rest of the flash is erased."""
    recipe: str
    """The text of the recipe."""


def split(image: Buffer) -> Split:
    """Return the parts of a flash, and a recipe from which ``build`` makes the same bytes.

    A known part keeps its kind if a recipe may have it at that address; everything else that is
    not erased becomes raw data.
    """
    data = bytes(image)
    layout = Parts(data).layout or find_layout(DEFAULT_LAYOUT)
    known = [_known(part, data, layout) for part in find_present(data)]
    parts: list[SplitPart] = []
    at = 0
    for part in known:
        parts += _rest(data, at, part.address)
        parts.append(part)
        at = part.address + part.size
    parts += _rest(data, at, len(data))
    whole = tuple(_with_data_behind(parts))
    return Split(whole, recipe_text(whole, layout, len(data)))


def _known(present: Found, data: bytes, layout: Layout) -> SplitPart:
    """Return a part of the image as a part of the recipe."""
    content = data[present.start : present.end]
    place = f"0x{present.start:06X}"
    if isinstance(present.what, Firmware):
        part = _firmware(present.what, content, present.kind)
    elif present.kind == MODEL:
        part = SplitPart("model", f"model-{place}.kmodel", present.start, len(content), content)
    elif present.kind == SPIFFS:
        part = SplitPart("spiffs", f"spiffs-{place}.bin", present.start, len(content), content)
    else:
        name = "config" if present.kind == BOOT_CONFIG else "data"
        part = SplitPart("raw", f"{name}-{place}.bin", present.start, len(content), content)
    piece = Piece(part.name, part.kind, part.address, content)
    # A recipe that build() refuses would be useless, so a misplaced part is kept as raw bytes.
    conflicts = find_conflicts([piece], layout, len(data), None)
    refused = any(conflict.is_error for conflict in conflicts)
    if part.kind != "raw" and refused:
        part = part._replace(kind="raw", data=content)
    return part


def _firmware(firmware: Firmware, content: bytes, kind: str) -> SplitPart:
    """Return firmware as its payload if wrapping that gives the same bytes, else as raw data."""
    place = firmware.address
    stem = "firmware" if kind == "firmware" else "kboot"
    name = f"{stem}.bin" if not place and stem == "firmware" else f"{stem}-0x{place:06X}.bin"
    part = SplitPart("firmware", name, place, len(content), content, firmware.dio)
    try:
        payload = unwrap(content)
        # Flags that a recipe cannot ask for, or bytes behind the hash, would be lost: the bytes
        # decide, not the fields.
        if wrap(payload, dio=firmware.dio) == content:
            return part._replace(data=payload)
    except FirmwareError:
        pass  # encrypted, damaged or without header: only the raw bytes give the same flash
    return part._replace(kind="raw")


def _rest(data: bytes, start: int, end: int) -> Iterator[SplitPart]:
    """Yield the data and zeros between two known parts."""
    for kind, first, last in _merged(_runs(data, start, end)):
        name = f"data-0x{first:06X}.bin"
        # Zeros are written as a fill, erased bytes as nothing: what no part has is erased when the
        # recipe is built.
        if kind == "zero":
            yield SplitPart("fill", "", first, last - first, b"")
        elif kind == "data":
            yield SplitPart("raw", name, first, last - first, data[first:last])


_Run = tuple[str, int, int]


def _runs(data: bytes, start: int, end: int) -> Iterator[_Run]:
    """Yield (kind, start, end) of runs of sectors that are erased, zero or data."""
    kind, first, at = "", start, start
    while at < end:
        last = min(at + SECTOR - at % SECTOR, end)
        piece = data[at:last]
        now = "data"
        if piece[0] in (0, ERASED):
            now = "erased" if piece == blank(len(piece)) else now
            now = "zero" if piece == _ZEROS[: len(piece)] else now
        if now != kind:
            if first < at:
                yield kind, first, at
            kind, first = now, at
        at = last
    if first < end:
        yield kind, first, end


def _merged(runs: Iterator[_Run]) -> list[_Run]:
    """Return the runs with short gaps between data merged into the data."""
    merged: list[_Run] = []
    for run in runs:
        kind, _, end = run
        gap = merged[-1] if merged else ("", 0, 0)
        # Otherwise a firmware with padding inside would fall apart into dozens of files.
        is_short = gap[0] in ("erased", "zero") and gap[2] - gap[1] < _SHORT_RUN
        if kind == "data" and is_short and len(merged) > 1 and merged[-2][0] == "data":
            merged[-2:] = [("data", merged[-2][1], end)]
        else:
            merged.append(run)
    return merged


def _with_data_behind(parts: Sequence[SplitPart]) -> Iterator[SplitPart]:
    """Yield the parts; data directly behind a model becomes part of it.

    The records of a model give a lower bound of its size: some have more data behind them.
    """
    previous: SplitPart | None = None
    for part in parts:
        joins = previous is not None and previous.address + previous.size == part.address
        if previous is not None and joins and (previous.kind, part.kind) == ("model", "raw"):
            size = previous.size + part.size
            previous = previous._replace(size=size, data=previous.data + part.data)
            continue
        if previous is not None:
            yield previous
        previous = part
    if previous is not None:
        yield previous


def recipe_text(parts: Sequence[SplitPart], layout: Layout, size: int) -> str:
    """Return the text of a recipe for a flash of ``size`` bytes."""
    lines = [f"# {layout.title}", f'layout = "{layout.name}"', f"chip_size = {size:#x}"]
    for kind in _TABLES:
        for part in parts:
            if part.kind == kind:
                lines += ["", f"[[{kind}]]", *_keys(part)]
    return "\n".join(lines) + "\n"


def _keys(part: SplitPart) -> Iterator[str]:
    if part.kind == "fill":
        yield f"value = {part.value:#04x}"
    else:
        yield f"{'image' if part.kind == 'spiffs' else 'file'} = {json.dumps(part.name)}"
    yield f"address = 0x{part.address:06X}"
    if part.kind == "fill":
        yield f"size = {part.size:#x}"
    if part.dio and part.kind == "firmware":
        yield "dio = true"
