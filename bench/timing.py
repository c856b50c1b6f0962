"""Timing: the median of several runs, in this process or of whole processes."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from works import Work


class ProcessCost(NamedTuple):
    """A whole process: medians in ms, highest peak memory in MiB (None: not told)."""

    milliseconds: float
    """Wall time."""
    peak_mib: float | None
    cpu: float | None = None
    """Time of processors, of the process and of the system for it: what others do counts less."""


def time_work(work: Work, runs: int) -> float:
    """Return the median milliseconds of ``runs`` runs, after one that does not count.

    The garbage collector rests meanwhile, as timeit has it.
    """
    taken = []
    for _ in range(runs + 1):
        subject = work.prepare()
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        work.run(subject)
        taken.append((time.perf_counter() - start) * 1000)
        gc.enable()
    return statistics.median(taken[1:])


def time_process(command: Sequence[str], runs: int, code: int = 0) -> ProcessCost:
    """Run a command several times; raises ``CalledProcessError`` for another exit code."""
    taken, peaks, busy = [], [], []
    for _ in range(runs + 1):
        start = time.perf_counter()
        used = _run(command, code)
        taken.append((time.perf_counter() - start) * 1000)
        if used is not None:
            peaks.append(used[0])
            busy.append(used[1])
    wall = statistics.median(taken[1:])
    if not peaks:
        return ProcessCost(wall, None)
    return ProcessCost(wall, max(peaks), statistics.median(busy[1:]))


def time_against_python(command: Sequence[str], runs: int) -> tuple[float, float]:
    """Return the CPU ms of a command, and their ratio to ``python3 -c pass``.

    Both are the minimum of ``runs`` runs (on Windows, of wall time) that alternate, so that what
    else the machine does changes the ratio little.
    """
    nothing = [sys.executable, "-c", "pass"]
    ours, least = [], []
    for _ in range(runs + 1):
        for words, taken in ((nothing, least), (command, ours)):
            start = time.perf_counter()
            used = _run(words, 0)
            taken.append(used[1] if used else (time.perf_counter() - start) * 1000)
    return min(ours[1:]), min(ours[1:]) / min(least[1:])


def _run(command: Sequence[str], right: int) -> tuple[float, float] | None:
    """Run a command to its end; returns its peak in MiB and its CPU ms where the host tells."""
    # An installed program is compiled once: the run that does not count does it.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=kept)
    used = None
    if sys.platform == "win32":
        code = process.wait()
    else:
        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        used = usage.ru_maxrss / unit, (usage.ru_utime + usage.ru_stime) * 1000
    if code != right:
        raise subprocess.CalledProcessError(code, command)
    return used


def reference_times(command: str) -> dict[str, float]:
    """Run a reference program and return its ``name milliseconds`` lines."""
    import shlex

    output = subprocess.run(
        shlex.split(command), check=True, capture_output=True, text=True
    ).stdout
    rows = (line.split() for line in output.splitlines() if not line.startswith("#"))
    return {row[0]: float(row[1]) for row in rows if len(row) == 2}
