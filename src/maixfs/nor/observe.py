"""Watching a chip: every read, program and erase, before and after it lands.

An observer that raises in ``before`` stops the operation: nothing of it lands. That, together
with ``NorChip.poke``, is all that a power cut needs: lay down as much as the torn operation
leaves, then raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from maixfs.nor.cells import and_bytes, blank

if TYPE_CHECKING:
    from types import TracebackType

    from maixfs.nor.array import FlashArray

Kind: TypeAlias = Literal["read", "program", "erase"]


class NorEvent(NamedTuple):
    """One operation of the chip.

    ``length`` is in bytes; a program stays in one 256-byte page, an erase is one command (4, 32
    or 64 KiB or the chip). ``data`` is what a program was asked to write. ``cause`` is what an
    upper layer said it was doing. ``dropped``: the chip was busy and ignored the command.
    """

    kind: Kind
    address: int
    length: int
    cause: str | None = None
    data: bytes = b""
    dropped: bool = False

    def outcome(self, old: bytes) -> bytes:
        """Return the bytes that the cells hold afterwards, where they held ``old`` before."""
        if self.dropped or self.kind == "read":
            return old
        return blank(self.length) if self.kind == "erase" else and_bytes(old, self.data)


class Observer(Protocol):
    """Somebody who watches a chip; both methods may be left as they are.

    ``chip.peek`` shows the bytes: the old ones in ``before``, the new ones in ``after``.
    """

    def before(self, chip: FlashArray, event: NorEvent) -> None:
        """See an operation that is about to land; raise to stop it."""

    def after(self, chip: FlashArray, event: NorEvent) -> None:
        """See an operation that has landed, or a command that a busy chip has dropped."""


class Cause:
    """A stretch of work with a name, as a context manager; see ``NorChip.cause``."""

    __slots__ = ("_chip", "_outer", "_text")

    def __init__(self, chip: FlashArray, text: str) -> None:
        self._chip = chip
        self._text = text
        self._outer: str | None = None

    def __enter__(self) -> None:
        self._outer = self._chip.current_cause
        self._chip.current_cause = self._text

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._chip.current_cause = self._outer
