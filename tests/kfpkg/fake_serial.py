"""A serial port with a K210 behind it: enough of its ISP mode for kflash to flash it."""

from __future__ import annotations

import struct
import zlib
from typing import Any

_END, _ESCAPE = b"\xc0", b"\xdb"
_OK = 0xE0
_FLASH_WRITE = 0xD4
_WITHOUT_ANSWER = {0xC5, 0xD6}
"""Start a program; change the speed."""


class FakeSerial:
    """Stands for ``serial.Serial``; the flash is of the class, so that a test finds it."""

    flash = bytearray()
    writes: list[tuple[int, int]] = []  # noqa: RUF012 - set by each test

    def __init__(self, *_: Any, **__: Any) -> None:
        self.baudrate = 0
        self._answers = bytearray()

    def isOpen(self) -> bool:  # noqa: N802 - pyserial's name
        return True

    def setDTR(self, _: bool) -> None:  # noqa: N802
        pass

    setRTS = setDTR  # noqa: N815

    def close(self) -> None:
        pass

    def flushInput(self) -> None:  # noqa: N802
        self._answers.clear()

    def flushOutput(self) -> None:  # noqa: N802
        pass

    def inWaiting(self) -> int:  # noqa: N802
        return len(self._answers)

    def read(self, count: int = 1) -> bytes:
        taken = bytes(self._answers[:count])
        del self._answers[:count]
        return taken

    def write(self, frame: bytes) -> int:
        assert frame[:1] == frame[-1:] == _END
        packet = frame[1:-1].replace(b"\xdb\xdc", _END).replace(b"\xdb\xdd", _ESCAPE)
        operation = packet[0]
        if operation == _FLASH_WRITE:
            self._program(packet)
        if operation not in _WITHOUT_ANSWER:
            self._answers += _END + bytes([operation, _OK]) + _END
        return len(frame)

    def _program(self, packet: bytes) -> None:
        checksum, address, length = struct.unpack_from("<III", packet, 4)
        data = packet[16:]
        assert zlib.crc32(packet[8:]) == checksum
        assert len(data) == length
        self.flash[address : address + length] = data
        self.writes.append((address, length))
