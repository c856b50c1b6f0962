"""What holds for every test: the same examples each time, nothing of the user's set-up."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from cuts.counting import PROPERTY, CountCuts

hypothesis.settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, max_examples=40
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

KEPT = {"MAIXFS_GOLDEN"}
COLOURS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"}


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """Take away the variables by which a user changes what maixfs prints or where it looks."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in COLOURS or (name.startswith("MAIXFS_") and name not in KEPT):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts() -> None:
    """Let Ctrl-C reach the programs that tests start, also from a job in the background.

    A shell has such a job ignore it, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def count_cuts(request: pytest.FixtureRequest) -> CountCuts:
    """Return a function that adds to the counts of power cuts at the end of the run."""

    def count(name: str, cuts: int, states: int, lost: int = 0) -> None:
        request.node.user_properties.append((PROPERTY, [name, cuts, states, lost]))

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many power cuts were tried, by driver and set; tests assert the counts."""
    totals: dict[str, list[int]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY and report.when == "call":
                row = totals.setdefault("/".join(value[0].split("/")[:2]), [0, 0, 0])
                row[:] = [old + new for old, new in zip(row, value[1:], strict=True)]
    if totals:
        terminalreporter.section("power cuts")
    for name, (cuts, states, lost) in sorted(totals.items()):
        terminalreporter.write_line(f"{name}: cuts {cuts}, states {states}, lost {lost}")
    if totals:
        sums = [sum(column) for column in zip(*totals.values(), strict=True)]
        terminalreporter.write_line("all: cuts {}, states {}, lost {}".format(*sums))
