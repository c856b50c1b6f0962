"""What chip is this? Its JEDEC id in the table of parts, and what it says of itself (SFDP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from maixfs.nor import sfdp
from maixfs.nor.array import BLOCK32, BLOCK64, SECTOR
from maixfs.nor.commands import Op
from maixfs.nor.errors import NorError, NorImageError
from maixfs.nor.parts import Part, Times, default_part, identify

MAX_SIZE = 0x1000000
"""16 MiB: what three address bytes reach."""
USUAL_ERASES: dict[int, int] = {
    SECTOR: Op.ERASE_SECTOR,
    BLOCK32: Op.ERASE_BLOCK32,
    BLOCK64: Op.ERASE_BLOCK64,
}


def identify_chip(
    jedec: bytes, read_sfdp: Callable[[int, int], bytes]
) -> tuple[Part, dict[int, int]]:
    """Return the part behind ``jedec`` and its erase commands by size in bytes.

    Where table and SFDP disagree about the size, the chip itself is believed. Raises
    ``NorError`` for a chip that is in neither, or that needs more than 24 address bits.
    """
    known = identify(jedec)
    described = _described(known, read_sfdp)
    if described is None:
        if known is None:
            raise NorError(
                f"the flash chip with id {jedec.hex()} is not known and has no SFDP table",
                hint="say which part it is like",
            )
        return known, dict(USUAL_ERASES)
    erases = {size: code for size, code in described.erases.items() if size <= described.size}
    if described.size > MAX_SIZE or SECTOR not in erases:
        raise NorError(
            f"the flash chip with id {jedec.hex()} has 0x{described.size:X} bytes and erases of"
            f" {', '.join(map(str, sorted(erases))) or 'no known size'};"
            " this driver speaks 24-bit addresses and 4 KiB erases"
        )
    return known if known and known.size == described.size else _stranger(jedec, described), erases


def _described(known: Part | None, read_sfdp: Callable[[int, int], bytes]) -> sfdp.Sfdp | None:
    """Return the chip's SFDP; one that makes no sense matters only for an unknown chip."""
    try:
        return sfdp.parse(read_sfdp)
    except NorImageError:
        if known is None:
            raise
        return None


def _stranger(jedec: bytes, described: sfdp.Sfdp) -> Part:
    """Return a part made of what a chip says; the default part's values fill the gaps."""
    base = default_part().resized(described.size)
    return replace(
        base,
        name=f"chip {jedec.hex()}",
        aliases=(),
        jedec=jedec,
        typical=_times(base.typical, described.typical),
        maximum=_times(base.maximum, described.maximum),
        times_source="the chip's own SFDP table",
        ids_source="the chip",
        times_are_own=bool(described.typical),
    )


def _times(base: Times, described: dict[str | int, int]) -> Times:
    return Times(
        page=described.get("page", base.page),
        sector=described.get(SECTOR, base.sector),
        block32=described.get(BLOCK32, base.block32),
        block64=described.get(BLOCK64, base.block64),
        chip=described.get("chip", base.chip),
        status=base.status,
    )
