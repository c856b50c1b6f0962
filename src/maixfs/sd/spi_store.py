"""The card's memory as its controller sees it: addresses, capacity, protection, worn sectors."""

from __future__ import annotations

from maixfs.sd.card import SdCard
from maixfs.sd.commands import (
    ACCEPTED,
    R1,
    R2,
    TOKEN_ECC,
    TOKEN_ERROR,
    TOKEN_RANGE,
    WRITE_FAILED,
)
from maixfs.sd.device import SECTOR
from maixfs.sd.errors import SectorError
from maixfs.sd.media import zero_sectors


class CardStore:
    """Reads, writes and erases of one powered card; ``status`` are the bits for CMD13.

    Positions are in bytes from the start of the card.
    """

    def __init__(self, card: SdCard) -> None:
        self.card = card
        self.status = R2(0)
        self.size = max(card.sectors, card.medium.sectors) * SECTOR
        self._unsaved: dict[int, bytes] = {}

    def position(self, argument: int) -> int:
        """Return the byte that a command's argument means."""
        return argument * SECTOR if self.card.kind.by_blocks else argument

    def check(self, position: int, length: int) -> R1:
        """Return what is wrong with a position for blocks of ``length`` bytes.

        A block may neither lie across two sectors nor past the end.
        """
        if position + length > self.size:
            return R1.PARAMETER
        if position % SECTOR + length > SECTOR:
            return R1.ADDRESS
        return R1(0)

    def load(self, position: int, length: int) -> tuple[bytes, int]:
        """Return a block and 0, or nothing and the error token."""
        sector = position // SECTOR
        if position + length > self.size:
            self.status |= R2.OUT_OF_RANGE
            return b"", TOKEN_RANGE | TOKEN_ERROR
        token = self.card.faults.read_tokens.get(sector, 0)
        data = b""
        if not token:
            try:
                data = self._sector(sector)
            except SectorError:
                token = TOKEN_ECC
        if token:
            self.status |= R2.ECC if token & TOKEN_ECC else R2.ERROR
            return b"", token
        return data[position % SECTOR :][:length], 0

    def save(self, position: int, data: bytes) -> int:
        """Write one sector and return the data response."""
        sector = position // SECTOR
        card = self.card
        problem = R2(0)
        if card.write_protected:
            problem = R2.PROTECTED
        elif position + len(data) > self.size:
            problem = R2.OUT_OF_RANGE
        elif sector in card.faults.write_errors:
            problem = R2.ERROR
        elif card.faults.drops_writes:
            self._unsaved[self._real(sector)] = data
        else:
            try:
                card.medium.write(self._real(sector), data)
            except SectorError:
                problem = R2.ERROR
        self.status |= problem
        return WRITE_FAILED if problem else ACCEPTED

    def erase(self, first: int, last: int) -> int:
        """Make the sectors of two positions and all between zero; return how many there are."""
        if last < first:
            self.status |= R2.ERASE_PARAMETER
            return 0
        if self.card.write_protected:
            self.status |= R2.ERASE_SKIPPED
            return 0
        start, count = first // SECTOR, last // SECTOR - first // SECTOR + 1
        if self.card.faults.drops_writes:
            return count
        try:
            self._zero(start, count)
        except SectorError:
            self.status |= R2.ERROR
        return count

    def take_status(self) -> R2:
        """Return the status bits, which are clear afterwards."""
        status, self.status = self.status, R2(0)
        return status

    def lose_power(self) -> None:
        """Forget what was only pretended to be written."""
        self._unsaved.clear()
        self.status = R2(0)

    def _real(self, sector: int) -> int:
        """Return where a sector really lies: a card of fake capacity wraps."""
        real = self.card.faults.real_sectors
        return sector % real if real else sector

    def _sector(self, sector: int) -> bytes:
        real = self._real(sector)
        unsaved = self._unsaved.get(real)
        return self.card.medium.read(real, 1) if unsaved is None else unsaved

    def _zero(self, start: int, count: int) -> None:
        real = self.card.faults.real_sectors
        medium = self.card.medium
        if not real:
            zero_sectors(medium, start, min(count, medium.sectors - start))
            return
        start, count = start % real, min(count, real)
        zero_sectors(medium, start, min(count, real - start))
        zero_sectors(medium, 0, max(0, start + count - real))
