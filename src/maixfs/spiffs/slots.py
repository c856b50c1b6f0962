"""File descriptors as the C keeps them: reused, and remembering the file they had.

A closed slot keeps the name's hash and the header page. Opening the same name again starts the
search there; where power loss left two headers of one name, this decides which one is found.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from maixfs.spiffs import ondisk
from maixfs.spiffs.errors import Code, spiffs_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maixfs.spiffs.cache import WriteCache

_HIT_SCORE = 4
_MAX_SCORE = 0xFFFF
_HASH_START = 5381


@lru_cache(maxsize=512)
def name_hash(name: bytes) -> int:
    """Return the djb2 hash (xor form, 32 bits) under which a slot remembers a name."""
    value = _HASH_START
    for byte in name:
        value = (value * 33 ^ byte) & 0xFFFFFFFF
    return value


class Slot:
    """One file descriptor."""

    __slots__ = (
        "cache",
        "cursor_page",
        "cursor_span",
        "flags",
        "hash",
        "header_page",
        "number",
        "object_id",
        "offset",
        "open",
        "score",
        "serial",
        "size",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        """The C's file handle, from 1."""
        self.open = False
        self.serial = 0
        """Goes up with each opening, so that an old handle does not reach a new file."""
        self.object_id = ondisk.ID_DELETED
        """Look-up entry of the file (bit 15 set)."""
        self.size = ondisk.SIZE_UNDEFINED
        self.header_page = 0
        self.cursor_page = 0
        self.cursor_span = 0
        self.offset = 0
        self.flags = 0
        self.cache: WriteCache | None = None
        self.hash = 0
        self.score = 0

    @property
    def known_size(self) -> int:
        """Size in bytes; 0 for a file that was never written."""
        return 0 if self.size == ondisk.SIZE_UNDEFINED else self.size

    def take(self) -> None:
        """Open the slot.

        A cache page that another file's descriptor left behind is not taken over (in the C it
        can be, after a DIRECT descriptor, and then files mix).
        """
        self.open = True
        self.cache = None
        self.serial += 1


class SlotTable:
    """All descriptors: ``limit`` of them, or as many as are open when ``limit`` is ``None``."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._slots = [Slot(number) for number in range(1, (limit or 0) + 1)]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def open_slots(self) -> list[Slot]:
        """Return the slots in use, in order."""
        return [slot for slot in self._slots if slot.open]

    def of_object(self, object_id: int) -> list[Slot]:
        """Return the slots, open or closed, that have or had the object ``object_id``."""
        number = object_id & ~ondisk.ID_INDEX
        return [slot for slot in self._slots if slot.object_id & ~ondisk.ID_INDEX == number]

    def take(self) -> Slot:
        """Open the least remembered slot; raises -10007 when all are open."""
        closed = [slot for slot in self._slots if not slot.open]
        if not closed:
            closed = [self._grow()]
        slot = min(closed, key=lambda candidate: candidate.score)
        slot.take()
        return slot

    def take_for(self, name: bytes) -> tuple[Slot, int | None]:
        """Open a slot for ``name``; returns it and the page where the search should start.

        The page is ``None`` unless the slot remembers that name. Raises -10007 when all slots
        are open.
        """
        wanted = name_hash(name)
        closed = [slot for slot in self._slots if not slot.open]
        for slot in closed:
            if slot.score > 1:
                slot.score -= 1
        slot = next((s for s in closed if s.hash == wanted), None) or (
            min(closed, key=lambda candidate: candidate.score) if closed else self._grow()
        )
        start = None
        if slot.hash == wanted and slot.score > 0:
            start = slot.header_page
            slot.score = min(slot.score + _HIT_SCORE, _MAX_SCORE)
        else:
            slot.score = _HIT_SCORE
            slot.hash = wanted
        slot.take()
        return slot, start

    def _grow(self) -> Slot:
        if self._limit is not None:
            raise spiffs_error(
                Code.OUT_OF_FILE_DESCS,
                f"{self._limit} files are open",
                hint="close one; the board's firmware has 2 descriptors",
            )
        self._slots.append(Slot(len(self._slots) + 1))
        return self._slots[-1]

    def renamed(self, old: bytes, new: bytes) -> None:
        """Let slots that remember the old name remember the new one."""
        old_hash, new_hash = name_hash(old), name_hash(new)
        for slot in self._slots:
            if slot.score > 0 and slot.hash == old_hash:
                slot.hash = new_hash
