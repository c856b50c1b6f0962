"""The fixtures and ``assert_tree`` of the pytest plugin, in a pytest of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from maixfs.errors import UsageError
from maixfs.pytest_plugin import assert_tree

pytest_plugins = ["pytester"]

PROGRAM = """
from pathlib import Path
import pytest
from maixfs.pytest_plugin import assert_tree

FILES = {"/main.py": "print(1)", "/lib/a.bin": b"a" * 5000}

@pytest.fixture
def maixfs_folder(tmp_path):
    folder = tmp_path / "files"
    for name, data in FILES.items():
        path = folder / name[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder

def test_spiffs(maixfs_spiffs, maixfs_folder):
    assert_tree(maixfs_spiffs, FILES)
    assert_tree(maixfs_spiffs, maixfs_folder)

def test_card(maixfs_card):
    assert_tree(maixfs_card, FILES)
    maixfs_card.remove("/main.py")
    assert_tree(maixfs_card, FILES, only="/lib")

def test_board(maixfs_board):
    flash = {f"/flash{name}": data for name, data in FILES.items()}
    assert_tree(maixfs_board, flash, only="/flash/lib")
    assert "main.py" in maixfs_board.uos.listdir("/flash")

def test_image(maixfs_image):
    assert_tree(maixfs_image, {f"/flash{name}": data for name, data in FILES.items()})
    maixfs_image.write_bytes("/flash/new", b"new")
    assert_tree(maixfs_image, {"/flash/new": "new"}, only="/flash/new")
    maixfs_image.discard()
    assert_tree(maixfs_image, {f"/flash{name}": data for name, data in FILES.items()})

def test_difference(maixfs_spiffs):
    maixfs_spiffs.write_text("/main.py", "print(2)")
    maixfs_spiffs.write_text("/extra", "")
    assert_tree(maixfs_spiffs, {**FILES, "/none": b""})
"""


def test_fixtures_hold_the_folder_and_a_difference_names_every_file(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(PROGRAM)
    result = pytester.runpytest_subprocess("-p", "no:maixfs", "-p", "maixfs.pytest_plugin")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        ["*missing: /none", "*unexpected: /extra", "*different: /main.py: 8 bytes*byte 0x6 on*"]
    )


def test_folder_that_is_not_there_is_no_empty_tree(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        assert_tree(tmp_path / "wrong", {})


def test_content_that_is_neither_bytes_nor_text_is_refused() -> None:
    with pytest.raises(TypeError):
        assert_tree({"/a": b""}, {"/a": 0})  # type: ignore[dict-item]
