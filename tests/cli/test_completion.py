"""What shells are told when the user presses Tab."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from maixfs.cli import completing
from maixfs.cli.completing import split_words
from maixfs.cli.verbs.completion import SHELLS

from .conftest import Run

BREAKS = "\"'><=;|&(:"


def complete_in_bash(run: Run, line: str, breaks: str = BREAKS) -> list[str]:
    """Return the candidates for a line, as kind,value."""
    environment = {
        "_MAIXFS_COMPLETE": "bash_complete",
        "COMP_LINE": line,
        "COMP_WORDBREAKS": breaks,
    }
    return run(env=environment).stdout.split()


def test_every_shell_has_a_script() -> None:
    assert tuple(completing.SHELLS) == SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_prints_each_script(shell: str, run: Run) -> None:
    script = run("completion", shell).stdout
    assert "_MAIXFS_COMPLETE" in script
    assert "maixfs" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.encode(), check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_bash_script_completes_in_bash(run: Run, place: Path, tmp_path: Path) -> None:
    program = tmp_path / "maixfs"
    import sys

    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m maixfs "$@"\n')
    program.chmod(0o755)
    script = run("completion", "bash").stdout
    script += (
        f'PATH="{tmp_path}:$PATH"\nCOMP_LINE="maixfs cat board:li" COMP_POINT=19\n'
        "_maixfs_completion maixfs li :\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc"], input=script.encode(), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.split() == [b"lib/"]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("maixfs tr", ["plain,tree"]),
        ("maixfs ls --lo", ["plain,--long"]),
        ("maixfs mkfs x --preset esp", ["plain,esp-idf", "plain,esp8266"]),
        ("maixfs completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("maixfs ls dum", ["file,dum"]),
        ("maixfs dum", ["file,dum"]),
        ("maixfs cat board:ma", ["plain,main.py"]),
        ("maixfs cat board:/flash/l", ["plain,/flash/lib/"]),
        ("maixfs cat :lib/", ["plain,lib/a.py", "plain,lib/deep/"]),
        ("maixfs cat esp.img:/lib/d", ["plain,/lib/deep/"]),
        ("maixfs cat 'esp.img:od", [r"plain,esp.img:odd\xff\x1b[31m.txt"]),
        ("maixfs cat esp.img:od", [r"plain,odd\\xff\\x1b\[31m.txt"]),
        ("maixfs cat src:b", []),
        ("maixfs nope l", ["plain,ls"]),
        ("maixfs dump.bin --j", ["plain,--json"]),
        ("maixfs cat nope.img:b", ["file,b"]),  # bash itself completes files
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_gets_candidates(line: str, answers: list[str], run: Run, place: Path) -> None:
    assert complete_in_bash(run, line) == answers


def test_bash_without_colon_breaks_gets_whole_words(run: Run, place: Path) -> None:
    assert complete_in_bash(run, "maixfs cat board:ma", "") == ["plain,board:main.py"]


def test_zsh_and_fish_get_candidates(run: Run, place: Path) -> None:
    zsh = {"_MAIXFS_COMPLETE": "zsh_complete", "COMP_WORDS": "maixfs cat board:ma"}
    assert run(env={**zsh, "COMP_CWORD": "2"}).stdout.split() == ["plain", "board:main.py", "_"]
    fish = {"_MAIXFS_COMPLETE": "fish_complete", "COMP_WORDS": "maixfs cat board:ma"}
    assert run(env={**fish, "COMP_CWORD": "board:ma"}).stdout == "plain,board:main.py\n"


def test_unknown_instruction_is_refused(run: Run) -> None:
    run(env={"_MAIXFS_COMPLETE": "csh_complete"}, code=1)


@pytest.mark.parametrize(
    ("line", "words", "in_quotes"),
    [
        ("maixfs ls ", ["maixfs", "ls"], False),
        ("a 'b c", ["a", "b c"], True),
        ('a "b c" d', ["a", "b c", "d"], False),
        ("a # b", ["a", "#", "b"], False),
        ("", [], False),
    ],
)
def test_split_words_reads_unfinished_lines(line: str, words: list[str], in_quotes: bool) -> None:
    assert split_words(line) == (words, in_quotes)
