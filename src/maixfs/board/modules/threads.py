"""``_thread``: threads of the host.

After power-off a thread ends when it next uses a file, the console or the clock, or handles an
exception. A thread that only computes runs on until the process ends.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from types import ModuleType
from typing import Any, NoReturn

from maixfs.board.console import Console
from maixfs.board.exceptions import ScriptFrame, format_exception
from maixfs.board.modules.kit import make_module
from maixfs.board.power import BoardCrashError, BoardOffError, BoardReset, Power

_LOOK = 0.05
"""Seconds between two checks for Ctrl-C while the board waits for its threads."""


class Threads:
    """The functions of ``_thread``, and the threads that a program started.

    ``around`` returns a context in which a thread runs; ``is_script`` selects the frames that
    tracebacks show.
    """

    def __init__(
        self,
        power: Power,
        console: Console,
        is_script: ScriptFrame,
        around: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._power = power
        self._console = console
        self._is_script = is_script
        self._around = around
        self._started: list[threading.Thread] = []
        self._stack_size = 0
        self._program = threading.current_thread()
        self._turn = threading.Lock()
        self._may_interrupt = self._program is threading.main_thread()
        self._interrupted = False

    def start_new_thread(
        self, function: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None, /
    ) -> None:
        """Call ``function`` in a new thread."""
        if not isinstance(args, tuple | list):
            raise TypeError(f"object '{type(args).__name__}' isn't a tuple or list")
        if not isinstance(kwargs, dict | None):
            raise TypeError("expecting a dict for keyword args")
        thread = threading.Thread(
            target=self._run, args=(function, args, kwargs or {}), daemon=True
        )
        # A program that starts threads for ever must not fill the list.
        self._started = [other for other in self._started if other.is_alive()]
        self._started.append(thread)
        thread.start()

    def stack_size(self, size: int = 0, /) -> int:
        """Return the size that was set before; it has no effect."""
        old, self._stack_size = self._stack_size, size
        return old

    def exit(self) -> NoReturn:
        """End the calling thread."""
        raise SystemExit

    def wait(self) -> None:
        """Wait for all threads, as a board does at the end of main.py."""
        while alive := [thread for thread in self._started if thread.is_alive()]:
            self._power.check()
            # A join without a time would not be interrupted by Ctrl-C on Windows.
            alive[0].join(_LOOK)
        self._power.check()

    def stop_interrupts(self) -> None:
        """Stop threads from interrupting the main thread after the end of the program."""
        try:
            with self._turn:
                self._may_interrupt = False
            for _ in range(100):  # a pending interrupt is raised in one of these steps
                pass
        except KeyboardInterrupt:
            self._may_interrupt = False
            if not self._interrupted:
                raise

    def _run(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        try:
            with self._around():
                function(*args, **kwargs)
        except (BoardReset, BoardCrashError):
            with self._turn:
                if self._may_interrupt:
                    self._interrupted = True
                    _thread.interrupt_main()  # ends the program, which runs there
        except (BoardOffError, SystemExit):
            pass
        except BaseException as error:
            with suppress(BoardReset, BoardCrashError, BoardOffError, BrokenPipeError):
                self._console.write(
                    f"Unhandled exception in thread started by {function!r}\n"
                    f"{format_exception(error, self._is_script)}"
                )


def uthread(threads: Threads) -> ModuleType:
    """Return the module."""
    members = {
        "LockType": _thread.LockType,
        "allocate_lock": _thread.allocate_lock,
        "exit": threads.exit,
        "get_ident": _thread.get_ident,
        "stack_size": threads.stack_size,
        "start_new_thread": threads.start_new_thread,
    }
    return make_module("_thread", members)
