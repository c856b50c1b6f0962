"""The two checks of a card in SPI mode: CRC7 over commands and registers, CRC16 over blocks."""

from __future__ import annotations

from binascii import crc_hqx

from maixfs.sd.device import Buffer

_POLYNOMIAL7 = 0x12
"""x^7 + x^3 + 1, one bit to the left, as the check stands in its byte."""


def _table7() -> bytes:
    table = bytearray()
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL7 if value & 0x80 else 0)) & 0xFF  # noqa: PLW2901
        table.append(value)
    return bytes(table)


_TABLE7 = _table7()


def crc7(data: Buffer) -> int:
    """Return the 7-bit check (SD Physical Layer, section 4.5): 0x4A for CMD0 with argument 0."""
    value = 0
    for byte in bytes(data):
        value = _TABLE7[value ^ byte]
    return value >> 1


def crc16(data: Buffer) -> int:
    """Return the check of a data block: x^16 + x^12 + x^5 + 1 from 0; 0x7FA1 for 512 x 0xFF."""
    return crc_hqx(data, 0)
