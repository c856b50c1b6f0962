"""Which models are loaded, and what programs still have of them."""

from __future__ import annotations

import weakref

from maixfs.board.kpu.model import LoadedModel
from maixfs.board.memory import SystemMemory
from maixfs.kmodel import LoadResult


class Handle:
    """What a task of a program stands for: ``model`` is ``None`` before ``load`` and after
    ``deinit``.
    """

    __slots__ = ("model",)

    def __init__(self) -> None:
        self.model: LoadedModel | None = None


class ModelStore:
    """The models of one time that the board is on; they take from ``memory``.

    A model stays when a program drops its task, until the garbage collector finds that out.
    """

    def __init__(self, memory: SystemMemory) -> None:
        self._memory = memory
        self._owned: list[tuple[weakref.ref[object], Handle]] = []

    @property
    def free(self) -> int:
        """Bytes of memory that are left."""
        return self._memory.free

    @property
    def count(self) -> int:
        """How many models are loaded."""
        return sum(handle.model is not None for _, handle in self._owned)

    def own(self, task: object, handle: Handle) -> None:
        """Note that ``handle`` is free to go when nobody has ``task`` any more."""
        self._owned.append((weakref.ref(task), handle))

    def put(self, handle: Handle, answer: LoadResult, data: bytes) -> None:
        """Keep a model that was loaded."""
        self._memory.take(answer.memory)
        handle.model = LoadedModel(answer, data)

    def drop(self, handle: Handle) -> None:
        """Free a handle's model, if it has one."""
        if handle.model is not None:
            self._memory.take(-handle.model.answer.memory)
            handle.model = None

    def collect(self) -> int:
        """Free the models whose tasks are gone; return how many tasks went."""
        gone = [handle for task, handle in self._owned if task() is None]
        self._owned = [entry for entry in self._owned if entry[0]() is not None]
        for handle in gone:
            self.drop(handle)
        return len(gone)
