"""Scripts: errors, ends, resets, Ctrl-C and the console."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from board.desk import Desk, Output
from maixfs.board import Board, BoardError, SteppedClock, firmware
from maixfs.board.boot import INTERRUPTED

TRACE = 'Traceback (most recent call last):\n  File "main.py", line {}, in <module>\n'


def test_error_prints_the_traceback_of_the_board(desk: Desk) -> None:
    output = desk.run("import uos\n\nopen('/flash/none')\n")
    assert output.out == TRACE.format(3) + "OSError: [Errno 2] ENOENT\n"
    assert output.result.exit_code == 1
    assert isinstance(output.result.error, OSError)


def test_traceback_shows_only_frames_of_scripts(desk: Desk) -> None:
    desk.put("helper.py", "def read(name):\n  return open(name).read()\n")
    output = desk.run("import helper\nhelper.read('none')\n")
    assert output.out == (
        TRACE.format(2) + '  File "helper.py", line 2, in read\nOSError: [Errno 2] ENOENT\n'
    )


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('why')", 1),
        ("raise SystemExit", 0),
        ("raise SystemExit(True)", 1),
    ],
)
def test_sys_exit_ends_a_script_silently(desk: Desk, end: str, code: int) -> None:
    output = desk.run(end)
    assert (output.result.exit_code, output.out) == (code, "")


def test_oserror_has_args_but_no_errno(desk: Desk) -> None:
    script = "try:\n  open('none')\nexcept OSError as e:\n  print(e.args, e, repr(e))\n  e.errno\n"
    output = desk.run(script)
    assert output.out.startswith("(2,) [Errno 2] ENOENT OSError(2,)\n")
    assert output.out.endswith("AttributeError: 'OSError' object has no attribute 'errno'\n")


def test_script_does_not_change_the_host_interpreter(desk: Desk) -> None:
    before = dict(sys.modules), sys.stdout, sys.getrecursionlimit()
    desk.run("import os, sys, json, time\nsys.path.append('/x')\nsys.modules.clear()\nprint(1)")
    assert (dict(sys.modules), sys.stdout, sys.getrecursionlimit()) == before
    assert "/x" not in sys.path


def test_script_cannot_import_modules_of_the_host(desk: Desk) -> None:
    for name in ("subprocess", "pathlib", "select", "threading", "maixfs"):
        assert desk.run(f"import {name}").out.endswith(f"ImportError: no module named '{name}'\n")


def test_third_open_file_is_refused(desk: Desk) -> None:
    output = desk.run("a = open('a', 'w')\nb = open('b', 'w')\nc = open('c', 'w')\n")
    assert output.out == TRACE.format(3) + "OSError: [Errno 2] ENOENT\n"


def test_gc_collect_closes_dropped_files(desk: Desk) -> None:
    script = "import gc\nfor i in range(5):\n  f = open('f', 'w')\n  f = None\n  gc.collect()\n"
    assert desk.run(script + "print('ok')").out == "ok\n"


def test_quirk_is_explained_once_with_explain(desk: Desk) -> None:
    script = "open('x', 'w').close()\nopen('x', 'x').close()\nopen('x', 'x').close()\n"
    assert "quirk" not in desk.run(script).err
    output = desk.run(script, explain=True)
    assert output.err.count("maixfs: quirk: mode 'x' does not refuse /x") == 1


def test_newer_syntax_is_reported_with_explain(desk: Desk) -> None:
    output = desk.run("n = 1\nprint(f'{n}')\n", explain=True)
    assert output.out == "1\n"
    assert "main.py: line 2 uses an f-string; MicroPython 1.11" in output.err
    assert desk.run("print(f'{1}')").err == ""


# Scripts from the host


def test_script_runs_from_a_host_file(desk: Desk, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print(__name__)\n1/0\n", encoding="utf-8")
    expected = "__main__\n" + TRACE.format(2) + "ZeroDivisionError: divide by zero\n"
    assert desk.run(script).out == desk.run(str(script)).out == expected


def test_script_is_not_written_to_the_board(desk: Desk) -> None:
    desk.put("main.py", "print('mine')")
    desk.run("print('other')")
    assert desk.run().out == "mine\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"x = 1 # \xe9\n", "is not UTF-8: byte 0xe9 at")],
)
def test_unreadable_script_is_board_error(
    desk: Desk, tmp_path: Path, content: bytes | None, message: str
) -> None:
    script = tmp_path / "script.py"
    if content is not None:
        script.write_bytes(content)
    with pytest.raises(BoardError, match=message):
        desk.run(script)


def test_script_larger_than_the_memory_is_refused(desk: Desk, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    with script.open("wb") as file:
        file.truncate(firmware.RAM_SIZE + 1)
    with pytest.raises(BoardError, match="more than 6 MiB"):
        desk.run(script)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the host has no endless file")
def test_script_without_end_is_refused(desk: Desk) -> None:
    with pytest.raises(BoardError, match="more than 6 MiB"):
        desk.run(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the host has no named pipes")
def test_script_from_a_pipe_runs(desk: Desk, tmp_path: Path) -> None:
    pipe = tmp_path / "script.py"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"print(1)",))
    writer.start()
    output = desk.run(pipe)
    writer.join()
    assert output.out == "1\n"


# Reset


def test_reset_restarts_and_loses_ram(desk: Desk) -> None:
    script = (
        "import uos, machine\n"
        "print(uos.listdir(), machine.reset_cause() == machine.SOFT_RESET)\n"
        "if 'done' not in uos.listdir():\n"
        "  open('done', 'w').close()\n"
        "  f = open('lost', 'w')\n"
        "  f.write('never flushed')\n"
        "  machine.reset()\n"
        "print(open('lost').read() == '')\n"
    )
    output = desk.run(script)
    assert output.out == (
        "['freq.conf', 'main.py'] False\n['freq.conf', 'main.py', 'done', 'lost'] True\nTrue\n"
    )
    assert output.result.resets == 1


def test_except_exception_does_not_catch_a_reset(desk: Desk) -> None:
    script = "import machine\ntry:\n  machine.reset()\nexcept Exception:\n  print('caught')\n"
    with desk.on() as board, pytest.raises(BoardError, match="restarted the board 3 times"):
        board.run(script, max_resets=2)
    assert desk.out.getvalue() == ""


RESETS = """
import machine, uos
if machine.reset_cause() == machine.SOFT_RESET:
  print(uos.listdir(), uos.stat('open')[6])
