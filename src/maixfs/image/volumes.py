"""The media of an image and their file systems, each opened and mounted when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from maixfs.errors import MaixfsError
from maixfs.image.names import Parts
from maixfs.image.volume import Volume
from maixfs.tuples import NamedTuple

if TYPE_CHECKING:
    from maixfs.image.media import Medium


class Slot(NamedTuple):
    """One file of the host; ``names`` are what its paths begin with (empty: anything)."""

    names: tuple[str, ...]
    open: Callable[[], Medium | None]
    """Opens the medium; ``None`` where there is none, as in an empty slot for cards."""
    mount: Callable[[Any], Sequence[Volume]]
    """Finds and mounts its file systems; raises where there are none."""


class Volumes:
    """All file systems of an image; relative paths start in those of the first slot.

    A medium without a file system raises an error when that is asked for by its path.
    """

    def __init__(self, *slots: Slot) -> None:
        self._slots = slots
        self._media: dict[int, Medium | None] = {}
        self._mounted: dict[int, Sequence[Volume]] = {}
        self._stack = ExitStack()

    def medium(self, parts: Parts = ()) -> Medium | None:
        """Return the medium of a path; of one that none has, that of the first slot."""
        return self._medium(self._slot_of(parts))

    @property
    def main(self) -> Volume:
        """The file system where relative paths start."""
        return self._of_slot(0)[0]

    def at(self, parts: Parts) -> Volume:
        """Return the file system of a path; of one that none has, the main one."""
        for volume in self._of_slot(self._slot_of(parts)):
            if volume.mount.parts == parts[:1]:
                return volume
        return self.main

    def below(self, parts: Parts) -> Iterator[Volume]:
        """Yield the file systems that have something at a path or under it: of the root, all."""
        if parts or len(self._slots) == 1:
            yield self.at(parts)
            return
        yield from self.all()

    def all(self) -> Iterator[Volume]:
        """Yield all file systems that can be opened; the first slot has to have one."""
        yield from self._of_slot(0)
        for number in range(1, len(self._slots)):
            try:
                yield from self._of_slot(number)
            except MaixfsError:  # not mounted by the board either; it is told when it is named
                continue

    def mountable(self) -> Iterator[Volume]:
        """Yield all file systems that mount, and there may be none."""
        for number in range(len(self._slots)):
            with suppress(MaixfsError):
                yield from self._of_slot(number)

    def media(self) -> Iterator[Medium]:
        """Yield the media that are open."""
        return (medium for medium in self._media.values() if medium is not None)

    def close(self) -> None:
        """Close what is open."""
        self._mounted.clear()
        self._media.clear()
        self._stack.close()

    def _slot_of(self, parts: Parts) -> int:
        named = (n for n, slot in enumerate(self._slots) if parts[:1] and parts[0] in slot.names)
        return next(named, 0)

    def _medium(self, number: int) -> Medium | None:
        if number not in self._media:
            medium = self._slots[number].open()
            if medium is not None:
                self._stack.callback(medium.close)
            self._media[number] = medium
        return self._media[number]

    def _of_slot(self, number: int) -> Sequence[Volume]:
        if number not in self._mounted:
            medium = self._medium(number)
            if medium is None:
                return ()
            try:
                self._mounted[number] = self._slots[number].mount(medium)
            except BaseException:
                # A volume joins its medium when it is made: one that did not mount must not be
                # synced later.
                medium.volumes.clear()
                raise
        return self._mounted[number]
