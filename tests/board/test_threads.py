"""``_thread``."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from board.desk import Desk
from maixfs.board import HostClock
from maixfs.board.boot import INTERRUPTED
from maixfs.board.modules.threads import Threads


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    for _ in range(200):
        if threading.active_count() <= before:
            return
        time.sleep(0.01)
    raise AssertionError(threading.enumerate())


def test_board_waits_for_a_thread(desk: Desk) -> None:
    script = (
        "import _thread, utime\n"
        "def work(name, count=1):\n"
        "  utime.sleep_ms(20)\n"
        "  with open(name, 'w') as f: f.write('x' * count)\n"
        "  print('done')\n"
        "print(_thread.start_new_thread(work, ('t',), {'count': 300}))\n"
    )
    output = desk.run(script, clock=HostClock())
    assert (output.out, output.result.exit_code) == ("None\ndone\n", 0)
    assert desk.get("t") == b"x" * 300


def test_board_waits_for_threads_of_threads(desk: Desk) -> None:
    script = (
        "import _thread, utime\n"
        "def work(n):\n"
        "  utime.sleep_ms(20)\n"
        "  print(n)\n"
        "  if n: _thread.start_new_thread(work, (n - 1,))\n"
        "work(2)\n"
    )
    assert desk.run(script, clock=HostClock()).out == "2\n1\n0\n"


@pytest.mark.parametrize(("end", "code"), [("import sys; sys.exit(3)", 3), ("1/0", 1)])
def test_failed_program_does_not_wait_for_threads(desk: Desk, end: str, code: int) -> None:
    script = (
        "import _thread, utime\ndef work():\n  while True: utime.sleep_ms(1)\n"
        f"_thread.start_new_thread(work, ())\n{end}\n"
    )
    assert desk.run(script).result.exit_code == code


def test_threads_share_files_and_locks(desk: Desk) -> None:
    script = (
        "import _thread\nlock = _thread.allocate_lock()\nlines = []\n"
        "def work(n):\n"
        "  for i in range(20):\n"
        "    with lock:\n"
        "      with open('log', 'a') as f: f.write('%d %d\\n' % (n, i))\n"
        "open('log', 'w').close()\n"
        "for n in range(3): _thread.start_new_thread(work, [n])\n"
    )
    assert desk.run(script).out == ""
    rows = desk.get("log").decode().splitlines()
    assert sorted(rows) == sorted(f"{n} {i}" for n in range(3) for i in range(20))


def test_thread_module_has_the_members_of_the_firmware(desk: Desk) -> None:
    script = (
        "import _thread\nprint([name for name in dir(_thread) if name[1] != '_'])\n"
        "lock = _thread.allocate_lock()\n"
        "print(lock.acquire(), lock.acquire(0), lock.locked(), lock.release())\n"
        "print(_thread.stack_size(), _thread.stack_size(8192), _thread.stack_size())\n"
        "print(type(_thread.get_ident()), isinstance(lock, _thread.LockType))\n"
        "_thread.exit()\n"
    )
    assert desk.run(script).out == (
        "['LockType', 'allocate_lock', 'exit', 'get_ident', 'stack_size', 'start_new_thread']\n"
        "True False True None\n0 0 8192\n<class 'int'> True\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("print, 5", "object 'int' isn't a tuple or list"),
        ("print, (), 5", "expecting a dict for keyword args"),
        ("print", "function missing 1 required positional arguments"),
    ],
)
def test_wrong_thread_argument_is_typeerror(desk: Desk, arguments: str, words: str) -> None:
    output = desk.run(f"import _thread\n_thread.start_new_thread({arguments})")
    assert output.out.endswith(f"TypeError: {words}\n")


def test_error_in_a_thread_is_printed_and_the_program_goes_on(desk: Desk) -> None:
    script = (
        "import _thread\n"
        "def bad():\n  try:\n    open('none')\n  except OSError as e:\n    e.errno\n"
        "_thread.start_new_thread(bad, ())\n"
        "_thread.start_new_thread(_thread.exit, ())\n"
        "print('main')\n"
    )
    output = desk.run(script)
    assert output.result.exit_code == 0
    assert "main\n" in output.out
    assert "Unhandled exception in thread started by <function bad at 0x" in output.out
    assert "AttributeError: 'OSError' object has no attribute 'errno'\n" in output.out


@pytest.mark.parametrize("rest", ["", "while True: pass", "while True: utime.sleep_ms(1)"])
def test_thread_can_reset_the_board(desk: Desk, rest: str) -> None:
    script = (
        "import _thread, machine, utime\n"
        "if machine.reset_cause() == machine.SOFT_RESET:\n  print('again')\n"
        f"else:\n  _thread.start_new_thread(machine.reset, ())\n  {rest}\n"
    )
    output = desk.run(script)
    assert (output.out, output.result.resets) == ("again\n", 1)


@pytest.mark.parametrize(
    "work",
    ["utime.ticks_ms()", "utime.sleep_ms(1)", "print(end='')", "uos.stat('main.py')", "1 // 0"],
)
@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "machine.reset()"])
def test_threads_end_at_power_off(desk: Desk, work: str, end: str) -> None:
    script = (
        "import _thread, machine, utime, uos\n"
        "def forever():\n  while True:\n    try:\n      {}\n    except:\n      pass\n"
        "if machine.reset_cause() != machine.SOFT_RESET:\n"
        "  _thread.start_new_thread(forever, ())\n  {}\n"
    )
    assert desk.run(script.format(work, end)).result.resets == (end == "machine.reset()")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal goes to one thread")
def test_ctrl_c_ends_the_wait_for_threads(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    real = Threads.wait

    def wait(threads: Threads) -> None:
        waiting.set()
        real(threads)

    class Watched(HostClock):
        def sleep(self, seconds: float) -> None:
            waiting.wait()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    monkeypatch.setattr(Threads, "wait", wait)
    script = (
        "import _thread, utime\ndef work():\n  utime.sleep(1)\n  while True: utime.ticks_ms()\n"
        "_thread.start_new_thread(work, ())\n"
    )
    assert desk.run(script, clock=Watched()).result.exit_code == INTERRUPTED