else:
  with open('open', 'w') as f:
    f.write('lost')
{}
  print('never')
"""


@pytest.mark.parametrize(
    "call",
    [
        "    machine.reset()",
        "    try:\n      machine.reset()\n    except:\n      print('never')",
        "    try:\n      machine.reset()\n    finally:\n      print('never')",
        "    try:\n      1/0\n    except:\n      try:\n        machine.reset()\n"
        "      except BaseException as e:\n        print('never')",
        "    while True:\n      try:\n        machine.reset()\n      except:\n        pass",
        "    exec('try:\\n  machine.reset()\\nexcept:\\n  pass')",
    ],
)
def test_finally_blocks_do_not_run_after_a_reset(desk: Desk, call: str) -> None:
    output = desk.run(RESETS.format(call))
    assert output.out == "['freq.conf', 'main.py', 'open'] 0\n"
    assert output.result.resets == 1


def test_caught_reset_is_raised_again(desk: Desk) -> None:
    script = (
        "import machine\nclass Deaf:\n  def __enter__(self): pass\n"
        "  def __exit__(self, *error): return True\nwith Deaf():\n  machine.reset()\n"
    )
    with desk.on() as board, pytest.raises(BoardError, match="restarted the board 2 times"):
        board.run(script, max_resets=1)


def test_second_run_starts_with_a_reset(desk: Desk) -> None:
    with desk.on() as board:
        board.run("import uos\nuos.sticky = 1\nf = open('f', 'w')\nf.write('x')")
        board.run("import uos\nprint(hasattr(uos, 'sticky'), open('f').read() == '')")
    assert desk.out.getvalue() == "False True\n"


# Ctrl-C


class Impatient(SteppedClock):
    """Raises Ctrl-C while a script sleeps."""

    def sleep(self, seconds: float) -> None:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_a_script_with_a_traceback(desk: Desk) -> None:
    script = "import utime\nprint('a')\nutime.sleep(100)\nprint('never')\n"
    output = desk.run(script, clock=Impatient())
    assert output.out == "a\n" + TRACE.format(3) + "KeyboardInterrupt: \n"
    assert output.result.exit_code == INTERRUPTED


def test_script_can_catch_ctrl_c(desk: Desk) -> None:
    script = "import utime\ntry:\n  utime.sleep(1)\nexcept KeyboardInterrupt:\n  print('caught')\n"
    assert desk.run(script, clock=Impatient()).out == "caught\n"


class Finger(SteppedClock):
    """Sends Ctrl-C at the first chip operation after a script has slept."""

    armed = False
    presses = 0

    def sleep(self, seconds: float) -> None:
        self.armed = True

    def before(self, _chip: object, _event: object) -> None:
        if self.armed:
            self.armed = False
            self.presses += 1
            signal.raise_signal(signal.SIGINT)

    def after(self, _chip: object, _event: object) -> None:
        pass


@pytest.mark.parametrize(
    ("work", "state"),
    [
        ("f.write(bytes(20000))", "f.tell() == 20003"),
        ("uos.remove('main.py')", "'main.py' not in uos.listdir()"),
        ("uos.rename('main.py', 'm.py')", "'m.py' in uos.listdir()"),
        ("uos.flash_format()", "uos.listdir() == []"),
        ("open('new', 'w')", "'new' in uos.listdir()"),
        ("f.close()", "uos.stat('f')[6] == 3"),
        ("Maix.utils.gc_heap_size(1 << 18)", "Maix.utils.gc_heap_size() == 1 << 18"),
    ],
)
def test_ctrl_c_waits_for_a_storage_call(desk: Desk, work: str, state: str) -> None:
    script = (
        "import uos, utime, Maix\nf = open('f', 'wb')\nf.write(b'abc')\n"
        f"try:\n  utime.sleep(1)\n  {work}\n  print('never')\n"
        f"except KeyboardInterrupt:\n  print({state})\n"
    )
    finger = Finger()
    with desk.on(clock=finger) as board:
        board.chip.attach(finger)
        board.run(script)
    assert finger.presses == 1
    assert desk.out.getvalue().splitlines()[-1] == "True"


# Deep recursion


def test_recursion_error_leaves_storage_consistent(desk: Desk) -> None:
    script = (
        "def down(n):\n"
        "  with open('deep', 'wb') as f:\n"
        "    f.write(b'%d' % n)\n"
        "  down(n + 1)\n"
        "try:\n"
        "  down(0)\n"
        "except RuntimeError:\n"
        "  print('caught')\n"
        "f = open('deep', 'wb')\n"
        "f.write(b'after')\n"
        "f.close()\n"
        "print(open('deep').read())\n"
    )
    limit = sys.getrecursionlimit()
    output = desk.run(script)
    assert output.out == "caught\nafter\n"
    assert sys.getrecursionlimit() == limit


# The console


def test_print_and_input_use_the_console(desk: Desk) -> None:
    script = (
        "name = input('who? ')\n"
        "print('hello', name, sep='-', end='!\\n')\n"
        "import sys\n"
        "print(sys.stdin.readline().strip(), sys.stdin.read(2), sys.stdout.write(b'raw') )\n"
        "try:\n  input()\nexcept EOFError:\n  print('end')\n"
    )
    output = desk.run(script, stdin=io.StringIO("me\nnext\nab"))
    assert output.out == "who? hello-me!\nrawnext ab 3\nend\n"


def test_print_writes_to_a_file_of_the_board(desk: Desk) -> None:
    assert desk.run("f = open('p', 'w')\nprint('x', 1, file=f)\nf.close()").out == ""
    assert desk.get("p") == b"x 1\n"


def test_printed_line_is_flushed(desk: Desk) -> None:
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding="utf-8")
    seen: list[bytes] = []

    class Look(SteppedClock):
        def sleep(self, seconds: float) -> None:
            seen.append(raw.getvalue())

    script = (
        "import utime, sys\nprint('a')\nutime.sleep(1)\n"
        "sys.stdout.buffer.write(b'b\\n')\nutime.sleep(1)\n"
    )
    desk.run(script, stdout=console, clock=Look())
    assert seen == [b"a\n", b"a\nb\n"]


def test_character_missing_in_the_encoding_is_escaped(desk: Desk) -> None:
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding="ascii")
    desk.run(
        "print('gr\\xfc\\xdf')\nimport sys\nsys.stdout.buffer.write(b'\\xff')", stdout=console
    )
    console.flush()
    assert raw.getvalue() == b"gr\\xfc\\xdf" + b"\n\xff"


def test_lone_surrogate_counts_as_its_bytes(desk: Desk) -> None:
    console = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    script = "import sys\nn = sys.stdout.write('\\ud800\\udc80')\nprint(n)\n"
    desk.run(script, stdout=console)
    console.seek(0)
    assert console.read() == "\\ud800\\udc806\n"


def test_closed_console_ends_the_run(desk: Desk) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        desk.run("print(1)", stdout=Gone())


def test_script_cannot_catch_a_closed_console(desk: Desk) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        desk.run("try:\n  print(1)\nexcept OSError:\n  pass\n", stdout=Gone())


def test_output_goes_to_the_host_streams_by_default(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    with Board.open(desk.folder) as board:
        board.run("print('out')")
    captured = capsys.readouterr()
    assert captured.out == "out\n"
    assert captured.err.startswith("[MAIXPY]:Spiffs Unmount.\n")


def test_script_prints_no_warnings(desk: Desk) -> None:
    assert desk.run("exec('print(1 is 1)')\nprint('\\d' == '\\\\d')").out == "True\nTrue\n"


def test_modules_print_as_on_the_board(desk: Desk) -> None:
    output = desk.run("import uos, sys\nprint(uos, sys)\nprint(dir(uos)[:4])\nuos.nope")
    assert output.out.startswith(
        "<module 'uos'> <module 'sys'>\n['VfsFat', 'VfsSpiffs', '__name__', 'chdir'"
    )
    assert output.out.endswith("AttributeError: 'module' object has no attribute 'nope'\n")


def test_board_runs_in_another_thread(desk: Desk) -> None:
    output: list[Output] = []
    thread = threading.Thread(target=lambda: output.append(desk.run("open('f', 'w').write('x')")))
    thread.start()
    thread.join()
    assert output[0].result.exit_code == 0


def test_fat_is_imported_on_first_use(desk: Desk) -> None:
    with desk.on() as board:
        board.run("import uos\nprint('VfsFat' in dir(uos))")
        assert "fat" not in vars(board.runtime)
        board.run("from uos import *\nprint(VfsFat, VfsFat is VfsFat)\nimport uos\nprint(uos)")
        assert "fat" in vars(board.runtime)
        board.run("import uos\nprint(uos.VfsFat is uos.VfsFat, hasattr(uos, 'VfsSpiffs'))")
    assert desk.out.getvalue() == ("True\n<class 'VfsFat'> True\n<module 'uos'>\nTrue True\n")
