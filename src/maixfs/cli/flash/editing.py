"""A flash image worked on in memory, and put in the place of the old one in one step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maixfs.cli.flash.image import range_text, refuse_card
from maixfs.cli.progress import Progress
from maixfs.cli.screen import Screen
from maixfs.errors import UsageError

if TYPE_CHECKING:
    from maixfs.image.entries import Written
    from maixfs.image.spiffs.editmedium import EditMedium
    from maixfs.nor import Buffer

SECTOR = 0x1000


class ImageEditor:
    """What ``edited_image`` gives: sectors are erased and written in a copy until ``save``.

    Erases are counted where a board counts them.
    """

    def __init__(self, medium: EditMedium) -> None:
        self._medium = medium
        self._before = hashlib.sha256(medium.image).digest()

    @property
    def view(self) -> memoryview:
        """The bytes as they are now, read-only."""
        return self._medium.image

    def erase(self, address: int, length: int) -> int:
        """Erase whole sectors unless they are; return how many were erased."""
        erased = 0
        for sector in range(address, address + length, SECTOR):
            if bytes(self.view[sector : sector + SECTOR]).strip(b"\xff"):
                self._medium.device.erase(sector, SECTOR)
                erased += 1
        return erased

    def write(self, address: int, data: Buffer) -> int:
        """Have ``data`` at ``address``; the rest of its sectors stays.

        Only sectors that change are erased and programmed; returns how many.
        """
        changed = 0
        first = address - address % SECTOR
        for sector in range(first, address + len(data), SECTOR):
            old = bytes(self.view[sector : sector + SECTOR])
            new = _merged(old, sector, address, data)
            if new != old:
                self._medium.device.erase(sector, SECTOR)
                self._medium.device.program(sector, new)
                changed += 1
        return changed

    def save(self, screen: Screen) -> Written:
        """Put the bytes into the host's file, unless they are there; return the proof."""
        from maixfs.image.entries import Written

        digest = hashlib.sha256(self.view)
        changed = digest.digest() != self._before
        source = self._medium.source
        if changed:
            with Progress(screen, rates=True) as progress:
                self._medium.save(progress)
        return Written(str(source.file), len(self.view), digest.hexdigest(), changed)


def _merged(old: bytes, sector: int, address: int, data: Buffer) -> bytes:
    start = max(0, address - sector)
    skip = max(0, sector - address)
    piece = bytes(data[skip : skip + len(old) - start])
    return old[:start] + piece + old[start + len(piece) :]


@contextmanager
def edited_image(host: Path) -> Iterator[ImageEditor]:
    """Open an image for changing; a board is locked for so long.

    Raises ``UsageError`` for a card, ``BoardBusyError`` for a board that is on, and as
    ``find_source`` does.
    """
    from maixfs.image.source import find_source, locked
    from maixfs.image.spiffs.editmedium import EditMedium

    refuse_card(host)
    source = find_source(host, writable=True)
    with locked(source):
        yield ImageEditor(EditMedium(source))


class Owner(NamedTuple):
    """Something that bytes belong to."""

    kind: str
    """As ``Found.kind``, or ``region`` for what the layout keeps for somebody."""
    start: int
    size: int
    detail: str

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.start + self.size

    def __str__(self) -> str:
        named = f"the {self.kind} of {self.detail}" if self.kind == "region" else self.kind
        return f"{named} {range_text(self.start, self.end)}"


_KEPT = frozenset({"firmware", "kboot stage", "boot config", "spiffs", "littlefs"})
"""Kinds of regions that nothing from in front of them may reach into."""


def owners_of(view: memoryview, start: int, length: int) -> list[Owner]:
    """Return what a range of an image belongs to: all that is neither erased nor zero.

    Regions of the layout that are empty count where the range begins in front of them.
    """
    from maixfs.image.flash import FlashImage
    from maixfs.image.records import BLANK_KINDS

    end = start + length
    image = FlashImage(view)
    owners = [
        Owner(found.kind, found.start, found.size, found.detail)
        for found in image.found
        if found.start < end and start < found.end and found.kind not in BLANK_KINDS
    ]
    regions = image.layout.owner_of(start, length) if image.layout else ()
    owners += [
        Owner("region", region.start, region.size, region.owner)
        for region in regions
        if region.kind in _KEPT
        and start < region.start
        and not any(region.start <= one.start < region.end for one in owners)
    ]
    return owners


def refuse_owned(name: str, owners: list[Owner], start: int, length: int) -> None:
    """Raise ``UsageError`` where a range belongs to somebody."""
    if not owners:
        return
    named = ", ".join(map(str, owners[:4]))
    more = f" and {len(owners) - 4} more" if len(owners) > 4 else ""
    raise UsageError(
        f"{range_text(start, start + length)} of {name} is not free: {named}{more}",
        hint="--force writes all the same; maixfs flash read saves what is there first",
    )


def check_range(start: int, length: int, size: int) -> None:
    """Raise ``UsageError`` for a range that is empty or leaves the chip."""
    if length <= 0:
        raise UsageError("nothing to do: the length is 0")
    if start + length > size:
        raise UsageError(
            f"{range_text(start, start + length)} ends behind the chip ({size:#x})",
            hint=f"from {start:#x} there are {max(0, size - start):#x} bytes",
        )


def check_alignment(what: str, value: int) -> None:
    """Raise ``UsageError`` for an address or a length that is no whole number of sectors."""
    if value % SECTOR:
        near = value - value % SECTOR
        raise UsageError(
            f"{what} {value:#x} is no multiple of a sector ({SECTOR:#x})",
            hint=f"near are {near:#x} and {near + SECTOR:#x}",
        )
