"""What a card drives on its data line, and when: answers, blocks after a wait, busy, silence."""

from __future__ import annotations

from collections.abc import Callable

from maixfs.sd.clock import SdClock

FOREVER = 1 << 80
"""A time that does not come."""
_PIECE = 1 << 16
_SILENCE = b"\xff" * _PIECE
_BUSY = bytes(_PIECE)


class Outlet:
    """The bytes that a card sends, in the order in which they leave it.

    First what is queued; then, where a block is on its way, 0xFF until it is there; then 0x00
    while the card is busy; then 0xFF.
    """

    def __init__(self, clock: SdClock) -> None:
        self._clock = clock
        self._queue = bytearray()
        self._supply: Callable[[], bytes] | None = None
        self._gap = 0
        self._ready_at = self._busy_until = 0
        self._flowing = False

    @property
    def busy(self) -> bool:
        """Whether the card works on what it was told."""
        return self._clock.now < self._busy_until

    def clear(self) -> None:
        """Forget what was to be sent; a busy card stays busy."""
        self._queue.clear()
        self._supply = None
        self._flowing = False

    def stop_busy(self) -> None:
        """Let the card be idle."""
        self._busy_until = 0

    def say(self, data: bytes) -> None:
        """Queue ``data``."""
        self._queue += data
        self._flowing = False

    def work(self, nanoseconds: int) -> None:
        """Be busy for so long after what is queued has been sent."""
        if nanoseconds > 0:
            self._busy_until = self._end_of_queue() + nanoseconds

    def promise(self, supply: Callable[[], bytes], wait: int, gap: int | None = None) -> None:
        """Send what ``supply`` returns, ``wait`` nanoseconds after what is queued.

        With ``gap`` that goes on: so long after each block the next one is ready, until the
        outlet is cleared or ``supply`` says ``finish``.
        """
        self._supply = supply
        self._ready_at = self._end_of_queue() + wait
        self._gap = -1 if gap is None else gap

    def finish(self) -> None:
        """Let the block that is on its way be the last."""
        self._gap = -1

    def ahead(self, limit: int) -> bytes:
        """Return the next bytes, ``limit`` at most and at least one, without sending them."""
        limit = min(limit, _PIECE)
        if not self._queue and self._supply is not None:
            wait = self._bytes_until(self._ready_at)
            if wait > 0:
                return _SILENCE[: min(limit, wait)]
            self._fetch(self._supply)
        if self._queue:
            return bytes(memoryview(self._queue)[:limit])
        wait = self._bytes_until(self._busy_until)
        return _BUSY[: min(limit, wait)] if wait > 0 else _SILENCE[:limit]

    def advance(self, count: int) -> None:
        """Let ``count`` of the bytes that ``ahead`` showed go, and their time pass."""
        self._clock.spend(count)
        if self._queue:
            del self._queue[:count]
            if not self._queue and self._flowing:
                self._flowing = False
                self._ready_at = self._clock.now + self._gap

    def send(self, count: int) -> bytes:
        """Return the next ``count`` bytes as they go out."""
        sent = bytearray()
        while len(sent) < count:
            run = self.ahead(count - len(sent))
            self.advance(len(run))
            sent += run
        return bytes(sent)

    def _fetch(self, supply: Callable[[], bytes]) -> None:
        self._queue += supply()
        self._flowing = self._gap >= 0
        if not self._flowing:
            self._supply = None

    def _end_of_queue(self) -> int:
        return self._clock.now + len(self._queue) * self._clock.byte

    def _bytes_until(self, moment: int) -> int:
        """Return how many bytes pass before one starts at ``moment`` or later."""
        return -(-(moment - self._clock.now) // self._clock.byte)
