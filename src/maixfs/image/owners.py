"""Ranges of a flash: whether they are valid, and what their bytes belong to."""

from __future__ import annotations

from maixfs.errors import UsageError
from maixfs.image.parts import BLANK_KINDS, Parts
from maixfs.nor.device import SECTOR
from maixfs.tuples import NamedTuple


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


def owners_of(parts: Parts, start: int, length: int) -> list[Owner]:
    """Return everything in a range of a flash that is neither erased nor zero.

    Empty regions of the layout are included if the range begins before them.
    """
    end = start + length
    owners = [
        Owner(part.kind, part.start, part.size, part.detail)
        for part in parts.ranges
        if part.start < end and start < part.end and part.kind not in BLANK_KINDS
    ]
    regions = parts.layout.owner_of(start, length) if parts.layout else ()
    owners += [
        Owner("region", region.start, region.size, region.owner)
        for region in regions
        if region.kind in _RESERVED
        # A range that begins inside of a region is meant for it; one that runs into it from below
        # is a mistake, also while the region is empty.
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
