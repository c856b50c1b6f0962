"""The three security registers of a flash chip: 256 bytes each, lockable for good."""

from __future__ import annotations

from maixfs.nor.cells import blank, program_cells
from maixfs.nor.status import StatusRegisters

PAGE = 256
_REGISTERS = 3
_REGISTER_SHIFT = 12
"""Register n lies at address n * 0x1000 (W25Q128 data sheet, security registers)."""


class SecurityRegisters:
    """Registers 1 to 3, erased; an address outside them reads as 0xFF and changes nothing."""

    def __init__(self) -> None:
        self._pages = [memoryview(bytearray(blank(PAGE))) for _ in range(_REGISTERS)]

    def read(self, address: int, count: int) -> bytes:
        """Return ``count`` bytes; the address wraps inside its register."""
        page = self._page(address)
        if page is None:
            return b""
        start = address % PAGE
        return (bytes(page) * (-(-(start + count) // PAGE)))[start : start + count]

    def program(self, address: int, data: bytes, status: StatusRegisters) -> bool:
        """Program bytes, wrapping inside the register; return whether it took them."""
        page = self._page(address)
        if page is None or not data or status.security_locked(address >> _REGISTER_SHIFT):
            return False
        for offset, byte in enumerate(data[-PAGE:], len(data) - len(data[-PAGE:])):
            program_cells(page, (address + offset) % PAGE, bytes([byte]))
        return True

    def erase(self, address: int, status: StatusRegisters) -> bool:
        """Erase a register; return whether there is one and it is not locked."""
        page = self._page(address)
        if page is None or status.security_locked(address >> _REGISTER_SHIFT):
            return False
        page[:] = blank(PAGE)
        return True

    def _page(self, address: int) -> memoryview | None:
        register = address >> _REGISTER_SHIFT
        in_page = address & 0xF00 == 0
        return self._pages[register - 1] if 1 <= register <= _REGISTERS and in_page else None
