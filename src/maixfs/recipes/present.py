"""What a flash holds already, and which of it pieces would damage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maixfs.firmware import Firmware
from maixfs.image.flash import FlashImage
from maixfs.image.records import BOOT_CONFIG, FIRMWARE, KBOOT_STAGE, MODEL, SPIFFS, Found
from maixfs.nor import Buffer
from maixfs.recipes.conflicts import Conflict
from maixfs.recipes.pieces import Piece

_RANK = (SPIFFS, KBOOT_STAGE, BOOT_CONFIG, FIRMWARE, MODEL)
"""Who counts where two overlap: files may be models, and firmwares have some built in."""


def find_present(image: Buffer) -> list[Found]:
    """Return the parts that are found in a flash, by address; none overlaps another."""
    parts = sorted(FlashImage(image).parts, key=lambda one: (_RANK.index(one.kind), one.start))
    size = memoryview(image).nbytes
    chosen: list[Found] = []
    for part in parts:
        one = part._replace(size=min(_length(part), size - part.start))
        if all(one.end <= other.start or other.end <= one.start for other in chosen):
            chosen.append(one)
    return sorted(chosen, key=lambda one: one.start)


def _length(part: Found) -> int:
    """Return the bytes of a part itself, without the zeros that a flasher put behind it."""
    return part.what.total if isinstance(part.what, Firmware) else part.size


def present_conflicts(pieces: Sequence[Piece], image: Buffer) -> Iterator[Conflict]:
    """Yield what pieces would damage of what a flash holds, and which files they replace."""
    view = memoryview(image).cast("B")
    for there in find_present(view):
        own = next((one for one in pieces if one.address == there.start), None)
        start = there.start if own is None else max(there.start, own.end)
        if own is not None and there.kind == SPIFFS:
            yield from _replaced(own, there, view)
        for piece in pieces:
            if piece is not own and piece.address < there.end and start < piece.end:
                yield _damage(piece, there)


def _replaced(piece: Piece, there: Found, view: memoryview) -> Iterator[Conflict]:
    """Yield what happens to a file system in whose place another comes."""
    if piece.end < there.end:
        yield _damage(piece, there)
    elif piece.data[: there.size] != view[there.start : there.end]:
        yield Conflict(
            "present",
            False,
            f"{piece} replaces the {there}: all files in it go",
            piece.address,
            "maixfs unpack saves them first",
        )


def _damage(piece: Piece, there: Found) -> Conflict:
    covers = piece.address <= there.start and there.end <= piece.end
    return Conflict(
        "present",
        there.kind != MODEL and not covers,
        f"{piece} {'replaces' if covers else 'overwrites a part of'} the {there}",
        max(piece.address, there.start),
        None if covers else "choose another address, or replace it as a whole",
    )
