"""Put whole flash images together: plan first, refuse what cannot be, then build or apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from maixfs.errors import ImageError
from maixfs.firmware.kboot import STAGE_1
from maixfs.image.layout import Layout, find_layout
from maixfs.nor import Buffer
from maixfs.nor.device import blank
from maixfs.recipes.conflicts import Conflict, find_conflicts
from maixfs.recipes.flashers import Flasher, find_flasher
from maixfs.recipes.pieces import Piece

DEFAULT_LAYOUT = "maixpy-16m"
LARGEST_FLASH = 64 << 20
"""Bytes; what is put together lies in memory as a whole."""
_KRUX_SLOT = 0x80000
_KRUX_OLD_SLOT = 0x280000


class ComposeError(ImageError):
    """What was planned is refused; ``conflicts`` has all reasons, the message the first."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        first = conflicts[0]
        more = f" (and {len(conflicts) - 1} more)" if conflicts[1:] else ""
        super().__init__(f"{first.message}{more}", hint=first.hint)
        self.conflicts = tuple(conflicts)


class Span(NamedTuple):
    """A range of the chip and who has it once all is written."""

    start: int
    end: int
    kind: str
    name: str
    owners: tuple[str, ...]
    """Owners of the layout's regions that it lies in."""
    padding: int
    """Zeros that the flasher adds behind it."""


class Plan(NamedTuple):
    """What is to be written, and what would go wrong."""

    pieces: tuple[Piece, ...]
    """In the order in which they are written."""
    layout: Layout
    size: int
    """Bytes of the chip."""
    flasher: Flasher | None
    conflicts: tuple[Conflict, ...]

    @property
    def errors(self) -> tuple[Conflict, ...]:
        """What is refused."""
        return tuple(one for one in self.conflicts if one.is_error)

    @property
    def warnings(self) -> tuple[Conflict, ...]:
        """What is only told."""
        return tuple(one for one in self.conflicts if not one.is_error)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The pieces by address."""
        spans = (
            Span(
                piece.address,
                piece.end,
                piece.kind,
                piece.name,
                tuple(one.owner for one in self.layout.owner_of(piece.address, piece.size)),
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
    """Return what would be written, and all conflicts; nothing is refused yet.

    ``layout`` is guessed from the pieces unless given. ``flasher`` is a name of ``FLASHERS``;
    without one the flash is written as a whole. ``size`` is the chip's (default: that of
    ``image``, or of the layout). ``image`` is what the flash holds now: pieces that would damage
    what is found there are conflicts, too.
    """
    given = tuple(pieces)
    chosen = layout or guess_layout(given)
    if size is None:
        size = chosen.size if image is None else memoryview(image).nbytes
    tool = find_flasher(flasher) if flasher is not None else None
    conflicts = [*_chip_conflicts(size), *find_conflicts(given, chosen, size, tool)]
    if image is not None:
        from maixfs.recipes.present import present_conflicts

        conflicts += present_conflicts(given, image)
    return Plan(given, chosen, size, tool, tuple(conflicts))


def _chip_conflicts(size: int) -> Iterator[Conflict]:
    if size > LARGEST_FLASH:
        text = f"no flash chip of these boards has {size:#x} bytes"
        yield Conflict("chip", True, text, size, f"{LARGEST_FLASH:#x} is the most")


def guess_layout(pieces: Iterable[Piece]) -> Layout:
    """Return the preset that pieces are made for, told by their addresses."""
    kinds = {one.address: one.kind for one in pieces}
    if kinds.get(STAGE_1) == "firmware":
        if _KRUX_OLD_SLOT in kinds:
            return find_layout("krux-16m-old")
        return find_layout("krux-16m" if _KRUX_SLOT in kinds else "lobo-kboot-16m")
    return find_layout(DEFAULT_LAYOUT)


def refuse(planned: Plan) -> None:
    """Raise ``ComposeError`` where something is refused."""
    if planned.errors:
        raise ComposeError(planned.errors)


def build(planned: Plan) -> bytearray:
    """Return the whole flash: what no piece has is erased (0xFF).

    Raises ``ComposeError`` where something is refused.
    """
    refuse(planned)  # before there is memory for a chip of any size
    return apply(planned, blank(planned.size))


def apply(planned: Plan, image: Buffer) -> bytearray:
    """Return a flash as it is after the pieces were written into it; all else stays.

    With a flasher its zeros are written, too. Raises ``ComposeError`` where something is refused.
    """
    refuse(planned)
    flash = bytearray(image)
    for piece in planned.pieces:
        flash[piece.address : piece.end] = piece.data
        if planned.flasher is not None:
            end = min(piece.end + planned.flasher.padding(piece.size), len(flash))
            flash[piece.end : end] = bytes(end - piece.end)
    return flash
