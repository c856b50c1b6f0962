"""``held``: a signal waits until the block ends, and the stack is longer."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from maixfs.host.interrupts import STACK_RESERVE, held


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Restore the signal handler and the recursion limit after each test."""
    state = signal.getsignal(signal.SIGINT), sys.getrecursionlimit()
    yield
    assert (signal.getsignal(signal.SIGINT), sys.getrecursionlimit()) == state


def test_ctrl_c_is_raised_at_the_end_of_the_block() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), held():
        signal.raise_signal(signal.SIGINT)
        done = True
    assert done


def test_repeated_ctrl_c_is_raised_once() -> None:
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    old = signal.signal(signal.SIGINT, note)
    try:
        with held():
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)
            assert not seen
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [signal.SIGINT]


def test_nested_block_leaves_ctrl_c_to_the_outer_one() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), held():
        with held():
            signal.raise_signal(signal.SIGINT)
        done = True
    assert done


def test_error_in_the_block_passes_through() -> None:
    with pytest.raises(ValueError, match="mine"), held():
        raise ValueError("mine")


def test_ignored_signal_stays_ignored() -> None:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, old)


def test_block_in_another_thread_leaves_the_handler() -> None:
    states: list[object] = []

    def work() -> None:
        with held():
            states.append((signal.getsignal(signal.SIGINT), sys.getrecursionlimit()))

    before = signal.getsignal(signal.SIGINT), sys.getrecursionlimit()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert states == [before]


def test_storage_works_near_the_recursion_limit() -> None:
    def nested(depth: int) -> int:
        return nested(depth - 1) + 1 if depth else 0

    cut_short = 0
    whole = 0

    def down() -> None:
        nonlocal cut_short, whole
        with held():
            try:
                whole += nested(STACK_RESERVE - 10) > 0
            except RecursionError:
                cut_short += 1
        down()

    with pytest.raises(RecursionError):
        down()
    assert whole > 100
    assert not cut_short
