"""A flash driver for any SPI bus: identify the chip, read, program, erase, wait.

The bus is any object with ``transfer`` (see ``SpiBus``): a real adapter, or the simulated chip.
Every wait is bounded twice: by the maximum time of the data sheet on the given time source, and
by a number of polls in case that source stands still.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

from maixfs.nor import sfdp
from maixfs.nor.bus import (
    BLOCK_PROTECT,
    BUSY,
    MAX_ADDRESSED,
    QUAD_ENABLE,
    SHAPES,
    WEL,
    Op,
    SpiBus,
    frame_head,
)
from maixfs.nor.clock import MICROSECOND, READ_PIECE, BusTime, HostTime
from maixfs.nor.device import BLOCK32, BLOCK64, PAGE, SECTOR, Buffer, octets
from maixfs.nor.errors import (
    NorError,
    NorImageError,
    invalid,
    misaligned,
    nor_error,
    out_of_range,
)
from maixfs.nor.parts import Part, Times, default_part, identify

_ENABLE_TRIES = 3
"""Write enables before the chip is given up: a bad connection loses single frames."""
_TIMEOUT_FACTOR = 2
"""Times the data sheet's maximum before the chip is given up: adapters add latency."""
_POLLS_PER_TYPICAL = 8
"""Polls in the typical time: at most an eighth of it is lost to waiting too long."""
_LINE_HIGH = 0xFF
"""What a status read gives if no chip drives the line."""
_WAKE_TIME = 30 * MICROSECOND
"""Longest time to wake from power-down (tRES1 of the parts is 3 to 30 us)."""
_STATUS1_WRITABLE = 0xFC
_UNIQUE_ID_BYTES = 8
_READS = {1: Op.FAST_READ, 2: Op.FAST_READ_DUAL_IO, 4: Op.FAST_READ_QUAD_IO}
_PROGRAMS = {1: Op.PAGE_PROGRAM, 2: Op.PAGE_PROGRAM, 4: Op.QUAD_PAGE_PROGRAM}
USUAL_ERASES: dict[int, int] = {
    SECTOR: Op.ERASE_SECTOR,
    BLOCK32: Op.ERASE_BLOCK32,
    BLOCK64: Op.ERASE_BLOCK64,
}
"""Erase commands by size in bytes, of every part in the table."""


