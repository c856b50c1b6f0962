"""Nested savepoints of an overlay: what a rollback puts back.

An overlay calls ``remember`` with the state of a piece of its medium before it changes the piece.
A savepoint costs nothing until then, and afterwards one entry for each piece that was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from maixfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

State = TypeVar("State")


class Savepoint:
    """A token for the state of one overlay; it is valid until it is released or rolled back."""

    __slots__ = ()


class UndoLog(Generic[State]):
    """The savepoints of one overlay, whose pieces are numbered.

    ``restore`` is called with the number of a piece and the state that ``remember`` was given.
    """

    def __init__(self, restore: Callable[[int, State], None]) -> None:
        self._restore = restore
        self._open: list[tuple[Savepoint, dict[int, State]]] = []

    def remembers(self, piece: int) -> bool:
        """Return True if a change of this piece needs no ``remember``."""
        return not self._open or piece in self._open[-1][1]

    def remember(self, piece: int, state: State) -> None:
        """Note the state of a piece that is about to change.

        To be called before the change: an interrupt between the two must leave ``rollback`` able
        to undo it.
        """
        if self._open:
            self._open[-1][1].setdefault(piece, state)

    def savepoint(self) -> Savepoint:
        """Return a token for the present state, inside all savepoints that are open."""
        token = Savepoint()
        self._open.append((token, {}))
        return token

    def rollback(self, token: Savepoint) -> None:
        """Restore the state of ``token``; it ends, and so do all savepoints inside it.

        Raises ``ValueError`` for a token that has ended or is another overlay's.
        """
        first = self._position(token)
        while len(self._open) > first:
            # Restored before it is forgotten, so that an interrupted rollback can be repeated.
            for piece, state in self._open[-1][1].items():
                self._restore(piece, state)
            self._open.pop()

    def release(self, token: Savepoint) -> None:
        """Keep what was changed since ``token``; it ends, and so do all savepoints inside it.

        The savepoint around it, if there is one, can still undo the changes. Raises
        ``ValueError`` as ``rollback`` does.
        """
        first = self._position(token)
        before = self.since(token)
        if first:
            outer = self._open[first - 1][1]
            for piece, state in before.items():
                outer.setdefault(piece, state)
        del self._open[first:]

    def since(self, token: Savepoint) -> dict[int, State]:
        """Return the pieces that were changed since ``token``, each with its state then."""
        before: dict[int, State] = {}
        for _, states in self._open[self._position(token) :]:
            for piece, state in states.items():
                before.setdefault(piece, state)
        return before

    def clear(self) -> None:
        """End all savepoints and keep the present state."""
        self._open.clear()

    def _position(self, token: Savepoint) -> int:
        for position, (known, _) in enumerate(self._open):
            if known is token:
                return position
        raise UsageError("this savepoint has ended, or belongs to another device")
