"""A bar for what takes over half a second: on stderr, on a terminal, with the phase's name."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import click

from maixfs.cli.screen import Screen
from maixfs.cli.settings import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

PATIENCE = 0.5
"""Seconds that pass before anything shows."""
INTERVAL = 0.1
"""Seconds between two drawings."""


class Progress:
    """Called with ``(phase, done, total)``; the bar goes away at the end of the ``with``.

    With ``--plain`` each phase is named once on a line of its own. ``rates`` says that what is
    counted are bytes: their rate and the time left are shown, too. ``clock`` gives seconds.
    """

    def __init__(
        self,
        screen: Screen,
        clock: Callable[[], float] = time.monotonic,
        *,
        rates: bool = False,
    ) -> None:
        self._screen = screen
        self._rates = rates
        self._clock = clock
        self._visible = is_terminal(sys.stderr)
        self._started = clock()
        self._drawn = 0.0
        self._phase = ""
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show how far ``phase`` is."""
        now = self._clock()
        if not self._visible or now - self._started < PATIENCE:
            return
        if self._screen.plain:
            self._name(phase)
        elif phase != self._phase or done >= total or now - self._drawn >= INTERVAL:
            self._drawn = now
            self._draw(phase, done, total)

    def _name(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            click.echo(f"{phase} ...", err=True)

    def _draw(self, phase: str, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = _make_bar(self._screen, self._rates)
            self._bar.start()
        if phase != self._phase:
            self._phase = phase
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(phase, total=total)
        self._bar.update(self._bar.task_ids[-1], completed=done, total=total)
        self._bar.refresh()


def _make_bar(screen: Screen, rates: bool) -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    console = Console(
        file=sys.stderr, no_color=not screen.settings.colored(sys.stderr), highlight=False
    )
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
    columns.append(TaskProgressColumn())
    if rates:
        columns += [TransferSpeedColumn(), TimeRemainingColumn()]
    return Bar(*columns, console=console, auto_refresh=False, transient=True)
