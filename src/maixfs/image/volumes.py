"""The file systems of a target by where they are mounted, each opened when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from maixfs.errors import MaixfsError
from maixfs.image.names import Parts
from maixfs.image.volume import Volume
from maixfs.tuples import NamedTuple

Opener = Callable[[], Sequence[Volume]]


class Slot(NamedTuple):
    """What opens file systems; ``names`` are what their paths begin with (empty: anything)."""

    names: tuple[str, ...]
    open: Opener


class Volumes:
    """All file systems of a target; those of the first slot are where relative paths start.

    An opener raises where its medium holds none; that matters only to who asks for it by name.
    """

    @classmethod
    def of(cls, volume: Volume) -> Volumes:
        """Return the one file system of an image, which is open."""
        volumes = cls(Slot((), lambda: (volume,)))
        volumes._of_slot(0)
        return volumes

    def __init__(self, *slots: Slot) -> None:
        self._slots = slots
        self._open: dict[int, Sequence[Volume]] = {}
        self._stack = ExitStack()

    @property
    def main(self) -> Volume:
        """The file system where relative paths start."""
        return self._of_slot(0)[0]

    def at(self, parts: Parts) -> Volume:
        """Return the file system of a path; of one that none has, the main one."""
        for number, slot in enumerate(self._slots):
            if parts[:1] and parts[0] in slot.names:
                for volume in self._of_slot(number):
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

    def opened(self) -> Iterator[Volume]:
        """Yield the file systems that are open."""
        for volumes in self._open.values():
            yield from volumes

    def close(self) -> None:
        """Close what is open."""
        self._open.clear()
        self._stack.close()

    def _of_slot(self, number: int) -> Sequence[Volume]:
        if number not in self._open:
            volumes = self._slots[number].open()
            for volume in volumes[:1]:  # all of a slot are on one medium
                self._stack.callback(volume.medium.close)
            self._open[number] = volumes
        return self._open[number]
