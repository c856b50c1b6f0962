"""TARGET:PATH on every host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maixfs.image.address import TargetPath, parse_target


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("board", "board", None),
        ("board:", "board", ""),
        ("board:/", "board", "/"),
        ("board:/flash/main.py", "board", "/flash/main.py"),
        ("a/b.img:/x:y", "a/b.img", "/x:y"),
        ("notes 12:30.txt", "notes 12:30.txt", None),
        (r"C:\img.bin", r"C:\img.bin", None),
        (r"C:\img.bin:/x", r"C:\img.bin", "/x"),
        (r"\\?\C:\img.bin:/x", r"\\?\C:\img.bin", "/x"),
        (":/x", ":/x", None),
        ("", "", None),
    ],
)
def test_colon_before_a_slash_divides(text: str, host: str, path: str | None) -> None:
    assert parse_target(text) == TargetPath(Path(host), path)


def test_drive_letter_counts_on_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_target("c:/x") == TargetPath(Path("c"), "/x")
    path_type = type(Path())
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr("maixfs.image.address.Path", path_type)
    assert parse_target("c:/x") == TargetPath(path_type("c:/x"), None)
    assert parse_target("c:/x:/flash") == TargetPath(path_type("c:/x"), "/flash")


@pytest.mark.skipif(os.name == "nt", reason="no colons in file names there")
def test_existing_host_path_is_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:").mkdir()
    Path("a:/b").touch()
    Path("12:30").touch()
    assert parse_target("a:/b") == TargetPath(Path("a:/b"), None)
    assert parse_target("a:/b:/main.py") == TargetPath(Path("a:/b"), "/main.py")
    assert parse_target("12:30:main.py") == TargetPath(Path("12:30"), "main.py")
    assert parse_target("12:30") == TargetPath(Path("12:30"), None)


def test_relative_path_needs_an_existing_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_target("board:main.py").path is None
    Path("board").mkdir()
    assert parse_target("board:main.py") == TargetPath(Path("board"), "main.py")


def test_str_of_a_target_path_is_parsed_back() -> None:
    assert str(TargetPath(Path("board"), "/flash")) == "board:/flash"
    assert str(TargetPath(Path("board"))) == "board"


def test_impossible_host_names_are_parsed() -> None:
    assert parse_target("a\0b:/x") == TargetPath(Path("a\0b"), "/x")
    long = "n" * 5000
    assert parse_target(f"{long}:/x") == TargetPath(Path(long), "/x")
