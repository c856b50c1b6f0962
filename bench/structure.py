"""Print the figures of the structure: files, lines, comments, import cycles, files run through.

    .venv/bin/python bench/structure.py [FOLDER OF maixfs]

Code lines are those that hold code, docstrings and comments not counted. A file is run through by
a piece of work when a function of it is called, or its module is imported for it.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "nor", "sd", "host", "spiffs", "fat", "vfs", "firmware", "kmodel", "kfpkg", "cards", "image",
    "board", "transfer", "recipes", "doctor", "explain", "compare", "draw", "cli",
)  # fmt: skip
COMMAND = """
import contextlib, io, subprocess
def prepare(*words):
    # In a process of its own: what it imports is not imported for the work that is counted.
    subprocess.run([sys.executable, "-m", "maixfs", *words], capture_output=True, check=True)
def run(*words):
    sys.argv = ["maixfs", *words]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        from maixfs.__main__ import main
        main()
with open(folder + ".txt", "w") as file:
    file.write("x")
prepare("new", folder)
"""
WORK = {
    "board: open, write, close": (
        "from maixfs.board import Board\nBoard.create(folder)\nboard = Board.open(folder)",
        "file = board.open('/flash/a', 'w')\nfile.write('x')\nfile.close()",
    ),
    "Spiffs: listdir": (
        "from maixfs.nor import NorChip, make_driver\n"
        "from maixfs.spiffs import PRESETS, Spiffs\n"
        "flash = make_driver('ideal', NorChip.in_memory())\n"
        "Spiffs.format(flash, PRESETS['maixpy'])\n"
        "fs = Spiffs(flash, PRESETS['maixpy'])\nfs.write_bytes('/a', b'x')",
        "fs.listdir('/')",
    ),
    "Fat: open, write, close": (
        "from maixfs.fat import Fat, format_volume\n"
        "from maixfs.sd import RamSectors\n"
        "card = RamSectors(1 << 17)\nformat_volume(card)\n"
        "fs = Fat(card)\nfs.write_bytes('/b', b'')",
        "file = fs.open('/a', 'w')\nfile.write('x')\nfile.close()",
    ),
    "cp FILE BOARD:/flash/": (COMMAND, "run('cp', folder + '.txt', folder + ':/flash/')"),
    "info flash.bin": (
        f"{COMMAND}prepare('cp', folder + '.txt', folder + ':/flash/')\n"
        "import shutil\nwatched = folder + '.bin'\nshutil.copy(folder + '/flash.bin', watched)",
        "run('info', watched)",
    ),
}
COUNTER = """
import sys, tempfile
folder = tempfile.mkdtemp() + "/board"
watched = ""
opens = mounts = 0
def called(frame, event, _):
    global mounts
    name = frame.f_code.co_filename
    if event == "call" and "maixfs" in name:
        seen.add(name)
        mounts += frame.f_code.co_qualname in ("SpiffsCore.__init__", "FatCore.__init__")
def audit(event, arguments):
    global opens
    opens += event == "open" and bool(watched) and str(arguments[0]) == watched
{before}
seen = set()
mounts = 0
sys.addaudithook(audit)
sys.setprofile(called)
{work}
sys.setprofile(None)
counted = f"opened {{opens}} times, " if watched else ""
files = len([name for name in seen if "/maixfs/" in name])
print(f"{{files}} files, {{counted}}{{mounts}} file systems mounted")
"""


def lines_of(path: Path) -> tuple[int, int, int]:
    """Return the lines of a file, those with code, and those that are comments."""
    text = path.read_text(encoding="utf-8")
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.string.strip() and token.type != tokenize.ENDMARKER:
            code.update(range(token.start[0], token.end[0] + 1))
    return text.count("\n"), len(code - strings), len(comments)


def table(source: Path) -> None:
    print(f"{'package':10} files  lines  code  comments per 100 code lines")
    for name in (*PACKAGES, "."):
        files = sorted((source / name).rglob("*.py"))
        if not files:
            continue  # another version of the package
        counts = [lines_of(path) for path in files]
        total, code, comments = (sum(column) for column in zip(*counts, strict=True))
        density = 100 * comments / max(code, 1)
        label = "maixfs" if name == "." else name
        print(f"{label:10} {len(files):5} {total:6} {code:5}  {density:.1f}")


def run_through(source: Path) -> None:
    for name, (before, work) in WORK.items():
        program = COUNTER.format(before=before, work=work)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(source.parent)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(f"{name}: {done.stdout.strip() or done.stderr.strip().splitlines()[-1]}")


def main() -> int:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "src/maixfs"
    if not (source / "__init__.py").is_file():
        print(f"{source} is not the folder of the package", file=sys.stderr)
        return 2
    table(source)
    run_through(source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
