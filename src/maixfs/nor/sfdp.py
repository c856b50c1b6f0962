"""SFDP: the table in which a chip describes itself (JEDEC JESD216, revision B).

One header, one parameter table (the basic one, 16 dwords). ``build`` makes the answer of the
simulated chip, ``parse`` takes from any chip's answer what a driver needs.
"""

from __future__ import annotations

from collections.abc import Callable

from maixfs.nor.device import BLOCK32, BLOCK64, PAGE, SECTOR
from maixfs.nor.errors import NorImageError
from maixfs.nor.parts import Part, Times
from maixfs.record import Record, field
from maixfs.tuples import NamedTuple

SIGNATURE = b"SFDP"
SFDP_SIZE = 0x100
"""Bytes of the answer to command 0x5A."""
TABLE_ADDRESS = 0x80
"""Where ``build`` puts the basic table."""
_BASIC_ID = 0xFF00
_DWORD = 4
_MIN_DWORDS = 9
"""Dwords of the first version of the basic table (JESD216)."""
_TIMED_DWORDS = 11
"""Dwords needed for times and page size (JESD216A)."""
_MAX_EXPONENT = 31
"""Erases of 2 GiB and more are taken for noise."""


class SfdpHeader(Record):
    """The start of the answer."""

    signature: bytes = field("4s", "SFDP")
    minor: int = field("B", "minor revision")
    major: int = field("B", "major revision, 1")
    headers: int = field("B", "number of parameter headers less one")
    access: int = field("B", "access protocol, FF in revision B")


class ParameterHeader(Record):
    """A reference to a parameter table; the first one is for the basic table."""

    id_low: int = field("B", "table id, low byte: 00 for the basic table")
    minor: int = field("B", "minor revision of the table")
    major: int = field("B", "major revision of the table")
    dwords: int = field("B", "length of the table in dwords")
    address: bytes = field("3s", "address of the table")
    id_high: int = field("B", "table id, high byte: FF for JEDEC's tables")


class EraseType(Record):
    """One of the four kinds of erase in the basic table."""

    exponent: int = field("B", "2^n bytes are erased; 0: there is no such erase")
    opcode: int = field("B", "command")


class BasicTable(Record):
    """The basic flash parameter table; bit positions are those of JESD216B."""

    features: int = field("I", "4 KiB erase, address bytes, reads on several lines")
    density: int = field("I", "bits less one; with bit 31 set, log2 of the bits")
    quad_reads: int = field("I", "commands and wait clocks of reads 1-4-4 and 1-1-4")
    dual_reads: int = field("I", "commands and wait clocks of reads 1-1-2 and 1-2-2")
    all_line_reads: int = field("I", "whether there are reads 2-2-2 and 4-4-4")
    dual_all_lines: int = field("I", "command and wait clocks of read 2-2-2")
    quad_all_lines: int = field("I", "command and wait clocks of read 4-4-4")
    erases: bytes = field("8s", "four erase types")
    erase_times: int = field("I", "factor to the maximum in bits 0-3, then 7 bits per erase type")
    program_times: int = field("I", "factor 0-3, page size 4-7, page time 8-13, chip erase 24-30")
    suspend: int = field("I", "suspend and resume: times, what is allowed meanwhile")
    suspend_commands: int = field("I", "commands to suspend and resume")
    power_down: int = field("I", "deep power-down and its commands, polling of BUSY")
    quad_enable: int = field("I", "how quad mode is enabled, 0-4-4 mode")
    reset: int = field("I", "reset, writing of status register 1, 4-byte addresses")


_ERASE_TYPES = 4
# Units of the coded times, microseconds, in the order of their codes.
_ERASE_UNITS = (1_000, 16_000, 128_000, 1_000_000)
_PROGRAM_UNITS = (8, 64)
_CHIP_UNITS = (16_000, 256_000, 4_000_000, 64_000_000)
_COUNTS = 32
"""A coded time is a count of 1 to 32 (5 bits) below the code of its unit."""


