"""SFDP: the table in which a chip describes itself (JEDEC JESD216, revision B).

One header, one parameter table (the basic one, 16 dwords). ``build`` makes what our chip
answers, ``parse`` takes from any chip's answer what a driver needs.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, pack
from typing import NamedTuple

from maixfs.nor.errors import NorImageError
from maixfs.nor.parts import Part, Times

TABLE_ADDRESS = 0x80
SFDP_SIZE = 0x100
_HEADER = Struct("<4sBBBB")
_PARAMETER = Struct("<BBBBI")
_DWORDS = 16
_MIN_DWORDS = 9
_TIMED_DWORDS = 11
_ERASE_UNITS = (1_000, 16_000, 128_000, 1_000_000)
_PROGRAM_UNITS = (8, 64)
_CHIP_UNITS = (16_000, 256_000, 4_000_000, 64_000_000)


class Sfdp(NamedTuple):
    """What a chip says of itself: ``size`` in bytes, ``erases`` = command by size in bytes.

    ``typical`` and ``maximum`` are microseconds by what they are for (``page``, ``chip`` and
    each erase size as a number); empty where the table is too old to say.
    """

    size: int
    page_size: int
    erases: dict[int, int]
    typical: dict[str | int, int]
    maximum: dict[str | int, int]


def build(part: Part) -> bytes:
    """Return the 256 bytes that a chip of type ``part`` answers to command 0x5A."""
    header = _HEADER.pack(b"SFDP", 6, 1, 0, 0xFF)
    parameter = _PARAMETER.pack(0x00, 6, 1, _DWORDS, TABLE_ADDRESS | 0xFF000000)
    table = pack(f"<{_DWORDS}I", *_basic_table(part))
    gap = TABLE_ADDRESS - len(header) - len(parameter)
    return (header + parameter + b"\xff" * gap + table).ljust(SFDP_SIZE, b"\xff")


def _basic_table(part: Part) -> tuple[int, ...]:
    """Return the 16 dwords; numbers and bit places are those of JESD216B, table by table."""
    typical, maximum = part.typical, part.maximum
    return (
        0xFFF120E5,  # 4 KiB erase 0x20, 3 address bytes, reads 1-1-2, 1-2-2, 1-4-4, 1-1-4
        part.size * 8 - 1,
        0x6B08EB44,  # 1-1-4: 0x6B, 8 clocks; 1-4-4: 0xEB, 2 mode and 4 dummy clocks
        0xBB803B08,  # 1-2-2: 0xBB, 4 mode clocks; 1-1-2: 0x3B, 8 clocks
        0xFFFFFFEE,  # neither 2-2-2 nor 4-4-4
        0xFF00FFFF,
        0xFF00FFFF,
        0x520F200C,  # erases: 2^12 by 0x20, 2^15 by 0x52
        0xFF00D810,  # 2^16 by 0xD8, no fourth
        _erase_times(typical, maximum),
        _program_times(typical, maximum),
        0x33E627EC,  # suspend: at most 20 us, reads elsewhere and programs elsewhere allowed
        0x757A757A,  # suspend 0x75, resume 0x7A
        0x5CD5A2F7,  # deep power-down 0xB9, wake 0xAB in 3 us, BUSY is bit 0 of 0x05
        0xFF500000,  # quad enable: bit 1 of status register 2 (code 5), no 0-4-4
        0x00001008,  # reset by 0x66, 0x99; status 1 non-volatile by 0x06, volatile by 0x50
    )


def _erase_times(typical: Times, maximum: Times) -> int:
    pairs = (
        (typical.sector, maximum.sector),
        (typical.block32, maximum.block32),
        (typical.block64, maximum.block64),
    )
    word = _factor(max(-(-longest // usual) for usual, longest in pairs))
    for place, (usual, _) in enumerate(pairs):
        word |= _coded(usual, _ERASE_UNITS, 32) << (4 + 7 * place)
    return word


def _program_times(typical: Times, maximum: Times) -> int:
    page_bits = 8 << 4  # 2^8 bytes
    page = _coded(typical.page, _PROGRAM_UNITS, 32) << 8
    chip = _coded(typical.chip, _CHIP_UNITS, 32) << 24
    return 1 << 31 | chip | page | page_bits | _factor(-(-maximum.page // typical.page))


def _factor(times: int) -> int:
    """Return the 4-bit code of a maximum that is so many times the typical value."""
    return min(15, max(0, -(-times // 2) - 1))


def _coded(microseconds: int, units: tuple[int, ...], counts: int) -> int:
    """Return count and unit of a time, rounded up, as the table packs them (unit above count)."""
    for code, unit in enumerate(units):
        count = -(-microseconds // unit)
        if count <= counts:
            return code * counts | max(count, 1) - 1
    return (len(units) - 1) * counts | counts - 1


def parse(read: Callable[[int, int], bytes]) -> Sfdp | None:
    """Return what the table behind ``read(address, length)`` says; ``None`` without a table.

    Raises ``NorImageError`` for a table with the right signature that makes no sense.
    """
    signature, _, _, _, _ = _HEADER.unpack(read(0, _HEADER.size))
    if signature != b"SFDP":
        return None
    low, _, _, dwords, place = _PARAMETER.unpack(read(_HEADER.size, _PARAMETER.size))
    if low != 0x00 or dwords < _MIN_DWORDS:
        raise NorImageError(
            f"the chip's SFDP has no basic table (id 0x{low:02X}, {dwords} dwords)"
        )
    dwords = min(dwords, _DWORDS)
    words = Struct(f"<{dwords}I").unpack(read(place & 0xFFFFFF, dwords * 4))
    return _decode(words)


def _decode(words: tuple[int, ...]) -> Sfdp:
    """Return the table's values; dword 2 is bits less one, or from 4 Gbit on their logarithm."""
    density = words[1]
    exponent = density & 0x7FFFFFFF
    bits = density + 1 if exponent == density else 1 << exponent if exponent < 64 else 0
    erases: dict[int, int] = {}
    order: list[int] = []
    for word in words[7:9]:
        for half in (word & 0xFFFF, word >> 16):
            size = 1 << (half & 0xFF) if 0 < half & 0xFF < 32 else 0
            order.append(size)
            if size:
                erases[size] = half >> 8
    if bits % 8 or not bits or not erases:
        raise NorImageError(f"the chip's SFDP makes no sense (density 0x{density:08X})")
    if len(words) < _TIMED_DWORDS:
        return Sfdp(bits // 8, 256, erases, {}, {})
    typical, maximum = _times(words[9], words[10], order)
    return Sfdp(bits // 8, 1 << (words[10] >> 4 & 0xF), erases, typical, maximum)


def _times(
    erase: int, program: int, order: list[int]
) -> tuple[dict[str | int, int], dict[str | int, int]]:
    """Return typical and maximum times out of dwords 10 and 11."""
    typical: dict[str | int, int] = {}
    for place, size in enumerate(order):
        if size:
            typical[size] = _plain(erase >> (4 + 7 * place) & 0x7F, _ERASE_UNITS)
    typical["chip"] = _plain(program >> 24 & 0x7F, _CHIP_UNITS)
    factor = 2 * ((erase & 0xF) + 1)
    maximum = {what: usual * factor for what, usual in typical.items()}
    typical["page"] = _plain(program >> 8 & 0x3F, _PROGRAM_UNITS)
    maximum["page"] = typical["page"] * 2 * ((program & 0xF) + 1)
    return typical, maximum


def _plain(code: int, units: tuple[int, ...]) -> int:
    return ((code & 31) + 1) * units[code >> 5]
