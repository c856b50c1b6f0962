"""``maixfs firmware``: there and back, and what is said of damage."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

PROGRAM = b"\x21\xa8\xef\xbe\xad\xde\x01\x00\x01\x00" + bytes(range(256)) * 21
KEY = "000102030405060708090a0b0c0d0e0f"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("program.bin").write_bytes(PROGRAM)


def info(run: Run, place: str, code: int = 0) -> dict[str, Any]:
    firmware: dict[str, Any] = json.loads(
        run("firmware", "info", place, "--json", code=code).stdout
    )["firmware"]
    return firmware


@pytest.mark.parametrize("flag", [(), ("--dio",)])
def test_wrap_and_unwrap_give_the_same_bytes(run: Run, flag: tuple[str, ...]) -> None:
    line = run("firmware", "wrap", "program.bin", "-o", "image.bin", *flag).stdout
    image = Path("image.bin").read_bytes()
    assert hashlib.sha256(image).hexdigest() in line
    framed = bytes([2 * len(flag)]) + len(PROGRAM).to_bytes(4, "little") + PROGRAM
    assert image == framed + hashlib.sha256(framed).digest()
    about = info(run, "image.bin")
    assert about["sha_ok"] and about["wrapped"] and about["dio"] is bool(flag)
    assert about["length"] == len(PROGRAM)
    run("firmware", "unwrap", "image.bin", "-o", "back.bin")
    assert Path("back.bin").read_bytes() == PROGRAM


def test_wrap_and_unwrap_with_a_key(run: Run) -> None:
    pytest.importorskip("cryptography")
    Path("key").write_bytes(bytes.fromhex(KEY))
    run("firmware", "wrap", "program.bin", "-o", "image.bin", "--key", KEY)
    assert info(run, "image.bin")["aes"]
    assert "AES-128-CBC" in run("firmware", "info", "image.bin").stdout
    run("firmware", "unwrap", "image.bin", "-o", "back.bin", "--key", "@key")
    assert Path("back.bin").read_bytes().rstrip(b"\0") == PROGRAM.rstrip(b"\0")
    assert "its key is needed" in run("firmware", "unwrap", "image.bin", "-o", "b", code=1).stderr
    assert (
        "32 hex digits"
        in run("firmware", "unwrap", "image.bin", "-o", "b", "--key", "12", code=2).stderr
    )


def test_info_reads_a_flash_at_an_address(run: Run) -> None:
    run("firmware", "wrap", "program.bin", "-o", "image.bin")
    image = Path("image.bin").read_bytes()
    Path("flash.bin").write_bytes(b"\xff" * 0x80000 + image.ljust(0x80000, b"\xff"))
    assert info(run, "flash.bin@0x80000")["address"] == 0x80000
    assert "nothing at 0x0: erased" in run("firmware", "info", "flash.bin", code=1).stderr
    run("firmware", "unwrap", "flash.bin@512K", "-o", "back.bin")
    assert Path("back.bin").read_bytes() == PROGRAM


def test_info_reports_damage_and_missing_headers(run: Run) -> None:
    run("firmware", "wrap", "program.bin", "-o", "image.bin")
    bad = bytearray(Path("image.bin").read_bytes())
    bad[100] ^= 1
    Path("bad.bin").write_bytes(bad)
    assert not info(run, "bad.bin", code=1)["sha_ok"]
    assert "wrong" in run("firmware", "info", "bad.bin", code=1).stdout
    assert "damaged" in run("firmware", "unwrap", "bad.bin", "-o", "x", code=1).stderr
    assert not Path("x").exists()
    run("firmware", "unwrap", "bad.bin", "-o", "x", "--unchecked")
    assert len(Path("x").read_bytes()) == len(PROGRAM)
    shown = run("firmware", "info", "program.bin", code=1)
    assert "program without header" in shown.stdout
    assert "firmware wrap" in shown.stdout


def test_wrong_input_is_refused(run: Run) -> None:
    run("firmware", "wrap", "program.bin", "-o", "image.bin")
    assert "already" in run("firmware", "wrap", "image.bin", "-o", "twice", code=2).stderr
    Path("other").write_bytes(b"keep")
    assert "--force" in run("firmware", "wrap", "program.bin", "-o", "other", code=1).stderr
    assert Path("other").read_bytes() == b"keep"
    run("firmware", "wrap", "program.bin", "-o", "other", "--force")
    again = json.loads(run("firmware", "wrap", "program.bin", "-o", "other", "--json").stdout)
    assert again["changed"] is False
    Path("text").write_bytes(b"hello")
    assert "does not begin" in run("firmware", "wrap", "text", "-o", "t.img").stderr


def test_error_names_the_file(run: Run) -> None:
    Path("noise.bin").write_bytes(bytes(range(7, 255)))
    error = run("firmware", "info", "noise.bin", code=1).stderr
    assert error.startswith("error: noise.bin: no firmware at 0x0") and "hint:" in error