class Sfdp(NamedTuple):
    """The contents of a chip's SFDP: ``size`` in bytes, ``erases`` = command by size in bytes.

    ``typical`` and ``maximum`` are microseconds by purpose (``page``, ``chip`` and each erase
    size as a number); empty if the table is too old to have them.
    """

    size: int
    page_size: int
    erases: dict[int, int]
    typical: dict[str | int, int]
    maximum: dict[str | int, int]


def build(part: Part) -> bytes:
    """Return the 256 bytes that a chip of type ``part`` answers to command 0x5A."""
    table = _basic_table(part).pack()
    header = SfdpHeader(SIGNATURE, 6, 1, 0, 0xFF).pack()
    parameter = ParameterHeader(
        id_low=_BASIC_ID & 0xFF,
        minor=6,
        major=1,
        dwords=len(table) // _DWORD,
        address=TABLE_ADDRESS.to_bytes(3, "little"),
        id_high=_BASIC_ID >> 8,
    ).pack()
    start = (header + parameter).ljust(TABLE_ADDRESS, b"\xff")
    return (start + table).ljust(SFDP_SIZE, b"\xff")


def _basic_table(part: Part) -> BasicTable:
    erases = ((SECTOR, 0x20), (BLOCK32, 0x52), (BLOCK64, 0xD8))
    types = b"".join(EraseType(size.bit_length() - 1, code).pack() for size, code in erases)
    return BasicTable(
        features=0xFFF120E5,  # 4 KiB erase 0x20, 3 address bytes, reads 1-1-2, 1-2-2, 1-4-4, 1-1-4
        density=part.size * 8 - 1,
        quad_reads=0x6B08EB44,  # 1-1-4: 0x6B, 8 clocks; 1-4-4: 0xEB, 2 mode and 4 dummy clocks
        dual_reads=0xBB803B08,  # 1-2-2: 0xBB, 4 mode clocks; 1-1-2: 0x3B, 8 clocks
        all_line_reads=0xFFFFFFEE,  # neither 2-2-2 nor 4-4-4
        dual_all_lines=0xFF00FFFF,
        quad_all_lines=0xFF00FFFF,
        erases=types + EraseType(0, 0xFF).pack(),
        erase_times=_erase_times(part.typical, part.maximum),
        program_times=_program_times(part.typical, part.maximum),
        suspend=0x33E627EC,  # at most 20 us; reads and programs elsewhere are allowed meanwhile
        suspend_commands=0x757A757A,  # suspend 0x75, resume 0x7A
        power_down=0x5CD5A2F7,  # deep power-down 0xB9, wake 0xAB in 3 us, BUSY is bit 0 of 0x05
        quad_enable=0xFF500000,  # bit 1 of status register 2 (code 5), no 0-4-4
        reset=0x00001008,  # 0x66, 0x99; status 1 non-volatile by 0x06, volatile by 0x50
    )


