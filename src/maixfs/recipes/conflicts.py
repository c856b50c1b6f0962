"""What would go wrong if pieces were flashed, told with both owners before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from maixfs.firmware import begins_like_payload
from maixfs.image.layout import SECTOR, Layout, Region
from maixfs.kmodel import ModelError, parse_model
from maixfs.recipes.flashers import Flasher
from maixfs.recipes.pieces import Piece, is_image

_HOMES = {
    "firmware": {"firmware", "kboot stage"},
    "model": {"models", "data", "reserved"},
    "spiffs": {"spiffs"},
    "boot config": {"boot config"},
}
"""Regions in which a piece of this kind is expected."""
_HELD = {"spiffs", "littlefs", "boot config", "kboot stage"}
"""Regions in which a foreign piece destroys what a firmware relies on."""


class Conflict(NamedTuple):
    """Something that would go wrong."""

    key: str
    """What kind of thing it is, in one word; stays the same from version to version."""
    is_error: bool
    """Whether it is refused; else it is a warning."""
    message: str
    address: int
    hint: str | None = None


def owner_text(region: Region) -> str:
    """Return whose a region is and where it lies."""
    return f"{region.owner} ({region.start:#x}-{region.end:#x})"


def find_conflicts(
    pieces: Sequence[Piece], layout: Layout, size: int, flasher: Flasher | None
) -> list[Conflict]:
    """Return what is wrong with pieces that are written into a chip in this order.

    ``flasher`` writes each at its address; ``None`` says that the flash is written as a whole,
    so that data may share a sector with its neighbour.
    """
    found = [*_overlaps(pieces)]
    for piece in pieces:
        found += _place_conflicts(piece, size, is_whole=flasher is None)
        found += header_conflicts(piece)
        found += _model_conflicts(piece)
        if piece.address < size:
            found += _region_conflicts(piece, layout)
    if flasher is not None:
        for at, piece in enumerate(pieces):
            found += _padding_conflicts(at, piece, pieces, layout, flasher)
        if flasher.sets_dio:
            found += _flag_conflicts(pieces, layout, flasher)
    return found


def _overlaps(pieces: Sequence[Piece]) -> Iterator[Conflict]:
    longest: Piece | None = None
    for piece in sorted(pieces, key=lambda one: one.address):
        if longest is not None and piece.address < longest.end:
            free = longest.end + -longest.end % SECTOR
            yield Conflict(
                "overlap",
                True,
                f"{longest} and {piece} overlap",
                piece.address,
                f"the next free address behind {longest.name} is {free:#x}",
            )
        if longest is None or piece.end > longest.end:
            longest = piece


def _place_conflicts(piece: Piece, size: int, *, is_whole: bool) -> Iterator[Conflict]:
    if not piece.size:
        yield Conflict("empty", True, f"{piece} is empty", piece.address)
    if piece.end > size:
        yield Conflict(
            "end",
            True,
            f"{piece} ends behind the chip ({size:#x})",
            piece.address,
            "choose a lower address, or a larger chip",
        )
    may_share = is_whole and piece.kind in {"data", "blank"}
    if piece.address % SECTOR and not may_share:
        below = piece.address // SECTOR * SECTOR
        yield Conflict(
            "alignment",
            True,
            f"{piece} does not begin at a sector (a multiple of {SECTOR:#x})",
            piece.address,
            f"near are {below:#x} and {below + SECTOR:#x}",
        )


def header_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield what is wrong with header and hash of a piece, or with their absence."""
    if piece.payload is None:
        if piece.kind == "firmware" and begins_like_payload(piece.data[:16]):
            yield Conflict(
                "header",
                True,
                f"{piece} is a firmware without header: the chip would not start it",
                piece.address,
                "sha256Prefix must be true for it",
            )
        return
    if piece.kind == "firmware" and is_image(piece.payload):
        hint = "sha256Prefix must be false for it, or unwrap it first"
        text = f"{piece} has a header already and would get a second one"
        yield Conflict("header", True, text, piece.address, hint)
    elif piece.kind != "firmware":
        is_known = piece.kind != "data"
        yield Conflict(
            "header",
            is_known,
            f"{piece} is {_named(piece.kind)} but would get a firmware's header and hash"
            if is_known
            else f"{piece} gets a firmware's header and hash but does not begin like a firmware",
            piece.address,
            "sha256Prefix must be false for it" if is_known else None,
        )


