"""Whole flash images: plan first, refuse what cannot work, then build or apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maixfs.errors import ImageError
from maixfs.firmware.kboot import STAGE_1
from maixfs.image.layout import Layout, find_layout
from maixfs.nor import Buffer
from maixfs.nor.device import blank
from maixfs.recipes.conflicts import (
    Conflict,
    Flasher,
    find_conflicts,
    find_flasher,
    present_conflicts,
)
from maixfs.recipes.pieces import DEFAULT_LAYOUT, Piece
from maixfs.recipes.recipe import make_recipe, read_recipe
from maixfs.tuples import NamedTuple

MAX_FLASH = 64 << 20
"""Bytes; the whole flash is built in memory."""
_KRUX_SLOT = 0x80000
_KRUX_OLD_SLOT = 0x280000


class ComposeError(ImageError):
    """A plan has errors; ``conflicts`` has all of them, the message names the first."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        first = conflicts[0]
        more = f" (and {len(conflicts) - 1} more)" if conflicts[1:] else ""
        super().__init__(f"{first.message}{more}", hint=first.hint)
        self.conflicts = tuple(conflicts)


class Span(NamedTuple):
    """A range of the chip and its owner after everything is written."""

    start: int
    end: int
    kind: str
    name: str
    owners: tuple[str, ...]
    """Owners of the layout's regions that it overlaps."""
    padding: int
    """Zeros that the flasher adds behind it."""


class Plan(NamedTuple):
    """The pieces to write, and their conflicts."""

    pieces: tuple[Piece, ...]
    """In the order in which they are written."""
    layout: Layout
    size: int
    """Bytes of the chip."""
    flasher: Flasher | None
    conflicts: tuple[Conflict, ...]

    @property
    def errors(self) -> tuple[Conflict, ...]:
        """The conflicts for which writing is refused."""
        return tuple(conflict for conflict in self.conflicts if conflict.is_error)

    @property
    def warnings(self) -> tuple[Conflict, ...]:
        """The other conflicts."""
        return tuple(conflict for conflict in self.conflicts if not conflict.is_error)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The pieces by address."""
        spans = (
            Span(
                piece.address,
                piece.end,
                piece.kind,
                piece.name,
                tuple(region.owner for region in self.layout.owner_of(piece.address, piece.size)),
                self.flasher.padding(piece.size) if self.flasher else 0,
            )
            for piece in self.pieces
        )
        return tuple(sorted(spans))


def plan(
    pieces: Iterable[Piece],
    layout: Layout | None = None,
    *,
    flasher: str | None = None,
    size: int | None = None,
    image: Buffer | None = None,
) -> Plan:
    """Return the pieces in their layout, and all conflicts; raises nothing for these.

    ``layout`` is guessed from the pieces by default. ``flasher`` is a key of ``FLASHERS``;
    without it the flash is written as a whole. ``size`` is that of the chip in bytes (default:
    that of ``image``, or of the layout). ``image`` is the present content of the flash: damaging
    a part of it is a conflict too. Raises ``UsageError`` for an unknown flasher.
    """
    pieces = tuple(pieces)
    layout = layout or guess_layout(pieces)
    if size is None:
        size = layout.size if image is None else memoryview(image).nbytes
    tool = find_flasher(flasher) if flasher is not None else None
    # All of them, not the first: whoever lays out a flash has to see what else is in the way.
    conflicts = [*_chip_conflicts(size), *find_conflicts(pieces, layout, size, tool)]
    if image is not None:
        conflicts += present_conflicts(pieces, image)
    return Plan(pieces, layout, size, tool, tuple(conflicts))


def _chip_conflicts(size: int) -> Iterator[Conflict]:
    if size > MAX_FLASH:
        text = f"no flash chip of these boards has {size:#x} bytes"
        yield Conflict("chip", True, text, size, f"the limit is {MAX_FLASH:#x}")


def guess_layout(pieces: Iterable[Piece]) -> Layout:
    """Return the preset that fits the addresses of pieces."""
    # Only Kboot has a second firmware at 0x1000; Krux keeps its slots at fixed addresses.
    kinds = {piece.address: piece.kind for piece in pieces}
    if kinds.get(STAGE_1) == "firmware":
        if _KRUX_OLD_SLOT in kinds:
            return find_layout("krux-16m-old")
        return find_layout("krux-16m" if _KRUX_SLOT in kinds else "lobo-kboot-16m")
    return find_layout(DEFAULT_LAYOUT)


def assemble(planned: Plan) -> bytearray:
    """Return the whole flash; ranges without a piece are erased (0xFF).

    Raises ``ComposeError`` if the plan has errors.
    """
    _check(planned)  # before memory is taken: the chip's size itself may be an error
    return apply(planned, blank(planned.size))


def apply(planned: Plan, image: Buffer) -> bytearray:
    """Return a copy of a flash with the pieces, and the flasher's padding, written into it.

    Raises ``ComposeError`` if the plan has errors.
    """
    _check(planned)
    flash = bytearray(image)
    for piece in planned.pieces:
        flash[piece.address : piece.end] = piece.data
        if planned.flasher is not None:
            end = min(piece.end + planned.flasher.padding(piece.size), len(flash))
            # At once, in the order of the pieces: a flasher pads each file before it sends the
            # next, so a later piece survives.
            flash[piece.end : end] = bytes(end - piece.end)
    return flash


def _check(planned: Plan) -> None:
    if planned.errors:
        raise ComposeError(planned.errors)


class Built(NamedTuple):
    """A whole flash, and the plan that it was built from."""

    image: bytearray
    plan: Plan
    notes: tuple[str, ...]
    """What is unusual about the files of the recipe, a sentence each."""


def build(
    recipe: str | Path | Mapping[str, Any],
    *,
    folder: str | Path = "",
    flasher: str | None = None,
) -> Built:
    """Build a whole flash from a recipe: the path of a TOML file, or the table in one.

    Paths in a table are relative to ``folder``. ``flasher``, a key of ``FLASHERS``, adds the
    padding that it would write. Raises ``RecipeError``, ``FirmwareError`` or ``LayoutError`` for a
    recipe that cannot be used, ``ComposeError`` if its pieces conflict.
    """
    if isinstance(recipe, Mapping):
        read = make_recipe(recipe, Path(folder))
    else:
        read = read_recipe(recipe)
    planned = plan(read.pieces, read.layout, size=read.size, flasher=flasher)
    return Built(assemble(planned), planned, read.notes)
