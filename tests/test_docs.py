"""The examples in the documents work, and the tables in them are those of the code.

Each document's blocks run in order, in one folder of their own:

* ``python``: in one namespace per document; a block that starts with ``>>>`` as a doctest;
* any language and then a file name (``python blink.py``): written to that file, not run;
* ``console``: each ``$ maixfs ...`` line is run, and what follows is its output. ``...`` stands
  for any lines on a line of its own, for any text within a line; ``> FILE`` at the end of a
  command takes the output. Commands of other programs are for the reader.

Blocks of docs/API.md run a second time, each in an interpreter of its own.
"""

from __future__ import annotations

import doctest
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)(```+) *([^\n`]*)\n(.*?)^ *\2 *$", re.MULTILINE | re.DOTALL)
DOCTEST_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, its text, and the line it starts on."""

    words: list[str]
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def file_name(self) -> str | None:
        return self.words[1] if len(self.words) > 1 else None


@dataclass(frozen=True)
class Command:
    """A line after a ``$``, and the output that the document shows under it."""

    line: str
    output: str
    number: int


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    for match in FENCE.finditer(text):
        body = re.sub(f"^{match[1]}", "", match[4], flags=re.MULTILINE)
        yield Block(match[3].split(), body, text.count("\n", 0, match.start(4)) + 1)


def commands_of(block: Block) -> Iterator[Command]:
    """Yield what a console block runs and shows."""
    parts = re.split(r"^\$ (.*(?:\\\n.*)*)\n?", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"line {block.line}: output before the first command"
    number = block.line
    for line, output in zip(parts[1::2], parts[2::2], strict=True):
        yield Command(line.replace("\\\n", ""), output, number)
        number += line.count("\n") + 1 + output.count("\n")


def pattern_of(output: str) -> re.Pattern[str]:
    """Return what an output that a document shows stands for."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    parts = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + r" *\n"
        for line in lines
    ]
    return re.compile("".join(parts))


def run_python(block: Block, namespace: dict[str, Any], where: str) -> None:
    """Run one python block in a document's namespace."""
    if not block.text.startswith(">>>"):
        code = compile("\n" * (block.line - 1) + block.text, where, "exec")
        exec(code, namespace)  # the project's own documents
        return
    example = doctest.DocTestParser().get_doctest(block.text, {}, where, where, block.line - 1)
    example.globs = namespace
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=DOCTEST_FLAGS, verbose=False)
    failed = runner.run(example, out=report.append, clear_globs=False).failed
    assert not failed, "".join(report)


def run_console(block: Block, where: str) -> None:
    """Run the maixfs commands of one console block and compare what they print."""
    for command in commands_of(block):
        if not command.line.startswith("maixfs "):
            continue
        line, _, target = command.line.partition(" > ")
        done = run_maixfs(shlex.split(line)[1:])
        if target:
            Path(target.strip()).write_bytes(done.stdout)
        output = (b"" if target else done.stdout) + done.stderr
        text = output.decode(errors="replace").replace("\r\n", "\n")
        place = f"{where}, line {command.number}: {command.line}"
        if done.returncode:
            assert "error:" in command.output, f"{place}\nexit code {done.returncode}\n{text}"
        normal = "".join(f"{row.rstrip()}\n" for row in text.rstrip().splitlines())
        assert pattern_of(command.output).fullmatch(normal), f"{place}\nprinted:\n{text}"


def run_maixfs(arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a user does, away from a terminal."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"}
    line = [sys.executable, "-m", "maixfs", *arguments]
    return subprocess.run(
        line, capture_output=True, stdin=subprocess.DEVNULL, env=environment, check=False
    )


def run_alone(block: Block, where: str) -> None:
    """Run one python block in a new interpreter."""
    first = block.text.split(maxsplit=1)[0]
    assert first in ("import", "from"), f"{where}, line {block.line}: no import at the start"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{where}, line {block.line}\n{done.stderr}"


def run_document(path: Path, *, alone: bool = False) -> None:
    """Run every block of a document in the current folder.

    ``alone`` runs each python block in a new interpreter.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.file_name is not None:
            target = Path(block.file_name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "python" and alone:
            run_alone(block, path.name)
        elif block.language == "python":
            run_python(block, namespace, str(path))
        elif block.language == "console":
            run_console(block, path.name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_examples_work(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_document(path)


def test_examples_of_the_api_run_in_a_fresh_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_document(ROOT / "docs" / "API.md", alone=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:maixfs", "-p", "maixfs.pytest_plugin", "."],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_tables_are_those_of_the_code() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    document = (ROOT / "docs" / "SPEC.md").read_text(encoding="utf-8")
    assert tables["with_tables"](document) == document, "run docs/tables.py"


GOOD = """
```python
import pathlib
x = 20
```

1. In a list:

   ```python
   >>> x + 1
   21
   ```

```text notes/a.txt
hello
```

```python
assert pathlib.Path("notes/a.txt").read_text() == "hello\\n"
```

```console
$ ls the reader's own
whatever
$ maixfs --version
...0...
```
"""


def run_text(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = folder / "document.md"
    document.write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    run_document(document)


def test_a_good_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_text(GOOD, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("   21", "   22", AssertionError),
        ('"hello', '"hallo', AssertionError),
        ("...0...", "...no such version...", AssertionError),
        ("...0...\n", "", AssertionError),
        ("maixfs --version", "maixfs no-such-verb", AssertionError),
        ("import pathlib", "import no_such_module", ImportError),
    ],
)
def test_a_wrong_document_is_noticed(
    right: str, wrong: str, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert right in GOOD
    with pytest.raises(kind):
        run_text(GOOD.replace(right, wrong), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("", "", True),
        ("a\n...\nb\n", "a\n1\n2\nb\n", True),
        ("a\n...\nb\n", "a\nb\n", True),
        ("a\n...\nb\n", "a\nc\n", False),
        ("... bytes\n", "10 bytes\n", True),
        ("... bytes\n", "10 KiB\n", False),
        ("a.b\n", "axb\n", False),
        ("", "surprise\n", False),
    ],
)
def test_shown_output_stands_for_what_is_printed(shown: str, printed: str, same: bool) -> None:
    assert bool(pattern_of(shown).fullmatch(printed)) is same


def test_findings_are_those_of_the_code() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    page = (ROOT / "docs" / "FINDINGS.md").read_text(encoding="utf-8")
    assert tables["findings_page"]() == page, "run docs/tables.py"


def test_modules_are_those_of_the_code() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    page = (ROOT / "docs" / "MODULES.md").read_text(encoding="utf-8")
    assert tables["modules_page"]() == page, "run docs/tables.py"
