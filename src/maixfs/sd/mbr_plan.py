"""Laying out partitions on a card, and the sector that says so."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable, Sequence
from fractions import Fraction

from maixfs.errors import UsageError
from maixfs.sd.device import SECTOR
from maixfs.sd.ondisk import (
    DISK_ID_OFFSET,
    PARTITION_ENTRY,
    PARTITION_TABLE_OFFSET,
    SIGNATURE,
    SLOTS,
)
from maixfs.sd.partition import Partition, chs, partition_type

ALIGNMENTS = ("1MiB", "sda")
"""How partitions may be aligned: as partitioning programs do, or as the SD Association says."""
MAX_SECTORS = 1 << 32
"""A slot counts no further."""
_MIB = 1 << 20 - 9
_BOUNDARY_UNITS = (
    (8 * _MIB, 16),
    (64 * _MIB, 32),
    (256 * _MIB, 64),
    (2048 * _MIB, 128),
    (32768 * _MIB, 8192),
    (131072 * _MIB, 32768),
    (524288 * _MIB, 65536),
)
"""Up to so many sectors of card: sectors of a boundary unit (SD file system specification)."""
_LARGEST_UNIT = 131072


def boundary_unit(sectors: int) -> int:
    """Return the sectors of the SD Association's boundary unit for a card."""
    return next((unit for most, unit in _BOUNDARY_UNITS if sectors <= most), _LARGEST_UNIT)


def plan_partitions(
    sectors: int, wishes: Sequence[str | int], *, align: str = "1MiB"
) -> list[Partition]:
    """Lay out one to four partitions on a card of ``sectors`` sectors.

    A wish is a size: a number of bytes, ``"512M"``, ``"1.5GiB"`` (powers of 1024), ``"25%"`` of
    the room on the card, or ``"rest"``, once. Each starts at a multiple of the alignment; the
    types are those of FAT32. Raises ``UsageError`` where they do not fit.
    """
    if sectors >= MAX_SECTORS:
        raise UsageError(f"a card of {sectors} sectors is too large for a partition table")
    if not 1 <= len(wishes) <= SLOTS:
        raise UsageError(f"a card has one to {SLOTS} partitions, not {len(wishes)}")
    if align not in ALIGNMENTS:
        raise UsageError(f"no alignment {align!r}: take one of {', '.join(ALIGNMENTS)}")
    unit = boundary_unit(sectors) if align == "sda" else _MIB
    sizes = [_sectors_of(wish, sectors - unit, unit) for wish in wishes]
    lengths = _shared_out(sectors, sizes, unit)
    plan, at = [], unit
    for slot, length in enumerate(lengths, 1):
        plan.append(Partition(slot, partition_type(32, at, length), at, length))
        at = _up(at + length, unit)
    return plan


def _shared_out(sectors: int, sizes: list[int | None], unit: int) -> list[int]:
    """Give the one wish for the rest what the others leave."""
    if sizes.count(None) > 1:
        raise UsageError("only one partition can have the rest")
    # All but the last are followed by a gap to the next multiple of the unit.
    taken = sum(_up(size, unit) for size in sizes[:-1] if size is not None)
    taken += unit + (sizes[-1] or 0)
    left = sectors - taken
    if None in sizes[:-1]:
        left -= left % unit
    if left < 0 or (None in sizes and left == 0):
        if sizes == [None]:
            raise UsageError(
                f"a card of {sectors} sectors is too small for a partition table",
                hint=f"the first partition starts at sector {unit:#x}",
            )
        more = "more than " if None in sizes else ""
        raise UsageError(
            f"the partitions need {more}{taken} sectors, the card has {sectors}",
            hint="make one smaller, or let the last one have the rest",
        )
    return [left if size is None else size for size in sizes]


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_POWERS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _sectors_of(wish: str | int, room: int, unit: int) -> int | None:
    """Return the sectors of a wish; ``None`` for the rest. Shares are whole units."""
    text = str(wish).strip()
    if text.lower() == "rest":
        return None
    if text.endswith("%"):
        size = Fraction(int(_number(text[:-1], wish) * room / 100) // unit * unit)
    else:
        found = _SIZE.fullmatch(text)
        if found is None:
            raise _no_size(wish)
        size = _number(found[1], wish) * (1 << _POWERS[found[2].upper()]) / SECTOR
    length = int(size)
    if length < 1:
        raise _no_size(wish)
    return length


def _number(text: str, wish: str | int) -> Fraction:
    if not re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        raise _no_size(wish)
    return Fraction(text.strip())


def _no_size(wish: str | int) -> UsageError:
    return UsageError(f"{wish!r} is no size", hint='such as "512M", "25%" or "rest"')


def make_mbr(
    partitions: Iterable[Partition], *, disk_id: int | None = None, boot_code: bytes = b""
) -> bytes:
    """Return sector 0 with ``partitions`` in their slots.

    ``disk_id`` is the number of the disk (``None``: random), ``boot_code`` what stands before
    it. Raises ``UsageError`` for partitions that overlap or do not fit a slot.
    """
    made = sorted(partitions)
    _check(made)
    if len(boot_code) > DISK_ID_OFFSET:
        raise UsageError(f"{len(boot_code)} bytes of boot code do not fit {DISK_ID_OFFSET}")
    number = secrets.randbits(32) if disk_id is None else disk_id & 0xFFFFFFFF
    table = {
        partition.slot: PARTITION_ENTRY.pack(
            0x80 if partition.bootable else 0,
            chs(partition.start),
            partition.type,
            chs(partition.end - 1),
            partition.start,
            partition.sectors,
        )
        for partition in made
    }
    free = bytes(PARTITION_ENTRY.size)
    slots = b"".join(table.get(slot, free) for slot in range(1, SLOTS + 1))
    head = boot_code.ljust(DISK_ID_OFFSET, b"\0") + number.to_bytes(4, "little")
    return head.ljust(PARTITION_TABLE_OFFSET, b"\0") + slots + SIGNATURE


def _check(partitions: list[Partition]) -> None:
    for partition in partitions:
        about = f"partition {partition.slot}"
        if not 1 <= partition.slot <= SLOTS:
            raise UsageError(f"{about}: a table has the slots 1 to {SLOTS}")
        if not 1 <= partition.type <= 0xFF:
            raise UsageError(f"{about} cannot be of type {partition.type:#x}")
        if partition.start < 1 or partition.sectors < 1 or partition.end > MAX_SECTORS:
            raise UsageError(
                f"{about} cannot have {partition.sectors} sectors from {partition.start} on"
            )
    if len({partition.slot for partition in partitions}) < len(partitions):
        raise UsageError("two partitions are to have the same slot")
    ordered = sorted(partitions, key=lambda partition: partition.start)
    for one, other in itertools.pairwise(ordered):
        if other.start < one.end:
            raise UsageError(f"partitions {one.slot} and {other.slot} overlap")
