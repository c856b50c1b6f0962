"""The bytes of SPI mode: checksums, command numbers, response bits, tokens.

Source: SD Association, Physical Layer Simplified Specification, sections 4.5 and 7.3.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Mapping
from enum import IntEnum, IntFlag

from maixfs.sd.device import Buffer

_POLYNOMIAL7 = 0x12
"""x^7 + x^3 + 1, shifted left by one bit, as the checksum stands in its byte."""


def _table7() -> bytes:
    table = bytearray()
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL7 if value & 0x80 else 0)) & 0xFF  # noqa: PLW2901
        table.append(value)
    return bytes(table)


# Every command of the simulated card needs a CRC7: a table is eight times faster than bits.
_TABLE7 = _table7()


def crc7(data: Buffer) -> int:
    """Return the CRC7 of a command or a register: 0x4A for CMD0 with argument 0."""
    value = 0
    for byte in bytes(data):
        value = _TABLE7[value ^ byte]
    return value >> 1


def crc16(data: Buffer) -> int:
    """Return the CRC16 of a data block: x^16 + x^12 + x^5 + 1 from 0; 0x7FA1 for 512 x 0xFF.

    The CRC16 of a block with its own CRC16 appended is 0.
    """
    return crc_hqx(data, 0)


class Cmd(IntEnum):
    """Command numbers; names of application commands (sent after ``APP``) begin with ``A_``."""

    GO_IDLE = 0
    SEND_OP_COND = 1
    SEND_IF_COND = 8
    SEND_CSD = 9
    SEND_CID = 10
    STOP = 12
    SEND_STATUS = 13
    SET_BLOCKLEN = 16
    READ = 17
    READ_MULTI = 18
    WRITE = 24
    WRITE_MULTI = 25
    ERASE_START = 32
    ERASE_END = 33
    ERASE = 38
    APP = 55
    READ_OCR = 58
    CRC_ON_OFF = 59
    A_SD_STATUS = 13
    A_WELL_WRITTEN = 22
    A_PRE_ERASE = 23
    A_OP_COND = 41
    A_SEND_SCR = 51


class R1(IntFlag):
    """Bits of the first response byte; bit 7 is always 0."""

    IDLE = 1
    ERASE_RESET = 2
    ILLEGAL = 4
    CRC = 8
    ERASE_SEQUENCE = 16
    ADDRESS = 32
    PARAMETER = 64


class R2(IntFlag):
    """Bits of the second response byte of CMD13."""

    LOCKED = 1
    ERASE_SKIPPED = 2
    ERROR = 4
    CONTROLLER = 8
    ECC = 16
    PROTECTED = 32
    ERASE_PARAMETER = 64
    OUT_OF_RANGE = 128


CRC_BYTES = 2
"""Size of the CRC16 after a block."""
START_BLOCK = 0xFE
START_MULTI_WRITE = 0xFC
STOP_MULTI_WRITE = 0xFD
ACCEPTED, CRC_REJECTED, WRITE_FAILED = 0x05, 0x0B, 0x0D
"""Data responses; the upper three bits are undefined, hence the mask."""
RESPONSE_MASK = 0x1F
TOKEN_ERROR, TOKEN_CONTROLLER, TOKEN_ECC, TOKEN_RANGE = 1, 2, 4, 8
"""Bits of the error token that a card sends instead of a block."""

HIGH_CAPACITY = 0x40000000
"""HCS of ACMD41: the host can address by sectors. CCS of the OCR: the card does."""
POWERED_UP = 0x80000000
"""Bit of the OCR: initialisation has ended."""
CHECK_PATTERN = 0x1AA
"""Argument of CMD8: 2.7 to 3.6 V and the usual check pattern."""


_R1_NAMES: dict[int, str] = {
    R1.IDLE: "idle",
    R1.ERASE_RESET: "erase reset",
    R1.ILLEGAL: "illegal command",
    R1.CRC: "command CRC error",
    R1.ERASE_SEQUENCE: "erase sequence error",
    R1.ADDRESS: "address error",
    R1.PARAMETER: "parameter error",
}
_R2_NAMES: dict[int, str] = {
    R2.LOCKED: "locked",
    R2.ERASE_SKIPPED: "erase skipped protected sectors",
    R2.ERROR: "error",
    R2.CONTROLLER: "card controller error",
    R2.ECC: "ECC failed",
    R2.PROTECTED: "write-protected",
    R2.ERASE_PARAMETER: "erase parameter",
    R2.OUT_OF_RANGE: "out of range",
}
_TOKENS: dict[int, str] = {
    TOKEN_ERROR: "error",
    TOKEN_CONTROLLER: "card controller error",
    TOKEN_ECC: "ECC failed",
    TOKEN_RANGE: "out of range",
}


def frame(command: int, argument: int = 0) -> bytes:
    """Return the six bytes of a command with its CRC7."""
    # Always with its CRC: a card that does not check it ignores it.
    head = bytes([0x40 | command]) + argument.to_bytes(4, "big")
    return head + bytes([crc7(head) << 1 | 1])


def parse_frame(data: bytes) -> tuple[int, int, bool]:
    """Return the command number, the argument, and whether the CRC7 of six bytes is right."""
    intact = data[5] == crc7(data[:5]) << 1 | 1
    return data[0] & 0x3F, int.from_bytes(data[1:5], "big"), intact


def explain_r1(value: int) -> str:
    """Return a predicate for "the card": ``answers 0x05 (idle, illegal command)``."""
    if value == 0xFF:
        return "gives no response (0xFF)"
    return f"answers 0x{value:02X} ({_named_bits(value, _R1_NAMES) or 'ready'})"


def explain_token(value: int) -> str:
    """Return a predicate for "the card": ``sends the error token 0x04 (ECC failed)``."""
    if value == 0xFF:
        return "sends nothing (0xFF)"
    # The upper half of an error token is zero; anything else is noise or a late response.
    if value >= 0x10:
        return f"sends 0x{value:02X}, which is not a token"
    return f"sends the error token 0x{value:02X} ({_named_bits(value, _TOKENS) or 'no error'})"


def explain_status(value: int) -> str:
    """Return the second response byte of CMD13 with the names of its bits."""
    return f"0x{value:02X} ({_named_bits(value, _R2_NAMES) or 'no error'})"


def _named_bits(value: int, names: Mapping[int, str]) -> str:
    return ", ".join(name for bit, name in names.items() if value & bit)
