"""A small board and a small image to work on, and two ways to run the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from maixfs.board import Board
from maixfs.cli.verb import maixfs
from maixfs.image.opening import open_image
from maixfs.spiffs import PRESETS, Geometry
from maixfs.spiffs.pack import pack

SMALL = replace(PRESETS["maixpy"], base=0x40000, size=0xA0000)
"""Five blocks of MaixPy's make in a flash of 1 MiB: quick to copy."""
FLASH_SIZE = 0x100000
ESP = replace(PRESETS["esp-idf"], size=0x20000)
FILES = {
    "/flash/main.py": b"print('hello')\n",
    "/flash/lib/a.py": b"A = 1\n",
    "/flash/lib/deep/b.py": b"B = 2\n" * 900,
    "/flash/photo.bin": bytes(range(256)) * 40,
}
ODD_NAME = b"/odd\xff\x1b[31m.txt"

Run = Callable[..., Result]


def _make_board(folder: Path, geometry: Geometry) -> None:
    Board.create(folder, flash_size=FLASH_SIZE, geometry=geometry)
    with open_image(folder, "r+") as target:
        for path, data in FILES.items():
            target.write_bytes(path, data)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with everything that tests work on; they get copies."""
    folder = tmp_path_factory.mktemp("template")
    _make_board(folder / "board", SMALL)
    shutil.copy(folder / "board" / "flash.bin", folder / "dump.bin")
    files = [(name.removeprefix("/flash"), data) for name, data in FILES.items()]
    (folder / "esp.img").write_bytes(pack([*files, (ODD_NAME, b"odd\n")], ESP))
    (folder / "src" / "sub").mkdir(parents=True)
    (folder / "src" / "boot.py").write_bytes(b"x = 1\n")
    (folder / "src" / "sub" / "c.py").write_bytes(b"y = 2\n")
    return folder


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory: board/ (the default board), dump.bin, esp.img, src/."""
    folder = tmp_path / "place"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command line in this process."""

    def call(*arguments: str, code: int = 0, **options: Any) -> Result:
        result = CliRunner().invoke(maixfs, [*arguments], **options)
        assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
        return result

    return call


@pytest.fixture
def read_json(run: Run) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a verb with ``--json`` and returns the document."""

    def call(verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        result = run(verb, *arguments, "--json", code=code)
        document: dict[str, Any] = json.loads(result.stdout)
        assert document.pop("maixfs") == 1
        assert document.pop("verb") == verb
        return document

    return call


def command_line(*arguments: str) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "maixfs", *arguments]


def run_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a user does, away from a terminal."""
    environment = {**os.environ, "PYTHONUTF8": "1", **options.pop("env", {})}
    line = command_line(*arguments)
    return subprocess.run(
        line, capture_output=True, check=False, env=environment, timeout=60, **options
    )
