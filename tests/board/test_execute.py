"""``exec``, ``eval``, ``execfile`` and ``compile`` of a script."""

from __future__ import annotations

import pytest

from board.desk import Desk

TRACE = 'Traceback (most recent call last):\n  File "main.py", line {}, in <module>\n'


def test_execfile_runs_a_file_in_the_callers_namespace(desk: Desk) -> None:
    desk.put("part.py", "y = x + 1\n")
    script = (
        "x = 1\nexecfile('part.py')\nprint(y)\n"
        "def f():\n  x = 10\n  execfile('part.py')\nf()\nprint(y)\n"
        "d = {'x': 5}\nexecfile('part.py', d)\nprint(d['y'], len(d))\n"
    )
    assert desk.run(script).out == "2\n2\n6 2\n"


def test_execfile_prints_the_traceback_of_main(desk: Desk) -> None:
    desk.put("bad.py", "\n1/0\n")
    assert desk.run("execfile('bad.py')").out == (
        TRACE.format(1)
        + '  File "bad.py", line 2, in <module>\nZeroDivisionError: divide by zero\n'
    )
    assert desk.run("execfile('none')").out.endswith("OSError: [Errno 2] ENOENT\n")


# Each line of the script, and what v1.11 printed for it.
TEXTS = [
    ("def f():\n  exec('z = 3')\n  return z\nprint(f(), z)", "3 3"),
    ("def f():\n  here = 1\n  return eval('here')\nf()", "NameError: name 'here' isn't defined"),
    (
        "d = {}\nexec('q = 1\\ndef g(): return len([q])', d)\nprint(sorted(d), d['g']())",
        "['g', 'q'] 1",
    ),
    ("print(eval('q + 1', {'q': 4}), eval('a + b', {'a': 1}, {'b': 2}))", "5 3"),
    ("exec(b'w = 9')\nprint(w)", "9"),
    ("l = {}\nexec('m = z + 1', {'z': 1}, l)\nprint(l)", "{'m': 2}"),
    ("l = {}\nz = 5\nexec('m = z + 1', None, l)\nprint(l)", "{'m': 6}"),
    ("print(eval(compile('1 + 1', 'x', 'eval')))", "2"),
    ("exec(compile('k = 2', 'x', 'exec'))\nprint(k)", "2"),
    ("class C:\n  exec('a = 1')\nprint(C.a)", "1"),
    ("exec('try:\\n  1/0\\nexcept ArithmeticError as e:\\n  print(str(e))')", "divide by zero"),
    ("exec(5)", "TypeError: can't convert 'int' object to str implicitly"),
    ("compile('1', 'x', 'nonsense')", "ValueError: bad compile mode"),
    ("exec('x = = 1')", "SyntaxError: invalid syntax"),
    ("eval('1 +')", "SyntaxError: invalid syntax"),
]


@pytest.mark.parametrize(("script", "last"), TEXTS, ids=[script for script, _ in TEXTS])
def test_compile_accepts_text_and_bytes(desk: Desk, script: str, last: str) -> None:
    assert desk.run(script).out.splitlines()[-1] == last