def _erase_times(typical: Times, maximum: Times) -> int:
    pairs = (
        (typical.sector, maximum.sector),
        (typical.block32, maximum.block32),
        (typical.block64, maximum.block64),
    )
    # One factor serves all erases: the largest, so that no maximum is stated too short.
    word = _factor_code(max(-(-longest // usual) for usual, longest in pairs))
    for place, (usual, _) in enumerate(pairs):
        word |= _time_code(usual, _ERASE_UNITS) << (4 + 7 * place)
    return word


def _program_times(typical: Times, maximum: Times) -> int:
    page_bits = (PAGE.bit_length() - 1) << 4
    page = _time_code(typical.page, _PROGRAM_UNITS) << 8
    chip = _time_code(typical.chip, _CHIP_UNITS) << 24
    reserved = 1 << 31
    return reserved | chip | page | page_bits | _factor_code(-(-maximum.page // typical.page))


def _factor_code(factor: int) -> int:
    """Return the 4-bit code of maximum / typical; code n stands for 2 * (n + 1)."""
    return min(15, max(0, -(-factor // 2) - 1))


def _time_code(microseconds: int, units: tuple[int, ...]) -> int:
    """Return a time, rounded up, as the table stores it: the unit's code above count less one."""
    for code, unit in enumerate(units):
        count = -(-microseconds // unit)
        if count <= _COUNTS:
            return code * _COUNTS | max(count, 1) - 1
    return (len(units) - 1) * _COUNTS | _COUNTS - 1


def parse(read: Callable[[int, int], bytes]) -> Sfdp | None:
    """Return the contents of the table behind ``read(address, length)``; ``None`` if none.

    Raises ``NorImageError`` for a table with the right signature and impossible contents.
    """
    header = SfdpHeader.unpack(read(0, SfdpHeader.size))
    if header.signature != SIGNATURE:
        return None
    # JESD216 requires the basic table's header to be the first, so the others are not read.
    basic = ParameterHeader.unpack(read(SfdpHeader.size, ParameterHeader.size))
    if basic.id_low != _BASIC_ID & 0xFF or basic.dwords < _MIN_DWORDS:
        raise NorImageError(
            f"the chip's SFDP has no basic table (id 0x{basic.id_low:02X}, {basic.dwords} dwords)"
        )
    # Later revisions append dwords; an older table is filled up with 0xFF.
    length = min(basic.dwords * _DWORD, BasicTable.size)
    data = read(int.from_bytes(basic.address, "little"), length)
    table = BasicTable.unpack(data.ljust(BasicTable.size, b"\xff"))
    return _decode(table, has_times=basic.dwords >= _TIMED_DWORDS)


def _decode(table: BasicTable, *, has_times: bool) -> Sfdp:
    """Return the table's values; every field may be wrong."""
    exponent = table.density & 0x7FFFFFFF
    if exponent == table.density:
        bits = table.density + 1
    else:
        bits = 1 << exponent if exponent < 64 else 0
    types = [
        EraseType.unpack(table.erases, place * EraseType.size) for place in range(_ERASE_TYPES)
    ]
    sizes = [1 << kind.exponent if 0 < kind.exponent <= _MAX_EXPONENT else 0 for kind in types]
    erases = {size: kind.opcode for size, kind in zip(sizes, types, strict=True) if size}
    if bits % 8 or not bits or not erases:
        raise NorImageError(f"the chip's SFDP is invalid (density 0x{table.density:08X})")
    if not has_times:
        return Sfdp(bits // 8, PAGE, erases, {}, {})
    typical, maximum = _decode_times(table, sizes)
    page_size = 1 << (table.program_times >> 4 & 0xF)
    return Sfdp(bits // 8, page_size, erases, typical, maximum)


def _decode_times(
    table: BasicTable, sizes: list[int]
) -> tuple[dict[str | int, int], dict[str | int, int]]:
    """Return typical and maximum times; ``sizes`` are those of the four erase types."""
    erase, program = table.erase_times, table.program_times
    typical: dict[str | int, int] = {}
    for place, size in enumerate(sizes):
        if size:
            typical[size] = _decode_time(erase >> (4 + 7 * place) & 0x7F, _ERASE_UNITS)
    typical["chip"] = _decode_time(program >> 24 & 0x7F, _CHIP_UNITS)
    factor = 2 * ((erase & 0xF) + 1)
    maximum = {purpose: usual * factor for purpose, usual in typical.items()}
    typical["page"] = _decode_time(program >> 8 & 0x3F, _PROGRAM_UNITS)
    maximum["page"] = typical["page"] * 2 * ((program & 0xF) + 1)
    return typical, maximum


def _decode_time(code: int, units: tuple[int, ...]) -> int:
    return (code % _COUNTS + 1) * units[code // _COUNTS]
