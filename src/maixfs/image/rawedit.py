"""Raw bytes of a flash image or a board's flash: read, changed in a copy, saved in one step.

The file systems in the flash are not asked: ``owners_of`` says what a range belongs to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from maixfs.errors import UsageError
from maixfs.host.files import read_file
from maixfs.image.entries import Progress, Written
from maixfs.image.errors import TargetError
from maixfs.image.identify import HEAD, identify_card
from maixfs.image.media import FlashMedium
from maixfs.image.source import Source, find_source, locked
from maixfs.nor.device import SECTOR
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.nor import Buffer

LARGEST_FLASH = 64 << 20
"""Bytes; no flash chip of these boards is larger."""


def read_flash(host: Path) -> bytes:
    """Return the flash of a dump or a board.

    Raises ``DeviceError`` for a missing file, ``TargetError`` for a card and for a file that is
    larger than any flash.
    """
    source = find_source(host, writable=False)
    size = source.size
    if source.is_device or not 0 < size <= LARGEST_FLASH:
        raise TargetError(
            f"{host} is not a flash image: it has {size:#x} bytes",
            hint=f"a dump of a flash has up to {LARGEST_FLASH >> 20} MiB",
        )
    data = read_file(source.file)
    if identify_card(data[:HEAD], size) is not None:
        raise TargetError(f"{host} is a card, not a flash image")
    return data


class FlashEditor:
    """The bytes of a flash, changed in memory until ``save``.

    Only sectors that change are erased and programmed, and a board's wear counts include them.
    """

    def __init__(self, source: Source) -> None:
        self._medium = FlashMedium(source, writable=True)
        self._before = hashlib.sha256(self.view).digest()

    @property
    def view(self) -> memoryview:
        """The current bytes, read-only."""
        return self._medium.image

    def erase(self, address: int, length: int) -> int:
        """Erase whole sectors that are not erased yet; return how many."""
        return self.write(address, b"\xff" * length)

    def write(self, address: int, data: Buffer) -> int:
        """Store ``data`` at ``address``; the rest of its sectors stays. Return changed sectors."""
        changed = 0
        first = address - address % SECTOR
        for sector in range(first, address + len(data), SECTOR):
            old = self._medium.read(sector, SECTOR)
            new = _merged(old, sector, address, data)
            if new != old:
                self._medium.device.erase(sector, SECTOR)
                if new.strip(b"\xff"):
                    self._medium.device.program(sector, new)
                changed += 1
        return changed

    def save(self, progress: Progress | None = None) -> Written:
        """Replace the host's file if a byte changed; return its size and SHA-256.

        Raises ``DeviceError`` if the host refuses, ``TargetError`` if another program changed the
        file since it was read.
        """
        digest = hashlib.sha256(self.view)
        changed = digest.digest() != self._before
        if changed:
            self._medium.save(progress)
        path = str(self._medium.source.file)
        return Written(path, len(self.view), digest.hexdigest(), changed)


def _merged(old: bytes, sector: int, address: int, data: Buffer) -> bytes:
    start = max(0, address - sector)
    skip = max(0, sector - address)
    piece = bytes(data[skip : skip + len(old) - start])
    return old[:start] + piece + old[start + len(piece) :]


@contextmanager
def edit_flash(host: Path) -> Iterator[FlashEditor]:
    """Open a flash image or a board's flash for changing; a board is locked meanwhile.

    Raises ``BoardBusyError`` if the board is powered on, and what ``find_source`` does.
    """
    source = find_source(host, writable=True)
    with locked(source):
        yield FlashEditor(source)


def replace_flash(
    host: Path, old: Buffer, new: Buffer, progress: Progress | None = None
) -> Written:
    """Replace the contents ``old`` of a dump or a board's flash by ``new``, in one step.

    ``Written.sectors`` counts the sectors that changed. Raises ``TargetError`` if the flash is no
    longer ``old``, ``DeviceError`` if the host refuses.
    """
    with edit_flash(host) as editor:
        if editor.view != old:
            raise TargetError(f"{host} was changed meanwhile", hint="run the command again")
        sectors = editor.write(0, new)
        return editor.save(progress)._replace(sectors=sectors)


class Owner(NamedTuple):
    """Something that bytes of a flash belong to."""

    kind: str
    """As ``Found.kind``, or ``region`` for a region that the layout reserves."""
    start: int
    size: int
    detail: str

    @property
    def end(self) -> int:
        """One past its last address."""
        return self.start + self.size

    def __str__(self) -> str:
        name = f"the {self.kind} of {self.detail}" if self.kind == "region" else self.kind
        return f"{name} {range_text(self.start, self.end)}"


_RESERVED = frozenset({"firmware", "kboot stage", "boot config", "spiffs", "littlefs"})
"""Kinds of regions that a range which begins before them must not reach into."""


def owners_of(view: memoryview, start: int, length: int) -> list[Owner]:
    """Return everything in a range of an image that is neither erased nor zero.

    Empty regions of the layout are included if the range begins before them.
    """
    from maixfs.image.parts import BLANK_KINDS, Parts

    end = start + length
    image = Parts(view)
    owners = [
        Owner(part.kind, part.start, part.size, part.detail)
        for part in image.ranges
        if part.start < end and start < part.end and part.kind not in BLANK_KINDS
    ]
    regions = image.layout.owner_of(start, length) if image.layout else ()
    owners += [
        Owner("region", region.start, region.size, region.owner)
        for region in regions
        if region.kind in _RESERVED
        and start < region.start
        and not any(region.start <= owner.start < region.end for owner in owners)
    ]
    return owners


def check_range(start: int, length: int, size: int) -> None:
    """Raise ``UsageError`` for a range that is empty or leaves a flash of ``size`` bytes."""
    if length <= 0:
        raise UsageError("the length is 0")
    if start + length > size:
        raise UsageError(
            f"{range_text(start, start + length)} is outside the flash ({size:#x} bytes)",
            hint=f"at most {max(0, size - start):#x} bytes fit from {start:#x} on",
        )


def check_alignment(what: str, value: int) -> None:
    """Raise ``UsageError`` for an address or a length that is not a multiple of a sector."""
    if value % SECTOR:
        near = value - value % SECTOR
        raise UsageError(
            f"the {what} {value:#x} is not a multiple of a sector ({SECTOR:#x})",
            hint=f"the nearest multiples are {near:#x} and {near + SECTOR:#x}",
        )


def range_text(start: int, end: int) -> str:
    """Return a range of addresses as ``0x300000-0x4D2000``."""
    return f"0x{start:06X}-0x{end:06X}"
