"""Timing: the median of several runs, in this process or of whole processes."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from works import Work


class ProcessCost(NamedTuple):
    """A whole process: median wall time in ms; highest peak memory in MiB (None: not told)."""

    milliseconds: float
    peak_mib: float | None


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


def time_process(command: Sequence[str], runs: int) -> ProcessCost:
    """Run a command several times; raises ``CalledProcessError`` when it fails."""
    taken, peaks = [], []
    for _ in range(runs + 1):
        start = time.perf_counter()
        peak = _run(command)
        taken.append((time.perf_counter() - start) * 1000)
        if peak is not None:
            peaks.append(peak)
    return ProcessCost(statistics.median(taken[1:]), max(peaks) if peaks else None)


def _run(command: Sequence[str]) -> float | None:
    """Run a command to its end; returns its peak memory in MiB where the host tells."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    if sys.platform == "win32":
        code, peak = process.wait(), None
    else:
        import os

        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        peak = usage.ru_maxrss / unit
    if code:
        raise subprocess.CalledProcessError(code, command)
    return peak


def reference_times(command: str) -> dict[str, float]:
    """Run a reference program and return its ``name milliseconds`` lines."""
    import shlex

    output = subprocess.run(
        shlex.split(command), check=True, capture_output=True, text=True
    ).stdout
    rows = (line.split() for line in output.splitlines() if not line.startswith("#"))
    return {row[0]: float(row[1]) for row in rows if len(row) == 2}
