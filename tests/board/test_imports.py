"""``import`` on the board."""

from __future__ import annotations

from pathlib import Path

import pytest

from board.desk import Desk

RAM_DISK = '''
import uos, uio
class RamDisk:
    """A file system with folders, which SPIFFS lacks."""
    def __init__(self, files): self.files = files
    def mount(self, readonly, mkfs): pass
    def umount(self): pass
    def chdir(self, path): pass
    def getcwd(self): return '/'
    def stat(self, path):
        path = path.strip('/')
        if path in self.files: return (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if [name for name in self.files if name.startswith(path + '/')]:
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)
    def open(self, path, mode): return uio.BytesIO(self.files[path.strip('/')])
import sys
def disk(files):
    uos.mount(RamDisk({name: text.encode() for name, text in files.items()}), '/ram')
    sys.path.append('/ram')
'''


def test_module_on_flash_is_imported(desk: Desk) -> None:
    desk.put("tool.py", "print('loading', __name__, __file__)\nvalue = 5\n")
    output = desk.run(
        "import tool, sys\nfrom tool import value\nimport tool\nprint(value, tool)\n"
    )
    assert output.out == "loading tool tool.py\n5 <module 'tool' from 'tool.py'>\n"


def test_absolute_module_path_is_not_found(desk: Desk) -> None:
    desk.put("tool.py", "print('found')")
    ask = "import sys\nsys.path[:] = ['{}']\nimport tool\n"
    assert desk.run(ask.format("")).out == "found\n"
    assert desk.run(ask.format(".")).out == "found\n"
    assert desk.run(ask.format("/flash")).out.endswith("ImportError: no module named 'tool'\n")


def test_module_of_another_volume_is_found_by_its_mount_point(desk: Desk) -> None:
    desk.put("tool.py", "print('found')")
    assert desk.run("import uos\nuos.chdir('/')\nimport tool").out.endswith("named 'tool'\n")


@pytest.mark.parametrize(
    ("name", "wins"), [("json", True), ("os", True), ("ujson", False), ("sys", False)]
)
def test_file_replaces_only_a_weak_link(desk: Desk, name: str, wins: bool) -> None:
    desk.put(f"{name}.py", "print('the file')")
    assert desk.run(f"import {name}").out == ("the file\n" if wins else "")


def test_time_is_not_a_weak_link(desk: Desk) -> None:
    desk.put("time.py", "print('the file')")
    assert desk.run("import time\nprint(time.__name__)").out == "utime\n"


def test_failed_module_stays_loaded_and_incomplete(desk: Desk) -> None:
    desk.put("half.py", "a = 1\n1/0\nb = 2\n")
    script = "try:\n  import half\nexcept ZeroDivisionError:\n  print('failed')\nimport half\n"
    output = desk.run(script + "print(half.a, hasattr(half, 'b'))\n")
    assert output.out == "failed\n1 False\n"


def test_circular_import_gives_the_incomplete_module(desk: Desk) -> None:
    desk.put("one.py", "import two\nx = two.y + 1\n")
    desk.put("two.py", "import one\ny = 1\n")
    assert desk.run("import one\nprint(one.x)").out == "2\n"


def test_error_in_a_module_prints_its_traceback(desk: Desk) -> None:
    desk.put("bad.py", "x = 1\nx = = 2\n")
    assert desk.run("\nimport bad\n").out == (
        'Traceback (most recent call last):\n  File "main.py", line 2, in <module>\n'
        '  File "bad.py", line 2\nSyntaxError: invalid syntax\n'
    )


def test_import_needs_a_free_descriptor(desk: Desk) -> None:
    desk.put("tool.py", "")
    output = desk.run("a = open('a', 'w'); b = open('b', 'w')\nimport tool\n")
    assert output.out.endswith("line 2, in <module>\nOSError: [Errno 2] ENOENT\n")


def test_compiled_module_is_importerror(desk: Desk) -> None:
    desk.put("fast.mpy", b"M\x04")
    assert (
        "ImportError: fast.mpy is compiled for the processor of the board"
        in desk.run("import fast").out
    )


def test_package_on_a_volume_with_folders_is_imported(desk: Desk) -> None:
    files = {
        "pkg/__init__.py": "print('pkg')",
        "pkg/sub.py": "from . import other\nx = other.y",
        "pkg/other.py": "y = 3",
        "pkg/deep/__init__.py": "",
        "pkg/deep/leaf.py": "from ..sub import x",
    }
    script = (
        RAM_DISK
        + f"disk({files})\n"
        + (
            "import pkg.deep.leaf\nprint(pkg.deep.leaf.x, pkg.__path__)\n"
            "from pkg import sub\nimport pkg.other as o\nprint(sub.x, o.y, o.__name__)\n"
        )
    )
    assert desk.run(script).out == "pkg\n3 /ram/pkg\n3 3 pkg.other\n"


def test_folder_without_init_is_a_package(desk: Desk) -> None:
    script = RAM_DISK + "disk({'bare/mod.py': 'z = 1'})\nimport bare.mod\nprint(bare.mod.z)"
    assert desk.run(script).out == "1\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import nothing.there", "ImportError: no module named 'nothing'"),
        ("import sys.path", "ImportError: no module named 'sys'"),
        ("from sys import nothing", "ImportError: cannot import name nothing"),
        ("from . import x", "ValueError: cannot perform relative import"),
        ("from ...a import x", "ValueError: cannot perform relative import"),
        ("__import__('')", "ImportError: no module named ''"),
        ("import " + "n" * 200, "RuntimeError: "),
    ],
)
def test_wrong_import_raises_the_error_of_the_board(desk: Desk, script: str, words: str) -> None:
    assert desk.run(script).out.splitlines()[-1] == words


def test_missing_submodule_is_importerror(desk: Desk) -> None:
    script = RAM_DISK + "disk({'pkg/__init__.py': ''})\n"
    assert desk.run(script + "import pkg.none").out.endswith("no module named 'pkg.none'\n")
    assert desk.run(script + "from pkg import none").out.endswith("no module named 'pkg.none'\n")


def test_star_import_binds_the_public_names(desk: Desk) -> None:
    desk.put("tool.py", "a = 1\n_b = 2\n")
    assert desk.run("from tool import *\nprint(a)\nprint(_b)").out.startswith("1\nTraceback")


def test_every_built_in_module_can_be_imported(desk: Desk) -> None:
    names = (
        "KPU Maix _thread array binascii builtins cmath collections errno gc hashlib heapq io json"
        " machine math micropython os random re struct sys time ubinascii ucollections uerrno"
        " uhashlib uheapq uio ujson uos urandom ure ustruct usys utime uzlib zlib"
    )
    script = "".join(f"import {name}\n" for name in names.split())
    assert desk.run(script + "print('all')").out == "all\n"


def test_example_programs_run(desk: Desk) -> None:
    for path in sorted(Path(__file__).parents[2].joinpath("examples").glob("*.py")):
        if "maixfs" not in path.read_text(encoding="utf-8"):
            output = desk.run(path)
            assert output.result.exit_code == 0, output.out
            assert output.out