class SpiFlash:
    """The flash chip on ``bus`` as a ``NorDevice``.

    ``lines`` (1, 2 or 4) is how many data lines the adapter has wired; four set the chip's quad
    enable bit. ``time`` is the clock for waits: by default the bus itself if it has ``now`` and
    ``sleep``, else the host's clock. ``part`` overrules the identification of the chip.

    ``jedec`` is the chip's id, ``part`` its type. Raises ``NorError`` if no chip answers or the
    chip is not supported (ENODEV), if it does not finish (ETIMEDOUT), and for a wrong number of
    lines (EINVAL).
    """

    erase_size = SECTOR

    def __init__(
        self,
        bus: SpiBus,
        *,
        lines: int = 1,
        time: BusTime | None = None,
        part: Part | None = None,
    ) -> None:
        if lines not in _READS:
            raise invalid(f"a flash chip has 1, 2 or 4 data lines, not {lines}")
        self.bus = bus
        self.time: BusTime = time or (bus if isinstance(bus, BusTime) else HostTime())
        self.part = part or default_part()
        self._erases = dict(USUAL_ERASES)
        # A sleeping chip answers no id, so it is woken before anything else.
        self._wake()
        self.jedec = self._read_jedec()
        if part is None:
            self.part, self._erases = identify_chip(self.jedec, self._read_sfdp)
        self.size = self.part.size
        self._read_op, self._program_op = _READS[lines], _PROGRAMS[lines]
        if lines == 4:
            self._enable_quad()

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes, fetched in pieces of at most 64 KiB."""
        self._check(address, length)
        pieces = []
        for start in range(address, address + length, READ_PIECE):
            count = min(READ_PIECE, address + length - start)
            pieces.append(self._fetch(self._read_op, start, count))
        return b"".join(pieces)

    def program(self, address: int, data: Buffer) -> None:
        """Program page by page; bits only go from 1 to 0."""
        data = octets(data)
        length = len(data)
        self._check(address, length)
        shape = SHAPES[self._program_op]
        start = 0
        while start < length:
            stop = min(length, start + PAGE - (address + start) % PAGE)
            head = frame_head(self._program_op, address + start)
            self._enable_write(address + start)
            self.bus.transfer(head + bytes(data[start:stop]), lines=shape.data_lines)
            self._wait(self.part.maximum.page, self.part.typical.page)
            start = stop

    def erase(self, address: int, length: int) -> None:
        """Erase whole sectors, in the largest units that are aligned and fit."""
        if address % SECTOR or length % SECTOR:
            raise misaligned(address, length, SECTOR)
        self._check(address, length)
        end = address + length
        while address < end:
            # Of the chip's own erase commands; a sector always fits, by the check above.
            unit = max(
                size
                for size in self._erases
                if (address % size == 0 and address + size <= end) or size == SECTOR
            )
            self._enable_write(address)
            self.bus.transfer(frame_head(self._erases[unit], address))
            self._wait(*self._erase_times(unit))
            address += unit

    def erase_chip(self) -> None:
        """Erase everything with one command."""
        self._enable_write(0)
        self._command(Op.ERASE_CHIP)
        self._wait(self.part.maximum.chip, self.part.typical.chip)

    def window(self) -> None:
        """Return ``None``: every byte comes over the bus."""

    def read_unique_id(self) -> bytes:
        """Return the 8 bytes that the maker gave to this single chip."""
        return self._fetch(Op.UNIQUE_ID, 0, _UNIQUE_ID_BYTES)

    def unprotect(self) -> None:
        """Clear the block protection bits; raises ``NorError`` (EROFS) if the chip keeps them."""
        kept = self._status() & ~BLOCK_PROTECT & _STATUS1_WRITABLE
        self._write_status(Op.WRITE_STATUS1, bytes([kept]))
        if self._status() & BLOCK_PROTECT:
            raise nor_error(
                f"the flash chip stays write-protected (status 0x{self._status():02X})",
                errno.EROFS,
                hint="its status registers are locked: check the WP pin, or power it off and on",
            )

    # Identification

    def _wake(self) -> None:
        """Wake a sleeping chip, and wait for an operation that is still running."""
        self._command(Op.RELEASE_POWER_DOWN)
        self.time.sleep(_WAKE_TIME)
        # After a restart of the host the chip may still be busy, at worst with a chip erase.
        if self._status() not in (_LINE_HIGH, 0):
            self._wait(self.part.maximum.chip, self.part.typical.sector)

    def _read_jedec(self) -> bytes:
        """Return the chip's id; raises ``NorError`` (ENODEV) if nothing drives the line."""
        jedec = self.bus.transfer(bytes([Op.JEDEC_ID]), 3)
        if jedec in (b"\xff\xff\xff", b"\x00\x00\x00"):
            raise nor_error(
                f"no flash chip answers (its id reads {jedec.hex()})",
                errno.ENODEV,
                hint="check wiring, power and chip select",
            )
        return jedec

    def _read_sfdp(self, address: int, count: int) -> bytes:
        return self._fetch(Op.READ_SFDP, address, count)

    # Status

    def _status(self, opcode: int = Op.READ_STATUS1) -> int:
        return self.bus.transfer(bytes([opcode]), 1)[0]

    def _wait(self, maximum: int, typical: int) -> None:
        """Wait until the chip is idle: at most twice ``maximum`` microseconds.

        Raises ``NorError``: ETIMEDOUT if the chip stays busy, ENODEV if it no longer answers.
        """
        # Polls are spread over the typical time: over USB each costs a millisecond or more.
        pause = max(1, typical * MICROSECOND // _POLLS_PER_TYPICAL)
        limit = _TIMEOUT_FACTOR * maximum * MICROSECOND
        deadline = self.time.now() + limit
        status = 0
        # The number of polls is bounded too: a broken time source must not hang the caller.
        for _ in range(limit // pause + _POLLS_PER_TYPICAL):
            status = self._status()
            if not status & BUSY:
                return
            if status == _LINE_HIGH or self.time.now() > deadline:
                break
            self.time.sleep(pause)
        if status == _LINE_HIGH:
            raise nor_error(
                "the flash chip no longer answers", errno.ENODEV, hint="check wiring and power"
            )
        raise nor_error(
            f"the flash chip is still busy after {limit // 1_000_000} ms",
            errno.ETIMEDOUT,
            hint="it hangs, or it is worn out: power it off and on",
        )

    def _enable_write(self, address: int) -> None:
        """Set WEL and verify it; raises ``NorError`` (EROFS, EIO) for a chip that refuses."""
        status = 0
        for _ in range(_ENABLE_TRIES):
            self._command(Op.WRITE_ENABLE)
            status = self._status()
            # A protected chip ignores programs silently, so it is found out before.
            if status & BLOCK_PROTECT and status != _LINE_HIGH:
                raise nor_error(
                    f"the flash chip is write-protected (status 0x{status:02X}),"
                    f" 0x{address:06X} may not change",
                    errno.EROFS,
                    hint="unprotect() clears the protection",
                )
            if status & (WEL | BUSY) == WEL:
                return
        raise NorError(
            f"the flash chip does not accept writes at 0x{address:06X}"
            f" (status 0x{status:02X} after a write enable)",
            hint="check its WP pin, and whether it is still connected",
        )

    def _enable_quad(self) -> None:
        """Set QE: by the command for register 2, else by the older one for registers 1 and 2."""
        # QE is non-volatile, so it is usually set already. The registers wear out like cells and
        # are written only if they must.
        if self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            return
        second = self._status(Op.READ_STATUS2) | QUAD_ENABLE
        self._write_status(Op.WRITE_STATUS2, bytes([second]))
        if not self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            # Older chips (W25Q128BV) do not know command 31h.
            first = self._status() & _STATUS1_WRITABLE
            self._write_status(Op.WRITE_STATUS1, bytes([first, second]))
        if not self._status(Op.READ_STATUS2) & QUAD_ENABLE:
            raise NorError(
                "the flash chip does not accept four data lines (QE stays 0)",
                hint="use one line, or two",
            )

    def _write_status(self, opcode: Op, values: bytes) -> None:
        self._command(Op.WRITE_ENABLE)
        self.bus.transfer(bytes([opcode]) + values)
        self._wait(self.part.maximum.status, self.part.typical.status)

    # Frames

    def _command(self, opcode: Op) -> None:
        self.bus.transfer(bytes([opcode]))

    def _fetch(self, opcode: Op, address: int, count: int) -> bytes:
        head = frame_head(opcode, address)
        data = self.bus.transfer(head, count, lines=SHAPES[opcode].data_lines)
        # Adapters that are unplugged give short answers, not errors.
        if len(data) != count:
            raise NorError(
                f"the bus gave {len(data)} of {count} bytes at 0x{address:06X}",
                hint="the adapter was disconnected or is faulty",
            )
        return data

    def _erase_times(self, unit: int) -> tuple[int, int]:
        """Return maximum and typical time in microseconds; odd units as the next larger."""
        longest, usual = self.part.maximum, self.part.typical
        if unit <= SECTOR:
            return longest.sector, usual.sector
        if unit <= BLOCK32:
            return longest.block32, usual.block32
        return longest.block64, usual.block64

    def _check(self, address: int, length: int) -> None:
        if address < 0 or length < 0 or address + length > self.size:
            raise out_of_range(address, length, self.size)


def identify_chip(
    jedec: bytes, read_sfdp: Callable[[int, int], bytes]
) -> tuple[Part, dict[int, int]]:
    """Return the part with the id ``jedec`` and its erase commands by size in bytes.

    Raises ``NorError`` (ENODEV) for a chip that is not in the table and has no SFDP, or that
    needs more than 24 address bits.
    """
    known = identify(jedec)
    described = _read_description(known, read_sfdp)
    if described is None:
        if known is None:
            raise nor_error(
                f"the flash chip with id {jedec.hex()} is not known and has no SFDP table",
                errno.ENODEV,
                hint="name a part that it is like",
            )
        return known, dict(USUAL_ERASES)
    erases = {size: code for size, code in described.erases.items() if size <= described.size}
    if described.size > MAX_ADDRESSED or SECTOR not in erases:
        raise nor_error(
            f"the flash chip with id {jedec.hex()} has 0x{described.size:X} bytes and erases of"
            f" {', '.join(map(str, sorted(erases))) or 'no known size'};"
            " this driver needs 24-bit addresses and 4 KiB erases",
            errno.ENODEV,
        )
    # Clones carry ids of other makers' chips: if table and SFDP disagree about the size, SFDP,
    # which the chip itself gives, is taken.
    if known and known.size == described.size:
        return known, erases
    return _part_from_sfdp(jedec, described), erases


def _read_description(
    known: Part | None, read_sfdp: Callable[[int, int], bytes]
) -> sfdp.Sfdp | None:
    """Return the chip's SFDP; an impossible one is an error only for an unknown chip."""
    try:
        return sfdp.parse(read_sfdp)
    except NorImageError:
        if known is None:
            raise
        return None


def _part_from_sfdp(jedec: bytes, described: sfdp.Sfdp) -> Part:
    """Return a part with the values of the SFDP; the default part's values fill the gaps."""
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