def _model_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield that what was given as a model is none, as far as is known."""
    if piece.kind != "model" or not piece.size or piece.payload is not None:
        return
    try:
        parse_model(piece.data)
    except ModelError as error:
        yield Conflict(
            "model", False, f"{piece} is no model that is known: {error}", piece.address
        )


def _named(kind: str) -> str:
    names = {"spiffs": "a SPIFFS", "blank": "blank", "data": "data"}
    return names.get(kind, f"a {kind}")


def _region_conflicts(piece: Piece, layout: Layout) -> Iterator[Conflict]:
    home = layout.region_at(piece.address)
    others = [one for one in layout.owner_of(piece.address, piece.size) if one is not home]
    yield from _misplaced(piece, home, layout)
    harmless = piece.kind in {"data", "blank"}
    for region in others:
        yield Conflict(
            "region",
            not harmless,
            f"{piece} reaches into {owner_text(region)}",
            max(piece.address, region.start),
            f"{region.start - piece.address:#x} bytes fit in front of it",
        )
    if home is not None and home.kind == "firmware" and layout.of_kind("kboot stage"):
        yield from _kboot_conflicts(piece)
    if home is not None and piece.kind == "firmware" and not others and piece.size > home.limit:
        text = f"{piece} has {piece.size:#x} bytes, {owner_text(home)} may have {home.limit:#x}"
        yield Conflict("limit", True, text, piece.address)


def _misplaced(piece: Piece, home: Region | None, layout: Layout) -> Iterator[Conflict]:
    """Yield what is wrong with the region in which a piece begins."""
    wanted = _HOMES.get(piece.kind)
    if wanted is None or (home is not None and home.kind in wanted):
        if home is not None and piece.kind == "spiffs":
            yield from _spiffs_conflicts(piece, home)
        return
    if home is None:
        return
    places = [one for one in layout.regions if one.kind in wanted]
    where = ", ".join(f"{one.start:#x}-{one.end:#x}" for one in places)
    destroys = home.kind in _HELD
    word = "overwrites" if destroys else "lies in the area of"
    yield Conflict(
        "region",
        destroys,
        f"{piece}, {_named(piece.kind)}, {word} {owner_text(home)}",
        piece.address,
        f"{layout.name} has {_named(piece.kind)} at {where}" if where else None,
    )


def _kboot_conflicts(piece: Piece) -> Iterator[Conflict]:
    """Yield that Kboot does not start applications with a flag in their header."""
    if piece.kind == "firmware" and is_image(piece.data) and piece.data[0]:
        yield Conflict(
            "kboot",
            True,
            f"{piece} has flags {piece.data[0]:#04x} in its header: Kboot does not start it",
            piece.address,
            "Kboot takes neither the flag for dual I/O nor encryption",
        )


def _spiffs_conflicts(piece: Piece, home: Region) -> Iterator[Conflict]:
    if (piece.address, piece.size) != (home.start, home.size) and piece.end <= home.end:
        yield Conflict(
            "spiffs",
            True,
            f"{piece} does not fill {owner_text(home)}: the firmware would format it",
            piece.address,
            f"make it for {home.start:#x} with {home.size:#x} bytes",
        )


def _flag_conflicts(
    pieces: Sequence[Piece], layout: Layout, flasher: Flasher
) -> Iterator[Conflict]:
    """Yield the applications that Kboot would not start if the flasher is left to itself."""
    if not layout.of_kind("kboot stage"):
        return
    slots = {region.start for region in layout.of_kind("firmware")}
    for piece in pieces:
        if piece.payload is not None and piece.address in slots and not piece.data[0]:
            yield Conflict(
                "kboot",
                False,
                f"{flasher.about} sets a flag in the header of {piece}: Kboot refuses that",
                piece.address,
                "flash it with the option -i qio",
            )


def _padding_conflicts(
    at: int, piece: Piece, pieces: Sequence[Piece], layout: Layout, flasher: Flasher
) -> Iterator[Conflict]:
    """Yield whom the zeros behind a piece destroy; who is written later is safe."""
    padding = flasher.padding(piece.size)
    start, end = piece.end, piece.end + padding
    if not padding:
        return
    how = f"{flasher.about} fills {piece} with zeros up to {end:#x}"
    for other in pieces[:at]:
        if start < other.end and other.address < end and other.address >= piece.address:
            text = f"{how} and destroys {other}, which was written before"
            hint = f"put {other.name} behind {piece.name} in the list, or use another flasher"
            yield Conflict("padding", True, text, other.address, hint)
    home = layout.region_at(piece.address)
    for region in layout.owner_of(start, padding):
        first, last = max(start, region.start), min(end, region.end)
        if region is home or _is_rewritten(first, last, pieces[at + 1 :]):
            continue
        yield Conflict(
            "padding",
            region.kind in _HELD or region.kind == "firmware",
            f"{how} and destroys {first:#x}-{last:#x} of {owner_text(region)}",
            first,
            "use a flasher that adds nothing, or keep the region's content behind it in the list",
        )


def _is_rewritten(start: int, end: int, later: Sequence[Piece]) -> bool:
    """Tell whether pieces that are written later cover a range."""
    at = start
    for piece in sorted(later, key=lambda one: one.address):
        if piece.address <= at < piece.end:
            at = piece.end
    return at >= end
