"""``gc`` and ``micropython``: what a script asks about the interpreter it runs in."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any

from maixfs.board.console import Console
from maixfs.board.modules.kit import make_module, public


class Collector:
    """``gc``. A script's objects lie in the host's memory, so the board's heap stays free.

    ``close_files`` closes the files that nobody reaches any more.
    """

    def __init__(self, heap_size: int, close_files: Callable[[], object]) -> None:
        self._heap_size = heap_size
        self._close_files = close_files
        self._enabled = True
        self._threshold = -1

    def collect(self) -> None:
        """Let go of objects that nothing reaches; files among them are closed."""
        gc.collect()
        self._close_files()

    def enable(self) -> None:
        """Turn automatic collection on."""
        self._enabled = True

    def disable(self) -> None:
        """Turn automatic collection off, as far as the script can see."""
        self._enabled = False

    def isenabled(self) -> bool:
        """Tell whether automatic collection is on."""
        return self._enabled

    def mem_alloc(self) -> int:
        """Return the bytes in use: none, see the class."""
        return 0

    def mem_free(self) -> int:
        """Return the free bytes: the whole heap that ``/freq.conf`` asks for."""
        return self._heap_size

    def threshold(self, amount: int | None = None) -> int | None:
        """Return or set the allocation that starts a collection."""
        if amount is None:
            return self._threshold
        self._threshold = amount
        return None


class Interpreter:
    """``micropython``."""

    def __init__(self, console: Console, heap_size: int) -> None:
        self._console = console
        self._heap_size = heap_size
        self._level = 0

    def const(self, value: Any) -> Any:
        """Return ``value``: a mark for the compiler and nothing else."""
        return value

    def opt_level(self, level: int | None = None) -> int | None:
        """Return or set the optimisation level, which changes nothing here."""
        if level is None:
            return self._level
        self._level = level
        return None

    def mem_info(self, _verbose: object = None) -> None:
        """Print the state of the heap in the firmware's form."""
        size = self._heap_size
        self._console.write(f"stack: 0 out of 32768\nGC: total: {size}, used: 0, free: {size}\n")

    def heap_lock(self) -> None:
        """Accept; the host allocates all the same."""

    def heap_unlock(self) -> None:
        """Accept; the host allocates all the same."""

    def alloc_emergency_exception_buf(self, _size: int) -> None:
        """Accept; exceptions always find memory here."""


def ugc(heap_size: int, close_files: Callable[[], object]) -> ModuleType:
    """Return ``gc``."""
    return make_module("gc", public(Collector(heap_size, close_files)))


def umicropython(console: Console, heap_size: int) -> ModuleType:
    """Return ``micropython``."""
    return make_module("micropython", public(Interpreter(console, heap_size)))
