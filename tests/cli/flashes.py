"""Files to put flashes and packages together from."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmodel.make_models import make_v3

PAYLOAD = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(251)) * 200
MODEL = make_v3()
SMALL_LAYOUT = """
title = "a small board"
size = 0x100000
[[region]]
name = "firmware"
kind = "firmware"
start = 0
size = 0x20000
owner = "the firmware"
[[region]]
name = "models"
kind = "models"
start = 0x20000
size = 0x20000
owner = "the models"
[[region]]
name = "flash"
kind = "spiffs"
start = 0x40000
size = 0xA0000
owner = "the file system /flash"
geometry = "maixpy"
"""
"""That of the boards in ``conftest``, which have a flash of 1 MiB."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory: maixpy.bin, face.kmodel, data/ and small.toml."""
    folder = tmp_path / "desk"
    folder.mkdir()
    put_files(folder)
    monkeypatch.chdir(folder)
    return folder


def put_files(folder: Path) -> None:
    """Write the files into a folder."""
    (folder / "maixpy.bin").write_bytes(PAYLOAD)
    (folder / "face.kmodel").write_bytes(MODEL)
    (folder / "small.toml").write_text(SMALL_LAYOUT, encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "main.py").write_bytes(b"print(1)\n")
