"""What storage takes on a board: the clocks of chip and card, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from maixfs.board.clock import Clock
from maixfs.nor.clock import SECOND


class StorageTime(NamedTuple):
    """Device time in nanoseconds: of the flash, where its chip has a clock, and of the card."""

    flash: int
    sd: int

    @property
    def total(self) -> int:
        """Both: one processor waits for either."""
        return self.flash + self.sd

    def since(self, before: StorageTime) -> StorageTime:
        """Return what came after ``before``."""
        return StorageTime(self.flash - before.flash, self.sd - before.sd)


class ModelLoad(NamedTuple):
    """A model that a program loaded, and what reading it took."""

    function: str
    """``load`` or ``load_flash``."""
    source: int | str
    """The flash address or the path that ``kpu.load`` or its like was given."""
    size: int
    """Bytes of the model."""
    time: StorageTime

    @property
    def call(self) -> str:
        """The call as a program writes it."""
        source = f"0x{self.source:X}" if isinstance(self.source, int) else f'"{self.source}"'
        return f"kpu.{self.function}({source})"


class StorageClock:
    """The time of a board that only sleeps and waits for its storage.

    It is what ``clock`` counts and what ``storage`` took meanwhile; the time that the processor
    needs for a program is not known here.
    """

    def __init__(self, clock: Clock, storage: Callable[[], StorageTime]) -> None:
        self._clock = clock
        self._storage = storage

    def now(self) -> float:
        """Return the seconds that have passed so far."""
        return self._clock.now() + self._storage().total / SECOND

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` go by."""
        self._clock.sleep(seconds)
