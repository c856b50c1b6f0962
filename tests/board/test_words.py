"""Messages of errors: ``words.json`` holds the output of MicroPython v1.11 for each script."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import pytest

from maixfs.board.console import Console
from maixfs.board.exceptions import firmware_words, format_exception
from maixfs.board.importer import Importer, ModuleFiles
from maixfs.board.modules.system import usys
from maixfs.board.namespace import make_namespace
from maixfs.vfs import ImportStat

CASES = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def nothing(*_: object) -> Any:
    raise AssertionError("no file is read here")


def printed(script: bytes) -> str:
    """Run a script without a board and return its output."""
    output = io.StringIO()
    console = Console(output)
    namespace = make_namespace(console, nothing, lambda: None)

    def is_script(frame: Any) -> bool:
        return frame.f_builtins is namespace

    modules = {"sys": lambda: usys(console, [], {}, is_script)}
    files = ModuleFiles(lambda _path: ImportStat.NONE, nothing)
    importer = namespace["__import__"] = Importer(files, [""], modules, {}, namespace)
    try:
        importer.load_main(script, "main.py")
    except BaseException as error:
        output.write(format_exception(error, is_script))
    return output.getvalue()


@pytest.mark.parametrize("case", CASES, ids=[case["script"] for case in CASES])
def test_script_prints_the_same_text_as_micropython(case: dict[str, str]) -> None:
    assert printed(case["script"].encode() + b"\n") == case["prints"]


@pytest.mark.parametrize("case", CASES, ids=[case["script"] for case in CASES])
def test_messages_of_the_board_are_not_changed(case: dict[str, str]) -> None:
    kind, _, words = case["prints"].splitlines()[-1].partition(": ")
    assert firmware_words(getattr(builtins, kind, Exception)(), words) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1/0", "divide by zero"),
        ("nothing", "name 'nothing' isn't defined"),
        ("int('x')", "invalid syntax for integer with base 10: 'x'"),
        ("raise ValueError('my own')", "my own"),
        ("raise KeyError('k', 2)", "('k', 2)"),
    ],
)
def test_caught_error_has_the_message_of_the_board(code: str, words: str) -> None:
    script = f"try:\n  {code}\nexcept Exception as e:\n  print(str(e), '%s' % e, e.args[0])\n"
    first = "k" if words.startswith("(") else words
    assert printed(script.encode()) == f"{words} {words} {first}\n"


def test_finally_does_not_change_the_exception() -> None:
    script = b"try:\n  try:\n    1/0\n  finally:\n    print('x')\nexcept ArithmeticError as e:\n"
    assert printed(script + b"  print(e)") == "x\ndivide by zero\n"
    assert printed(b"for i in 1, 2:\n  try:\n    break\n  finally:\n    print(i)") == "1\n"


def test_long_expression_compiles() -> None:
    assert printed(b"print(" + b"+".join([b"1"] * 900) + b")") == "900\n"


def test_missing_block_is_a_syntax_error() -> None:
    assert printed(b"if 1:\nx").endswith("\nSyntaxError: invalid syntax\n")


def test_script_that_is_not_utf8_is_a_syntax_error_of_its_line() -> None:
    assert printed(b"x = 1\ny = '\xe9'\n") == (
        'Traceback (most recent call last):\n  File "main.py", line 2\n'
        "SyntaxError: invalid syntax\n"
    )


def test_zero_byte_is_a_syntax_error_of_its_line() -> None:
    assert 'File "main.py", line 3\n' in printed(b"\n\nx\0\n")


def test_deep_recursion_is_runtimeerror() -> None:
    text = printed(b"def down():\n  down()\ndown()\n")
    assert text.startswith('Traceback (most recent call last):\n  File "main.py", line 3, in <mod')
    assert text.endswith("in down\nRuntimeError: maximum recursion depth exceeded\n")


def test_script_can_catch_deep_recursion() -> None:
    script = b"def down():\n  down()\ntry:\n  down()\nexcept RuntimeError:\n  print('caught')\n"
    assert printed(script) == "caught\n"


def test_deeply_nested_expression_is_an_error() -> None:
    text = printed(b"-" * 100_000 + b"1")
    assert text.startswith(("RuntimeError: ", "MemoryError: ")) or "SyntaxError" in text


def test_names_of_cpython_alone_are_not_defined() -> None:
    assert printed(b"FileNotFoundError") == (
        'Traceback (most recent call last):\n  File "main.py", line 1, in <module>\n'
        "NameError: name 'FileNotFoundError' isn't defined\n"
    )


def test_raised_oserror_is_the_class_of_the_board() -> None:
    script = (
        "try:\n  raise OSError(2)\nexcept OSError as e:\n"
        "  print(str(e), '%s' % e, e, repr(e), [e], type(e))\n"
        "class Mine(OSError):\n  pass\n"
        "try:\n  raise Mine(5, 'x', 'y')\nexcept OSError as e:\n  print(e.args, e, repr(e))\n"
        "try:\n  raise TimeoutError\nexcept OSError as e:\n  print(repr(e))\n"
        "print(OSError(5, 'text').args)\n"
    )
    assert printed(script.encode()) == (
        "[Errno 2] ENOENT [Errno 2] ENOENT [Errno 2] ENOENT OSError(2,) [OSError(2,)]"
        " <class 'OSError'>\n"
        "(5, 'x', 'y') (5, 'x', 'y') Mine(5, 'x', 'y')\nTimeoutError()\n(5, 'text')\n"
    )


def test_errors_and_classes_print_as_on_the_board() -> None:
    script = (
        "class Own(Exception):\n  def __str__(self):\n    return 'own words'\n"
        "class Shown(Exception):\n  def __repr__(self):\n    return 'own repr'\n"
        "print(Own('x'), repr(Own('x')), repr(Own()), repr(Own(1, 2)), repr(Shown()))\n"
        "print(repr(ZeroDivisionError('z')), repr('text'), repr([1]), Own)\n"
        "def deep():\n  class Inner:\n    pass\n  return Inner\n"
        "print(deep(), str(deep()()).startswith('<Inner object at '))\n"
        "raise Own('args')\n"
    )
    assert printed(script.encode()) == (
        "own words Own('x',) Own() Own(1, 2) own repr\n"
        "ZeroDivisionError('z',) 'text' [1] <class 'Own'>\n"
        "<class 'Inner'> True\n"
        'Traceback (most recent call last):\n  File "main.py", line 14, in <module>\n'
        "Own: args\n"
    )
